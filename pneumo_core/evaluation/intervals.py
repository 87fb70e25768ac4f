"""95 % intervals for images that are not independent, because a patient may have several.

Proportions have Wilson's interval with an effective number of images; areas and mean losses a BCa bootstrap over patients.
Arguments of all functions:

* `correct`: whether each image counts, (n,), bool.
* `y_true`: classes, (n,), 0 or 1.
* `patients`: patient of each image, (n,), of any type that sorts.
* `replicates`: bootstrap replicates.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from pneumo_core.errors import DataError
from pneumo_core.evaluation.metrics import FloatArray, area_influence, areas, checked_pair, missing_class, rank
from pneumo_core.evaluation.resampling import (
    LEAST_PATIENTS,
    REPLICATES,
    bca_estimates,
    no_interval,
    patient_codes,
    resample,
)
from pneumo_core.records import Estimate, Label, NotApplicable


def wilson(
    successes: float, n: int, *, design_effect: float = 1.0, freedom: float = np.inf
) -> Estimate | NotApplicable:
    """Wilson's score interval of a proportion (Wilson 1927, JASA 22:209-212).

    Args:
        successes: Images that count, from 0 to n.
        n: Images.
        design_effect: At least 1; the interval is that of ``n / design_effect`` independent images.
        freedom: Degrees of freedom of an estimated design effect, at least 0: Student's t takes the place of the normal
            quantile. With 0, nothing is known of the proportion, and the interval is (0, 1).

    Raises:
        DataError: A number is out of its range.
    """
    if n < 0 or not 0 <= successes <= n or not 1 <= design_effect < np.inf or not freedom >= 0:
        raise DataError(
            "an interval requires 0 <= successes <= n, design_effect >= 1 and freedom >= 0. "
            f"Received: successes={successes}, n={n}, design_effect={design_effect}, freedom={freedom}"
        )
    if n == 0:
        return NotApplicable("there are no images")
    # In images over the quantile's square, which is 0 where the quantile is infinite.
    quantile = _quantile(freedom)
    share, weight = successes / n, n / design_effect / quantile / quantile
    center = (share * weight + 1 / 2) / (weight + 1)
    half = float(np.sqrt(share * (1 - share) * weight + 1 / 4)) / (weight + 1)
    # At 0 and 1 the ends are exactly 0 and 1, up to rounding.
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return Estimate(value=share, low=low, high=high, n=n)


def design_effect(correct: NDArray[Any], patients: NDArray[Any]) -> float:
    """Design effect: number of images that are equivalent to one independent image, for a proportion.

    The variance of the ratio estimator (images that count by images, both summed over patients) divided by that of the
    binomial, at least 1 (Rao and Scott 1992, Biometrics 48:577-585). It is 1 where each patient has one image. Where all
    images have the same value, it cannot be estimated, and each patient counts as one image, as if all were alike.

    Raises:
        DataError: The arrays are empty or do not fit each other.
    """
    counts, codes = np.asarray(correct, dtype=np.float64), patient_codes(patients, np.shape(correct))
    n, share = counts.size, float(counts.mean())
    clusters = int(codes.max()) + 1
    if share in {0.0, 1.0} or clusters == 1:
        return n / clusters
    if clusters == n:
        return 1.0
    residual = np.bincount(codes, weights=counts - share)
    variance = clusters / (clusters - 1) * float(np.square(residual).sum()) / n**2
    return max(1.0, variance * n / (share * (1 - share)))


def clustered_wilson(correct: NDArray[Any], patients: NDArray[Any]) -> Estimate | NotApplicable:
    """Wilson's interval of a proportion of images, with the patients' `design_effect`.

    Where patients have several images, the design effect is an estimate, and Student's t replaces the normal quantile. Its
    degrees of freedom are the effective number of patients less 1: n^2 / sum of m^2, with m images of a patient (Kish 1965,
    Survey Sampling, section 11.7), which is the number of patients where all have equally many images and nears 1 where one
    patient has almost all. With a few errors the design effect cannot be trusted, so an end is at least as far out as if that
    effective number of patients had all agreed; one error more never raises the lower end. `benchmarks.coverage` measures how
    often such intervals hold the truth.

    Raises:
        DataError: The arrays do not match.
    """
    if not np.size(correct):
        return NotApplicable("there are no images")
    sizes = np.bincount(patient_codes(patients, np.shape(correct)))
    n, right, effect = int(sizes.sum()), int(np.sum(correct)), design_effect(correct, patients)
    if n == sizes.size:
        return wilson(right, n, design_effect=effect)
    effective = n**2 / float(np.square(sizes).sum())
    found, agreeing = (
        wilson(count, n, design_effect=max(1.0, each), freedom=effective - 1)
        for count, each in ((right, effect), (n, n / effective))
    )
    if isinstance(found, NotApplicable) or isinstance(agreeing, NotApplicable) or right in {0, n}:
        return found
    return replace(found, low=min(found.low, agreeing.low), high=max(found.high, 1 - agreeing.low))


def clustered_share(
    correct: NDArray[Any], among: NDArray[Any], patients: NDArray[Any], reason: str
) -> Estimate | NotApplicable:
    """`clustered_wilson` of the images `among`, (n,), bool; not applicable, for the `reason`, where there are none."""
    return clustered_wilson(correct[among], patients[among]) if among.any() else NotApplicable(reason)


def student_interval(value: float, error: float, freedom: float) -> tuple[float, float]:
    """Ends of Student's t interval (Student 1908, Biometrika 6:1-25).

    Args:
        value: The estimate.
        error: Its standard error.
        freedom: Degrees of freedom of the error, above 0.
    """
    half = _quantile(freedom) * error
    return value - half, value + half


def _quantile(freedom: float) -> float:
    """The 97.5 % quantile of Student's t; infinite without a degree of freedom."""
    return float(stdtrit(freedom, 0.975)) if freedom > 0 else np.inf


