"""Distances between two sets of feature vectors: KID and FID, with intervals by a delete-a-group jackknife.

The groups that are left out in turn are whole patients for real images and blocks of samples for generated ones; replicate g
leaves out group g of both sides. Arguments of all functions:

* `first`, `second`: features, (n, d) and (m, d), finite.
* `first_patients`, `second_patients`: patient of each image, (n,) and (m,); None: each image is independent. The two
  sides have no patient in common.
* `seed`: seed of the jackknife's groups; a distance's value does not depend on it.
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

_CHUNK: Final = 512
"""Number of rows per batch: 4 MB as float64 at 1,000 columns."""


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

    Raises:
        DataError: The arrays are not as described, or of fewer than `LEAST_PATIENTS` patients or samples.
    """
    one, other, groups = _sides(first, second, first_patients, second_patients, seed)
    means = _kernel_means(one, other, groups)
    every = np.arange(groups)
    return _jackknife(means(every >= 0), [means(every != left_out) for left_out in every], len(first) + len(second))


def kid_of_halves(features: NDArray[Any], patient: IntArray, in_first: NDArray[np.bool_]) -> FloatArray:
    """The value of `kid` of each of many partitions of the patients into two sides, (splits,).

    The kernel is summed once for each two patients. With s the 0/1 vector of the first side's patients and K these sums, the
    sum within that side is s'Ks, and the other sums follow from K's row totals; the same holds for the numbers of pairs.

    Args:
        features: Features, (n, d), finite.
        patient: Number of each image's patient, (n,), from 0 to p - 1; each patient has an image.
        in_first: Whether each patient is on the first side, (splits, p); at least two patients on each side.

    Raises:
        DataError: The features are not as described.
    """
    require_features(features, features)
    side = _Side(np.asarray(features, dtype=np.float64), patient, patient)
    sums, pairs = _kernel_sums(side, side, in_first.shape[1])
    found = np.empty(len(in_first))
    for start in range(0, len(found), _CHUNK):
        batch = slice(start, start + _CHUNK)
        first = in_first[batch].astype(np.float64)
        found[batch] = sum(
            factor * sums_of / pairs_of
            for factor, sums_of, pairs_of in zip((1, 1, -2), _parts(sums, first), _parts(pairs, first), strict=True)
        )
    return found


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

    Raises:
        DataError: The arrays are not as described, or of fewer than `LEAST_PATIENTS` patients or samples.
    """
    one, other, groups = _sides(first, second, first_patients, second_patients, seed)
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
    root = _root(first.covariance)
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
    if min(counts) < LEAST_PATIENTS:
        raise DataError(
            f"the distance requires {LEAST_PATIENTS} patients or samples on each side. Received: first={counts[0]}, "
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
    sums, pairs = np.zeros((groups, groups)), np.zeros((groups, groups))
    columns = np.argsort(other.group, kind="stable")
    features, patient = other.features[columns].T / other.features.shape[1], other.patient[columns]
    starts = np.searchsorted(other.group[columns], np.arange(groups))  # No group is empty.
    for start in range(0, len(one.group), _CHUNK):
        rows = slice(start, start + _CHUNK)
        linear = one.features[rows] @ features + 1
        apart = (one.patient[rows, np.newaxis] != patient).astype(np.float64)
        # Products, as NumPy's power takes ten times as long.
        kernel = linear * linear * linear * apart
        for total, terms in ((sums, kernel), (pairs, apart)):
            np.add.at(total, one.group[rows], np.add.reduceat(terms, starts, axis=1))
    return sums, pairs


def _parts(between: FloatArray, first: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Totals within the first sides, within the second ones and from one to the other, each (splits,).

    Args:
        between: Symmetric totals between each two patients, (p, p).
        first: 1 for each patient of the first side, else 0, (splits, p).
    """
    rows = first @ between
    within = (rows * first).sum(axis=1)
    across = rows.sum(axis=1) - within
    return within, between.sum() - within - 2 * across, across


def _root(covariance: FloatArray) -> FloatArray:
    """A matrix R with R R' = C, also of a singular C: Cholesky's factor with complete pivoting, a sixth of `eigh`'s time.

    Lucas 2004, LAPACK-style codes for level 2 and 3 pivoted Cholesky factorizations (LAPACK Working Note 161).
    """
    from scipy.linalg.lapack import dpstrf  # noqa: PLC0415  0.1 s, and pages import this module without measuring.

    factor, pivots, rank, _ = dpstrf(covariance, lower=1)
    root = np.zeros_like(covariance)
    root[pivots - 1, :rank] = np.tril(factor)[:, :rank]
    return root


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
