"""Remaining time of a run while it works, from its own measured speed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.run import RunConfig
from pneumo_core.jobs.cost import fewest_epochs
from pneumo_core.jobs.speed import (
    MEASURED_FACTOR,
    Span,
    Speed,
    epoch_durations,
    fastest_share,
    measured_speed,
    median_of,
    slowest_share,
    typical_speed,
)
from pneumo_core.jobs.views import RunView
from pneumo_core.records import RunState
from pneumo_core.runs.status import Status, read_events

_EPOCHS: Final = 3
"""Number of last epochs that predict the next: few, because a resumed run may be on another machine."""

EPOCHS_FACTORS: Final = (0.5, 1.8)
"""After each epoch of each published run, the rest took at least and at most these multiples of the median of the last
`_EPOCHS` epochs times the number of the rest, in nineteen of twenty cases."""

_Events = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Part:
    """A phase that is not over.

    Attributes:
        left: Its remaining epochs, if all are taken.
        fewest: The least number of remaining epochs, if it stops early.
        epoch_s: Expected seconds of an epoch; None before anything has been measured.
        factors: Least and greatest multiple of `epoch_s` that an epoch takes.
    """

    left: float
    fewest: float
    epoch_s: float | None
    factors: tuple[float, float]


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
    events = read_events(view.run)
    if _computes_features(view, events):
        return _features_left_s(view, events[-1])
    parts = _parts(view, events)
    if parts is None or any(part.epoch_s is None for part in parts):
        return None
    return sum(part.left * (part.epoch_s or 0.0) for part in parts)


def remaining(view: RunView) -> Span | None:
    """Range of the remaining time of a run's training, which narrows as the run goes.

    The lower end is that of a run that stops as soon as early stopping can, given its validation losses so far; the upper that
    of one that takes every epoch. Once an epoch was measured, an epoch takes `EPOCHS_FACTORS` of the last ones. Before, there
    are only batches, or the features of some images, and the first on a busy machine have been forty times too slow: the upper
    end is `speed.MEASURED_FACTOR` times what they predict, the lower end that of the fastest published speed.

    Args:
        view: The run.

    Returns:
        The range; None before anything has been measured.

    Raises:
        ConfigError, StoreError: See `remaining_s`.
    """
    most_s = remaining_s(view)
    if not most_s:
        return None if most_s is None else Span(0.0, 0.0)
    events = read_events(view.run)
    config = view.config
    if _computes_features(view, events) and isinstance(config, TrainConfig):
        least_s = (
            _features_s(config, events[-1], fewest_epochs(config, config.epochs), typical_speed(config))
            / fastest_share()
        )
        return Span(min(least_s, most_s / MEASURED_FACTOR), most_s * MEASURED_FACTOR)
    parts = _parts(view, events) or ()
    low_s = sum(part.fewest * (part.epoch_s or 0.0) * part.factors[0] for part in parts)
    return Span(low_s, sum(part.left * (part.epoch_s or 0.0) * part.factors[1] for part in parts))


def _computes_features(view: RunView, events: _Events) -> bool:
    """Whether a run that has started computes the features that it trains on."""
    has_started = view.status is not None and view.status.epochs > 0
    return has_started and bool(events) and events[-1].get("kind") == "features"


def _parts(view: RunView, events: _Events) -> tuple[_Part, ...] | None:
    """The phases that are not over; None for a run that has not started, or waits to be resumed."""
    status, config = view.status, view.config
    if status is None or status.epochs == 0:
        return None
    second = 0
    if isinstance(config, TrainConfig) and config.fine_tune is not None:
        second = config.fine_tune.epochs
    # `status.epochs` includes the second phase from the start.
    done = status.fraction * status.epochs
    left = status.epochs - done
    ends = (max(0.0, left - second), min(left, second))
    speeds = (_first(status, config, events), _second(status, config, events))
    return tuple(
        _Part(epochs, _fewest(config, events, phase, done, epochs), *speed)
        for phase, epochs, speed in zip((1, 2), ends, speeds, strict=True)
        if epochs > 0
    )


def _first(status: Status, config: RunConfig | None, events: _Events) -> tuple[float | None, tuple[float, float]]:
    """Seconds of an epoch of the first phase, and the factors of their range."""
    if epoch_s := median_of(epoch_durations(list(events), 1)[-_EPOCHS:]):
        return epoch_s, EPOCHS_FACTORS
    if config is None or isinstance(config, EnsembleConfig):
        return None, EPOCHS_FACTORS
    # The first batch of a session is slower, because the network is compiled in it.
    batches = [event for event in events if event.get("kind") == "batch" and event.get("step") != 1]
    speed = median_of([event.get("images_per_s") for event in batches])
    if speed is None:
        return None, EPOCHS_FACTORS
    least = 1 / MEASURED_FACTOR
    if isinstance(config, TrainConfig):
        least = min(least, speed / (typical_speed(config).epoch * fastest_share()))
    return status.steps * config.batch_size / speed, (least, MEASURED_FACTOR)


def _second(status: Status, config: RunConfig | None, events: _Events) -> tuple[float | None, tuple[float, float]]:
    """The same of the second phase, which trains the whole network."""
    if epoch_s := median_of(epoch_durations(list(events), 2)[-_EPOCHS:]):
        return epoch_s, EPOCHS_FACTORS
    if not status.steps or not isinstance(config, TrainConfig):
        return None, EPOCHS_FACTORS
    typical_s = status.steps * config.batch_size / typical_speed(replace(config, feature_views=0)).epoch
    return typical_s, (1 / fastest_share(), 1 / slowest_share())


def _fewest(config: RunConfig | None, events: _Events, phase: int, done: float, left: float) -> float:
    """The least number of epochs that a phase can still have: its patience counts from its epoch with the lowest loss."""
    if not isinstance(config, TrainConfig):
        return left
    losses = {
        event["epoch"]: event["val_loss"]
        for event in events
        if event.get("kind") == "epoch"
        and event.get("phase", 1) == phase
        and _is_number(event.get("epoch"))
        and _is_number(event.get("val_loss"))
    }
    if not losses:
        return min(left, config.early_stopping_patience + 1)
    best = min(losses, key=lambda epoch: (losses[epoch], epoch))
    return min(left, max(0.0, float(best) + 1 + config.early_stopping_patience - done))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _features_left_s(view: RunView, event: dict[str, Any]) -> float | None:
    """Time for the features of this view and of the later ones, and for all epochs at a measured or typical speed."""
    config = view.config
    if not isinstance(config, TrainConfig):
        return None
    known = measured_speed(config)
    try:
        speed = float(event["images_per_s"])
        if not 0 < speed < math.inf:
            return None
        epoch = known.speed.epoch if known else typical_speed(config).epoch
        return _features_s(config, event, config.epochs, Speed(epoch, speed))
    except (KeyError, TypeError, ValueError):
        return None


def _features_s(config: TrainConfig, event: dict[str, Any], epochs: int, speed: Speed) -> float:
    total = int(event["total"])
    features_s = (total - int(event["done"]) + int(event["views_left"]) * total) / speed.features
    whole = typical_speed(replace(config, feature_views=0))
    tuning_s = 0.0 if config.fine_tune is None else config.fine_tune.epochs / whole.epoch
    return features_s + total * (epochs / speed.epoch + tuning_s)
