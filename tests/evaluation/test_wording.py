"""Numbers as texts: one convention for shares, scores, differences, p values and what is not applicable."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

from pneumo_core.evaluation.calibration import CalibrationKind, Calibrator
from pneumo_core.evaluation.significance import SeedDifference
from pneumo_core.evaluation.wording import (
    NAMES,
    SCORES,
    age,
    difference_parts,
    difference_text,
    duration,
    duration_range,
    estimate_text,
    file_size,
    interval_text,
    line_text,
    measured_text,
    p_cell,
    p_text,
    percent,
    percent_text,
    plain,
    probability_text,
    score_text,
    spread_text,
    three_digits,
    value_text,
)
from pneumo_core.records import Estimate, Metric, NotApplicable, Split

SHARE = Estimate(0.903, 0.865, 0.93, 318)
SCORE = Estimate(0.9486, 0.9, 1.0, 1318)
MISSING = NotApplicable("no image")
MINUS = "\N{MINUS SIGN}"


def test_an_age_is_in_days_from_two_on() -> None:
    assert [age(seconds) for seconds in (-3, 45, 3600, 172_799, 172_800, 1e9)] == [
        *("0 s", "45 s", "60 min", "48.0 h", "2 days", "11,574 days")
    ]


def test_a_probability_is_never_0_or_1() -> None:
    assert [probability_text(one) for one in (0.0, 0.0009, 0.001, 0.9125, 0.999, 1.0)] == [
        *("< 0.1 %", "< 0.1 %", "0.1 %", "91.2 %", "99.9 %", "> 99.9 %")
    ]


def test_every_figure_has_a_name() -> None:
    assert tuple(NAMES) == tuple(Metric)
    assert len(set(NAMES.values())) == len(NAMES)


@pytest.mark.parametrize("metric", list(Metric))
def test_a_share_is_in_percent_and_a_score_has_three_decimals(metric: Metric) -> None:
    found = estimate_text(metric, SHARE)
    assert found == ("0.903 (0.865 to 0.930)" if metric in SCORES else "90.3 % (86.5 to 93.0)")
    assert value_text(metric, SHARE) == value_text(metric, 0.903) == found.partition(" (")[0]
    assert interval_text(metric, SHARE) == ("0.865 to 0.930" if metric in SCORES else "86.5 to 93.0 %")


def test_estimates() -> None:
    assert percent_text(SHARE) == "90.3 % (86.5 to 93.0)"
    assert (percent(0.0123), percent(1 / 3, 3), percent(0.67, 0)) == ("1.2 %", "33.333 %", "67 %")
    assert score_text(SCORE) == "0.949 (0.900 to 1.000)"
    assert score_text(Estimate(-0.127, -0.2, 0.05, 9), 2) == f"{MINUS}0.13 ({MINUS}0.20 to 0.05)"
    assert estimate_text(Metric.AUROC, SCORE, with_n=True) == "0.949 (0.900 to 1.000), n = 1,318"


def test_what_is_not_applicable_has_its_reason_or_stands_beside_it() -> None:
    texts = {estimate_text(Metric.NPV, MISSING, with_n=True), percent_text(MISSING), score_text(MISSING)}
    texts |= {difference_text(Metric.BRIER, MISSING), p_cell(MISSING), plain(MISSING)}
    assert texts == {"n/a: no image"}
    assert (value_text(Metric.NPV, MISSING), interval_text(Metric.NPV, MISSING)) == ("n/a", "no image")
    assert p_text(MISSING) == "p n/a: no image"


def test_differences_are_in_points_or_as_they_are() -> None:
    share, score = Estimate(-0.013, -0.034, 0.008, 9), Estimate(0.01, -0.002, 0.022, 9)
    assert difference_text(Metric.ACCURACY, share) == f"{MINUS}1.3 ({MINUS}3.4 to +0.8)"
    assert difference_text(Metric.BRIER, score) == f"+0.010 ({MINUS}0.002 to +0.022)"
    assert difference_parts(Metric.BRIER, score) == ("+0.010", f"{MINUS}0.002 to +0.022")
    over_seeds = SeedDifference(value=0.02, low=-0.01, high=0.05, p=0.2, k_a=3, k_b=3)
    assert difference_text(Metric.PPV, over_seeds) == f"+2.0 ({MINUS}1.0 to +5.0)"
    assert spread_text(Metric.PPV, 0.913, 0.0123) == "91.3 ± 1.2 %"
    assert spread_text(Metric.AUROC, 0.913, 0.0123) == "0.913 ± 0.012"


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "<\N{NO-BREAK SPACE}.001"), (0.001, ".001"), (0.049, ".049"), (0.29, ".29"), (1.0, "1.00")]
)
def test_p_values(p: float, text: str) -> None:
    assert p_cell(p) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.29, "p = .29"), (0.047, "p = .047"), (0.00001, "p < .001"), (1.0, "p = 1.00"), (0.9999, "p = 1.00")],
)
def test_p_values_in_sentences(p: float, text: str) -> None:
    assert p_text(p) == text.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0004, "0.000"),
        (0.00041234, "0.000"),
        (-0.0005001, f"{MINUS}0.001"),
        (0.012, "+0.012"),
        (0.0, "0.000"),
    ],
)
def test_a_difference_that_rounds_to_zero_has_no_sign_and_as_many_decimals_as_its_interval(
    value: float, text: str
) -> None:
    assert difference_parts(Metric.AUROC, Estimate(value, -1.0, 1.0, 9)) == (text, f"{MINUS}1.000 to +1.000")
    assert score_text(-0.0004) == "0.000"
    assert score_text(Estimate(0.5, -0.0301, 10.0, 9)) == f"0.500 ({MINUS}0.030 to 10.000)"


@pytest.mark.parametrize(
    ("metric", "numbers", "text"),
    [
        (Metric.AUROC, (0.012, 0.0004, 0.024), "+0.0120 (+0.0004 to +0.0240)"),
        (Metric.ACCURACY, (0.013, -0.0003, 0.034), f"+1.30 ({MINUS}0.03 to +3.40)"),
        (Metric.AUROC, (-0.000397, -0.012, 0.011), f"0.000 ({MINUS}0.012 to +0.011)"),
        (Metric.AUROC, (0.5, 1e-9, 1.0), "+0.500 (0.000 to +1.000)"),
        (Metric.AUROC, (0.0, 0.0, 0.0), "0.000 (0.000 to 0.000)"),
    ],
)
def test_a_difference_and_its_interval_have_equally_many_decimals_and_0_is_never_an_end_by_rounding(
    metric: Metric, numbers: tuple[float, float, float], text: str
) -> None:
    assert difference_text(metric, Estimate(*numbers, 9)) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((57.4, 54.1, 61.5), "57.4 (54.1 to 61.5)"),
        ((3.96, 3.73, 4.24), "3.96 (3.73 to 4.24)"),
        ((1234.0, 1100.4, 1402.0), "1,234 (1,100 to 1,402)"),
        ((-0.00004, -0.0002, 0.0003), "0.000 (0.000 to 0.000)"),
        ((0.5, 0.5, 0.5), "0.500 (0.500 to 0.500)"),
    ],
)
def test_what_has_no_usual_decimals_has_those_of_its_interval(numbers: tuple[float, float, float], text: str) -> None:
    assert measured_text(Estimate(*numbers, 9)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.100"),
        (12.0, "12.0"),
        (123.4, "123"),
        (-0.0691, f"{MINUS}0.0691"),
        (999.6, "1,000"),
        (12345.0, "12,345"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


@pytest.mark.parametrize(
    ("kind", "slope", "intercept", "text"),
    [
        (CalibrationKind.IDENTITY, 1.0, 0.0, "no calibration"),
        (CalibrationKind.TEMPERATURE, 0.8, 0.0, "temperature 1.25"),
        (CalibrationKind.PLATT, 0.8123, -0.0314, f"Platt's slope 0.812 and intercept {MINUS}0.031"),
        (CalibrationKind.PLATT, 1.0, -0.0004, "Platt's slope 1.00 and intercept 0.000"),
    ],
)
def test_a_calibrator_in_words(kind: CalibrationKind, slope: float, intercept: float, text: str) -> None:
    assert line_text(Calibrator(kind, slope, intercept, Split.VAL, 9, 9)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (45.4, "45 s"), (90, "2 min"), (5399, "90 min"), (12_600, "3.5 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("low_s", "high_s", "words"),
    [
        (40, 360, "40 s to 6 min"),
        (120, 360, "2 to 6 min"),
        (61.2, 61.4, "about 61 s"),
        (0.2, 200, "up to 3 min"),
        (3600, 7200, "60 min to 2.0 h"),
        (5400, 7200, "1.5 to 2.0 h"),
    ],
)
def test_ranges_of_time(low_s: float, high_s: float, words: str) -> None:
    assert duration_range(low_s, high_s) == words


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (3000, "3.00 kB"),
        (999_600, "1.00 MB"),
        (59_000_000, "59.0 MB"),
        (2_300_000_000, "2.30 GB"),
    ],
)
def test_file_sizes(size_bytes: int, text: str) -> None:
    assert file_size(size_bytes) == text


_UNIT = re.compile(r"(\s|\N{NO-BREAK SPACE})?(s|min|h|B|[kMG]i?B|%)(?![\w/])")
_LOWER = ("errors.py", "records.py", "settings.py", "config", "data", "runs", "models", "augmentation")
"""Layers below the evaluation, which cannot import its words."""


def _written_by_hand(path: Path) -> list[int]:
    """Lines whose f-string writes a number in a format of its own and then a unit of time, of size, or a percent sign."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            for number, unit in pairwise(node.values):
                is_number = isinstance(number, ast.FormattedValue) and number.format_spec is not None
                if is_number and isinstance(unit, ast.Constant) and _UNIT.match(str(unit.value)):
                    found.append(node.lineno)
    return found


def test_no_other_module_writes_times_sizes_and_percentages_by_hand() -> None:
    root = Path(__file__).parents[2]
    core = root / "pneumo_core"
    homes = {core / "evaluation" / "wording.py", *(core / name for name in _LOWER)}
    files = [root / "app.py", *(root / "pages").rglob("*.py"), *core.rglob("*.py")]
    checked = [path for path in files if not homes & {path, *path.parents}]
    assert len(checked) > 150
    assert {str(path): lines for path in checked if (lines := _written_by_hand(path))} == {}


def test_a_number_that_is_written_by_hand_is_found(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text('f"{1:.0f} s"\nf"{2:.1f} MB"\nf"{3:+.0f} % up"\nf"{4:.0f} images"\nf"{5} s"\n')
    assert _written_by_hand(source) == [1, 2, 3]
