"""Cells of Compare's own tables, from numbers of which no two are alike."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from pages.ui.compare.calibration_charts import Measured
from pages.ui.compare.calibration_charts import figures_frame as calibration_frame
from pages.ui.compare.point_tables import Point, rates_frame
from pages.ui.compare.tables import confusion_table, mean_table
from pneumo_core.evaluation.comparison import Side
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.evaluation.operating import ThresholdRates
from pneumo_core.evaluation.prevalence import PredictiveValues
from pneumo_core.evaluation.reliability import ProbabilityScores, reliability
from pneumo_core.records import Estimate, Metric, NotApplicable

SIDE = cast("Any", SimpleNamespace(letter="A", where="test"))


def estimate(value: float) -> Estimate:
    return Estimate(value, value - 0.01, value + 0.02, round(1000 * value))


def share(value: float) -> str:
    return f"{100 * value:.1f} % ({100 * value - 1:.1f} to {100 * value + 2:.1f}), n = {1000 * value:.0f}"


def test_the_confusion_matrix_has_the_called_class_in_columns() -> None:
    frame = confusion_table(Confusion(tn=8, fp=2, fn=5, tp=15))
    assert frame.index.tolist() == ["NORMAL", "PNEUMONIA"]
    assert frame["called NORMAL"].tolist() == ["8 (80.0 %)", "5 (25.0 %)"]
    assert frame["called PNEUMONIA"].tolist() == ["2 (20.0 %)", "15 (75.0 %)"]


def test_the_mean_of_several_runs_is_each_figure_in_its_place() -> None:
    figures: dict[Metric, Estimate | NotApplicable] = {
        metric: estimate(0.5 + place / 100) for place, metric in enumerate(Metric)
    }
    rows = {row.name: row for row in mean_table(cast("Side", SimpleNamespace(figures=figures, n=30, n_pneumonia=19)))}

    def value(metric: Metric) -> float:
        return 0.5 + list(Metric).index(metric) / 100

    for name, precision, recall, f1, support in (
        ("NORMAL", Metric.NPV, Metric.SPECIFICITY, Metric.F1_NORMAL, 11),
        ("PNEUMONIA", Metric.PPV, Metric.SENSITIVITY, Metric.F1_PNEUMONIA, 19),
        ("macro avg", Metric.MACRO_PRECISION, Metric.MACRO_RECALL, Metric.MACRO_F1, 30),
        ("weighted avg", Metric.WEIGHTED_PRECISION, Metric.WEIGHTED_RECALL, Metric.WEIGHTED_F1, 30),
    ):
        row = rows[name]
        assert (row.precision, row.recall, row.f1, row.support) == (*map(value, (precision, recall, f1)), support)
    assert (rows["accuracy"].f1, rows["accuracy"].support) == (value(Metric.ACCURACY), 30)


def test_rates_of_a_threshold() -> None:
    rates = ThresholdRates(0.321, 99, 50, 0.6, estimate(0.91), estimate(0.82), estimate(0.73), estimate(0.64))
    values = PredictiveValues(0.05, estimate(0.55), estimate(0.46))
    counts = Confusion(tn=8, fp=2, fn=5, tp=15)
    missing = NotApplicable("no curve")
    frame = rates_frame([Point(SIDE, counts, rates, values, estimate(0.37), missing, missing)], 0.05, 0.4)
    assert dict(frame["A, test"]) == {
        "Threshold": "0.321",
        "PNEUMONIA: called so, missed": "15, 5",
        "NORMAL: called so, false alarms": "8, 2",
        "Sensitivity": share(0.91),
        "Specificity": share(0.82),
        "PPV, as in these images": share(0.73),
        "NPV, as in these images": share(0.64),
        "PPV at a prevalence of 5.0 %": share(0.55),
        "NPV at a prevalence of 5.0 %": share(0.46),
        "Net benefit at a threshold probability of 0.40 and a prevalence of 5.0 %": "0.370 (0.360 to 0.390), n = 370",
    }


def test_scores_of_probabilities() -> None:
    y_true, patients = np.array([0, 1] * 20), np.arange(40)
    found = reliability(y_true, np.where(y_true, 1.0, -0.5) + np.sin(np.arange(40)), patients)
    assert not isinstance(found, NotApplicable)
    assert isinstance(found.slope, Estimate)
    assert isinstance(found.intercept, Estimate)
    frame = calibration_frame([Measured(SIDE, "raw", ProbabilityScores(found, estimate(0.12), estimate(0.34)))])

    def text(one: Estimate) -> str:
        return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})".replace("-", "\N{MINUS SIGN}")

    assert dict(frame["A, raw, test"]) == {
        "Brier score": text(estimate(0.12)),
        "Log loss": text(estimate(0.34)),
        "ECE, ten bins": f"{found.ece:.3f}",
        "Slope": text(found.slope),
        "Intercept, slope held at 1": text(found.intercept),
    }
