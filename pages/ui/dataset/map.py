"""A map of the data set: images that a model finds alike lie close together; a lasso opens them."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.cached import report_of
from pages.ui.charts import laid_out
from pages.ui.components import choice, pick_finished_run, picture_name
from pages.ui.dataset.pairs import show_tiles
from pages.ui.dataset.work import offer_work
from pneumo_core.data.index import DataIndex
from pneumo_core.data.work import map_name
from pneumo_core.evaluation.probability import probability
from pneumo_core.inference.image_map import MOST, stored_map
from pneumo_core.jobs.preparing import start_mapping
from pneumo_core.records import Label, Split, Subtype
from pneumo_core.reporting.drawing import COLORS

SPLIT_COLORS = {Split.TRAIN.value: "#0F766E", Split.VAL.value: "#7C3AED", Split.TEST.value: "#DB2777"}
"""Apart from the classes' colors, in light and dark."""
_CLASS_COLORS = {label.name: color for label, color in COLORS.items()}
_SUBTYPE_COLORS = {"NORMAL": COLORS[Label.NORMAL], "bacteria": "#D97706", "virus": "#7C3AED", "unknown": "#6B7280"}
_ANSWER_COLORS = {"right": "#9CA3AF", "missed PNEUMONIA": "#D97706", "false alarm": "#2563EB"}
_WAYS = {"t-SNE": "tsne", "principal components": "pca"}
_MOST_PICTURES = 24


def show_map(index: DataIndex) -> None:
    """The map by a run's features, or the offer to make it."""
    view = pick_finished_run("Features of", with_model=True)
    found = stored_map(index, view.run)
    if found is None:
        count = min(len(index.table), MOST)
        offer_work(
            map_name(index.data_id, view.run_id),
            f"This run has not looked at the {count:,} images yet: about {max(1, count // 4000)} min by a small network, "
            "ten times as long for VGG16.",
            "Make the map",
            lambda: start_mapping(index.data_id, view.run_id),
        )
        return
    threshold = report_of(view.run_id).operating_point.threshold
    _panel(index, _joined(index, found, threshold), view.run_id)


def _joined(index: DataIndex, found: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Places with what points can be colored by."""
    rows = found.merge(index.table[["image_id", "split", "label", "subtype"]], on="image_id", validate="one_to_one")
    called = probability(rows["logit"].to_numpy()) >= threshold
    sick = rows["label"].to_numpy() == Label.PNEUMONIA
    answers = (
        pd.Series("right", index=rows.index)
        .mask(sick & ~called, "missed PNEUMONIA")
        .mask(~sick & called, "false alarm")
    )
    causes = rows["subtype"].mask(rows["subtype"] == Subtype.NONE.value, "NORMAL")
    names = rows["label"].map({label.value: label.name for label in Label})
    return rows.assign(**{"class": names, "subtype": causes, "answer": answers})


def _panel(index: DataIndex, rows: pd.DataFrame, run_id: str) -> None:
    colors = {"split": SPLIT_COLORS, "class": _CLASS_COLORS, "subtype": _SUBTYPE_COLORS, "answer": _ANSWER_COLORS}
    with st.container(horizontal=True):
        way = choice("Placed by", list(_WAYS), key="way", bind="query-params")
        by = choice("Colored by", list(colors), key="color", bind="query-params")
    figure = go.Figure()
    # The rare ones are drawn last, above the others.
    for name in rows[by].value_counts().index:
        part = rows[rows[by] == name]
        figure.add_scattergl(
            x=part[f"{_WAYS[way]}_x"],
            y=part[f"{_WAYS[way]}_y"],
            mode="markers",
            name=f"{name} ({len(part):,})",
            marker={"color": colors[by].get(name, "#6B7280"), "size": 5, "opacity": 0.75},
            customdata=part[["image_id"]],
            hovertemplate="%{customdata[0]}<extra></extra>",
        )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    laid_out(figure, 520, 1.04, top=8, dragmode="lasso")
    alt = f"Map of {len(rows):,} images by {way}, colored by {by}; images in a lasso are shown below."
    event = st.plotly_chart(
        figure,
        config=picture_name("dataset", index.root.name, index.data_id, "map", run_id, way, by),
        on_select="rerun",
        selection_mode=("lasso", "box"),
        key=f"map {run_id} {way} {by}",
        alt=alt,
    )
    st.caption(
        f"{len(rows):,} images. Images that this model finds alike lie close together; distances between far groups mean "
        "little. Draw a lasso around points to see their images."
    )
    chosen = [point["customdata"][0] for point in event["selection"]["points"]]
    if chosen:
        here = rows[rows["image_id"].isin(chosen)]
        counts = ", ".join(f"{name} {count:,}" for name, count in here[by].value_counts().items())
        st.markdown(f"**{len(here):,} images** · {counts}")
        show_tiles(index, here["image_id"].head(_MOST_PICTURES).tolist(), place="map")
        if len(here) > _MOST_PICTURES:
            st.caption(f"The first {_MOST_PICTURES} are shown.")
