"""Numbers as texts: one convention for shares, scores, differences, p values and what is not applicable."""

import pytest

from pneumo_core.evaluation.significance import SeedDifference
from pneumo_core.evaluation.wording import (
    NAMES,
    SCORES,
    difference_parts,
    difference_text,
    estimate_text,
    interval_text,
    p_cell,
    p_text,
    percent,
    percent_text,
    plain,
    score_text,
    spread_text,
    value_text,
)
from pneumo_core.records import Estimate, Metric, NotApplicable

SHARE = Estimate(0.903, 0.865, 0.93, 318)
SCORE = Estimate(0.9486, 0.9, 1.0, 1318)
MISSING = NotApplicable("no image")
MINUS = "\N{MINUS SIGN}"


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
        (-0.0004, f"{MINUS}0.0004"),
        (0.00041234, "+0.000412"),
        (-0.0005001, f"{MINUS}0.001"),
        (0.012, "+0.012"),
        (0.0, "0.000"),
    ],
)
def test_a_difference_that_rounds_to_zero_keeps_three_digits_and_zero_has_no_sign(value: float, text: str) -> None:
    assert difference_parts(Metric.AUROC, Estimate(value, -1.0, 1.0, 9)) == (text, f"{MINUS}1.000 to +1.000")
    assert score_text(-0.0004) == "0.000"
    assert score_text(Estimate(0.5, -0.0301, 10.0, 9)) == f"0.500 ({MINUS}0.030 to 10.000)"
