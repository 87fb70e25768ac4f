"""What a page needs before it can draw: the frame around it, the data set, the run in the address."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from pages.ui.cached import current_stored_index, indexed
from pneumo_core.data.index import DataIndex, find_root
from pneumo_core.data.source import connected_id, default_data
from pneumo_core.errors import DataError
from pneumo_core.settings import settings

_FRAME = "frame_was_drawn"


def mark_frame() -> None:
    """Say, for `require_frame`, that this script run came through app.py."""
    st.session_state[_FRAME] = True


def require_frame() -> None:
    """Mend a deep link on a fresh server; the first line of each page.

    With a folder named `pages/` beside the entry point, a server whose first request is a deep link runs that page without
    app.py, and goes on so until somebody opens `/`. The attribute is private to Streamlit: a browser test holds this.
    """
    if not st.session_state.get(_FRAME):
        PagesManager.uses_pages_directory = False
        st.rerun()


def current_index() -> DataIndex:
    """The connected data set, else the default one, which is drawn and indexed on first use.

    Raises:
        DataError: The data set named by the settings cannot be used.
        StoreError: Nothing can be written.
    """
    chosen = connected_id()
    if chosen is not None:
        try:
            return current_stored_index(chosen)
        except DataError:
            st.caption("The connected data set is gone; showing the default one.")
    with st.spinner("Preparing the default data set (once)…"):
        folder = find_root(default_data())
        return indexed(str(folder), folder.stat().st_mtime_ns)


def may_train() -> bool:
    """Whether this server lets people start work."""
    return settings().allow_training
