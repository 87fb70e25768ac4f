"""The evaluation report of a run, from its predictions, as plain data for pages, tables and files."""

import heapq
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import logit as log_odds

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.errors import DataError
from pneumo_core.evaluation import intervals, metrics
from pneumo_core.evaluation.calibration import CalibrationKind, Calibrator, apply, fit
from pneumo_core.evaluation.metrics import ClassificationRow, Confusion, Curve, FloatArray, IntArray, PrCurve, RocCurve
from pneumo_core.evaluation.operating import RuleKind, ThresholdRule, choose, rates
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.resampling import LEAST_PATIENTS, REPLICATES, SEED
from pneumo_core.evaluation.softer import WEIGHTING, Softer, softer
from pneumo_core.records import Estimate, Label, Metric, NotApplicable, Split

SCHEMA: Final = 4
"""Increased whenever the report's fields or the meaning of its numbers change."""

COLUMNS: Final = ("image_id", "patient_id", "split", "label", "subtype", "logit")
"""Columns of predictions, one row per image."""

_MOST_POINTS: Final = 200
"""Maximum number of points of a stored curve: on a plot 600 pixels wide, one every three pixels."""

_METHODS: Final = (
    "95 % intervals, clustered by patient. Accuracy, sensitivity, specificity, PPV and NPV: Wilson (1927) with the "
    "effective number of images of Rao and Scott (1992), design effect at least 1, and Student's t with the effective number "
    "of patients (Kish 1965) less 1; where all images agree, each patient counts as one image. AUROC, AUPRC (average "
    "precision), Brier and log loss: bias-corrected and accelerated bootstrap over patients (BCa; DiCiccio and Efron 1996), "
    f"{REPLICATES:,} replicates, seed {SEED}; replicates without one of the classes are left out of "
    f"AUROC and AUPRC and counted. With fewer than {LEAST_PATIENTS} patients, of each class for AUROC and AUPRC, there is no "
    "interval; an AUROC of 1 or 0 has Wilson's, by patients of the rarer class. Images are ranked by their logits. "
    f"PNEUMONIA is called where the probability is at least the threshold. {WEIGHTING} Report schema {SCHEMA}."
)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The decision threshold, with its rates (see `operating.ThresholdRates`) on the split that it was chosen on.

    Attributes:
        threshold: Images with at least this probability are classified as PNEUMONIA; in [0, 1].
        rule: Rule of the choice.
        split: Split of these rates: the one the threshold was chosen on, so they are optimistic. The rule ``half`` chooses
            nothing; its rates are those on the split it would be chosen on, else val, test or train.
    """

    threshold: float
    sensitivity: Estimate | NotApplicable
    specificity: Estimate | NotApplicable
    ppv: Estimate | NotApplicable
    npv: Estimate | NotApplicable
    rule: OperatingRule
    split: Split


@dataclass(frozen=True, slots=True)
class SplitReport:
    """All figures of one split, at the report's threshold (see `operating.ThresholdRates`).

    Attributes:
        n: Images.
        accuracy: Fraction of images classified correctly.
        brier: Mean squared error of the probability.
        log_loss: Mean binary cross-entropy, in nats.
        ignored_replicates: Bootstrap replicates left out of `auroc` and `auprc` because a class was absent.
        table: Classification table in the layout of the report of 2020.
        roc: ROC curve, at most 200 points.
        pr: Precision-recall curve, at most 200 points.
    """

    split: Split
    n: int
    n_patients: int
    n_pneumonia: int
    accuracy: Estimate | NotApplicable
    sensitivity: Estimate | NotApplicable
    specificity: Estimate | NotApplicable
    ppv: Estimate | NotApplicable
    npv: Estimate | NotApplicable
    auroc: Estimate | NotApplicable
    auprc: Estimate | NotApplicable
    brier: Estimate | NotApplicable
    log_loss: Estimate | NotApplicable
    ignored_replicates: int
    confusion: Confusion
    table: tuple[ClassificationRow, ...]
    roc: RocCurve | NotApplicable
    pr: PrCurve | NotApplicable

    @property
    def figures(self) -> dict[Metric, Estimate | NotApplicable]:
        """The metrics among the fields, in the order of `Metric`."""
        return {metric: getattr(self, metric) for metric in Metric if metric in self.__slots__}


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Evaluation of a run's predictions.

    Attributes:
        selected_on_test: Whether the run's epoch or learning rates were selected on test images, so that its test figures
            are optimistic.
        splits: One report for each split that has predictions. Copies of one image, as of ``stress``, are its patient's.
        softer: The figures of validation, weighted to softer images.
        methods: Description of the methods, for people.
    """

    run_id: str
    operating_point: OperatingPoint
    selected_on_test: bool
    splits: dict[Split, SplitReport]
    softer: Softer | NotApplicable
    methods: str


