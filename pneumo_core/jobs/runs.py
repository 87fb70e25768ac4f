"""Submitting runs and asking after them.

`submit` is idempotent: a finished run is returned, a live one is joined, anything else is started or resumed. Two clicks,
two tabs and two people therefore cannot train the same thing twice.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pneumo_core.config import TrainConfig, config_from_dict, config_to_dict, run_id
from pneumo_core.data.index import DataIndex, load_index, require_trainable
from pneumo_core.errors import ConfigError, CorruptError, RunError, StoreError
from pneumo_core.files import hold_lock, lock_is_held, make_directory, read_json, store_errors, write_json
from pneumo_core.jobs.local import start_worker
from pneumo_core.records import RunState
from pneumo_core.status import Status, next_ticket, read_status, run_state, write_status
from pneumo_core.store import RunDirectory, find_run, list_runs, read_manifest, run_directory

__all__ = ["RunView", "cancel", "export", "resume", "submit", "view", "views"]

_START_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as people see it.

    Attributes:
        run: Its directory.
        state: Its state, from its files.
        config: What was asked for, or None where that cannot be read.
        data: The data set it was asked for: `data_id`, `root`, `is_phantom`.
        submitted_at: Unix time of the first submission, in seconds.
        status: What its worker said last, or None where that cannot be read.
        problem: One line on what is wrong with its files, or "".
    """

    run: RunDirectory
    state: RunState
    config: TrainConfig | None = None
    data: dict[str, Any] = field(default_factory=dict)
    submitted_at: float = 0.0
    status: Status | None = None
    problem: str = ""

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.run.run_id

    @property
    def is_resumable(self) -> bool:
        """Whether `resume` would start it."""
        return self.state in {RunState.INTERRUPTED, RunState.CANCELLED, RunState.FAILED, RunState.TRAINED}


def submit(config: TrainConfig, index: DataIndex) -> RunView:
    """Start a run, or join or return the one that is already there. Returns at once, without waiting for the training.

    Args:
        config: What to train.
        index: The data set, indexed (and so stored) before.

    Raises:
        DataError: The data set lacks a class or a split.
        StoreError: The run's directory cannot be written.
        RunError: The worker did not start.
    """
    require_trainable(index)
    run = run_directory(run_id(config, index.data_id))
    if not run.manifest.exists():
        make_directory(run.path)
        with hold_lock(run.submit_lock, timeout_s=_START_TIMEOUT_S):
            if not run.config.exists() or view(run.run_id).config != config:  # Missing, or damaged since.
                data = {"data_id": index.data_id, "root": str(index.root), "is_phantom": index.is_phantom}
                asked = {
                    "run_id": run.run_id,
                    "config": config_to_dict(config),
                    "data": data,
                    "submitted_at": time.time(),
                }
                write_json(run.config, asked)
            _start(run, "train")
    return view(run.run_id)


def resume(run_id: str) -> RunView:
    """Go on with a run that was interrupted, was cancelled, failed, or is trained but not exported.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: The run is finished or still going, or its worker did not start.
        DataError: The data set's index is gone.
    """
    current = view(run_id)
    if not current.is_resumable:
        raise RunError(f"only a stopped run can be resumed. Received: run_id={run_id!r}, state={current.state.value}")
    if current.problem:
        raise CorruptError(current.problem)
    load_index(current.data["data_id"])  # Says now what the worker would only say in its log.
    with hold_lock(current.run.submit_lock, timeout_s=_START_TIMEOUT_S):
        _start(current.run, "train")
    return view(run_id)


def export(run_id: str) -> RunView:
    """Finish a trained run: export, predict, evaluate. Used where training ran on a machine without TensorFlow.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: The run is not in the state *trained*, or its worker did not start.
    """
    current = view(run_id)
    if current.state is not RunState.TRAINED:
        raise RunError(f"only a trained run can be exported. Received: run_id={run_id!r}, state={current.state.value}")
    with hold_lock(current.run.submit_lock, timeout_s=_START_TIMEOUT_S):
        _start(current.run, "export")
    return view(run_id)


def cancel(run_id: str) -> RunView:
    """Ask a live run to stop; it does so within a batch, and can be resumed from its last epoch.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: The run is not going.
    """
    current = view(run_id)
    if not current.state.is_live:
        raise RunError(
            f"only a run that is going can be cancelled. Received: run_id={run_id!r}, state={current.state.value}"
        )
    with store_errors(current.run.cancel):
        current.run.cancel.touch()
    return current


def view(run_id: str) -> RunView:
    """A run as people see it; damaged files are told in `problem`, not raised.

    Raises:
        RunNotFoundError: There is no such run.
    """
    run = find_run(run_id)
    state = run_state(run)
    problem = ""
    status = None
    try:
        if run.status.exists():
            status = read_status(run)
    except StoreError as error:
        # A finished run needs its status no more, and a stopped one starts a new status when it is resumed.
        problem = "" if state is not RunState.FAILED else str(error)
    try:
        if state is RunState.SUCCEEDED:
            read_manifest(run)
        asked = read_json(run.config)
        config = config_from_dict(asked["config"])
        return RunView(run, state, config, dict(asked["data"]), float(asked["submitted_at"]), status, problem)
    except (StoreError, ConfigError) as error:
        return RunView(run, state, status=status, problem=str(error))
    except (KeyError, TypeError, ValueError) as error:
        return RunView(
            run,
            state,
            status=status,
            problem=f"config.json must hold a submitted config. Received: {run.run_id!r}: {error!r}",
        )


def views() -> list[RunView]:
    """Every run, newest first."""
    return sorted((view(run.run_id) for run in list_runs()), key=lambda item: item.submitted_at, reverse=True)


def _start(run: RunDirectory, verb: str) -> None:
    """Start the worker unless the run is finished or has one; `submit_lock` is held."""
    if run.manifest.exists() or lock_is_held(run.run_lock):
        return
    run.cancel.unlink(missing_ok=True)
    write_status(run, Status(RunState.QUEUED, ticket=next_ticket(), message="starting"))
    process = start_worker(verb, run.path, run.log)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if lock_is_held(run.run_lock) or process.poll() is not None:
            break
        time.sleep(0.05)
    else:
        process.kill()  # Or it would start after all, when nobody expects it any more.
        raise RunError(
            f"the worker must start within {_START_TIMEOUT_S:.0f} s. Received: run_id={run.run_id!r}; see {run.log}"
        )
    if process.poll() not in {None, 0} and run_state(run) is RunState.INTERRUPTED:
        raise RunError(f"the worker must start. Received: exit status {process.poll()}: {_last_line(run.log)}")


def _last_line(log: Path) -> str:
    with store_errors(log):
        lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
