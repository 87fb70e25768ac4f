"""Points that pages and documents draw, each counted again slowly; those of comparisons are in tests/pages/ui/compare."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.curves import (
    best_epoch,
    complement,
    curve_points,
    decision_points,
    epoch_points,
    estimate_numbers,
    pr_point,
    pr_steps,
    probability_bins,
    roc_point,
)
from pneumo_core.evaluation.histogram import histogram
from pneumo_core.evaluation.metrics import Confusion, PrCurve
from pneumo_core.evaluation.operating import DecisionCurve
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import evaluate
from pneumo_core.records import Estimate, Label, NotApplicable, Split
from tests.reporting.conftest import predictions


@pytest.mark.parametrize(("kind", "second", "third"), [("roc", "tpr", "fpr"), ("pr", "recall", "precision")])
def test_curve_tables_are_the_curves(kind: str, second: str, third: str) -> None:
    report = evaluate(predictions(0, 40), run_id="baseline-0", rule=OperatingRule.HALF, selected_on_test=False)
    part = report.splits[Split.TEST]
    frame, curve = curve_points(getattr(part, kind)), getattr(part, kind)
    assert frame["threshold"].tolist() == list(curve.threshold)
    assert frame.iloc[:, 1].tolist() == list(getattr(curve, second))
    last = list(getattr(curve, third))
    assert frame.iloc[:, 2].tolist() == ([1 - rate for rate in last] if kind == "roc" else last)


def epoch(number: int, **values: Any) -> dict[str, Any]:
    return {"kind": "epoch", "epoch": number, "loss": 1.0, "accuracy": 0.5, **values}


def test_of_an_epoch_that_was_run_twice_the_last_counts() -> None:
    events = [
        epoch(0, val_loss=0.9),
        {"kind": "batch", "epoch": 1, "step": 3, "loss": 9.0},
        epoch(1, val_loss=0.1),
        epoch(1, val_loss=0.7),
        epoch(2, val_loss=0.8),
    ]
    frame = epoch_points(events)
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["val_loss"].tolist() == [0.9, 0.7, 0.8]
    assert best_epoch(frame) == 2


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, float("nan")]), max_size=8))
def test_the_best_epoch_is_the_first_that_a_loop_finds(losses: list[float]) -> None:
    best, kept = float("inf"), None
    for number, loss in enumerate(losses, start=1):
        if loss < best:
            best, kept = loss, number
    frame = epoch_points([epoch(number, val_loss=loss) for number, loss in enumerate(losses)])
    assert best_epoch(frame) == kept


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(-30, 30)), min_size=1, max_size=60))
def test_bins_hold_what_a_slow_count_finds(images: list[tuple[int, float]]) -> None:
    labels, logits = zip(*images, strict=True)
    values = probability(np.array(logits))
    bins = probability_bins([histogram(np.array(labels), values)])
    for label in Label:
        of_class = [value for value, other in zip(values, labels, strict=True) if other == label]
        last = len(bins) - 1
        for place, row in bins.iterrows():
            inside = [v for v in of_class if row["from"] <= v and (v < row["to"] or (place == last and v <= row["to"]))]
            assert row[label.name] == len(inside)


def test_the_points_of_a_runs_calls() -> None:
    counts = Confusion(tn=8, fp=2, fn=5, tp=15)
    assert roc_point(counts) == pytest.approx((0.2, 0.75))
    assert pr_point(counts) == pytest.approx((0.75, 15 / 17))
    assert roc_point(Confusion(tn=8, fp=2, fn=0, tp=0)) is None
    assert pr_point(Confusion(tn=8, fp=0, fn=5, tp=0)) is None


def test_steps_start_at_recall_0_at_the_precision_they_lead_to() -> None:
    curve = PrCurve((0.5, 1.0), (0.9, 0.7), (0.8, 0.3))
    assert pr_steps(curve) == PrCurve((0.0, 0.5, 1.0), (0.9, 0.9, 0.7), (0.8, 0.8, 0.3))


def test_a_complement_turns_the_interval_round() -> None:
    assert complement(Estimate(0.75, 0.5, 0.875, 9)) == Estimate(0.25, 0.125, 0.5, 9)
    assert complement(NotApplicable("no image")) == NotApplicable("no image")


def test_an_estimate_or_its_reason() -> None:
    found = {"value": 0.1, "low": 0.2, "high": 0.3, "n": 4, "not applicable": ""}
    assert estimate_numbers(Estimate(0.1, 0.2, 0.3, 4)) == found
    missing = {"value": None, "low": None, "high": None, "n": None, "not applicable": "no image"}
    assert estimate_numbers(NotApplicable("no image")) == missing


def test_a_decision_curve_point_by_point() -> None:
    frame = decision_points(DecisionCurve(9, 5, 0.6, (0.1, 0.2), (0.3, 0.4), (0.25, 0.35), (0.5, 0.55), (0.7, 0.8)))
    assert frame.values.tolist() == [[0.1, 0.3, 0.25, 0.5, 0.7, 0.0], [0.2, 0.4, 0.35, 0.55, 0.8, 0.0]]
    assert list(frame) == ["threshold", "net benefit", "low", "high", "treat all", "treat none"]
