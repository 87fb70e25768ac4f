"""Work on a data set in the background: offered with its time, followed with its progress, cancelled."""

from collections.abc import Callable

import streamlit as st

from pages.ui.components import show_error
from pages.ui.state import may_train
from pneumo_core.data.work import CANCELLED, cancel_work, is_working, progress_of
from pneumo_core.errors import PneumoError


def offer_work(name: str, words: str, label: str, start: Callable[[], None]) -> None:
    """A button that starts a piece of work, or its progress while it runs; the page is drawn again when it ends.

    Args:
        name: Name of the work (`data.work`).
        words: What it makes known, and how long it takes.
        label: Of the button.
        start: Starts it; an expected error is shown.
    """
    if is_working(name):
        st.fragment(lambda: _follow(name), run_every="1s")()
        return
    last = progress_of(name)
    if last.error:
        show_error(last.error)
    tried = ""
    if last.stage == CANCELLED:
        tried = " The last try was cancelled."
    elif last.total and not last.error:  # Killed: it could not say so.
        tried = f" The last try ended without a word at {last.done:,} of {last.total:,}."
    st.info(f"{words} It continues when you leave this page.{tried}")
    if not may_train():
        st.caption("This server starts no work: PNEUMO_ALLOW_TRAINING is 0.")
    if st.button(label, type="primary", disabled=not may_train()) and may_train():
        try:
            start()
        except PneumoError as error:
            show_error(error)
        else:
            st.rerun()


def _follow(name: str) -> None:
    if not is_working(name):
        st.rerun()
    now = progress_of(name)
    counted = f": {now.done:,} of {now.total:,}" if now.total else "…"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(now.done / now.total if now.total else 0.0, f"{now.stage}{counted}", width="stretch")
        if st.button("Cancel", disabled=not may_train()) and may_train():
            try:
                cancel_work(name)
            except PneumoError as error:
                show_error(error)
