"""Old backups: what stopped runs keep so that they can be resumed, and what a kill left half-written."""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pneumo_core.errors import ConfigError, RunError
from pneumo_core.files import hold_lock, store_errors
from pneumo_core.jobs.views import view
from pneumo_core.status import run_state
from pneumo_core.store import RunDirectory, list_runs

__all__ = ["OLD_DAYS", "Leftover", "clean", "leftovers"]

OLD_DAYS: Final = 30.0
"""Days after which a stopped run loses its backup; it can still be resumed, from its first epoch."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a stopped run may lose.

    Attributes:
        run_id: Its id.
        path: File or folder.
        size_bytes: What it takes.
    """

    run_id: str
    path: Path
    size_bytes: int


def leftovers(older_than_days: float = OLD_DAYS) -> list[Leftover]:
    """Backups and half-written files of runs that nobody works on and that were last touched long ago.

    Args:
        older_than_days: How long, in days of the system's clock; a time in the future counts as just now.

    Raises:
        ConfigError: The number is negative, or none.
        StoreError: The artifacts cannot be read.
    """
    if not older_than_days >= 0:
        raise ConfigError(f"older_than_days must be 0 or more. Received: older_than_days={older_than_days}")
    found = []
    for run in list_runs():
        if run.is_published or run_state(run).is_live:
            continue
        with store_errors(run.path), suppress(FileNotFoundError):  # A run that starts just now changes its files.
            paths = _removable(run)
            age_s = time.time() - max((_touched(path) for path in [*paths, run.status]), default=0.0)
            if paths and age_s >= older_than_days * 86_400 and not view(run.run_id).state.is_live:
                found += [Leftover(run.run_id, path, _size(path)) for path in paths]
    return found


def clean(older_than_days: float = OLD_DAYS) -> list[Leftover]:
    """Remove what `leftovers` lists, and return what was removed; a run that is being started keeps its own.

    Args:
        older_than_days: See `leftovers`.

    Raises:
        ConfigError: The number is negative, or none.
        StoreError: Something cannot be removed.
    """
    removed = []
    for item in leftovers(older_than_days):
        run = RunDirectory(item.path.parent)
        try:
            with hold_lock(run.submit_lock, timeout_s=0), hold_lock(run.run_lock, timeout_s=0), store_errors(item.path):
                if item.path.is_dir():
                    shutil.rmtree(item.path)
                else:
                    item.path.unlink(missing_ok=True)
        except RunError:
            continue
        removed.append(item)
    return removed


def _removable(run: RunDirectory) -> list[Path]:
    """A kill leaves hidden files of `write_atomic`, and weights whose name says that they are a part."""
    paths = [run.backup, *run.path.glob(".*"), *run.path.glob("partial.*")]
    return sorted(path for path in paths if path.exists())


def _touched(path: Path) -> float:
    """Unix time of the last change of a file, or of the last in a folder; 0 where there is none."""
    return max((each.stat().st_mtime for each in (path, *path.rglob("*")) if each.exists()), default=0.0)


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())
