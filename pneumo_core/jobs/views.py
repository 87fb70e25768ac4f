"""Views of runs: submitted config, current state, and position in the queue."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from pneumo_core.config.classifier import Balance, TrainConfig
from pneumo_core.config.run import RunConfig
from pneumo_core.errors import ConfigError, RunError, StoreError
from pneumo_core.jobs.ray_jobs import job_state
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import is_there
from pneumo_core.runs.status import Status, read_status, run_state
from pneumo_core.runs.store import RunDirectory, find_run, list_runs, read_manifest
from pneumo_core.runs.submission import RunData, read_submission

_UNRECORDED: Final = RunData()


@dataclass(frozen=True, slots=True)
class RunView:
    """Config and state of a run, read at one moment.

    Attributes:
        run: Its directory.
        state: Its state, from its files or, for a job whose worker has not written yet, from the cluster.
        config: Submitted config, or None if it cannot be read.
        data: Submitted data set.
        submitted_at: Unix time of the first submission, in seconds.
        status: Last status of its worker, or None if it cannot be read.
        problem: One line on damaged files or an unreachable cluster, or "".
    """

    run: RunDirectory
    state: RunState
    config: RunConfig | None = None
    data: RunData = _UNRECORDED
    submitted_at: float = 0.0
    status: Status | None = None
    problem: str = ""

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.run.run_id

    @property
    def is_gan(self) -> bool:
        """Whether it trains a DCGAN, not a classifier."""
        return self.run.architecture is Architecture.DCGAN

    @property
    def is_resumable(self) -> bool:
        """Whether `resume` would start it."""
        return self.state in {RunState.INTERRUPTED, RunState.CANCELLED, RunState.FAILED, RunState.TRAINED}


def view(run_id: str) -> RunView:
    """View of a run; damaged files and an unreachable cluster are reported in `problem`, not raised.

    Raises:
        RunNotFoundError: There is no such run.
    """
    return view_of(find_run(run_id))


def view_of(run: RunDirectory) -> RunView:
    """`view` of a run whose directory is known."""
    state = run_state(run)
    problem = ""
    if state in {RunState.INTERRUPTED, RunState.TRAINED} and is_there(run.executor):
        try:
            state = job_state(run, state)
        except (ConfigError, RunError, StoreError) as error:
            problem = str(error)
    status = None
    try:
        if run.status.exists():
            status = read_status(run)
    except StoreError as error:
        # A finished run no longer needs its status, and a stopped one writes a new status when it is resumed.
        problem = problem if state is not RunState.FAILED else str(error)
    try:
        if state is RunState.SUCCEEDED:
            read_manifest(run)
        submission = read_submission(run)
    except (StoreError, ConfigError) as error:
        return RunView(run, state, status=status, problem=str(error))
    return RunView(run, state, submission.config, submission.data, submission.submitted_at, status, problem)


def views() -> list[RunView]:
    """Every run, newest first."""
    return sorted(map(view_of, list_runs()), key=lambda item: item.submitted_at, reverse=True)


def live_views() -> list[RunView]:
    """The runs that work or wait, newest first; much cheaper than `views` where most runs are finished."""
    found = [view_of(run) for run in list_runs() if not is_there(run.manifest)]
    return [item for item in found if item.state.is_live]


def study_of(found: RunView) -> tuple[TrainConfig, str] | None:
    """What a classifier has in common with those that it is compared with: all but seed, held-out patients and balancing.

    Returns:
        A config and the data set's id; None for a DCGAN and for a run whose config cannot be read.
    """
    config = found.config
    if not isinstance(config, TrainConfig):
        return None
    common = replace(
        config, seed=0, split_seed=None, named_split=None, balance=Balance.NONE, gan_run=None, gap_percent=100
    )
    return common, found.data.data_id


def queue_places(known: Iterable[RunView]) -> dict[str, int]:
    """Position in the queue of each waiting run, from 1.

    Args:
        known: Every run, from `views`.
    """
    waiting = [item for item in known if item.state is RunState.QUEUED]
    waiting.sort(key=lambda item: item.status.ticket if item.status else float("inf"))
    return {item.run_id: place for place, item in enumerate(waiting, start=1)}
