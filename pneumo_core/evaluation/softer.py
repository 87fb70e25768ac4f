"""Figures of validation weighted to softer images: NORMAL validation images are sharper, which gives the class away.

Each NORMAL image is weighted so that the NORMAL images are distributed over the fifths of the PNEUMONIA images' sharpness as
these are. Such subclassification is that of Cochran 1968 (Biometrics 24:295-313), who found that five classes remove 90 % of a
bias; the weights are those of poststratification (Holt and Smith 1979, JRSS A 142:33-46).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from pneumo_core.evaluation.intervals import certain_area, clustered_share, few_for_area
from pneumo_core.evaluation.metrics import FloatArray, IntArray, areas, missing_class, rank
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.resampling import bca_estimates, patient_codes, resample
from pneumo_core.records import Estimate, Label, Metric, NotApplicable

CLASSES: Final = 5
"""Classes of equally many PNEUMONIA images, by sharpness."""

MOST: Final = 10.0
"""Largest weight, in mean weights of a NORMAL image before the limit. Of the recommended run's 200 NORMAL validation images two
are as soft as the softer 40 % of the PNEUMONIA ones: without a limit they would weigh 40 each and decide the figures."""

SOFTER: Final = "val, weighted to softer images"
"""Name of these figures beside those of the splits."""

WEIGHTING: Final = (
    f"{SOFTER[0].upper()}{SOFTER[1:]}: each NORMAL image has the weight that gives them the PNEUMONIA images' "
    f"distribution over {CLASSES} classes of sharpness (Cochran 1968; Holt and Smith 1979), limited to {MOST:g} times the "
    "mean; BCa intervals, weights made again for each replicate."
)

_STEP: Final = 1e-3
"""Step of the central differences, in images, as of `weighted_metrics`."""

_ROWS: Final = 100_000
"""Weights handled at once."""


@dataclass(frozen=True, slots=True)
class Softer:
    """Figures of validation images under the weights.

    Attributes:
        n: Images.
        n_normal: NORMAL images.
        effective_normal: Effective number of NORMAL images under the weights, sum(w)^2 / sum(w^2) (Kish 1965, Survey Sampling,
            section 11.7).
        largest: Largest weight of a NORMAL image, in mean weights.
        sharpness: Mean sharpness (`inference.image_facts.sharpness`) of the NORMAL images.
        sharpness_weighted: The same, weighted.
        sharpness_pneumonia: Mean sharpness of the PNEUMONIA images.
        accuracy: Of both classes, each with as much weight in all as it has images.
        sensitivity: Of PNEUMONIA images, which have no weights: that of validation.
        specificity: Of NORMAL images.
        auroc: Probability that a PNEUMONIA image ranks above a NORMAL one.
    """

    n: int
    n_normal: int
    effective_normal: float
    largest: float
    sharpness: float
    sharpness_weighted: float
    sharpness_pneumonia: float
    accuracy: Estimate | NotApplicable
    sensitivity: Estimate | NotApplicable
    specificity: Estimate | NotApplicable
    auroc: Estimate | NotApplicable

    @property
    def figures(self) -> dict[Metric, Estimate | NotApplicable]:
        """The metrics among the fields, in the order of `Metric`."""
        return {metric: getattr(self, metric) for metric in Metric if metric in self.__slots__}


def softer(rows: pd.DataFrame, threshold: float) -> Softer | NotApplicable:
    """Figures of validation images, weighted to softer ones.

    Args:
        rows: Their predictions: `image_id`, `patient_id`, `label`, `logit`, and `sharpness`, if it is known.
        threshold: Images with at least this probability are classified as PNEUMONIA; in [0, 1].

    Returns:
        The figures; not applicable without images of both classes, without their sharpness, or where most PNEUMONIA images are
        in classes of sharpness without a NORMAL image.
    """
    if rows.empty:
        return NotApplicable("the run has no validation images of its own")
    if "sharpness" not in rows or rows["sharpness"].isna().any():
        return NotApplicable("the sharpness of the images is not stored with the run, which an earlier version made")
    ordered = rows.sort_values("image_id")  # So that sums do not depend on the order of the rows.
    y_true, logit = ordered["label"].to_numpy(dtype=np.int64), ordered["logit"].to_numpy(dtype=np.float64)
    if missing := missing_class(y_true):
        return missing
    sharpness = ordered["sharpness"].to_numpy(dtype=np.float64)
    part = sharpness_class(sharpness, y_true)
    sick = y_true == Label.PNEUMONIA
    if np.isin(part[sick], part[~sick]).mean() < 0.5:
        return NotApplicable(
            "the classes do not overlap in sharpness: most PNEUMONIA images are softer than any NORMAL one"
        )
    codes = patient_codes(ordered["patient_id"].to_numpy(), y_true.shape)
    right = (probability(logit) >= threshold) == sick
    ranking = rank(y_true, logit)

    def figures(times: FloatArray) -> FloatArray:
        """Accuracy, specificity and AUROC of images that are there so many times, (k, n), as (k, 3)."""
        weights = times * normal_weights(part, y_true, times)
        normal = np.where(sick, 0.0, weights)
        auroc, _ = areas(ranking, weights)
        return np.column_stack((_share(weights, right), _share(normal, right), auroc))

    found = resample(figures, _influence(figures, y_true.size), codes)
    (accuracy, _), (specificity, _), (auroc, _) = bca_estimates(found, y_true.size)
    if isinstance(specificity, Estimate):
        specificity = Estimate(specificity.value, specificity.low, specificity.high, int((~sick).sum()))
    area = float(found.value[2])
    weights = normal_weights(part, y_true, np.ones((1, y_true.size)))[0][~sick]
    return Softer(
        n=y_true.size,
        n_normal=weights.size,
        effective_normal=float(weights.sum() ** 2 / np.square(weights).sum()),
        largest=float(weights.max()),
        sharpness=float(sharpness[~sick].mean()),
        sharpness_weighted=float(np.average(sharpness[~sick], weights=weights)),
        sharpness_pneumonia=float(sharpness[sick].mean()),
        accuracy=accuracy,
        sensitivity=clustered_share(right, sick, codes, "no image is PNEUMONIA"),
        specificity=specificity,
        auroc=certain_area(area, y_true, codes) or few_for_area(area, y_true, codes) or auroc,
    )


def sharpness_class(sharpness: FloatArray, y_true: IntArray) -> IntArray:
    """Class of each image, (n,), from 0 to `CLASSES` - 1: the fifth of the PNEUMONIA images' sharpness that it is in."""
    inner = np.arange(1, CLASSES) / CLASSES
    return np.searchsorted(np.quantile(sharpness[y_true == Label.PNEUMONIA], inner), sharpness).astype(np.int64)


