"""The images that a check is about, as thumbnails; those of a pair side by side."""

import streamlit as st

from pages.ui.pictures import plain, thumbnail
from pneumo_core.data.audit import Check
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError

_MOST = 12


def show_examples(index: DataIndex, check: Check) -> None:
    """The first images of a check, folded; nothing where it names none that are in the index."""
    hashes = dict(zip(index.table["image_id"], index.table["sha256"], strict=True)) if check.examples else {}
    named = [text.split(" = ") for text in check.examples]
    groups = [names for names in named if all(name in hashes for name in names)]
    if not groups:
        return
    shown = groups[: _MOST // len(groups[0])]
    more = f", {len(shown) * len(shown[0])} of them" if check.n > len(shown) * len(shown[0]) else ""
    with st.expander(f"Images ({check.n:,}{more})"):
        grid = st.grid(6, min_column_width=140, gap="small")
        for names in shown:
            for name in names:
                with grid.container(border=True, gap="xxsmall"):
                    try:
                        st.image(thumbnail(str(index.root), name, hashes[name]), width="stretch", alt=f"X-ray {name}")
                    except DataError as error:
                        st.error(plain(str(error)))
                    st.page_link(
                        "pages/dataset.py",
                        label=plain(name).replace("_", "_\u200b"),
                        query_params={"view": "Images", "image": name},
                    )
        if check.examples and " = " in check.examples[0]:
            st.caption("Each image is beside its near duplicate.")
