"""Evidence of a finished run: predictions, report and calibration, each checked against the manifest."""

import io

import pandas as pd

from pneumo_core.config.ensemble import ClassifierConfig
from pneumo_core.errors import CorruptError, DataError, RunError
from pneumo_core.evaluation import calibration
from pneumo_core.evaluation.calibration import Calibration, calibrate, calibration_from_dict
from pneumo_core.evaluation.near import Near, near
from pneumo_core.evaluation.reliability import probability_scores
from pneumo_core.evaluation.report import SCHEMA, EvaluationReport, evaluate, report_from_dict
from pneumo_core.records import Estimate, NotApplicable, Split
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, read_manifest, verified_file, verified_json
from pneumo_core.runs.submission import classifier_config


def read_predictions(run: RunDirectory) -> pd.DataFrame:
    """A finished run's predictions: `image_id`, `patient_id`, `label`, `subtype`, `split`, `logit`, `sharpness`.

    Runs of earlier versions lack the sharpness and the rows of split ``stress``.

    Raises:
        RunError: The run is not finished, or its predictions are missing.
        CorruptError: The file does not match its hash.
    """
    if run.predictions.name not in read_manifest(run)["files"] or not is_there(run.predictions):
        raise RunError(
            f"the run must have its predictions. Received: run_id={run.run_id!r}, whose predictions.parquet is missing; "
            "export it again or restore it"
        )
    data = verified_file(run, run.predictions)
    try:
        return pd.read_parquet(io.BytesIO(data))
    except (OSError, ValueError) as error:
        raise CorruptError(
            f"predictions.parquet must hold a table. Received: run_id={run.run_id!r}: {error}"
        ) from error


def read_calibration(run: RunDirectory) -> Calibration | NotApplicable:
    """A finished run's calibration; recomputed from its predictions if none is stored, or one of an older schema.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file does not match its hash.
    """
    try:
        if run.calibration.name not in read_manifest(run)["files"]:
            return calibrated(classifier_config(run), read_predictions(run))
        stored = verified_json(run, run.calibration)
        if isinstance(stored, dict) and stored.get("schema") in range(1, calibration.SCHEMA):
            return calibrated(classifier_config(run), read_predictions(run))
        return calibration_from_dict(stored)
    except DataError as error:
        raise CorruptError(str(error)) from error


def read_report(run: RunDirectory) -> EvaluationReport:
    """A finished run's evaluation; recomputed from its predictions if the stored one has an older schema.

    Raises:
        RunError: The run is not finished.
        CorruptError: A file does not match its hash.
    """
    stored = verified_json(run, run.report)
    try:
        if isinstance(stored, dict) and stored.get("schema") in range(1, SCHEMA):
            return evaluated(run.run_id, classifier_config(run), read_predictions(run))
        return report_from_dict(stored)
    except DataError as error:
        raise CorruptError(str(error)) from error


def read_near(run: RunDirectory) -> Near | NotApplicable:
    """The band around a finished run's threshold, from its predictions; the same errors as `read_report`."""
    return near(read_predictions(run), read_report(run).operating_point)


def evaluated(run_id: str, config: ClassifierConfig, predictions: pd.DataFrame) -> EvaluationReport:
    """Evaluation of a run's predictions by its own config; see `evaluation.report.evaluate` for the errors."""
    return evaluate(
        predictions,
        run_id=run_id,
        rule=config.operating_rule,
        selected_on_test=config.selected_on_test,
        choose_on=config.choose_on,
    )


def calibrated(config: ClassifierConfig, predictions: pd.DataFrame) -> Calibration | NotApplicable:
    """Calibration of a run's predictions by its own config; see `evaluation.calibration.calibrate` for the errors."""
    return calibrate(predictions, config.choose_on)


def log_losses_on_test(run: RunDirectory, found: Calibration) -> tuple[Estimate, Estimate] | NotApplicable:
    """Log loss of a finished run on test with 95 % intervals, raw and calibrated, or the reason why there is none.

    Raises:
        RunError: The run is not finished, or its predictions are missing.
        CorruptError: A file does not match its hash.
    """
    predictions = read_predictions(run)
    rows = predictions[predictions["split"] == Split.TEST.value]
    if rows.empty:
        return NotApplicable("this run has no test figures")
    labels, patients = rows["label"].to_numpy(dtype="int64"), rows["patient_id"].to_numpy(dtype=str)
    logit = rows["logit"].to_numpy()
    raw, after = (
        probability_scores(labels, values, patients).log_loss
        for values in (logit, calibration.apply(found.calibrator, logit))
    )
    if isinstance(raw, NotApplicable):
        return raw
    return after if isinstance(after, NotApplicable) else (raw, after)
