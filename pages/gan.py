"""GAN lab: train a DCGAN, view its samples, compare them with real X-rays, and measure fidelity, diversity and memorization."""

import streamlit as st

from pages.ui.components import data_badge, open_tab, shown_errors, tab_button
from pages.ui.gan.runs import choose_gan, training_data
from pages.ui.state import current_index, needed_index, require_frame
from pages.ui.train.launch import take_started

require_frame()

VIEWS = ("Samples", "Real or generated", "Measures", "Copies", "Train")

st.title("GAN lab")
st.caption(
    "Generated images are synthetic: they are not X-rays of patients and not for diagnosis. Research and education only."
)
if take_started():
    st.session_state["show"] = VIEWS[4]
with shown_errors():
    index = current_index()
    view = choose_gan(index)
    if view:
        training_data(view, index)
        from pages.ui.gan.findings import show_findings

        show_findings(view.run)
    shown, tab = open_tab("show", VIEWS)
    if view is None and shown != "Train":
        st.info("There is no DCGAN yet. Train one: the preset 'quick' takes about a minute.")
        tab_button("Train a DCGAN", "Train", is_primary=True)
    with tab:
        match shown:
            case "Samples" if view:
                from pages.ui.gan.samples import samples_panel

                samples_panel(view.run, index)
            case "Real or generated" if view:
                from pages.ui.gan.game import game_panel

                game_panel(view.run, index)
            case "Measures" if view:
                from pages.ui.gan.measures import measures_panel

                measures_panel(view.run)
            case "Copies" if view:
                from pages.ui.gan.copies import copies_panel

                copies_panel(view.run, index)
            case "Train":
                from pages.ui.gan.train import live_panel, train_panel

                index = index or needed_index()
                data_badge(index)
                train_panel(index)
                if view:
                    live_panel(view)
