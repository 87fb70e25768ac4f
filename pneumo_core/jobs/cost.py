"""Expected time and disk space of a training, estimated from earlier trainings on this machine."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import prod
from statistics import median
from typing import Any, Final

from pneumo_core.config.architecture import baseline_layers, vgg16_layers
from pneumo_core.config.classifier import Balance, Preset, TrainConfig, Validation
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.hardware import training_hardware
from pneumo_core.config.run import RunConfig
from pneumo_core.data.images import array_path
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import expected_held_out, expected_training
from pneumo_core.errors import ConfigError, StoreError
from pneumo_core.jobs.views import RunView
from pneumo_core.records import Architecture, Label, RunState, Split
from pneumo_core.runs.files import is_there, read_json
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import list_runs
from pneumo_core.runs.submission import read_config
from pneumo_core.settings import keras_backend


@dataclass(frozen=True, slots=True)
class _Speed:
    """Images per second: of an epoch, validation included, and of the feature computation before the first epoch."""

    epoch: float
    features: float


_TYPICAL: Final = {
    # Two cores of a server CPU with bfloat16 and AMX; docs/results.md names the runs.
    (Architecture.BASELINE, False): _Speed(117.0, math.inf),
    (Architecture.VGG16, True): _Speed(1000.0, 140.0),
    (Architecture.VGG16, False): _Speed(115.0, math.inf),
}
"""Key: the architecture, and whether the head trains on stored features."""

GAN_FINISH_S: Final = {Preset.REPORT: 150.0, Preset.SOUND: 150.0, Preset.QUICK: 30.0}
"""Seconds to load Keras, export a generator and measure its samples, on two cores without other work."""

_GAN_IMAGE_S: Final = 0.0009
_GAN_FILTERS_S: Final = 0.0056
"""Seconds per image of a DCGAN: a constant, and the part of 64 filters at 64 pixels, which grows with the square of either.
Measured on two cores of a server CPU with AMX."""

_LOAD_S: Final = 15.0
_PREDICT_S: Final = {Architecture.BASELINE: 0.004, Architecture.VGG16: 0.06}
"""Seconds to load Keras and export, and to predict an image with the exported model, on two cores without other work."""

_SMALL_FILES_BYTES = 20_000_000
"""Log, events, predictions and report: a few megabytes in each published run."""

_EPOCHS = 3
"""Number of last epochs that predict the next: few, because a resumed run may be on another machine."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a training is expected to take at most; early stopping may end it sooner.

    Attributes:
        train_images: Images per epoch, including those that a balancing arm adds.
        epochs: Maximum number of epochs, including those of a second phase.
        duration_s: Expected time for all of them, in seconds.
        finish_s: Expected time to load Keras, export the model and predict validation and test images, in seconds.
        is_measured: Whether the speed was measured on this machine; otherwise it is a typical one.
    """

    train_images: int
    epochs: int
    duration_s: float
    finish_s: float
    is_measured: bool


def estimate_cost(config: RunConfig, index: DataIndex) -> Cost:
    """Expected cost of a run.

    Args:
        config: The run's config.
        index: The data set.

    Raises:
        ConfigError: `KERAS_BACKEND` names an unknown backend.
    """
    if isinstance(config, GanConfig):
        images = expected_training(index.counts()[Split.TRAIN, config.label], config)
        known = _measured_gan_speed(config)
        typical = 1 / (_GAN_IMAGE_S + _GAN_FILTERS_S * (config.filters / 64) ** 2 * (config.image_size / 64) ** 2)
        duration_s = images * config.epochs / (known or typical)
        return Cost(images, config.epochs, duration_s, GAN_FINISH_S[config.preset], known is not None)
    images, added = _train_images(config, index)
    images += added
    measured = _measured_speed(config)
    speed = measured or _TYPICAL[config.architecture, config.feature_views > 0]
    epochs = config.epochs
    duration_s = images * epochs / speed.epoch + images * config.feature_views / speed.features
    if config.fine_tune is not None:
        epochs += config.fine_tune.epochs
        duration_s += images * config.fine_tune.epochs / _TYPICAL[config.architecture, False].epoch
    return Cost(images, epochs, duration_s, _finish_s(config, index), measured is not None)


def required_bytes(config: RunConfig, index: DataIndex) -> int:
    """Peak disk space of a run while it works, in bytes; a finished run keeps about a third of it.

    Args:
        config: The run's config.
        index: The data set.
    """
    total = _gan_bytes(config) if isinstance(config, GanConfig) else _classifier_bytes(config, index)
    if not is_there(array_path(index.data_id, config.image_size)):
        total += len(index.table) * config.image_size**2
    return total + _SMALL_FILES_BYTES


def _gan_bytes(config: GanConfig) -> int:
    # Kernels of 4 x 4 between blocks of 8, 4, 2 and 1 times the filters, and the first and last layers; a factor of 2
    # covers the additional layers at 128 pixels.
    f = config.filters
    network = 16 * (8 * f * 4 * f + 4 * f * 2 * f + 2 * f * f) + 16 * 8 * f * (config.latent_dim + 1)
    network *= config.image_size // 64
    # The generator four times (average, Adam's two) and the discriminator three, old and new side by side; weights, model.
    return 4 * (2 * 7 * network + 3 * network)


def _classifier_bytes(config: TrainConfig, index: DataIndex) -> int:
    layers = (vgg16_layers if config.architecture is Architecture.VGG16 else baseline_layers)(config.image_size)
    trainable = sum(layer.trainable for layer in layers)
    parameters = trainable + sum(layer.fixed for layer in layers)
    if config.fine_tune is not None:
        trainable = parameters
    backup = parameters + 2 * trainable  # Adam keeps two moments for each trainable parameter.
    # A file is replaced by a new one beside it, so there are two of each for a moment, and one exported model.
    total = 4 * (2 * parameters + 2 * backup + parameters)
    if config.feature_views:
        features = prod(next(layer.output_shape for layer in layers if layer.name == "block5_pool"))
        images = min(len(index.table), config.max_images or len(index.table))
        # Two bytes each, for the views of the training images and once for the validation images.
        total += 2 * features * images * (config.feature_views + 1)
        # Added images have features of their own; a repeated image is stored once.
        if config.balance in {Balance.CLASSICAL, Balance.GAN}:
            total += 2 * features * _train_images(config, index)[1] * config.feature_views
    return total


def remaining_s(view: RunView) -> float | None:
    """Maximum remaining time of a run's training, in seconds, estimated from its own measured speed.

    The speed is the median of the last epochs of the phase, validation included; before the first has ended, the median of
    the batches, and for a second phase a typical speed. Only durations are used, because the clock can be set back.

    Args:
        view: The run.

    Returns:
        Seconds, 0 once the training is over; None before anything has been measured.

    Raises:
        ConfigError: `KERAS_BACKEND` names an unknown backend.
        StoreError: The run's events exist but cannot be read.
    """
    if view.state in {RunState.EXPORTING, RunState.TRAINED, RunState.SUCCEEDED}:
        return 0.0
    status, config = view.status, view.config
    if status is None or status.epochs == 0:  # Not started, or waiting to be resumed.
        return None
    events = read_events(view.run)
    if events and events[-1].get("kind") == "features":
        return _features_left_s(view, events[-1])
    first_s, second_s = (_median(_epoch_durations(events, phase)[-_EPOCHS:]) for phase in (1, 2))
    if first_s is None and config is not None:
        # The first batch of a session is slower, because the network is compiled in it.
        batches = [event for event in events if event.get("kind") == "batch" and event.get("step") != 1]
        speed = _median([event.get("images_per_s") for event in batches])
        first_s = None if speed is None else status.steps * config.batch_size / speed
    second = 0
    if isinstance(config, TrainConfig) and config.fine_tune is not None:
        second = config.fine_tune.epochs
        if second_s is None and status.steps:
            second_s = status.steps * config.batch_size / _TYPICAL[config.architecture, False].epoch
    # `status.epochs` includes the second phase from the start.
    left = (1 - status.fraction) * status.epochs
    phases = ((max(0.0, left - second), first_s), (min(left, second), second_s))
    if any(epochs > 0 and epoch_s is None for epochs, epoch_s in phases):
        return None
    return sum(epochs * (epoch_s or 0.0) for epochs, epoch_s in phases)


def _features_left_s(view: RunView, event: dict[str, Any]) -> float | None:
    """Time for the features of this view and of the later ones, and for all epochs at a measured or typical speed."""
    config = view.config
    if not isinstance(config, TrainConfig):
        return None
    try:
        speed, total = float(event["images_per_s"]), int(event["total"])
        if not 0 < speed < math.inf:
            return None
        features_s = (total - int(event["done"]) + int(event["views_left"]) * total) / speed
    except (KeyError, TypeError, ValueError):
        return None
    known = _measured_speed(config) or _TYPICAL[config.architecture, True]
    tuning_s = 0.0 if config.fine_tune is None else config.fine_tune.epochs / _TYPICAL[config.architecture, False].epoch
    return features_s + total * (config.epochs / known.epoch + tuning_s)


def _train_images(config: TrainConfig, index: DataIndex) -> tuple[int, int]:
    """Number of training images, and of images that a balancing arm adds; approximate, as whole patients are held out."""
    counts = [index.counts()[Split.TRAIN, label] for label in Label]
    images = expected_training(sum(counts), config)
    if not config.balance.adds_images:
        return images, 0
    # The gap is closed when each class has as many images as the largest.
    gap = images * (len(counts) * max(counts) - sum(counts)) / max(1, sum(counts))
    return images, round(gap * config.gap_percent / 100)


def _finish_s(config: TrainConfig, index: DataIndex) -> float:
    counts = index.counts()
    sizes = {split: sum(counts[split, label] for label in Label) for split in Split}
    parts = [sizes[Split.TEST]]
    if config.validation is Validation.PATIENTS:
        parts.append(sizes[Split.VAL] + expected_held_out(sizes[Split.TRAIN], config))
    images = sum(min(part, config.max_images or part) for part in parts)
    return _LOAD_S + images * _PREDICT_S[config.architecture]


def _epoch_durations(events: list[dict[str, Any]], phase: int) -> list[Any]:
    """Durations of a phase's epochs, from the events; events of older runs without a phase count as the first."""
    return [
        event.get("duration_s") for event in events if event.get("kind") == "epoch" and event.get("phase", 1) == phase
    ]


