"""The bootstrap over patients: draws, influences, and BCa intervals of any statistic of weighted images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from pneumo_core.errors import DataError
from pneumo_core.evaluation.metrics import FloatArray
from pneumo_core.records import Estimate, NotApplicable

REPLICATES: Final = 2000
"""Bootstrap replicates, 50 of them in each tail. The ends of a typical interval of AUROC at n = 624 then vary by less
than .001 (standard deviation) from seed to seed, against a half width of .02."""

SEED: Final = 0
"""Seed of the bootstrap, so that a report can be recomputed to the last digit."""

LEAST_PATIENTS: Final = 10
"""Fewest patients, of each class where both matter, of a bootstrap interval. In simulations 95 % intervals of AUROC held the
truth in 73 to 87 % of cases with 4 patients of each class, in 85 to 93 % with 6 and in 91 to 97 % with 10
(`benchmarks.coverage`)."""

Z: Final = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution: two-sided 95 %."""

_CHUNK: Final = 100_000
"""Weights handled at once, 0.8 MB: they stay in the processor's cache, which is three times as fast as all at once for
5,000 images, and memory does not grow with the number of replicates."""

_ROUNDING: Final = 1e-12
"""Replicates that differ by less than this share of their size differ by rounding alone."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """m statistics of the same images, and how they change with the patients.

    Attributes:
        value: The statistics on the images themselves, (m,); NaN where one is undefined.
        replicates: Their values on each draw of patients, (replicates, m); NaN where one is undefined.
        influence: How much each patient bears on them, (patients, m): the derivative of a statistic with respect to the
            patient's weight.
    """

    value: FloatArray
    replicates: FloatArray
    influence: FloatArray


def resample(
    statistic: Callable[[FloatArray], FloatArray],
    influence: FloatArray,
    patients: NDArray[Any],
    *,
    replicates: int = REPLICATES,
) -> Resampled:
    """Evaluate statistics on the images and on draws of their patients.

    Args:
        statistic: From weights of the images, (k, n), makes m statistics of each of the k rows, (k, m), NaN where a row
            has none. Twice the weights give the same. It is called with some of the rows at a time.
        influence: Its derivatives with respect to the weight of each image, where all weights are 1, (n, m).
        patients: Patient of each image, (n,); the same patients have the same draws, whatever the statistic.
        replicates: Number of draws.

    Raises:
        DataError: There are no images, or the patients are not (n,).
    """
    codes = patient_codes(patients, np.shape(patients))
    return Resampled(
        value=statistic(np.ones((1, codes.size)))[0],
        replicates=np.concatenate([statistic(weights) for weights in draws(codes, replicates)]),
        influence=np.column_stack([np.bincount(codes, weights=column) for column in influence.T]),
    )


def draws(codes: NDArray[np.intp], replicates: int = REPLICATES) -> Iterator[FloatArray]:
    """Weights of the images when patients are drawn again, with replacement, each with all of its images.

    An image's weight is how often its patient was drawn (the cluster bootstrap of Field and Welsh 2007, JRSS B
    69:369-390).

    Args:
        codes: Patient of each image, numbered from 0 (`patient_codes`), (n,).
        replicates: Number of draws.

    Yields:
        Weights of some of the draws, (k, n).
    """
    rng = np.random.default_rng(SEED)
    patients, size = int(codes.max()) + 1, max(1, _CHUNK // codes.size)
    for start in range(0, replicates, size):
        rows = min(size, replicates - start)
        drawn = rng.integers(0, patients, size=(rows, patients)) + patients * np.arange(rows)[:, np.newaxis]
        times = np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients)
        yield times.astype(np.float64)[:, codes]


def bca(value: FloatArray, replicates: FloatArray, influence: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bias-corrected and accelerated 95 % intervals (DiCiccio and Efron 1996, Statistical Science 11:189-228, section 2).

    A replicate equal to the value counts one half in the bias. Where an end would lie beyond infinity, because the
    acceleration is large, it is the outermost replicate. The acceleration is that of the influences (Efron 1987, JASA
    82:171-185, section 7), which cost as much as one replicate where leaving out each patient in turn would cost one for
    each patient. The arguments are those of `Resampled`; replicates of NaN are left out.

    Returns:
        Lower ends, upper ends and p values, each (m,). The p value is the largest two-sided level whose interval still
        holds 0, so it is below .05 exactly where the interval leaves 0 out; no replicates can show less than
        2 / (replicates + 1). NaN where nothing tells how a statistic varies: it is undefined, its replicates are equal,
        or all of them lie on one side of it.
    """
    ranked = np.sort(replicates, axis=0)
    used = (~np.isnan(ranked)).sum(axis=0)
    last = np.maximum(used - 1, 0)
    bias = ndtri(((ranked < value).sum(axis=0) + (ranked <= value).sum(axis=0)) / (2 * np.maximum(used, 1)))
    varies = np.isfinite(value) & np.isfinite(bias) & (used > 1)
    varies &= _at(ranked, last) - ranked[0] > _ROUNDING * np.maximum(np.abs(ranked[0]), np.abs(_at(ranked, last)))
    bias = np.where(varies, bias, 0.0)
    known = np.where(varies, influence, 0.0)
    squares = np.square(known).sum(axis=0)
    acceleration = np.divide((known**3).sum(axis=0), 6 * squares**1.5, out=np.zeros_like(squares), where=squares > 0)

    def end(quantile: float) -> FloatArray:
        raised = bias + quantile
        place = ndtr(bias + _bent(raised, -acceleration)) * last
        under = np.floor(place).astype(np.intp)
        left, right = _at(ranked, under), _at(ranked, np.minimum(under + 1, last))
        return np.asarray(left + (place - under) * (right - left))

    def level(below: NDArray[np.intp]) -> FloatArray:
        # One-sided level at which an end passes from the `below` replicates on one side of 0 to the next.
        left, right = _at(ranked, np.clip(below - 1, 0, last)), _at(ranked, np.minimum(below, last))
        part = np.divide(-left, right - left, out=np.zeros_like(left), where=right > left)
        share = np.clip((below - 1 + part) / np.maximum(last, 1), 1e-300, 1 - 1e-16)
        inside = np.asarray(ndtr(_bent(ndtri(share) - bias, acceleration) - bias))
        return np.where(below == 0, 0.0, np.where(below > last, 1.0, inside))

    up, down = level((ranked <= 0).sum(axis=0)), level((ranked < 0).sum(axis=0))
    p = np.clip(2 * np.minimum(up, 1 - down), 2 / (used + 1), 1)
    return np.where(varies, end(-Z), np.nan), np.where(varies, end(Z), np.nan), np.where(varies, p, np.nan)


