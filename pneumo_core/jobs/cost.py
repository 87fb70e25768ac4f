"""What a training will cost, from what trainings here have cost."""

from dataclasses import dataclass
from statistics import median

from pneumo_core.config import TrainConfig, Validation
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import StoreError
from pneumo_core.files import read_json
from pneumo_core.records import Label, Split
from pneumo_core.status import read_events
from pneumo_core.store import list_runs

__all__ = ["Cost", "estimate_cost"]

_TYPICAL_IMAGES_PER_S = 117.0
"""Baseline CNN on two cores of a server CPU with bfloat16, validation included: the `report` run of README's table took
44.7 s for its median epoch of 5,216 images, on a machine that had other work too."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a training is expected to take at most; early stopping may end it sooner.

    Attributes:
        train_images: Images an epoch.
        epochs: Most epochs.
        duration_s: Expected time for all of them, in seconds.
        is_measured: Whether the speed was measured on this machine; else it is a typical one.
    """

    train_images: int
    epochs: int
    duration_s: float
    is_measured: bool


def estimate_cost(config: TrainConfig, index: DataIndex) -> Cost:
    """Expected cost of a run.

    Args:
        config: The run's config.
        index: The data set.
    """
    counts = index.counts()
    images = sum(counts[Split.TRAIN, label] for label in Label)
    if config.validation is Validation.PATIENTS:
        images = round(images * (1 - config.val_fraction))
    images = min(images, config.max_images or images)
    speed = _measured_images_per_s(config)
    return Cost(images, config.epochs, images * config.epochs / (speed or _TYPICAL_IMAGES_PER_S), speed is not None)


def _measured_images_per_s(config: TrainConfig) -> float | None:
    """Median speed over the epochs of the newest local run of the architecture."""
    for run in list_runs():
        if run.is_published or not run.run_id.startswith(f"{config.architecture.value}-") or not run.trained.exists():
            continue
        try:
            images = int(read_json(run.trained)["images"]["train"])
            epochs = [event for event in read_events(run) if event.get("kind") == "epoch"]
            durations = [float(event["duration_s"]) for event in epochs]
        except (StoreError, KeyError, TypeError, ValueError):
            continue  # A damaged run says nothing about speed.
        if durations and median(durations) > 0:
            return images / median(durations)
    return None
