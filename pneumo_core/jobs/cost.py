"""What a training will cost in time and disk, from what trainings here have cost."""

import math
from dataclasses import dataclass
from statistics import median
from typing import Any

from pneumo_core.architecture import baseline_layers, vgg16_layers
from pneumo_core.config import TrainConfig, Validation
from pneumo_core.data.images import array_path
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import StoreError
from pneumo_core.files import is_there, read_json
from pneumo_core.jobs.views import RunView
from pneumo_core.records import Architecture, Label, RunState, Split
from pneumo_core.status import read_events
from pneumo_core.store import list_runs

__all__ = ["Cost", "estimate_cost", "remaining_s", "required_bytes"]

_TYPICAL_IMAGES_PER_S = 117.0
"""Baseline CNN on two cores of a server CPU with bfloat16, validation included: the `report` run of README's table took
44.7 s for its median epoch of 5,216 images, on a machine that had other work too."""

_SMALL_FILES_BYTES = 20_000_000
"""Log, events, predictions and report: a few megabytes in every run so far."""

_EPOCHS = 3
"""Epochs whose speed is that of the next: few, because a second phase has another speed than the first."""


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


def required_bytes(config: TrainConfig, index: DataIndex) -> int:
    """Most disk that a run takes while it works, in bytes; what it keeps in the end is about a third.

    Args:
        config: The run's config.
        index: The data set.
    """
    layers = (vgg16_layers if config.architecture is Architecture.VGG16 else baseline_layers)(config.image_size)
    trainable = sum(layer.trainable for layer in layers)
    parameters = trainable + sum(layer.fixed for layer in layers)
    if config.fine_tune is not None:
        trainable = parameters
    backup = parameters + 2 * trainable  # Adam keeps two numbers for each parameter that it trains.
    # A file is replaced by a new one beside it, so there are two of each for a moment; the exported model is one more.
    total = 4 * (2 * parameters + 2 * backup + parameters) + _SMALL_FILES_BYTES
    if not is_there(array_path(index.data_id, config.image_size)):
        total += len(index.table) * config.image_size**2
    return total


def remaining_s(view: RunView) -> float | None:
    """Time that a run's training will take from now at most, in seconds, from its own measured speed.

    The median of its last epochs counts, validation included; before the first has ended, that of its batches. Only durations
    are used, never the time of day, which can be set back.

    Args:
        view: The run.

    Returns:
        Seconds, 0 once the training is over; None where nothing has been measured yet.

    Raises:
        StoreError: The run's events are there but cannot be read.
    """
    if view.state in {RunState.EXPORTING, RunState.TRAINED, RunState.SUCCEEDED}:
        return 0.0
    status = view.status
    if status is None or status.epochs == 0:  # Not begun, or waiting to be resumed.
        return None
    events = read_events(view.run)
    epoch_s = _median([event.get("duration_s") for event in events if event.get("kind") == "epoch"][-_EPOCHS:])
    if epoch_s is None and view.config is not None:
        # A session's first batch takes seconds that the others do not: the network is compiled in it.
        batches = [event for event in events if event.get("kind") == "batch" and event.get("step") != 1]
        speed = _median([event.get("images_per_s") for event in batches])
        epoch_s = None if speed is None else status.steps * view.config.batch_size / speed
    return None if epoch_s is None else (1 - status.fraction) * status.epochs * epoch_s


def _median(values: list[Any]) -> float | None:
    """Median of the positive numbers among some values that were read from a file."""
    numbers = [
        value
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    ]
    return median(numbers) if numbers else None


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
