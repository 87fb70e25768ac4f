"""Every figure of a run's images at once, under many weightings of its patients: what comparisons are resampled from."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd

from pneumo_core.errors import DataError
from pneumo_core.evaluation.metrics import FloatArray, IntArray, Ranking, areas, brier_terms, log_loss_terms, rank
from pneumo_core.evaluation.pair_areas import MOST_IMAGES, PairCounts, areas_by_pairs, count_pairs
from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Label

__all__ = ["METRICS", "Evidence", "Metric", "Runs", "labels_of", "measured", "missing_reason", "runs_of"]


class Metric(StrEnum):
    """A figure of a run on one split; precision, recall and F1 are those of the report of 2020's classification table."""

    ACCURACY = "accuracy"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    PPV = "ppv"
    NPV = "npv"
    F1_NORMAL = "f1_normal"
    F1_PNEUMONIA = "f1_pneumonia"
    MACRO_PRECISION = "macro_precision"
    MACRO_RECALL = "macro_recall"
    MACRO_F1 = "macro_f1"
    WEIGHTED_PRECISION = "weighted_precision"
    WEIGHTED_RECALL = "weighted_recall"
    WEIGHTED_F1 = "weighted_f1"
    AUROC = "auroc"
    AUPRC = "auprc"
    BRIER = "brier"
    LOG_LOSS = "log_loss"


METRICS: Final = tuple(Metric)
"""All of them, in the order of the last axis of `measured`."""

_NEEDS_NORMAL: Final = {Metric.SPECIFICITY, Metric.F1_NORMAL}
_NEEDS_PNEUMONIA: Final = {Metric.SENSITIVITY, Metric.F1_PNEUMONIA}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run said about the images of one split.

    Attributes:
        run_id: The run.
        seed: Its seed.
        threshold: Images of at least this probability are called PNEUMONIA; in [0, 1].
        selected_on_test: Whether test images chose its epoch or rates.
        predictions: One row an image: `image_id`, `patient_id`, `label`, `subtype`, `logit`, in the order of `image_id`.
    """

    run_id: str
    seed: int
    threshold: float
    selected_on_test: bool
    predictions: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs on the same n images, ready to be weighed.

    Attributes:
        hits: Whether each image is a true positive, false positive, true negative, false negative of each run,
            (n, 4 * runs), and its Brier and log loss terms, (n, 2 * runs), side by side: (n, 6 * runs).
        rankings: Each run's images by falling logit; of up to `MOST_IMAGES` their pairs.
    """

    hits: FloatArray
    rankings: tuple[Ranking | PairCounts, ...]


def runs_of(evidence: Sequence[Evidence]) -> Runs:
    """Prepare runs on the same images.

    Raises:
        DataError: There is no run or no image, or the runs' images differ.
    """
    if not evidence or evidence[0].predictions.empty:
        raise DataError(f"figures require at least one run with images. Received: runs={len(evidence)}, images=0")
    first = evidence[0].predictions
    columns: list[FloatArray] = []
    rankings: list[Ranking | PairCounts] = []
    for run in evidence:
        table = run.predictions
        if table["image_id"].tolist() != first["image_id"].tolist():
            raise DataError(
                "runs of one group must have been tested on the same images. "
                f"Received: {evidence[0].run_id} with {len(first)}, {run.run_id} with {len(table)}, which are others; "
                "compare them one by one"
            )
        y_true, logit = labels_of(table), table["logit"].to_numpy(dtype=np.float64)
        values = probability(logit)
        called, sick = values >= run.threshold, y_true == Label.PNEUMONIA
        cells = (sick & called, ~sick & called, ~sick & ~called, sick & ~called)
        columns.append(np.column_stack([*cells, brier_terms(y_true, values), log_loss_terms(y_true, logit)]))
        rankings.append(count_pairs(y_true, logit) if len(table) <= MOST_IMAGES else rank(y_true, logit))
    return Runs(np.hstack(columns).astype(np.float64), tuple(rankings))


def labels_of(predictions: pd.DataFrame) -> IntArray:
    """Classes of the images, (n,), int64."""
    return predictions["label"].to_numpy(dtype=np.int64)


def measured(runs: Runs, weights: FloatArray) -> FloatArray:
    """Every figure of every run under many weightings of the images.

    Args:
        runs: The runs.
        weights: Weight of each image, (k, n): whole numbers, at least 0.

    Returns:
        (k, runs, metrics), float64, metrics in the order of `METRICS`; NaN where a figure is not defined.
    """
    count = len(runs.rankings)
    sums = (weights @ runs.hits).reshape(len(weights), count, 6)
    tp, fp, tn, fn = (sums[..., cell] for cell in range(4))
    total = tp + fp + tn + fn
    normal, pneumonia = tn + fp, tp + fn

    def share(part: FloatArray, whole: FloatArray) -> FloatArray:
        return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)

    def weighed(for_normal: FloatArray, for_pneumonia: FloatArray) -> tuple[FloatArray, FloatArray]:
        # As metrics.classification_table: a class without images has no weight, and its undefined value no say.
        with_support = np.where(normal > 0, normal * for_normal, 0) + np.where(
            pneumonia > 0, pneumonia * for_pneumonia, 0
        )
        return (for_normal + for_pneumonia) / 2, share(with_support, total)

    sensitivity, specificity = share(tp, pneumonia), share(tn, normal)
    ppv, npv = share(tp, tp + fp), share(tn, tn + fn)
    f1_normal, f1_pneumonia = share(2 * tn, 2 * tn + fn + fp), share(2 * tp, 2 * tp + fp + fn)
    macro_precision, weighted_precision = weighed(npv, ppv)
    macro_recall, weighted_recall = weighed(specificity, sensitivity)
    macro_f1, weighted_f1 = weighed(f1_normal, f1_pneumonia)
    under = [
        areas(ranking, weights) if isinstance(ranking, Ranking) else areas_by_pairs(ranking, weights)
        for ranking in runs.rankings
    ]
    values = {
        Metric.ACCURACY: share(tp + tn, total),
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
        Metric.WEIGHTED_RECALL: weighted_recall,
        Metric.WEIGHTED_F1: weighted_f1,
        Metric.AUROC: np.column_stack([area for area, _ in under]),
        Metric.AUPRC: np.column_stack([area for _, area in under]),
        Metric.BRIER: share(sums[..., 4], total),
        Metric.LOG_LOSS: share(sums[..., 5], total),
    }
    return np.stack([values[metric] for metric in METRICS], axis=-1)


def missing_reason(metric: Metric, y_true: IntArray) -> str:
    """Why a figure is not defined on images of these classes, in words."""
    absent = [label.name for label in Label if not (y_true == label).any()]
    if metric is Metric.PPV:
        return "no image is called PNEUMONIA"
    if metric is Metric.NPV:
        return "no image is called NORMAL"
    if absent:
        return f"no image is {absent[0]}"
    return "a class is never called"
