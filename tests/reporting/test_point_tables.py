"""Runs at chosen thresholds, cell by cell from numbers of which no two are alike."""

from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.evaluation.operating import ThresholdRates
from pneumo_core.evaluation.prevalence import AtThreshold, PredictiveValues
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.point_tables import rates_table


def estimate(value: float) -> Estimate:
    return Estimate(value, value - 0.01, value + 0.02, round(1000 * value))


def share(value: float) -> str:
    return f"{100 * value:.1f} % ({100 * value - 1:.1f} to {100 * value + 2:.1f}), n = {1000 * value:.0f}"


def test_rates_of_a_threshold() -> None:
    rates = ThresholdRates(0.321, 99, 50, 0.6, estimate(0.91), estimate(0.82), estimate(0.73), estimate(0.64))
    values = PredictiveValues(0.05, estimate(0.55), estimate(0.46))
    counts = Confusion(tn=8, fp=2, fn=5, tp=15)
    missing = NotApplicable("no curve")
    point = AtThreshold(counts, rates, values, estimate(0.37), missing, missing)
    table = rates_table({"A, test": point}, 0.05, 0.4)
    assert (table.name, table.columns) == ("rates", ("", "A, test"))
    assert dict(table.rows) == {
        "Threshold": "0.321",
        "PNEUMONIA: detected, missed": "15, 5",
        "NORMAL: correct, false alarms": "8, 2",
        "Sensitivity": share(0.91),
        "Specificity": share(0.82),
        "PPV, as in these images": share(0.73),
        "NPV, as in these images": share(0.64),
        "PPV at a prevalence of 5.0 %": share(0.55),
        "NPV at a prevalence of 5.0 %": share(0.46),
        "Net benefit at a threshold probability of 0.40 and a prevalence of 5.0 %": "0.370 (0.360 to 0.390), n = 370",
    }