def normal_weights(part: IntArray, y_true: IntArray, times: FloatArray) -> FloatArray:
    """Weights of images that are there so many times, (k, n): 1 for PNEUMONIA, with a mean of 1 for NORMAL.

    Args:
        part: Class of sharpness of each image, (n,).
        y_true: Classes, (n,), 0 or 1.
        times: How often each image is there, (k, n), at least 0.
    """
    inside = (part[:, np.newaxis] == np.arange(CLASSES)).astype(np.float64)
    sick = y_true == Label.PNEUMONIA
    there = np.where(sick, 0.0, times)
    normal, pneumonia = there @ inside, np.where(sick, times, 0.0) @ inside
    # A class of sharpness without NORMAL images is left out.
    ratio = np.divide(pneumonia, normal, out=np.zeros_like(normal), where=normal > 0)[:, part]
    return np.where(sick, 1.0, _mean_1(np.minimum(_mean_1(ratio, there), MOST), there))


def _mean_1(weights: FloatArray, there: FloatArray) -> FloatArray:
    total = (weights * there).sum(axis=1, keepdims=True)
    return np.asarray(
        weights * np.divide(there.sum(axis=1, keepdims=True), total, out=np.zeros_like(total), where=total > 0)
    )


def _influence(statistic: Callable[[FloatArray], FloatArray], n: int) -> FloatArray:
    """Derivatives of statistics with respect to how often each image is there, where each is there once, (n, m)."""
    found = []
    for start in range(0, n, size := max(1, _ROWS // n)):
        step = _STEP * np.eye(min(size, n - start), n, start)
        found.append((statistic(1 + step) - statistic(1 - step)) / (2 * _STEP))
    return np.concatenate(found)


def _share(weights: FloatArray, right: FloatArray) -> FloatArray:
    total = weights.sum(axis=1)
    return np.asarray(np.divide(weights @ right, total, out=np.full_like(total, np.nan), where=total > 0))
