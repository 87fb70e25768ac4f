"""Tests of differences between models: on the same images (McNemar, DeLong), over several tests (Holm), over seeds (Welch).

In all functions, a difference is b minus a, p values are two-sided, and intervals are of 95 %. Arguments:

* `right_a`, `right_b`: whether a model classifies each image correctly, (n,), bool.
* `y_true`, `y_a`, `y_b`: classes of the images of both models, or of one, (n,), 0 or 1.
* `logit_a`, `logit_b`: logits of a model, (n,), finite.
* `patients`, `patients_a`, `patients_b`: patient of each of these images, (n,), of any type that sorts.
* `values`, `values_a`, `values_b`: a metric of each of k runs, (k,), finite.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr, stdtr

from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import few_of_a_class, student_interval
from pneumo_core.evaluation.metrics import FloatArray, IntArray, checked_pair, missing_class
from pneumo_core.evaluation.resampling import Z, patient_codes
from pneumo_core.records import Estimate, Label, NotApplicable


@dataclass(frozen=True, slots=True)
class McNemar:
    """Agreement of two models, image by image.

    Attributes:
        both_right: Images that both classify correctly.
        only_a: Images that only a classifies correctly.
        only_b: Images that only b classifies correctly.
        both_wrong: Images that neither classifies correctly.
        p: McNemar's exact test, images taken as independent; 1 without disagreement.
        p_clustered: Obuchowski's test, which allows for dependent images of a patient; needs 2 patients.
    """

    both_right: int
    only_a: int
    only_b: int
    both_wrong: int
    p: float
    p_clustered: float | NotApplicable


def mcnemar(right_a: NDArray[Any], right_b: NDArray[Any], patients: NDArray[Any]) -> McNemar:
    """Test whether one of two models is correct more often on the same images.

    `p` is the binomial test of the images on which they disagree (McNemar 1947, Psychometrika 12:153-157). `p_clustered`
    is Obuchowski 1998 (Statistics in Medicine 17:1495-1507): with d the images only b gets right less those only a does,
    summed by patient, chi-squared = (sum d)^2 / (K / (K - 1) sum d^2) over K patients. It tests the difference of the
    shares of images, where Durkalski's test (2003, Statistics in Medicine 22:2417-2428) gives each patient equal weight.

    Raises:
        DataError: The arrays do not match or are not bool.
    """
    a, b = np.asarray(right_a), np.asarray(right_b)
    if a.ndim != 1 or a.shape != b.shape or {a.dtype, b.dtype} != {np.dtype(bool)}:
        received = f"right_a={a.dtype} {a.shape}, right_b={b.dtype} {b.shape}"
        raise DataError(f"right_a and right_b must both be bool (n,). Received: {received}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return McNemar(
        both_right=int((a & b).sum()),
        only_a=only_a,
        only_b=only_b,
        both_wrong=int((~a & ~b).sum()),
        p=min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5))),
        p_clustered=_obuchowski(b.astype(np.float64) - a, patients),
    )


@dataclass(frozen=True, slots=True)
class DeLong:
    """Two areas under ROC curves, with tests of their difference.

    Attributes:
        auroc_a: Area of a. All three intervals are normal, from the larger of DeLong's and Obuchowski's variance.
        auroc_b: Area of b.
        difference: Area of b minus that of a.
        p: DeLong's test, images taken as independent; 1 where the areas are equal.
        p_clustered: Obuchowski's version, which allows for dependent images of a patient.
    """

    auroc_a: Estimate
    auroc_b: Estimate
    difference: Estimate
    p: float
    p_clustered: float | NotApplicable


def delong(
    y_true: NDArray[Any], logit_a: NDArray[Any], logit_b: NDArray[Any], patients: NDArray[Any]
) -> DeLong | NotApplicable:
    """Test whether the areas under two models' ROC curves differ, on the same images.

    DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44:837-845), ties counting one half, and for `p_clustered`
    Obuchowski 1997 (Biometrics 53:567-578), whose variance sums an image's placement values by patient. Only the order
    of the logits counts.

    Returns:
        The comparison; not applicable where a class has fewer than `LEAST_PATIENTS` patients, or where unequal areas have no
        variance.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    if isinstance(a := _placed(y_true, logit_a, patients), NotApplicable):
        return a
    if isinstance(b := _placed(y_true, logit_b, patients), NotApplicable):
        return b
    both = replace(a, counts=b.counts - a.counts)
    return _compared(a, b, _area(both), (_variance(both), _clustered_variance(both)), a.labels.size)


