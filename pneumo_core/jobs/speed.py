"""Speed of a training on this machine: measured in earlier trainings here, or the range of the published ones."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any, Final

from pneumo_core.augmentation.stress import copies_of
from pneumo_core.config.architecture import VGG16_BLOCKS, LayerSpec, network_layers
from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.hardware import Hardware, training_hardware
from pneumo_core.config.run import RunConfig, TrainedConfig
from pneumo_core.errors import ConfigError, StoreError
from pneumo_core.records import Architecture, Split
from pneumo_core.runs.files import is_there, read_json
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import list_runs
from pneumo_core.runs.submission import read_config
from pneumo_core.settings import keras_backend


@dataclass(frozen=True, slots=True)
class Span:
    """A range of seconds.

    Attributes:
        low_s: Its lower end.
        high_s: Its upper end.
    """

    low_s: float
    high_s: float

    def __add__(self, other: "Span") -> "Span":
        return Span(self.low_s + other.low_s, self.high_s + other.high_s)


@dataclass(frozen=True, slots=True)
class Speed:
    """Images per second.

    Attributes:
        epoch: Of an epoch, validation included.
        features: Of the feature computation before the first epoch.
    """

    epoch: float
    features: float


TYPICAL: Final = {
    # Two cores of a server CPU with bfloat16 and AMX; docs/results.md names the runs.
    (Architecture.BASELINE, False): Speed(117.0, math.inf),
    # Two cores of an AMD EPYC with bfloat16, without AMX: the published runs' epochs, less what their degraded copies took.
    (Architecture.COMPACT, False): Speed(95.0, math.inf),
    (Architecture.VGG16, True): Speed(1000.0, 140.0),
    (Architecture.VGG16, False): Speed(115.0, math.inf),
}
"""Key: the architecture, and whether the head trains on stored features. Images have the size of `_SIDES`, no block of VGG16 is
trained, and validation images choose; `typical_speed` says what follows for other settings."""

_SIDES: Final = {Architecture.BASELINE: 150, Architecture.COMPACT: 96, Architecture.VGG16: 150}
"""Side of the images, in pixels, of which `TYPICAL` is."""

_PASSES: Final = 3.0
"""Passes through a network that training takes of an image, where validation takes one: forward, and backward to its maps and
to its weights, each a convolution of as many operations."""


def typical_speed(config: TrainConfig) -> Speed:
    """Speed of a config, from `TYPICAL` and the number of operations: more pixels and trained blocks take longer.

    Degraded copies that choose the epoch are validated in each, and are several of each validation image.
    """
    layers = network_layers(config.architecture, config.image_size)
    usual = network_layers(config.architecture, _SIDES[config.architecture])
    blocks = tuple(f"block{len(VGG16_BLOCKS) - number}_" for number in range(config.trained_blocks))
    trained = _operations(layer for layer in layers if layer.name.startswith(blocks)) if blocks else 0
    share, trained_share = _operations(layers) / _operations(usual), trained / _operations(usual)
    whole = TYPICAL[config.architecture, False].epoch
    features = math.inf
    if config.feature_views:
        known = TYPICAL[config.architecture, True]
        heads = sum(layer.trainable for layer in layers) / sum(layer.trainable for layer in usual)
        # `whole` is of one pass through the frozen blocks and little besides.
        image_s = heads / known.epoch + _PASSES * trained_share / whole
        features = known.features / max(share - trained_share, 1e-9)
    else:
        image_s = (share + (_PASSES - 1) * trained_share) / whole
    return Speed(1 / (image_s * _validation_factor(config)), features)


def image_share(config: TrainConfig) -> float:
    """Operations for an image, as a multiple of those for one of the usual size, test-time flip included."""
    sides = config.image_size, _SIDES[config.architecture]
    own, usual = (_operations(network_layers(config.architecture, side)) for side in sides)
    return own / usual * (1 + config.test_time_flip)


def stress_copies(config: TrainConfig) -> int:
    """Degraded copies of each validation image that choose the epoch; 0 where the images themselves do."""
    return copies_of(config.preset) if config.choose_on is Split.STRESS else 0


def _validation_factor(config: TrainConfig) -> float:
    """How much longer an epoch takes with degraded copies to validate than with the images that `TYPICAL` includes."""
    more = max(0, stress_copies(config) - 1) * config.val_fraction / (1 - config.val_fraction)
    return 1 + more / _PASSES


def _operations(layers: Iterable[LayerSpec]) -> int:
    """Multiplications of the convolutions, which take nearly all of the time."""
    return sum(
        (layer.trainable + layer.fixed) * math.prod(layer.output_shape[:2])
        for layer in layers
        if layer.kind == "Conv2D"
    )


BFLOAT16: Final = "mixed_bfloat16"

SLOWEST_SHARE: Final = 1 / 14
SLOWEST_SHARE_BFLOAT16: Final = 0.52
FASTEST_SHARE: Final = 1.5
"""All published classifiers but one had at least and at most these shares of `TYPICAL`; those that trained in bfloat16 had all
at least the second. They are of two cores, idle or shared with other work. Work is divided among cores at best evenly, so
`fastest_share` grows with their number. No published run is of a GPU: there, nothing limits the speed upward."""

FINISH_FACTOR: Final = 6.0
FINISH_FACTOR_BFLOAT16: Final = 2.5
"""Export and predictions of every published classifier took at most these multiples of what was expected of them."""

MEASURED_FACTOR: Final = 2.0
"""Two runs on one machine: in the 18 pairs of published runs that differ in their seed alone, the median epoch of one took at
most 1.94 times as long as the other's."""


