"""Which data set can be had at once, and the process that prepares the one that cannot."""

from pathlib import Path
from typing import Any

import pytest

from pneumo_core.data.index import build_index
from pneumo_core.data.preparation import PREPARATION
from pneumo_core.data.source import default_folder
from pneumo_core.data.work import is_working, progress_of, work_file
from pneumo_core.errors import DataError, StoreError
from pneumo_core.jobs import preparing
from pneumo_core.jobs.preparing import index_at_once, start_preparing
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.store import datasets_root
from tests.conftest import PHANTOMS
from tests.hostile import assert_one_line
from tests.waiting import wait_for


@pytest.fixture
def named(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of the settings that is too large to be read while somebody waits."""
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    monkeypatch.setattr(preparing, "_AT_ONCE", 100)
    return tiny_data


def finish() -> None:
    wait_for("the end of the preparation", lambda: not is_working(PREPARATION))


def test_phantoms_must_be_drawn_first() -> None:
    assert default_folder() is None
    assert not datasets_root().exists()


def test_few_files_are_read_at_once(tiny_data: Path) -> None:
    index = index_at_once(tiny_data)
    assert index is not None
    assert len(index.table) == PHANTOMS


def test_many_only_once_they_have_been_read(named: Path) -> None:
    assert index_at_once(named) is None
    stored = build_index(named)
    index = index_at_once(named)
    assert index is not None
    assert index.data_id == stored.data_id


def test_a_folder_that_is_no_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        index_at_once(tmp_path)
    assert_one_line(raised.value, str(tmp_path))


def test_it_is_prepared_apart_and_once_whoever_asks(named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, start_and_wait = [], preparing.start_and_wait

    def counted(*arguments: Any, **options: Any) -> None:
        started.append(arguments)
        start_and_wait(*arguments, **options)

    monkeypatch.setattr(preparing, "start_and_wait", counted)
    with hold_lock(work_file(PREPARATION, ".lock")):
        start_preparing()  # Somebody prepares it already.
    assert started == []
    start_preparing()
    finish()
    assert len(started) == 1
    assert (progress_of(PREPARATION).done, progress_of(PREPARATION).error) == (PHANTOMS, "")
    assert index_at_once(named) is not None


def test_a_relative_folder_is_the_same_for_both_processes(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_data.parent)
    monkeypatch.setenv("PNEUMO_DATA", tiny_data.name)
    start_preparing()
    finish()
    assert (progress_of(PREPARATION).done, progress_of(PREPARATION).error) == (PHANTOMS, "")


def test_what_went_wrong_before_is_forgotten(named: Path) -> None:
    work_file(PREPARATION, ".json").parent.mkdir(parents=True)
    work_file(PREPARATION, ".json").write_text('{"stage": "Failed", "error": "of yesterday"}')
    start_preparing()
    finish()
    assert progress_of(PREPARATION).error == ""


def test_a_failure_is_told_by_its_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "nowhere"))
    start_preparing()
    finish()
    assert_one_line(progress_of(PREPARATION).error, "nowhere")


def test_an_end_without_a_word_is_told_with_the_last_line_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text("import os\nprint('broken here', flush=True)\nos._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(
        DataError, match=r"^the preparation of the data set must start\. Received: exit status 3: broken"
    ):
        start_preparing()


def test_artifacts_that_cannot_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "file"))
    with pytest.raises(StoreError) as raised:
        start_preparing()
    assert_one_line(raised.value, str(tmp_path / "file"))