def evaluate(
    predictions: pd.DataFrame,
    *,
    run_id: str,
    rule: OperatingRule,
    selected_on_test: bool,
    choose_on: Split = Split.VAL,
) -> EvaluationReport:
    """Report of a run from its predictions alone.

    Args:
        predictions: One row per image with the columns `COLUMNS`: `image_id` (unique in its split), `patient_id`,
            `split`, `label` (0 or 1), `subtype` and `logit` (finite), and `sharpness`, which runs of earlier versions
            lack. The order of rows and other columns do not matter.
        run_id: Id of the run.
        rule: How the threshold is chosen. ``youden`` maximizes sensitivity + specificity - 1 on split `choose_on` (Youden
            1950, Cancer 3:32-35); among equals, the threshold nearest 0.5. ``logistic`` does so by a logistic model of these
            images' logits (Platt's, see `calibration.fit`): the threshold where both classes, were they equally frequent,
            would be equally probable. A model varies less than the few images around a maximum (Fluss et al. 2005,
            doi:10.1002/bimj.200410135, compare smooth estimates with the empirical one); where none rises with PNEUMONIA,
            ``youden``.
        selected_on_test: Whether the run's epoch or learning rates were selected on test images.
        choose_on: Split that the threshold is chosen on.

    Raises:
        DataError: The predictions are not as required, or the rule needs images of both classes in split `choose_on`.
    """
    require_predictions(predictions)
    parts = {split: rows for split in Split if len(rows := predictions[predictions["split"] == split])}
    threshold = threshold_of(predictions, rule, choose_on)
    splits = {split: _split_report(split, rows, threshold) for split, rows in parts.items()}
    home = next(split for split in (choose_on, Split.VAL, Split.TEST, Split.TRAIN) if split in splits)
    there = splits[home]
    return EvaluationReport(
        run_id=run_id,
        operating_point=OperatingPoint(
            threshold=threshold,
            sensitivity=there.sensitivity,
            specificity=there.specificity,
            ppv=there.ppv,
            npv=there.npv,
            rule=rule,
            split=home,
        ),
        selected_on_test=selected_on_test,
        splits=splits,
        softer=softer(predictions[predictions["split"] == Split.VAL], threshold),
        methods=_METHODS,
    )


def threshold_of(predictions: pd.DataFrame, rule: OperatingRule, choose_on: Split = Split.VAL) -> float:
    """Decision threshold of a run, in [0, 1], from the arguments of `evaluate`.

    Raises:
        DataError: The rule needs images of both classes in split `choose_on`.
    """
    if rule is OperatingRule.HALF:
        return 0.5
    rows = predictions[predictions["split"] == choose_on].sort_values("image_id")
    labels, logits = _labels(rows), _logits(rows)
    if rule is OperatingRule.LOGISTIC and len(rows):
        model = fit(CalibrationKind.PLATT, labels, logits, rows["patient_id"].to_numpy(), choose_on)
        if isinstance(model, Calibrator):
            # Where the model's probability is its mean, the logits say nothing; the mean lies between the images' own.
            share = float(probability(apply(model, logits)).mean())
            return float(probability((log_odds(share) - model.intercept) / model.slope))
    return choose(ThresholdRule(RuleKind.YOUDEN), labels, probability(logits))


def report_to_dict(report: EvaluationReport) -> dict[str, Any]:
    """Plain data of a report, for JSON; a value that is not applicable is ``{"not_applicable": reason}``."""
    return {"schema": SCHEMA, **encode(report)}


