"""Deletion of a run: the button, the question with what refers to the run, and the message afterwards."""

import streamlit as st

from pages.ui.components import run_name, show_error
from pages.ui.pictures import plain
from pages.ui.state import may_train
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import file_size
from pneumo_core.jobs.delete import Deletion, delete, deletion
from pneumo_core.jobs.runs import RunView

_OUTCOME = "outcome_of_deletion"
_SHOWN = 8


def deletion_message() -> None:
    """Say once that a run was deleted, or why it was not."""
    words, error = st.session_state.pop(_OUTCOME, ("", ""))
    if error:
        show_error(error)
    elif words:
        st.success(plain(words), icon=":material/delete:")


def delete_button(item: RunView) -> None:
    """The button that asks whether a run is to be deleted; a live run has none, and a published one says why not."""
    if item.state.is_live or not may_train():
        return
    words = "It ships with the project and cannot be deleted." if item.run.is_published else None
    disabled = item.run.is_published
    if st.button("Delete this run…", icon=":material/delete:", key="delete", disabled=disabled, help=words):
        _ask(item)


@st.dialog("Delete this run?")
def _ask(item: RunView) -> None:
    if _OUTCOME in st.session_state:
        st.rerun()  # The page says it.
    try:
        found = deletion(item.run_id)
    except PneumoError as error:
        show_error(error)
        return
    st.markdown(f"**{run_name(item)}**  \n{plain(item.run_id)}, {file_size(found.size_bytes)} of disk.")
    _say_references(found)
    with st.container(horizontal=True):
        # First and primary: what the Enter key of somebody in a hurry must not do is the other.
        if st.button("Keep it", type="primary", key="delete_not"):
            st.rerun()
        st.button("Delete", key="delete_now", on_click=_delete, args=(item,))


def _say_references(found: Deletion) -> None:
    if found.is_published_too:
        st.info("The published run of the same id stays, and is shown in its place.")
    if not found.references:
        st.caption("No other run refers to it. It can only be made again by training it again.")
        return
    lines = [f"- {each.run_id} {plain(each.words)}" for each in found.references[:_SHOWN]]
    if (more := len(found.references) - _SHOWN) > 0:
        lines.append(f"- and {more} more")
    st.warning("\n".join(["These runs refer to it, and stay:", "", *lines]))


def _delete(item: RunView) -> None:
    try:
        delete(item.run_id)
    except PneumoError as error:
        st.session_state[_OUTCOME] = "", str(error)
        return
    st.session_state[_OUTCOME] = f"Deleted: {run_name(item)}.", ""
    if st.query_params.get("run") == item.run_id:
        del st.query_params["run"]
    if st.session_state.get("chosen_run") == item.run_id:  # Of Evaluate and Predict.
        del st.session_state["chosen_run"]
