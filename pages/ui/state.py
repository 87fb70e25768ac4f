"""Requirements of a page: the frame around it, the data set, the run in the address."""

from typing import Final

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from pages.ui.cached import current_default_index, current_stored_index
from pages.ui.components import show_error, shown_errors
from pneumo_core.data.index import DataIndex
from pneumo_core.data.preparation import PREPARATION
from pneumo_core.data.source import connected_id
from pneumo_core.data.work import is_working, progress_of
from pneumo_core.errors import DataError
from pneumo_core.jobs.preparing import start_preparing
from pneumo_core.settings import settings

_FRAME = "frame_was_drawn"
_FAILURE = "preparation_failed"

UPLOADS: Final = "uploads"
"""Name, in the state of a session, of what its visitor has open on Predict."""


def mark_frame() -> None:
    """Mark, for `require_frame`, that this script run came through app.py."""
    st.session_state[_FRAME] = True


def forget_uploads(page: StreamlitPage) -> None:
    """Forget a visitor's uploads on every page but the one that shows them."""
    if page.url_path != "predict":
        st.session_state.pop(UPLOADS, None)


def require_frame() -> None:
    """Repair a deep link on a fresh server; the first line of each page.

    With a folder named `pages/` beside the entry point, a server whose first request is a deep link runs that page without
    app.py, and goes on so until somebody opens `/`. The attribute is private to Streamlit: a browser test holds this.
    """
    if not st.session_state.get(_FRAME):
        PagesManager.uses_pages_directory = False
        st.rerun()


def current_index() -> DataIndex | None:
    """The connected data set, else the default one; None if that must be prepared first (see `needed_index`).

    Raises:
        DataError: The data set named by the settings cannot be used.
        StoreError: Nothing can be written.
    """
    index = _connected()
    if index is None and connected_id() is not None:
        st.caption("The connected data set is missing; showing the default one.")
    return index or current_default_index()


def needed_index() -> DataIndex:
    """The same for a page that requires it: if it must be prepared, the preparation is started and shown, and the page ends.

    It is drawn again when the data set is ready. What needs no data stands above this call.

    Raises:
        DataError: See `current_index`; or the preparation did not start.
        StoreError: Nothing can be written.
    """
    index = _connected() or current_default_index()
    if index is None:
        _prepare()
        st.stop()
    st.session_state.pop(_FAILURE, None)
    return index


def _prepare() -> None:
    """Start the preparation and show its progress; a failure is reported, and a click starts it again."""
    if failure := st.session_state.get(_FAILURE):
        show_error(failure)
        if st.button("Try again", type="primary"):
            del st.session_state[_FAILURE]
            st.rerun()
        return
    with st.spinner("Starting to prepare the data set…"):
        start_preparing()
    st.fragment(_follow_preparation, run_every="0.5s")()


def _connected() -> DataIndex | None:
    chosen = connected_id()
    try:
        return None if chosen is None else current_stored_index(chosen)
    except DataError:
        return None


def _follow_preparation() -> None:
    """Progress of the preparation; when it has ended, the page is redrawn."""
    with shown_errors():
        if not is_working(PREPARATION):
            if current_default_index() is None:
                st.session_state[_FAILURE] = (
                    progress_of(PREPARATION).error or "The preparation of the data set was stopped."
                )
            st.rerun()
        now = progress_of(PREPARATION)
        share = now.done / now.total if now.total else 0.0
        counted = f": {now.done:,} of {now.total:,}" if now.total else "…"
        st.progress(share, f"{now.stage}{counted} (once; this page continues automatically)")


def may_train() -> bool:
    """Whether pages of this server may start work."""
    return settings().allow_training
