"""Runs on Ray: against a stand-in for its dashboard, which can be made to say anything, and against a real local Ray."""

import importlib.util
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from pneumo_core.config.classifier import Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.errors import ConfigError, RunError
from pneumo_core.evaluation.wording import duration
from pneumo_core.jobs import ray_jobs
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.runs import Executor
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import hold_lock, lock_is_held, read_json, write_atomic, write_json
from pneumo_core.runs.status import Status, read_status, run_state, write_status
from pneumo_core.runs.store import RunDirectory, slot_lock
from tests.conftest import ask_for_run
from tests.hostile import ROOT, assert_one_line
from tests.waiting import BRIEFLY_S, PATIENCE_S, wait_for

CONFIG = preset_config(Architecture.BASELINE, Preset.QUICK, epochs=1)


def small(seed: int) -> TrainConfig:
    return replace(CONFIG, image_size=32, seed=seed)


@pytest.fixture(autouse=True)
def no_ray_of_the_developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("RAY_", "PNEUMO_RAY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dashboard that answers may take its time."""
    monkeypatch.setattr(ray_jobs, "_TIMEOUT_S", dict.fromkeys(("GET", "POST"), (PATIENCE_S, PATIENCE_S)))


@pytest.fixture
def index(tiny_data: Path, no_published: Path) -> DataIndex:
    return build_index(tiny_data)


# --- A stand-in for the dashboard -------------------------------------------------------------------------------------


@dataclass
class Dashboard:
    """What the stand-in knows and has been asked.

    Attributes:
        url: Where it listens.
        jobs: Its answer for each job.
        requests: Method, path, token and body of each request.
        refusal: Status and text of every answer to a submission, if not None.
        silent: Whether requests are taken and never answered.
        closing: Set when the stand-in ends.
        text: What is answered to everything, if not None.
    """

    url: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None, Any]] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    silent: bool = False
    closing: threading.Event = field(default_factory=threading.Event)
    text: str | None = None

    def asked(self, method: str, path: str) -> list[Any]:
        """Bodies of the requests of a kind."""
        return [body for asked, where, _, body in self.requests if (asked, where) == (method, path)]


