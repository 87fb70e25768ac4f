"""The whole audit: quiet on clean phantoms, not on planted leaks, stored, and made in a process of its own."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pneumo_core.data.audit import Outcome
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.work import Progress, audit_name, is_working, progress_of
from pneumo_core.inference.audited import all_checks, measured, stored_measured
from pneumo_core.jobs.preparing import start_auditing
from pneumo_core.runs.store import datasets_root
from tests.waiting import wait_for


@pytest.fixture
def index(tiny_data: Path) -> DataIndex:
    return build_index(tiny_data)


def issues(index: DataIndex) -> set[str]:
    checks = all_checks(index, measured(index))
    assert len({check.code for check in checks}) == len(checks)
    return {check.code for check in checks if check.outcome is Outcome.ISSUE}


def test_clean_phantoms_have_no_issue_but_that_they_are_phantoms(index: DataIndex) -> None:
    assert issues(index) == {"phantoms"}


def test_planted_leaks_are_found(tiny_data: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(tiny_data, tmp_path / "set"))
    first, second, third = sorted((root / "train/NORMAL").iterdir())[:3]
    shutil.copy(first, root / "test/NORMAL" / first.name)
    shutil.copy(second, root / "test/PNEUMONIA/other.jpeg")
    with Image.open(third) as image:
        image.resize((image.width // 2, image.height // 2)).save(root / "test/NORMAL/again.png")
    (root / "train/COVID").mkdir()
    shutil.copy(first, root / "train/COVID")
    assert issues(build_index(root)) == {
        "phantoms",
        "patients-span-splits",
        "patients-unknown",
        "duplicates-span-splits",
        "duplicates-span-labels",
        "near-duplicates-span-splits",
        "left-out",
    }


def test_what_was_measured_is_stored(index: DataIndex) -> None:
    assert stored_measured(index) is None
    found = measured(index)
    assert stored_measured(index) == found
    assert measured(index, lambda _done, _total: pytest.fail("it is stored")) == found


@pytest.mark.parametrize("damage", ["", "[]", '{"schema": 0}', '{"schema": 1, "checks": 3}'])
def test_a_damaged_store_is_made_again(index: DataIndex, damage: str) -> None:
    found = measured(index)
    (datasets_root() / index.data_id / "audit.json").write_text(damage)
    assert stored_measured(index) is None
    assert measured(index) == found


def test_checks_without_pixels_are_never_stale(index: DataIndex) -> None:
    measured(index)
    lacking = replace(index, table=index.table[index.table["label"] == 0].reset_index(drop=True))
    codes = {check.code for check in all_checks(lacking, stored_measured(index)) if check.outcome is Outcome.ISSUE}
    assert "empty" in codes


def test_it_is_made_in_the_background(index: DataIndex) -> None:
    name = audit_name(index.data_id)
    start_auditing(index.data_id)
    wait_for("the end of the audit", lambda: not is_working(name))
    count = len(index.table)
    assert progress_of(name) == Progress("Measuring the images", count, count)
    assert stored_measured(index) is not None
    stored = json.loads((datasets_root() / index.data_id / "audit.json").read_text())
    assert set(stored) == {"schema", "checks", "shift", "opponent"}
