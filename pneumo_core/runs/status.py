"""State of a run, derived from its files, and the status and events that its worker writes.

The state follows from four facts (manifest present? lock held? status? weights complete?) and never from a process id, so a
kill at any instant leaves a state that can be recognized and recovered.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from pneumo_core.errors import CancelledError, CorruptError, StoreError
from pneumo_core.records import RunState
from pneumo_core.runs.files import hold_lock, is_there, lock_is_held, read_json, store_errors, write_json
from pneumo_core.runs.store import RunDirectory, runs_root


@dataclass(frozen=True, slots=True)
class Status:
    """Last status that a run's worker wrote.

    Attributes:
        state: State at that time; `run_state` gives the current one.
        ticket: Position in the queue; smaller is earlier.
        updated_at: Unix time of this status, in seconds.
        epoch: Epochs finished.
        epochs: Maximum number of epochs.
        step: Batches finished in the current epoch.
        steps: Batches per epoch.
        message: Current activity, for people.
        error: Reason of a failure in one line, or "".
    """

    state: RunState
    ticket: int
    updated_at: float = 0.0
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    message: str = ""
    error: str = ""

    @property
    def fraction(self) -> float:
        """Fraction of the epochs that is finished, in [0, 1]; early stopping may make it jump."""
        step = self.step / max(1, self.steps) if self.epoch < self.epochs else 0.0
        return min(1.0, (self.epoch + step) / max(1, self.epochs))


_BLANK: Final = Status(RunState.QUEUED, ticket=0)  # An example of each field's type.


def write_status(run: RunDirectory, status: Status) -> None:
    """Replace the run's status, stamped with the current time.

    Raises:
        StoreError: The status cannot be written.
    """
    write_json(run.status, asdict(replace(status, updated_at=time.time())))


def read_status(run: RunDirectory) -> Status:
    """Read the last status that the run's worker wrote.

    Raises:
        CorruptError: The file is not a status.
        StoreError: The file cannot be read.
    """
    data = read_json(run.status)
    try:
        status = Status(**{**data, "state": RunState(data["state"])})
        for field in fields(Status):
            value, kind = getattr(status, field.name), type(getattr(_BLANK, field.name))
            if not isinstance(value, (int, float) if kind is float else kind):
                raise TypeError(f"{field.name}={value!r}")
    except (TypeError, KeyError, ValueError) as error:
        names = [field.name for field in fields(Status)]
        reason = " ".join(str(error).split())
        raise CorruptError(
            f"status.json must hold {names}, each of its type. Received: path={str(run.status)!r}: {reason}"
        ) from error
    return status


def update_status(run: RunDirectory, **changes: Any) -> Status:
    """Change some fields of the run's status and return the new one.

    Raises:
        CorruptError: The current status is damaged.
        StoreError: The status cannot be written.
    """
    status = replace(read_status(run), **changes)
    write_status(run, status)
    return status


def stop_if_cancelled(run: RunDirectory) -> None:
    """Stop a run that was cancelled; long computations call this regularly.

    Raises:
        CancelledError: The run was cancelled.
    """
    if run.cancel.exists():
        raise CancelledError(f"the run was cancelled. Received: run_id={run.run_id!r}")


def run_state(run: RunDirectory) -> RunState:
    """The run's state, from its files alone.

    With a manifest the run succeeded; with a held lock the state is the status'. With neither the run has stopped, and the
    status gives the reason. A status that cannot be read counts as interrupted, because resuming loses nothing.

    Raises:
        StoreError: The run's files cannot be read.
    """
    if is_there(run.manifest):
        return RunState.SUCCEEDED
    try:
        recorded = read_status(run).state
    except CorruptError:
        recorded = RunState.INTERRUPTED
    except StoreError:
        recorded = RunState.INTERRUPTED if not is_there(run.status) else RunState.FAILED
    if lock_is_held(run.run_lock):
        return recorded if recorded.is_live else RunState.QUEUED
    if is_there(run.manifest):  # The worker may have finished since the first check.
        return RunState.SUCCEEDED
    if recorded in {RunState.FAILED, RunState.CANCELLED}:
        return recorded
    if is_there(run.trained) and is_there(run.weights):
        return RunState.TRAINED
    return RunState.INTERRUPTED


def next_ticket() -> int:
    """Take the next position in the queue. It is a counter and not a time, because clocks can be set back.

    Raises:
        StoreError: The counter cannot be written.
    """
    path = runs_root() / "tickets.json"
    with hold_lock(path.with_suffix(".lock")):
        try:
            last = int(read_json(path))
        except (StoreError, TypeError, ValueError, OverflowError):
            # Missing or damaged: continue after the largest ticket in use.
            tickets = (_ticket_of(RunDirectory(config.parent)) for config in runs_root().glob("*/config.json"))
            last = max(tickets, default=0)
        write_json(path, last + 1)
    return last + 1


def _ticket_of(run: RunDirectory) -> int:
    try:
        return read_status(run).ticket
    except StoreError:
        return 0


def append_event(run: RunDirectory, event: dict[str, Any]) -> None:
    """Append one line to the run's events.

    Raises:
        StoreError: The line cannot be written.
    """
    with store_errors(run.events), run.events.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")  # A kill may have truncated the last line.
        file.write(json.dumps(event).encode() + b"\n")


def read_events(run: RunDirectory) -> list[dict[str, Any]]:
    """The run's events in order, without lines that a kill truncated.

    Raises:
        StoreError: The file exists but cannot be read.
    """
    if not is_there(run.events):
        return []
    with store_errors(run.events):
        lines = run.events.read_bytes().splitlines()
    events = []
    for line in lines:
        with suppress(ValueError):
            events.append(json.loads(line))
    return [event for event in events if isinstance(event, dict)]
