"""Runs at chosen thresholds as a table."""

from collections.abc import Mapping

from pneumo_core.evaluation.prevalence import AtThreshold
from pneumo_core.evaluation.wording import NAMES, estimate_text, percent, score_text
from pneumo_core.records import Metric, NotApplicable
from pneumo_core.reporting.document import Table
from pneumo_core.reporting.evaluation_tables import OPERATING


def rates_table(points: Mapping[str, AtThreshold], prevalence: float, stake: float) -> Table:
    """Each run's rates at its threshold: value, interval and n, or the reason why there is none; one column per run.

    Args:
        points: Runs by the heading of their column.
        prevalence: Share of PNEUMONIA of their predictive values.
        stake: Threshold probability of their net benefit.
    """
    at = f"at a prevalence of {percent(prevalence)}"
    benefit = f"Net benefit at a threshold probability of {stake:.2f} and {at.removeprefix('at ')}"
    columns = [_column(point, at, benefit) for point in points.values()]
    rows = tuple((name, *(column[name] for column in columns)) for name in columns[0])
    return Table("rates", "Rates of both runs at their thresholds, with 95 % intervals", ("", *points), rows)


def _column(point: AtThreshold, at: str, benefit: str) -> dict[str, str]:
    rates, counts, found = point.rates, point.confusion, point.benefit
    own = {
        NAMES[metric] + (", as in these images" if metric in (Metric.PPV, Metric.NPV) else ""): estimate_text(
            metric, getattr(rates, metric), with_n=True
        )
        for metric in OPERATING
    }
    return {
        "Threshold": score_text(rates.threshold),
        "PNEUMONIA: detected, missed": f"{counts.tp:,}, {counts.fn:,}",
        "NORMAL: correct, false alarms": f"{counts.tn:,}, {counts.fp:,}",
        **own,
        f"PPV {at}": estimate_text(Metric.PPV, point.values.ppv, with_n=True),
        f"NPV {at}": estimate_text(Metric.NPV, point.values.npv, with_n=True),
        benefit: score_text(found) + ("" if isinstance(found, NotApplicable) else f", n = {found.n:,}"),
    }
