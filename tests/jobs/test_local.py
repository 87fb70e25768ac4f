import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from pneumo_core.errors import ConfigError, StoreError
from pneumo_core.jobs.local import start_process, worker_arguments, worker_environment
from tests.waiting import PATIENCE_S, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module named `probe` that a process can be started on; it tells where it runs, then ends or stays, as told."""
    path = tmp_path / "modules" / "probe.py"
    path.parent.mkdir()
    path.write_text(
        "import json, os, signal, sys\n"
        "facts = {'argv': sys.argv[1:], 'cwd': os.getcwd(), 'session': os.getsid(0), 'pid': os.getpid(),\n"
        "         'artifacts': os.environ['PNEUMO_ARTIFACTS'], 'input': sys.stdin.read()}\n"
        "print(json.dumps(facts), flush=True)\n"
        "print('a word on standard error', file=sys.stderr, flush=True)\n"
        "signal.pause() if sys.argv[1] == 'stay' else sys.exit(int(sys.argv[1]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(path.parent))
    return path


def lines(log: Path, count: int) -> list[str]:
    """The log's lines, once there are as many."""

    def found() -> list[str]:
        return log.read_text().splitlines() if log.exists() else []

    wait_for(f"{count} lines", lambda: len(found()) >= count, found)
    return found()


def test_a_process_apart_with_its_output_in_the_log(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "process.log"
    log.write_text("from before\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PNEUMO_ARTIFACTS", "relative")
    process = start_process(["probe", "3", "x y"], log)
    assert process.wait(timeout=PATIENCE_S) == 3
    before, facts, word = lines(log, 3)
    told = json.loads(facts)
    assert (before, word) == ("from before", "a word on standard error")
    assert told["argv"] == ["3", "x y"]
    assert told["input"] == ""
    # Where `-m pneumo_core` is found, whatever the current folder; the artifacts stay those of the current folder.
    assert told["cwd"] == str(ROOT)
    assert told["artifacts"] == str(tmp_path / "relative")
    # A session of its own: a terminal's interrupt and the app's end do not reach it.
    assert told["session"] == told["pid"] == process.pid
    assert told["session"] != os.getsid(0)


def test_a_killed_process_leaves_no_zombie(module: Path, tmp_path: Path) -> None:
    log = tmp_path / "process.log"
    process = start_process(["probe", "stay"], log)
    lines(log, 2)
    os.kill(process.pid, signal.SIGKILL)
    # Nobody here waits for it: the reaper does.
    wait_for("the reaper", lambda: not psutil.pid_exists(process.pid))
    assert process.poll() == -signal.SIGKILL


def test_a_log_that_cannot_be_written_starts_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    before = set(psutil.Process().children())  # Workers of earlier tests may still be ending.
    with pytest.raises(StoreError, match=r"Received: path=") as caught:
        start_process(["probe"], blocked / "worker.log")
    assert "\n" not in str(caught.value)
    assert set(psutil.Process().children()) <= before


def test_a_worker_gets_its_verb_and_its_run(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    process = start_process(worker_arguments("export", tmp_path / "baseline-0123456789ab"), log)
    assert list(process.args)[1:] == [*("-m", "pneumo_core.worker", "export", str(tmp_path / "baseline-0123456789ab"))]
    # There is no such run: it says so in its log and ends.
    assert process.wait(timeout=PATIENCE_S) == 1
    assert "status.json" in log.read_text()


def test_a_worker_is_told_the_settings_with_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PNEUMO_PARALLEL_RUNS", "PNEUMO_VGG16_WEIGHTS", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    told = {"PNEUMO_ARTIFACTS": str(tmp_path / "artifacts"), "PNEUMO_PARALLEL_RUNS": "1", "KERAS_BACKEND": "tensorflow"}
    assert worker_environment() == told
    changed = {"PNEUMO_PARALLEL_RUNS": "4", "PNEUMO_VGG16_WEIGHTS": "weights.h5", "KERAS_BACKEND": "jax"}
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    assert worker_environment() == {**told, **changed, "PNEUMO_VGG16_WEIGHTS": str(tmp_path / "weights.h5")}
    monkeypatch.setenv("KERAS_BACKEND", "torch2")
    with pytest.raises(ConfigError, match="KERAS_BACKEND"):
        worker_environment()


def test_a_process_gets_what_is_added_to_its_environment(module: Path, tmp_path: Path) -> None:
    log = tmp_path / "process.log"
    start_process(["probe", "0"], log, {"PNEUMO_ARTIFACTS": "/elsewhere"}).wait(PATIENCE_S)
    assert json.loads(lines(log, 2)[0])["artifacts"] == "/elsewhere"
