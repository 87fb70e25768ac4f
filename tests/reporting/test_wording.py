"""Numbers as texts."""

import pytest

from pneumo_core.evaluation.figures import METRICS, Metric
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.facts import epochs, fact, facts_text
from pneumo_core.reporting.study_document import Compared
from pneumo_core.reporting.wording import NAMES, difference_text, estimate_text, p_cell


def test_every_figure_has_a_name() -> None:
    assert tuple(NAMES) == METRICS
    assert len(set(NAMES.values())) == len(NAMES)


def test_estimates_and_differences() -> None:
    assert estimate_text(Metric.ACCURACY, Estimate(0.903, 0.865, 0.93, 318)) == "90.3 % (86.5 to 93.0)"
    assert estimate_text(Metric.AUROC, Estimate(0.9486, 0.9, 1.0, 318)) == "0.949 (0.900 to 1.000)"
    assert estimate_text(Metric.NPV, NotApplicable("no image")) == "n/a: no image"
    assert difference_text(Metric.ACCURACY, -0.013, -0.034, 0.008) == "\N{MINUS SIGN}1.3 (\N{MINUS SIGN}3.4 to +0.8)"
    assert difference_text(Metric.BRIER, 0.01, -0.002, 0.022) == "+0.010 (\N{MINUS SIGN}0.002 to +0.022)"


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "<\N{NO-BREAK SPACE}.001"), (0.001, ".001"), (0.049, ".049"), (0.29, ".29"), (1.0, "1.00")]
)
def test_p_values(p: float, text: str) -> None:
    assert p_cell(p) == text


def test_records_that_do_not_say() -> None:
    assert fact({"a": {"b": 1}}, "a", "b") == 1
    assert fact({"a": 1}, "a", "b") is None
    assert [facts_text(value, ",") for value in (None, True, 1234, "x")] == ["not recorded", "yes", "1,234", "x"]


def test_epoch_that_was_run_again_counts_once(one_run: Compared) -> None:
    from dataclasses import replace

    again = [{"kind": "epoch", "epoch": 1, "loss": 5.0}, {"kind": "batch", "epoch": 9}]
    run = replace(one_run.facts_a[0], events=[*one_run.facts_a[0].events, *again])
    assert [event["epoch"] for event in epochs(run)] == [0, 1, 2]
    assert epochs(run)[1]["loss"] == 5.0