def _median(values: list[Any]) -> float | None:
    """Median of the positive numbers among values read from a file, or None."""
    numbers = [
        value
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    ]
    return median(numbers) if numbers else None


def _measured_speed(config: TrainConfig) -> _Speed | None:
    """Speed of the local run with the same architecture, use of stored features and kind of device, or None.

    Of several runs, the one with the most training images counts: the constant cost of an epoch weighs least in it.
    """
    most, best = 0, None
    for submitted, images, events in _local_trainings(config.architecture):
        if not isinstance(submitted, TrainConfig) or (submitted.feature_views > 0) != (config.feature_views > 0):
            continue
        # Without the first epoch, in which the network is compiled.
        epoch_s = _median(_epoch_durations(events, phase=1)[1:])
        if epoch_s is not None and images > most:
            features = _median([event.get("images_per_s") for event in events if event.get("kind") == "features"])
            typical = _TYPICAL[config.architecture, config.feature_views > 0].features
            most, best = images, _Speed(images / epoch_s, features or typical)
    return best


def _measured_gan_speed(config: GanConfig) -> float | None:
    """Real images per second of the newest local training of networks of this size on this kind of device, or None."""
    size = ("filters", "image_size", "batch_size")
    for submitted, images, events in _local_trainings(Architecture.DCGAN):
        epoch_s = _median(_epoch_durations(events, phase=1)[1:])
        if epoch_s and all(getattr(submitted, name, None) == getattr(config, name) for name in size):
            return images / epoch_s
    return None


def _local_trainings(architecture: Architecture) -> Iterator[tuple[RunConfig, int, list[dict[str, Any]]]]:
    """Config, number of training images and events of the trainings on this machine's kind of device, the newest first."""
    for run in list_runs():
        if run.is_published or run.architecture is not architecture or not is_there(run.trained):
            continue
        try:
            facts, submitted, events = read_json(run.trained), read_config(run), read_events(run)
            images = int(facts["images"]["train"]) + int(facts.get("images_added", 0))
            device = facts["device"]["backend"], facts["device"]["kind"]
        except (StoreError, ConfigError, KeyError, TypeError, ValueError):  # A damaged run has no usable speed.
            continue
        if device == _device(keras_backend()):
            yield submitted, images, events


@cache
def _device(backend: str) -> tuple[str, str]:
    """Backend and kind of device of a training on this machine; cached, because the driver's program takes a moment."""
    return backend, training_hardware().kind
