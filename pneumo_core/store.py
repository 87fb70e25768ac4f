"""Layout of artifacts/: where files lie, how they are written whole or not at all, and what a run's files say of its state.

A run is a directory. Its state is read from four facts (manifest there? lock held? status? weights whole?) and never from a
process id, so a kill at any instant leaves a state that can be told and recovered.
"""

import errno
import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from pneumo_core.errors import CorruptError, RunError, RunNotFoundError, StoreError
from pneumo_core.records import RunState
from pneumo_core.settings import settings

__all__ = [
    "RunDirectory",
    "Status",
    "append_event",
    "datasets_root",
    "file_sha256",
    "find_run",
    "hold_lock",
    "list_runs",
    "lock_is_held",
    "make_directory",
    "next_ticket",
    "published_root",
    "read_events",
    "read_json",
    "read_manifest",
    "read_status",
    "read_trained",
    "run_directory",
    "run_state",
    "slot_lock",
    "store_errors",
    "update_status",
    "verified_file",
    "write_atomic",
    "write_json",
    "write_manifest",
    "write_status",
]

_RUN_ID: Final = re.compile(r"(baseline|vgg16|dcgan)-[0-9a-f]{12}")


# --- Files, whole or not at all ---------------------------------------------------------------------------------------


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals into one-line `StoreError`s that name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            advice = "the disk is full; free some space and try again, finished work is kept"
        elif error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            advice = "the folder is not writable; set PNEUMO_ARTIFACTS to a folder that is"
        else:
            advice = f"the system says: {error.strerror or error}"
        raise StoreError(f"artifacts must be readable and writable. Received: path={str(path)!r}; {advice}") from error


def _is_there(path: Path) -> bool:
    with store_errors(path):  # `exists` raises where a folder above may not be entered.
        return path.exists()


