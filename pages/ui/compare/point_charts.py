"""Charts of two runs at chosen thresholds, as pure functions."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from pages.ui.charts import DOTTED, REFERENCE, ROC_HOVER, error_bars, laid_out, unit_square
from pages.ui.compare.sides import Shown
from pneumo_core.evaluation.curves import complement, curve_points, decision_points
from pneumo_core.evaluation.metrics import RocCurve
from pneumo_core.evaluation.operating import DecisionCurve
from pneumo_core.evaluation.prevalence import AtThreshold
from pneumo_core.records import Estimate, NotApplicable

Points = Sequence[tuple[Shown, AtThreshold]]

_GRAY: dict[str, Any] = {"color": REFERENCE, "width": 2}


def roc_points(points: Points) -> go.Figure | NotApplicable:
    """Both ROC curves with chance, and each run's point at its threshold with both 95 % intervals."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="chance", line=DOTTED)
    for side, point in points:
        if isinstance(point.roc, NotApplicable):
            return point.roc
        figure.add_scatter(
            x=point.roc.fpr,
            y=point.roc.tpr,
            customdata=point.roc.threshold,
            mode="lines",
            name=side.letter,
            line={"color": side.color, "dash": side.dash, "width": 2.5},
            hovertemplate=f"{side.letter}, {ROC_HOVER}<extra></extra>",
        )
        x, y = complement(point.rates.specificity), point.rates.sensitivity
        if isinstance(x, Estimate) and isinstance(y, Estimate):
            figure.add_scatter(
                x=[x.value],
                y=[y.value],
                error_x=error_bars([x], color=side.color),
                error_y=error_bars([y], color=side.color),
                mode="markers",
                name=f"{side.letter} at {point.rates.threshold:.3f} (95 %)",
                marker=_mark(side),
            )
    return unit_square(figure, "1 - specificity", "sensitivity", 420, top=16)


def decision(points: Points, stake: float) -> go.Figure | NotApplicable:
    """Net benefit of both runs, of treating all and of treating none, at one prevalence, with the threshold probability."""
    figure = go.Figure()
    for side, point in points:
        curve = point.curve
        if isinstance(curve, NotApplicable):
            return curve
        # One outline: along the upper ends and back along the lower ones.
        figure.add_scatter(
            x=curve.threshold + curve.threshold[::-1],
            y=curve.high + curve.low[::-1],
            fill="toself",
            fillcolor=side.color,
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
            line={"color": side.color, "dash": side.dash, "width": 2.5},
            hovertemplate=f"{side.letter}, threshold %{{x:.2f}}: %{{y:.3f}}<extra></extra>",
        )
        if isinstance(point.benefit, Estimate):
            name = f"{side.letter} at {stake:.2f}"
            figure.add_scatter(x=[stake], y=[point.benefit.value], mode="markers", name=name, marker=_mark(side))
    curves = [point.curve for _, point in points if isinstance(point.curve, DecisionCurve)]
    line = {**_GRAY, "dash": "dashdot"}
    figure.add_scatter(x=curves[0].threshold, y=curves[0].treat_all, mode="lines", name="call everybody", line=line)
    figure.add_scatter(x=[0, 1], y=[0, 0], mode="lines", name="treat none", line=DOTTED)
    figure.add_vline(x=stake, line={**_GRAY, "dash": "dash", "width": 1})
    top = curves[0].prevalence  # The maximum.
    figure.update_xaxes(title="threshold probability", range=[-0.01, 1.01], dtick=0.2)
    figure.update_yaxes(title="net benefit", range=[-0.4 * top, 1.1 * top])
    return laid_out(figure, 420, -0.2, top=16)


def roc_frame(points: Points) -> pd.DataFrame:
    """Points of both ROC curves."""
    return _joined([(side, curve_points(point.roc)) for side, point in points if isinstance(point.roc, RocCurve)])


def decision_frame(points: Points) -> pd.DataFrame:
    """Points of both decision curves, with their intervals."""
    curves = [(side, point.curve) for side, point in points]
    return _joined([(side, decision_points(curve)) for side, curve in curves if isinstance(curve, DecisionCurve)])


def _joined(parts: Sequence[tuple[Shown, pd.DataFrame]]) -> pd.DataFrame:
    frames = [frame.assign(run=side.letter)[["run", *frame.columns]] for side, frame in parts]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _mark(side: Shown) -> dict[str, Any]:
    return {"color": side.color, "size": 12, "symbol": "diamond" if side.letter == "A" else "square"}
