"""Files that are whole or not at all, locks of real processes, the table of run states, and what damage is called."""

import hashlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core import store
from pneumo_core.errors import CorruptError, RunError, RunNotFoundError, StoreError
from pneumo_core.files import (
    file_sha256,
    hold_lock,
    lock_is_held,
    make_directory,
    read_json,
    store_errors,
    write_atomic,
    write_json,
)
from pneumo_core.records import RunState
from pneumo_core.status import (
    Status,
    append_event,
    next_ticket,
    read_events,
    read_status,
    run_state,
    update_status,
    write_status,
)
from pneumo_core.store import (
    RunDirectory,
    datasets_root,
    find_run,
    list_runs,
    read_manifest,
    read_trained,
    run_directory,
    slot_lock,
    verified_file,
    write_manifest,
)
from tests.hostile import (
    assert_one_line,
    child,
    on_small_disk,
    public_folder,
    with_file_limit,
    without_rights,
)

RUN_ID = "baseline-0123456789ab"
OTHER_ID = "vgg16-ba9876543210"


@pytest.fixture
def run(no_published: Path) -> RunDirectory:
    """A run that was submitted."""
    run = run_directory(RUN_ID)
    write_json(run.config, {"run_id": RUN_ID})
    return run


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


@settings(max_examples=40, deadline=None)
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
from pneumo_core.files import write_atomic
path = Path(sys.argv[1])
payloads = [b"a" * 300_000, b"b" * 200_000]
print("go", flush=True)
while True:
    for payload in payloads:
        write_atomic(path, payload)
"""


def test_readers_see_whole_files_even_when_the_writer_is_killed(tmp_path: Path) -> None:
    whole = {b"a" * 300_000, b"b" * 200_000}
    path = tmp_path / "file"
    seen = set()
    for _ in range(3):
        writer = child(WRITER, path)
        assert writer.stdout is not None
        writer.stdout.readline()
        while not path.exists():
            time.sleep(0.001)
        for _ in range(100):
            content = path.read_bytes()
            assert content in whole
            seen.add(content)
        writer.kill()
        writer.communicate()
        assert path.read_bytes() in whole
    assert seen == whole
    # A kill may leave a file that was never finished: hidden, and in nobody's way.
    assert all(name == "file" or name.startswith(".file.") for name in names(tmp_path))


REPLACE = """
import sys
from pathlib import Path
from pneumo_core.errors import StoreError
from pneumo_core.files import write_atomic
from pneumo_core.status import append_event, read_events, write_status, Status, read_status
from pneumo_core.store import run_directory
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


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    lines = on_small_disk("256k", ON_DISK + REPLACE, tmp_path).splitlines()
    assert len(lines) == 3
    for line in lines:
        assert_one_line(line, str(tmp_path), "the disk is full; free some space and try again, finished work is kept")


READ_ONLY = """
import subprocess, sys
from pathlib import Path
from pneumo_core.errors import StoreError
from pneumo_core.files import hold_lock, make_directory, write_atomic
from pneumo_core.status import append_event, next_ticket
from pneumo_core.store import run_directory
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

HOLDER = """
import sys
from pathlib import Path
from pneumo_core.files import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to end, or is killed."""
    holder = child(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield holder
    finally:
        holder.communicate()


def test_a_lock_is_held_by_one_process(tmp_path: Path) -> None:
    path = tmp_path / "folder/run.lock"
    assert not lock_is_held(path)
    assert not path.parent.exists()
    with held_elsewhere(path):
        assert lock_is_held(path)
        with pytest.raises(RunError) as raised, hold_lock(path, timeout_s=0.1):
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
        deadline = time.monotonic() + 10
        while lock_is_held(path):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(holder.pid, 0)
    with hold_lock(path, timeout_s=0):
        pass


def test_a_lock_is_given_back_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path / "run.lock"):
        _ = 1 / 0
    assert not lock_is_held(tmp_path / "run.lock")


def test_asking_in_a_loop_does_not_keep_anyone_from_the_lock(tmp_path: Path) -> None:
    """Asking takes a free lock for a moment, so the taker has to try more than once."""
    path = tmp_path / "run.lock"
    ask = """
