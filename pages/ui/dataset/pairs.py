"""Images of a finding as thumbnails that open; those of a pair side by side."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.pictures import plain, thumbnail
from pneumo_core.data.audit import Check
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError

_MOST = 12


def show_examples(index: DataIndex, check: Check) -> None:
    """The first images of a check, folded; nothing where it names none that are in the index."""
    if not check.examples:
        return
    there: set[str] = set(index.table["image_id"])
    groups = [names for text in check.examples if (names := _names(text, there))]
    if not groups:
        return
    shown = groups[: _MOST // len(groups[0])]
    count = len(shown) * len(shown[0])
    with st.expander(f"Images ({check.n:,}{f', {count} of them' if check.n > count else ''})"):
        show_tiles(index, [name for names in shown for name in names], place=check.code)
        if len(groups[0]) > 1:
            st.caption("Each image is beside its near duplicate.")


def _names(example: str, there: set[str]) -> list[str]:
    """The images that an example names: one, or a pair; none where they are not there."""
    if example in there:
        return [example]
    parts = example.split(" = ")
    pairs = ([" = ".join(parts[:cut]), " = ".join(parts[cut:])] for cut in range(1, len(parts)))
    return next((pair for pair in pairs if there.issuperset(pair)), [])


def show_tiles(index: DataIndex, image_ids: Sequence[str], *, place: str) -> None:
    """Thumbnails with buttons that open the image under 'Images'; `place` tells them from others on the page."""
    hashes = index.table.set_index("image_id")["sha256"]
    grid = st.grid(6, min_column_width=140, gap="small")
    for number, image_id in enumerate(image_ids):
        with grid.container(border=True, gap="xxsmall"):
            try:
                picture = thumbnail(str(index.root), image_id, hashes[image_id])
                st.image(picture, width="stretch", alt=f"X-ray {image_id}")
            except DataError as error:
                st.error(plain(str(error)))
            st.button(
                plain(image_id).replace("_", "_\u200b"),
                key=f"open_{place}_{number}_{image_id}",
                help="Open it under 'Images'",
                type="tertiary",
                wrap=True,
                on_click=_open,
                args=(image_id,),
            )


def _open(image_id: str) -> None:
    st.session_state["view"] = "Images"
    st.query_params["image"] = image_id
