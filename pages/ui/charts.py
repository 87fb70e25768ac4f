"""Charts as pure functions: plain data in, a Plotly figure out.

Text and grid take their colors from Streamlit's theme; the colors below have a contrast of at least 3:1 on both of its
backgrounds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pneumo_core.evaluation.curves import best_epoch, complement, epoch_points, pr_steps
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.evaluation.report import SplitReport
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import Estimate, Label, NotApplicable, Split, split_name
from pneumo_core.reporting.drawing import COLORS, ink

SYNTHETIC = "#9333EA"
"""Images that a generator or the phantoms' painter made, where they stand beside the two classes."""

MODEL = "#0E857B"
REFERENCE = "#808080"
SIDE_A = MODEL
SIDE_B = "#DB2777"
"""The two sides of a comparison, the second always dashed too: neither is a class's color, and both read on either theme."""

ON_TEST = "#D97706"
"""Figures of a run whose epoch was selected on the test images."""

RIGHT, WRONG = "#15803D", "#DC2626"
"""Calls that are right and wrong."""

_SIGNS = {True: "\N{CHECK MARK}", False: "\N{MULTIPLICATION X}"}

DASHED: dict[str, Any] = {"color": REFERENCE, "dash": "dash", "width": 2}
DOTTED: dict[str, Any] = {"color": REFERENCE, "dash": "dot", "width": 2}

ROC_HOVER = "threshold %{customdata:.3f}<br>1 - specificity %{x:.3f}<br>sensitivity %{y:.3f}"
PR_HOVER = "threshold %{customdata:.3f}<br>recall %{x:.3f}<br>precision %{y:.3f}"

_FEW = "#94A3B8"
"""What a cell of the confusion matrix is mixed with, the fewer of its row it holds: seen on either theme's background."""

_LEAST = 0.4
"""How much color a cell has that holds none of its row: few wrong calls still look wrong."""

_CURVE: dict[str, Any] = {"color": MODEL, "width": 2.5}


def laid_out(figure: go.Figure, height: int, legend_y: float, *, top: int = 32, **layout: Any) -> go.Figure:
    """A figure with the margins of every chart, and its legend below it or, from 1 on, above it."""
    legend = {"orientation": "h", "yanchor": "top" if legend_y < 1 else "bottom", "y": legend_y, "x": 0}
    margin = {"l": 8, "r": 8, "t": top, "b": 8}
    return figure.update_layout(height=height, margin=margin, legend=legend, **layout)


def unit_square(
    figure: go.Figure, x: str, y: str, height: int = 440, legend_y: float = -0.2, *, top: int = 32
) -> go.Figure:
    """A figure of two rates."""
    axis: dict[str, Any] = {"range": [-0.01, 1.01], "dtick": 0.2}
    figure.update_xaxes(title=x, **axis)
    figure.update_yaxes(title=y, **axis)
    return laid_out(figure, height, legend_y, top=top)


def error_bars(estimates: Sequence[Estimate], **style: Any) -> dict[str, Any]:
    """The 95 % intervals of points."""
    array, minus = [one.high - one.value for one in estimates], [one.value - one.low for one in estimates]
    return {"array": array, "arrayminus": minus, **style}


def roc(part: SplitReport) -> go.Figure | NotApplicable:
    """ROC curve with chance and the operating point, whose bars are its two 95 % intervals."""
    if isinstance(part.roc, NotApplicable):
        return part.roc
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="chance", line=DASHED)
    data = {"x": part.roc.fpr, "y": part.roc.tpr, "customdata": part.roc.threshold}
    figure.add_scatter(**data, mode="lines", name="model", line=_CURVE, hovertemplate=f"{ROC_HOVER}<extra></extra>")
    _mark(figure, complement(part.specificity), part.sensitivity)
    return unit_square(figure, "1 - specificity", "sensitivity")


def pr(part: SplitReport) -> go.Figure | NotApplicable:
    """Precision-recall curve in steps, whose area is the AUPRC, with the prevalence and the operating point."""
    if isinstance(part.pr, NotApplicable):
        return part.pr
    share, steps = part.n_pneumonia / part.n, pr_steps(part.pr)
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[share] * 2, mode="lines", name=f"chance: prevalence {share:.2f}", line=DASHED)
    data = {"x": steps.recall, "y": steps.precision, "customdata": steps.threshold}
    line = {**_CURVE, "shape": "vh"}
    figure.add_scatter(**data, mode="lines", name="model", line=line, hovertemplate=f"{PR_HOVER}<extra></extra>")
    _mark(figure, part.sensitivity, part.ppv)
    return unit_square(figure, "recall (sensitivity)", "precision (PPV)")


