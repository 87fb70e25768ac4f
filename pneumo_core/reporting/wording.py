"""Numbers as texts, the same in every document."""

from typing import Final

from pneumo_core.evaluation.figures import Metric
from pneumo_core.records import Estimate, NotApplicable

__all__ = [
    "AS_THEY_ARE",
    "NAMES",
    "difference_text",
    "estimate_text",
    "or_reason",
    "p_cell",
    "plain",
    "spread_text",
    "value_text",
]

NAMES: Final[dict[Metric, str]] = {
    Metric.ACCURACY: "Accuracy",
    Metric.SENSITIVITY: "Sensitivity",
    Metric.SPECIFICITY: "Specificity",
    Metric.PPV: "PPV",
    Metric.NPV: "NPV",
    Metric.F1_NORMAL: "F1, NORMAL",
    Metric.F1_PNEUMONIA: "F1, PNEUMONIA",
    Metric.MACRO_PRECISION: "Macro precision",
    Metric.MACRO_RECALL: "Macro recall",
    Metric.MACRO_F1: "Macro F1",
    Metric.WEIGHTED_PRECISION: "Weighted precision",
    Metric.WEIGHTED_RECALL: "Weighted recall",
    Metric.WEIGHTED_F1: "Weighted F1",
    Metric.AUROC: "AUROC",
    Metric.AUPRC: "AUPRC",
    Metric.BRIER: "Brier score",
    Metric.LOG_LOSS: "Log loss",
}

AS_THEY_ARE: Final = {Metric.AUROC, Metric.AUPRC, Metric.BRIER, Metric.LOG_LOSS}
"""Figures with three decimals; the others are shares, in percent, and their differences are in points."""


def value_text(metric: Metric, value: float) -> str:
    """A figure: ``90.3 %`` or ``0.949``."""
    return f"{value:.3f}" if metric in AS_THEY_ARE else f"{value:.1%}".replace("%", " %")


def estimate_text(metric: Metric, estimate: Estimate | NotApplicable) -> str:
    """A figure with its interval: ``90.3 % (86.5 to 93.0)``."""
    if isinstance(estimate, NotApplicable):
        return or_reason(estimate)
    if metric in AS_THEY_ARE:
        return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
    return f"{value_text(metric, estimate.value)} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def difference_text(metric: Metric, value: float, low: float, high: float) -> str:
    """A difference with its interval: ``+1.3 (-3.4 to +0.8)`` in points, or as it is."""
    if metric in AS_THEY_ARE:
        return _signed(f"{value:+.3f} ({low:+.3f} to {high:+.3f})")
    return _signed(f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")


def spread_text(metric: Metric, mean: float, sd: float) -> str:
    """A mean with its standard deviation over seeds."""
    return f"{mean:.3f} ± {sd:.3f}" if metric in AS_THEY_ARE else f"{100 * mean:.1f} ± {100 * sd:.1f} %"


def p_cell(p: float | NotApplicable) -> str:
    """A p value as it stands in a table: ``.29``, ``< .001``."""
    if isinstance(p, NotApplicable):
        return or_reason(p)
    if p < 0.001:
        return "<\N{NO-BREAK SPACE}.001"
    return (f"{p:.3f}" if p < 0.1 else f"{p:.2f}").removeprefix("0")


def or_reason(value: NotApplicable) -> str:
    """What cannot be computed, with its reason."""
    return f"n/a: {value.reason}"


def plain(value: float | NotApplicable) -> float | str:
    """A number for a CSV file, or the reason why there is none."""
    return or_reason(value) if isinstance(value, NotApplicable) else value


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
