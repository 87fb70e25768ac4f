"""The queue, the table of run states with real locks, and statuses and events that were damaged or cut."""

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core.errors import CorruptError, StoreError
from pneumo_core.records import RunState
from pneumo_core.runs import store
from pneumo_core.runs.files import lock_is_held, read_json, write_atomic, write_json
from pneumo_core.runs.status import (
    Status,
    append_event,
    next_ticket,
    read_events,
    read_status,
    run_state,
    update_status,
    write_status,
)
from pneumo_core.runs.store import RunDirectory, datasets_root, find_run, read_manifest, run_directory, slot_lock
from tests.hostile import assert_one_line, child, held_elsewhere, public_folder, without_rights
from tests.waiting import PATIENCE_S

RUN_ID = "baseline-0123456789ab"
OTHER_ID = "vgg16-ba9876543210"


@pytest.fixture
def run(no_published: Path) -> RunDirectory:
    """A run that was submitted."""
    run = run_directory(RUN_ID)
    write_json(run.config, {"run_id": RUN_ID})
    return run


# --- The queue --------------------------------------------------------------------------------------------------------


def test_tickets_go_up() -> None:
    assert [next_ticket() for _ in range(3)] == [1, 2, 3]


def test_tickets_are_given_once_to_many_processes() -> None:
    code = "from pneumo_core.runs.status import next_ticket\nprint(*[next_ticket() for _ in range(20)])"
    takers = [child(code) for _ in range(3)]
    outputs = [taker.communicate(timeout=PATIENCE_S) for taker in takers]
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
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.status import Status, update_status, write_status
from pneumo_core.runs.store import RunDirectory
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


# --- Events -----------------------------------------------------------------------------------------------------------


def test_events_come_back_in_order(run: RunDirectory) -> None:
    assert read_events(run) == []
    events = [{"epoch": number, "loss": number / 3, "note": "a\nb\r\u2028ü"} for number in range(20)]
    for event in events:
        append_event(run, event)
    assert read_events(run) == events
    assert len(run.events.read_bytes().splitlines()) == 20


@settings(max_examples=60)
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
from pneumo_core.runs.status import append_event
from pneumo_core.runs.store import RunDirectory
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


# --- Runs that may not be entered -------------------------------------------------------------------------------------

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
