"""Curves of both sides of a comparison as pure functions: A is solid and round, B dashed and square.

The table of each is in `frames`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from pages.ui.charts import REFERENCE, SIDE_A, SIDE_B
from pneumo_core.evaluation import metrics
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.records import Estimate, Metric, NotApplicable

MARGIN = {"l": 8, "r": 8, "t": 32, "b": 8}
BELOW: dict[str, Any] = {"orientation": "h", "yanchor": "top", "y": -0.18, "x": 0}
DOTTED: dict[str, Any] = {"color": REFERENCE, "dash": "dot", "width": 2}

FEW = 3
"""Runs of a side whose lines are still drawn strong and whose bins have interval bars: more would hide one another."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a side is drawn, by more than its colour.

    Attributes:
        letter: ``A`` or ``B``.
        colour: Of its lines and marks.
        dash: Of its lines.
        symbol: Of its marks.
    """

    letter: str
    colour: str
    dash: str
    symbol: str


LOOKS = (Look("A", SIDE_A, "solid", "circle"), Look("B", SIDE_B, "dash", "square"))


def roc_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """ROC curves of every run of both sides, with chance and the operating points."""
    if reason := missing(comparison, "roc"):
        return reason
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="chance", line=DOTTED)
    words = "threshold %{customdata:.3f}<br>1 - specificity %{x:.3f}<br>sensitivity %{y:.3f}"
    for look, side in sides(comparison):
        for place, curve in enumerate(side.roc):
            if isinstance(curve, NotApplicable):
                continue
            _curve(figure, look, side, place, words, x=curve.fpr, y=curve.tpr, customdata=curve.threshold)
        bars = _complement(side.figures[Metric.SPECIFICITY]), side.figures[Metric.SENSITIVITY]
        _points(figure, look, side, ("1 - specificity", "sensitivity"), _roc_point, bars)
    return _unit_square(figure, "1 - specificity", "sensitivity")


def pr_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """Precision-recall curves of every run of both sides in steps, with the prevalence and the operating points."""
    if reason := missing(comparison, "pr"):
        return reason
    figure = go.Figure()
    shares = {side.n_pneumonia / side.n for _, side in sides(comparison)}
    for share in sorted(shares):
        figure.add_scatter(x=[0, 1], y=[share] * 2, mode="lines", name=f"chance: prevalence {share:.2f}", line=DOTTED)
    words = "threshold %{customdata:.3f}<br>recall %{x:.3f}<br>precision %{y:.3f}"
    for look, side in sides(comparison):
        for place, curve in enumerate(side.pr):
            if isinstance(curve, NotApplicable):
                continue
            # The first step starts at recall 0, at the precision it leads to.
            steps = {"x": (0.0, *curve.recall), "y": (curve.precision[0], *curve.precision)}
            _curve(figure, look, side, place, words, "vh", customdata=(curve.threshold[0], *curve.threshold), **steps)
        bars = side.figures[Metric.SENSITIVITY], side.figures[Metric.PPV]
        _points(figure, look, side, ("recall", "precision"), _pr_point, bars)
    return _unit_square(figure, "recall (sensitivity)", "precision (PPV)")


def _roc_point(counts: Confusion) -> tuple[float | NotApplicable, float | NotApplicable]:
    return _complement(metrics.specificity(counts)), metrics.sensitivity(counts)


def _pr_point(counts: Confusion) -> tuple[float | NotApplicable, float | NotApplicable]:
    return metrics.sensitivity(counts), metrics.ppv(counts)


def sides(comparison: Comparison) -> Iterator[tuple[Look, Side]]:
    """Both sides with their looks."""
    return zip(LOOKS, (comparison.a, comparison.b), strict=True)


def missing(comparison: Comparison, kind: str) -> NotApplicable | None:
    """Why no run of either side has a curve; None where one has."""
    found = [curve for _, side in sides(comparison) for curve in getattr(side, kind)]
    reasons = [curve for curve in found if isinstance(curve, NotApplicable)]
    return reasons[0] if len(reasons) == len(found) else None


def style(look: Look, side: Side, *, first: bool) -> dict[str, Any]:
    """One legend entry for all runs of a side; the more runs, the fainter each."""
    few = len(side.run_ids) <= FEW
    width = 2.5 if len(side.run_ids) == 1 else 1.5
    return {
        "name": f"{look.letter}: {side.name}",
        "legendgroup": look.letter,
        "showlegend": first,
        "line": {"color": look.colour, "dash": look.dash, "width": width},
        "opacity": 1 if few else 0.5,
    }


def _curve(
    figure: go.Figure, look: Look, side: Side, place: int, words: str, shape: str = "linear", **data: Any
) -> None:
    drawn = style(look, side, first=place == 0)
    drawn["line"] |= {"shape": shape}
    hover = f"{look.letter}, seed {side.seeds[place]}<br>{words}<extra></extra>"
    figure.add_scatter(mode="lines", hovertemplate=hover, **data, **drawn)


def _points(
    figure: go.Figure,
    look: Look,
    side: Side,
    names: tuple[str, str],
    rates: Callable[[Confusion], tuple[float | NotApplicable, float | NotApplicable]],
    bars: tuple[Estimate | NotApplicable, Estimate | NotApplicable],
) -> None:
    """The operating point of each run; of a single one with its 95 % intervals."""
    found = [
        (x, y, threshold, seed)
        for (x, y), threshold, seed in zip(map(rates, side.confusions), side.thresholds, side.seeds, strict=True)
        if isinstance(x, float) and isinstance(y, float)
    ]
    if not found:
        return
    x, y, *about = zip(*found, strict=True)
    alone = len(side.run_ids) == 1
    figure.add_scatter(
        x=x,
        y=y,
        customdata=list(zip(*about, strict=True)),
        mode="markers",
        name=f"{look.letter}: operating point" + (" (95 %)" if alone else "s"),
        legendgroup=look.letter,
        marker={"color": look.colour, "size": 11, "symbol": look.symbol, "line": {"color": "white", "width": 1}},
        hovertemplate=f"{look.letter}, seed %{{customdata[1]}}, threshold %{{customdata[0]:.3f}}<br>{names[0]} %{{x:.3f}}"
        f"<br>{names[1]} %{{y:.3f}}<extra></extra>",
        **({name: _bar(bar) for name, bar in zip(("error_x", "error_y"), bars, strict=True)} if alone else {}),
    )


def _bar(rate: Estimate | NotApplicable) -> dict[str, Any] | None:
    if isinstance(rate, NotApplicable):
        return None
    return {"array": [rate.high - rate.value], "arrayminus": [rate.value - rate.low], "thickness": 1.5}


def _complement(rate: float | Estimate | NotApplicable) -> Any:
    if isinstance(rate, Estimate):
        return Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.n)
    return rate if isinstance(rate, NotApplicable) else 1 - rate


def _unit_square(figure: go.Figure, x: str, y: str) -> go.Figure:
    axis: dict[str, Any] = {"range": [-0.01, 1.01], "dtick": 0.2}
    figure.update_xaxes(title=x, **axis)
    figure.update_yaxes(title=y, **axis)
    return figure.update_layout(height=480, margin=MARGIN, legend=BELOW)
