"""Charts of two runs' calibration, as pure functions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.charts import DOTTED, REFERENCE, laid_out
from pages.ui.compare.sides import Shown
from pneumo_core.evaluation.curves import reliability_bins
from pneumo_core.evaluation.reliability import ProbabilityScores
from pneumo_core.records import NotApplicable

RAW = "raw"

Kinds = Mapping[str, ProbabilityScores]
"""How good a run's probabilities are: ``raw``, and by the calibrator's kind."""


def reliability_figure(side: Shown, kinds: Kinds) -> go.Figure | NotApplicable:
    """Observed share against mean probability of each bin, with 95 % intervals, and the counts of the bins below."""
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.75, 0.25])
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="perfect", line=DOTTED, row=1, col=1)
    for kind, scores in kinds.items():
        found = scores.reliability
        if isinstance(found, NotApplicable):
            return found
        # What was before is gray; the run's own color is what it now says.
        before = kind == RAW and len(kinds) > 1
        color = REFERENCE if before else side.color
        name = f"{side.letter}, {RAW if kind == RAW else f'calibrated ({kind})'}"
        frame = reliability_bins(found)
        figure.add_scatter(
            x=frame["mean probability"],
            y=frame["observed"],
            error_y={"array": frame["high"] - frame["observed"], "arrayminus": frame["observed"] - frame["low"]},
            customdata=np.column_stack([100 * frame["observed"], frame["n"]]),
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line={"color": color, "dash": "dot" if before else side.dash, "width": 2},
            marker={"color": color, "size": 8, "symbol": "circle-open" if kind == RAW else "diamond"},
            hovertemplate=f"{name}<br>mean probability %{{x:.3f}}<br>observed %{{customdata[0]:.1f}} % of %{{customdata[1]:,}}"
            "<extra></extra>",
            row=1,
            col=1,
        )
        figure.add_bar(
            x=[(one.low + one.high) / 2 for one in found.bins],
            y=[one.n for one in found.bins],
            name=name,
            legendgroup=name,
            showlegend=False,
            marker={"color": color},
            hovertemplate=f"{name}<br>%{{y:,}} images<extra></extra>",
            row=2,
            col=1,
        )
    axis: dict[str, Any] = {"range": [-0.01, 1.01], "dtick": 0.2}
    figure.update_xaxes(**axis)
    figure.update_xaxes(title_text="probability of PNEUMONIA", row=2)
    figure.update_yaxes(title_text="share that is PNEUMONIA", row=1, **axis)
    figure.update_yaxes(title_text="images", row=2)
    return laid_out(figure, 480, -0.15, top=16)


def bins_frame(kinds: Kinds) -> pd.DataFrame:
    """The bins that hold images, of each kind of probability."""
    parts = [
        reliability_bins(scores.reliability).assign(probabilities=kind)
        for kind, scores in kinds.items()
        if not isinstance(scores.reliability, NotApplicable)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
