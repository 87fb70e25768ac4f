"""Layout of artifacts/: paths of runs and data sets, and the manifest with the checksums of a run's files."""

import hashlib
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pneumo_core.errors import CorruptError, RunError, RunNotFoundError
from pneumo_core.records import Architecture
from pneumo_core.runs.files import PathIn, file_sha256, is_there, parse_json, read_json, store_errors, write_json
from pneumo_core.settings import settings

SPLIT_FILE: Final = "split.json"
"""Name of a run's copy of its saved split."""

_RUN_ID: Final = re.compile(rf"({'|'.join(Architecture)})-[0-9a-f]{{12}}")


def runs_root() -> Path:
    """Folder of the local runs."""
    return settings().artifacts / "runs"


def published_root() -> Path:
    """Folder of the finished runs that ship with the project."""
    # Published runs are part of the checkout, wherever PNEUMO_ARTIFACTS points.
    return Path(__file__).resolve().parents[2] / "artifacts" / "published"


def splits_root() -> Path:
    """Folder of the saved splits."""
    return settings().artifacts / "splits"


def slot_lock(number: int = 0) -> Path:
    """Lock of an execution slot, from 0, one for each run that may work at the same time: a run that works holds one."""
    return runs_root() / f"slot-{number}.lock"


def datasets_root() -> Path:
    """Folder of data set indexes, array caches, phantoms and downloads."""
    return settings().artifacts / "datasets"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Paths of one run, in the directory `path`, whose name is the run id."""

    path: Path

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.path.name

    @property
    def architecture(self) -> Architecture:
        """Architecture that the run trains, the first part of its id."""
        return Architecture(self.run_id.partition("-")[0])

    @property
    def is_published(self) -> bool:
        """Whether the run ships with the project; only `replacement` writes to it."""
        return self.path.parent == published_root()

    @property
    def replacement_lock(self) -> Path:
        """Held while files of the finished run are replaced; beside the published runs, since a file in one would ship."""
        return self.path.parent.with_suffix(".lock") if self.is_published else self.run_lock

    config = PathIn("config.json")
    """Submitted config and data set, written once by submit."""
    split = PathIn(SPLIT_FILE)
    """The saved split that it trains by, if it does."""
    submit_lock = PathIn("submit.lock")
    """Held by submit until the worker has confirmed `run_lock`."""
    run_lock = PathIn("run.lock")
    """Held by the worker for its life."""
    status = PathIn("status.json")
    """Last status that the worker wrote."""
    events = PathIn("events.jsonl")
    """One JSON line for each epoch and, throttled, for batches."""
    tensorboard = PathIn("tensorboard")
    """Folder of TensorBoard's event files."""
    log = PathIn("worker.log")
    """The worker's output."""
    cancel = PathIn("cancel")
    """Empty file: a request to stop."""
    executor = PathIn("executor.json")
    """Cluster and job id of the run; missing for a worker on this machine."""
    backup = PathIn("backup")
    """Folder of the backup that resume needs."""
    weights = PathIn("weights.weights.h5")
    """Best weights of a trained model."""
    trained = PathIn("trained.json")
    """Facts of the finished training, with the weights' hash: it exists = training is complete."""
    model = PathIn("model.onnx")
    """Exported model."""
    predictions = PathIn("predictions.parquet")
    """Logit of each validation and test image: the evidence."""
    learned = PathIn("learned.parquet")
    """Images that a DCGAN was trained on."""
    measures = PathIn("measures.json")
    """GenerativeReport of a DCGAN's samples as JSON."""
    report = PathIn("report.json")
    """EvaluationReport as JSON."""
    calibration = PathIn("calibration.json")
    """Calibration on the validation images as JSON, or why there is none."""
    heatmap_scale = PathIn("heatmap.json")
    """Scale of the run's heat maps as JSON, or why there is none."""
    trust = PathIn("trust.json")
    """Tests of the run's heat maps as JSON, or why there are none."""
    cases = PathIn("cases.npz")
    """The run's training images in its feature space, for the nearest of an image."""
    refreshed = PathIn("refreshed")
    """Folder of new files on the way to their places; see `replacement`."""
    manifest = PathIn("manifest.json")
    """Hashes and facts, written last: it exists = the run is complete."""

    def sheet(self, epoch: int) -> Path:
        """Images that a DCGAN generated from its fixed latents after `epoch` epochs."""
        return self.path / f"sheet-{epoch:05d}.png"


