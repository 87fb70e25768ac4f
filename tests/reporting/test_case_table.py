"""Answers of several images: as text, and as CSV read back."""

import csv
import io

import pytest

from pneumo_core.records import Label, NotApplicable
from pneumo_core.reporting.case_table import CaseRow, case_table
from pneumo_core.reporting.document import table_csv

RUN = "baseline-0123456789ab"
HOW = "temperature 1.25, fitted on 761 val images"


def row(file: str, status: str = "ok", probability: float | None = 0.91, calibrated: float | None = 0.8) -> CaseRow:
    doubtful = status != "ok"
    return CaseRow(
        file=file,
        run_id=RUN,
        status=status,
        code="framed" if doubtful else "",
        reason="this may be a screenshot" if doubtful else "",
        advice="crop it to the X-ray" if doubtful else "",
        label=None if probability is None else Label(probability >= 0.5),
        probability=probability,
        calibrated=NotApplicable("none") if calibrated is None else calibrated,
        threshold=0.5,
        calibration=HOW,
    )


ROWS = (
    row("a.png", probability=0.123456789012345),
    row("b.png", "warned", 0.91),
    row("c.png", "refused", None, None),
    row("d.png", calibrated=None),
)


def read(rows: tuple[CaseRow, ...]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table_csv(case_table(RUN, rows)), newline="")))


def test_a_warning_stands_before_the_answer_and_the_number() -> None:
    table = case_table(RUN, ROWS)
    assert table.rows == (
        ("a.png", "NORMAL", "12.3 %", ""),
        ("b.png", "warned: PNEUMONIA", "91.0 %", "this may be a screenshot; crop it to the X-ray"),
        ("c.png", "refused", "", "this may be a screenshot; crop it to the X-ray"),
        ("d.png", "PNEUMONIA", "91.0 %", ""),
    )
    assert "PNEUMONIA from a probability of 50.0 %" in table.caption
    assert table.notes[0] == "Research and education only: not a medical device."
    assert len(table.notes) == 2, "one for all, not one an image"
    assert HOW in table.notes[1]


def test_csv_has_every_value_in_full_and_nothing_where_there_is_none() -> None:
    answered, warned, refused, uncalibrated = read(ROWS)
    assert answered == {
        "path": "a.png",
        "status": "ok",
        "code": "",
        "reason": "",
        "advice": "",
        "label": "NORMAL",
        "probability": "0.123456789012345",
        "calibrated_probability": "0.8",
        "threshold": "0.5",
        "run_id": RUN,
    }
    assert (warned["status"], warned["code"], warned["label"]) == ("warned", "framed", "PNEUMONIA")
    assert (refused["label"], refused["probability"], refused["calibrated_probability"]) == ("", "", "")
    assert refused["advice"] == "crop it to the X-ray"
    assert uncalibrated["calibrated_probability"] == ""


@pytest.mark.parametrize(
    "name", ["=1+1.png", "+A1.png", "-1+cmd|' /C calc'!A0.png", "@SUM(A1).png", "\t=1.png", "-2.png"]
)
def test_no_file_s_name_is_a_formula(name: str) -> None:
    (found,) = read((row(name),))
    assert found["path"] == f"'{name}"


def test_a_name_with_commas_quotes_and_lines_stays_one_cell() -> None:
    name = 'a, "b"\r\nc,=1.png'
    assert read((row(name),))[0]["path"] == name