import sys
from pathlib import Path
from pneumo_core.files import lock_is_held
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


def test_a_lock_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(StoreError) as raised:
        lock_is_held(tmp_path / "run.lock")
    assert_one_line(raised.value, str(tmp_path / "run.lock"))


# --- The queue --------------------------------------------------------------------------------------------------------


def test_tickets_go_up() -> None:
    assert [next_ticket() for _ in range(3)] == [1, 2, 3]


def test_tickets_are_given_once_to_many_processes() -> None:
    code = "from pneumo_core.status import next_ticket\nprint(*[next_ticket() for _ in range(20)])"
    takers = [child(code) for _ in range(3)]
    outputs = [taker.communicate(timeout=60) for taker in takers]
    given_out = [[int(ticket) for ticket in output.split()] for output, _ in outputs]
    assert sorted(itertools.chain(*given_out)) == list(range(1, 61)), outputs
    assert all(tickets == sorted(tickets) for tickets in given_out)


@pytest.mark.parametrize("content", [None, "", "{}", '"x"', "null", "Infinity", "[" * 100_000])
def test_damaged_tickets_go_on_behind_those_given(run: RunDirectory, content: str | None) -> None:
    write_status(run, Status(RunState.QUEUED, ticket=41))
    other = run_directory(OTHER_ID)
    write_json(other.config, {})
    other.status.write_text("damaged")
    tickets = slot_lock().with_name("tickets.json")
    if content is not None:
        tickets.write_text(content)
    assert [next_ticket(), next_ticket()] == [42, 43]
    assert read_json(tickets) == 43


# --- Layout -----------------------------------------------------------------------------------------------------------

NO_IDS = [
    "",
    ".",
    "..",
    "../x",
    "../../etc/passwd",
    f"../runs/{RUN_ID}",
    f"{RUN_ID}/..",
    f"{RUN_ID}/",
    f"{RUN_ID}\n",
    f" {RUN_ID}",
    f"{RUN_ID}\0",
    RUN_ID[:-1],
    f"{RUN_ID}0",
    RUN_ID.upper(),
    "baseline-0123456789aG",
    "baseline-\N{ARABIC-INDIC DIGIT ZERO}123456789ab",
    "resnet-0123456789ab",
    "baseline_0123456789ab",
    "/tmp",
    "C:\\x",
    "%2e%2e%2fx",
    "x" * 5000,
]


@pytest.mark.parametrize("run_id", NO_IDS)
def test_what_is_no_run_id_never_becomes_a_path(run: RunDirectory, run_id: str) -> None:
    before = sorted(run.path.parent.parent.rglob("*"))
    for find in (run_directory, find_run):
        with pytest.raises(RunNotFoundError) as raised:
            find(run_id)
        assert_one_line(raised.value, "baseline-0123456789ab", repr(run_id), "runs list")
    assert sorted(run.path.parent.parent.rglob("*")) == before


def test_a_run_that_was_never_submitted_is_not_found(run: RunDirectory) -> None:
    assert find_run(RUN_ID) == run
    with pytest.raises(RunNotFoundError) as raised:
        find_run(OTHER_ID)
    assert_one_line(raised.value, repr(OTHER_ID), "runs list")
    run_directory(OTHER_ID).path.mkdir()
    with pytest.raises(RunNotFoundError):
        find_run(OTHER_ID)


def test_artifacts_lie_where_the_setting_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "elsewhere"))
    assert run_directory(RUN_ID).path == tmp_path / "elsewhere/runs" / RUN_ID
    assert datasets_root() == tmp_path / "elsewhere/datasets"


