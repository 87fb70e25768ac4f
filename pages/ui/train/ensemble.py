"""Making an ensemble: which runs it is of, and the button, or why they cannot be combined."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.cached import current_stored_index
from pages.ui.components import KEPT, run_name
from pages.ui.pictures import plain
from pages.ui.train.launch import run_button
from pneumo_core.config.ensemble import FEWEST, MOST
from pneumo_core.config.run import full_name
from pneumo_core.errors import PneumoError
from pneumo_core.inference.ensemble import combinable, ensemble_of
from pneumo_core.jobs.runs import Executor, RunView


def ensemble_panel(known: Sequence[RunView]) -> None:
    """The choice of the members, and the button that combines them.

    Args:
        known: Every run.

    Raises:
        PneumoError: The ensemble did not start.
    """
    st.caption(
        "An ensemble answers with the mean of several finished classifiers' logits, and shows the mean of their heat maps, "
        "each in units of its own full color. Its members must hold out the same patients: it validates on these."
    )
    by_id = {item.run_id: item for item in known}
    names = {run_id: run_name(by_id[run_id]) for run_id in combinable([item.run for item in known])}
    if len(names) < FEWEST:
        st.info(
            "An ensemble needs two finished classifiers that hold patients out and have their models. Train another one under "
            "'New run'."
        )
        return
    chosen = st.multiselect(
        "Members", names, format_func=names.__getitem__, key="members", max_selections=MOST, width="stretch", **KEPT
    )
    if len(chosen) < FEWEST:
        st.caption("Choose two runs or more.")
        return
    try:
        config, data_id = ensemble_of(chosen)
        index = current_stored_index(data_id)
    except PneumoError as error:
        # Nothing has failed: these runs do not go together, and others may.
        st.warning(plain(str(error)))
        return
    with st.container(border=True):
        st.caption(
            plain(f"{full_name(config)}. Threshold and calibration are chosen on degraded copies of validation.")
        )
        run_button(config, index, Executor.LOCAL)
