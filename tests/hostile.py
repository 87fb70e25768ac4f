"""Machines that refuse, made for real: full disks, read-only disks, users without rights, processes that are killed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from pneumo_core.errors import PneumoError
from tests.waiting import PATIENCE_S

__all__ = [
    "ROOT",
    "assert_one_line",
    "child",
    "held_elsewhere",
    "on_small_disk",
    "public_folder",
    "refuses",
    "run_child",
    "with_file_limit",
    "without_rights",
]

ROOT = Path(__file__).resolve().parent.parent
_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
_NOBODY = 65534


def assert_one_line(message: object, *parts: str) -> None:
    """An error says on one line what is required and what came instead, and names `parts`."""
    text = str(message)
    assert text == " ".join(text.splitlines()).strip()
    required, received, what = text.partition(" Received: ")
    assert received, text
    assert required, text
    assert required.endswith("."), text
    assert what, text
    for part in parts:
        assert part in text


@contextmanager
def refuses(kind: type[PneumoError], *parts: str) -> Iterator[None]:
    """The block raises an error of this kind, which says so on one line and names `parts`."""
    with pytest.raises(kind) as caught:
        yield
    assert_one_line(caught.value, *parts)


def child(code: str, *arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start Python on `code` in the project's folder; warnings are errors there too."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _output(process: subprocess.Popen[str]) -> str:
    try:
        output, errors = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        pytest.fail(f"the child did not end: {output}\n{errors}")
    assert process.returncode == 0, f"{output}\n{errors}"
    return output.strip()


def run_child(code: str, *arguments: object) -> str:
    """What a child prints, after asserting that it ends well."""
    return _output(child(code, *arguments))


def with_file_limit(size_bytes: int, code: str, *arguments: object) -> str:
    """What a child prints that may not make a file larger than `size_bytes`: writing past it fails as on a full disk."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size_bytes}, {size_bytes}))\n"
    return _output(child(limit + code, *arguments))


@cache
def _why_no_mounts() -> str:
    command = [*_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return result.stderr.strip() if result.returncode else ""


def on_small_disk(size: str, code: str, folder: Path, *arguments: object) -> str:
    """What a child prints that sees a disk of `size`, such as ``"64k"``, mounted on `folder`, its first argument.

    Only the child sees it. It can make the disk read-only with ``mount -o remount,ro``. Skips where the system does not
    let us mount.
    """
    if reason := _why_no_mounts():
        pytest.skip(f"no disk can be mounted here: {reason}")
    shell = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift && exec "$0" -W error -c "$CODE" "$@"'
    process = subprocess.Popen(
        [*_NAMESPACE, "sh", "-c", shell, sys.executable, size, str(folder), *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "CODE": code},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return _output(process)


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that every user can reach and write to; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@contextmanager
def without_rights() -> Iterator[None]:
    """Be an ordinary user for a moment, since root may read and write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


_HOLDER = """
import sys
from pathlib import Path
from pneumo_core.runs.files import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to end, or is killed."""
    holder = child(_HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield holder
    finally:
        holder.communicate()
