"""The local executor: a worker is a child process in a session of its own, so it outlives the page that started it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import duration
from pneumo_core.runs.files import store_errors
from pneumo_core.settings import keras_backend, settings

START_TIMEOUT_S: Final = 180.0
"""Seconds that a process may take to start: it first imports libraries, perhaps from a cold disk and beside other work."""

PROJECT: Final = Path(__file__).resolve().parent.parent.parent
"""Working directory of a worker, where ``-m pneumo_core`` is found."""


def worker_arguments(verb: str, run_path: Path) -> list[str]:
    """Arguments of a worker after ``python -m``, the same for every executor.

    Args:
        verb: ``"train"`` or ``"export"``.
        run_path: The run's directory.
    """
    return ["pneumo_core.worker", verb, str(run_path)]


def worker_environment() -> dict[str, str]:
    """Environment variables that pass this process' settings to a worker; paths are absolute.

    Raises:
        ConfigError: A setting cannot be used.
    """
    chosen = settings()
    variables = {
        "PNEUMO_ARTIFACTS": chosen.artifacts,
        "PNEUMO_VGG16_WEIGHTS": chosen.vgg16_weights,
        "PNEUMO_PARALLEL_RUNS": chosen.parallel_runs,
        "KERAS_BACKEND": keras_backend(),
    }
    return {name: str(value) for name, value in variables.items() if value is not None}


def start_process(
    arguments: list[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start ``python -m ARGUMENTS`` in a session of its own.

    Args:
        arguments: Module and its arguments.
        log: File that its output is appended to.
        environment: Variables that are added to this process' own.

    Raises:
        StoreError: The log cannot be written.
    """
    # A relative path would name another folder there.
    chosen = settings()
    paths = {"PNEUMO_ARTIFACTS": chosen.artifacts, "PNEUMO_DATA": chosen.data}
    added = {**{name: str(path) for name, path in paths.items() if path is not None}, **(environment or {})}
    with store_errors(log), log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=PROJECT,
            env={**os.environ, **added},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # A child whose exit status is not collected stays a zombie for as long as the app runs.
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()
    return process


def start_and_wait(
    arguments: list[str],
    log: Path,
    *,
    name: str,
    error: type[PneumoError],
    has_started: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start ``python -m ARGUMENTS`` in a session of its own and wait until it works.

    Args:
        arguments: Module and its arguments.
        log: File that its output is appended to.
        name: Name of the process in an error message.
        error: Class of the error to raise.
        has_started: Whether it has reported its first state, which may be a failure.
        environment: Variables that are added to this process' own.

    Raises:
        PneumoError: `error`: the process failed, or three minutes passed, before it reported a state.
        StoreError: The log cannot be written.
    """
    process = start_process(arguments, log, environment)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None  # Read first: a process that has ended has written its state.
        if has_started() or (has_ended and process.returncode == 0):
            return
        if has_ended:
            raise error(f"the {name} must start. Received: exit status {process.returncode}: {_last_line(log)}")
        time.sleep(0.02)
    process.kill()  # Otherwise it could still start later.
    raise error(f"the {name} must start within {duration(START_TIMEOUT_S)}. Received: nothing; see {log}")


def _last_line(log: Path) -> str:
    with store_errors(log):
        lines = log.read_text(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