def fastest_share() -> float:
    """The greatest plausible share of `TYPICAL` on this machine's CPU, from the published runs."""
    return FASTEST_SHARE * max(1.0, (os.cpu_count() or 1) / 2)


def slowest_share() -> float:
    """The least plausible share of `TYPICAL` on this machine, by the precision of a training here.

    Raises:
        ConfigError: `KERAS_BACKEND` names an unknown backend.
    """
    return SLOWEST_SHARE_BFLOAT16 if _trains_in_bfloat16() else SLOWEST_SHARE


def finish_factor() -> float:
    """The greatest plausible multiple of the expected time to export and predict on this machine; see `slowest_share`."""
    return FINISH_FACTOR_BFLOAT16 if _trains_in_bfloat16() else FINISH_FACTOR


def _trains_in_bfloat16() -> bool:
    backend = keras_backend()
    return device_kind(backend) == "cpu" and hardware_here(backend).precision == BFLOAT16


_ENOUGH: Final = 3
"""Runs that were measured here, from which on the typical speed says nothing more."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What earlier trainings on this machine say of the next.

    Attributes:
        speed: The most telling one's.
        slowest: Images per second of the slowest comparable one's median epoch.
        fastest: The same of the fastest.
        runs: Number of comparable ones.
    """

    speed: Speed
    slowest: float
    fastest: float
    runs: int

    def shares(self, typical: float) -> tuple[float, float]:
        """Lower and upper end of the next run's speed, as shares of `speed`.

        They are a factor `MEASURED_FACTOR` to either side, and at least the whole range of what was measured here. A machine
        that was busy then may be idle now (one was forty times too slow): before `_ENOUGH` runs were measured, the range
        therefore reaches to the typical speed.

        Args:
            typical: Images per second of an epoch that are typical.
        """
        epoch = self.speed.epoch
        fast = max(MEASURED_FACTOR, self.fastest / epoch)
        if self.runs < _ENOUGH:
            fast = max(fast, typical / epoch)
        return min(1 / MEASURED_FACTOR, self.slowest / epoch), fast


def measured_speed(config: TrainedConfig) -> Measured | None:
    """Speed of local runs on this kind of device, or None.

    A classifier's are those with the same architecture, image size, trained blocks, choosing images and use of stored
    features. The one with the most training images is the most telling, as the constant cost of an epoch weighs least in it;
    those with at least half as many are comparable. A DCGAN's have networks of the same size and batches, and the newest is
    the most telling.
    """
    known: list[tuple[int, Speed]] = []
    for submitted, images, events in _local_trainings(config.architecture):
        # Without the first epoch, in which the network is compiled.
        epoch_s = median_of(epoch_durations(events, phase=1)[1:])
        if epoch_s is not None and images > 0 and _is_alike(submitted, config):
            features = median_of([event.get("images_per_s") for event in events if event.get("kind") == "features"])
            known.append((images, Speed(images / epoch_s, features or _typical_features(config))))
    if not known:
        return None
    best = known[0] if isinstance(config, GanConfig) else max(known, key=lambda each: each[0])
    alike = [speed.epoch for images, speed in known if 2 * images >= best[0]]
    return Measured(best[1], min(alike), max(alike), len(alike))


def _is_alike(submitted: RunConfig, config: TrainedConfig) -> bool:
    if isinstance(submitted, TrainConfig) and isinstance(config, TrainConfig):
        alike = ("image_size", "trained_blocks", "choose_on")
        same = all(getattr(submitted, name) == getattr(config, name) for name in alike)
        return same and (submitted.feature_views > 0) == (config.feature_views > 0)
    size = ("filters", "image_size", "batch_size")
    return isinstance(submitted, GanConfig) and all(getattr(submitted, name) == getattr(config, name) for name in size)


def _typical_features(config: TrainedConfig) -> float:
    return typical_speed(config).features if isinstance(config, TrainConfig) else math.inf


def epoch_durations(events: list[dict[str, Any]], phase: int) -> list[Any]:
    """Durations of a phase's epochs, from the events; events of older runs without a phase count as the first."""
    return [
        event.get("duration_s") for event in events if event.get("kind") == "epoch" and event.get("phase", 1) == phase
    ]


def median_of(values: list[Any]) -> float | None:
    """Median of the positive numbers among values read from a file, or None."""
    numbers = [
        value
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    ]
    return median(numbers) if numbers else None


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
        if device == (keras_backend(), device_kind(keras_backend())):
            yield submitted, images, events


def device_kind(backend: str) -> str:
    """Kind of device of a training on this machine."""
    return hardware_here(backend).kind


@cache
def hardware_here(backend: str) -> Hardware:  # noqa: ARG001  Part of the key.
    """Device of a training on this machine; cached, because the driver's program takes a moment."""
    return training_hardware()
