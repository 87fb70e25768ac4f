"""Training histories of one run of each side on the same axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.ui.charts import laid_out
from pages.ui.compare.charts import LOOKS
from pneumo_core.evaluation.curves import best_epoch, history_points
from pneumo_core.records import NotApplicable


def histories(
    events_a: Sequence[Mapping[str, Any]], events_b: Sequence[Mapping[str, Any]], names: tuple[str, str]
) -> go.Figure | NotApplicable:
    """Loss and accuracy of one run of each side by epoch: held-out strong, train faint, a star where weights were kept."""
    table = history_points(events_a, events_b)
    if table.empty:
        return NotApplicable("the epochs of these runs were not recorded")
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06)
    for look, name in zip(LOOKS, names, strict=True):
        epochs = table[table["side"] == look.letter]
        kept = epochs[epochs["epoch"] == best_epoch(epochs)]
        group: dict[str, Any] = {"legendgroup": look.letter, "col": 1}
        for row, measure in enumerate(("loss", "accuracy"), start=1):
            line, legend = {"color": look.color, "dash": look.dash}, row == 1
            for column, kind, style in (
                (measure, "train", {"line": {**line, "width": 1}, "opacity": 0.7}),
                (f"val_{measure}", "held-out", {"line": {**line, "width": 2.5}}),
            ):
                figure.add_scatter(
                    x=epochs["epoch"],
                    y=epochs[column],
                    mode="lines" if len(epochs) > 1 else "markers",
                    name=f"{look.letter}: {name}, {kind}",
                    marker={"symbol": look.symbol, "color": look.color},
                    showlegend=legend,
                    row=row,
                    **style,
                    **group,
                )
            figure.add_scatter(
                x=kept["epoch"],
                y=kept[f"val_{measure}"],
                mode="markers",
                name=f"{look.letter}: weights kept",
                marker={"symbol": "star", "size": 14, "color": look.color},
                showlegend=legend and len(kept) > 0,
                row=row,
                **group,
            )
    figure.update_yaxes(title_text="loss", rangemode="tozero", row=1)
    figure.update_yaxes(title_text="accuracy", row=2)
    figure.update_xaxes(title_text="epoch", row=2)
    return laid_out(figure, 520, -0.12, hovermode="x unified")


def histories_caption(selected_on_test: tuple[bool, bool]) -> str:
    """Caption of `histories`: which runs used the test images for validation."""
    words = (
        "The strong lines are the held-out images that choose, validation or stress, the faint ones train; the star is the "
        "epoch whose weights were kept."
    )
    chosen = [letter for letter, selected in zip("AB", selected_on_test, strict=True) if selected]
    if chosen:
        whose = "In both runs" if len(chosen) == 2 else f"In {chosen[0]}"
        words += f" {whose} the validation images were the test images, so the test figures are optimistic."
    return words
