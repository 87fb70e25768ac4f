"""What differs, figure by figure and run by run, as pure functions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.charts import DOTTED, REFERENCE, laid_out
from pages.ui.compare.charts import sides
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.curves import forest_panels
from pneumo_core.evaluation.significance import SeedDifference, Spread
from pneumo_core.evaluation.wording import NAMES, SCORES, difference_text, estimate_text, scaled, value_text
from pneumo_core.records import Estimate, Metric, NotApplicable

FOREST = (
    Metric.ACCURACY,
    Metric.SENSITIVITY,
    Metric.SPECIFICITY,
    Metric.PPV,
    Metric.NPV,
    Metric.MACRO_F1,
    Metric.AUROC,
    Metric.AUPRC,
    Metric.BRIER,
)
"""Without the log loss: one confidently wrong image would stretch the axis."""

_LESS_IS_BETTER = {Metric.BRIER, Metric.LOG_LOSS}
_PATIENTS = {"symbol": "diamond", "size": 10, "color": REFERENCE}
_SEEDS = {"symbol": "circle-open", "size": 8, "color": REFERENCE}
_MOST_REACH = 3
"""Limit of an axis for intervals over seeds, as a multiple of the widest interval over patients."""
_APART = 0.18
"""Vertical offset of a figure's two intervals from its position on the axis."""


def forest(comparison: Comparison) -> go.Figure | NotApplicable:
    """Differences B - A with their 95 % intervals over patients and, thinner, over seeds; a line at no difference.

    Shares are in points on one axis, scores as they are on another.
    """
    panels = [panel for table in forest_panels(comparison, FOREST) if len(panel := table.dropna(subset="B - A"))]
    found = {metric: comparison.differences[metric].estimate for metric in FOREST}
    if not panels:
        return next(value for value in found.values() if isinstance(value, NotApplicable))
    figure = make_subplots(rows=len(panels), vertical_spacing=0.16, row_heights=[len(panel) for panel in panels])
    over_seeds = any(panel["over seeds"].notna().any() for panel in panels)
    shift = _APART if over_seeds else 0.0
    for row, panel in enumerate(panels, start=1):
        traces: list[tuple[Any, ...]] = [
            (["B - A", "low", "high"], found, "over patients (95 %)", -shift, 5, _PATIENTS)
        ]
        if over_seeds:
            ends = ["over seeds", "seeds low", "seeds high"]
            traces.append((ends, comparison.seeds, "over seeds (95 %)", shift, 1.5, _SEEDS))
        for trace in traces:
            figure.add_trace(_intervals(panel, *trace, in_legend=row == 1), row, 1)
        figure.add_vline(x=0, line=DOTTED, row=row, col=1)
        metrics = panel["metric"].tolist()
        unit = "" if metrics[0] in SCORES else ", points"
        reach, beyond = _reach(panel)
        words = " (thin bars that reach the edge continue beyond it)" if beyond else ""
        figure.update_xaxes(
            title_text=f"B \N{MINUS SIGN} A{unit}{words}", zeroline=False, range=[-reach, reach], row=row
        )
        names = [NAMES[metric] + (" (lower is better)" if metric in _LESS_IS_BETTER else "") for metric in metrics]
        figure.update_yaxes(
            tickvals=list(range(len(panel))), ticktext=names, range=[len(panel) - 0.5, -0.5], showgrid=False, row=row
        )
    height = 190 + 46 * sum(map(len, panels))
    return laid_out(figure, height, -0.14)