def run_directory(run_id: str) -> RunDirectory:
    """Directory of a run id, existing or not: a finished local run, else a published one, else the local folder.

    A published run without its model is evidence only; a submitted local run of the same id takes precedence.

    Raises:
        RunNotFoundError: The id is not of the form ``<architecture>-<12 hexadecimal digits>``.
        StoreError: The artifacts cannot be read.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise RunNotFoundError(
            "a run id looks like 'baseline-0123456789ab', or is the beginning of a known one. "
            f"Received: run_id={run_id!r}; 'runs list' shows the known ones"
        )
    local, published = RunDirectory(runs_root() / run_id), published_run(run_id)
    if is_there(local.manifest) or not is_there(published.manifest):
        return local
    return published if is_there(published.model) or not is_there(local.config) else local


def published_run(run_id: str) -> RunDirectory:
    """Directory that a run id has among the published ones, existing or not."""
    return RunDirectory(published_root() / run_id)


def directory_to_train(run_id: str) -> RunDirectory:
    """Directory of a run id that can predict, or would be trained.

    Raises:
        RunNotFoundError, StoreError: See `run_directory`.
    """
    run = run_directory(run_id)
    return RunDirectory(runs_root() / run_id) if run.is_published and not is_there(run.model) else run


def find_run(run_id: str) -> RunDirectory:
    """The directory of an existing run.

    Raises:
        RunNotFoundError: The id is malformed, or no run was submitted under it.
        StoreError: The artifacts cannot be read.
    """
    run = run_directory(run_id)
    if not is_there(run.config):
        raise RunNotFoundError(
            f"run_id must name an existing run. Received: run_id={run_id!r}; 'runs list' shows the known ones"
        )
    return run


def complete_id(beginning: str) -> str:
    """The id of the only run that begins so, with or without its network: ``baseline-01``, ``01``.

    A whole id, and what no run begins with, is returned as it is: `find_run` knows what to say of it.

    Raises:
        RunNotFoundError: Several runs begin so.
        StoreError: The artifacts cannot be read.
    """
    if _RUN_ID.fullmatch(beginning):
        return beginning
    known = [run.run_id for run in list_runs()] if beginning else []
    found = [run_id for run_id in known if run_id.startswith(beginning) or f"-{beginning}" in run_id]
    if len(found) > 1:
        raise RunNotFoundError(
            f"the beginning of a run id must be of one run. Received: run_id={beginning!r}, which may be "
            f"{', '.join(sorted(found))}; write more of it"
        )
    return found[0] if found else beginning


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
    # A published run counts only if it is complete, so an id may map to another directory than the one found.
    runs = [run for run in map(run_directory, ids) if is_there(run.config)]
    with store_errors(runs_root()):
        return sorted(runs, key=lambda run: (run.config.stat().st_mtime, run.run_id), reverse=True)


def finished_runs(run_ids: Collection[str] = ()) -> list[RunDirectory]:
    """Directories of the named finished runs, or of all, local and published; a run that is both is there twice.

    Raises:
        RunNotFoundError, RunError: A named run does not exist, or is not finished.
        StoreError: The artifacts cannot be read.
    """
    for run_id in run_ids:
        read_manifest(find_run(run_id))
    with store_errors(runs_root()):
        return [
            RunDirectory(path.parent)
            for root in (runs_root(), published_root())
            for path in sorted(root.glob("*/manifest.json"))
            if _RUN_ID.fullmatch(path.parent.name) and (not run_ids or path.parent.name in run_ids)
        ]


# --- The manifest -----------------------------------------------------------------------------------------------------

# A manifest lists every file that is kept, except those that may still change.
_NOT_IN_MANIFEST: Final = {
    *("manifest.json", "worker.log", "status.json", "submit.lock", "run.lock", "cancel"),
    "executor.json",  # The address of a job is not part of its result.
}


def write_manifest(run: RunDirectory, facts: dict[str, Any]) -> None:
    """Complete the run: hash every file it keeps and write the manifest, the last file of a run, with facts as plain data.

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
        CorruptError: The manifest is damaged.
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
    return "delete manifest.json and resume the run to finish it again"


def read_trained(run: RunDirectory) -> dict[str, Any]:
    """Facts of a finished training, after checking the hash of its weights.

    Raises:
        CorruptError: The facts or the weights are damaged.
        StoreError: They cannot be read.
    """
    trained = read_json(run.trained)
    if not isinstance(trained, dict) or trained.get("weights_sha256") != file_sha256(run.weights):
        raise CorruptError(
            f"trained.json must match the weights beside it. Received: run_id={run.run_id!r}, whose weights differ; "
            "delete trained.json and resume the run to train it again"
        )
    return trained


def verified_file(run: RunDirectory, path: Path) -> bytes:
    """Bytes of one of a finished run's files, checked against the manifest.

    A file that is being replaced (see `replacement`) is found in its place or on the way there, so readers need no lock.

    Raises:
        RunError: The run is not finished, or has no such file.
        CorruptError: The file does not match its hash.
        StoreError: The file cannot be read.
    """
    expected = None
    # Again only if the manifest was replaced meanwhile.
    while (listed := _listed_sha256(run, path)) != expected:
        expected = listed
        # The third look is for a file that moved between the first two.
        for place in (path, run.refreshed / path.name, path):
            with store_errors(place), suppress(FileNotFoundError):
                data = place.read_bytes()
                if hashlib.sha256(data).hexdigest() == expected:
                    return data
    received = file_sha256(path)
    raise CorruptError(
        f"{path.name} must have the SHA-256 of the manifest, {listed[:12]}. Received: run_id={run.run_id!r}, "
        f"sha256={received[:12]}; {_how_to_mend(run)}"
    )


def _listed_sha256(run: RunDirectory, path: Path) -> str:
    listed: str | None = read_manifest(run)["files"].get(path.name)
    if listed is None:
        raise RunError(f"the run's manifest must list {path.name}. Received: run_id={run.run_id!r}, which has none")
    return listed


def verified_json(run: RunDirectory, path: Path) -> Any:
    """Content of one of a finished run's JSON files, checked against the manifest.

    Raises:
        RunError: See `verified_file`.
        CorruptError: The file does not match its hash, or is not JSON.
    """
    return parse_json(path, verified_file(run, path))