def test_runs_are_listed_newest_first(run: RunDirectory, no_published: Path) -> None:
    other = run_directory(OTHER_ID)
    write_json(other.config, {})
    published = RunDirectory(no_published / "dcgan-000000000000")
    write_json(published.config, {})
    write_json(published.manifest, {"files": {}})
    for age, listed in enumerate((other, published, run)):
        os.utime(listed.config, (1000 - age, 1000 - age))
    assert list_runs() == [other, published, run]
    assert [listed.is_published for listed in list_runs()] == [False, True, False]


def test_what_is_no_run_is_not_listed(run: RunDirectory, no_published: Path) -> None:
    runs = run.path.parent
    (runs / OTHER_ID).mkdir()  # No config: nothing was asked for.
    for name in ("notes", ".hidden", f"{RUN_ID}.bak"):
        write_json(runs / name / "config.json", {})
    write_json(runs / "config.json", {})
    write_json(no_published / OTHER_ID / "config.json", {})  # Not whole: its manifest is missing.
    assert list_runs() == [run]


def test_no_artifacts_are_no_runs(no_published: Path) -> None:
    assert list_runs() == []


def test_a_finished_run_comes_before_an_unfinished_one_of_the_same_id(run: RunDirectory, no_published: Path) -> None:
    published = RunDirectory(no_published / RUN_ID)
    write_json(published.config, {})
    assert run_directory(RUN_ID) == run
    write_json(published.manifest, {"files": {}})
    assert run_directory(RUN_ID) == published
    write_json(run.manifest, {"files": {}})
    assert run_directory(RUN_ID) == run
    assert list_runs() == [run]


# --- Status -----------------------------------------------------------------------------------------------------------


def test_a_status_comes_back_with_its_time(run: RunDirectory) -> None:
    status = Status(RunState.RUNNING, ticket=2, epoch=3, epochs=20, step=4, steps=163, message="m", error="e")
    before = time.time()
    write_status(run, status)
    received = read_status(run)
    assert before <= received.updated_at <= time.time()
    assert received == replace(status, updated_at=received.updated_at)
    changed = update_status(run, epoch=5, state=RunState.EXPORTING)
    assert (changed.epoch, changed.state, changed.ticket, changed.message) == (5, RunState.EXPORTING, 2, "m")
    assert (read_status(run).epoch, read_status(run).state) == (5, RunState.EXPORTING)


STATUSES = {
    "empty": "",
    "cut": '{"state": "runn',
    "binary": "\0\0\0",
    "a list": "[]",
    "null": "null",
    "a number": "7",
    "no state": '{"ticket": 1}',
    "no ticket": '{"state": "running"}',
    "unknown state": '{"state": "sleeping", "ticket": 1}',
    "state null": '{"state": null, "ticket": 1}',
    "state a list": '{"state": [], "ticket": 1}',
    "unknown key": '{"state": "running", "ticket": 1, "a\\nb": 2}',
    "ticket null": '{"state": "running", "ticket": null}',
    "ticket text": '{"state": "running", "ticket": "1"}',
    "epoch text": '{"state": "running", "ticket": 1, "epoch": "3"}',
    "message number": '{"state": "running", "ticket": 1, "message": 3}',
    "time text": '{"state": "running", "ticket": 1, "updated_at": "now"}',
}


@pytest.mark.parametrize("kind", STATUSES)
def test_a_damaged_status_is_said(run: RunDirectory, kind: str) -> None:
    run.status.write_text(STATUSES[kind])
    for action in (read_status, update_status):
        with pytest.raises(CorruptError) as raised:
            action(run)
        assert_one_line(raised.value, "status.json", str(run.status))
    assert run.status.read_text() == STATUSES[kind]
    # Such a run can be resumed, and one that goes on is not taken for stopped.
    assert run_state(run) is RunState.INTERRUPTED
    with held_elsewhere(run.run_lock):
        assert run_state(run) is RunState.QUEUED


# --- State ------------------------------------------------------------------------------------------------------------


