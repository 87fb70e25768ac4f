"""Compare's slices: both runs' rates by cause, size, sharpness, images per patient and kind of file."""

from typing import Final

import pandas as pd
import streamlit as st

from pages.ui.cached import index_here
from pages.ui.compare.file_words import compared_words
from pages.ui.compare.sides import Shown, name_sides, shown_sides
from pages.ui.compare.slices_charts import dots
from pages.ui.components import chart, choice
from pages.ui.pictures import plain
from pages.ui.table import data_frame, show_rows
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError, StoreError
from pneumo_core.evaluation import slices as evaluated
from pneumo_core.evaluation.comparison import Comparison, Pair
from pneumo_core.evaluation.wording import NAMES
from pneumo_core.inference.image_facts import SIZE, image_facts
from pneumo_core.records import NotApplicable
from pneumo_core.reporting.split_tables import RATES, slice_numbers, slices_beside
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import read_data

_TITLES: Final = {
    "subtype": "Bacteria and virus",
    "images of the patient": "Images of the patient in this split",
    "image size": "Image size",
    "sharpness": "Sharpness",
    "color": "RGB or gray file",
}
_NOTES: Final = {
    "subtype": "Both are PNEUMONIA, so specificity does not apply; AUROC is of the subtype against all NORMAL images.",
    "sharpness": f"Variance of the Laplacian at {SIZE} × {SIZE} pixels: noise and contrast count as sharp too.",
}

_Sliced = tuple[tuple[evaluated.Slice, ...], tuple[tuple[str, NotApplicable], ...]]


def slices(comparison: Comparison, pair: Pair) -> None:
    """Both runs on parts of the split, each group as dots with intervals and as a table."""
    sides = shown_sides(comparison, pair)
    of = compared_words((pair.a,), (pair.b,), comparison.split)
    name_sides(*sides)
    measure = choice("Figure", RATES, format_func=NAMES.__getitem__, key="slice_of")
    st.caption(
        "Intervals are 95 %, clustered by patient, and not adjusted for the number of slices; some slices have low figures by "
        f"chance. A slice of fewer than {evaluated.FEW} patients is uncertain."
    )
    a, b = (_sliced_of(side) for side in sides)
    reasons = {group: missing.reason for _, lacking in (a, b) for group, missing in lacking}
    for group in evaluated.GROUPS:
        title = _TITLES[group]
        parts = {
            side.letter: [one for one in made if one.group == group]
            for side, (made, _) in zip(sides, (a, b), strict=True)
        }
        if not any(parts.values()):
            st.markdown(f"**{title}** · {sides[0].where}")
            st.info(plain(f"Not applicable: {reasons.get(group, 'no image of this split has it')}."))
            continue
        chart(
            dots(sides, parts, measure),
            data_frame(slice_numbers(parts, title)),
            title=f"{title}: {NAMES[measure]}",
            where=" and ".join(dict.fromkeys(f"{side.where}, n = {len(side.predictions):,}" for side in sides)),
            caption=_NOTES.get(group, "Each slice is named with its number of images; the smallest is marked."),
            of=of,
        )
        caption = f"{title}: {NAMES[measure]} of both runs with 95 % intervals"
        show_rows(slices_beside(parts, measure, caption))
    if any(_index_of(side) is None for side in sides):
        st.info(
            "Image size, sharpness and kind of file are read from the images. Connect the data set that these runs were "
            "tested on, on Dataset, and its slices appear here."
        )
        st.page_link("pages/dataset.py", label="Go to Dataset", icon=":material/database:")


def _sliced_of(side: Shown) -> _Sliced:
    rows = side.predictions.assign(split=side.split.value)
    return _sliced(rows, _facts_of(side), side.evidence.threshold)


@st.cache_data(max_entries=32, show_spinner=False)
def _sliced(rows: pd.DataFrame, facts: pd.DataFrame | None, threshold: float) -> _Sliced:
    """The cache's key is the predictions and facts themselves: a bootstrap a slice takes a tenth of a second in all."""
    return evaluated.slices(rows, facts, threshold)


def _facts_of(side: Shown) -> pd.DataFrame | None:
    """Facts of the run's images; None where its data set is not on this machine, or no longer as it was."""
    index = _index_of(side)
    if index is None:
        return None
    try:
        return _facts(index, str(index.root), index.data_id, side.predictions["image_id"].tolist())
    except (DataError, StoreError) as error:
        st.caption(plain(str(error)))
        return None


@st.cache_data(max_entries=8, show_spinner="Reading the images (once)…")
def _facts(_index: DataIndex, root: str, data_id: str, image_ids: list[str]) -> pd.DataFrame:  # noqa: ARG001
    return image_facts(_index, image_ids)


def _index_of(side: Shown) -> DataIndex | None:
    return index_here(read_data(find_run(side.evidence.run_id)).data_id)
