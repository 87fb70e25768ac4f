"""Layout of artifacts/: where the files of runs and data sets lie, and the manifest that vouches for a run's."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pneumo_core.errors import CorruptError, RunError, RunNotFoundError
from pneumo_core.records import Architecture
from pneumo_core.runs.files import file_sha256, is_there, parse_json, read_json, store_errors, write_json
from pneumo_core.settings import settings

_RUN_ID: Final = re.compile(r"(baseline|vgg16|dcgan)-[0-9a-f]{12}")


def runs_root() -> Path:
    """Folder of the local runs."""
    return settings().artifacts / "runs"


def published_root() -> Path:
    """Folder of the finished runs that ship with the project."""
    # Published runs are part of the checkout: they stay in reach when PNEUMO_ARTIFACTS points elsewhere.
    return Path(__file__).resolve().parents[2] / "artifacts" / "published"


def slot_lock(number: int = 0) -> Path:
    """Lock of a place to work in: a run that works holds one of them, the others wait.

    Args:
        number: Which place, from 0; there are as many as runs may work at a time.
    """
    return runs_root() / f"slot-{number}.lock"


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
    def architecture(self) -> Architecture:
        """What the run trains, which its id begins with."""
        return Architecture(self.run_id.partition("-")[0])

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
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def log(self) -> Path:
        """The worker's output."""
        return self.path / "worker.log"

    @property
    def cancel(self) -> Path:
        """Empty file: a request to stop."""
        return self.path / "cancel"

    @property
    def executor(self) -> Path:
        """Where the run is a job on a cluster, and which; it is missing for a worker on this machine."""
        return self.path / "executor.json"

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
    def learned(self) -> Path:
        """Which images a DCGAN has learned from."""
        return self.path / "learned.parquet"

    @property
    def measures(self) -> Path:
        """GenerativeReport of a DCGAN's samples as JSON."""
        return self.path / "measures.json"

    def sheet(self, epoch: int) -> Path:
        """What a DCGAN made of its fixed latents after so many epochs."""
        return self.path / f"sheet-{epoch:05d}.png"

    @property
    def report(self) -> Path:
        """EvaluationReport as JSON."""
        return self.path / "report.json"

    @property
    def calibration(self) -> Path:
        """Calibration on the validation images as JSON, or why there is none."""
        return self.path / "calibration.json"

    @property
    def manifest(self) -> Path:
        """Hashes and facts, written last: it exists = the run is complete."""
        return self.path / "manifest.json"


def run_directory(run_id: str) -> RunDirectory:
    """Where a run of this id lies or would lie: a finished local run, else a published one, else the local folder.

    A published run without its model is evidence of what was found; it gives way to a local run as soon as that is asked for.

    Raises:
        RunNotFoundError: The id is not of the form ``<architecture>-<12 hexadecimal digits>``.
        StoreError: The artifacts cannot be read.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise RunNotFoundError(
            f"a run id looks like 'baseline-0123456789ab'. Received: run_id={run_id!r}; 'runs list' shows the known ones"
        )
    local = RunDirectory(runs_root() / run_id)
    published = RunDirectory(published_root() / run_id)
    if is_there(local.manifest) or not is_there(published.manifest):
        return local
    return published if is_there(published.model) or not is_there(local.config) else local


def directory_to_train(run_id: str) -> RunDirectory:
    """Where a run of this id lies that can be asked about images, or would be trained.

    Raises:
        RunNotFoundError, StoreError: See `run_directory`.
    """
    run = run_directory(run_id)
    return RunDirectory(runs_root() / run_id) if run.is_published and not is_there(run.model) else run


def find_run(run_id: str) -> RunDirectory:
    """The directory of an existing run.

    Raises:
        RunNotFoundError: The id is malformed or nothing was ever submitted under it.
        StoreError: The artifacts cannot be read.
    """
    run = run_directory(run_id)
    if not is_there(run.config):
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
        for root in (runs_root(), published_root())
        for path in root.glob("*/config.json")
        if _RUN_ID.fullmatch(path.parent.name)
    }
    # A published run counts only where it is whole, so the directory of an id may be another one than was found.
    runs = [run for run in map(run_directory, ids) if is_there(run.config)]
    with store_errors(runs_root()):
        return sorted(runs, key=lambda run: (run.config.stat().st_mtime, run.run_id), reverse=True)


# --- The manifest -----------------------------------------------------------------------------------------------------

# What a manifest vouches for: everything that stays, save what may still be appended to.
_NOT_IN_MANIFEST: Final = {
    *("manifest.json", "worker.log", "status.json", "submit.lock", "run.lock", "cancel"),
    "executor.json",  # How to reach a job says nothing of what it made.
}


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
    if not is_there(run.manifest):
        raise RunError(f"the run must be finished. Received: run_id={run.run_id!r}, which has no manifest.json yet")
    try:
        manifest = read_json(run.manifest)
    except CorruptError as error:
        raise CorruptError(f"{error}; {_how_to_mend(run)}") from error
    if not (
        isinstance(manifest, dict)
        and isinstance(files := manifest.get("files"), dict)
        and all(isinstance(sha256, str) for sha256 in files.values())
    ):
        raise CorruptError(
            f"manifest.json must hold an object with 'files' and their hashes. Received: path={str(run.manifest)!r}; "
            f"{_how_to_mend(run)}"
        )
    return manifest


def _how_to_mend(run: RunDirectory) -> str:
    if run.is_published:
        return "restore the run, which ships with the project, with git checkout"
    return "delete manifest.json and resume the run to finish it anew"


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
            f"sha256={received[:12]}; {_how_to_mend(run)}"
        )
    return data


def verified_json(run: RunDirectory, path: Path) -> Any:
    """Content of one of a finished run's JSON files, from the bytes that were checked.

    Raises:
        RunError: See `verified_file`.
        CorruptError: The file is not the one that was written, or is not JSON.
    """
    return parse_json(path, verified_file(run, path))
