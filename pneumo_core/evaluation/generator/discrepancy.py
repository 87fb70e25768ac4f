"""Distances between two sets of feature vectors: KID and FID, with intervals by a delete-a-group jackknife.

The groups that are left out in turn are whole patients for real images and blocks of samples for generated ones; replicate g
leaves out group g of both sides. Arguments of all functions:

* `first`, `second`: features, (n, d) and (m, d), finite.
* `first_patients`, `second_patients`: patient of each image, (n,) and (m,); None: each image is independent. The two
  sides have no patient in common.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.config.gan import LEAST_PATIENTS
from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import student_interval
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.records import Estimate

GROUPS: Final = 20
"""Maximum number of jackknife groups. The quantile of Student's t with 19 degrees of freedom is 2.09, near the normal's 1.96;
more groups take time and hardly narrow the interval."""

LEAST: Final = LEAST_PATIENTS
"""Minimum number of patients or samples per side: halves of four, required by three nearest neighbors, and seven degrees of
freedom for an interval."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean (d,) and covariance (d, d), of divisor n - 1, of a set of features."""

    mean: FloatArray
    covariance: FloatArray


@dataclass(frozen=True, slots=True)
class _Side:
    features: FloatArray
    patient: IntArray
    group: IntArray


def kid(
    first: NDArray[Any],
    second: NDArray[Any],
    first_patients: NDArray[Any] | None = None,
    second_patients: NDArray[Any] | None = None,
    *,
    seed: int = 0,
) -> Estimate:
    """Kernel inception distance: the unbiased squared maximum mean discrepancy of the kernel (x.y / d + 1)^3.

    Binkowski et al. 2018 (arXiv:1801.01401, section 4). The mean over pairs within a set leaves out an image paired with
    itself, as published, and for the same reason pairs of one patient's images: they are more similar than two independent
    draws, which would bias the value upwards. For equal distributions the expectation is 0, and values below 0 occur.

    Args:
        first: Features, (n, d).
        second: Features, (m, d).
        first_patients: Patients, (n,), or None.
        second_patients: Patients, (m,), or None.
        seed: Seed of the jackknife's groups; the value does not depend on it.

    Raises:
        DataError: The arrays are not as described, or of fewer than `LEAST` patients or samples.
    """
    one, other, groups = _sides(first, second, first_patients, second_patients, seed, LEAST)
    means = _kernel_means(one, other, groups)
    every = np.arange(groups)
    return _jackknife(means(every >= 0), [means(every != left_out) for left_out in every], len(first) + len(second))


def squared_mmd(
    first: NDArray[Any],
    second: NDArray[Any],
    first_patients: NDArray[Any] | None = None,
    second_patients: NDArray[Any] | None = None,
) -> float:
    """The value of `kid` without its interval, for at least two patients or samples per side.

    Raises:
        DataError: The arrays are not as described.
    """
    one, other, groups = _sides(first, second, first_patients, second_patients, 0, 2)
    return _kernel_means(one, other, groups)(np.ones(groups, dtype=bool))


def fid(
    first: NDArray[Any],
    second: NDArray[Any],
    first_patients: NDArray[Any] | None = None,
    second_patients: NDArray[Any] | None = None,
    *,
    seed: int = 0,
) -> Estimate:
    """Frechet distance of normal distributions fitted to the features (Heusel et al. 2017, arXiv:1706.08500).

    The value is biased upwards, the more the fewer images there are (Binkowski et al. 2018, section 4), so it is
    comparable only between equal sizes; the interval is that of other draws of these sizes, truncated at 0.

    Args:
        first: Features, (n, d).
        second: Features, (m, d).
        first_patients: Patients, (n,), or None.
        second_patients: Patients, (m,), or None.
        seed: Seed of the jackknife's groups; the value does not depend on it.

    Raises:
        DataError: The arrays are not as described, or of fewer than `LEAST` patients or samples.
    """
    one, other, groups = _sides(first, second, first_patients, second_patients, seed, LEAST)
    replicates = [
        frechet_distance(*both) for both in zip(_left_out(one, groups), _left_out(other, groups), strict=True)
    ]
    value = frechet_distance(moments(one.features), moments(other.features))
    estimate = _jackknife(value, replicates, len(first) + len(second))
    return Estimate(estimate.value, max(0.0, estimate.low), estimate.high, estimate.n)


def frechet_distance(first: Moments, second: Moments) -> float:
    """Frechet distance of two normal distributions (Dowson and Landau 1982, J. Multivariate Analysis 12:450-455).

    The trace of the root of C1 C2 is that of R' C2 R with C1 = R R', which is symmetric: its eigenvalues are real, and those
    that rounding makes negative are 0.
    """
    values, vectors = np.linalg.eigh(first.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ second.covariance @ root), 0)).sum()
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * overlap
    return max(0.0, float(np.square(first.mean - second.mean).sum() + spread))


def moments(features: NDArray[Any]) -> Moments:
    """Mean and covariance of features, (n, d) with n at least 2."""
    wide = np.asarray(features, dtype=np.float64)
    mean = wide.mean(axis=0)
    centered = wide - mean
    return Moments(mean, centered.T @ centered / (len(wide) - 1))


