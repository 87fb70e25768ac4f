"""What benchmarks of training stand on: artifacts of their own, a sample of the data, and runs followed to their end.

A run is submitted from here and trained by the real worker, anew also where artifacts are kept (`--artifacts DIR`) and hold it
from before: what is compared must have been measured together.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.run import run_id
from pneumo_core.data.index import DataIndex
from pneumo_core.data.layout import find_root
from pneumo_core.data.source import default_data
from pneumo_core.errors import RunError
from pneumo_core.jobs.runs import RunView, cancel, submit, view
from pneumo_core.records import FOLDERS, Label, RunState
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import RunDirectory, read_manifest, read_trained, runs_root

IMAGE_SIZE = 150  # The report's, in pixels.


def parser(doc: str | None, *, images: int | None) -> argparse.ArgumentParser:
    """Options that every benchmark of training has; `images` is how many it samples by itself."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    how_many = "all" if images is None else f"{images:,}"
    options.add_argument(
        "--images",
        type=int,
        default=images,
        help=f"most images of each split, each class by its share; 0: all (default: {how_many})",
    )
    options.add_argument(
        "--artifacts", type=Path, metavar="DIR", help="folder to keep, whose data caches are used again"
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return options


@contextmanager
def own_artifacts(folder: Path | None) -> Iterator[Path]:
    """Artifacts apart from everybody's: a folder that stays, or a temporary one."""
    with tempfile.TemporaryDirectory(prefix="pneumo-benchmark-") as temporary:
        artifacts = (folder or Path(temporary)).absolute()
        os.environ["PNEUMO_ARTIFACTS"] = str(artifacts)
        yield artifacts


def sample(images: int | None, artifacts: Path) -> Path:
    """The connected data set, or a folder of links to a part of it: the same images for every way and every seed.

    A config's own `max_images` would choose other images for another seed, and nobody else's generator knows of it.
    """
    root = find_root(default_data())
    if not images:
        return root
    folder = artifacts / f"sample-{images}"
    shutil.rmtree(folder, ignore_errors=True)
    for split in FOLDERS:
        files = {label: sorted((root / split.value / label.name).glob("*")) for label in Label}
        total = sum(map(len, files.values()))
        for label, paths in files.items():
            wanted = min(len(paths), max(1, round(images * len(paths) / max(total, 1))))
            target = folder / split.value / label.name
            target.mkdir(parents=True)
            # Evenly spaced by name: neighbours are of one patient.
            for number in np.linspace(0, len(paths) - 1, wanted).round().astype(int) if paths else []:
                (target / paths[number].name).symlink_to(paths[number])
    return folder


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run and what it cost.

    Attributes:
        run: Its directory.
        wall_s: Seconds from `submit` until the training was whole, Keras' import included.
        training_s: Seconds of the training, Keras' import not included.
        epochs_s: Seconds of each epoch, validation included.
        trained: What `trained.json` holds.
        manifest: What `manifest.json` holds.
    """

    run: RunDirectory
    wall_s: float
    training_s: float
    epochs_s: tuple[float, ...]
    trained: dict[str, Any]
    manifest: dict[str, Any]

    @property
    def epoch_s(self) -> float:
        """Median of the epochs after the first, in which Keras also traces the model."""
        return median(self.epochs_s[1:] or self.epochs_s)


def submit_anew(config: TrainConfig, index: DataIndex) -> RunView:
    """Submit a run as if it had never been."""
    shutil.rmtree(runs_root() / run_id(config, index.data_id), ignore_errors=True)
    return submit(config, index)


def finished(config: TrainConfig, index: DataIndex) -> FinishedRun:
    """Train a run and follow it to its end."""
    current = submit_anew(config, index)
    print(f"{current.run_id}: {config.epochs} epochs of {config.architecture.value}", file=sys.stderr)
    try:
        while current.state.is_live:
            time.sleep(0.2)
            current = view(current.run_id)
    finally:
        stop(current.run_id)
    if current.state is not RunState.SUCCEEDED:
        raise SystemExit(f"the run must succeed. Received: {current.run_id}, {current.status}; see {current.run.log}")
    run = current.run
    trained = read_trained(run)
    return FinishedRun(
        run=run,
        wall_s=run.trained.stat().st_mtime - current.submitted_at,
        training_s=trained["training_duration_s"],
        epochs_s=tuple(event["duration_s"] for event in read_events(run) if event["kind"] == "epoch"),
        trained=trained,
        manifest=read_manifest(run),
    )


def stop(name: str) -> None:
    """Cancel a run that is going, and wait until it is not: it may write to artifacts that are about to go."""
    if view(name).state.is_live:
        with suppress(RunError):  # It may end in between.
            cancel(name)
    while view(name).state.is_live:
        time.sleep(0.1)
