"""Point estimates of metrics over a set of images, without intervals (see `intervals`).

Arguments of all functions:

* `y_true`: classes, (n,), integers 0 (NORMAL) and 1 (PNEUMONIA).
* `probability`: probabilities of PNEUMONIA, (n,), in [0, 1]. ROC, precision-recall and their areas use only their
  order and take any finite values: logits, wherever there are some.
* ``y_pred`` is ``probability >= threshold``, and PNEUMONIA is the positive class.
* Values that cannot be computed are `NotApplicable` with the reason: no images, a class without images.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pneumo_core.errors import DataError
from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Label, NotApplicable

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Images by class and prediction.

    Attributes:
        tn: True negatives, NORMAL classified as NORMAL.
        fp: False positives, NORMAL classified as PNEUMONIA.
        fn: False negatives, PNEUMONIA classified as NORMAL.
        tp: True positives, PNEUMONIA classified as PNEUMONIA.
    """

    tn: int
    fp: int
    fn: int
    tp: int

    @property
    def n(self) -> int:
        """Number of images."""
        return self.tn + self.fp + self.fn + self.tp


def confusion(y_true: Array, probability: Array, threshold: float) -> Confusion:
    """Counts at a threshold.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values = checked_pair(y_true, probability)
    tn, fp, fn, tp = np.bincount(2 * labels + (values >= threshold), minlength=4).tolist()
    return Confusion(tn=tn, fp=fp, fn=fn, tp=tp)


@dataclass(frozen=True, slots=True)
class ClassificationRow:
    """One row of the classification table.

    Attributes:
        name: ``NORMAL``, ``PNEUMONIA``, ``accuracy``, ``macro avg`` or ``weighted avg``.
        precision: Fraction of predictions of this class that are correct.
        recall: Fraction of the class that is predicted as such.
        f1: Harmonic mean of both; in the row ``accuracy``, the accuracy.
        support: Number of images.
    """

    name: str
    precision: float | NotApplicable
    recall: float | NotApplicable
    f1: float | NotApplicable
    support: int


def classification_table(counts: Confusion) -> tuple[ClassificationRow, ...]:
    """The table of the report of 2020 (section 3.5): both classes, accuracy, macro and weighted average.

    An average is not applicable if one of its terms is not; the weighted one ignores a class without images.
    """
    normal = _class_row(Label.NORMAL, counts.tn, false_calls=counts.fn, misses=counts.fp)
    pneumonia = _class_row(Label.PNEUMONIA, counts.tp, false_calls=counts.fp, misses=counts.fn)
    single = NotApplicable("the accuracy row has one value, under f1")
    accuracy = _share(counts.tn + counts.tp, counts.n, "there are no images")
    return (
        normal,
        pneumonia,
        ClassificationRow("accuracy", precision=single, recall=single, f1=accuracy, support=counts.n),
        _average("macro avg", ((normal, 1), (pneumonia, 1)), counts.n),
        _average("weighted avg", ((normal, normal.support), (pneumonia, pneumonia.support)), counts.n),
    )


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Receiver operating characteristic: the origin, then one point for each distinct probability.

    Attributes:
        fpr: False positive rates (1 - specificity), rising from 0 to 1.
        tpr: True positive rates (sensitivity), rising from 0 to 1.
        threshold: Thresholds that give the points, falling; the first lies just above the highest probability.
    """

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    threshold: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PrCurve:
    """Precision and recall at each distinct probability; no point is added at a recall of 0.

    Drawn as steps, each increase in recall at the new precision, its area is `auprc`.

    Attributes:
        recall: Sensitivities, rising to 1.
        precision: Positive predictive values, in [0, 1].
        threshold: Thresholds that give the points, falling.
    """

    recall: tuple[float, ...]
    precision: tuple[float, ...]
    threshold: tuple[float, ...]


Curve = TypeVar("Curve", RocCurve, PrCurve)
"""A curve of one of both kinds."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Images sorted by falling probability, once, so that the areas of many weightings are cheap.

    Attributes:
        order: Positions of the images, (n,), int64.
        last: Place in `order` of the last image of each group of equal probabilities, (groups,), int64.
        threshold: Probability of each group, (groups,), float64, falling.
        positive: 1 for PNEUMONIA, 0 for NORMAL, in the order of `order`, (n,), float64.
    """

    order: IntArray
    last: IntArray
    threshold: FloatArray
    positive: FloatArray


def rank(y_true: Array, probability: Array) -> Ranking:
    """Sort images by falling probability and group the equal ones.

    Raises:
        DataError: The arrays are empty, do not fit each other or hold other values.
    """
    labels, values = checked_pair(y_true, probability)
    if not labels.size:
        raise DataError("ranking requires at least one image. Received: n=0")
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    return Ranking(order=order, last=last, threshold=ranked[last], positive=labels[order].astype(np.float64))


