"""Answers for several images as one table, for people and as CSV."""

from collections.abc import Sequence
from dataclasses import dataclass

from pneumo_core.evaluation.wording import probability_text
from pneumo_core.records import Label, NotApplicable
from pneumo_core.reporting.document import Cell, Table, numbered


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A model's answer for one image.

    Attributes:
        file: Name or path of the image.
        run_id: The model.
        status: Whether there is an answer: ``ok``, ``warned`` or ``refused``.
        code: Code of the reason of a refusal or warning, else "".
        reason: The reason in words, else "".
        advice: What to do about it, else "".
        label: Class at the threshold, or None if refused.
        probability: Of PNEUMONIA, in [0, 1], or None if refused.
        calibrated: The calibrated probability, or the reason why there is none.
        threshold: Probability from which the model answers PNEUMONIA.
        calibration: How probabilities are calibrated, or why they are not.
    """

    file: str
    run_id: str
    status: str
    code: str
    reason: str
    advice: str
    label: Label | None
    probability: float | None
    calibrated: float | NotApplicable
    threshold: float
    calibration: str

    @property
    def warning(self) -> str:
        """Reason and advice as one text."""
        return "; ".join(filter(None, (self.reason, self.advice)))


_COLUMNS = (
    *("path", "status", "code", "reason", "advice"),
    *("label", "probability", "calibrated_probability", "threshold", "run_id"),
)


def case_table(model: str, rows: Sequence[CaseRow]) -> Table:
    """A row for each image; `document.table_csv` makes its CSV, with numbers in full precision.

    Args:
        model: The model's name, for the caption.
        rows: At least one, all of this model.
    """
    calibrations = dict.fromkeys(
        f"Probabilities are the model's own. Calibrated ones, in --csv and --json: {row.calibration}."
        for row in rows
        if row.label is not None
    )
    return numbered(
        "predictions",
        f"Answers of {model}: PNEUMONIA from a probability of {probability_text(rows[0].threshold)}",
        ("image", "answer", "probability", "warning"),
        _COLUMNS,
        ((_texts(row), _cells(row)) for row in rows),
        ("Research and education only: not a medical device.", *calibrations),
    )


def _texts(row: CaseRow) -> tuple[str, ...]:
    # That there is a warning stands before the answer and before the number.
    answer = row.status if row.label is None else f"{'warned: ' if row.status == 'warned' else ''}{row.label.name}"
    return row.file, answer, "" if row.probability is None else probability_text(row.probability), row.warning


def _cells(row: CaseRow) -> tuple[Cell, ...]:
    calibrated = None if isinstance(row.calibrated, NotApplicable) else row.calibrated
    label = None if row.label is None else row.label.name
    return (
        *(row.file, row.status, row.code, row.reason, row.advice),
        *(label, row.probability, calibrated, row.threshold, row.run_id),
    )