def set_files(run: RunDirectory, said: RunState | None, *, manifest: bool, trained: tuple[bool, bool]) -> None:
    for path in (run.manifest, run.status, run.trained, run.weights):
        path.unlink(missing_ok=True)
    if manifest:
        write_json(run.manifest, {"files": {}})
    if said is not None:
        write_status(run, Status(said, ticket=1))
    if trained[0]:
        write_json(run.trained, {})
    if trained[1]:
        write_atomic(run.weights, b"weights")


def expected_state(said: RunState | None, *, manifest: bool, held: bool, trained: tuple[bool, bool]) -> RunState:
    """The design's table, row by row."""
    if manifest:
        return RunState.SUCCEEDED
    if held:
        live = {RunState.QUEUED, RunState.RUNNING, RunState.EXPORTING}
        # A worker that has the lock and has said nothing yet is at its beginning.
        return said if said is not None and said in live else RunState.QUEUED
    if said in {RunState.FAILED, RunState.CANCELLED}:
        return said
    if trained == (True, True):
        return RunState.TRAINED
    return RunState.INTERRUPTED


SAID = [None, *RunState]
PARTS = list(itertools.product([False, True], repeat=2))


@pytest.mark.parametrize("held", [False, True])
def test_every_row_of_the_table_of_states(run: RunDirectory, held: bool) -> None:
    with held_elsewhere(run.run_lock) as holder:
        if not held:
            holder.kill()
            holder.wait()
        received, expected = {}, {}
        for said, manifest, trained in itertools.product(SAID, [False, True], PARTS):
            set_files(run, said, manifest=manifest, trained=trained)
            key = (said, manifest, trained)
            received[key] = run_state(run)
            expected[key] = expected_state(said, manifest=manifest, held=held, trained=trained)
    assert received == expected
    assert set(expected.values()) == (
        {RunState.SUCCEEDED, RunState.QUEUED, RunState.RUNNING, RunState.EXPORTING}
        if held
        else {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.TRAINED, RunState.INTERRUPTED}
    )


WORKER = """
import sys
from pathlib import Path
from pneumo_core.records import RunState
from pneumo_core.files import hold_lock
from pneumo_core.status import Status, update_status, write_status
from pneumo_core.store import RunDirectory
run = RunDirectory(Path(sys.argv[1]))
write_status(run, Status(RunState.QUEUED, ticket=1))
print("queued", flush=True)
sys.stdin.readline()
with hold_lock(run.run_lock):
    for state in (RunState.QUEUED, RunState.RUNNING, RunState.EXPORTING):
        update_status(run, state=state)
        print(state.value, flush=True)
        sys.stdin.readline()
"""


@pytest.mark.parametrize("killed_at", ["queued", "running", "exporting"])
def test_a_worker_that_is_killed_leaves_a_run_to_resume(run: RunDirectory, killed_at: str) -> None:
    worker = child(WORKER, run.path)
    assert worker.stdout is not None
    assert worker.stdin is not None
    assert worker.stdout.readline() == "queued\n"
    assert run_state(run) is RunState.INTERRUPTED  # Nobody holds it yet.
    for state in ("queued", "running", "exporting"):
        worker.stdin.write("\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == f"{state}\n"
        assert run_state(run) is RunState(state)
        if state == killed_at:
            break
    worker.kill()
    worker.communicate()
    assert run_state(run) is RunState.INTERRUPTED
    set_files(run, RunState(killed_at), manifest=False, trained=(True, True))
    assert run_state(run) is RunState.TRAINED


def test_a_status_that_cannot_be_opened_is_a_failure(run: RunDirectory) -> None:
    run.status.mkdir()
    assert run_state(run) is RunState.FAILED


# --- Manifest ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def finished(run: RunDirectory) -> RunDirectory:
    """A run with a manifest."""
    for path, data in ((run.model, b"model"), (run.report, b"{}"), (run.predictions, b"rows")):
        write_atomic(path, data)
    for path in (run.run_lock, run.submit_lock, run.cancel, run.log, run.path / ".report.json.x7"):
        path.write_bytes(b"passing")
    (run.backup).mkdir()
    write_status(run, Status(RunState.EXPORTING, ticket=1))
    append_event(run, {"epoch": 1})
    write_manifest(run, {"seed": 3})
    return run


def test_the_manifest_vouches_for_what_stays(finished: RunDirectory) -> None:
    manifest = read_manifest(finished)
    kept = [finished.config, finished.events, finished.model, finished.predictions, finished.report]
    assert manifest == {
        "run_id": RUN_ID,
        "seed": 3,
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in kept},
    }
    for path in kept:
        assert verified_file(finished, path) == path.read_bytes()
    assert run_state(finished) is RunState.SUCCEEDED


