"""Expected time and disk space of a training, before it starts; while it works, `remaining` corrects the time."""

import math
from dataclasses import dataclass, replace
from math import prod
from typing import Final

from pneumo_core.augmentation.stress import copies_of
from pneumo_core.config.architecture import VGG16_BLOCKS, network_layers
from pneumo_core.config.classifier import Balance, Preparation, Preset, TrainConfig, Validation
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.run import RunConfig, TrainedConfig
from pneumo_core.data.images import array_path
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import MOST_CASES, expected_held_out, expected_training
from pneumo_core.jobs.speed import (
    MEASURED_FACTOR,
    SLOWEST_SHARE,
    Measured,
    Span,
    Speed,
    device_kind,
    fastest_share,
    finish_factor,
    image_share,
    measured_speed,
    slowest_share,
    stress_copies,
    typical_speed,
)
from pneumo_core.records import Architecture, Label, Split
from pneumo_core.runs.files import is_there
from pneumo_core.settings import keras_backend

GAN_FINISH_S: Final = {Preset.REPORT: 150.0, Preset.SOUND: 150.0, Preset.QUICK: 30.0}
"""Seconds to load Keras, export a generator and measure its samples, on two cores without other work."""

_GAN_IMAGE_S: Final = 0.0009
_GAN_FILTERS_S: Final = 0.0056
"""Seconds per image of a DCGAN: a constant, and the part of 64 filters at 64 pixels, which grows with the square of either.
Measured on two cores of a server CPU with AMX."""

_LOAD_S: Final = 15.0
_PREDICT_S: Final = {Architecture.BASELINE: 0.004, Architecture.COMPACT: 0.004, Architecture.VGG16: 0.06}
"""Seconds to load Keras and export, and to predict an image with the exported model, on two cores without other work."""

_SMALL_FILES_BYTES = 20_000_000
"""Log, events, predictions and report: a few megabytes in each published run."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a training is expected to take.

    The ranges are between two runs. The fast one stops as early as early stopping can, finds its features stored, and works
    at the upper end of the speed; the slow one takes all epochs at the lower end. Before anything was measured on this
    machine, those ends are the published runs' (`speed.slowest_share`); afterwards they follow from what was measured
    (`speed.Measured.shares`), usually a factor of two to either side.

    Attributes:
        train_images: Images per epoch, including those that a balancing arm adds.
        epochs: Maximum number of epochs, including those of a second phase.
        duration_s: Expected time for all of them, in seconds.
        finish_s: Expected time to load Keras, export the model and predict the images, in seconds.
        is_measured: Whether the speed was measured on this machine; otherwise it is a typical one.
        training: Range of the training's time.
        finish: Range of the time to finish.
    """

    train_images: int
    epochs: int
    duration_s: float
    finish_s: float
    is_measured: bool
    training: Span
    finish: Span

    @property
    def total(self) -> Span:
        """Range of the time from the start to the results."""
        return self.training + self.finish


def estimate_cost(config: TrainedConfig, index: DataIndex) -> Cost:
    """Expected cost of a training.

    Args:
        config: The run's config.
        index: The data set.

    Raises:
        ConfigError: `KERAS_BACKEND` names an unknown backend.
    """
    measured = measured_speed(config)
    if isinstance(config, GanConfig):
        images = expected_training(index.counts()[Split.TRAIN, config.label], config)
        typical = Speed(
            1 / (_GAN_IMAGE_S + _GAN_FILTERS_S * (config.filters * config.image_size / 64**2) ** 2), math.inf
        )
        duration_s = images * config.epochs / (measured.speed if measured else typical).epoch
        finish_s = GAN_FINISH_S[config.preset]
        spans = _spans((duration_s, duration_s), finish_s, measured, typical, SLOWEST_SHARE)
        return Cost(images, config.epochs, duration_s, finish_s, measured is not None, *spans)
    images = sum(_train_images(config, index))
    typical = typical_speed(config)
    speed = measured.speed if measured else typical
    epochs, fewest = config.epochs, fewest_epochs(config, config.epochs)
    views = images * config.feature_views + _chosen_on(config, index) * (config.feature_views > 0)
    duration_s = images * epochs / speed.epoch + views / speed.features
    fastest_s = images * fewest / speed.epoch  # Another run may have stored the features.
    if config.fine_tune is not None:
        epochs += config.fine_tune.epochs
        tuning_s = images / typical_speed(replace(config, feature_views=0)).epoch
        duration_s += config.fine_tune.epochs * tuning_s
        fastest_s += fewest_epochs(config, config.fine_tune.epochs) * tuning_s
    finish_s = _finish_s(config, index)
    spans = _spans((fastest_s, duration_s), finish_s, measured, typical, slowest_share())
    return Cost(images, epochs, duration_s, finish_s, measured is not None, *spans)


def fewest_epochs(config: TrainConfig, epochs: int) -> int:
    """The least number of epochs that a phase of at most `epochs` can have: early stopping waits from the first on."""
    return min(epochs, config.early_stopping_patience + 1)


