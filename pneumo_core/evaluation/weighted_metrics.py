"""All metrics of runs under many weightings of their patients, for the resampling of comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pneumo_core.errors import DataError
from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.evaluation.metrics import (
    FloatArray,
    IntArray,
    Ranking,
    area_influence,
    areas,
    brier_terms,
    log_loss_terms,
    rank,
)
from pneumo_core.records import Label, Metric

_AREAS: Final = [list(Metric).index(metric) for metric in (Metric.AUROC, Metric.AUPRC)]

_STEP: Final = 1e-3
"""Step of the central differences, in images: their error is below 1e-6 of the derivative, and rounding is smaller."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs on the same n images, prepared for weighting.

    Attributes:
        hits: Whether each image is a true positive, false positive, true negative, false negative of each run,
            (n, 4 * runs), and its Brier and log loss terms, (n, 2 * runs), side by side: (n, 6 * runs).
        rankings: Each run's images by falling logit.
    """

    hits: FloatArray
    rankings: tuple[Ranking, ...]


def runs_of(evidence: Sequence[Evidence]) -> Runs:
    """Prepare runs on the same images.

    Raises:
        DataError: There is no run or no image, or the runs' images differ.
    """
    if not evidence or evidence[0].predictions.empty:
        raise DataError(f"figures require at least one run with images. Received: runs={len(evidence)}, images=0")
    first = evidence[0].predictions["image_id"].tolist()
    columns: list[FloatArray] = []
    rankings: list[Ranking] = []
    for run in evidence:
        if (images := run.predictions["image_id"].tolist()) != first:
            raise DataError(
                "runs of one group must have been tested on the same images. "
                f"Received: {evidence[0].run_id} with {len(first)}, {run.run_id} with {len(images)}, which differ; "
                "compare them one by one"
            )
        y_true, logit, called = run.y_true, run.logit, run.y_pred
        sick = y_true == Label.PNEUMONIA
        cells = (sick & called, ~sick & called, ~sick & ~called, sick & ~called)
        columns.append(np.column_stack([*cells, brier_terms(y_true, run.probability), log_loss_terms(y_true, logit)]))
        rankings.append(rank(y_true, logit))
    return Runs(np.hstack(columns).astype(np.float64), tuple(rankings))


def measured(runs: Runs, weights: FloatArray) -> FloatArray:
    """All figures of all runs under many weightings of the images.

    Args:
        runs: The runs.
        weights: Weight of each image, (k, n), at least 0.

    Returns:
        (k, runs, metrics), float64, metrics in the order of `Metric`; NaN if a figure is not defined.
    """
    under = [np.column_stack(areas(ranking, weights)) for ranking in runs.rankings]
    return _figures(weights @ runs.hits, np.stack(under, axis=1))


def influence(runs: Runs) -> FloatArray:
    """Derivatives of all figures of all runs with respect to the weight of each image, where all weights are 1.

    The areas' are exact. The others are quotients of sums, and central differences of them.

    Returns:
        (n, runs, metrics), float64; NaN if a figure is not defined.
    """
    under = np.stack([area_influence(ranking) for ranking in runs.rankings], axis=1)
    totals, zero = runs.hits.sum(axis=0), np.zeros_like(under)
    up, down = (_figures(totals + step * runs.hits, zero) for step in (_STEP, -_STEP))
    changes = (up - down) / (2 * _STEP)
    changes[..., _AREAS] = under
    return changes


def _figures(sums: FloatArray, under: FloatArray) -> FloatArray:
    """All figures, (k, runs, metrics), from sums of `hits`, (k, 6 * runs), and the areas, (k, runs, 2)."""
    sums = sums.reshape(len(sums), -1, 6)
    tp, fp, tn, fn = (sums[..., cell] for cell in range(4))
    total = tp + fp + tn + fn
    normal, pneumonia = tn + fp, tp + fn

    def share(part: FloatArray, whole: FloatArray) -> FloatArray:
        return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)

    def weighed(for_normal: FloatArray, for_pneumonia: FloatArray) -> tuple[FloatArray, FloatArray]:
        # As metrics.classification_table: a class without images has no weight, so its undefined value does not count.
        with_support = np.where(normal > 0, normal * for_normal, 0) + np.where(
            pneumonia > 0, pneumonia * for_pneumonia, 0
        )
        return (for_normal + for_pneumonia) / 2, share(with_support, total)

    sensitivity, specificity = share(tp, pneumonia), share(tn, normal)
    ppv, npv = share(tp, tp + fp), share(tn, tn + fn)
    f1_normal, f1_pneumonia = share(2 * tn, 2 * tn + fn + fp), share(2 * tp, 2 * tp + fp + fn)
    macro_precision, weighted_precision = weighed(npv, ppv)
    macro_recall, _ = weighed(specificity, sensitivity)
    macro_f1, weighted_f1 = weighed(f1_normal, f1_pneumonia)
    # The mean recall, with each class weighted by its images, is the accuracy: the same number to the last bit, so that no
    # interval or test of it differs.
    accuracy = share(tp + tn, total)
    values = {
        Metric.ACCURACY: accuracy,
        Metric.SENSITIVITY: sensitivity,
        Metric.SPECIFICITY: specificity,
        Metric.PPV: ppv,
        Metric.NPV: npv,
        Metric.F1_NORMAL: f1_normal,
        Metric.F1_PNEUMONIA: f1_pneumonia,
        Metric.MACRO_PRECISION: macro_precision,
        Metric.MACRO_RECALL: macro_recall,
        Metric.MACRO_F1: macro_f1,
        Metric.WEIGHTED_PRECISION: weighted_precision,
        Metric.WEIGHTED_RECALL: accuracy,
        Metric.WEIGHTED_F1: weighted_f1,
        Metric.AUROC: under[..., 0],
        Metric.AUPRC: under[..., 1],
        Metric.BRIER: share(sums[..., 4], total),
        Metric.LOG_LOSS: share(sums[..., 5], total),
    }
    return np.stack([values[metric] for metric in Metric], axis=-1)


def missing_reason(metric: Metric, y_true: IntArray) -> str:
    """The reason why a figure is not defined on images of these classes."""
    absent = [label.name for label in Label if not (y_true == label).any()]
    if metric is Metric.PPV:
        return "no image is classified as PNEUMONIA"
    if metric is Metric.NPV:
        return "no image is classified as NORMAL"
    if absent:
        return f"no image is {absent[0]}"
    return "a class is never predicted"
