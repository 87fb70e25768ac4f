"""Splits: blocks of case numbers, shared patients, and, once measured, the shift and the networks beside the files alone."""

import pytest

from pneumo_core.data.anatomy import blocks, cases
from pneumo_core.data.audit import audit
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import connect
from pneumo_core.evaluation import opponent
from pneumo_core.inference.audited import measured
from pneumo_core.records import Split
from pneumo_core.reporting.audit_tables import patient_words
from tests.conftest import FinishedRun
from tests.pages.dataset.page import page
from tests.pages.opening import texts


def test_blocks_and_shared_patients_need_no_pixels(index: DataIndex) -> None:
    at = page("Splits")
    runs = blocks(cases(index.table))
    shown = at.dataframe[0].value
    assert (
        shown[["from", "to", "patients"]].to_numpy().tolist() == runs[["first", "last", "patients"]].to_numpy().tolist()
    )
    tests = runs[runs["split"] == Split.TEST.value]
    words = f"The {tests['patients'].sum():,} patients of test with a number lie in {len(tests):,} block"
    assert words in texts(at, "caption")
    # What the audit says, of every pair of splits.
    for words in patient_words(audit(index)):
        assert words in texts(at, "markdown")
    assert "measure the images under 'Audit'" in texts(at, "info")


def test_networks_stand_beside_the_files_alone(with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opponent, "LEAST", 10)  # The small data set has fewer patients than it takes.
    built = build_index(with_finished_run.data)
    connect(built)
    measured(built)
    at = page("Splits")
    assert "Do test images differ from training images?" in texts(at, "header")
    assert "Does a network beat the file header?" in texts(at, "header")
    table = at.dataframe[-1].value
    assert table["model"].tolist()[0] == "the files alone"
    assert any(with_finished_run.run_id[-6:] in name for name in table["model"])


def test_a_data_set_without_numbers_says_so(index: DataIndex) -> None:
    listing = index.root / "labels.csv"
    rows = "".join(
        f"{row.image_id},{row.label},{row.split}\n" for row in index.table.itertuples() if "odd" in row.image_id
    )
    rows += "train/PNEUMONIA/person3_bacteria_3.jpeg,1,train,p\ntrain/NORMAL/IM-0001-0001.jpeg,0,train,q\n"
    listing.write_text("path,label,split,patient\n" + rows)
    connect(build_index(listing))
    assert "have no numbers" in texts(page("Splits"), "caption")
