"""Choice of a sample: thumbnails of a split's images, one of which is open."""

import numpy as np
import streamlit as st

from pages.ui.address import bad_link
from pages.ui.error_text import error_text
from pages.ui.pictures import thumbnail
from pneumo_core.data.index import DataIndex, records
from pneumo_core.errors import DataError
from pneumo_core.records import ImageRecord, Label, Split

_COUNT = 6
_DRAWN = "samples_drawn"


def pick_sample(index: DataIndex, split: Split) -> ImageRecord:
    """Thumbnails of a split's images, of which a click opens one; it is in the address (``?image=``).

    Ends the page where the address names an image that the split does not have.

    Raises:
        DataError: The split has no image.
    """
    table = index.table[index.table["split"] == split.value]
    requested = st.query_params.get("image")
    if requested is not None and requested not in set(table["image_id"]):
        there = f"{split.value} has {len(table):,} images."
        bad_link(f"image of {split.value}", requested, there, button="Show samples", names=["image"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.radio("Class", ["all", *Label.__members__], horizontal=True, key="sample_class")
        st.button("Other images", icon=":material/shuffle:", key="another", on_click=_draw)
    rows = table if wanted == "all" else table[table["label"] == Label[wanted].value]
    if rows.empty:
        what = "no image there" if wanted == "all" else f"no image there of class {wanted}"
        raise DataError(f"samples come from {split.value}. Received: {what}; connect other data")
    order = np.random.default_rng(st.session_state.get(_DRAWN, 0)).permutation(len(rows))[:_COUNT]
    shown = records(rows.iloc[order])
    opened = next((record for record in records(table[table["image_id"] == requested])), shown[0])
    grid = st.grid(_COUNT, min_column_width=110, gap="small")
    for number, record in enumerate(shown, start=1):
        with grid.cell():
            _show(index, record, number, is_open=record.image_id == opened.image_id)
    return opened


def _draw() -> None:
    st.session_state[_DRAWN] = st.session_state.get(_DRAWN, 0) + 1
    st.query_params.pop("image", None)


def _show(index: DataIndex, record: ImageRecord, number: int, *, is_open: bool) -> None:
    try:
        picture = thumbnail(str(index.root), record.image_id, record.sha256)
    except DataError as error:
        st.caption(error_text(error))
        return
    st.image(picture, width="stretch", alt=f"Image {number} of the samples")
    label = f"Image {number}"
    st.button(label, key=f"sample {number}", disabled=is_open, width="stretch", on_click=_open, args=(record.image_id,))


def _open(image_id: str) -> None:
    st.query_params["image"] = image_id
