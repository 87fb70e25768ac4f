"""Starting and stopping runs; `view` and `views`, re-exported here, give their state.

`submit` is idempotent: a finished run is returned, a live one is joined, any other is started or resumed. Two clicks, two
tabs and two people therefore cannot train the same config twice.
"""

import shutil
import time
from contextlib import suppress
from enum import StrEnum

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.run import RunConfig, run_id
from pneumo_core.data.gan_arm import require_gan
from pneumo_core.data.index import DataIndex, load_index, require_trainable
from pneumo_core.data.splits import require_learnable, require_split_fits
from pneumo_core.errors import CorruptError, RunError, StoreError
from pneumo_core.evaluation.wording import file_size
from pneumo_core.jobs.clean import clean
from pneumo_core.jobs.cost import required_bytes
from pneumo_core.jobs.local import START_TIMEOUT_S, start_and_wait, worker_arguments, worker_environment
from pneumo_core.jobs.ray_jobs import job_log, require_ray, start_job, stop_job
from pneumo_core.jobs.views import RunView, queue_places, view, view_of, views
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import hold_lock, is_there, make_directory, store_errors, write_atomic
from pneumo_core.runs.status import Status, next_ticket, run_state, write_status
from pneumo_core.runs.store import RunDirectory, directory_to_train, find_run, runs_root
from pneumo_core.runs.submission import RunData, Submission, write_submission
from pneumo_core.settings import named_vgg16_weights

__all__ = ["Executor", "RunView", "cancel", "export", "logs", "queue_places", "resume", "submit", "view", "views"]


class Executor(StrEnum):
    """Where a run's worker runs: on this machine, or as a job of the Ray cluster at `PNEUMO_RAY_ADDRESS`."""

    LOCAL = "local"
    RAY = "ray"


def submit(config: RunConfig, index: DataIndex, *, executor: Executor = Executor.LOCAL) -> RunView:
    """Start a run, or join or return the one that is already there. Returns at once, without waiting for its end.

    Args:
        config: What to train, or an ensemble (`inference.ensemble.ensemble_of`).
        index: The data set, indexed (and so stored) before.
        executor: Where to start it; a live run stays where it is.

    Raises:
        DataError: The data set lacks a class or a split.
        ConfigError: A setting cannot be used, or the config's DCGAN does not suit it.
        StoreError: The run's directory cannot be written, or the disk has too little space.
        RunError: The worker did not start, or Ray does not answer; or the config's DCGAN is missing, or not finished.
    """
    if isinstance(config, TrainConfig):
        require_trainable(index)
        require_gan(config, index)
    elif isinstance(config, GanConfig):
        require_learnable(index, config)
    split = None if config.named_split is None else require_split_fits(config.named_split, index)
    run = directory_to_train(run_id(config, index.data_id))
    if not is_there(run.manifest):
        make_directory(run.path)
        with hold_lock(run.submit_lock, timeout_s=START_TIMEOUT_S):
            known = view_of(run) if is_there(run.config) else None
            is_needed = known is None or known.is_resumable
            if is_needed:
                _prepare(executor, config, index)
            if known is None or known.config != config:  # Missing, or damaged since.
                if split is not None:  # The run keeps it, whatever becomes of the stored one.
                    write_atomic(run.split, split.content())
                data = RunData(index.data_id, str(index.root), index.is_phantom)
                write_submission(run, Submission(config, data, time.time()))
            if is_needed:
                _start(run, "train", executor)
    return view_of(run)


def resume(run_id: str, *, executor: Executor | None = None) -> RunView:
    """Resume a run that was interrupted, was cancelled, failed, or is trained but not exported.

    Args:
        run_id: The run.
        executor: Where to resume it, or None for where it was.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: The run is finished or live, its worker did not start, or Ray does not answer.
        ConfigError: A setting cannot be used.
        DataError: The data set's index is missing.
        StoreError: The run's files are damaged or cannot be written, or the disk has too little space.
    """
    current = view(run_id)
    if not current.is_resumable:
        raise RunError(f"only a stopped run can be resumed. Received: run_id={run_id!r}, state={current.state.value}")
    if current.config is None:
        raise CorruptError(current.problem)
    index = load_index(current.data.data_id)  # Fails here instead of in the worker's log.
    chosen = executor or (Executor.RAY if is_there(current.run.executor) else Executor.LOCAL)
    with hold_lock(current.run.submit_lock, timeout_s=START_TIMEOUT_S):
        if view_of(current.run).is_resumable:  # Another process may have been faster.
            _prepare(chosen, current.config, index)
            _start(current.run, "train", chosen)
    return view_of(current.run)


