"""Charts of both sides of a comparison as pure functions; A is solid and round, B dashed and square.

Each has its table in `compare_frames`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.charts import REFERENCE, SIDE_A, SIDE_B
from pages.ui.compare_frames import (
    forest_frame,
    histories_frame,
    pr_frame,
    reliability_frame,
    roc_frame,
    run_values,
    seed_frame,
)
from pages.ui.tables import best_epoch
from pneumo_core.evaluation import metrics
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.evaluation.figures import Metric
from pneumo_core.evaluation.metrics import Confusion
from pneumo_core.evaluation.paired import SeedDifference, Spread
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.reporting.wording import AS_THEY_ARE, NAMES

__all__ = [
    "forest",
    "forest_frame",
    "histories",
    "histories_caption",
    "histories_frame",
    "pr_frame",
    "pr_overlay",
    "reliability_frame",
    "reliability_overlay",
    "roc_frame",
    "roc_overlay",
    "seed_dots",
    "seed_frame",
]

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
"""Not the log loss: one image of which a run is sure and wrong would stretch the axis over all others."""

_LESS_IS_BETTER = {Metric.BRIER, Metric.LOG_LOSS}
_MARGIN = {"l": 8, "r": 8, "t": 32, "b": 8}
_BELOW = {"orientation": "h", "yanchor": "top", "y": -0.18, "x": 0}
_DASHED = {"color": REFERENCE, "dash": "dot", "width": 2}


@dataclass(frozen=True, slots=True)
class _Drawn:
    letter: str
    colour: str
    dash: str
    symbol: str


_A, _B = _Drawn("A", SIDE_A, "solid", "circle"), _Drawn("B", SIDE_B, "dash", "square")


def roc_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """ROC curves of every run of both sides, with chance and the operating points."""
    if reason := _missing(comparison, "roc"):
        return reason
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="chance", line=_DASHED)
    words = "threshold %{customdata:.3f}<br>1 - specificity %{x:.3f}<br>sensitivity %{y:.3f}"
    for drawn, side in _sides(comparison):
        for place, curve in _curves(side.roc):
            line = {"x": curve.fpr, "y": curve.tpr, "customdata": curve.threshold}
            _curve(figure, drawn, side, place, words, **line)
        _points(figure, drawn, side, ("1 - specificity", "sensitivity"), _roc_point)
    return _unit_square(figure, "1 - specificity", "sensitivity")


def pr_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """Precision-recall curves of every run of both sides in steps, with the prevalence and the operating points."""
    if reason := _missing(comparison, "pr"):
        return reason
    figure = go.Figure()
    shares = {side.n_pneumonia / side.n for _, side in _sides(comparison)}
    for share in sorted(shares):
        figure.add_scatter(x=[0, 1], y=[share] * 2, mode="lines", name=f"chance: prevalence {share:.2f}", line=_DASHED)
    words = "threshold %{customdata:.3f}<br>recall %{x:.3f}<br>precision %{y:.3f}"
    for drawn, side in _sides(comparison):
        for place, curve in _curves(side.pr):
            # The first step starts at recall 0, at the precision it leads to.
            steps = {"x": (0.0, *curve.recall), "y": (curve.precision[0], *curve.precision)}
            _curve(figure, drawn, side, place, words, "vh", customdata=(curve.threshold[0], *curve.threshold), **steps)
        _points(figure, drawn, side, ("recall", "precision"), _pr_point)
    return _unit_square(figure, "recall (sensitivity)", "precision (PPV)")


def reliability_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """Share of PNEUMONIA against the mean probability of each bin of every run, and how many images a bin has."""
    if reason := _missing(comparison, "reliability"):
        return reason
    table = reliability_frame(comparison)
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.78, 0.22])
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="probabilities mean what they say", line=_DASHED)
    for drawn, side in _sides(comparison):
        mine = table[table["side"] == drawn.letter]
        for place, (seed, run) in enumerate(mine[mine["images"] > 0].groupby("seed", sort=False)):
            share = run["share PNEUMONIA"]
            figure.add_scatter(
                x=run["mean probability"],
                y=share,
                error_y={"array": run["high"] - share, "arrayminus": share - run["low"], "thickness": 1, "width": 3},
                customdata=run[["images", "low", "high"]],
                mode="lines+markers",
                marker={"symbol": drawn.symbol, "size": 7, "color": drawn.colour},
                hovertemplate=f"{drawn.letter}, seed {seed}<br>mean probability %{{x:.3f}}<br>PNEUMONIA %{{y:.1%}} "
                "(%{customdata[1]:.1%} to %{customdata[2]:.1%})<br>%{customdata[0]:,} images<extra></extra>",
                **_style(drawn, side, first=place == 0),
            )
        bins = mine.groupby(["from", "to"], as_index=False)["images"].mean()
        figure.add_bar(
            x=(bins["from"] + bins["to"]) / 2,
            y=bins["images"],
            customdata=bins[["from", "to"]],
            marker={"color": drawn.colour, "pattern": {"shape": "" if drawn is _A else "/"}},
            legendgroup=drawn.letter,
            showlegend=False,
            hovertemplate=f"{drawn.letter}, %{{customdata[0]:.1f}} to %{{customdata[1]:.1f}}: %{{y:,.4~g}} images"
            + ("<extra></extra>" if len(side.run_ids) == 1 else " a run<extra></extra>"),
            row=2,
            col=1,
        )
    figure.update_xaxes(range=[-0.02, 1.02], dtick=0.2)
    figure.update_xaxes(title_text="probability of PNEUMONIA", row=2)
    figure.update_yaxes(title_text="share that is PNEUMONIA", range=[-0.02, 1.02], dtick=0.2, row=1)
    figure.update_yaxes(title_text="images", row=2)
    return figure.update_layout(height=560, margin=_MARGIN, bargap=0.2, legend={**_BELOW, "y": -0.12})


def histories(
    events_a: Sequence[Mapping[str, Any]], events_b: Sequence[Mapping[str, Any]], names: tuple[str, str]
) -> go.Figure | NotApplicable:
    """Loss and accuracy of one run of each side by epoch: validation strong, train faint, a star where weights were kept."""
    table = histories_frame(events_a, events_b)
    if table.empty:
        return NotApplicable("the epochs of these runs were not recorded")
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06)
    for drawn, name in zip((_A, _B), names, strict=True):
        epochs = table[table["side"] == drawn.letter]
        kept = epochs[epochs["epoch"] == best_epoch(epochs)]
        group: dict[str, Any] = {"legendgroup": drawn.letter, "col": 1}
        for row, measure in enumerate(("loss", "accuracy"), start=1):
            line, legend = {"color": drawn.colour, "dash": drawn.dash}, row == 1
            for column, kind, style in (
                (measure, "train", {"line": {**line, "width": 1}, "opacity": 0.5}),
                (f"val_{measure}", "validation", {"line": {**line, "width": 2.5}}),
            ):
                figure.add_scatter(
                    x=epochs["epoch"],
                    y=epochs[column],
                    mode="lines" if len(epochs) > 1 else "markers",
                    name=f"{drawn.letter}: {name}, {kind}",
                    marker={"symbol": drawn.symbol, "color": drawn.colour},
                    showlegend=legend,
                    row=row,
                    **style,
                    **group,
                )
            figure.add_scatter(
                x=kept["epoch"],
                y=kept[f"val_{measure}"],
                mode="markers",
                name=f"{drawn.letter}: weights kept",
                marker={"symbol": "star", "size": 14, "color": drawn.colour},
                showlegend=legend and len(kept) > 0,
                row=row,
                **group,
            )
    figure.update_yaxes(title_text="loss", rangemode="tozero", row=1)
    figure.update_yaxes(title_text="accuracy", row=2)
    figure.update_xaxes(title_text="epoch", row=2)
    return figure.update_layout(height=520, margin=_MARGIN, hovermode="x unified", legend={**_BELOW, "y": -0.12})


def histories_caption(selected_on_test: tuple[bool, bool]) -> str:
    """What to read `histories` with: whose validation images were the test images."""
    words = "The strong lines are validation, the faint ones train; the star is the epoch whose weights were kept."
    chosen = [letter for letter, selected in zip("AB", selected_on_test, strict=True) if selected]
    if chosen:
        whose = "In both runs" if len(chosen) == 2 else f"In {chosen[0]}"
        words += f" {whose} the validation images were the test images, so that choice flatters the test figures."
    return words
