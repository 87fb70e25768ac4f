"""Preparation of the default data set as a background job: like a run, it outlives the page that started it."""

from pathlib import Path
from typing import Final

from pneumo_core.data.index import DataIndex, build_index, unread_files
from pneumo_core.data.preparation import is_preparing, preparation_file
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
    """Start to prepare the default data set, unless that is already running; returns as soon as the process works.

    Raises:
        DataError: The process did not start.
        RunError: Another process has been starting the preparation for three minutes.
        StoreError: The artifacts cannot be written.
    """
    report = preparation_file(".json")
    make_directory(report.parent)
    with hold_lock(preparation_file(".start.lock"), timeout_s=START_TIMEOUT_S):
        if not is_preparing():
            with store_errors(report):
                report.unlink(missing_ok=True)
            start_and_wait(
                ["pneumo_core.data.preparation"],
                preparation_file(".log"),
                name="preparation of the data set",
                error=DataError,
                has_started=report.exists,
            )