def report_from_dict(data: dict[str, Any]) -> EvaluationReport:
    """Report from `report_to_dict`'s plain data.

    Raises:
        DataError: The data has another schema, or a key or value that a report does not have.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        schema = data.get("schema") if isinstance(data, dict) else data
        raise DataError(f"a report must be of schema {SCHEMA}. Received: schema={schema!r:.80}; evaluate the run again")
    fields_only = {key: value for key, value in data.items() if key != "schema"}
    report: EvaluationReport = decode(EvaluationReport, fields_only, "report")
    for split, part in report.splits.items():
        if part.split is not split:
            where = f"report.splits.{split}"
            raise DataError(f"{where} must be the report of its split. Received: split={part.split}; evaluate again")
    return report


def require_predictions(predictions: pd.DataFrame) -> None:
    """Check that predictions can be evaluated.

    Raises:
        DataError: They are not as `evaluate` requires.
    """
    again = "predict the run's images again"
    if missing := [column for column in COLUMNS if column not in predictions.columns]:
        raise DataError(f"predictions require the columns {', '.join(COLUMNS)}. Received: missing={missing}; {again}")
    if predictions.empty:
        raise DataError(f"predictions require at least one row. Received: rows=0; {again}")
    for column in ("image_id", "patient_id", "split"):
        if blank := int(predictions[column].isna().sum()):
            raise DataError(f"each prediction requires a value of {column}. Received: rows without={blank}; {again}")
    for column, known in (("split", [split.value for split in Split]), ("label", [int(label) for label in Label])):
        if len(odd := predictions[column][~predictions[column].isin(known)]):
            wanted = ", ".join(map(str, known))
            raise DataError(
                f"{column} must be one of {wanted}. Received: {column}={odd.iloc[0]}, rows={len(odd)}; {again}"
            )
    if not pd.api.types.is_numeric_dtype(predictions["logit"]):
        raise DataError(f"logit must be a number. Received: dtype={predictions['logit'].dtype}; {again}")
    logits = predictions["logit"].to_numpy(dtype=np.float64, na_value=np.nan)
    if not (finite := np.isfinite(logits)).all():
        image_id = predictions["image_id"][~finite].iloc[0]
        raise DataError(
            f"logit must be finite. Received: logit={logits[~finite][0]}, image_id={image_id!r}, "
            f"rows={(~finite).sum()}; train again, the model has diverged"
        )
    if (twice := predictions.duplicated(["split", "image_id"])).any():
        row = predictions[twice].iloc[0]
        raise DataError(
            f"each image must occur once in its split. Received: image_id={row['image_id']!r} twice or more in "
            f"{row['split']}, repeated rows={twice.sum()}; {again}"
        )


def _labels(rows: pd.DataFrame) -> IntArray:
    return rows["label"].to_numpy(dtype=np.int64)


def _logits(rows: pd.DataFrame) -> FloatArray:
    return rows["logit"].to_numpy(dtype=np.float64)


def _split_report(split: Split, rows: pd.DataFrame, threshold: float) -> SplitReport:
    # In a fixed order, so that sums and ties do not depend on the order of the rows.
    ordered = rows.sort_values("image_id")
    y_true, logits = _labels(ordered), _logits(ordered)
    patients, _ = pd.factorize(ordered["patient_id"], sort=True)
    values = probability(logits)
    sick = y_true == Label.PNEUMONIA
    at_threshold = rates(y_true, values, patients, threshold)
    counts = metrics.confusion(y_true, values, threshold)
    areas = intervals.area_estimates(y_true, logits, patients)
    # One bootstrap for both.
    brier, log_loss = intervals.mean_estimates(
        np.column_stack((metrics.brier_terms(y_true, values), metrics.log_loss_terms(y_true, logits))), patients
    )
    return SplitReport(
        split=split,
        n=len(ordered),
        n_patients=at_threshold.n_patients,
        n_pneumonia=int(sick.sum()),
        accuracy=intervals.clustered_wilson((values >= threshold) == sick, patients),
        sensitivity=at_threshold.sensitivity,
        specificity=at_threshold.specificity,
        ppv=at_threshold.ppv,
        npv=at_threshold.npv,
        auroc=areas.auroc,
        auprc=areas.auprc,
        brier=brier,
        log_loss=log_loss,
        ignored_replicates=areas.ignored,
        confusion=counts,
        table=metrics.classification_table(counts),
        roc=_thinned(metrics.in_probabilities(metrics.roc_curve(y_true, logits))),
        pr=_thinned(metrics.in_probabilities(metrics.pr_curve(y_true, logits))),
    )


def _thinned(curve: Curve | NotApplicable) -> Curve | NotApplicable:
    if isinstance(curve, NotApplicable):
        return curve
    columns = [getattr(curve, field.name) for field in fields(curve)]
    kept = _bends(np.array(columns[0]), np.array(columns[1]))
    return type(curve)(*(tuple(column[index] for index in kept) for column in columns))


def _bends(x: FloatArray, y: FloatArray) -> list[int]:
    """The points that carry a curve's shape: both ends, then again and again the point farthest from the line so far.

    Douglas and Peucker 1973 (Cartographica 10:112-122), ended by a number of points instead of a distance.
    """

    def farthest(start: int, end: int) -> tuple[float, int, int, int]:
        across, along = x[start + 1 : end] - x[start], y[start + 1 : end] - y[start]
        width, height = x[end] - x[start], y[end] - y[start]
        length = np.hypot(width, height)
        distance = np.abs(across * height - along * width) / length if length else np.hypot(across, along)
        place = int(np.argmax(distance))
        return -float(distance[place]), start + 1 + place, start, end

    last = x.size - 1
    kept = {0, last}
    waiting = [farthest(0, last)] if last > 1 else []
    while waiting and len(kept) < _MOST_POINTS:
        _, middle, start, end = heapq.heappop(waiting)
        kept.add(middle)
        for left, right in ((start, middle), (middle, end)):
            if right - left > 1:
                heapq.heappush(waiting, farthest(left, right))
    return sorted(kept)