def bca_estimates(resampled: Resampled, n: int) -> tuple[tuple[Estimate | NotApplicable, float | NotApplicable], ...]:
    """Each statistic's value on n images with its BCa interval, and the p value of its being 0 (see `bca`).

    Returns:
        One pair a statistic; not applicable, both, with fewer than `LEAST_PATIENTS` and where nothing tells how the
        statistic varies.
    """
    patients = len(resampled.influence)
    results: list[tuple[Estimate | NotApplicable, float | NotApplicable]] = []
    columns = (resampled.value, *bca(resampled.value, resampled.replicates, resampled.influence))
    for value, low, high, p in zip(*(column.tolist() for column in columns), strict=True):
        if np.isnan(value):
            missing = NotApplicable("it is undefined on these images")
        elif patients < LEAST_PATIENTS:
            there = f"there {'are' if patients > 1 else 'is'} {patients}"
            missing = no_interval(value, f"{LEAST_PATIENTS} patients and {there}")
        elif np.isnan(low):
            missing = NotApplicable(f"it is {value:.4g}, and redrawing the patients does not tell how it varies")
        else:
            results.append((Estimate(value=value, low=low, high=high, n=n), p))
            continue
        results.append((missing, missing))
    return tuple(results)


def no_interval(value: float, needed: str) -> NotApplicable:
    """The reason why a value has no interval: what one `needed` and what there is."""
    return NotApplicable(f"it is {value:.4g}, without an interval: that needs {needed}")


def patient_codes(patients: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Patients of images, (n,), of any type that sorts, numbered from 0 in their order, (n,).

    Raises:
        DataError: There are no images, or `patients` is not of the `shape` of the images' own values.
    """
    names = np.asarray(patients)
    if names.ndim != 1 or not names.size or names.shape != shape:
        raise DataError(f"patients must be (n,), one for each image. Received: patients={names.shape}, images={shape}")
    codes: NDArray[np.intp] = np.unique(names, return_inverse=True)[1]
    return codes


def _at(ranked: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
    return np.asarray(np.take_along_axis(ranked, rows[np.newaxis], axis=0)[0])


def _bent(z: FloatArray, acceleration: FloatArray) -> FloatArray:
    # z / (1 + acceleration z), which runs to infinity where the denominator reaches 0 and stays there beyond.
    scale = 1 + acceleration * z
    return np.divide(z, scale, out=np.copysign(np.inf, z), where=scale > 0)
