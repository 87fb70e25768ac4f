"""Preparation of the default data set in a process of its own: phantoms are drawn and files are indexed.

`python -m pneumo_core.data.preparation` does that, `jobs.preparing` starts it, and `preparation` returns its progress. If it
is stopped, the next one starts again, but keeps the phantoms if all were drawn.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pneumo_core.errors import PneumoError, StoreError
from pneumo_core.runs.files import hold_lock, lock_is_held, read_json, write_json
from pneumo_core.runs.store import datasets_root

_EVERY_S: Final = 0.2
"""Minimum time between two progress reports, in seconds."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """Progress of a preparation, also after it stopped.

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


def preparation_file(suffix: str) -> Path:
    """Path of a preparation's ``.json`` (progress), ``.lock`` (held while it works) or ``.log``."""
    return datasets_root() / f"preparation{suffix}"


def is_preparing() -> bool:
    """Whether a process is preparing the default data set.

    Raises:
        StoreError: The lock exists but cannot be opened.
    """
    return lock_is_held(preparation_file(".lock"))


def preparation() -> Preparation:
    """Last reported progress of the newest preparation."""
    try:
        return Preparation(**read_json(preparation_file(".json")))
    except (StoreError, TypeError):  # No report yet, or one of another version.
        return Preparation("Starting")


def _prepare() -> int:
    """Prepare the default data set; returns the exit status, 1 after an expected error."""
    if hasattr(os, "nice"):
        os.nice(5)  # The waiting page takes precedence.
    try:
        with hold_lock(preparation_file(".lock")):
            _report(Preparation("Starting"))
            # After the lock, which shows that this process works: these imports take a second.
            from pneumo_core.data.index import build_index  # noqa: PLC0415
            from pneumo_core.data.source import default_data  # noqa: PLC0415

            try:
                folder = default_data(_reporter("Drawing phantoms"))
                build_index(folder, progress=_reporter("Reading the images"))
            except PneumoError as error:
                _report(Preparation("Failed", error=str(error)))
                return 1
    except PneumoError as error:  # Another process is preparing it, or nothing can be written.
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _reporter(stage: str) -> Callable[[int, int], None]:
    reported_at = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal reported_at
        if done == total or time.monotonic() - reported_at >= _EVERY_S:
            reported_at = time.monotonic()
            _report(Preparation(stage, done, total))

    return progress


def _report(progress: Preparation) -> None:
    write_json(preparation_file(".json"), asdict(progress))


if __name__ == "__main__":
    sys.exit(_prepare())
