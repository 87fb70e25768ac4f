"""Working and waiting runs, in order, with a button to cancel each."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.components import gan_link, run_name, show_error
from pages.ui.pictures import plain
from pages.ui.state import may_train
from pages.ui.train.runs import stage
from pneumo_core.errors import PneumoError
from pneumo_core.jobs.runs import RunView, cancel, queue_places, views
from pneumo_core.runs.status import read_events

_SHOWN = 20


def queue_panel(known: Sequence[RunView], shown: str | None) -> None:
    """The live runs, redrawn every two seconds; when a state changes, the whole page is redrawn once.

    Args:
        known: Every run.
        shown: The run whose own panel the page has: if it is the only live one, there is no queue to show.
    """
    if {item.run_id for item in known if item.state.is_live} <= {shown}:
        return
    drawn = {item.run_id: item.state for item in known}

    def panel() -> None:
        try:
            now = views()
            if {item.run_id: item.state for item in now} == drawn:
                _draw(now)
                return
        except PneumoError as error:
            show_error(error)
            return
        st.rerun()

    st.subheader("Queue")
    st.fragment(panel, run_every="2s")()


def _draw(known: Sequence[RunView]) -> None:
    places = queue_places(known)
    working = [item for item in reversed(known) if item.state.is_live and item.run_id not in places]
    waiting = sorted((item for item in known if item.run_id in places), key=lambda item: places[item.run_id])
    with st.container(border=True):
        for item in [*working, *waiting][:_SHOWN]:
            _row(item, places.get(item.run_id))
        if (more := len(working) + len(waiting) - _SHOWN) > 0:
            st.caption(f"and {more} more that wait behind these.")
        to_cancel = [item for item in waiting if not item.run.cancel.exists()]
        if len(to_cancel) > 1 and may_train() and st.button(f"Cancel all {len(to_cancel)} that wait", key="cancel_all"):
            _cancel(to_cancel)


def _row(item: RunView, place: int | None) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        st.markdown(f"**{run_name(item)}**  \n{plain(_words(item, place))}", width="stretch")
        if item.is_gan:
            gan_link(item, "GAN lab")
        if item.run.cancel.exists():
            st.button("Cancelling…", disabled=True, key=f"cancelling {item.run_id}")
        elif may_train() and st.button("Cancel", key=f"cancel {item.run_id}"):
            _cancel([item])


def _words(item: RunView, place: int | None) -> str:
    if place is not None:
        return "waits: next" if place == 1 else f"waits: place {place}"
    return stage(item, read_events(item.run))[1]


def _cancel(items: Sequence[RunView]) -> None:
    are_cancelled = True
    for item in items:
        try:
            cancel(item.run_id)
        except PneumoError as error:
            # It has ended in the meantime, or its cluster does not answer; the others are still cancelled.
            show_error(error)
            are_cancelled = False
    if are_cancelled:
        st.rerun()
