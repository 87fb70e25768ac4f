"""Decision thresholds: rules, rates, predictive values at another prevalence, net benefit.

Arguments of all functions:

* `y_true`: classes, (n,), integers 0 (NORMAL) and 1 (PNEUMONIA).
* `probability`: probabilities of PNEUMONIA, (n,), in [0, 1]; raw or calibrated, a threshold belongs to the same scale.
* `patients`: patient of each image, (n,), of any type that sorts.
* An image is classified as PNEUMONIA if ``probability >= threshold``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pneumo_core.errors import ConfigError, DataError
from pneumo_core.evaluation.intervals import clustered_share, few_of_a_class
from pneumo_core.evaluation.metrics import FloatArray, IntArray, checked_pair, missing_class
from pneumo_core.evaluation.resampling import Z, draws, patient_codes
from pneumo_core.records import Estimate, Label, NotApplicable

Array = NDArray[Any]

GRID: Final = tuple(percent / 100 for percent in range(1, 100))
"""Threshold probabilities of a decision curve."""


class RuleKind(StrEnum):
    """Criterion of a threshold."""

    YOUDEN = "youden"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    FIXED = "fixed"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """A rule for the choice of a threshold.

    Attributes:
        kind: ``youden``: maximum of sensitivity + specificity - 1 (Youden 1950, Cancer 3:32-35); in a tie, the threshold
            nearest .5. ``sensitivity``: the highest threshold with at least the required sensitivity. ``specificity``: the
            lowest with at least the required specificity. ``fixed``: the value itself. ``cost``: minimum of the expected
            cost; in a tie, the threshold nearest .5.
        value: The required sensitivity or specificity, in (0, 1]; the fixed threshold, in [0, 1]; the cost of a missed
            PNEUMONIA in false alarms, above 0. None with ``youden``.
        prevalence: With ``cost`` only: prevalence of PNEUMONIA where the threshold will be used, in (0, 1); None: that of
            the images it is chosen on.

    Raises:
        ConfigError: A value is out of its range, missing, or not allowed by the rule.
    """

    kind: RuleKind
    value: float | None = None
    prevalence: float | None = None

    def __post_init__(self) -> None:
        ranges: dict[RuleKind, tuple[str, Callable[[float], bool]]] = {
            RuleKind.SENSITIVITY: ("above 0 and at most 1", lambda value: 0 < value <= 1),
            RuleKind.SPECIFICITY: ("above 0 and at most 1", lambda value: 0 < value <= 1),
            RuleKind.FIXED: ("from 0 to 1", lambda value: 0 <= value <= 1),
            RuleKind.COST: ("finite and above 0", lambda value: 0 < value < np.inf),
        }
        if self.kind is RuleKind.YOUDEN:
            if self.value is not None:
                raise ConfigError(f"the rule youden takes no value. Received: value={self.value}; leave it out")
        else:
            words, holds = ranges[self.kind]
            if self.value is None or not holds(self.value):
                raise ConfigError(
                    f"the rule {self.kind.value} requires a value {words}. Received: value={self.value}; change it"
                )
        if self.prevalence is not None:
            if self.kind is not RuleKind.COST:
                raise ConfigError(
                    f"only the rule cost takes a prevalence. Received: kind={self.kind.value}, "
                    f"prevalence={self.prevalence}; leave it out"
                )
            _require_prevalence(self.prevalence)


@dataclass(frozen=True, slots=True)
class ThresholdRates:
    """Rates of a threshold on a set of images.

    Attributes:
        threshold: Images with at least this probability are classified as PNEUMONIA.
        n: Images.
        n_patients: Patients.
        prevalence: Fraction of PNEUMONIA among the images, which `ppv` and `npv` depend on.
        sensitivity: Fraction of PNEUMONIA images classified as PNEUMONIA.
        specificity: Fraction of NORMAL images classified as NORMAL.
        ppv: Fraction of images classified as PNEUMONIA that are PNEUMONIA.
        npv: Fraction of images classified as NORMAL that are NORMAL.
    """

    threshold: float
    n: int
    n_patients: int
    prevalence: float
    sensitivity: Estimate | NotApplicable
    specificity: Estimate | NotApplicable
    ppv: Estimate | NotApplicable
    npv: Estimate | NotApplicable


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit of a model at each threshold probability (Vickers and Elkin 2006, Med Decis Making 26:565-574).

    True positives minus false positives, both as fractions of all images, where a false positive has the weight threshold /
    (1 - threshold), the odds at which treating and not treating are equivalent. It is valid only for calibrated
    probabilities. Treating none has a net benefit of 0.

    Attributes:
        n: Images.
        n_patients: Patients.
        prevalence: Prevalence of PNEUMONIA of the curve.
        threshold: `GRID`.
        model: Net benefit of the model, at most the prevalence.
        low: Lower end of each point's 95 % interval: percentiles of a bootstrap over patients.
        high: Upper ends.
        treat_all: Net benefit of treating all.
    """

    n: int
    n_patients: int
    prevalence: float
    threshold: tuple[float, ...]
    model: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    treat_all: tuple[float, ...]