@pytest.mark.parametrize("data", [b"modem", b"", b"model\0"])
def test_a_changed_file_is_not_used(finished: RunDirectory, data: bytes) -> None:
    finished.model.write_bytes(data)
    with pytest.raises(CorruptError) as raised:
        verified_file(finished, finished.model)
    assert_one_line(raised.value, "model.onnx", RUN_ID, "resume")
    assert verified_file(finished, finished.report) == b"{}"


def test_a_missing_or_unlisted_file_is_said(finished: RunDirectory) -> None:
    finished.model.unlink()
    with pytest.raises(StoreError) as missing:
        verified_file(finished, finished.model)
    assert_one_line(missing.value, str(finished.model))
    finished.weights.write_bytes(b"later")
    with pytest.raises(RunError) as unlisted:
        verified_file(finished, finished.weights)
    assert_one_line(unlisted.value, finished.weights.name, RUN_ID)


def test_an_unfinished_run_has_no_manifest(run: RunDirectory) -> None:
    for read in (read_manifest, lambda run: verified_file(run, run.model)):
        with pytest.raises(RunError) as raised:
            read(run)
        assert_one_line(raised.value, RUN_ID, "must be finished")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"files": []}',
        '{"files": null}',
        '{"files": {"model.onnx": 5}}',
        "\0",
        "[" * 100_000,
    ],
)
def test_a_damaged_manifest_is_said(finished: RunDirectory, content: str) -> None:
    before = {path.name: path.read_bytes() for path in finished.path.iterdir() if path.is_file()}
    finished.manifest.write_text(content)
    for read in (read_manifest, lambda run: verified_file(run, run.model)):
        with pytest.raises(CorruptError) as raised:
            read(finished)
        assert_one_line(raised.value, "manifest.json", str(finished.manifest))
    finished.manifest.write_bytes(before["manifest.json"])
    assert {path.name: path.read_bytes() for path in finished.path.iterdir() if path.is_file()} == before


def test_a_run_without_a_folder_gets_no_manifest(no_published: Path) -> None:
    with pytest.raises(StoreError) as raised:
        write_manifest(run_directory(RUN_ID), {})
    assert_one_line(raised.value, RUN_ID)


# --- Trained ----------------------------------------------------------------------------------------------------------


def test_trained_vouches_for_the_weights(run: RunDirectory) -> None:
    write_atomic(run.weights, b"weights")
    facts = {"epochs": 2, "weights_sha256": hashlib.sha256(b"weights").hexdigest()}
    write_json(run.trained, facts)
    assert read_trained(run) == facts
    run.weights.write_bytes(b"weightz")
    with pytest.raises(CorruptError) as raised:
        read_trained(run)
    assert_one_line(raised.value, RUN_ID, "delete trained.json and resume")
    run.weights.unlink()
    with pytest.raises(StoreError) as missing:
        read_trained(run)
    assert_one_line(missing.value, str(run.weights))


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"weights_sha256": null}', '{"weights_sha256": 5}'])
def test_damaged_facts_of_a_training_are_said(run: RunDirectory, content: str) -> None:
    write_atomic(run.weights, b"weights")
    run.trained.write_text(content)
    with pytest.raises(CorruptError) as raised:
        read_trained(run)
    assert_one_line(raised.value, "trained.json")
    assert run.weights.read_bytes() == b"weights"


