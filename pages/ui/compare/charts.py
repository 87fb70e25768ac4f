"""Curves of both sides of a comparison as pure functions: A is solid and round, B dashed and square."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from pages.ui.charts import DOTTED, PR_HOVER, ROC_HOVER, SIDE_A, SIDE_B, error_bars, unit_square
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.curves import complement, pr_point, pr_steps, roc_point
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.records import Estimate, Metric, NotApplicable

FEW = 3
"""Maximum number of runs per side with strong lines and interval bars; more would hide each other."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a side is drawn, not only by its color.

    Attributes:
        letter: ``A`` or ``B``.
        color: Of its lines and marks.
        dash: Of its lines.
        symbol: Of its marks.
    """

    letter: str
    color: str
    dash: str
    symbol: str


LOOKS = (Look("A", SIDE_A, "solid", "circle"), Look("B", SIDE_B, "dash", "square"))


def roc_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """ROC curves of every run of both sides, with chance and the operating points."""
    if reason := missing(comparison, "roc"):
        return reason
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="chance", line=DOTTED)
    for look, side in sides(comparison):
        for place, curve in enumerate(side.roc):
            if not isinstance(curve, NotApplicable):
                _curve(figure, look, side, place, ROC_HOVER, "linear", (curve.fpr, curve.tpr, curve.threshold))
        bars = complement(side.figures[Metric.SPECIFICITY]), side.figures[Metric.SENSITIVITY]
        _points(figure, look, side, ("1 - specificity", "sensitivity"), roc_point, bars)
    return unit_square(figure, "1 - specificity", "sensitivity", 480, -0.18)


def pr_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """Precision-recall curves of every run of both sides in steps, with the prevalence and the operating points."""
    if reason := missing(comparison, "pr"):
        return reason
    figure = go.Figure()
    shares = {side.n_pneumonia / side.n for _, side in sides(comparison)}
    for share in sorted(shares):
        figure.add_scatter(x=[0, 1], y=[share] * 2, mode="lines", name=f"chance: prevalence {share:.2f}", line=DOTTED)
    for look, side in sides(comparison):
        for place, curve in enumerate(side.pr):
            if not isinstance(curve, NotApplicable):
                steps = pr_steps(curve)
                points = (steps.recall, steps.precision, steps.threshold)
                _curve(figure, look, side, place, PR_HOVER, "vh", points)
        bars = side.figures[Metric.SENSITIVITY], side.figures[Metric.PPV]
        _points(figure, look, side, ("recall", "precision"), pr_point, bars)
    return unit_square(figure, "recall (sensitivity)", "precision (PPV)", 480, -0.18)


def sides(comparison: Comparison) -> Iterator[tuple[Look, Side]]:
    """Both sides with their styles."""
    return zip(LOOKS, (comparison.a, comparison.b), strict=True)


def missing(comparison: Comparison, kind: str) -> NotApplicable | None:
    """The reason why no run has a curve; None if one has."""
    found = [curve for _, side in sides(comparison) for curve in getattr(side, kind)]
    reasons = [curve for curve in found if isinstance(curve, NotApplicable)]
    return reasons[0] if len(reasons) == len(found) else None


def style(look: Look, side: Side, *, first: bool) -> dict[str, Any]:
    """One legend entry for all runs of a side; the more runs, the fainter each."""
    width = 2.5 if len(side.run_ids) == 1 else 1.5
    return {
        "name": f"{look.letter}: {side.name}",
        "legendgroup": look.letter,
        "showlegend": first,
        "line": {"color": look.color, "dash": look.dash, "width": width},
        "opacity": 1 if len(side.run_ids) <= FEW else 0.5,
    }


def _curve(
    figure: go.Figure, look: Look, side: Side, place: int, words: str, shape: str, points: tuple[Sequence[float], ...]
) -> None:
    drawn = style(look, side, first=place == 0)
    drawn["line"] |= {"shape": shape}
    hover = f"{look.letter}, seed {side.seeds[place]}<br>{words}<extra></extra>"
    data = dict(zip(("x", "y", "customdata"), points, strict=True))
    figure.add_scatter(mode="lines", hovertemplate=hover, **data, **drawn)


def _points(
    figure: go.Figure,
    look: Look,
    side: Side,
    names: tuple[str, str],
    rates: Callable[[Confusion], tuple[float, float] | None],
    bars: tuple[Estimate | NotApplicable, Estimate | NotApplicable],
) -> None:
    """The operating point of each run; for a single run with its 95 % intervals."""
    found = [
        (*point, threshold, seed)
        for point, threshold, seed in zip(map(rates, side.confusions), side.thresholds, side.seeds, strict=True)
        if point
    ]
    if not found:
        return
    x, y, *about = zip(*found, strict=True)
    alone = len(side.run_ids) == 1
    of_one = {
        name: None if isinstance(bar, NotApplicable) else error_bars([bar], thickness=1.5)
        for name, bar in zip(("error_x", "error_y"), bars, strict=True)
    }
    figure.add_scatter(
        x=x,
        y=y,
        customdata=list(zip(*about, strict=True)),
        mode="markers",
        name=f"{look.letter}: operating point" + (" (95 %)" if alone else "s"),
        legendgroup=look.letter,
        marker={"color": look.color, "size": 11, "symbol": look.symbol, "line": {"color": "white", "width": 1}},
        hovertemplate=f"{look.letter}, seed %{{customdata[1]}}, threshold %{{customdata[0]:.3f}}<br>{names[0]} %{{x:.3f}}"
        f"<br>{names[1]} %{{y:.3f}}<extra></extra>",
        **(of_one if alone else {}),
    )
