"""Features of image files, without their pixels, by class, as figures and tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from pages.ui.charts import laid_out
from pneumo_core.evaluation.intervals import area_estimates
from pneumo_core.evaluation.metrics import auroc
from pneumo_core.records import Estimate, Label, NotApplicable
from pneumo_core.reporting.drawing import COLORS

_BINS = 30
_MOST_POINTS = 2000
"""Maximum number of points of the scatter plot: more would only cover each other."""
MOST_RANKED = 10_000
"""Maximum number of images that are ranked: the interval of an AUROC takes 2 s for as many, and is narrow."""
_QUANTILES = {"minimum": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "maximum": 1.0}


def features(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Features of a file without its pixels, per row of an index's table."""
    pixels = table["width"] * table["height"]
    return {
        "file size (kB)": table["size_bytes"] / 1000,
        "width (pixels)": table["width"],
        "height (pixels)": table["height"],
        "aspect (width / height)": table["width"] / table["height"],
        "compression (bytes per pixel)": table["size_bytes"] / pixels,
    }


@st.cache_data(max_entries=64, show_spinner="Measuring how well the files alone distinguish the classes…")
def giveaways(data_id: str, split: str, _table: pd.DataFrame) -> list[tuple[str, str, Estimate | NotApplicable]]:  # noqa: ARG001
    """For each feature, whether PNEUMONIA has more of it, and the AUROC of ranking by it alone.

    Args:
        data_id: Data set; with `split` the key of the cache.
        split: Name of what `_table` holds.
        _table: Rows of the index's table; of more than `MOST_RANKED`, as many are drawn at random.
    """
    _table = _table if len(_table) <= MOST_RANKED else _table.sample(MOST_RANKED, random_state=0)
    found: list[tuple[str, str, Estimate | NotApplicable]] = []
    labels = _table["label"].to_numpy()
    for name, values in features(_table).items():
        ranks = values.to_numpy(dtype=np.float64)
        if np.ptp(ranks) == 0:
            found.append((name, "equal", NotApplicable(f"every image has {ranks[0]:g}")))
            continue
        area = auroc(labels, ranks)
        is_less = not isinstance(area, NotApplicable) and area < 0.5
        estimate = area_estimates(labels, -ranks if is_less else ranks, _table["patient_id"].to_numpy()).auroc
        found.append((name, "less" if is_less else "more", estimate))
    return found


def histogram(values: Mapping[Label, NDArray[np.float64]], name: str) -> tuple[go.Figure, pd.DataFrame]:
    """Share of each class' images per bin, with the same bins for both, and the same as a table."""
    present = np.concatenate(list(values.values()))
    edges = np.histogram_bin_edges(present, bins=_BINS)
    figure = go.Figure()
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:]})
    for label, numbers in values.items():
        counts = np.histogram(numbers, bins=edges)[0]
        table[f"{label.name} images"] = counts
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts / max(1, counts.sum()),
            width=np.diff(edges),
            name=f"{label.name}, n = {len(numbers):,}",
            marker={"color": COLORS[label], "line": {"width": 0}},
            opacity=0.7,
            customdata=counts,
            hovertemplate="%{x:.4g}: %{y:.1%}, %{customdata:,} images<extra>" + label.name + "</extra>",
        )
    figure.update_xaxes(title=name)
    figure.update_yaxes(title="share of the class", tickformat=".0%")
    return laid_out(figure, 320, 1.02, top=8, barmode="overlay", bargap=0), table


def scatter(table: pd.DataFrame) -> tuple[go.Figure, int]:
    """Width against height, a point per image, and the number of drawn points."""
    drawn = table if len(table) <= _MOST_POINTS else table.sample(_MOST_POINTS, random_state=0)
    figure = go.Figure()
    for label in Label:
        part = drawn[drawn["label"] == label]
        figure.add_scatter(
            x=part["width"],
            y=part["height"],
            mode="markers",
            name=label.name,
            marker={"color": COLORS[label], "size": 6, "opacity": 0.75},
            hovertemplate="%{x} × %{y} pixels<extra>" + label.name + "</extra>",
        )
    figure.update_xaxes(title="width (pixels)")
    figure.update_yaxes(title="height (pixels)")
    return laid_out(figure, 320, 1.02, top=8), len(drawn)


def quantile_table(numbers: Mapping[Label, NDArray[np.float64]]) -> pd.DataFrame:
    """Spread of a feature, one row per class."""
    rows = []
    for label, values in numbers.items():
        spread = np.quantile(values, list(_QUANTILES.values())).tolist() if values.size else []
        shown = [f"{value:,.4g}" for value in spread] or ["no images"] * len(_QUANTILES)
        rows.append({"class": label.name, "n": values.size, **dict(zip(_QUANTILES, shown, strict=True))})
    return pd.DataFrame(rows)
