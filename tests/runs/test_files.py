"""Files that are whole or not at all on disks that refuse, and locks of real processes that are killed."""

import hashlib
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core.errors import CorruptError, RunError, StoreError
from pneumo_core.records import RunState
from pneumo_core.runs.files import (
    file_sha256,
    hold_lock,
    lock_is_held,
    make_directory,
    read_json,
    store_errors,
    write_atomic,
    write_json,
)
from pneumo_core.runs.status import Status, append_event, write_status
from pneumo_core.runs.store import RunDirectory, write_manifest
from tests.hostile import (
    assert_one_line,
    child,
    held_elsewhere,
    on_small_disk,
    public_folder,
    with_file_limit,
    without_rights,
)
from tests.waiting import BRIEFLY_S, wait_for


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- Files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_written_and_replaced_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file.txt"
    write_atomic(path, "Grüße")
    assert path.read_bytes() == "Grüße".encode()
    write_atomic(path, b"\0\xff")
    assert path.read_bytes() == b"\0\xff"
    assert names(path.parent) == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=40)
@given(value=JSON)
def test_json_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"a": 1}{', b"nul", b"[" * 100_000, b"\0" * 50, b"9" * 5000, b"{'a': 1}"]
)
def test_what_is_no_json_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(CorruptError) as raised:
        read_json(path)
    assert_one_line(raised.value, "facts.json must hold JSON", str(path))
    assert path.read_bytes() == content


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    for read in (read_json, file_sha256):
        with pytest.raises(StoreError) as raised:
            read(tmp_path / "none.json")
        assert not isinstance(raised.value, CorruptError)
        assert_one_line(raised.value, str(tmp_path / "none.json"), "No such file")


def test_hashes_are_those_of_the_bytes(tmp_path: Path) -> None:
    data = os.urandom(3 * 2**20 + 1)
    (tmp_path / "data").write_bytes(data)
    assert file_sha256(tmp_path / "data") == hashlib.sha256(data).hexdigest()


WRITER = """
import sys
from pathlib import Path
from pneumo_core.runs.files import write_atomic
path = Path(sys.argv[1])
payloads = [b"a" * 300_000, b"b" * 200_000]
print("go", flush=True)
while True:
    for payload in payloads:
        write_atomic(path, payload)
"""


def has_seen(whole: set[bytes], seen: list[bytes], path: Path) -> bool:
    """Read the file once more; whether that was often enough."""
    seen.append(path.read_bytes())
    assert seen[-1] in whole
    return len(seen) > 100 and set(seen) == whole


def test_readers_see_whole_files_even_when_the_writer_is_killed(tmp_path: Path) -> None:
    whole = {b"a" * 300_000, b"b" * 200_000}
    path = tmp_path / "file"
    for _ in range(2):
        writer = child(WRITER, path)
        assert writer.stdout is not None
        writer.stdout.readline()
        wait_for("the first file", path.exists)
        seen: list[bytes] = []
        wait_for("both contents", partial(has_seen, whole, seen, path))
        writer.kill()
        writer.communicate()
        assert path.read_bytes() in whole
    # A kill may leave a file that was never finished: hidden, and in no reader's way.
    assert all(name == "file" or name.startswith(".file.") for name in names(tmp_path))


REPLACE = """
import sys
from pathlib import Path
from pneumo_core.errors import StoreError
from pneumo_core.runs.files import write_atomic
from pneumo_core.runs.status import append_event, read_events, write_status, Status, read_status
from pneumo_core.runs.store import run_directory
from pneumo_core.records import RunState
folder = Path(sys.argv[1]) / "store"
write_atomic(folder / "file", b"old")
run = run_directory("baseline-0123456789ab")
write_status(run, Status(RunState.RUNNING, ticket=3))
append_event(run, {"epoch": 1})
# Where a write failed, nothing has changed and nothing is left over.
def refused(action, *arguments):
    try:
        action(*arguments)
    except StoreError as error:
        print(error)
    else:
        raise SystemExit("was written")
refused(write_atomic, folder / "file", b"new" * 300_000)
assert (folder / "file").read_bytes() == b"old"
assert [path.name for path in folder.iterdir()] == ["file"]
refused(write_status, run, Status(RunState.RUNNING, ticket=3, message="x" * 900_000))
assert read_status(run).ticket == 3
refused(append_event, run, {"epoch": "x" * 900_000})
assert read_events(run) == [{"epoch": 1}]
run.events.write_bytes(run.events.read_bytes()[:1000])
append_event(run, {"epoch": 2})
assert read_events(run) == [{"epoch": 1}, {"epoch": 2}]
"""
ON_DISK = "import os, sys\nos.environ['PNEUMO_ARTIFACTS'] = sys.argv[1] + '/artifacts'\n"


def test_a_write_that_is_cut_short_changes_nothing(tmp_path: Path) -> None:
    lines = with_file_limit(100_000, REPLACE, tmp_path).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert_one_line(line, "File too large")