# --- Events -----------------------------------------------------------------------------------------------------------


def test_events_come_back_in_order(run: RunDirectory) -> None:
    assert read_events(run) == []
    events = [{"epoch": number, "loss": number / 3, "note": "a\nb\r\u2028ü"} for number in range(20)]
    for event in events:
        append_event(run, event)
    assert read_events(run) == events
    assert len(run.events.read_bytes().splitlines()) == 20


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3), max_size=6),
    kept=st.floats(0, 1),
)
def test_a_line_that_was_cut_takes_no_other_with_it(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]], kept: float
) -> None:
    run = RunDirectory(tmp_path_factory.mktemp("events"))
    ends = [0]
    for event in events:
        append_event(run, event)
        ends.append(run.events.stat().st_size)
    if events:
        os.truncate(run.events, round(kept * ends[-1]))
    size = run.events.stat().st_size if events else 0
    # An event is there once its closing brace is, with or without the end of its line.
    whole = events[: sum(size >= end - 1 for end in ends[1:])]
    assert read_events(run) == whole
    append_event(run, {"after": 1})
    assert read_events(run) == [*whole, {"after": 1}]


def test_lines_that_are_no_events_are_left_out(run: RunDirectory) -> None:
    lines = [b'{"epoch": 1}', b"", b"[1]", b"7", b"null", b"\xff\xfe", b'{"epoch": ', b"\0" * 20, b'{"epoch": 2}']
    run.events.write_bytes(b"\n".join(lines))
    assert read_events(run) == [{"epoch": 1}, {"epoch": 2}]


def test_a_writer_that_is_killed_leaves_its_events(run: RunDirectory) -> None:
    code = """
import itertools, sys
from pathlib import Path
from pneumo_core.status import append_event
from pneumo_core.store import RunDirectory
run = RunDirectory(Path(sys.argv[1]))
for number in itertools.count():
    append_event(run, {"number": number, "padding": "x" * 5000})
    if number == 20:
        print("go", flush=True)
"""
    writer = child(code, run.path)
    assert writer.stdout is not None
    writer.stdout.readline()
    numbers = [event["number"] for event in read_events(run)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 20
    writer.kill()
    writer.communicate()
    after = [event["number"] for event in read_events(run)]
    assert after == list(range(len(after)))
    assert len(after) >= len(numbers)
    append_event(run, {"number": -1})
    assert [event["number"] for event in read_events(run)][-2:] == [after[-1], -1]


def test_events_that_cannot_be_read_are_said(run: RunDirectory) -> None:
    run.events.mkdir()
    for action in (read_events, lambda run: append_event(run, {})):
        with pytest.raises(StoreError) as raised:
            action(run)
        assert_one_line(raised.value, str(run.events))


# --- Artifacts that may not be entered --------------------------------------------------------------------------------

READS: dict[str, Callable[[], object]] = {
    "find_run": lambda: find_run(RUN_ID),
    "run_state": lambda: run_state(RunDirectory(run_path())),
    "read_status": lambda: read_status(RunDirectory(run_path())),
    "read_manifest": lambda: read_manifest(RunDirectory(run_path())),
    "read_events": lambda: read_events(RunDirectory(run_path())),
    "lock_is_held": lambda: lock_is_held(RunDirectory(run_path()).run_lock),
}


def run_path() -> Path:
    return datasets_root().parent / "runs" / RUN_ID


@pytest.mark.parametrize("read", READS)
def test_a_run_that_may_not_be_entered_is_said(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "published_root", lambda: Path("/nowhere"))  # pytest's own folder is closed, too.
    with public_folder() as folder:
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder))
        write_json(run_path() / "config.json", {})
        run_path().chmod(0)
        with without_rights(), pytest.raises(StoreError) as raised:
            READS[read]()
        run_path().chmod(0o755)
        assert_one_line(raised.value, str(folder))