def choose(rule: ThresholdRule, y_true: Array, probability: Array) -> float:
    """The threshold that a rule chooses on these images, which should be validation images.

    Between two adjacent probabilities every threshold gives the same counts; their midpoint is used.

    Raises:
        DataError: The arrays do not match, a class is missing, or no threshold reaches the specificity.
    """
    if rule.kind is RuleKind.FIXED and rule.value is not None:
        return rule.value
    labels, values = _checked(y_true, probability)
    candidates = _candidates(values)
    normal, pneumonia = (np.sort(values[labels == label]) for label in Label)
    if not (normal.size and pneumonia.size):
        raise DataError(
            f"the rule {rule.kind.value} requires images of both classes. Received: NORMAL={normal.size}, "
            f"PNEUMONIA={pneumonia.size}; hold out patients of both classes or use a fixed threshold"
        )
    # Whole numbers below 2^53, so that ties are exact.
    fp = (normal.size - np.searchsorted(normal, candidates, side="left")).astype(np.float64)
    fn = np.searchsorted(pneumonia, candidates, side="left").astype(np.float64)
    value = 1.0 if rule.value is None else rule.value
    if rule.kind is RuleKind.SENSITIVITY:
        # Quotients of whole numbers, rounded once, so that .9 of 10 is 9.
        return float(candidates[(pneumonia.size - fn) / pneumonia.size >= value].max())
    if rule.kind is RuleKind.SPECIFICITY:
        reached = (normal.size - fp) / normal.size >= value
        if not reached.any():
            raise DataError(
                f"the rule specificity requires a threshold that reaches it. Received: specificity={value}, most "
                f"reached={(normal.size - fp.min()) / normal.size:.4f}; require less"
            )
        return float(candidates[reached].min())
    if rule.kind is RuleKind.YOUDEN:
        # 1 minus the index, times both class sizes.
        cost = fn * normal.size + fp * pneumonia.size
    elif rule.prevalence is None:
        cost = fn * value + fp
    else:
        cost = rule.prevalence * value * fn / pneumonia.size + (1 - rule.prevalence) * fp / normal.size
    best = candidates[cost == cost.min()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def rates(y_true: Array, probability: Array, patients: Array, threshold: float) -> ThresholdRates:
    """Rates of a threshold on these images, with Wilson's intervals clustered by patient.

    Raises:
        DataError: The arrays are empty, do not fit each other or hold other values.
    """
    labels, values = _checked(y_true, probability)
    codes = patient_codes(patients, labels.shape)
    called, sick = values >= threshold, labels == Label.PNEUMONIA

    return ThresholdRates(
        threshold=threshold,
        n=labels.size,
        n_patients=int(codes.max()) + 1,
        prevalence=float(sick.mean()),
        sensitivity=clustered_share(called, sick, codes, "no image is PNEUMONIA"),
        specificity=clustered_share(~called, ~sick, codes, "no image is NORMAL"),
        ppv=clustered_share(sick, called, codes, "no image is classified as PNEUMONIA"),
        npv=clustered_share(~sick, ~called, codes, "no image is classified as NORMAL"),
    )


def predictive_values(
    sensitivity: Estimate, specificity: Estimate, prevalence: float
) -> tuple[Estimate | NotApplicable, Estimate | NotApplicable]:
    """PPV and NPV at a prevalence in (0, 1), by Bayes' rule, with intervals of Mercaldo et al. 2007 (Stat Med 26:2170-2183).

    Logit intervals by the delta method, section 2.2; where a rate is 0 or 1, which takes the variance or the logit away,
    with half of z squared added to successes and failures, Table II. The images count with the effective number that the
    rates' Wilson intervals have, so that patients with several images are allowed for.

    Returns:
        PPV and NPV; not applicable if no image would be classified as the class.

    Raises:
        ConfigError: The prevalence is not between 0 and 1.
    """
    _require_prevalence(prevalence)
    ppv = _predictive(sensitivity, specificity, prevalence, "no image would be classified as PNEUMONIA")
    npv = _predictive(specificity, sensitivity, 1 - prevalence, "no image would be classified as NORMAL")
    return ppv, npv


def decision_curve(
    y_true: Array, probability: Array, patients: Array, prevalence: float | None = None
) -> DecisionCurve | NotApplicable:
    """Net benefit of calibrated probabilities over `GRID`, at the images' own prevalence or weighted to another, in (0, 1).

    Returns:
        The curve; not applicable with fewer than `LEAST_PATIENTS` of a class, since its variation is then unknown.

    Raises:
        ConfigError: The prevalence is not between 0 and 1.
        DataError: The arrays do not match or hold other values.
    """
    if prevalence is not None:
        _require_prevalence(prevalence)
    labels, values = _checked(y_true, probability)
    codes = patient_codes(patients, labels.shape)
    if missing := missing_class(labels):
        return missing
    if few := few_of_a_class(labels, codes):
        return NotApplicable(f"an interval needs {few}")
    grid = np.array(GRID)
    odds = grid / (1 - grid)
    called = values[:, np.newaxis] >= grid
    sick = labels == Label.PNEUMONIA
    # Counts of each patient: true positives, false positives, PNEUMONIA, NORMAL.
    columns = np.column_stack((called & sick[:, np.newaxis], called & ~sick[:, np.newaxis], sick, ~sick))
    sums = np.zeros((int(codes.max()) + 1, columns.shape[1]))
    np.add.at(sums, codes, columns)

    def benefit(weights: FloatArray) -> FloatArray:
        """Net benefit of each weighting of the patients, (k, thresholds); NaN where a class has no weight."""
        totals = weights @ sums
        tp, fp, both = totals[:, : grid.size], totals[:, grid.size : 2 * grid.size], totals[:, -2:]
        if prevalence is None:
            return np.asarray((tp - fp * odds) / both.sum(axis=1, keepdims=True))
        usable = (both > 0).all(axis=1, keepdims=True)
        ones = np.where(usable, both, np.nan)
        return np.asarray(prevalence * tp / ones[:, :1] - (1 - prevalence) * odds * fp / ones[:, 1:])

    drawn = np.concatenate([benefit(weights) for weights in draws(np.arange(len(sums)))])
    low, high = np.percentile(drawn[~np.isnan(drawn[:, 0])], (2.5, 97.5), axis=0)
    share = float(sick.mean()) if prevalence is None else prevalence
    return DecisionCurve(
        n=labels.size,
        n_patients=len(sums),
        prevalence=share,
        threshold=GRID,
        model=tuple(benefit(np.ones((1, len(sums))))[0].tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        treat_all=tuple((share - (1 - share) * odds).tolist()),
    )


def _require_prevalence(prevalence: float) -> None:
    if not 0 < prevalence < 1:
        raise ConfigError(f"a prevalence must lie between 0 and 1. Received: prevalence={prevalence}; change it")


def _checked(y_true: Array, probability: Array) -> tuple[IntArray, FloatArray]:
    labels, values = checked_pair(y_true, probability)
    if not (inside := (values >= 0) & (values <= 1)).all():
        raise DataError(f"probabilities must lie in [0, 1]. Received: probability={values[~inside].tolist()[:5]}")
    return labels, values


def _candidates(values: FloatArray) -> FloatArray:
    """One threshold for each distinct table of counts, increasing."""
    edges = np.concatenate(([0.0], np.unique(values), [1.0]))
    middle = (edges[:-1] + edges[1:]) / 2
    # If no float lies between two edges, the midpoint may round down to the lower one, which would include both.
    return np.where(middle > edges[:-1], middle, edges[1:])


def _predictive(right: Estimate, other: Estimate, share: float, reason: str) -> Estimate | NotApplicable:
    """Predictive value of a class, from the true rates of both classes."""
    called = share * right.value, (1 - share) * (1 - other.value)
    if not sum(called):
        return NotApplicable(reason)
    value = called[0] / sum(called)
    hits, total = right.value, _effective(right)
    passes, others = other.value, _effective(other)
    if {hits, passes} & {0.0, 1.0}:
        hits, total = _adjusted(hits, total)
        passes, others = _adjusted(passes, others)
    if not (total and others):
        return Estimate(value=value, low=0.0, high=1.0, n=right.n + other.n)
    center = np.log(share * hits / ((1 - share) * (1 - passes)))
    half = Z * np.sqrt((1 - hits) / (hits * total) + passes / ((1 - passes) * others))
    low, high = expit((center - half, center + half)).tolist()
    # An adjusted interval is not centered on the value, and may exclude a value of 0 or 1.
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=right.n + other.n)


def _adjusted(rate: float, n: float) -> tuple[float, float]:
    return (rate * n + Z**2 / 2) / (n + Z**2), n + Z**2


def _effective(rate: Estimate) -> float:
    """Effective number of independent images of Wilson's interval, 0 where it says nothing.

    Its ends are the roots of (1 + z^2 / n) x^2 - (2 p + z^2 / n) x + p^2, so their product is p^2 / (1 + z^2 / n).
    """
    value, ends = rate.value, rate.low * rate.high
    if value < 0.5:
        value, ends = 1 - value, (1 - rate.low) * (1 - rate.high)
    return Z**2 / (value**2 / ends - 1) if ends else 0.0
