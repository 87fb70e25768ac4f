"""Dataset: connect data, and check its content and pitfalls."""

import streamlit as st

from pages.ui.components import data_badge, open_linked_tab, open_tab, show_error, shown_errors
from pages.ui.dataset.audit import show_audit
from pages.ui.dataset.connect import connect_panel, connected_note
from pages.ui.dataset.explore import show_summary
from pages.ui.dataset.filters import reset_filters
from pages.ui.dataset.gallery import show_images
from pages.ui.dataset.map import show_map
from pages.ui.dataset.quality import show_quality
from pages.ui.dataset.sizes import show_sizes
from pages.ui.dataset.splits import show_splits
from pages.ui.known import show_official_counts, show_phantom_sample
from pages.ui.pictures import plain
from pages.ui.state import current_index, needed_index, require_frame
from pneumo_core.data.source import default_folder
from pneumo_core.errors import PneumoError

require_frame()

VIEWS = ("Summary", "Audit", "Splits", "Quality", "Map", "Images", "Sizes and modes", "Connect data")

st.title("Dataset")
if note := connected_note():
    st.success(note)
    reset_filters()  # They belonged to another data set.
    st.session_state["view"] = VIEWS[0]
try:
    index = current_index()
except PneumoError as error:
    show_error(error)
    connect_panel(None)
    st.stop()

if index is not None:
    data_badge(index)
if index is not None and not index.root.is_dir():
    st.error(
        f"The connected folder must not be moved. Received: folder={plain(repr(index.root.name))}, which is missing. Put it "
        "back, or connect a data set under 'Connect data'. Counts are from the stored index; images cannot be shown."
    )
with shown_errors():
    open_linked_tab("view", "Images", named="image")
    shown, tab = open_tab("view", VIEWS)
    with tab:
        match shown:
            case "Summary":
                if index is None:
                    show_official_counts()
                    if default_folder() is None:
                        show_phantom_sample()
                show_summary(index or needed_index())
            case "Audit":
                show_audit(index or needed_index())
            case "Splits":
                show_splits(index or needed_index())
            case "Quality":
                show_quality(index or needed_index())
            case "Map":
                show_map(index or needed_index())
            case "Images":
                show_images(index or needed_index())
            case "Sizes and modes":
                show_sizes(index or needed_index())
            case "Connect data":
                connect_panel(index)
