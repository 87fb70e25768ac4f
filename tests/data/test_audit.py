"""What the audit finds, in tables made to have it, and in the real data set."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pytest

from pneumo_core.data.audit import Finding, Severity, audit
from pneumo_core.data.index import DataIndex
from pneumo_core.data.patients import shared_by_prefix, shared_patients, shared_without_prefix
from pneumo_core.records import Label, Split, UnreadableFile

OFFICIAL = {
    ("train", "NORMAL"): 1341,
    ("train", "PNEUMONIA"): 3875,
    ("val", "NORMAL"): 8,
    ("val", "PNEUMONIA"): 8,
    ("test", "NORMAL"): 234,
    ("test", "PNEUMONIA"): 390,
}


def rows(counts: dict[tuple[str, str], int] | None = None) -> pd.DataFrame:
    """Images, each of a patient of its own, as many as the official data set has."""
    numbered = [(key, number) for key, count in (counts or OFFICIAL).items() for number in range(count)]
    return pd.DataFrame(
        {
            "image_id": [f"{split}/{name}/{number}.jpeg" for (split, name), number in numbered],
            "split": [split for (split, _), _ in numbered],
            "label": [int(Label[name]) for (_, name), _ in numbered],
            "sha256": [f"{place:064}" for place in range(len(numbered))],
            "patient_id": [f"a-{place}" for place in range(len(numbered))],
            "pooled_id": [str(place) for place in range(len(numbered))],
        }
    )


def findings(table: pd.DataFrame, unreadable: Iterable[UnreadableFile] = ()) -> dict[str, Finding]:
    found = audit(DataIndex("0" * 12, Path("/data"), table, tuple(unreadable), ()))
    assert all(finding.message == " ".join(finding.message.split()) for finding in found)
    assert all(finding.message.endswith(".") for finding in found)
    ranks = [list(Severity).index(finding.severity) for finding in found]
    assert ranks == sorted(ranks), "the worst first"
    return {f"{finding.code}{number or ''}": finding for number, finding in _numbered(found)}


def _numbered(found: tuple[Finding, ...]) -> list[tuple[int, Finding]]:
    return [
        (sum(other.code == finding.code for other in found[:place]), finding) for place, finding in enumerate(found)
    ]


def test_the_official_data_set_has_no_findings() -> None:
    assert findings(rows()) == {}


def test_generated_images_among_the_real_ones_are_severe() -> None:
    table = rows()
    table.loc[0, "image_id"] = "train/NORMAL/synthetic-dcgan-0123456789ab-seed0-0000007.png"
    found = findings(table)
    assert {name: finding.severity for name, finding in found.items()} == {"generated": Severity.MISLEADING}
    assert "removed" in found["generated"].consequence


def test_other_counts_are_said_split_by_split() -> None:
    found = findings(rows(OFFICIAL | {("test", "NORMAL"): 118, ("test", "PNEUMONIA"): 200, ("train", "NORMAL"): 1340}))
    assert list(found) == ["counts-differ", "counts-differ1"]
    assert "train" in found["counts-differ"].message
    assert "1,340/3,875" in found["counts-differ"].message
    assert "official 1,341/3,875" in found["counts-differ"].message
    assert "test differs" in found["counts-differ1"].message
    assert "118/200, official 234/390" in found["counts-differ1"].message
    assert {finding.severity for finding in found.values()} == {Severity.CAUTION}


@pytest.mark.parametrize(("split", "severe"), [("train", True), ("val", False), ("test", True)])
@pytest.mark.parametrize("name", ["NORMAL", "PNEUMONIA"])
def test_an_empty_part_is_said(split: str, name: str, severe: bool) -> None:
    found = findings(rows({key: count for key, count in OFFICIAL.items() if key != (split, name)}))
    assert set(found) == {"counts-differ", "empty"}
    assert found["empty"].message == f"{split} has no {name} image."
    assert found["empty"].severity is (Severity.MISLEADING if severe else Severity.NOTE)
    assert bool(found["empty"].consequence) is severe


def test_unreadable_files_are_counted() -> None:
    bad = [UnreadableFile(f"train/NORMAL/{number}.jpeg", "damaged", "message") for number in range(3)]
    found = findings(rows(), bad)
    assert list(found) == ["unreadable"]
    assert found["unreadable"].message.startswith("3 files")


def same_content(table: pd.DataFrame, *groups: list[str]) -> pd.DataFrame:
    for number, group in enumerate(groups):
        table.loc[table["image_id"].isin(group), "sha256"] = f"{number:x<64}"
    return table


def test_duplicates_within_a_class_are_counted() -> None:
    table = same_content(
        rows(), ["train/NORMAL/1.jpeg", "train/NORMAL/2.jpeg", "train/NORMAL/3.jpeg"], ["test/NORMAL/1.jpeg"]
    )
    found = findings(table)
    assert list(found) == ["duplicates"]
    assert found["duplicates"].severity is Severity.NOTE
    assert found["duplicates"].message.startswith("3 files")
    assert "in 1 groups" in found["duplicates"].message


def test_duplicates_across_splits_and_labels_are_severe() -> None:
    found = findings(
        same_content(
            rows(),
            ["train/NORMAL/1.jpeg", "test/NORMAL/1.jpeg"],
            ["train/NORMAL/2.jpeg", "train/PNEUMONIA/2.jpeg"],
            ["val/NORMAL/2.jpeg", "test/PNEUMONIA/2.jpeg"],
        )
    )
    assert list(found) == ["duplicates-span-splits", "duplicates-span-labels", "duplicates"]
    assert found["duplicates"].message.startswith("6 files")
    for code in ("duplicates-span-splits", "duplicates-span-labels"):
        assert found[code].severity is Severity.MISLEADING
        assert found[code].message.startswith("2 of 3 groups of byte-identical files are in ")
        assert found[code].consequence


def test_patients_in_train_and_test_are_severe_and_pooled_numbers_are_not() -> None:
    table = rows().set_index("image_id")
    table.loc["test/NORMAL/0.jpeg", "patient_id"] = table.loc["train/NORMAL/0.jpeg", "patient_id"]
    for number in range(5):
        table.loc[f"test/NORMAL/{number}.jpeg", "pooled_id"] = table.loc[f"train/PNEUMONIA/{number}.jpeg", "pooled_id"]
    # Held out of training by `splits`, so nothing to warn of.
    table.loc["val/NORMAL/0.jpeg", "patient_id"] = table.loc["train/NORMAL/1.jpeg", "patient_id"]
    found = findings(table.reset_index())
    assert list(found) == ["patients-span-splits", "pooled-patients-span-splits"]
    assert found["patients-span-splits"].severity is Severity.MISLEADING
    assert found["pooled-patients-span-splits"].severity is Severity.CAUTION
    shared = shared_patients(table.reset_index())
    assert (shared.patients, shared.pooled) == (1, 5)
    assert found["patients-span-splits"].message == shared_by_prefix(shared)
    assert found["pooled-patients-span-splits"].message == shared_without_prefix(shared)


def test_what_misleads_stands_above_what_is_only_noted() -> None:
    table = same_content(rows(OFFICIAL | {("test", "NORMAL"): 1}), ["train/NORMAL/1.jpeg", "test/NORMAL/0.jpeg"])
    bad = [UnreadableFile("train/NORMAL/x.jpeg", "damaged", "message")]
    severities = [finding.severity for finding in findings(table, bad).values()]
    assert severities == [Severity.MISLEADING, Severity.CAUTION, Severity.NOTE, Severity.NOTE]


def test_phantoms_are_said_and_not_held_against_the_official_counts() -> None:
    table = rows({("train", "NORMAL"): 3, ("train", "PNEUMONIA"): 3, ("test", "NORMAL"): 3, ("test", "PNEUMONIA"): 3})
    table["image_id"] = table["image_id"].str.replace("/(?=[0-9])", "/PHANTOM-X-", regex=True)
    found = findings(table)
    assert list(found) == ["phantoms", "empty", "empty1"]
    assert found["phantoms"].consequence == "Figures from them do not apply to patients."


def test_the_real_data_set(real_index: DataIndex) -> None:
    """Half of the official test split is kept elsewhere: that is said, and no patient is on both sides."""
    found = audit(real_index)
    assert not any(finding.severity is Severity.MISLEADING for finding in found), found
    differing = [finding.message for finding in found if finding.code == "counts-differ"]
    counts = real_index.counts()
    received = [counts[Split.TEST, label] for label in Label]
    if received != [234, 390]:
        assert differing == [
            f"test differs from the official data set: NORMAL/PNEUMONIA {received[0]}/{received[1]}, official 234/390."
        ]
