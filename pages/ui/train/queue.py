"""What is going on, on top of the page: the runs that work, each as a card, and those that wait for their turn."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.components import gan_link, run_name, show_error
from pages.ui.state import may_train
from pages.ui.train.runs import cancel_runs, run_card
from pneumo_core.errors import PneumoError
from pneumo_core.jobs.runs import RunView, queue_places, views
from pneumo_core.jobs.views import study_of

_SHOWN = 20


def on_top(known: Sequence[RunView]) -> list[RunView]:
    """The live runs that have a card: those that work, or else the first that waits."""
    places = queue_places(known)
    working = [item for item in reversed(known) if item.state.is_live and item.run_id not in places]
    return working or [item for item in known if places.get(item.run_id) == 1]


def live_panel(known: Sequence[RunView]) -> None:
    """The live runs, redrawn every two seconds; when a state changes, the whole page is redrawn once.

    Args:
        known: Every run.
    """
    if not any(item.state.is_live for item in known):
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

    st.fragment(panel, run_every="2s")()


def _draw(known: Sequence[RunView]) -> None:
    cards = on_top(known)
    places = queue_places(known)
    for item in cards:
        with st.container(border=True):
            run_card(item, queued=_queued_with(item, [each for each in known if each.run_id in places]))
    shown = {item.run_id for item in cards}
    waiting = sorted((item for item in known if item.run_id in places), key=lambda item: places[item.run_id])
    behind = [item for item in waiting if item.run_id not in shown]
    if not behind:
        return
    with st.expander(f"{len(behind)} {'run waits' if len(behind) == 1 else 'runs wait'}"):
        for item in behind[:_SHOWN]:
            _row(item, places[item.run_id])
        if (more := len(behind) - _SHOWN) > 0:
            st.caption(f"and {more} more that wait behind these.")
        to_cancel = [item for item in waiting if not item.run.cancel.exists()]
        if len(to_cancel) > 1 and may_train() and st.button(f"Cancel all {len(to_cancel)} that wait", key="cancel_all"):
            cancel_runs(to_cancel)


def _queued_with(item: RunView, waiting: Sequence[RunView]) -> list[RunView]:
    """The runs that would start once this one is cancelled, of the same pair or the same study."""
    study = study_of(item)
    return [] if study is None else [each for each in waiting if each != item and study_of(each) == study]


def _row(item: RunView, place: int) -> None:
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        words = "waits: next" if place == 1 else f"waits: place {place}"
        st.markdown(f"**{run_name(item)}**  \n{words}", width="stretch")
        if item.is_gan:
            gan_link(item, "GAN lab")
        if item.run.cancel.exists():
            st.button("Cancelling…", disabled=True, key=f"cancelling waiting {item.run_id}")
        elif may_train() and st.button("Cancel", key=f"cancel waiting {item.run_id}"):
            cancel_runs([item])
