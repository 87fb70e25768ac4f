"""Reliability diagrams of both sides on the same axes."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.charts import DOTTED, laid_out
from pages.ui.compare.charts import FEW, missing, sides, style
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.curves import reliability_points
from pneumo_core.records import NotApplicable


def reliability_overlay(comparison: Comparison) -> go.Figure | NotApplicable:
    """Observed frequency of PNEUMONIA against the mean probability of each bin of every run, and the images per bin."""
    if reason := missing(comparison, "reliability"):
        return reason
    table = reliability_points(comparison)
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.78, 0.22])
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="perfect calibration", line=DOTTED)
    for look, side in sides(comparison):
        mine = table[table["side"] == look.letter]
        for place, ((_, seed), run) in enumerate(mine[mine["images"] > 0].groupby(["run", "seed"], sort=False)):
            share = run["share PNEUMONIA"]
            figure.add_scatter(
                x=run["mean probability"],
                y=share,
                error_y=_bars(run) if len(side.run_ids) <= FEW else None,
                customdata=pd.concat([run["images"], 100 * run[["share PNEUMONIA", "low", "high"]]], axis=1),
                mode="lines+markers",
                marker={"symbol": look.symbol, "size": 7, "color": look.color},
                hovertemplate=f"{look.letter}, seed {seed}<br>mean probability %{{x:.3f}}<br>"
                "PNEUMONIA %{customdata[1]:.1f} % (%{customdata[2]:.1f} to %{customdata[3]:.1f})<br>"
                "%{customdata[0]:,} images<extra></extra>",
                **style(look, side, first=place == 0),
            )
        bins = mine.groupby(["from", "to"], as_index=False)["images"].mean()
        figure.add_bar(
            x=(bins["from"] + bins["to"]) / 2,
            y=bins["images"],
            customdata=bins[["from", "to"]],
            marker={"color": look.color, "pattern": {"shape": "" if look.symbol == "circle" else "/"}},
            legendgroup=look.letter,
            showlegend=False,
            hovertemplate=f"{look.letter}, %{{customdata[0]:.1f}} to %{{customdata[1]:.1f}}: %{{y:,.4~g}} images"
            + ("<extra></extra>" if len(side.run_ids) == 1 else " a run<extra></extra>"),
            row=2,
            col=1,
        )
    figure.update_xaxes(range=[-0.02, 1.02], dtick=0.2)
    figure.update_xaxes(title_text="probability of PNEUMONIA", row=2)
    figure.update_yaxes(title_text="share that is PNEUMONIA", range=[-0.02, 1.02], dtick=0.2, row=1)
    figure.update_yaxes(title_text="images", row=2)
    return laid_out(figure, 560, -0.12, bargap=0.2)


def _bars(run: pd.DataFrame) -> dict[str, Any]:
    share = run["share PNEUMONIA"]
    return {"array": run["high"] - share, "arrayminus": share - run["low"], "thickness": 1, "width": 3}
