"""How far the files alone reveal the classes: sizes, shapes, compression and modes."""

import numpy as np
import pandas as pd
import streamlit as st

from pages.ui.address import check_words
from pages.ui.components import choice
from pages.ui.dataset.file_facts import MOST_RANKED, features, giveaways, histogram, quantile_table, scatter
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.wording import score_text
from pneumo_core.records import FOLDERS, Estimate, Label

_TELLING = 0.6
"""The page warns if the whole interval of a feature's AUROC exceeds this value; the phantoms must stay below it."""


def show_sizes(index: DataIndex) -> None:
    """How well the classes can be distinguished by the files alone."""
    splits = ["all", *(split.value for split in FOLDERS)]
    chosen = choice("Split", splits, key="files_of", bind="query-params")
    table = index.table if chosen == "all" else index.table[index.table["split"] == chosen]
    if table.empty:
        st.info(f"{chosen} has no image in this data set. Choose another split.")
        return
    sizes = table["label"].value_counts()
    where = f"{'all splits' if chosen == 'all' else chosen}: " + ", ".join(
        f"{int(sizes.get(int(label), 0)):,} {label.name}" for label in Label
    )
    _show_giveaways(index.data_id, chosen, table)
    _show_distribution(table, where)
    with st.expander("Width and height"):
        _show_shapes(table, where)
    with st.expander("Modes"):
        _show_modes(table, where)


def _show_giveaways(data_id: str, chosen: str, table: pd.DataFrame) -> None:
    st.header("Can the classes be told apart by the files alone?", anchor=False)
    found = giveaways(data_id, chosen, table)
    telling = [
        (estimate, name) for name, _, estimate in found if isinstance(estimate, Estimate) and estimate.low > _TELLING
    ]
    if telling:
        best, name = max(telling, key=lambda pair: pair[0].value)
        st.warning(
            f"The files reveal the classes: ranking them by {name} alone, without any pixel, reaches an AUROC of "
            f"{score_text(best)}. A model with good figures on these images may have learned this instead of the lungs. If "
            "the files were resized or saved again, this says nothing of how the images were acquired.",
            icon=":material/warning:",
        )
    rows = [
        {
            "feature": name,
            "PNEUMONIA has": direction,
            "AUROC": score_text(estimate),
            "n": f"{min(len(table), MOST_RANKED):,}",
            "split": chosen,
        }
        for name, direction, estimate in found
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="AUROC of each feature alone")
    st.caption(
        "0.5 is chance, 1 is perfect; 95 % intervals over patients. The direction is estimated on the same images. A model can "
        "learn such a difference instead of the disease, and figures on images from the same source are then too high. "
        "Resizing all images to one size hides their sizes, but not the effect of compression on the pixels."
        + (f" Of the {len(table):,} images, {MOST_RANKED:,} were drawn at random." if len(table) > MOST_RANKED else "")
    )


def _show_distribution(table: pd.DataFrame, where: str) -> None:
    st.header("Distribution by class", anchor=False)
    values = features(table)
    check_words("feature", values, "feature")
    feature = st.selectbox("Feature", list(values), key="feature", bind="query-params")
    numbers = {label: values[feature][table["label"] == label].to_numpy(dtype=np.float64) for label in Label}
    if np.ptp(values[feature]) == 0:
        st.info(
            f"Every image has {feature} {values[feature].iloc[0]:g} ({where}): nothing to draw, and no cue to the class."
        )
        return
    figure, bins = histogram(numbers, feature)
    st.plotly_chart(
        figure, config={"displayModeBar": False}, alt=f"Histogram of {feature} by class; the tables have the numbers."
    )
    st.dataframe(quantile_table(numbers), hide_index=True, alt=f"Spread of {feature} by class")
    st.caption(f"{feature}; {where}. Bars are shares of each class, so that the class sizes do not matter.")
    with st.expander("The histogram as a table"):
        st.dataframe(bins, hide_index=True, alt=f"Histogram of {feature} by class")


def _show_shapes(table: pd.DataFrame, where: str) -> None:
    if table["width"].nunique() == 1 and table["height"].nunique() == 1:
        first = table.iloc[0]
        st.info(f"Every image is {first['width']} × {first['height']} pixels ({where}): they were resized to one size.")
        return
    figure, drawn = scatter(table)
    st.plotly_chart(figure, config={"displayModeBar": False}, alt="Width and height of the images by class")
    some = f" {drawn:,} of them, drawn at random, are shown." if drawn < len(table) else ""
    st.caption(f"{where}.{some} Choose width or height above for their tables.")


def _show_modes(table: pd.DataFrame, where: str) -> None:
    modes = pd.crosstab(table["mode"], table["label"]).reindex(columns=[int(label) for label in Label], fill_value=0)
    modes.columns = pd.Index([label.name for label in Label])
    st.dataframe(modes.reset_index(), hide_index=True, width="content", alt="Images of each mode by class")
    st.caption(
        f"{where}. L is gray; RGB is color, which in an X-ray is gray stored three times. A mode of only one class "
        "reveals it as well; this app reads every image as gray."
    )
