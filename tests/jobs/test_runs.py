"""Runs with real worker processes: queueing, racing, cancelling, killing, resuming."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from pneumo_core.config.classifier import Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import run_id
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.errors import ConfigError, CorruptError, DataError, RunError, RunNotFoundError, StoreError
from pneumo_core.jobs import local
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.local import start_process
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import hold_lock, lock_is_held, read_json
from pneumo_core.runs.status import read_events, read_status, run_state
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest, run_directory, slot_lock, verified_file
from pneumo_core.runs.submission import RunData
from tests.conftest import FinishedRun, ask_for_run, workers
from tests.hostile import ROOT, assert_one_line, on_small_disk
from tests.waiting import BRIEFLY_S, PATIENCE_S, looked_again, wait_for

pytestmark = pytest.mark.usefixtures("no_worker_left")

FINISHED = preset_config(Architecture.BASELINE, Preset.QUICK, epochs=2)
"""The config of the shared run."""


def small(seed: int = 1) -> TrainConfig:
    return replace(FINISHED, image_size=32, seed=seed)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def worker_of(run: RunDirectory) -> psutil.Process:
    """The run's only worker."""
    (worker,) = [process for process in workers(run.path.parent) if process.cmdline()[-1] == str(run.path)]
    return worker


def waits(run: RunDirectory) -> bool:
    """Whether a run's worker has looked around, found no place, and said so."""
    return read_status(run).message == "waiting for another run to finish"


def kill_worker(run: RunDirectory) -> None:
    """SIGKILL the run's worker, and wait until the system has let go of its lock."""
    worker_of(run).send_signal(signal.SIGKILL)
    wait_for("the lock of a killed worker", lambda: not lock_is_held(run.run_lock))


@pytest.fixture
def index(tiny_data: Path, no_published: Path) -> DataIndex:
    return build_index(tiny_data)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[None]:
    """This process works in the place of another run, so every other one waits, before it imports Keras."""
    with hold_lock(slot_lock()):
        yield


# --- Start, queue, cancel ---------------------------------------------------------------------------------------------


def test_a_finished_run_is_returned_without_a_worker(
    with_finished_run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in with_finished_run.path.iterdir()}
    index = build_index(with_finished_run.data)
    monkeypatch.setattr(jobs, "start_and_wait", lambda *_, **__: pytest.fail("nothing is left to do"))
    view = jobs.submit(FINISHED, index)
    assert (view.run_id, view.state) == (with_finished_run.run_id, RunState.SUCCEEDED)
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in view.run.path.iterdir()} == before
    assert not workers(tmp_path)


@pytest.mark.usefixtures("busy")
def test_a_waiting_run_is_joined_cancelled_and_resumed(index: DataIndex, tmp_path: Path) -> None:
    before = time.time()
    view = jobs.submit(small(), index)
    run = view.run
    assert (view.state, view.run_id) == (RunState.QUEUED, run_id(small(), index.data_id))
    asked = read_json(run.config)
    assert view.config == small()
    assert view.data == RunData(index.data_id, str(index.root), is_phantom=True)
    assert before <= view.submitted_at <= time.time()
    ticket = read_status(run).ticket

    # Joined: neither a second worker nor a new place in the queue, and the config is written once.
    (worker,) = workers(tmp_path)
    assert jobs.submit(small(), index).state is RunState.QUEUED
    assert [process.pid for process in workers(tmp_path)] == [worker.pid]
    assert read_status(run).ticket == ticket
    wait_for("the queue's message", lambda: waits(run))
    for verb in (jobs.resume, jobs.export):
        with pytest.raises(RunError, match=r"state=queued") as caught:
            verb(run.run_id)
        assert_one_line(caught.value, run.run_id)

    # Cancelled twice while it goes, and once more when it has stopped: the same as once.
    worker.suspend()
    for _ in range(2):
        assert jobs.cancel(run.run_id).state is RunState.QUEUED
    worker.resume()
    wait_for("cancelling in the queue", lambda: run_state(run) is RunState.CANCELLED)
    wait_for("the worker's end", lambda: not workers(tmp_path))
    assert jobs.view(run.run_id).is_resumable
    files = contents(run.path)
    assert jobs.cancel(run.run_id).state is RunState.CANCELLED
    assert contents(run.path) == files

    assert jobs.resume(run.run_id).state is RunState.QUEUED
    assert not run.cancel.exists()
    assert read_status(run).ticket > ticket
    assert read_json(run.config) == asked