def make_directory(path: Path) -> Path:
    """Create a folder and its parents where missing, and return it.

    Raises:
        StoreError: The folder cannot be created.
    """
    with store_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def write_atomic(path: Path, data: bytes | str) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a part.

    Raises:
        StoreError: The disk is full, the folder is read-only, or the like; the old file is untouched.
    """
    payload = data.encode() if isinstance(data, str) else data
    make_directory(path.parent)
    with store_errors(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            partial.chmod(0o644)  # mkstemp makes the file private, but artifacts may be shared between users.
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step.

    Raises:
        StoreError: See `write_atomic`.
    """
    write_atomic(path, json.dumps(value, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        CorruptError: The file is not JSON.
        StoreError: The file cannot be read.
    """
    try:
        with store_errors(path):
            return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # The second for thousands of open brackets.
        raise CorruptError(
            f"{path.name} must hold JSON. Received: path={str(path)!r}, which does not parse: {error}"
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        StoreError: The file cannot be read.
    """
    with store_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- Locks ------------------------------------------------------------------------------------------------------------


@contextmanager
def hold_lock(path: Path, timeout_s: float = 5.0) -> Iterator[None]:
    """Hold a file lock; it is released when the block ends or the process dies, however it dies.

    The default waits because `lock_is_held` takes a free lock for a moment.

    Raises:
        RunError: Another process held the lock for all of `timeout_s`.
        StoreError: The lock file cannot be created.
    """
    make_directory(path.parent)
    lock = FileLock(path)
    with store_errors(path):
        try:
            lock.acquire(timeout=timeout_s, poll_interval=0.02)
        except Timeout as error:  # An OSError itself, so it must be caught first.
            held = f"only one process at a time may hold a lock. Received: lock={str(path)!r}, which is held"
            raise RunError(held) from error
    try:
        yield
    finally:
        lock.release()


def lock_is_held(path: Path) -> bool:
    """Whether some process holds the lock right now.

    Raises:
        StoreError: The lock file is there but cannot be opened.
    """
    if not _is_there(path):
        return False
    lock = FileLock(path)
    with store_errors(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
    lock.release()
    return False


# --- Layout -----------------------------------------------------------------------------------------------------------


def _runs_root() -> Path:
    return settings().artifacts / "runs"


def published_root() -> Path:
    """Folder of the finished runs that ship with the project."""
    # Published runs are part of the checkout: they stay in reach when PNEUMO_ARTIFACTS points elsewhere.
    return Path(__file__).resolve().parent.parent / "artifacts" / "published"


def slot_lock() -> Path:
    """Lock of the one run that works at a time; the others wait for it."""
    return _runs_root() / "slot.lock"


def next_ticket() -> int:
    """A new place at the end of the queue. A counter and not a time, because clocks can be set back.

    Raises:
        StoreError: The counter cannot be written.
    """
    path = _runs_root() / "tickets.json"
    with hold_lock(path.with_suffix(".lock")):
        try:
            last = int(read_json(path))
        except (StoreError, TypeError, ValueError, OverflowError):
            # Missing or damaged: go on behind every ticket that was given.
            tickets = (_ticket_of(RunDirectory(config.parent)) for config in _runs_root().glob("*/config.json"))
            last = max(tickets, default=0)
        write_json(path, last + 1)
    return last + 1


def _ticket_of(run: "RunDirectory") -> int:
    try:
        return read_status(run).ticket
    except StoreError:
        return 0


def datasets_root() -> Path:
    """Folder of data set indexes, array caches, phantoms and downloads."""
    return settings().artifacts / "datasets"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths of one run.

    Attributes:
        path: The directory; its name is the run id.
    """

    path: Path

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.path.name

    @property
    def is_published(self) -> bool:
        """Whether the run ships with the project (and is never written to)."""
        return self.path.parent == published_root()

    @property
    def config(self) -> Path:
        """What was asked for, written once by submit."""
        return self.path / "config.json"

    @property
    def submit_lock(self) -> Path:
        """Held by submit until the worker has confirmed `run_lock`."""
        return self.path / "submit.lock"

    @property
    def run_lock(self) -> Path:
        """Held by the worker for its life."""
        return self.path / "run.lock"

    @property
    def status(self) -> Path:
        """What the worker said last."""
        return self.path / "status.json"

    @property
    def events(self) -> Path:
        """One JSON line an epoch and a throttled line a batch."""
        return self.path / "events.jsonl"

    @property
    def log(self) -> Path:
        """The worker's output."""
        return self.path / "worker.log"

    @property
    def cancel(self) -> Path:
        """Empty file: a request to stop."""
        return self.path / "cancel"

    @property
    def backup(self) -> Path:
        """Folder of what resume needs."""
        return self.path / "backup"

    @property
    def weights(self) -> Path:
        """Best weights of a trained model."""
        return self.path / "weights.weights.h5"

    @property
    def trained(self) -> Path:
        """Facts of the finished training, with the weights' hash: it exists = training is complete."""
        return self.path / "trained.json"

    @property
    def model(self) -> Path:
        """Exported model."""
        return self.path / "model.onnx"

    @property
    def predictions(self) -> Path:
        """Logit of each validation and test image: the evidence."""
        return self.path / "predictions.parquet"

    @property
    def distribution(self) -> Path:
        """What the features of images like the run's own look like."""
        return self.path / "distribution.npz"

    @property
    def report(self) -> Path:
        """EvaluationReport as JSON."""
        return self.path / "report.json"

    @property
    def manifest(self) -> Path:
        """Hashes and facts, written last: it exists = the run is complete."""
        return self.path / "manifest.json"


def run_directory(run_id: str) -> RunDirectory:
    """Where a run of this id lies or would lie: finished published runs first, then local ones.

    Raises:
        RunNotFoundError: The id is not of the form ``<architecture>-<12 hexadecimal digits>``.
        StoreError: The artifacts cannot be read.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise RunNotFoundError(
            f"a run id looks like 'baseline-0123456789ab'. Received: run_id={run_id!r}; 'runs list' shows the known ones"
        )
    local = RunDirectory(_runs_root() / run_id)
    published = RunDirectory(published_root() / run_id)
    return published if _is_there(published.manifest) and not _is_there(local.manifest) else local


def find_run(run_id: str) -> RunDirectory:
    """The directory of an existing run.

    Raises:
        RunNotFoundError: The id is malformed or nothing was ever submitted under it.
        StoreError: The artifacts cannot be read.
    """
    run = run_directory(run_id)
    if not _is_there(run.config):
        raise RunNotFoundError(
            f"run_id must name an existing run. Received: run_id={run_id!r}; 'runs list' shows the known ones"
        )
    return run


def list_runs() -> list[RunDirectory]:
    """Every run with a config, local and published, newest first.

    Raises:
        StoreError: The artifacts cannot be read.
    """
    ids = {
        path.parent.name
        for root in (_runs_root(), published_root())
        for path in root.glob("*/config.json")
        if _RUN_ID.fullmatch(path.parent.name)
    }
    # A published run counts only where it is whole, so the directory of an id may be another one than was found.
    runs = [run for run in map(run_directory, ids) if _is_there(run.config)]
    with store_errors(_runs_root()):
        return sorted(runs, key=lambda run: (run.config.stat().st_mtime, run.run_id), reverse=True)


# --- Status, state and manifest ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """What a run's worker said last.

    Attributes:
        state: State it was in then; `run_state` says what is true now.
        ticket: Place in the queue; smaller is earlier.
        updated_at: Unix time of this status, in seconds.
        epoch: Epochs finished.
        epochs: Most epochs there will be.
        step: Batches finished in the current epoch.
        steps: Batches an epoch.
        message: What is being done, for people.
        error: One line on why the run failed, or "".
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


_BLANK: Final = Status(RunState.QUEUED, ticket=0)  # An example of each field's type.


def write_status(run: RunDirectory, status: Status) -> None:
    """Replace the run's status, stamped with the current time.

    Raises:
        StoreError: The status cannot be written.
    """
    write_json(run.status, asdict(replace(status, updated_at=time.time())))


def read_status(run: RunDirectory) -> Status:
    """What the run's worker said last.

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
        CorruptError: The present status is not readable.
        StoreError: The status cannot be written.
    """
    status = replace(read_status(run), **changes)
    write_status(run, status)
    return status


def run_state(run: RunDirectory) -> RunState:
    """The run's state, from its files alone.

    A manifest means succeeded; a held lock means whatever the worker said; without either the run stopped, and how it
    stopped is in the status. A status that cannot be read counts as interrupted, because resuming loses nothing.

    Raises:
        StoreError: The run's files cannot be read.
    """
    if _is_there(run.manifest):
        return RunState.SUCCEEDED
    try:
        said = read_status(run).state
    except CorruptError:
        said = RunState.INTERRUPTED
    except StoreError:
        said = RunState.INTERRUPTED if not _is_there(run.status) else RunState.FAILED
    if lock_is_held(run.run_lock):
        return said if said.is_live else RunState.QUEUED
    if _is_there(run.manifest):  # The worker may have finished between the two looks.
        return RunState.SUCCEEDED
    if said in {RunState.FAILED, RunState.CANCELLED}:
        return said
    if _is_there(run.trained) and _is_there(run.weights):
        return RunState.TRAINED
    return RunState.INTERRUPTED


# What a manifest vouches for: everything that stays, save what may still be appended to.
_NOT_IN_MANIFEST: Final = {"manifest.json", "worker.log", "status.json", "submit.lock", "run.lock", "cancel"}


def write_manifest(run: RunDirectory, facts: dict[str, Any]) -> None:
    """Declare the run complete: hash every file it keeps and write the manifest, the last file of a run.

    Args:
        run: The run.
        facts: Parameter counts, versions, backend, device, seed, durations, peak memory; plain data.

    Raises:
        StoreError: A file cannot be read or the manifest cannot be written.
    """
    with store_errors(run.path):
        files = sorted(path for path in run.path.iterdir() if path.is_file() and path.name not in _NOT_IN_MANIFEST)
    hashes = {path.name: file_sha256(path) for path in files if not path.name.startswith(".")}
    write_json(run.manifest, {"run_id": run.run_id, **facts, "files": hashes})


def read_manifest(run: RunDirectory) -> dict[str, Any]:
    """The manifest of a finished run.

    Raises:
        RunError: The run is not finished.
        CorruptError: The manifest is not what was written.
    """
    if not _is_there(run.manifest):
        raise RunError(f"the run must be finished. Received: run_id={run.run_id!r}, state={run_state(run).value}")
    manifest = read_json(run.manifest)
    if not (
        isinstance(manifest, dict)
        and isinstance(files := manifest.get("files"), dict)
        and all(isinstance(sha256, str) for sha256 in files.values())
    ):
        raise CorruptError(
            f"manifest.json must hold an object with 'files' and their hashes. Received: path={str(run.manifest)!r}; "
            "delete it and resume the run to finish it anew"
        )
    return manifest


def read_trained(run: RunDirectory) -> dict[str, Any]:
    """Facts of a finished training, after checking that its weights are the ones that were written.

    Raises:
        CorruptError: The facts or the weights are not what was written.
        StoreError: They cannot be read.
    """
    trained = read_json(run.trained)
    if not isinstance(trained, dict) or trained.get("weights_sha256") != file_sha256(run.weights):
        raise CorruptError(
            f"trained.json must vouch for the weights beside it. Received: run_id={run.run_id!r}, whose weights differ; "
            "delete trained.json and resume the run to train it anew"
        )
    return trained


def verified_file(run: RunDirectory, path: Path) -> bytes:
    """Bytes of one of a finished run's files, checked against the manifest.

    Raises:
        RunError: The run is not finished, or has no such file.
        CorruptError: The file is not the one that was written.
    """
    expected = read_manifest(run)["files"].get(path.name)
    if expected is None:
        raise RunError(f"the run's manifest must list {path.name}. Received: run_id={run.run_id!r}, which has none")
    with store_errors(path):
        data = path.read_bytes()
    received = hashlib.sha256(data).hexdigest()
    if received != expected:
        raise CorruptError(
            f"{path.name} must have the SHA-256 of the manifest, {expected[:12]}. Received: run_id={run.run_id!r}, "
            f"sha256={received[:12]}; delete manifest.json and resume the run to finish it anew"
        )
    return data


# --- Events -----------------------------------------------------------------------------------------------------------


def append_event(run: RunDirectory, event: dict[str, Any]) -> None:
    """Append one line to the run's events.

    Raises:
        StoreError: The line cannot be written.
    """
    with store_errors(run.events), run.events.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")  # A kill in the middle of a line must not swallow the next one.
        file.write(json.dumps(event).encode() + b"\n")


def read_events(run: RunDirectory) -> list[dict[str, Any]]:
    """The run's events in order; a line that a kill cut short is left out.

    Raises:
        StoreError: The file is there but cannot be read.
    """
    if not _is_there(run.events):
        return []
    with store_errors(run.events):
        lines = run.events.read_bytes().splitlines()
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events
