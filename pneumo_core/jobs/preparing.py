"""Preparation, audit and map of a data set as background jobs: like a run, they outlive the page that started them."""

from pathlib import Path
from typing import Final

from pneumo_core.data.index import DataIndex, build_index, unread_files
from pneumo_core.data.preparation import PREPARATION
from pneumo_core.data.work import audit_name, is_working, map_name, work_file
from pneumo_core.errors import DataError
from pneumo_core.jobs.local import START_TIMEOUT_S, start_and_wait
from pneumo_core.runs.files import hold_lock, make_directory, store_errors

_AT_ONCE: Final = 300
"""Number of images that can be indexed within half a second, which is less than a process takes to start."""


def index_at_once(source: Path) -> DataIndex | None:
    """The index of a data set, or None if it takes too long for a page and must be prepared.

    Args:
        source: The data set, as `find_source` gives it.

    Raises:
        DataError: The folder is not a data set.
        StoreError: The artifacts cannot be written.
    """
    return None if unread_files(source) > _AT_ONCE else build_index(source)


def start_preparing() -> None:
    """Start to prepare the default data set; see `_start` for the errors."""
    _start(PREPARATION, ["pneumo_core.data.preparation"], "preparation of the data set")


def start_auditing(data_id: str) -> None:
    """Start the audit of an indexed data set (`inference.audited`); see `_start` for the errors."""
    _start(audit_name(data_id), ["pneumo_core.inference.audited", data_id], "audit of the data set")


def start_mapping(data_id: str, run_id: str) -> None:
    """Start to map an indexed data set by a run's features (`inference.image_map`); see `_start` for the errors."""
    _start(map_name(data_id, run_id), ["pneumo_core.inference.image_map", data_id, run_id], "map of the data set")


def _start(name: str, arguments: list[str], what: str) -> None:
    """Start a piece of work, unless a process is at it; returns as soon as the process works.

    Raises:
        DataError: The process did not start.
        RunError: Another process has been starting it for three minutes.
        StoreError: The artifacts cannot be written.
    """
    report = work_file(name, ".json")
    make_directory(report.parent)
    with hold_lock(work_file(name, ".start.lock"), timeout_s=START_TIMEOUT_S):
        if not is_working(name):
            with store_errors(report):
                report.unlink(missing_ok=True)
            start_and_wait(arguments, work_file(name, ".log"), name=what, error=DataError, has_started=report.exists)
