"""Charts and tables of two runs' slices, as pure functions. Everywhere `parts` is each run with its slices of one group."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from pages.ui.compare.sides import Shown
from pneumo_core.evaluation.slices import Slice
from pneumo_core.evaluation.wording import NAMES, estimate_text
from pneumo_core.records import Estimate, Metric, NotApplicable

MEASURES: Final = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.ACCURACY, Metric.AUROC)

Parts = Sequence[tuple[Shown, Sequence[Slice]]]


def dots(parts: Parts, measure: Metric) -> go.Figure | NotApplicable:
    """A dot with its 95 % interval for each run and slice; slices from the top down, A above B."""
    names = _names(parts)
    figure = go.Figure()
    for above, (side, found) in zip((-0.14, 0.14), parts, strict=True):
        drawn = [(one, value) for one in found if isinstance(value := getattr(one, measure), Estimate)]
        figure.add_scatter(
            x=[value.value for _, value in drawn],
            y=[names.index(one.name) + above for one, _ in drawn],
            error_x={
                "array": [value.high - value.value for _, value in drawn],
                "arrayminus": [value.value - value.low for _, value in drawn],
                "color": side.colour,
            },
            customdata=[[one.name, value.low, value.high, value.n] for one, value in drawn],
            mode="markers",
            name=side.letter,
            marker={"color": side.colour, "size": 10, "symbol": "circle" if side.letter == "A" else "square"},
            hovertemplate=f"{side.letter}, %{{customdata[0]}}: %{{x:.3f}} (%{{customdata[1]:.3f}} to "
            "%{customdata[2]:.3f}), n = %{customdata[3]:,}<extra></extra>",
        )
    if not any(trace.x for trace in figure.data):
        reasons = [getattr(one, measure).reason for _, found in parts for one in found]
        return NotApplicable("; ".join(dict.fromkeys(reasons)))
    ticks: dict[str, Any] = {"tickvals": list(range(len(names))), "ticktext": [_label(parts, name) for name in names]}
    figure.update_yaxes(range=[len(names) - 0.5, -0.5], automargin=True, **ticks)
    figure.update_xaxes(title=NAMES[measure])
    below = {"orientation": "h", "yanchor": "top", "y": -60 / (70 * len(names)), "x": 0}
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    return figure.update_layout(height=110 + 70 * len(names), margin=margin, legend=below)


def slices_frame(parts: Parts, measure: Metric) -> pd.DataFrame:
    """What is in each slice, and one figure of both runs as text."""
    rows = {}
    for name in _names(parts):
        found = {side.letter: next((one for one in made if one.name == name), None) for side, made in parts}
        there = [one for one in found.values() if one is not None]
        row = {
            "images": " and ".join(dict.fromkeys(f"{one.n:,}" for one in there)) + _mark(there),
            "patients": " and ".join(dict.fromkeys(f"{one.n_patients:,}" for one in there)),
            "PNEUMONIA": " and ".join(dict.fromkeys(f"{one.n_pneumonia:,}" for one in there)),
        }
        for letter, one in found.items():
            row[f"{NAMES[measure]} of {letter}"] = (
                "no such slice" if one is None else estimate_text(measure, getattr(one, measure), with_n=True)
            )
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def numbers_frame(parts: Parts) -> pd.DataFrame:
    """Every figure of every slice of the group as a row of numbers, or the reason why there is none."""
    rows: list[dict[str, Any]] = []
    for side, found in parts:
        for one in found:
            for metric in MEASURES:
                estimate = getattr(one, metric)
                row = {"run": side.letter, "slice": one.name, "images": one.n, "figure": NAMES[metric]}
                missing = isinstance(estimate, NotApplicable)
                told = {"not applicable": estimate.reason} if missing else {**asdict(estimate), "not applicable": ""}
                rows.append(row | told)
    columns = ["run", "slice", "images", "figure", "value", "low", "high", "n", "not applicable"]
    return pd.DataFrame(rows, columns=columns).astype({"n": "Int64"})


def _names(parts: Parts) -> list[str]:
    """Slices of both runs, which are not the same where the runs were tested on different images."""
    return list(dict.fromkeys(one.name for _, found in parts for one in found))


def _label(parts: Parts, name: str) -> str:
    there = [one for _, found in parts for one in found if one.name == name]
    return f"{name}<br>n = {' and '.join(dict.fromkeys(f'{one.n:,}' for one in there))}{_mark(there)}"


def _mark(there: Sequence[Slice]) -> str:
    smallest, few = any(one.smallest for one in there), any(one.few for one in there)
    return (", smallest" if smallest else "") + (", few" if few else "")