def handler(dashboard: Dashboard) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Nothing on standard error."""

        def answer(self, status: int, body: object) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            dashboard.requests.append((self.command, self.path, self.headers.get("Authorization"), body))
            job_id = self.path.removeprefix("/api/jobs/").partition("/")[0]
            if dashboard.silent:
                dashboard.closing.wait(PATIENCE_S)
            elif dashboard.text is not None:
                self.answer(200, dashboard.text)
            elif self.path == "/api/version":
                self.answer(200, {"version": "4", "ray_version": "2.60.0"})
            elif (self.command, self.path) == ("POST", "/api/jobs/"):
                if dashboard.refusal:
                    self.answer(*dashboard.refusal)
                    return
                dashboard.jobs[body["submission_id"]] = {"status": "PENDING", "message": "Job has not started yet."}
                self.answer(200, {"submission_id": body["submission_id"]})
            elif job_id not in dashboard.jobs:
                self.answer(404, f"Job {job_id} does not exist")
            elif self.path.endswith("/stop"):
                self.answer(200, {"stopped": True})
            elif self.path.endswith("/logs"):
                self.answer(200, {"logs": f"log of {job_id}\n"})
            else:
                self.answer(200, dashboard.jobs[job_id])

        do_GET = do_POST = do  # noqa: N815  The names that the server looks for.

    return Handler


@pytest.fixture
def dashboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    told = Dashboard()
    server = ThreadingHTTPServer(("0.0.0.0", 0), handler(told))
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", told.url)
    yield told
    told.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def run(index: DataIndex, dashboard: Dashboard) -> RunDirectory:
    """A run that was submitted to the stand-in."""
    return jobs.submit(small(1), index, executor=Executor.RAY).run


def job_of(run: RunDirectory) -> str:
    return str(read_json(run.executor)["submission_id"])


def test_a_run_is_submitted_as_the_local_worker_s_command_line(
    index: DataIndex, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (("PNEUMO_RAY_GPUS", "0.5"), ("PNEUMO_PARALLEL_RUNS", "3"), ("KERAS_BACKEND", "jax")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    view = jobs.submit(small(1), index, executor=Executor.RAY)
    assert (view.state, view.problem) == (RunState.QUEUED, "")
    (body,) = dashboard.asked("POST", "/api/jobs/")
    note = read_json(view.run.executor)
    assert note == {"executor": "ray", "address": dashboard.url, "submission_id": body["submission_id"]}
    assert body["submission_id"].startswith(f"{view.run_id}-")
    words = shlex.split(body["entrypoint"])
    worker = [sys.executable, "-m", "pneumo_core.worker", "train", str(view.run.path)]
    assert words == ["cd", str(ROOT), "&&", "exec", *worker, ">>", str(view.run.log), "2>&1"]
    told = {"PNEUMO_ARTIFACTS": str(tmp_path / "artifacts"), "PNEUMO_PARALLEL_RUNS": "3", "KERAS_BACKEND": "jax"}
    assert body["runtime_env"] == {"env_vars": told}
    assert (body["entrypoint_num_cpus"], body["entrypoint_num_gpus"]) == (1, 0.5)
    assert {token for _, _, token, _ in dashboard.requests} == {"Bearer secret"}
    # No secret of ours goes where the cluster's users can read it.
    assert "secret" not in json.dumps(body) + json.dumps(note)

    # Joined, whoever asks and wherever for.
    for executor in Executor:
        assert jobs.submit(small(1), index, executor=executor).state is RunState.QUEUED
    assert len(dashboard.asked("POST", "/api/jobs/")) == 1
    assert jobs.queue_places(jobs.views()) == {view.run_id: 1}


SAID = [RunState.QUEUED, RunState.RUNNING, RunState.EXPORTING]
MAPPED = {
    "PENDING": dict.fromkeys(SAID, RunState.QUEUED),
    "RUNNING": {state: state for state in SAID},
    "STOPPED": dict.fromkeys(SAID, RunState.CANCELLED),
    "FAILED": dict.fromkeys(SAID, RunState.FAILED),
    "SUCCEEDED": dict.fromkeys(SAID, RunState.INTERRUPTED),
    "a new one": dict.fromkeys(SAID, RunState.INTERRUPTED),
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("status", MAPPED)
def test_ray_s_word_counts_where_the_worker_s_is_missing(
    run: RunDirectory, dashboard: Dashboard, status: str, said: RunState
) -> None:
    dashboard.jobs[job_of(run)] = {"status": status, "message": "why"}
    write_status(run, Status(said, ticket=1))
    view = jobs.view(run.run_id)
    assert (view.state, view.problem) == (MAPPED[status][said], "")
    # What has ended is written down, so every other reader of the files knows it too.
    assert run_state(run) is (view.state if status in {"STOPPED", "FAILED"} else RunState.INTERRUPTED)


@pytest.mark.parametrize("status", MAPPED)
def test_the_worker_s_word_counts_where_there_is_one(run: RunDirectory, dashboard: Dashboard, status: str) -> None:
    dashboard.jobs[job_of(run)] = {"status": status, "message": "why"}
    for state in (RunState.FAILED, RunState.CANCELLED):
        write_status(run, Status(state, ticket=1, error="the worker's own"))
        assert jobs.view(run.run_id).state is state
        assert read_status(run).error == "the worker's own"
    write_status(run, Status(RunState.RUNNING, ticket=1))
    with hold_lock(run.run_lock):
        assert jobs.view(run.run_id).state is RunState.RUNNING
    write_json(run.manifest, {"files": {}})
    assert jobs.view(run.run_id).state is RunState.SUCCEEDED


def test_a_job_that_the_cluster_does_not_know_is_interrupted(
    run: RunDirectory, index: DataIndex, dashboard: Dashboard
) -> None:
    first = job_of(run)
    dashboard.jobs.clear()  # As after a restart.
    assert jobs.view(run.run_id).state is RunState.INTERRUPTED
    assert jobs.resume(run.run_id).state is RunState.QUEUED
    assert job_of(run) != first
    assert list(dashboard.jobs) == [job_of(run)]


LOGGED = """Job entrypoint command failed with exit code 2, last available logs (truncated to 20,000 chars):
Running entrypoint for job x: y
sh: 1: cd: can't cd to /shared
"""


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Job entrypoint command failed with exit code 3", "Ray says: Job entrypoint command failed with exit code 3"),
        (
            LOGGED,
            "Ray says: Job entrypoint command failed with exit code 2 (sh: 1: cd: can't cd to /shared)",
        ),
        ("", "Ray says: no message"),
    ],
)
def test_a_failure_outlives_the_cluster(run: RunDirectory, dashboard: Dashboard, message: str, told: str) -> None:
    dashboard.jobs[job_of(run)] = {"status": "FAILED", "message": message}
    for _ in range(2):
        view = jobs.view(run.run_id)
        assert (view.state, view.problem) == (RunState.FAILED, "")
        assert view.status is not None
        assert view.status.error == told
        dashboard.requests.clear()
    assert jobs.view(run.run_id).state is RunState.FAILED
    assert dashboard.requests == []


def test_an_end_is_not_written_over_a_run_that_is_being_started_anew(run: RunDirectory, dashboard: Dashboard) -> None:
    dashboard.jobs[job_of(run)] = {"status": "STOPPED"}
    before = run.status.read_bytes()
    with hold_lock(run.submit_lock):
        assert jobs.view(run.run_id).state is RunState.CANCELLED
    assert run.status.read_bytes() == before


def test_cancelled_while_it_waits_for_resources(run: RunDirectory, dashboard: Dashboard) -> None:
    """Ray lets such a job wait on, so its word alone would show the run as queued for ever."""
    job = job_of(run)
    for _ in range(2):
        assert jobs.cancel(run.run_id).state is RunState.CANCELLED
    assert run.cancel.exists()
    assert len(dashboard.asked("POST", f"/api/jobs/{job}/stop")) == 1
    assert run_state(run) is RunState.CANCELLED
    assert jobs.resume(run.run_id).state is RunState.QUEUED
    assert not run.cancel.exists()
    assert job_of(run) != job


def test_a_run_may_come_back_to_this_machine(run: RunDirectory, dashboard: Dashboard) -> None:
    dashboard.jobs[job_of(run)] = {"status": "STOPPED"}
    with hold_lock(slot_lock()):
        assert jobs.resume(run.run_id, executor=Executor.LOCAL).state is RunState.QUEUED
        assert not run.executor.exists()
        dashboard.requests.clear()
        jobs.cancel(run.run_id)
        wait_for("cancelling", lambda: run_state(run) is RunState.CANCELLED)
    assert dashboard.requests == []


def test_logs_are_ray_s_until_the_worker_writes(run: RunDirectory, dashboard: Dashboard) -> None:
    assert jobs.logs(run.run_id) == f"log of {job_of(run)}\n"
    write_atomic(run.log, "")
    assert jobs.logs(run.run_id) == f"log of {job_of(run)}\n"
    write_atomic(run.log, b"the worker's \xff\n")
    assert jobs.logs(run.run_id) == "the worker's \N{REPLACEMENT CHARACTER}\n"
    run.log.unlink()
    dashboard.jobs.clear()
    assert jobs.logs(run.run_id) == ""


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"address": "http://127.0.0.1:1"}'])
def test_a_damaged_note_is_told(run: RunDirectory, content: str) -> None:
    run.executor.write_text(content)
    view = jobs.view(run.run_id)
    assert view.state is RunState.INTERRUPTED
    assert_one_line(view.problem, "executor.json", str(run.executor))


def test_only_the_cluster_that_is_set_is_asked(
    run: RunDirectory, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note that somebody changed must not send our token elsewhere."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    dashboard.requests.clear()
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", "http://127.0.0.1:1")
    view = jobs.view(run.run_id)
    assert_one_line(view.problem, dashboard.url, "http://127.0.0.1:1")
    monkeypatch.delenv("PNEUMO_RAY_ADDRESS")
    assert_one_line(jobs.view(run.run_id).problem, "PNEUMO_RAY_ADDRESS=None")
    assert jobs.view(run.run_id).state is RunState.INTERRUPTED
    assert dashboard.requests == []


# --- What is refused --------------------------------------------------------------------------------------------------


def assert_nothing_left(tmp_path: Path) -> None:
    assert jobs.views() == []
    assert list((tmp_path / "artifacts" / "runs").glob("*/*.json")) == []


@pytest.mark.parametrize(
    "address",
    [
        *(None, "", "/", "auto:x", "http://", "ray://127.0.0.1:10001", "ftp://127.0.0.1", "http://[::1", "127.0.0.1:0"),
        *("http://127.0.0.1:99999", "http://127.0.0.1/x", "http://127.0.0.1?x", "http://me@127.0.0.1", "http://a b:1/"),
    ],
)
def test_addresses_that_are_none(
    index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    if address is not None:
        monkeypatch.setenv("PNEUMO_RAY_ADDRESS", address)
    with pytest.raises(ConfigError) as caught:
        jobs.submit(small(1), index, executor=Executor.RAY)
    assert_one_line(caught.value, "PNEUMO_RAY_ADDRESS=", "PNEUMO_RAY_ADDRESS")
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize(
    "address", ["http://0.0.0.0:8265", "https://ray.example.org", "10.0.0.1:8265", "http://localhost.example.org:8265"]
)
def test_a_remote_ray_without_a_token_is_refused(
    index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match="must require a token") as caught:
        jobs.submit(small(1), index, executor=Executor.RAY)
    assert_one_line(caught.value, repr(address), "RAY_AUTH_TOKEN", "PNEUMO_RAY_ALLOW_UNAUTHENTICATED=1")
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize("setting", [("RAY_AUTH_TOKEN", "secret"), ("PNEUMO_RAY_ALLOW_UNAUTHENTICATED", "1")])
def test_a_remote_ray_is_used_with_a_token_or_where_it_is_allowed(
    index: DataIndex, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]
) -> None:
    monkeypatch.setenv(*setting)
    # This machine, under an address that may be another's.
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", dashboard.url.replace("127.0.0.1", "0.0.0.0") + "/")
    assert jobs.submit(small(1), index, executor=Executor.RAY).state is RunState.QUEUED


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9"])
def test_a_dead_address(index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with socket.socket() as closed:  # Bound and not listening: nobody else gets the port.
        closed.bind(("127.0.0.1", 0))
        address = f"{host}:{closed.getsockname()[1]}"
        monkeypatch.setenv("PNEUMO_RAY_ADDRESS", address)
        with pytest.raises(RunError, match="Ray must answer") as caught:
            jobs.submit(small(1), index, executor=Executor.RAY)
    # Refused, which is no time-out: nobody has waited.
    assert_one_line(caught.value, f"http://{address}", "ConnectionError", "PNEUMO_RAY_ADDRESS")
    assert_nothing_left(tmp_path)


def test_an_address_that_never_answers(
    index: DataIndex, dashboard: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard.silent = True
    monkeypatch.setattr(ray_jobs, "_TIMEOUT_S", {"GET": (PATIENCE_S, BRIEFLY_S)})
    with pytest.raises(RunError, match="Ray must answer") as caught:
        jobs.submit(small(1), index, executor=Executor.RAY)
    assert_one_line(caught.value, dashboard.url, f"within {duration(PATIENCE_S + BRIEFLY_S)}", "ReadTimeout")
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize("text", ["<html>another service</html>", "{}", "[]", "null"])
def test_another_service(index: DataIndex, dashboard: Dashboard, tmp_path: Path, text: str) -> None:
    dashboard.text = text
    with pytest.raises(RunError) as caught:
        jobs.submit(small(1), index, executor=Executor.RAY)
    assert_one_line(caught.value, dashboard.url)
    assert_nothing_left(tmp_path)


def test_a_job_that_ray_refuses_is_not_live(index: DataIndex, dashboard: Dashboard) -> None:
    dashboard.refusal = (500, 'Traceback (most recent call last):\n  File "x"\nValueError: no such resource\n')
    with pytest.raises(RunError) as caught:
        jobs.submit(small(1), index, executor=Executor.RAY)
    assert_one_line(caught.value, "HTTP 500: ValueError: no such resource")
    (view,) = jobs.views()
    assert (view.state, view.is_resumable) == (RunState.INTERRUPTED, True)


def test_a_cluster_that_has_gone_hides_no_run(
    run: RunDirectory, index: DataIndex, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard.text = "<html>gone</html>"
    other = ask_for_run(small(2), index)
    views = {view.run_id: view for view in jobs.views()}
    assert views[other.run_id].problem == ""
    assert views[run.run_id].state is RunState.INTERRUPTED
    assert_one_line(views[run.run_id].problem, dashboard.url)
    with pytest.raises(RunError):
        jobs.resume(run.run_id)
    assert jobs.view(run.run_id).state is RunState.INTERRUPTED
    with hold_lock(slot_lock()):
        assert jobs.resume(run.run_id, executor=Executor.LOCAL).state is RunState.QUEUED
        jobs.cancel(run.run_id)
        wait_for("cancelling", lambda: run_state(run) is RunState.CANCELLED)


# --- A real Ray -------------------------------------------------------------------------------------------------------

TOKEN = "a-token-of-the-tests-0123456789abcdef"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """A Ray on this machine that asks for a token; its processes share a session, which ends with the tests."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("install Ray: pip install -r requirements-ray.txt -c constraints.txt")
    port = free_port()
    # A short path: sockets lie in it, whose names the system limits.
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PNEUMO_"))}
        command = [
            *(sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--head", "--block"),
            *("--port=0", "--min-worker-port=0", "--max-worker-port=0", f"--ray-client-server-port={free_port()}"),
            *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}"),
            *("--num-cpus=2", "--num-gpus=0", "--object-store-memory=80000000", "--disable-usage-stats"),
            f"--temp-dir={folder}",
        ]
        log = Path(folder) / "start.log"
        with log.open("wb") as output:
            head = subprocess.Popen(
                command,
                env={**environment, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PNEUMO_RAY_ADDRESS", f"http://127.0.0.1:{port}")
                patch.setenv("RAY_AUTH_TOKEN", TOKEN)

                def is_up() -> bool:
                    assert head.poll() is None, log.read_text()
                    with suppress(RunError):
                        ray_jobs.require_ray()
                        return True
                    return False

                wait_for("Ray", is_up)
            yield f"http://127.0.0.1:{port}"
        finally:
            members = [process for process in psutil.process_iter() if _session(process.pid) == head.pid]
            children = {child for process in members for child in process.children(recursive=True)}
            for process in {*members, *children}:  # Ray gives each worker a session of its own.
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs([*members, *children], timeout=PATIENCE_S)
            head.wait(PATIENCE_S)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


@pytest.fixture
def real(ray_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", ray_address)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    return ray_address


def worker_of(run: RunDirectory) -> psutil.Process:
    """The run's Python worker, which Ray's shell has become."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = process.cmdline()
            if command[1:3] == ["-m", "pneumo_core.worker"] and command[-1] == str(run.path):
                found.append(process)
    (worker,) = found
    return worker


@pytest.mark.slow
def test_a_run_from_end_to_end_on_a_real_ray(real: str, tiny_data: Path, index: DataIndex) -> None:
    command = [sys.executable, "-m", "pneumo_core", "train", "--preset", "quick", "--epochs", "1", "--executor", "ray"]
    result = subprocess.run(
        [*command, "--data", str(tiny_data), "--wait", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr + "".join(jobs.logs(view.run_id) for view in jobs.views())
    told = json.loads(result.stdout)
    run = RunDirectory(Path(told["path"]))
    assert (told["state"], told["report"]["run_id"]) == ("succeeded", run.run_id)
    assert read_json(run.executor)["address"] == real
    # The worker's own log, as on this machine; its outcome is the files'.
    assert "Traceback" not in run.log.read_text()
    assert "executor.json" not in read_json(run.manifest)["files"]
    assert jobs.submit(CONFIG, index, executor=Executor.RAY).state is RunState.SUCCEEDED


@pytest.mark.slow
def test_states_cancelling_and_killing_on_a_real_ray(real: str, index: DataIndex) -> None:
    with hold_lock(slot_lock()):  # So the workers wait, and nothing is trained.
        run = jobs.submit(small(1), index, executor=Executor.RAY).run
        wait_for("the worker", lambda: lock_is_held(run.run_lock))
        first = job_of(run)
        assert jobs.view(run.run_id).state is RunState.QUEUED
        assert jobs.submit(small(1), index).state is RunState.QUEUED
        jobs.cancel(run.run_id)
        wait_for("cancelling", lambda: jobs.view(run.run_id).state is RunState.CANCELLED)
        assert not lock_is_held(run.run_lock)

        # Resumed where it was, under another id; then its worker is killed from outside.
        assert jobs.resume(run.run_id).state is RunState.QUEUED
        assert job_of(run) != first
        wait_for("the worker", lambda: lock_is_held(run.run_lock))
        worker_of(run).send_signal(signal.SIGKILL)
        wait_for("the failure", lambda: jobs.view(run.run_id).state is RunState.FAILED)
        assert "Ray says: Job entrypoint command failed with exit code -9" in read_status(run).error


@pytest.mark.slow
def test_resources_that_are_not_there_and_commands_that_fail_on_a_real_ray(
    real: str, index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PNEUMO_RAY_GPUS", "1")
        waiting = jobs.submit(small(2), index, executor=Executor.RAY).run
    assert jobs.view(waiting.run_id).state is RunState.QUEUED
    assert jobs.cancel(waiting.run_id).state is RunState.CANCELLED
    with monkeypatch.context() as patch:
        patch.setattr(ray_jobs, "PROJECT", Path("/nowhere/on/the/cluster"))
        broken = jobs.submit(small(3), index, executor=Executor.RAY).run
    wait_for("the failure", lambda: jobs.view(broken.run_id).state is RunState.FAILED)
    assert "/nowhere/on/the/cluster" in read_status(broken).error
    assert "/nowhere/on/the/cluster" in jobs.logs(broken.run_id)


@pytest.mark.slow
@pytest.mark.parametrize(("token", "told"), [("", "HTTP 401"), ("another", "HTTP 403")])
def test_a_real_ray_asks_for_its_token(
    real: str, index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, told: str
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    with pytest.raises(RunError) as caught:
        jobs.submit(small(4), index, executor=Executor.RAY)
    assert_one_line(caught.value, real, told)
    assert_nothing_left(tmp_path)
