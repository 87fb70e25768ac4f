"""Cleanup of unused files: backups of stopped runs, stored features, and what a kill left."""

import shutil
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pneumo_core.errors import ConfigError
from pneumo_core.jobs.views import view
from pneumo_core.runs.files import lock_is_held, store_errors, takes_lock
from pneumo_core.runs.status import run_state
from pneumo_core.runs.store import RunDirectory, datasets_root, list_runs, runs_root

OLD_DAYS: Final = 30.0
"""Days after which unused backups of stopped runs and stored features are removed; both are recreated when needed."""

REMOVED_PREFIX: Final = ".deleted-"
"""Beginning of the name that a run's directory has while it is being deleted; no run id begins so."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder that may be removed.

    Attributes:
        run_id: The run it belongs to, or "" for stored features, which runs share, and for what was a run.
        path: File or folder.
        size_bytes: Disk space it takes.
        locks: Locks that must be free for it to be removed.
    """

    run_id: str
    path: Path
    size_bytes: int
    locks: tuple[Path, ...]


def leftovers(older_than_days: float = OLD_DAYS) -> list[Leftover]:
    """Backups and partial files of runs that are not live, and stored features, if they have not changed for long.

    Also, whatever its age, what a kill left of a run that was being deleted.

    Args:
        older_than_days: Minimum age in days of the system's clock; a time in the future counts as now.

    Raises:
        ConfigError: `older_than_days` is negative or NaN.
        StoreError: The artifacts cannot be read.
    """
    if not older_than_days >= 0:
        raise ConfigError(f"older_than_days must be 0 or more. Received: older_than_days={older_than_days}")
    found = []
    for run in list_runs():
        if run.is_published or run_state(run).is_live:
            continue
        with store_errors(run.path), suppress(FileNotFoundError):  # A run that is starting changes its files.
            paths = _removable(run)
            age_s = time.time() - max((_touched(path) for path in [*paths, run.status]), default=0.0)
            if paths and age_s >= older_than_days * 86_400 and not view(run.run_id).state.is_live:
                locks = (run.submit_lock, run.run_lock)
                found += [Leftover(run.run_id, path, size_of(path), locks) for path in paths]
    return found + _old_features(older_than_days * 86_400) + _half_deleted()


def clean(older_than_days: float = OLD_DAYS) -> list[Leftover]:
    """Remove what `leftovers` lists, except what is in use, and return what was removed.

    Args:
        older_than_days: See `leftovers`.

    Raises:
        ConfigError: `older_than_days` is negative or NaN.
        StoreError: An item cannot be removed.
    """
    removed = []
    for item in leftovers(older_than_days):
        with ExitStack() as held, store_errors(item.path):
            if all(takes_lock(held, lock) for lock in item.locks):
                _remove(item)
                removed.append(item)
    return removed


def _remove(item: Leftover) -> None:
    """Remove a file or a folder; a folder that holds its own lock is only emptied, because a process may wait for the lock."""
    if not item.path.is_dir():
        item.path.unlink(missing_ok=True)
    elif any(lock.parent == item.path for lock in item.locks):
        for part in sorted(item.path.iterdir()):  # Sorted, so that the map `done.bin` is removed before its array.
            if part not in item.locks:
                part.unlink(missing_ok=True)
    else:
        remove_folder(item.path)


def remove_folder(path: Path) -> None:
    """Remove a folder that nobody uses; another process may be removing it too."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def _half_deleted() -> list[Leftover]:
    with store_errors(runs_root()):
        return [Leftover("", path, size_of(path), ()) for path in sorted(runs_root().glob(f"{REMOVED_PREFIX}*"))]


def _removable(run: RunDirectory) -> list[Path]:
    """Backup, hidden temporary files of `write_atomic`, and partial weights."""
    paths = [run.backup, *run.path.glob(".*"), *run.path.glob("partial.*")]
    return sorted(path for path in paths if path.exists())


def _old_features(age_s: float) -> list[Leftover]:
    """Caches of `training.features` that no run has used; each use touches the map `done.bin`.

    A run that trains on a removed cache continues: it holds the file open.
    """
    found = []
    with store_errors(datasets_root()):
        for array in sorted(datasets_root().glob("*/features/*/features.npy")):
            folder, lock = array.parent, array.with_name("lock")
            with suppress(FileNotFoundError):  # Another process is removing it.
                used = max(_touched(array), _touched(array.with_name("done.bin")))
                if time.time() - used >= age_s and not lock_is_held(lock):
                    # Allocated size, in POSIX blocks: the array is sparse where no run needed a row.
                    found.append(Leftover("", folder, 512 * array.stat().st_blocks, (lock,)))
    return found


def _touched(path: Path) -> float:
    """Unix time of the last change of a file, or of any file in a folder; 0 where there is none."""
    return max((each.stat().st_mtime for each in (path, *path.rglob("*")) if each.exists()), default=0.0)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())
