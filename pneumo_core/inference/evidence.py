"""What a finished run left as evidence: its predictions and its report, each checked against the manifest."""

import io

import pandas as pd

from pneumo_core.errors import CorruptError, DataError
from pneumo_core.evaluation.report import EvaluationReport, report_from_dict
from pneumo_core.files import read_json
from pneumo_core.store import RunDirectory, verified_file

__all__ = ["read_predictions", "read_report"]


def read_predictions(run: RunDirectory) -> pd.DataFrame:
    """A finished run's predictions: `image_id`, `patient_id`, `label`, `subtype`, `split`, `logit`.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file is not the one that was written.
    """
    data = verified_file(run, run.predictions)
    try:
        return pd.read_parquet(io.BytesIO(data))
    except (OSError, ValueError) as error:
        raise CorruptError(
            f"predictions.parquet must hold a table. Received: run_id={run.run_id!r}: {error}"
        ) from error


def read_report(run: RunDirectory) -> EvaluationReport:
    """A finished run's evaluation.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file is not the one that was written.
    """
    verified_file(run, run.report)
    try:
        return report_from_dict(read_json(run.report))
    except DataError as error:
        raise CorruptError(str(error)) from error
