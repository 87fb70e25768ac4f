"""Logistic regressions of a class on one number, without a penalty: for measuring and correcting calibration.

`labels` are classes, (n,), both present, and `values` logits, (n,). `codes` are the patients of the images, (n,), numbered
from 0, at least 2 of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit as log_odds

from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.resampling import Z
from pneumo_core.records import Estimate, Label, NotApplicable

_STEPS: Final = 200
"""Maximum number of Newton steps; a dozen are enough, near separation some more."""

_TINY: Final = 1e-12
"""Newton's method stops at steps this small, relative to the coefficients; an information below this gives no interval."""


@dataclass(frozen=True, slots=True)
class Line:
    """A logit as a linear function of a number.

    Attributes:
        slope: Logits per unit of the number.
        intercept: Logit at 0.
    """

    slope: float
    intercept: float


def line(values: FloatArray, target: FloatArray) -> Line:
    """The line with the lowest cross-entropy, by Newton's method with step halving.

    Args:
        values: (n,), not all alike.
        target: (n,), in [0, 1]; if all are 0 or 1, those of 0 and those of 1 must overlap, else there is no such line.
    """
    design, center, scale = _design(values)

    def loss(coefficients: FloatArray) -> float:
        eta = design @ coefficients
        return float((np.logaddexp(0.0, eta) - target * eta).sum())

    here = np.zeros(2)
    best = loss(here)
    for _ in range(_STEPS):
        chance = probability(design @ here)
        step = np.linalg.solve(_information(design, chance), design.T @ (target - chance))
        while (tried := loss(here + step)) > best and np.abs(step).max() > _TINY:
            step /= 2
        if tried > best:
            break
        here, best = here + step, tried
        if np.abs(step).max() <= _TINY * max(1.0, float(np.abs(here).max())):
            break
    slope = float(here[1]) / scale
    return Line(slope=slope, intercept=float(here[0]) - slope * center)


def inverse_temperature(labels: IntArray, values: FloatArray) -> float | NotApplicable:
    """The slope with the lowest cross-entropy of a line through 0.

    Returns:
        The slope, above 0; not applicable if no positive slope is better than 0, or if the slope is unbounded.
    """
    # The logit of the true class: negative if the image is misclassified.
    margin = np.where(labels == Label.PNEUMONIA, values, -values)
    largest = float(np.abs(margin).max())
    if largest == 0 or margin.sum() <= 0:
        return NotApplicable("the logits do not distinguish the classes, so the temperature has no upper bound")
    if (margin >= 0).all():
        return NotApplicable("no image is on the wrong side of logit 0, so the temperature has no lower bound")
    scaled = margin / largest

    def derivative(slope: float) -> float:
        return float(-(scaled * probability(-slope * scaled)).sum())

    # It rises with the slope, from below 0 at 0.
    high = 1.0
    while derivative(high) < 0:
        high *= 2
    return _root(derivative, 0.0, high) / largest


def shift(labels: IntArray, values: FloatArray) -> float:
    """Constant to add to all logits so that the mean probability is the prevalence of PNEUMONIA."""
    share = float(log_odds(labels.mean()))
    # At these ends each probability is at most, or at least, the prevalence, up to rounding, hence the margin.
    margin = 1e-6 + 1e-9 * float(np.abs(values).max())
    low, high = share - float(values.max()) - margin, share - float(values.min()) + margin
    return _root(lambda added: float((probability(values + added) - labels).sum()), low, high)


def shift_estimate(labels: IntArray, values: FloatArray, codes: NDArray[np.intp]) -> Estimate | NotApplicable:
    """`shift` with its interval (see `slope_estimate`)."""
    added = shift(labels, values)
    return _estimate(added, np.ones((labels.size, 1)), labels, probability(values + added), codes)


def slope_estimate(labels: IntArray, values: FloatArray, codes: NDArray[np.intp]) -> Estimate | NotApplicable:
    """Slope of `line` with a normal interval, from the sandwich variance over patients.

    Liang and Zeger 1986, Biometrika 73:13-22, times patients / (patients - 1).

    Returns:
        The estimate; not applicable where the logits separate the classes.
    """
    if np.ptp(values) == 0:
        return NotApplicable("all logits are equal, so they have no slope")
    normal, pneumonia = (values[labels == label] for label in Label)
    # The likelihood has a maximum only if the classes overlap (Albert and Anderson 1984, Biometrika 71:1-10).
    if not (pneumonia.min() < normal.max() and normal.min() < pneumonia.max()):
        return NotApplicable("the logits separate the classes, so the slope is unbounded")
    best = line(values, labels.astype(np.float64))
    design, _, scale = _design(values)
    found = _estimate(best.slope * scale, design, labels, probability(best.slope * values + best.intercept), codes)
    if isinstance(found, NotApplicable):
        return found
    return Estimate(value=best.slope, low=found.low / scale, high=found.high / scale, n=found.n)


def _design(values: FloatArray) -> tuple[FloatArray, float, float]:
    """A column of ones and the values, shifted and scaled into [-1, 1] for numerical stability."""
    center = float(values.mean())
    scale = float(np.abs(values - center).max())
    return np.column_stack((np.ones(values.size), (values - center) / scale)), center, scale


def _information(design: FloatArray, chance: FloatArray) -> FloatArray:
    return np.asarray(design.T @ (design * (chance * (1 - chance))[:, np.newaxis]))


def _estimate(
    value: float, design: FloatArray, labels: NDArray[Any], chance: FloatArray, codes: NDArray[np.intp]
) -> Estimate | NotApplicable:
    """The coefficient of the design's last column, with its interval."""
    information = _information(design, chance)
    if np.linalg.eigvalsh(information)[0] < _TINY:
        return NotApplicable("all probabilities are 0 or 1, so its interval is unbounded")
    bread = np.linalg.inv(information)
    scores = np.column_stack([np.bincount(codes, weights=column * (labels - chance)) for column in design.T])
    patients = len(scores)
    variance = patients / (patients - 1) * float((bread @ (scores.T @ scores) @ bread)[-1, -1])
    half = Z * float(np.sqrt(variance))
    return Estimate(value=value, low=value - half, high=value + half, n=labels.size)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Root of an increasing function between two points, by bisection to the last bit.

    SciPy's Brent needs a dozen evaluations instead of sixty, but half a second to load, which delays a first page visit.
    """
    while low < (middle := low + (high - low) / 2) < high:
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high
