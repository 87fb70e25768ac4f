"""The default data set, made ready in a process of its own: phantoms are drawn, and files are read for the first time.

`python -m pneumo_core.data.preparation` does that, `jobs.preparing` starts it, and `preparation` says how far it is. If it is
stopped, the next one begins anew, with the phantoms that were drawn if all were.
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
"""Least time between two words on how far it is."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How far a preparation is, or was when it stopped.

    Attributes:
        stage: What it does, as a person reads it.
        done: Images done in this stage.
        total: Images of this stage; 0 where that is not known yet.
        error: Why it failed; empty where it has not.
    """

    stage: str
    done: int = 0
    total: int = 0
    error: str = ""


def preparation_file(suffix: str) -> Path:
    """Where a preparation keeps its ``.json`` (how far), its ``.lock`` (that it works) and its ``.log``."""
    return datasets_root() / f"preparation{suffix}"


def is_preparing() -> bool:
    """Whether a process prepares the default data set right now.

    Raises:
        StoreError: The lock is there but cannot be opened.
    """
    return lock_is_held(preparation_file(".lock"))


def preparation() -> Preparation:
    """What the newest preparation said last."""
    try:
        return Preparation(**read_json(preparation_file(".json")))
    except (StoreError, TypeError):  # Nothing was said yet, or of another version.
        return Preparation("Starting")


def _prepare() -> int:
    """Make the default data set ready; the exit status, 1 where that failed for a reason that is told."""
    if hasattr(os, "nice"):
        os.nice(5)  # The page that waits goes first.
    try:
        with hold_lock(preparation_file(".lock")):
            _tell(Preparation("Starting"))
            # After the lock, which says that this process works: these take a second to load.
            from pneumo_core.data.index import build_index  # noqa: PLC0415
            from pneumo_core.data.source import default_data  # noqa: PLC0415

            try:
                folder = default_data(_teller("Drawing phantoms"))
                build_index(folder, progress=_teller("Reading the images"))
            except PneumoError as error:
                _tell(Preparation("Failed", error=str(error)))
                return 1
    except PneumoError as error:  # Another process prepares it, or nothing can be written.
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _teller(stage: str) -> Callable[[int, int], None]:
    told_at = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told_at
        if done == total or time.monotonic() - told_at >= _EVERY_S:
            told_at = time.monotonic()
            _tell(Preparation(stage, done, total))

    return progress


def _tell(what: Preparation) -> None:
    write_json(preparation_file(".json"), asdict(what))


if __name__ == "__main__":
    sys.exit(_prepare())