def delong_unpaired(
    y_a: NDArray[Any],
    logit_a: NDArray[Any],
    patients_a: NDArray[Any],
    y_b: NDArray[Any],
    logit_b: NDArray[Any],
    patients_b: NDArray[Any],
) -> DeLong | NotApplicable:
    """Test whether the areas under two models' ROC curves differ, on two different sets of images.

    As `delong`, the variance of the difference being the sum of both areas' variances. Patients in both sets count
    as one patient each for `p_clustered`: their contributions to both areas are correlated.

    Returns:
        The comparison; not applicable where a class has fewer than `LEAST_PATIENTS` patients in a set, or where unequal areas
        have no variance.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    if isinstance(a := _placed(y_a, logit_a, patients_a), NotApplicable):
        return a
    if isinstance(b := _placed(y_b, logit_b, patients_b), NotApplicable):
        return b
    n = a.labels.size + b.labels.size
    return _compared(a, b, _area(b) - _area(a), (_variance(a) + _variance(b), _clustered_of_both(a, b)), n)


def larger_p(test: McNemar | DeLong) -> float:
    """The larger of the plain and the clustered p value, which conclusions are based on."""
    return test.p if isinstance(test.p_clustered, NotApplicable) else max(test.p, test.p_clustered)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values adjusted for multiple tests (Holm 1979, Scandinavian Journal of Statistics 6:65-70).

    Args:
        p_values: P values, each in [0, 1].

    Returns:
        Adjusted p values, in the given order; the family-wise error rate of those below .05 is at most 5 %.

    Raises:
        DataError: A number is not a p value.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError(f"p values must lie in [0, 1]. Received: p_values={p.tolist()[:5]}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1.0)
    return tuple(adjusted.tolist())


def holm_of_known(p_values: Sequence[float | NotApplicable]) -> list[float | NotApplicable]:
    """`holm` of the p values that are there; the others keep their reasons and do not count."""
    adjusted = iter(holm([p for p in p_values if not isinstance(p, NotApplicable)]))
    return [p if isinstance(p, NotApplicable) else next(adjusted) for p in p_values]


@dataclass(frozen=True, slots=True)
class Spread:
    """Variation of one metric over runs that differ only in their seed; it does not include the variation between patients.

    Attributes:
        mean: Mean of the runs.
        sd: Standard deviation of the runs, k - 1 in its denominator.
        low: Lower end of Student's t interval of the mean; not kept within the metric's range.
        high: Upper end.
        k: Runs.
    """

    mean: float
    sd: float
    low: float
    high: float
    k: int


def spread(values: Sequence[float]) -> Spread | NotApplicable:
    """Variation of one metric over seeds.

    Returns:
        The spread; not applicable with fewer than 2 runs, or where all have the same value.

    Raises:
        DataError: A value is not finite.
    """
    runs = _finite(values)
    if runs.size < 2:
        return NotApplicable(f"a spread over seeds needs 2 runs and there {'is 1' if runs.size else 'are none'}")
    if np.ptp(runs) == 0:
        return NotApplicable(f"all {runs.size} runs have the same value, so the spread over seeds is unknown")
    mean, sd = float(runs.mean()), float(runs.std(ddof=1))
    low, high = student_interval(mean, sd / runs.size**0.5, runs.size - 1)
    return Spread(mean=mean, sd=sd, low=low, high=high, k=runs.size)


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """Difference of one metric between two groups of runs, with its uncertainty over seeds.

    Attributes:
        value: Mean of b's runs minus that of a's.
        low: Lower end of its interval.
        high: Upper end.
        p: Welch's test.
        k_a: Runs of a.
        k_b: Runs of b.
    """

    value: float
    low: float
    high: float
    p: float
    k_a: int
    k_b: int


def seed_difference(values_a: Sequence[float], values_b: Sequence[float]) -> SeedDifference | NotApplicable:
    """Test whether a metric differs between two groups of runs, given the spread over seeds (Welch 1947, Biometrika 34:28-35).

    Returns:
        The difference; not applicable with fewer than 2 runs in a group, or if all runs of each group are equal.

    Raises:
        DataError: A value is not finite.
    """
    a, b = _finite(values_a), _finite(values_b)
    if min(a.size, b.size) < 2:
        return NotApplicable(f"a difference over seeds needs 2 runs in each group and there are {a.size} and {b.size}")
    if np.ptp(a) == np.ptp(b) == 0:
        return NotApplicable("the runs of each group have the same value, so the spread over seeds is unknown")
    variance_a, variance_b = float(a.var(ddof=1)) / a.size, float(b.var(ddof=1)) / b.size
    variance = variance_a + variance_b
    freedom = variance**2 / (variance_a**2 / (a.size - 1) + variance_b**2 / (b.size - 1))
    value, error = float(b.mean() - a.mean()), variance**0.5
    low, high = student_interval(value, error, freedom)
    p = 2 * float(stdtr(freedom, -abs(value) / error))
    return SeedDifference(value=value, low=low, high=high, p=p, k_a=a.size, k_b=b.size)


@dataclass(frozen=True, slots=True)
class _Placed:
    # `counts` holds each image's placement value as a whole number, so that equal ones are equal: twice the images of the
    # other class on its correct side, below a PNEUMONIA image and above a NORMAL one, a tie counting one half. Areas and
    # deviations are linear in it, so the difference of two models' counts gives the difference of their areas.
    labels: IntArray
    counts: FloatArray
    patients: NDArray[Any]


def _placed(y_true: NDArray[Any], logit: NDArray[Any], patients: NDArray[Any]) -> _Placed | NotApplicable:
    labels, values = checked_pair(y_true, logit)
    if missing := missing_class(labels):
        return missing
    patient_codes(patients, labels.shape)
    if few := few_of_a_class(labels, patients):
        return NotApplicable(f"a test of areas needs {few}")
    counts = np.empty_like(values)
    for label, other, sign in ((Label.PNEUMONIA, Label.NORMAL, 1), (Label.NORMAL, Label.PNEUMONIA, -1)):
        own, others = sign * values[labels == label], np.sort(sign * values[labels == other])
        counts[labels == label] = np.searchsorted(others, own, "left") + np.searchsorted(others, own, "right")
    return _Placed(labels, counts, np.asarray(patients))


def _area(placed: _Placed) -> float:
    sick = placed.labels == Label.PNEUMONIA
    return float(placed.counts[sick].sum() / (2 * sick.sum() * (~sick).sum()))


def _added(placed: _Placed) -> FloatArray:
    # Contribution of each image to the area, minus the mean of its class.
    added = np.empty_like(placed.counts)
    for label in Label:
        own = placed.labels == label
        added[own] = (placed.counts[own] - placed.counts[own].mean()) / (2 * own.sum() * (~own).sum())
    return added


def _variance(placed: _Placed) -> float:
    sizes = np.bincount(placed.labels)
    return float(sizes / (sizes - 1) @ np.bincount(placed.labels, weights=np.square(_added(placed))))


def _clustered_variance(placed: _Placed) -> float:
    # Obuchowski 1997 with S10, S01 and S11: the sums over patients with images of a class, and of both.
    codes, added = patient_codes(placed.patients, placed.labels.shape), _added(placed)
    patients = int(codes.max()) + 1
    sums = [np.bincount(codes, weights=added * (placed.labels == label)) for label in Label]
    variance = 2 * patients / max(1, patients - 1) * float(sums[0] @ sums[1])
    for label, by_patient in zip(Label, sums, strict=True):
        clusters = np.unique(codes[placed.labels == label]).size
        variance += clusters / (clusters - 1) * float(by_patient @ by_patient)
    return variance


def _clustered_of_both(a: _Placed, b: _Placed) -> float:
    # Variance of the difference: both areas' variances minus twice the covariance through patients in both sets.
    everyone = np.concatenate([a.patients, b.patients])
    codes, count = patient_codes(everyone, everyone.shape), a.labels.size
    patients = int(codes.max()) + 1
    sums_a = np.bincount(codes[:count], weights=_added(a), minlength=patients)
    sums_b = np.bincount(codes[count:], weights=_added(b), minlength=patients)
    return _clustered_variance(a) + _clustered_variance(b) - 2 * patients / (patients - 1) * float(sums_a @ sums_b)


def _compared(
    a: _Placed, b: _Placed, difference: float, variances: tuple[float, float], n: int
) -> DeLong | NotApplicable:
    plain, clustered = variances
    p = _two_sided(difference, plain)
    if isinstance(p, NotApplicable):
        return p
    of_a, of_b = (max(_variance(side), _clustered_variance(side)) for side in (a, b))
    return DeLong(
        auroc_a=_normal(_area(a), of_a, 0, a.labels.size),
        auroc_b=_normal(_area(b), of_b, 0, b.labels.size),
        difference=_normal(difference, max(plain, clustered), -1, n),
        p=p,
        p_clustered=_two_sided(difference, clustered),
    )


def _normal(value: float, variance: float, least: int, n: int) -> Estimate:
    half = Z * variance**0.5
    return Estimate(value=value, low=max(float(least), value - half), high=min(1.0, value + half), n=n)


def _two_sided(difference: float, variance: float) -> float | NotApplicable:
    if difference == 0:
        return 1.0
    if variance <= 0:
        return NotApplicable(f"the areas differ by {difference:.4g} and their placement values do not vary")
    return 2 * float(ndtr(-abs(difference) / variance**0.5))


def _obuchowski(change: FloatArray, patients: NDArray[Any]) -> float | NotApplicable:
    if not change.size:
        return NotApplicable("there are no images")
    by_patient = np.bincount(patient_codes(patients, change.shape), weights=change)
    clusters, total = by_patient.size, float(by_patient.sum())
    if clusters < 2:
        return NotApplicable("a test over patients needs 2 patients and there is 1")
    return (
        2 * float(ndtr(-abs(total) / (clusters / (clusters - 1) * np.square(by_patient).sum()) ** 0.5))
        if total
        else 1.0
    )


def _finite(values: Sequence[float]) -> FloatArray:
    runs = np.asarray(values, dtype=np.float64)
    if runs.ndim != 1 or not np.isfinite(runs).all():
        raise DataError(f"the runs' values must be finite numbers, (k,). Received: values={runs.tolist()[:5]}")
    return runs
