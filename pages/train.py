"""Train: choose a config, see its cost, combine finished runs, follow the run live, cancel, resume, or open a finished run."""

import streamlit as st

from pages.ui.components import data_badge, open_linked_tab, open_tab, shown_errors
from pages.ui.known import show_preset_results
from pages.ui.state import current_index, needed_index, require_frame
from pages.ui.train.architecture import network_panel
from pages.ui.train.chosen import chosen_panel
from pages.ui.train.ensemble import ensemble_panel
from pages.ui.train.launch import launch_panel, take_started
from pages.ui.train.queue import live_panel
from pages.ui.train.remove import deletion_message
from pages.ui.train.runs import runs_table
from pneumo_core.jobs.runs import views

require_frame()

RUNS = "Runs"
VIEWS = ("New run", "Ensemble", RUNS, "The network")

st.title("Train")
shown = st.query_params.get("run")
open_linked_tab("show", RUNS, named="run")
if take_started():
    st.session_state["show"] = RUNS
with shown_errors():
    index = current_index()
    if index is not None:
        data_badge(index)
    deletion_message()
    known = views()
    live_panel(known)
    opened, tab = open_tab("show", VIEWS)
    with tab:
        match opened:
            case "New run":
                if index is None:
                    place = st.container()
                    show_preset_results()
                    with place:  # Below the table, a phone would not show that something goes on.
                        needed_index()
                else:
                    launch_panel(index)
                    show_preset_results()
            case "Ensemble":
                ensemble_panel(known)
            case "Runs":
                if shown:
                    chosen_panel(shown, known)
                if known:
                    st.header("All runs")
                    runs_table(known)
                else:
                    st.info("No run yet. Start one under 'New run': the quick preset takes about a minute.")
            case "The network":
                network_panel()
