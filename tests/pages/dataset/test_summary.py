"""Summary: counts, findings, what was left out."""

from pathlib import Path

import numpy as np
import pytest

from pages.ui.dataset.explore import count_figure, count_table
from pneumo_core.data.audit import Outcome, Severity, audit
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.patients import shared_patients
from pneumo_core.data.source import connect
from pneumo_core.reporting.audit_tables import in_words
from tests.conftest import PHANTOMS
from tests.pages.dataset.page import page, said, write_image
from tests.pages.opening import texts


def test_summary_counts_every_split_class_and_patient(index: DataIndex, odd: Path) -> None:
    at = page()
    shown = at.table[0].value
    assert shown.columns.tolist() == ["train", "val", "test", "all"]
    for split in ("train", "val", "test"):
        counted = {
            label: sum(1 for path in (odd / split / label).glob("*.jpeg") if path.stat().st_size > 100)
            for label in ("NORMAL", "PNEUMONIA")
        }
        assert {label: shown.loc[label, split] for label in counted} == {
            label: str(number) for label, number in counted.items()
        }
        assert shown.loc["images", split] == str(sum(counted.values()))
    assert shown.loc["images", "all"] == "72"
    assert shown.loc[["of it bacteria", "of it virus", "of it unknown"], "train"].tolist() == ["20", "10", "0"]
    assert shown.loc[["of it bacteria", "of it virus", "of it unknown"], "test"].tolist() == ["0", "5", "2"]
    assert shown.loc["PNEUMONIA, share", "val"] == "0.0 %"
    # By the file names: IM 0 to 14 and the odd one, persons 0 to 19 by cause, one number for all three prefixes.
    assert shown.loc["patients", "train"] == str(15 + 1 + 20 + 10)
    assert [metric.value for metric in at.metric] == [
        "72",
        str(index.table["patient_id"].nunique()),
        str(index.table["pooled_id"].nunique()),
        "2",
    ]


def test_findings_are_shown_in_the_order_of_the_audit_severe_ones_as_warnings(index: DataIndex) -> None:
    at = page()
    found = [check for check in audit(index) if check.outcome in {Outcome.ISSUE, Outcome.TIP}]
    severe = [check for check in found if check.severity is Severity.MISLEADING]
    assert [said(element) for element in at.warning] == [in_words(check) for check in severe]
    assert [check.code for check in severe] == ["patients-span-splits", "duplicates-span-splits"]
    (lines,) = (
        said(element).splitlines() for element in at.markdown if "badge" in element.value and "- " in element.value
    )
    rest = found[len(severe) :]
    for check, line in zip(rest, lines, strict=True):
        assert f" {check.severity.value}] {in_words(check)}" in line
    assert "fine" not in texts(at, "markdown")


def test_beside_a_caution_nothing_is_called_fine_in_general(index: DataIndex, tmp_path: Path) -> None:
    for split, name in (("train", "IM-0001-0001"), ("test", "IM-0002-0001")):
        write_image(tmp_path / f"apart/{split}/NORMAL/{name}.jpeg", int(name[6]))
        write_image(
            tmp_path / f"apart/{split}/PNEUMONIA/person1_{'virus' if split == 'train' else 'bacteria'}_1.jpeg",
            9 if split == "train" else 8,
        )
    apart = build_index(tmp_path / "apart")
    connect(apart)
    shared = shared_patients(apart.table)
    assert (shared.patients, shared.pooled) == (0, 1)
    words = texts(page(), "markdown")
    assert "fine] No patient is in two splits" in words
    assert "With the prefix dropped, patient numbers are in several splits: train and test share 1 number." in words
    severities = {check.severity for check in audit(apart)}
    assert Severity.CAUTION in severities
    assert Severity.MISLEADING not in severities
    assert "Nothing found" not in words


def test_files_that_were_left_out_are_listed_with_reasons(index: DataIndex) -> None:
    left_out, ignored = (table.value for table in page().dataframe)
    assert dict(zip(left_out["file"], left_out["reason"], strict=True)) == {
        "train/NORMAL/empty.jpeg": "empty",
        "train/NORMAL/words.jpeg": "not_an_image",
    }
    assert ignored.to_numpy().tolist() == [["hidden files", 1, "made by the system", ""]]


def test_count_table_of_an_empty_split_has_no_share(index: DataIndex) -> None:
    table = index.table[index.table["split"] != "val"]
    row = count_table(table).set_index("split").loc["val"]
    assert row["images"] == 0
    assert row["PNEUMONIA, share"] == "no images"


@pytest.mark.parametrize("as_shares", [False, True])
def test_stacked_bars_add_up(index: DataIndex, as_shares: bool) -> None:
    figure = count_figure(index.table, as_shares=as_shares)
    lengths = np.sum([bar.x for bar in figure.data], axis=0)
    np.testing.assert_allclose(lengths, [1, 1, 1] if as_shares else [61, 1, 10])
    assert [bar.name for bar in figure.data] == [
        "NORMAL",
        "PNEUMONIA, bacteria",
        "PNEUMONIA, virus",
        "PNEUMONIA, unknown",
    ]


def test_phantoms_are_badged_and_shown_where_nothing_is_connected(
    tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    at = page()
    assert "phantoms" in texts(at, "markdown")
    assert at.metric[0].value == str(PHANTOMS)
