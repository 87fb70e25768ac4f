"""Atomic file writes, JSON files, and locks that the system releases when a process dies."""

import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pneumo_core.errors import CorruptError, RunError, StoreError


class PathIn:
    """Attribute of a folder's value, which has a `path`: the path of a file or folder in it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: Any, kind: type) -> Path:
        place: Path = folder.path / self._name
        return place


# --- Files ------------------------------------------------------------------------------------------------------------


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Convert operating system errors to one-line `StoreError`s that name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            advice = "the disk is full; free some space and try again, finished work is kept"
        elif error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            advice = "the folder is not writable; set PNEUMO_ARTIFACTS to a folder that is"
        else:
            advice = f"the system says: {error.strerror or error}"
        raise StoreError(f"artifacts must be readable and writable. Received: path={str(path)!r}; {advice}") from error


def is_there(path: Path) -> bool:
    """Whether the file exists.

    Raises:
        StoreError: A folder above it may not be entered.
    """
    with store_errors(path):  # `exists` raises where a folder above may not be entered.
        return path.exists()


def make_directory(path: Path) -> Path:
    """Create a folder and its parents where missing, and return it.

    Raises:
        StoreError: The folder cannot be created.
    """
    with store_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def require_writable(folder: Path, what: str) -> None:
    """Check that files can be written to a folder, there or not, before the work whose results are for it.

    Args:
        folder: The folder.
        what: What it is, for the error.

    Raises:
        StoreError: They cannot.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise StoreError(
            f"{what} must be writable. Received: path={str(folder)!r}, which is not writable: {error.strerror or error}"
        ) from error


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a partial file.

    Raises:
        StoreError: The file cannot be written, for example because the disk is full; the old file is untouched.
    """
    payload = data.encode() if isinstance(data, str) else data
    make_directory(path.parent)
    with store_errors(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            partial.chmod(0o644)  # mkstemp makes the file private, but artifacts may be shared between users.
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)  # Not there any more, unless an error or an interrupt came between.


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step.

    Raises:
        StoreError: See `write_atomic`.
    """
    write_atomic(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Content of a JSON file."""
    return (json.dumps(value, indent=1) + "\n").encode()


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        CorruptError: The file is not JSON.
        StoreError: The file cannot be read.
    """
    with store_errors(path):
        data = path.read_bytes()
    return parse_json(path, data)


def parse_json(path: Path, data: bytes) -> Any:
    """Parse the bytes of a JSON file; the error message names its path.

    Raises:
        CorruptError: The bytes are not JSON.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of open brackets.
        raise CorruptError(
            f"{path.name} must hold JSON. Received: path={str(path)!r}, which does not parse: {error}"
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        StoreError: The file cannot be read.
    """
    with store_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- Locks ------------------------------------------------------------------------------------------------------------


@contextmanager
def hold_lock(path: Path, timeout_s: float = 5.0) -> Iterator[None]:
    """Hold a file lock; it is released when the block ends or the process dies, however it dies.

    The default timeout is not zero because `lock_is_held` takes a shared lock for a moment.

    Raises:
        RunError: Another process held the lock for all of `timeout_s`.
        StoreError: The lock file cannot be created.
    """
    make_directory(path.parent)
    lock = FileLock(path)
    with store_errors(path):
        try:
            lock.acquire(timeout=timeout_s, poll_interval=0.02)
        except Timeout as error:  # An OSError itself, so it must be caught first.
            held = f"only one process at a time may hold a lock. Received: lock={str(path)!r}, which is held"
            raise RunError(held) from error
    try:
        yield
    finally:
        lock.release()


def takes_lock(stack: ExitStack, path: Path, timeout_s: float = 0.0) -> bool:
    """Whether a lock became free within `timeout_s`; it is then held until `stack` ends.

    Raises:
        StoreError: The lock file cannot be created.
    """
    try:
        stack.enter_context(hold_lock(path, timeout_s))
    except RunError:
        return False
    return True


def lock_is_held(path: Path) -> bool:
    """Whether some process holds the lock right now.

    Raises:
        StoreError: The lock file is there but cannot be opened.
    """
    if not is_there(path):
        return False
    # A shared lock: two processes that test at the same time do not see each other as the holder.
    with store_errors(path), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
