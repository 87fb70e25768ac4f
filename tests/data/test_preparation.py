"""The default data set is prepared by one process at a time, which says how far it is, and why it failed."""

import subprocess
import sys
from pathlib import Path

import pytest

from pneumo_core.data.index import unread_files
from pneumo_core.data.preparation import PREPARATION
from pneumo_core.data.work import Progress, is_working, progress_of, work_file
from pneumo_core.runs.files import hold_lock
from tests.conftest import PHANTOMS
from tests.hostile import ROOT, assert_one_line


def prepare() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pneumo_core.data.preparation"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_folder_is_read_and_the_last_word_is_of_its_last_image(
    tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    assert progress_of(PREPARATION) == Progress("Starting")
    assert unread_files(tiny_data) == PHANTOMS
    result = prepare()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert progress_of(PREPARATION) == Progress("Reading the images", PHANTOMS, PHANTOMS)
    assert unread_files(tiny_data) == 0
    assert not is_working(PREPARATION)


def test_the_reason_of_a_failure_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "nowhere"))
    assert prepare().returncode == 1
    assert_one_line(progress_of(PREPARATION).error, "nowhere")


def test_the_second_of_two_says_that_the_first_works_and_changes_nothing(
    tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    with hold_lock(work_file(PREPARATION, ".lock")):
        assert is_working(PREPARATION)
        result = prepare()
    assert result.returncode == 1
    assert_one_line(result.stderr.removesuffix("\n"), str(work_file(PREPARATION, ".lock")))
    assert not work_file(PREPARATION, ".json").exists()
    assert unread_files(tiny_data) == PHANTOMS


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"stage": "x", "of another version": 1}'])
def test_a_damaged_word_is_none(content: str) -> None:
    work_file(PREPARATION, ".json").parent.mkdir(parents=True)
    work_file(PREPARATION, ".json").write_text(content)
    assert progress_of(PREPARATION) == Progress("Starting")
