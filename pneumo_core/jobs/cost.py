"""What a training will cost in time and disk, from what trainings here have cost."""

import math
from dataclasses import dataclass
from math import prod
from statistics import median
from typing import Any, Final

from pneumo_core.architecture import baseline_layers, vgg16_layers
from pneumo_core.config import Balance, TrainConfig, Validation, config_from_dict
from pneumo_core.data.images import array_path
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import ConfigError, StoreError
from pneumo_core.files import is_there, read_json
from pneumo_core.jobs.views import RunView
from pneumo_core.records import Architecture, Label, RunState, Split
from pneumo_core.status import read_events
from pneumo_core.store import list_runs

__all__ = ["Cost", "estimate_cost", "remaining_s", "required_bytes"]


@dataclass(frozen=True, slots=True)
class _Speed:
    """Images a second: of an epoch, validation included, and of the features that are computed before the first."""

    epoch: float
    features: float


_TYPICAL: Final = {
    # Two cores of a server CPU with bfloat16 and AMX; README's table names the runs.
    (Architecture.BASELINE, False): _Speed(117.0, math.inf),
    (Architecture.VGG16, True): _Speed(1000.0, 140.0),
    (Architecture.VGG16, False): _Speed(115.0, math.inf),
}
"""By architecture, and whether the head trains on stored features."""

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
    measured = _measured_speed(config)
    speed = measured or _TYPICAL[config.architecture, config.feature_views > 0]
    if config.balance in {Balance.OVERSAMPLE, Balance.CLASSICAL}:
        # As many images of each class as the larger one has.
        train = [counts[Split.TRAIN, label] for label in Label]
        images = round(images * len(train) * max(train) / max(1, sum(train)))
    duration_s = images * config.epochs / speed.epoch + images * config.feature_views / speed.features
    if config.fine_tune is not None:
        duration_s += images * config.fine_tune.epochs / _TYPICAL[config.architecture, False].epoch
    return Cost(images, config.epochs, duration_s, measured is not None)


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
    if config.feature_views:
        features = prod(next(layer.output_shape for layer in layers if layer.name == "block5_pool"))
        # Two bytes each, for the views of the training images and once for the validation images.
        total += (
            2 * features * min(len(index.table), config.max_images or len(index.table)) * (config.feature_views + 1)
        )
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
    if events and events[-1].get("kind") == "features":
        return _features_left_s(view, events[-1])
    epoch_s = _median([event.get("duration_s") for event in events if event.get("kind") == "epoch"][-_EPOCHS:])
    if epoch_s is None and view.config is not None:
        # A session's first batch takes seconds that the others do not: the network is compiled in it.
        batches = [event for event in events if event.get("kind") == "batch" and event.get("step") != 1]
        speed = _median([event.get("images_per_s") for event in batches])
        epoch_s = None if speed is None else status.steps * view.config.batch_size / speed
    return None if epoch_s is None else (1 - status.fraction) * status.epochs * epoch_s


def _features_left_s(view: RunView, event: dict[str, Any]) -> float | None:
    """Time for this view's features, for those of the views behind it, and for all epochs at a typical speed."""
    if view.config is None:
        return None
    try:
        speed, total = float(event["images_per_s"]), int(event["total"])
        if not 0 < speed < math.inf:
            return None
        features_s = (total - int(event["done"]) + int(event["views_left"]) * total) / speed
    except (KeyError, TypeError, ValueError):
        return None
    known = _measured_speed(view.config) or _TYPICAL[view.config.architecture, True]
    return features_s + total * view.config.epochs / known.epoch


def _median(values: list[Any]) -> float | None:
    """Median of the positive numbers among some values that were read from a file."""
    numbers = [
        value
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    ]
    return median(numbers) if numbers else None


def _measured_speed(config: TrainConfig) -> _Speed | None:
    """Speed of the newest local run of the architecture that used stored features as the config does."""
    for run in list_runs():
        if run.is_published or not run.run_id.startswith(f"{config.architecture.value}-") or not run.trained.exists():
            continue
        try:
            asked = config_from_dict(read_json(run.config)["config"])
            facts, events = read_json(run.trained), read_events(run)
            images = int(facts["images"]["train"]) + int(facts.get("images_added", 0))
        except (StoreError, ConfigError, KeyError, TypeError, ValueError):
            continue  # A damaged run says nothing about speed.
        epoch_s = _median([event.get("duration_s") for event in events if event.get("kind") == "epoch"])
        features = _median([event.get("images_per_s") for event in events if event.get("kind") == "features"])
        if epoch_s is not None and (asked.feature_views > 0) == (config.feature_views > 0):
            typical = _TYPICAL[config.architecture, config.feature_views > 0].features
            return _Speed(images / epoch_s, features or typical)
    return None