def test_first_in_first_out_even_past_the_killed(index: DataIndex) -> None:
    def queued(runs: list[RunDirectory]) -> bool:
        return all(read_status(run).state is RunState.QUEUED for run in runs)

    with hold_lock(slot_lock()):
        runs = [jobs.submit(small(seed), index).run for seed in (1, 2, 3)]
        tickets = [read_status(run).ticket for run in runs]
        assert tickets == sorted(set(tickets))
        processes = [worker_of(run) for run in runs]
        wait_for("the queue", lambda: all(waits(run) for run in runs))
        looked_again(*processes)  # None may start while the slot is taken.
        assert queued(runs)
        processes[0].suspend()
    for position, (run, process) in enumerate(zip(runs, processes, strict=True)):
        # The next in the queue has been stopped, so if anybody could jump the queue, they would by now.
        looked_again(*processes[position + 1 :])
        assert queued(runs[position:])
        assert not lock_is_held(slot_lock())
        process.resume()
        wait_for("the next in the queue", lambda run=run: run_state(run) is RunState.RUNNING)
        assert lock_is_held(slot_lock())
        for following in processes[position + 1 : position + 2]:
            following.suspend()
        kill_worker(run)
        assert run_state(run) is RunState.INTERRUPTED
    wait_for("the slot", lambda: not lock_is_held(slot_lock()))
    assert [view.run_id for view in jobs.views()] == [run.run_id for run in reversed(runs)]


