"""Replacement of a finished run's files, so that the run is whole for its readers at every instant, whatever is killed.

The new files are written into the folder `refreshed/`. Then the manifest with their hashes replaces the old one in one step,
which decides: before it the run is the old one, after it the new one, whose files `verified_file` finds in that folder until
they have moved to their places. What a kill left is completed, or dropped, by the next replacement.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from pneumo_core.runs.files import file_sha256, hold_lock, is_there, store_errors, write_atomic, write_json
from pneumo_core.runs.store import RunDirectory, read_manifest


def replace_files(run: RunDirectory, files: Mapping[str, bytes], facts: Mapping[str, Any] | None = None) -> None:
    """Replace or add files, by their names, of a finished run, and facts of its manifest, whose other entries stay.

    Raises:
        RunError: The run is not finished, or another process replaces its files.
        CorruptError: The manifest is damaged.
        StoreError: A file cannot be written; the run is the old one or the new one.
    """
    with hold_lock(run.replacement_lock):
        _settle(run)
        for name, data in files.items():
            write_atomic(run.refreshed / name, data)
        manifest = read_manifest(run)
        hashes = {**manifest["files"], **{name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
        write_json(run.manifest, {**manifest, **(facts or {}), "files": dict(sorted(hashes.items()))})
        _settle(run)


def complete_replacement(run: RunDirectory) -> None:
    """Complete a replacement that was killed; nothing to do for most runs.

    Raises:
        RunError, CorruptError, StoreError: See `replace_files`.
    """
    if is_there(run.refreshed) or any(run.path.glob(f".{run.manifest.name}.*")):
        with hold_lock(run.replacement_lock):
            _settle(run)


def _settle(run: RunDirectory) -> None:
    """Move the new files that the manifest lists to their places, and remove the others; the lock is held."""
    with store_errors(run.path):
        for path in run.path.glob(f".{run.manifest.name}.*"):  # Of a manifest that a kill left half written.
            path.unlink()
    if not is_there(run.refreshed):
        return
    listed = read_manifest(run)["files"]
    with store_errors(run.refreshed):
        for path in sorted(run.refreshed.iterdir()):
            if listed.get(path.name) == file_sha256(path):
                path.replace(run.path / path.name)
            else:
                path.unlink()
        run.refreshed.rmdir()
