"""Work on a data set in a process of its own: its progress on disk, its liveness by a lock, its end on request.

`jobs.preparing` starts such processes. Like a run, they outlive the page that started them.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pneumo_core.errors import DataError, PneumoError, StoreError
from pneumo_core.runs.files import hold_lock, lock_is_held, read_json, store_errors, write_atomic, write_json
from pneumo_core.runs.store import datasets_root

_EVERY_S: Final = 0.2
"""Minimum time between two progress reports, in seconds."""

CANCELLED: Final = "Cancelled"
FAILED: Final = "Failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a piece of work, also after it stopped.

    Attributes:
        stage: Current stage, for people.
        done: Images done in this stage.
        total: Images of this stage; 0 if that is unknown.
        error: Reason of a failure, or "".
    """

    stage: str
    done: int = 0
    total: int = 0
    error: str = ""


def audit_name(data_id: str) -> str:
    """Name of the work that audits a data set (`inference.audited`)."""
    return f"audit-{data_id}"


def map_name(data_id: str, run_id: str) -> str:
    """Name of the work that maps a data set by a run's features (`inference.image_map`)."""
    return f"map-{data_id}-{run_id}"


def work_file(name: str, suffix: str) -> Path:
    """Path of a piece of work's ``.json`` (progress), ``.lock`` (held while it works), ``.cancel`` (a request) or ``.log``."""
    return datasets_root() / f"{name}{suffix}"


def is_working(name: str) -> bool:
    """Whether a process is at it.

    Raises:
        StoreError: The lock exists but cannot be opened.
    """
    return lock_is_held(work_file(name, ".lock"))


def progress_of(name: str) -> Progress:
    """Last reported progress of the newest process at it."""
    try:
        return Progress(**read_json(work_file(name, ".json")))
    except (StoreError, TypeError):  # No report yet, or one of another version.
        return Progress("Starting")


def cancel_work(name: str) -> None:
    """Request that it ends; it does so at its next report.

    Raises:
        StoreError: The request cannot be written.
    """
    write_atomic(work_file(name, ".cancel"), b"")


def reporter(name: str, stage: str) -> Callable[[int, int], None]:
    """Function that reports the images done and their total, and ends the work where that was requested."""
    reported_at = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal reported_at
        if work_file(name, ".cancel").exists():
            raise DataError(
                f"the work must finish. Received: a request to cancel it at {done} of {total}; start it again"
            )
        if done == total or time.monotonic() - reported_at >= _EVERY_S:
            reported_at = time.monotonic()
            _report(name, Progress(stage, done, total))

    return progress


def do_work(name: str, action: Callable[[], object]) -> int:
    """Do it in this process, which reports; returns the exit status, 1 after an expected error.

    Args:
        name: Name of its files.
        action: The work; called once this process has shown that it works, so that slow imports belong in it.
    """
    if hasattr(os, "nice"):
        os.nice(5)  # The waiting page takes precedence.
    try:
        with hold_lock(work_file(name, ".lock")):
            with store_errors(work_file(name, ".cancel")):
                work_file(name, ".cancel").unlink(missing_ok=True)
            _report(name, Progress("Starting"))
            try:
                action()
            except PneumoError as error:
                is_cancelled = work_file(name, ".cancel").exists()
                _report(name, Progress(CANCELLED) if is_cancelled else Progress(FAILED, error=str(error)))
                return 1
            except Exception as error:  # The log has the traceback; the page must know that it ended.
                _report(
                    name,
                    Progress(FAILED, error=f"it must not fail. Received: {type(error).__name__}: {error}; see the log"),
                )
                raise
    except PneumoError as error:  # Another process is at it, or nothing can be written.
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _report(name: str, progress: Progress) -> None:
    write_json(work_file(name, ".json"), asdict(progress))
