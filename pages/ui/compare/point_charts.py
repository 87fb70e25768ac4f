"""Charts of two operating points, as pure functions."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from pages.ui.charts import REFERENCE
from pages.ui.compare.point_tables import Point
from pages.ui.compare.sides import Shown
from pneumo_core.evaluation.operating import DecisionCurve
from pneumo_core.records import Estimate, NotApplicable

_MARGIN = {"l": 8, "r": 8, "t": 16, "b": 8}
_BELOW = {"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0}
_GREY: dict[str, Any] = {"color": REFERENCE, "width": 2}


def roc_points(points: Sequence[Point]) -> go.Figure | NotApplicable:
    """Both ROC curves with chance, and each run's point at its threshold with both 95 % intervals."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="chance", line={**_GREY, "dash": "dot"})
    for point in points:
        side, rates = point.side, point.rates
        if isinstance(point.roc, NotApplicable):
            return point.roc
        figure.add_scatter(
            x=point.roc.fpr,
            y=point.roc.tpr,
            customdata=point.roc.threshold,
            mode="lines",
            name=side.letter,
            line={"color": side.colour, "dash": side.dash, "width": 2.5},
            hovertemplate=f"{side.letter}, threshold %{{customdata:.3f}}<br>1 - specificity %{{x:.3f}}<br>"
            "sensitivity %{y:.3f}<extra></extra>",
        )
        if isinstance(rates.sensitivity, Estimate) and isinstance(rates.specificity, Estimate):
            x, y = rates.specificity, rates.sensitivity
            figure.add_scatter(
                x=[1 - x.value],
                y=[y.value],
                error_x={"array": [x.value - x.low], "arrayminus": [x.high - x.value], "color": side.colour},
                error_y={"array": [y.high - y.value], "arrayminus": [y.value - y.low], "color": side.colour},
                mode="markers",
                name=f"{side.letter} at {rates.threshold:.3f} (95 %)",
                marker=_mark(side),
            )
    axis: dict[str, Any] = {"range": [-0.01, 1.01], "dtick": 0.2}
    figure.update_xaxes(title="1 - specificity", **axis)
    figure.update_yaxes(title="sensitivity", **axis)
    return figure.update_layout(height=420, margin=_MARGIN, legend=_BELOW)


def decision(points: Sequence[Point], stake: float) -> go.Figure | NotApplicable:
    """Net benefit of both runs, of calling everybody and of calling nobody, at one prevalence; the stake is marked."""
    figure = go.Figure()
    for point in points:
        side, curve = point.side, point.curve
        if isinstance(curve, NotApplicable):
            return curve
        # One outline, there along the upper ends and back along the lower ones.
        figure.add_scatter(
            x=curve.threshold + curve.threshold[::-1],
            y=curve.high + curve.low[::-1],
            fill="toself",
            fillcolor=side.colour,
            opacity=0.15,
            line={"width": 0},
            mode="lines",
            name=f"{side.letter} (95 %)",
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=curve.threshold,
            y=curve.model,
            mode="lines",
            name=side.letter,
            line={"color": side.colour, "dash": side.dash, "width": 2.5},
            hovertemplate=f"{side.letter}, threshold %{{x:.2f}}: %{{y:.3f}}<extra></extra>",
        )
        if isinstance(point.benefit, Estimate):
            name = f"{side.letter} at {stake:.2f}"
            figure.add_scatter(x=[stake], y=[point.benefit.value], mode="markers", name=name, marker=_mark(side))
    curves = [point.curve for point in points if isinstance(point.curve, DecisionCurve)]
    line = {**_GREY, "dash": "dashdot"}
    figure.add_scatter(x=curves[0].threshold, y=curves[0].treat_all, mode="lines", name="call everybody", line=line)
    figure.add_scatter(x=[0, 1], y=[0, 0], mode="lines", name="call nobody", line={**_GREY, "dash": "dot"})
    figure.add_vline(x=stake, line={**_GREY, "dash": "dash", "width": 1})
    top = curves[0].prevalence  # The most there can be.
    figure.update_xaxes(title="threshold probability", range=[-0.01, 1.01], dtick=0.2)
    figure.update_yaxes(title="net benefit", range=[-0.4 * top, 1.1 * top])
    return figure.update_layout(height=420, margin=_MARGIN, legend=_BELOW)


def _mark(side: Shown) -> dict[str, Any]:
    return {"color": side.colour, "size": 12, "symbol": "diamond" if side.letter == "A" else "square"}