def jackknife_groups(patients: NDArray[Any], groups: int, seed: int) -> IntArray:
    """Group of each image, (n,): whole patients, in groups of about as many images.

    Args:
        patients: Patient of each image, (n,).
        groups: Groups, at most as many as patients.
        seed: Seed of the order in which patients of equally many images are placed.
    """
    codes, sizes = np.unique(patients, return_inverse=True, return_counts=True)[1:]
    shuffled = np.random.default_rng(seed).permutation(sizes.size)
    filled, home = np.zeros(groups, dtype=np.int64), np.empty(sizes.size, dtype=np.int64)
    # The largest patients first, each to the emptiest group.
    for patient in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        home[patient] = filled.argmin()
        filled[home[patient]] += sizes[patient]
    return home[codes]


def require_features(first: NDArray[Any], second: NDArray[Any]) -> None:
    """Check that features are two finite tables of the same width.

    Raises:
        DataError: They are not (n, d) and (m, d), or hold NaN or infinity.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or not first.shape[1]:
        raise DataError(
            "features must be (n, d) and (m, d) with the same d. "
            f"Received: first={first.shape}, second={second.shape}; take both from one model"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        odd = [int((~np.isfinite(side)).any(axis=1).sum()) for side in (first, second)]
        raise DataError(
            f"features must be finite. Received: rows with NaN or infinity={odd[0]} of {len(first)}, {odd[1]} of "
            f"{len(second)}; the generator or the model of the features has diverged"
        )


def _sides(
    first: NDArray[Any],
    second: NDArray[Any],
    first_patients: NDArray[Any] | None,
    second_patients: NDArray[Any] | None,
    seed: int,
    least: int,
) -> tuple[_Side, _Side, int]:
    require_features(first, second)
    codes = []
    for features, patients in ((first, first_patients), (second, second_patients)):
        names = np.arange(len(features)) if patients is None else np.asarray(patients)
        if names.shape != (len(features),):
            raise DataError(
                f"patients must be (n,), one per image. Received: patients={names.shape}, images={len(features)}"
            )
        codes.append(np.unique(names, return_inverse=True)[1])
    counts = [len(np.unique(side)) for side in codes]
    if min(counts) < least:
        raise DataError(
            f"the distance requires {least} patients or samples on each side. Received: first={counts[0]}, "
            f"second={counts[1]}; use more images"
        )
    groups = min(GROUPS, *counts)
    # Numbered consecutively, so that the sides have no patient in common.
    one, other = (
        _Side(np.asarray(features, dtype=np.float64), patient + shift, jackknife_groups(patient, groups, seed))
        for features, patient, shift in ((first, codes[0], 0), (second, codes[1], counts[0]))
    )
    return one, other, groups


def _kernel_means(one: _Side, other: _Side, groups: int) -> Callable[[NDArray[np.bool_]], float]:
    """Function that gives the unbiased squared discrepancy of the kept groups, (groups,) bool."""
    terms = [(1, _kernel_sums(one, one, groups)), (1, _kernel_sums(other, other, groups))]
    terms.append((-2, _kernel_sums(one, other, groups)))

    def value(kept: NDArray[np.bool_]) -> float:
        both = np.ix_(kept, kept)
        return float(sum(factor * sums[both].sum() / pairs[both].sum() for factor, (sums, pairs) in terms))

    return value


def _kernel_sums(one: _Side, other: _Side, groups: int) -> tuple[FloatArray, FloatArray]:
    """Sum of the kernel, and number of pairs, between each two groups, (groups, groups); without pairs of one patient."""
    sums, pairs = np.empty((groups, groups)), np.empty((groups, groups))
    for group in range(groups):
        rows = one.group == group
        linear = one.features[rows] @ other.features.T / other.features.shape[1] + 1
        apart = one.patient[rows, np.newaxis] != other.patient
        # Products, as NumPy's power takes ten times as long.
        kernel = linear * linear * linear * apart
        sums[group] = np.bincount(other.group, weights=kernel.sum(axis=0), minlength=groups)
        pairs[group] = np.bincount(other.group, weights=apart.sum(axis=0), minlength=groups)
    return sums, pairs


def _left_out(side: _Side, groups: int) -> list[Moments]:
    """Moments without each group, from sums minus the group's own; about the mean, to avoid cancellation."""
    center = side.features.mean(axis=0)
    centered = side.features - center
    products = centered.T @ centered
    found = []
    for group in range(groups):
        gone = centered[side.group == group]
        left = len(centered) - len(gone)
        offset = -gone.sum(axis=0) / left
        scatter = products - gone.T @ gone - left * np.outer(offset, offset)
        found.append(Moments(center + offset, scatter / (left - 1)))
    return found


def _jackknife(value: float, replicates: Sequence[float], n: int) -> Estimate:
    """Student's t interval with the error of the delete-a-group jackknife (Kott 2001, J. Official Statistics 17:521-526)."""
    groups = len(replicates)
    error = np.sqrt((groups - 1) / groups * np.square(np.array(replicates) - np.mean(replicates)).sum())
    low, high = student_interval(value, float(error), groups - 1)
    return Estimate(value=value, low=low, high=high, n=n)
