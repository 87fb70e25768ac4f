"""The local executor: a worker is a child process in a session of its own, so it outlives the page that started it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from pneumo_core.files import store_errors
from pneumo_core.settings import settings

__all__ = ["start_process", "start_worker"]

_PROJECT = Path(__file__).resolve().parent.parent.parent


def start_worker(verb: str, run_path: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start ``python -m pneumo_core.worker VERB RUN_DIR``.

    Args:
        verb: ``"train"`` or ``"export"``.
        run_path: The run's directory.
        log: File its output is appended to.

    Raises:
        StoreError: The log cannot be written.
    """
    return start_process(["pneumo_core.worker", verb, str(run_path)], log)


def start_process(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start ``python -m ARGUMENTS`` apart from this process, its output appended to `log`.

    Raises:
        StoreError: The log cannot be written.
    """
    with store_errors(log), log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=_PROJECT,
            env={
                **os.environ,
                "PNEUMO_ARTIFACTS": str(settings().artifacts),
            },  # A relative path would mean another folder.
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # A child that nobody waits for stays a zombie for as long as the app runs.
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()
    return process