@dataclass(frozen=True, slots=True)
class AreaEstimates:
    """Areas under the ROC and the precision-recall curve, and the replicates without one of the classes, left out of both."""

    auroc: Estimate | NotApplicable
    auprc: Estimate | NotApplicable
    ignored: int


def area_estimates(
    y_true: NDArray[Any], logit: NDArray[Any], patients: NDArray[Any], *, replicates: int = REPLICATES
) -> AreaEstimates:
    """AUROC and AUPRC with BCa bootstrap intervals over patients.

    They are of logits, or other numbers of the same order, (n,), finite: probabilities near 0 and 1 are rounded to ties.

    Returns:
        Estimates; not applicable if a class has fewer than `LEAST_PATIENTS` or every draw of patients has the same area,
        since their variation is then unknown; for an area of 1 or 0 see `certain_area`.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values = checked_pair(y_true, logit)
    if missing := missing_class(labels):
        return AreaEstimates(missing, missing, ignored=0)
    codes, order = patient_codes(patients, labels.shape), np.argsort(-values, kind="stable")
    # In order of rank, so that each replicate reads its memory in order: half of the time of 200,000 images.
    labels, codes = labels[order], codes[order]
    ranking = rank(labels, values[order])
    drawn = resample(
        lambda weights: np.column_stack(areas(ranking, weights)), area_influence(ranking), codes, replicates=replicates
    )
    found = [
        certain_area(value, labels, codes) or few_for_area(value, labels, codes) or estimate
        for value, (estimate, _) in zip(drawn.value.tolist(), bca_estimates(drawn, labels.size), strict=True)
    ]
    return AreaEstimates(auroc=found[0], auprc=found[1], ignored=int(np.isnan(drawn.replicates[:, 0]).sum()))


def few_of_a_class(y_true: NDArray[Any], patients: NDArray[Any]) -> str:
    """What is missing where a class has fewer than `LEAST_PATIENTS`, for a reason; "" if each that is there has enough."""
    for label in Label:
        if 0 < (count := len(np.unique(np.asarray(patients)[np.asarray(y_true) == label]))) < LEAST_PATIENTS:
            return f"{LEAST_PATIENTS} patients of each class, and {label.name} has {count}"
    return ""


def few_for_area(value: float, y_true: NDArray[Any], patients: NDArray[Any]) -> NotApplicable | None:
    """Why a value that depends on both classes has no interval, if one of them has too few patients; else None."""
    few = few_of_a_class(y_true, patients)
    return no_interval(value, few) if few else None


def certain_area(value: float, y_true: NDArray[Any], patients: NDArray[Any]) -> Estimate | None:
    """Interval of an area of 1 or 0, where every bootstrap draw has the same area and gives no interval.

    The other end is Wilson's for as many successes, or failures, as the rarer class has patients, each of which could have
    been out of order. There are more possibilities, so the interval is rather too wide.

    Returns:
        The estimate, or None for any other area and where the rarer class has fewer than two patients.
    """
    fewest = min(len(np.unique(np.asarray(patients)[np.asarray(y_true) == label])) for label in Label)
    if value not in {0.0, 1.0} or fewest < 2:
        return None
    found = wilson(value * fewest, fewest)
    return None if isinstance(found, NotApplicable) else Estimate(value, found.low, found.high, int(np.size(y_true)))


def mean_estimates(
    values: FloatArray, patients: NDArray[Any], *, replicates: int = REPLICATES
) -> tuple[Estimate | NotApplicable, ...]:
    """Means over images of m numbers, (n, m), finite, such as losses, with BCa bootstrap intervals over patients.

    Returns:
        m estimates; not applicable with fewer than `LEAST_PATIENTS` or if every draw of patients has the same mean, since
        the variation is then unknown.

    Raises:
        DataError: The arrays do not match.
    """
    if not len(values):
        return tuple(NotApplicable("there are no images") for _ in values.T)
    codes = patient_codes(patients, values.shape[:1])
    # Sums of each patient, so that a draw weights patients, of whom there are fewer.
    columns = (np.ones(len(values)), *values.T)
    sums = np.column_stack([np.bincount(codes, weights=column) for column in columns])

    def means(weights: FloatArray) -> FloatArray:
        drawn = weights @ sums
        return np.asarray(drawn[:, 1:] / drawn[:, :1])

    influence = (sums[:, 1:] - sums[:, :1] * values.mean(axis=0)) / len(values)
    drawn = resample(means, influence, np.arange(len(sums)), replicates=replicates)
    return tuple(estimate for estimate, _ in bca_estimates(drawn, len(values)))