def areas(ranking: Ranking, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """AUROC and AUPRC of the same images under many weightings.

    AUROC is the Mann-Whitney statistic, ties counting one half (Hanley and McNeil 1982, Radiology 143:29-36). AUPRC is
    average precision, the sum over the distinct probabilities of precision times the gain in recall: precision must not
    be interpolated linearly (Davis and Goadrich 2006, ICML, section 4).

    Args:
        ranking: The images, n of them.
        weights: Weight of each image in each replicate, (replicates, n), at least 0, in the images' own order.

    Returns:
        AUROC and AUPRC, each (replicates,), float64, in [0, 1]; NaN where a class has no weight in the replicate.
    """
    tp, called = _cumulative(ranking, weights)
    gained, added = (np.diff(total, axis=1, prepend=0.0) for total in (tp, called))
    sick, well = tp[:, -1], called[:, -1] - tp[:, -1]
    both = (sick > 0) & (well > 0)
    precision = np.divide(tp, called, out=np.zeros_like(tp), where=called > 0)
    nan = np.full_like(sick, np.nan)
    # With all images in place of the NORMAL ones the sum is too large by that of PNEUMONIA images among themselves.
    ranked = np.einsum("ij,ij->i", added, tp - gained / 2) - np.square(sick) / 2
    roc = np.divide(ranked, sick * well, out=nan.copy(), where=both)
    pr = np.divide(np.einsum("ij,ij->i", gained, precision), sick, out=nan, where=both)
    return roc, pr


def area_influence(ranking: Ranking) -> FloatArray:
    """Derivatives of `areas` with respect to the weight of each image, where all weights are 1.

    AUPRC is sum(G P / N) / T over the groups of equal probabilities, with G the group's own PNEUMONIA images, P and N the
    PNEUMONIA and all images up to the group, and T all PNEUMONIA images.

    Args:
        ranking: The images, n of them.

    Returns:
        Derivatives of AUROC and AUPRC, (n, 2), float64, in the images' own order; each column sums to 0. NaN if a class has
        no image.
    """
    influence = np.full((ranking.order.size, 2), np.nan)
    if not 0 < ranking.positive.sum() < ranking.order.size:
        return influence
    ones = np.ones((1, ranking.order.size))
    roc, pr = (float(area[0]) for area in areas(ranking, ones))
    tp, called = (total[0] for total in _cumulative(ranking, ones))
    fp = called - tp
    gained, fallout = np.diff(tp, prepend=0.0), np.diff(fp, prepend=0.0)
    # What an image adds to the terms of its own group and of all groups below it.
    diluted = np.cumsum((gained * tp / called**2)[::-1])[::-1]
    shared = np.cumsum((gained / called)[::-1])[::-1]
    below, above = fp[-1] - fp + fallout / 2, tp - gained / 2
    of_pneumonia = np.column_stack(((below / fp[-1] - roc) / tp[-1], (tp / called + shared - diluted - pr) / tp[-1]))
    of_normal = np.column_stack(((above / tp[-1] - roc) / fp[-1], -diluted / tp[-1]))
    group = np.repeat(np.arange(ranking.last.size), np.diff(ranking.last, prepend=-1))
    influence[ranking.order] = np.where(ranking.positive[:, np.newaxis] == 1, of_pneumonia[group], of_normal[group])
    return influence


def auroc(y_true: Array, probability: Array) -> float | NotApplicable:
    """Area under the ROC curve: probability that a PNEUMONIA image ranks above a NORMAL one, ties counting one half.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values = checked_pair(y_true, probability)
    return missing_class(labels) or float(areas(rank(labels, values), np.ones((1, labels.size)))[0][0])


def roc_curve(y_true: Array, probability: Array) -> RocCurve | NotApplicable:
    """ROC curve, equal probabilities in one step.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    if isinstance(counts := _counts_along(y_true, probability), NotApplicable):
        return counts
    tp, fp, threshold = counts
    fpr, tpr = np.append(0.0, fp / fp[-1]), np.append(0.0, tp / tp[-1])
    above = np.append(np.nextafter(threshold[0], np.inf), threshold)
    return RocCurve(tuple(fpr.tolist()), tuple(tpr.tolist()), tuple(above.tolist()))


def pr_curve(y_true: Array, probability: Array) -> PrCurve | NotApplicable:
    """Precision-recall curve, equal probabilities in one step.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    if isinstance(counts := _counts_along(y_true, probability), NotApplicable):
        return counts
    tp, fp, threshold = counts
    return PrCurve(tuple((tp / tp[-1]).tolist()), tuple((tp / (tp + fp)).tolist()), tuple(threshold.tolist()))


def in_probabilities(curve: Curve | NotApplicable) -> Curve | NotApplicable:
    """A curve of logits with its thresholds as probabilities.

    Curves are made from logits, since probabilities near 0 and 1 are rounded to ties.
    """
    if isinstance(curve, NotApplicable):
        return curve
    thresholds = probability(np.array(curve.threshold))
    if isinstance(curve, RocCurve):
        thresholds[0] = np.nextafter(thresholds[1], np.inf)
    return replace(curve, threshold=tuple(thresholds.tolist()))


def brier_terms(y_true: Array, probability: Array) -> FloatArray:
    """Squared error of each image's probability, (n,), float64, in [0, 1]; its mean is the Brier score.

    Brier 1950, Monthly Weather Review 78:1-3, for one of the two classes.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values = checked_pair(y_true, probability)
    return np.square(values - labels)


def log_loss_terms(y_true: Array, logit: Array) -> FloatArray:
    """Binary cross-entropy of each image in nats, (n,), float64, at least 0: the loss that training minimizes.

    From logits, (n,), finite: the loss of a probability rounded to 0 or 1 would depend on the clipping.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values = checked_pair(y_true, logit)
    return np.logaddexp(0.0, np.where(labels == Label.PNEUMONIA, -values, values))


def checked_pair(y_true: Array, values: Array) -> tuple[IntArray, FloatArray]:
    """Classes as int64 and a finite number for each image as float64, each (n,); a `DataError` if they do not match."""
    labels, numbers = np.asarray(y_true), np.asarray(values, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != numbers.shape:
        raise DataError(f"y_true and values must both be (n,). Received: y_true={labels.shape}, values={numbers.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise DataError(f"y_true must hold 0 and 1 only. Received: y_true={np.unique(labels).tolist()[:5]}")
    if not (finite := np.isfinite(numbers)).all():
        raise DataError(f"values must be finite. Received: values={numbers[~finite].tolist()[:5]}")
    return labels.astype(np.int64), numbers


def _share(part: float, whole: float, reason: str) -> float | NotApplicable:
    return part / whole if whole else NotApplicable(reason)


def _class_row(label: Label, hits: int, *, false_calls: int, misses: int) -> ClassificationRow:
    called, real = hits + false_calls, hits + misses
    return ClassificationRow(
        name=label.name,
        precision=_share(hits, called, f"no image is classified as {label.name}"),
        recall=_share(hits, real, f"no image is {label.name}"),
        # In counts (the Dice form) it is defined, and 0, even if the class is never predicted.
        f1=_share(2 * hits, called + real, f"no image is {label.name} or classified as it"),
        support=real,
    )


def _average(name: str, rows: tuple[tuple[ClassificationRow, int], ...], support: int) -> ClassificationRow:
    def mean(column: str) -> float | NotApplicable:
        parts = [(getattr(row, column), weight) for row, weight in rows if weight]
        missing = [value for value, _ in parts if isinstance(value, NotApplicable)]
        if missing:
            return missing[0]
        total = sum(weight for _, weight in parts)
        return _share(sum(value * weight for value, weight in parts), total, "there are no images")

    return ClassificationRow(name, mean("precision"), mean("recall"), mean("f1"), support)


def missing_class(labels: IntArray) -> NotApplicable | None:
    """Why what needs both classes cannot be computed, or None where both are there."""
    if not labels.size:
        return NotApplicable("there are no images")
    absent = [label.name for label in Label if not (labels == label).any()]
    return NotApplicable(f"both classes are needed and no image is {absent[0]}") if absent else None


def _cumulative(ranking: Ranking, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Weight of PNEUMONIA images and of all images classified as PNEUMONIA at each threshold, each (replicates, groups).
    ordered = weights[:, ranking.order]
    totals = np.cumsum(ordered * ranking.positive, axis=1), np.cumsum(ordered, axis=1)
    if ranking.last.size == ranking.order.size:  # No two images are equal.
        return totals
    return totals[0][:, ranking.last], totals[1][:, ranking.last]


def _counts_along(y_true: Array, probability: Array) -> tuple[FloatArray, ...] | NotApplicable:
    # Images of PNEUMONIA and of NORMAL classified as PNEUMONIA at each threshold, and the thresholds, each (groups,).
    labels, values = checked_pair(y_true, probability)
    if missing := missing_class(labels):
        return missing
    ranking = rank(labels, values)
    tp, called = (total[0] for total in _cumulative(ranking, np.ones((1, labels.size))))
    return tp, called - tp, ranking.threshold