def seed_dots(comparison: Comparison, metric: Metric) -> go.Figure | NotApplicable:
    """A figure of every run as a dot, above the side's mean with its intervals over patients and, thinner, over seeds."""
    figure = go.Figure()
    reason = None
    for place, (look, side) in enumerate(sides(comparison)):
        mean, over_seeds = side.figures[metric], side.spread[metric]
        values = side.values[metric]
        known = [(value, seed) for value, seed in zip(values, side.seeds, strict=True) if isinstance(value, float)]
        if not known:
            reason = next(value for value in values if isinstance(value, NotApplicable))
            continue
        # Runs with equal values are placed side by side.
        lift = [place - 0.12 - 0.3 * index / max(1, len(known) - 1) for index in range(len(known))]
        figure.add_scatter(
            x=[scaled(metric, value) for value, _ in known],
            y=lift,
            customdata=[f"{look.letter}, seed {seed}: {value_text(metric, value)}" for value, seed in known],
            mode="markers",
            name=f"{look.letter}: runs",
            marker={"symbol": look.symbol, "size": 9, "color": look.color, "opacity": 0.8},
            hovertemplate="%{customdata}<extra></extra>",
        )
        intervals = [
            (mean, "mean, over patients", 5, "diamond", 0.14),
            (over_seeds, "mean, over seeds", 1.5, "line-ns", 0.3),
        ]
        for interval, words, thickness, symbol, drop in intervals:
            if isinstance(interval, NotApplicable):
                continue
            value = interval.mean if isinstance(interval, Spread) else interval.value
            as_text = Estimate(value, interval.low, interval.high, side.n)
            figure.add_scatter(
                x=[scaled(metric, value)],
                y=[place + drop],
                error_x={
                    "array": [scaled(metric, interval.high - value)],
                    "arrayminus": [scaled(metric, value - interval.low)],
                    "thickness": thickness,
                    "width": 0,
                },
                mode="markers",
                name=f"{look.letter}: {words} (95 %)",
                marker={
                    "symbol": symbol,
                    "size": 10,
                    "color": look.color,
                    "line": {"color": look.color, "width": 1.5},
                },
                hovertemplate=f"{look.letter}: {words}: {estimate_text(metric, as_text)}<extra></extra>",
            )
    if not figure.data:
        return reason or NotApplicable("there are no runs")
    figure.update_yaxes(tickvals=[0, 1], ticktext=["A", "B"], range=[1.6, -0.6], showgrid=False, zeroline=False)
    figure.update_xaxes(title_text=NAMES[metric] + ("" if metric in SCORES else ", %"))
    if metric is not Metric.LOG_LOSS:  # The others end at 1; an interval over two seeds need not.
        figure.update_xaxes(minallowed=scaled(metric, -0.02), maxallowed=scaled(metric, 1.02))
    return laid_out(figure, 320, -0.28)


def _reach(panel: pd.DataFrame) -> tuple[float, bool]:
    """Limit of an axis on either side of 0, and whether an interval over seeds exceeds it.

    With two seeds that interval is so wide that on its axis nothing else could be read.
    """
    patients, seeds = (
        float(np.fmax.reduce(np.abs(panel[ends].to_numpy()), axis=None))
        for ends in (["low", "high"], ["seeds low", "seeds high"])
    )
    reach = min(float(np.fmax(patients, seeds)), _MOST_REACH * patients) or 1.0
    return 1.05 * reach, seeds > 1.05 * reach


def _intervals(
    panel: pd.DataFrame,
    ends: Sequence[str],
    found: Mapping[Metric, Estimate | SeedDifference | NotApplicable],
    name: str,
    shift: float,
    thickness: float,
    marker: dict[str, Any],
    *,
    in_legend: bool,
) -> go.Scatter:
    value, low, high = (panel[end] for end in ends)
    return go.Scatter(
        x=value,
        y=np.arange(len(panel)) + shift,
        error_x={"array": high - value, "arrayminus": value - low, "thickness": thickness, "width": 0},
        customdata=[f"{NAMES[metric]}: {difference_text(metric, found[metric])}" for metric in panel["metric"]],
        mode="markers",
        name=name,
        legendgroup=name,
        showlegend=in_legend,
        marker=marker,
        hovertemplate=f"%{{customdata}}<br>{name}<extra></extra>",
    )