def test_two_at_a_time_and_none_overtakes(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_PARALLEL_RUNS", "2")
    with hold_lock(slot_lock(0)), hold_lock(slot_lock(1)):
        runs = [jobs.submit(small(seed), index).run for seed in (1, 2, 3)]
        processes = [worker_of(run) for run in runs]
        assert jobs.queue_places(jobs.views()) == {run.run_id: place for place, run in enumerate(runs, start=1)}
        wait_for("the queue", lambda: all(waits(run) for run in runs))
        processes[0].suspend()
    looked_again(*processes[1:])  # Two places are free, and still nobody goes before the first.
    assert [run_state(run) for run in runs] == [RunState.QUEUED] * 3
    processes[0].resume()
    wait_for("the first two", lambda: all(run_state(run) is RunState.RUNNING for run in runs[:2]))
    for process in processes[:2]:
        process.suspend()  # Or they would train.
    looked_again(processes[2])
    assert run_state(runs[2]) is RunState.QUEUED
    assert jobs.queue_places(jobs.views()) == {runs[2].run_id: 1}
    # Whichever ends, the next takes its place.
    kill_worker(runs[1])
    wait_for("the third", lambda: run_state(runs[2]) is RunState.RUNNING)
    assert jobs.queue_places(jobs.views()) == {}


def test_many_may_wait_and_each_begins_in_turn(index: DataIndex) -> None:
    """A run watches one other that is ahead of it; one that leaves the queue must not leave a hole in it."""
    with hold_lock(slot_lock()):
        runs = [jobs.submit(small(seed), index).run for seed in (1, 2, 3)]
        jobs.cancel(runs[1].run_id)
        wait_for("cancelling", lambda: run_state(runs[1]) is RunState.CANCELLED)
        assert jobs.queue_places(jobs.views()) == {runs[0].run_id: 1, runs[2].run_id: 2}
        jobs.resume(runs[1].run_id)
        assert jobs.queue_places(jobs.views()) == {runs[0].run_id: 1, runs[2].run_id: 2, runs[1].run_id: 3}
        jobs.cancel(runs[0].run_id)
        wait_for("cancelling", lambda: run_state(runs[0]) is RunState.CANCELLED)
    wait_for("the next", lambda: run_state(runs[2]) is RunState.RUNNING)
    assert run_state(runs[1]) is RunState.QUEUED


def start_by_hand(run: RunDirectory) -> subprocess.Popen[str]:
    """A worker as anybody can start one."""
    command = [sys.executable, "-m", "pneumo_core.worker", "train", str(run.path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.usefixtures("busy")
def test_of_two_workers_one_works_and_the_other_says_why_not(index: DataIndex) -> None:
    run = ask_for_run(small(), index)
    racers = [start_by_hand(run) for _ in range(2)]
    wait_for("the end of one", lambda: any(racer.poll() is not None for racer in racers))
    (loser,) = [racer for racer in racers if racer.poll() is not None]
    (winner,) = [racer for racer in racers if racer is not loser]
    assert loser.wait() == 1
    output, _ = loser.communicate()
    assert output.startswith("error: ")
    assert_one_line(output.removeprefix("error: ").removesuffix("\n"), str(run.run_lock), "only one process at a time")
    said = read_status(run)
    assert (said.state, said.ticket, said.error) == (RunState.QUEUED, 1, "")
    assert run_state(run) is RunState.QUEUED
    jobs.cancel(run.run_id)
    assert winner.wait(PATIENCE_S) == 1
    winner.communicate()
    assert run_state(run) is RunState.CANCELLED


def test_a_worker_that_comes_too_late_leaves_a_finished_run_alone(with_finished_run: FinishedRun) -> None:
    before = contents(with_finished_run.path)
    late = start_by_hand(RunDirectory(with_finished_run.path))
    output, _ = late.communicate(timeout=PATIENCE_S)
    assert (late.returncode, output) == (0, "")
    assert contents(with_finished_run.path) == before


@pytest.mark.usefixtures("busy")
def test_a_clock_that_was_set_back_changes_neither_the_order_nor_the_states(index: DataIndex) -> None:
    runs = [jobs.submit(small(seed), index).run for seed in (1, 2)]
    wait_for("the queue", lambda: all(waits(run) for run in runs))
    year_s = 365 * 86_400
    for run, shift_s in zip(runs, (year_s, -year_s), strict=True):
        asked = read_json(run.config)
        run.config.write_text(json.dumps({**asked, "submitted_at": asked["submitted_at"] + shift_s}))
        os.utime(run.config, (time.time() + shift_s,) * 2)
        status = read_json(run.status)
        run.status.write_text(json.dumps({**status, "updated_at": status["updated_at"] + shift_s}))
    looked_again(*map(worker_of, runs))
    assert jobs.queue_places(jobs.views()) == {run.run_id: place for place, run in enumerate(runs, start=1)}
    later = jobs.submit(small(3), index).run
    assert jobs.queue_places(jobs.views())[later.run_id] == 3


@pytest.mark.usefixtures("busy")
def test_two_processes_that_submit_at_once_start_one_worker(index: DataIndex, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pneumo_core", "train", "--preset", "quick", "--data", str(index.root), "--json"]
    racers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    told = []
    for racer in racers:
        output, errors = racer.communicate(timeout=PATIENCE_S)
        assert racer.returncode == 0, errors
        told.append(json.loads(output))
    assert {(each["run_id"], each["state"]) for each in told} == {(told[0]["run_id"], "queued")}
    (worker,) = workers(tmp_path)
    assert worker.cmdline()[-1] == told[0]["path"]
    # One place in the queue was given, so one worker was started, whoever came first.
    assert read_status(find_run(told[0]["run_id"])).ticket == 1


# --- Kill, cancel and resume a real training --------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_cancelled_and_resumed_is_uninterrupted(
    finished_run: FinishedRun, index: DataIndex, tmp_path: Path
) -> None:
    """The shared run once more, through a kill -9 while an epoch is saved and a cancel in the middle of the next."""
    run = jobs.submit(FINISHED, index).run
    assert run.run_id == finished_run.run_id

    def epochs() -> list[int]:
        return [event["epoch"] for event in read_events(run) if event["kind"] == "epoch"]

    wait_for("the first epoch", lambda: epochs() == [0])
    kill_worker(run)
    assert run_state(run) is RunState.INTERRUPTED
    assert not lock_is_held(slot_lock())
    assert jobs.view(run.run_id).problem == ""
    with run.events.open("ab") as file:
        file.write(b'{"kind": "batch", "epo')  # As a kill in the middle of a line leaves it.

    assert jobs.resume(run.run_id).state.is_live
    wait_for("training", lambda: read_status(run).message == "training" and run_state(run) is RunState.RUNNING)
    jobs.cancel(run.run_id)
    wait_for("cancelling", lambda: run_state(run) is RunState.CANCELLED)
    # A request is seen at the next batch, and the first batch of a process takes seconds: no epoch ends in between.
    assert epochs() == [0]
    assert not run.trained.exists()

    command = [sys.executable, "-m", "pneumo_core", "runs", "resume", run.run_id, "--wait", "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert result.returncode == 0, result.stderr + run.log.read_text()
    told = json.loads(result.stdout)
    assert (told["run_id"], told["state"]) == (run.run_id, "succeeded")
    assert told["report"]["run_id"] == run.run_id

    original = RunDirectory(finished_run.path)
    resumed, whole = ({e["epoch"]: e for e in read_events(r) if e["kind"] == "epoch"} for r in (run, original))
    assert list(resumed) == [0, 1]
    for epoch in whole:
        for name in ("loss", "val_loss", "learning_rate"):
            assert resumed[epoch][name] == pytest.approx(whole[epoch][name], rel=1e-6)
    expected = pd.read_parquet(original.predictions)
    received = pd.read_parquet(run.predictions)
    pd.testing.assert_frame_equal(received.drop(columns="logit"), expected.drop(columns="logit"))
    np.testing.assert_allclose(received["logit"], expected["logit"], atol=1e-6)
    assert not run.backup.exists()
    for name in read_manifest(run)["files"]:
        verified_file(run, run.path / name)


# --- A worker that does not start -------------------------------------------------------------------------------------


def broken_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_worker_that_dies_before_its_lock_is_told_with_its_last_word(
    index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        script = "echo 'loading'; echo 'ImportError: libsomething.so is missing' >&2; echo >&2; exit 3"
        patch.setattr(sys, "executable", broken_python(tmp_path, script))
        with pytest.raises(RunError, match=r"the worker must start\.") as caught:
            jobs.submit(small(), index)
        assert_one_line(caught.value, "exit status 3", "ImportError: libsomething.so is missing")
    (view,) = jobs.views()
    assert view.state is RunState.INTERRUPTED
    assert view.is_resumable
    with hold_lock(slot_lock()):
        assert jobs.submit(small(), index).state is RunState.QUEUED


def test_a_worker_that_never_takes_its_lock_is_given_up(
    index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    monkeypatch.setattr(local, "START_TIMEOUT_S", BRIEFLY_S)
    monkeypatch.setattr(local, "start_process", lambda *asked: started.append(start_process(*asked)) or started[-1])
    monkeypatch.setattr(sys, "executable", broken_python(tmp_path, f"exec sleep {PATIENCE_S}"))
    with pytest.raises(RunError, match="the worker must start within") as caught:
        jobs.submit(small(), index)
    assert_one_line(caught.value, run_id(small(), index.data_id), "worker.log")
    (worker,) = started
    assert worker.wait(PATIENCE_S) == -signal.SIGKILL


# --- What is refused, and damaged files -------------------------------------------------------------------------------


def test_data_that_cannot_be_trained_on_leaves_no_run(index: DataIndex, tmp_path: Path) -> None:
    one_class = replace(index, table=index.table[index.table["label"] == 1].reset_index(drop=True))
    with pytest.raises(DataError) as caught:
        jobs.submit(small(), one_class)
    assert_one_line(caught.value, "'NORMAL': 0", "train/NORMAL")
    assert jobs.views() == []
    assert not (tmp_path / "artifacts" / "runs").exists()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("KERAS_BACKEND", "torch2", "'tensorflow' or 'jax'"),
        ("PNEUMO_PARALLEL_RUNS", "0", "a whole number from 1 to 64"),
    ],
)
def test_settings_that_cannot_be_used_leave_no_run(
    index: DataIndex, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(name, value)
        with pytest.raises(ConfigError) as caught:
            jobs.submit(small(), index)
    assert_one_line(caught.value, name, repr(value), told)
    assert jobs.views() == []


def test_a_backend_that_is_unknown_hides_no_finished_run(
    with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch2")
    index = build_index(with_finished_run.data)
    assert jobs.submit(FINISHED, index).state is RunState.SUCCEEDED
    with pytest.raises(ConfigError):
        jobs.submit(small(), index)


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(tiny_data: Path, tmp_path: Path) -> None:
    code = """
import os, shutil, sys
from pathlib import Path
from dataclasses import replace
artifacts, data = Path(sys.argv[1]), Path(sys.argv[2])
os.environ["PNEUMO_ARTIFACTS"] = str(artifacts)
from pneumo_core.config.classifier import Preset
from pneumo_core.data.index import build_index
from pneumo_core.errors import StoreError
from pneumo_core.jobs.runs import submit
from pneumo_core.config.presets import preset_config
from pneumo_core.records import Architecture
index = build_index(data)
try:
    submit(preset_config(Architecture.BASELINE, Preset.QUICK), index)
except StoreError as error:
    print(error)
print(list((artifacts / "runs").glob("*/config.json")))
"""
    folder = tmp_path / "small"
    folder.mkdir()
    message, left = on_small_disk("100m", code, folder, tiny_data).splitlines()
    assert_one_line(message, str(folder / "runs"), "a run needs ", "MB free", "runs clean")
    assert left == "[]"


def test_artifacts_that_cannot_be_written(index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
    with pytest.raises(StoreError) as caught:
        jobs.submit(small(), index)
    assert_one_line(caught.value, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "not a folder"


@pytest.mark.parametrize("verb", [jobs.view, jobs.cancel, jobs.resume, jobs.export])
@pytest.mark.parametrize(
    "name", ["baseline-0123456789ab", "../x", "baseline-0123456789ab/../x", "", "runs", "BASELINE-0"]
)
def test_unknown_runs(no_published: Path, tmp_path: Path, verb: Callable[[str], object], name: str) -> None:
    (tmp_path / "artifacts" / "runs" / "x").mkdir(parents=True)
    (tmp_path / "artifacts" / "x").mkdir()
    (tmp_path / "artifacts" / "x" / "config.json").write_text("{}")
    with pytest.raises(RunNotFoundError) as caught:
        verb(name)
    assert_one_line(caught.value, repr(name), "runs list")


def test_a_finished_run_is_neither_cancelled_nor_resumed_nor_exported(with_finished_run: FinishedRun) -> None:
    for verb in (jobs.cancel, jobs.resume, jobs.export):
        with pytest.raises(RunError, match="state=succeeded") as caught:
            verb(with_finished_run.run_id)
        assert_one_line(caught.value, with_finished_run.run_id)
    assert not (with_finished_run.path / "cancel").exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"config": {}, "data": {}, "submitted_at": 0}', "null", "\x00"]
)
def test_a_damaged_config_is_told_and_does_not_hide_the_others(with_finished_run: FinishedRun, content: str) -> None:
    damaged = run_directory("baseline-0123456789ab")
    shutil.copytree(with_finished_run.path, damaged.path)
    damaged.manifest.unlink()
    damaged.config.write_text(content)
    views = {view.run_id: view for view in jobs.views()}
    assert views[with_finished_run.run_id].problem == ""
    view = views[damaged.run_id]
    assert view.config is None
    assert_one_line(view.problem)
    with pytest.raises(CorruptError) as caught:
        jobs.resume(damaged.run_id)
    assert_one_line(caught.value)


@pytest.mark.parametrize("content", ["", "{", "{}", '{"state": "running"}', '{"state": "dancing", "ticket": 1}'])
def test_a_damaged_status_counts_as_interrupted(with_finished_run: FinishedRun, content: str) -> None:
    run = RunDirectory(with_finished_run.path)
    run.status.write_text(content)
    finished = jobs.view(run.run_id)
    assert (finished.state, finished.problem) == (RunState.SUCCEEDED, "")
    for name in ("manifest.json", "trained.json"):
        (run.path / name).unlink()
    stopped = jobs.view(run.run_id)
    assert (stopped.state, stopped.status, stopped.problem) == (RunState.INTERRUPTED, None, "")
    assert stopped.is_resumable


def test_resume_says_at_once_that_the_index_is_gone(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    run.manifest.unlink()
    shutil.rmtree(with_finished_run.artifacts / "datasets")
    log = run.log.read_bytes()
    with pytest.raises(DataError) as caught:
        jobs.resume(run.run_id)
    assert_one_line(caught.value, "data index")
    assert run.log.read_bytes() == log


def test_a_trained_run_is_exported_by_a_worker(with_finished_run: FinishedRun) -> None:
    """As after a training on a machine that cannot export; the queue is held, so nothing is computed here."""
    run = RunDirectory(with_finished_run.path)
    run.manifest.unlink()
    status = read_json(run.status)
    run.status.write_text(json.dumps({**status, "state": "trained"}))
    assert jobs.view(run.run_id).state is RunState.TRAINED
    with hold_lock(slot_lock()):
        assert jobs.export(run.run_id).state is RunState.QUEUED
        (worker,) = workers(with_finished_run.artifacts)
        assert worker.cmdline()[-2:] == ["export", str(run.path)]
        jobs.cancel(run.run_id)
        wait_for("cancelling in the queue", lambda: run_state(run) is RunState.CANCELLED)


def test_newest_first(with_finished_run: FinishedRun) -> None:
    older = run_directory("baseline-0123456789ab")
    shutil.copytree(with_finished_run.path, older.path)
    older.config.write_text(json.dumps({**read_json(older.config), "submitted_at": 1.0}))
    assert [view.run_id for view in jobs.views()] == [with_finished_run.run_id, older.run_id]


def test_a_damaged_config_is_written_anew_by_who_knows_it(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    run = ask_for_run(small(), index)
    run.config.write_text("{")
    assert jobs.view(run.run_id).config is None
    with hold_lock(run.run_lock):  # A live worker, as far as submit can tell: none is started.
        view = jobs.submit(small(), index)
    assert view.config == small()
    assert view.problem == ""