def export(run_id: str) -> RunView:
    """Finish a trained run: export, predict, evaluate. Used where training ran on a machine without TensorFlow.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: The run is not in the state *trained*, or its worker did not start.
        ConfigError: A setting cannot be used.
    """
    current = view(run_id)
    if current.state is not RunState.TRAINED:
        raise RunError(f"only a trained run can be exported. Received: run_id={run_id!r}, state={current.state.value}")
    with hold_lock(current.run.submit_lock, timeout_s=START_TIMEOUT_S):
        if view_of(current.run).is_resumable:
            _start(current.run, "export", Executor.LOCAL)
    return view_of(current.run)


def cancel(run_id: str) -> RunView:
    """Request that a live run stops; it does so within a batch and can be resumed from its last epoch. Idempotent.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: The run is neither live nor cancelled. Or Ray does not answer; a worker that can still read its run's
            directory stops all the same.
    """
    current = view(run_id)
    if current.state is RunState.CANCELLED:
        return current
    if not current.state.is_live:
        raise RunError(f"only a live run can be cancelled. Received: run_id={run_id!r}, state={current.state.value}")
    with store_errors(current.run.cancel):
        current.run.cancel.touch()
    if is_there(current.run.executor):
        stop_job(current.run)
    return view_of(current.run)


def logs(run_id: str) -> str:
    """Output of a run's worker, or the cluster's log of the job if the worker has not started.

    Raises:
        RunNotFoundError: There is no such run.
        ConfigError: `PNEUMO_RAY_ADDRESS` is missing or cannot be used.
        RunError: Ray does not answer.
        StoreError: The log cannot be read.
    """
    run = find_run(run_id)
    text = ""
    if is_there(run.log):
        with store_errors(run.log):
            text = run.log.read_text(errors="replace")
    return job_log(run) if not text and is_there(run.executor) else text


def _prepare(executor: Executor, config: RunConfig, index: DataIndex) -> None:
    """Free disk space and refuse a run that cannot work. `submit_lock` is held, which protects this run's backup."""
    worker_environment()
    # VGG16 starts from these weights, and a DCGAN's samples are measured with VGG16's features.
    if config.architecture in {Architecture.VGG16, Architecture.DCGAN}:
        named_vgg16_weights()
    if executor is Executor.RAY:
        require_ray()
    with suppress(StoreError):  # Housekeeping must not keep a run from starting.
        clean()
    needed = required_bytes(config, index)
    root = make_directory(runs_root())
    with store_errors(root):
        free = shutil.disk_usage(root).free
    if free < needed:
        raise StoreError(
            f"a run needs {file_size(needed)} of disk. Received: path={str(root)!r} with {file_size(free)} free; "
            "free some, 'runs clean' lists old backups, or set PNEUMO_ARTIFACTS to a folder with more"
        )


def _start(run: RunDirectory, verb: str, executor: Executor) -> None:
    """Start the worker of a run that has none; `submit_lock` is held."""
    with store_errors(run.path):
        run.cancel.unlink(missing_ok=True)
        run.executor.unlink(missing_ok=True)
    write_status(run, Status(RunState.QUEUED, ticket=next_ticket(), message="starting"))
    if executor is Executor.RAY:
        start_job(run, verb)
        return
    start_and_wait(
        worker_arguments(verb, run.path),
        run.log,
        name="worker",
        error=RunError,
        # It holds its lock, or has ended and written its state.
        has_started=lambda: run_state(run) not in {RunState.INTERRUPTED, RunState.TRAINED},
        environment=worker_environment(),
    )
