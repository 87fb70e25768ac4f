"""Chart of two runs' slices, as a pure function."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from pages.ui.charts import error_bars, laid_out
from pages.ui.compare.sides import Shown
from pneumo_core.evaluation.wording import NAMES
from pneumo_core.records import Estimate, Metric, NotApplicable
from pneumo_core.reporting.split_tables import Parts, marked, named


def dots(sides: Sequence[Shown], parts: Parts, measure: Metric) -> go.Figure | NotApplicable:
    """A dot with its 95 % interval for each run and slice; slices from the top down, A above B."""
    found = named(parts)
    names = list(found)
    figure = go.Figure()
    for above, side in zip((-0.14, 0.14), sides, strict=True):
        made = parts[side.letter]
        drawn = [(one.name, value) for one in made if isinstance(value := getattr(one, measure), Estimate)]
        figure.add_scatter(
            x=[value.value for _, value in drawn],
            y=[names.index(name) + above for name, _ in drawn],
            error_x=error_bars([value for _, value in drawn], color=side.color),
            customdata=[[name, value.low, value.high, value.n] for name, value in drawn],
            mode="markers",
            name=side.letter,
            marker={"color": side.color, "size": 10, "symbol": "circle" if side.letter == "A" else "square"},
            hovertemplate=f"{side.letter}, %{{customdata[0]}}: %{{x:.3f}} (%{{customdata[1]:.3f}} to "
            "%{customdata[2]:.3f}), n = %{customdata[3]:,}<extra></extra>",
        )
    if not any(trace.x for trace in figure.data):
        reasons = [getattr(one, measure).reason for made in parts.values() for one in made]
        return NotApplicable("; ".join(dict.fromkeys(reasons)))
    labels = [
        f"{name}<br>n = {' and '.join(dict.fromkeys(f'{one.n:,}' for one in there.values()))}{marked(there.values())}"
        for name, there in found.items()
    ]
    ticks: dict[str, Any] = {"tickvals": list(range(len(names))), "ticktext": labels}
    figure.update_yaxes(range=[len(names) - 0.5, -0.5], automargin=True, **ticks)
    figure.update_xaxes(title=NAMES[measure])
    return laid_out(figure, 110 + 70 * len(names), -60 / (70 * len(names)), top=8)