def test_an_interrupt_leaves_the_old_file_and_no_part_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    write_atomic(file, "old")

    def interrupted(_handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    lines = on_small_disk("256k", ON_DISK + REPLACE, tmp_path).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert_one_line(line, str(tmp_path), "the disk is full; free some space and try again, finished work is kept")


READ_ONLY = """
import subprocess, sys
from pathlib import Path
from pneumo_core.errors import StoreError
from pneumo_core.runs.files import hold_lock, make_directory, write_atomic
from pneumo_core.runs.status import append_event, next_ticket
from pneumo_core.runs.store import run_directory
folder = Path(sys.argv[1])
run = run_directory("baseline-0123456789ab")
write_atomic(folder / "file", b"old")
make_directory(run.path)
append_event(run, {"epoch": 1})
subprocess.run(["mount", "-o", "remount,ro", "tmpfs", str(folder)], check=True)
def lock(path):
    with hold_lock(path):
        raise SystemExit("was locked")
for action, *arguments in [
    (write_atomic, folder / "file", b"new"), (append_event, run, {}), (make_directory, folder / "new"),
    (lock, folder / "new.lock"), (next_ticket,),
]:
    try:
        action(*arguments)
    except StoreError as error:
        print(error)
    else:
        raise SystemExit("was written")
assert (folder / "file").read_bytes() == b"old"
"""


def test_a_read_only_disk_is_said(tmp_path: Path) -> None:
    lines = on_small_disk("256k", ON_DISK + READ_ONLY, tmp_path).splitlines()
    assert len(lines) == 5
    for line in lines:
        assert_one_line(line, str(tmp_path), "not writable; set PNEUMO_ARTIFACTS to a folder that is")


def _lock(path: Path) -> None:
    with hold_lock(path):
        pytest.fail("was locked")


WRITES: dict[str, Callable[[Path], object]] = {
    "write_atomic": lambda folder: write_atomic(folder / "file", b"new"),
    "write_json": lambda folder: write_json(folder / "deeper/file", {}),
    "make_directory": lambda folder: make_directory(folder / "deeper"),
    "hold_lock": lambda folder: _lock(folder / "new.lock"),
    "append_event": lambda folder: append_event(RunDirectory(folder), {}),
    "write_status": lambda folder: write_status(RunDirectory(folder), Status(RunState.RUNNING, ticket=1)),
    "write_manifest": lambda folder: write_manifest(RunDirectory(folder), {}),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_folder_that_may_not_be_written_is_said(write: str) -> None:
    with public_folder() as folder:
        (folder / "file").write_bytes(b"old")
        folder.chmod(0o555)
        with without_rights(), pytest.raises(StoreError) as raised:
            WRITES[write](folder)
        assert_one_line(raised.value, str(folder), "set PNEUMO_ARTIFACTS to a folder that is")
        assert names(folder) == ["file"]
        assert (folder / "file").read_bytes() == b"old"


@pytest.mark.parametrize("write", WRITES)
def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path, write: str) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    with pytest.raises(StoreError) as raised:
        WRITES[write](tmp_path / "mine")
    assert_one_line(raised.value, str(tmp_path / "mine"))
    assert (tmp_path / "mine").read_bytes() == b"mine"


def test_a_folder_where_a_file_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file/inner").mkdir(parents=True)
    for action in (lambda path: write_atomic(path, b""), read_json, file_sha256):
        with pytest.raises(StoreError) as raised:
            action(tmp_path / "file")
        assert_one_line(raised.value, str(tmp_path / "file"), "Is a directory")
    assert names(tmp_path) == ["file"]


def test_only_refusals_of_the_system_are_translated(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours"), store_errors(tmp_path):
        raise ValueError("ours")


# --- Locks ------------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_by_one_process(tmp_path: Path) -> None:
    path = tmp_path / "folder/run.lock"
    assert not lock_is_held(path)
    assert not path.parent.exists()
    with held_elsewhere(path):
        assert lock_is_held(path)
        with pytest.raises(RunError) as raised, hold_lock(path, timeout_s=BRIEFLY_S):
            pytest.fail("two hold it")
        assert_one_line(raised.value, str(path))
    assert not lock_is_held(path)
    with hold_lock(path):
        assert lock_is_held(path)
    assert not lock_is_held(path)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with held_elsewhere(path) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        # Killed and not yet reaped it still has its process id, which is why the lock and not the id says who lives.
        wait_for("the lock of a killed process", lambda: not lock_is_held(path))
        os.kill(holder.pid, 0)
    with hold_lock(path, timeout_s=0):
        pass


def test_a_lock_is_given_back_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path / "run.lock"):
        _ = 1 / 0
    assert not lock_is_held(tmp_path / "run.lock")


def test_asking_in_a_loop_does_not_keep_anyone_from_the_lock(tmp_path: Path) -> None:
    """Asking shares a free lock for a moment, so the taker has to try more than once."""
    path = tmp_path / "run.lock"
    ask = """
import sys
from pathlib import Path
from pneumo_core.runs.files import lock_is_held
path = Path(sys.argv[1])
path.touch()
print("go", flush=True)
while True:
    lock_is_held(path)
"""
    prober = child(ask, path)
    assert prober.stdout is not None
    prober.stdout.readline()
    for _ in range(40):
        with hold_lock(path):
            pass
    prober.kill()
    prober.communicate()


def test_two_that_ask_at_once_do_not_take_each_other_for_a_holder(tmp_path: Path) -> None:
    """A run whose worker is only about to take its lock would else be said to have one."""
    path = tmp_path / "run.lock"
    path.touch()
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lock_is_held, [path] * 2000))


def test_a_lock_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(StoreError) as raised:
        lock_is_held(tmp_path / "run.lock")
    assert_one_line(raised.value, str(tmp_path / "run.lock"))
