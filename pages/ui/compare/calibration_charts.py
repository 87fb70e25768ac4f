"""Charts and tables of two runs' calibration, as pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.charts import REFERENCE
from pages.ui.compare.sides import Shown
from pneumo_core.evaluation.reliability import ProbabilityScores, Reliability
from pneumo_core.evaluation.wording import score_text
from pneumo_core.records import Estimate, NotApplicable

RAW = "raw"


@dataclass(frozen=True, slots=True)
class Measured:
    """Probabilities of one run, raw or calibrated, against its classes.

    Attributes:
        side: The run.
        kind: ``raw``, or the calibrator's kind.
        scores: How good they are.
    """

    side: Shown
    kind: str
    scores: ProbabilityScores

    @property
    def found(self) -> Reliability | NotApplicable:
        """Bins, ECE, slope and intercept."""
        return self.scores.reliability


def reliability_figure(kinds: Sequence[Measured]) -> go.Figure | NotApplicable:
    """Observed share against mean probability of each bin, with 95 % intervals, and the counts of the bins below."""
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.75, 0.25])
    dotted = {"color": REFERENCE, "dash": "dot", "width": 2}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="perfect", line=dotted, row=1, col=1)
    for kind in kinds:
        if isinstance(kind.found, NotApplicable):
            return kind.found
        raw, side = kind.kind == RAW, kind.side
        # What was before is grey; the run's own colour is what it now says.
        colour = REFERENCE if raw and len(kinds) > 1 else side.colour
        name = f"{side.letter}, {'raw' if raw else f'calibrated ({kind.kind})'}"
        frame = _points(kind.found)
        figure.add_scatter(
            x=frame["mean probability"],
            y=frame["observed"],
            error_y={"array": frame["high"] - frame["observed"], "arrayminus": frame["observed"] - frame["low"]},
            customdata=np.column_stack([100 * frame["observed"], frame["n"]]),
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line={"color": colour, "dash": "dot" if raw and len(kinds) > 1 else side.dash, "width": 2},
            marker={"color": colour, "size": 8, "symbol": "circle-open" if raw else "diamond"},
            hovertemplate=f"{name}<br>mean probability %{{x:.3f}}<br>observed %{{customdata[0]:.1f}} % of %{{customdata[1]:,}}"
            "<extra></extra>",
            row=1,
            col=1,
        )
        figure.add_bar(
            x=[(one.low + one.high) / 2 for one in kind.found.bins],
            y=[one.n for one in kind.found.bins],
            name=name,
            legendgroup=name,
            showlegend=False,
            marker={"color": colour},
            hovertemplate=f"{name}<br>%{{y:,}} images<extra></extra>",
            row=2,
            col=1,
        )
    axis: dict[str, Any] = {"range": [-0.01, 1.01], "dtick": 0.2}
    figure.update_xaxes(**axis)
    figure.update_xaxes(title_text="probability of PNEUMONIA", row=2)
    figure.update_yaxes(title_text="share that is PNEUMONIA", row=1, **axis)
    figure.update_yaxes(title_text="images", row=2)
    below = {"orientation": "h", "yanchor": "top", "y": -0.15, "x": 0}
    return figure.update_layout(height=480, margin={"l": 8, "r": 8, "t": 16, "b": 8}, legend=below)


def _points(found: Reliability) -> pd.DataFrame:
    """The bins that hold images."""
    rows = [
        {
            "mean probability": one.mean_probability,
            "observed": one.observed.value,
            "low": one.observed.low,
            "high": one.observed.high,
            "n": one.n,
        }
        for one in found.bins
        if isinstance(one.observed, Estimate)
    ]
    return pd.DataFrame(rows, columns=["mean probability", "observed", "low", "high", "n"])


def bins_frame(kinds: Sequence[Measured]) -> pd.DataFrame:
    """The bins that hold images, of each kind of probability."""
    parts = [
        _points(kind.found).assign(probabilities=kind.kind)
        for kind in kinds
        if not isinstance(kind.found, NotApplicable)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def figures_frame(measured: Sequence[Measured]) -> pd.DataFrame:
    """Each measure as text, a column for each run raw and calibrated."""
    columns = {}
    for one in measured:
        found = one.found
        columns[f"{one.side.letter}, {one.kind}, {one.side.where}"] = {
            "Brier score": score_text(one.scores.brier),
            "Log loss": score_text(one.scores.log_loss),
            "ECE, ten bins": score_text(found if isinstance(found, NotApplicable) else found.ece),
            "Slope": score_text(found if isinstance(found, NotApplicable) else found.slope),
            "Intercept, slope held at 1": score_text(found if isinstance(found, NotApplicable) else found.intercept),
        }
    return pd.DataFrame(columns)
