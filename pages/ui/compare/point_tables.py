"""Two operating points: what they are made of, and their tables, as pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pages.ui.compare.sides import Shown
from pages.ui.tables import OPERATING
from pneumo_core.evaluation.metrics import Confusion, RocCurve
from pneumo_core.evaluation.operating import DecisionCurve, ThresholdRates
from pneumo_core.evaluation.prevalence import PredictiveValues
from pneumo_core.evaluation.wording import NAMES, estimate_text, percent, score_text
from pneumo_core.records import Estimate, Metric, NotApplicable


@dataclass(frozen=True, slots=True)
class Point:
    """One run at one threshold.

    Attributes:
        side: The run.
        confusion: Its confusion matrix.
        rates: Its rates on the split shown.
        values: Predictive values at the reader's prevalence.
        benefit: Net benefit at the reader's stake and prevalence, the same stake for both runs.
        roc: Its ROC curve.
        curve: Its decision curve at the reader's prevalence.
    """

    side: Shown
    confusion: Confusion
    rates: ThresholdRates
    values: PredictiveValues
    benefit: Estimate | NotApplicable
    roc: RocCurve | NotApplicable
    curve: DecisionCurve | NotApplicable


def rates_frame(points: Sequence[Point], prevalence: float, stake: float) -> pd.DataFrame:
    """Each run's rates at its threshold as text: value, interval and n, or why there is none."""
    columns, at = {}, f"at a prevalence of {percent(prevalence)}"
    for point in points:
        rates, counts, benefit = point.rates, point.confusion, point.benefit
        columns[f"{point.side.letter}, {point.side.where}"] = {
            "Threshold": score_text(rates.threshold),
            "PNEUMONIA: called so, missed": f"{counts.tp:,}, {counts.fn:,}",
            "NORMAL: called so, false alarms": f"{counts.tn:,}, {counts.fp:,}",
            **{
                NAMES[metric] + (", as in these images" if metric in (Metric.PPV, Metric.NPV) else ""): estimate_text(
                    metric, getattr(rates, metric), with_n=True
                )
                for metric in OPERATING
            },
            f"PPV {at}": estimate_text(Metric.PPV, point.values.ppv, with_n=True),
            f"NPV {at}": estimate_text(Metric.NPV, point.values.npv, with_n=True),
            f"Net benefit at a threshold probability of {stake:.2f} and {at.removeprefix('at ')}": (
                score_text(benefit) + ("" if isinstance(benefit, NotApplicable) else f", n = {benefit.n:,}")
            ),
        }
    return pd.DataFrame(columns)


def roc_frame(points: Sequence[Point]) -> pd.DataFrame:
    """Points of both ROC curves."""
    parts = [
        pd.DataFrame(
            {
                "run": point.side.letter,
                "threshold": point.roc.threshold,
                "sensitivity": point.roc.tpr,
                "specificity": [1 - rate for rate in point.roc.fpr],
            }
        )
        for point in points
        if isinstance(point.roc, RocCurve)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def decision_frame(points: Sequence[Point]) -> pd.DataFrame:
    """Points of both decision curves, with their intervals."""
    parts = [
        pd.DataFrame(
            {
                "run": point.side.letter,
                "threshold": point.curve.threshold,
                "net benefit": point.curve.model,
                "low": point.curve.low,
                "high": point.curve.high,
                "call everybody": point.curve.treat_all,
                "call nobody": 0.0,
            }
        )
        for point in points
        if isinstance(point.curve, DecisionCurve)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
