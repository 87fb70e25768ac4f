"""Forest plots of findings, as pure functions."""

from collections.abc import Sequence
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from pages.ui.charts import MODEL, ON_TEST, REFERENCE, SIDE_B, laid_out
from pneumo_core.config.classifier import Balance
from pneumo_core.config.naming import ARMS
from pneumo_core.records import Estimate
from pneumo_core.reporting import story
from pneumo_core.reporting.story import Mark

_ORIGINAL, _GENERATED = (ARMS[arm] for arm in (Balance.NONE, Balance.GAN))
_LOOKS: Final[dict[str, tuple[str, str]]] = {
    story.REPORT: (REFERENCE, "diamond-open"),
    f"{story.REPORT}, {_ORIGINAL}": (MODEL, "diamond-open"),
    f"{story.REPORT}, {_GENERATED}": (SIDE_B, "diamond-open"),
    f"ours, {_ORIGINAL}": (MODEL, "circle"),
    f"ours, {_GENERATED}": (SIDE_B, "square"),
    story.PICKED_ON_TEST: (ON_TEST, "square"),
    story.HELD_OUT: (MODEL, "circle"),
    story.VALIDATION: (REFERENCE, "circle-open"),
    story.TEST: (MODEL, "circle"),
    story.DIFFERENCE: (MODEL, "circle"),
}
"""Color and symbol of each series: never the color alone."""

_SHORT: Final = 20
"""Most characters of a row's name that stand in one line on a card."""


def forest_figure(marks: Sequence[Mark], *, title: str, zero: bool = False, compact: bool = False) -> go.Figure:
    """Estimates with their intervals, a line for each row and, inside it, one for each series.

    Args:
        marks: What to draw, in order from the top.
        title: Of the axis.
        zero: Whether a line at 0 shows where there is no difference; shares are then in points already, else fractions.
        compact: Whether it stands on a card.
    """
    rows, series = (list(dict.fromkeys(getattr(mark, name) for mark in marks)) for name in ("row", "series"))
    scale = 1 if zero else 100
    figure = go.Figure()
    for place, name in enumerate(series):
        color, symbol = _LOOKS[name]
        chosen = [mark for mark in marks if mark.series == name]
        x = [scale * _interval(mark).value for mark in chosen]
        low, high = ([scale * getattr(_interval(mark), end) for mark in chosen] for end in ("low", "high"))
        figure.add_scatter(
            x=x,
            y=[rows.index(mark.row) + 0.7 * ((place + 0.5) / len(series) - 0.5) for mark in chosen],
            error_x={
                "array": [top - value for top, value in zip(high, x, strict=True)],
                "arrayminus": [value - bottom for bottom, value in zip(low, x, strict=True)],
                "thickness": 2.5,
                "width": 0,
            },
            mode="markers",
            name=name,
            marker={"symbol": symbol, "size": 9, "color": color, "line": {"color": color, "width": 1.5}},
            customdata=[story.mark_text(mark) for mark in chosen],
            hovertemplate=f"%{{customdata}}<br>{name}<extra></extra>",
        )
    if zero:
        figure.add_vline(x=0, line={"dash": "dot", "color": REFERENCE})
    # On a card a line each leaves no room to the name's second part; a long one would leave none to the chart.
    names = [row if compact and len(row) <= _SHORT else row.replace(", ", "<br>") for row in rows]
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=names, range=[len(rows) - 0.5, -0.5], showgrid=False, zeroline=False
    )
    figure.update_xaxes(title_text=title, zeroline=False, nticks=5 if compact else 10)
    lines = len(rows) * max(1, len(series))
    # On a card each entry of the legend has a line of its own.
    above = (20 * len(series) if compact else 30) if len(series) > 1 else 0
    laid_out(figure, above + 60 + (16 if compact else 24) * max(lines, 5), 1.02)
    figure.update_layout(showlegend=len(series) > 1, margin={"l": 4, "r": 8, "t": above})
    return figure.update_layout(legend={"orientation": "v" if compact else "h"}, dragmode=False)


def forest_table(marks: Sequence[Mark]) -> pd.DataFrame:
    """The same as a table."""
    return pd.DataFrame(
        {
            "run": [mark.row for mark in marks],
            "of": [mark.series for mark in marks],
            "value": [story.mark_text(mark) for mark in marks],
            "n": [f"{mark.estimate.n:,}" if isinstance(mark.estimate, Estimate) else "" for mark in marks],
        }
    )


def _interval(mark: Mark) -> Estimate:
    found = mark.estimate
    return found if isinstance(found, Estimate) else Estimate(found, found, found, 0)