def confusion(counts: Confusion) -> go.Figure:
    """Confusion matrix: what each cell is, its count, and its share of the true class; the larger it is, the deeper its color.

    Colors say right or wrong, and so do a sign and a word in each cell.
    """
    columns = [f"predicted {label.name}" for label in Label]
    rows = {
        Label.PNEUMONIA: ((counts.fn, "missed", False), (counts.tp, "found", True)),
        Label.NORMAL: ((counts.tn, "recognized", True), (counts.fp, "false alarms", False)),
    }
    signed, hover = [], []
    figure = go.Figure()
    for label, row in rows.items():
        total = sum(count for count, *_ in row)
        shares = [count / max(1, total) for count, *_ in row]
        depths = [_LEAST + (1 - _LEAST) * share for share in shares]
        # One scale serves both kinds: down to -1 is wrong, up to 1 right.
        signed.append([depth if right else -depth for depth, (*_, right) in zip(depths, row, strict=True)])
        hover.append([(count, 100 * share) for share, (count, *_) in zip(shares, row, strict=True)])
        for column, share, depth, (count, word, right) in zip(columns, shares, depths, row, strict=True):
            of_row = f"{percent(share)} of {total:,}" if total else "no image"
            text = f"{_SIGNS[right]} {word}<br><b>{count:,}</b><br>{of_row}"
            font = {"size": 15, "color": _ink(RIGHT if right else WRONG, depth)}
            figure.add_annotation(x=column, y=label.name, text=text, showarrow=False, font=font)
    figure.add_heatmap(
        z=signed,
        x=columns,
        y=[label.name for label in rows],
        customdata=hover,
        colorscale=[[0, WRONG], [0.5, _FEW], [1, RIGHT]],
        zmin=-1,
        zmax=1,
        showscale=False,
        xgap=3,
        ygap=3,
        hovertemplate="%{y}, %{x}: %{customdata[0]:,} (%{customdata[1]:.1f} %)<extra></extra>",
    )
    figure.update_xaxes(side="top", showgrid=False)
    figure.update_yaxes(title="labeled", showgrid=False)
    return figure.update_layout(height=320, margin={"l": 8, "r": 8, "t": 32, "b": 8})


def history(events: Sequence[Mapping[str, Any]], *, selected_on_test: bool, choose_on: Split = Split.VAL) -> go.Figure:
    """Loss, accuracy and learning rate by epoch, with the epoch whose weights were kept and the second phase, if any."""
    epochs = epoch_points(events)
    held_out = "validation (the test images)" if selected_on_test else split_name(choose_on)
    figure = make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.4, 0.4, 0.2])
    panels = (("loss", "val_loss"), ("accuracy", "val_accuracy"), ("learning_rate", None))
    for row, (train, val) in enumerate(panels, start=1):
        # Markers, because a run of one epoch has no line to draw.
        style: dict[str, Any] = {"x": epochs["epoch"], "mode": "lines+markers", "showlegend": row == 1}
        gray = {"color": REFERENCE, "shape": "linear" if val else "hv"}
        figure.add_scatter(y=epochs[train], name="train", legendgroup="train", line=gray, row=row, col=1, **style)
        if val:
            figure.add_scatter(y=epochs[val], name=held_out, legendgroup="val", line=_CURVE, row=row, col=1, **style)
        figure.update_yaxes(title_text=train.replace("_", " "), rangemode="tozero" if row == 1 else "normal", row=row)
    if (best := best_epoch(epochs)) is not None:
        vertical(figure, best, f"best epoch {best}" + (", selected on test" if selected_on_test else ""))
    if second := [int(event["epoch"]) + 1 for event in events if event.get("phase") == 2]:
        span = {"x0": min(second) - 0.5, "x1": max(second) + 0.5, "y0": 0, "y1": 1, "yref": "paper"}
        figure.add_shape(name="fine-tuning", showlegend=True, fillcolor=REFERENCE, opacity=0.2, line_width=0, **span)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1, row=3)  # Rates fall by factors.
    figure.update_xaxes(title_text="epoch", dtick=max(1, len(epochs) // 10), row=3)
    return laid_out(figure, 560, -0.1, hovermode="x unified")


def probabilities(bins: pd.DataFrame, threshold: float) -> go.Figure:
    """Histogram of each class's probabilities, one above the other, with the threshold through both."""
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.08)
    for row, label in enumerate(Label, start=1):
        figure.add_bar(
            x=(bins["from"] + bins["to"]) / 2,
            y=bins[label.name],
            width=bins["to"] - bins["from"],
            name=f"{label.name} (n = {bins[label.name].sum():,})",
            marker={"color": COLORS[label]},
            customdata=bins[["from", "to"]],
            hovertemplate="%{customdata[0]:.2f} to %{customdata[1]:.2f}: %{y:,} images",
            row=row,
            col=1,
        )
    vertical(figure, threshold, f"threshold {threshold:.3f}")
    figure.update_xaxes(range=[0, 1])
    figure.update_xaxes(title_text="probability of PNEUMONIA", row=2)
    figure.update_yaxes(title_text="images")
    return laid_out(figure, 420, -0.2, bargap=0)


def vertical(figure: go.Figure, x: float, name: str) -> None:
    """A vertical line through all panels; its name stands in the legend, where the theme's text has the most contrast."""
    figure.add_vline(x=x, line=DASHED)
    figure.add_scatter(x=[None], y=[None], mode="lines", name=name, line=DASHED)


def _ink(color: str, share: float) -> str:
    """What reads better on a cell that has so much of a color."""
    few, full = ([int(code[start : start + 2], 16) / 255 for start in (1, 3, 5)] for code in (_FEW, color))
    return ink((1 - share) * np.array(few) + share * np.array(full))


def _mark(figure: go.Figure, x: Estimate | NotApplicable, y: Estimate | NotApplicable) -> None:
    """The operating point; nothing where one of its rates is not applicable."""
    if isinstance(x, NotApplicable) or isinstance(y, NotApplicable):
        return
    at = {"x": [x.value], "y": [y.value], "error_x": error_bars([x]), "error_y": error_bars([y])}
    marker = {"color": MODEL, "size": 12, "symbol": "diamond"}
    figure.add_scatter(**at, mode="markers", name="operating point (95 %)", marker=marker)
