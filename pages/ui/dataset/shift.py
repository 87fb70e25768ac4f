"""The shift from train to test by class, and what the files alone tell beside the networks."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.dataset.networks import networks_beside
from pages.ui.table import show_table
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.opponent import Opponent
from pneumo_core.evaluation.shift import ClassShift
from pneumo_core.records import Label, NotApplicable
from pneumo_core.reporting.audit_tables import (
    MEASURE_WORDS,
    OPPONENT_WORDS,
    SHIFT_METHOD,
    opponent_table,
    shift_table,
)


def show_shift(shifts: Sequence[ClassShift | NotApplicable]) -> None:
    """A table of measures for each class."""
    st.header("Do test images differ from training images?", anchor=False)
    for label, shift in zip(Label, shifts, strict=True):
        if isinstance(shift, NotApplicable):
            st.caption(f"The shift of {label.name} is not known: {shift.reason}.")
        else:
            show_table(shift_table(shift), "train against test")
    with st.expander("How this is measured"):
        st.markdown("\n".join(f"- {words}" for words in MEASURE_WORDS) + f"\n\n{SHIFT_METHOD}")


def show_opponent(index: DataIndex, found: Opponent | NotApplicable) -> None:
    """The opponent above the networks that must beat it."""
    st.header("Does a network beat the file header?", anchor=False)
    if isinstance(found, NotApplicable):
        st.caption(f"Not known: {found.reason}.")
        return
    st.markdown(OPPONENT_WORDS)
    show_table(opponent_table(found, networks_beside(index.data_id)), "this data set")