def _spans(
    durations_s: tuple[float, float], finish_s: float, measured: Measured | None, typical: Speed, slowest: float
) -> tuple[Span, Span]:
    """Ranges of training and finishing, from the durations of the fewest epochs and of all at the expected speed.

    `slowest` is the least plausible share of the typical speed before anything was measured here.
    """
    fastest_s, duration_s = durations_s
    if measured:
        slow, fast = measured.shares(typical.epoch)
        return Span(fastest_s / fast, duration_s / slow), Span(finish_s / MEASURED_FACTOR, finish_s * MEASURED_FACTOR)
    fast = fastest_share()
    finish = Span(finish_s / fast, finish_s * finish_factor())
    if device_kind(keras_backend()) == "gpu":
        fast = math.inf  # No published run tells its speed.
    return Span(fastest_s / fast, duration_s / slowest), finish


def required_bytes(config: RunConfig, index: DataIndex) -> int:
    """Peak disk space of a run while it works, in bytes; a finished run keeps about a third of it.

    Args:
        config: The run's config.
        index: The data set.
    """
    if isinstance(config, GanConfig):
        total, preparation = _gan_bytes(config), Preparation.SQUASH
    else:
        total = _ensemble_bytes(config) if isinstance(config, EnsembleConfig) else _classifier_bytes(config, index)
        preparation = config.preparation
    if not is_there(array_path(index.data_id, config.image_size, preparation)):
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


def _ensemble_bytes(config: EnsembleConfig) -> int:
    # At most: a member may take smaller images, for which a network with a flattening has fewer parameters.
    layers = (layer for network in config.networks for layer in network_layers(network, config.image_size))
    return 4 * sum(layer.trainable + layer.fixed for layer in layers)


def _classifier_bytes(config: TrainConfig, index: DataIndex) -> int:
    layers = network_layers(config.architecture, config.image_size)
    trainable = sum(layer.trainable for layer in layers)
    parameters = trainable + sum(layer.fixed for layer in layers)
    if config.fine_tune is not None:
        trainable = parameters
    last = len(VGG16_BLOCKS) - config.trained_blocks
    if config.trained_blocks:
        trainable += sum(layer.fixed for layer in layers if layer.name > f"block{last + 1}" and layer.kind == "Conv2D")
    # Adam keeps two moments for each trainable parameter, and averaging one more.
    backup = parameters + (3 if config.averaging else 2) * trainable
    # A file is replaced by a new one beside it, so there are two of each for a moment, and one exported model.
    total = 4 * (2 * parameters + 2 * backup + parameters)
    if config.feature_views:
        stored = f"block{last}_pool" if last else "rescale"
        features = prod(next(layer.output_shape for layer in layers if layer.name == stored))
        images = min(len(index.table), config.max_images or len(index.table))
        # Two bytes each, for the views of the training images and once for the validation images.
        total += 2 * features * images * (config.feature_views + 1)
        total += 2 * features * _chosen_on(config, index)
        # Added images have features of their own; a repeated image is stored once.
        if config.balance in {Balance.CLASSICAL, Balance.GAN}:
            total += 2 * features * _train_images(config, index)[1] * config.feature_views
    return total


def _train_images(config: TrainConfig, index: DataIndex) -> tuple[int, int]:
    """Number of training images, and of images that a balancing arm adds; approximate, as whole patients are held out."""
    counts = [index.counts()[Split.TRAIN, label] for label in Label]
    images = expected_training(sum(counts), config)
    if not config.balance.adds_images:
        return images, 0
    # The gap is closed when each class has as many images as the largest.
    gap = images * (len(counts) * max(counts) - sum(counts)) / max(1, sum(counts))
    return images, round(gap * config.gap_percent / 100)


def _validated(config: TrainConfig, index: DataIndex) -> int:
    """Number of validation images, where patients are held out."""
    counts = index.counts()
    sizes = {split: sum(counts[split, label] for label in Label) for split in (Split.TRAIN, Split.VAL)}
    images = sizes[Split.VAL] + expected_held_out(sizes[Split.TRAIN], config)
    return min(images, config.max_images or images)


def _chosen_on(config: TrainConfig, index: DataIndex) -> int:
    """Number of degraded copies that choose the epoch; 0 where the validation images do."""
    return _validated(config, index) * stress_copies(config)


def _finish_s(config: TrainConfig, index: DataIndex) -> float:
    sizes = {split: sum(index.counts()[split, label] for label in Label) for split in (Split.TRAIN, Split.TEST)}
    images = min(sizes[Split.TEST], config.max_images or sizes[Split.TEST])
    if config.validation is Validation.PATIENTS:
        images += _validated(config, index) * (1 + copies_of(config.preset))
    images += min(expected_training(sizes[Split.TRAIN], config), MOST_CASES)
    return _LOAD_S + images * image_share(config) * _PREDICT_S[config.architecture]
