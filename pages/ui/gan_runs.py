"""Which DCGAN the GAN lab is about: the run in the address, else the newest that is finished."""

import streamlit as st

from pages.ui.components import STATE_COLOURS, run_name
from pages.ui.pictures import plain
from pneumo_core.jobs.runs import RunView, views
from pneumo_core.records import RunState

_PREFIX = "dcgan-"


def choose_gan() -> RunView | None:
    """The control that chooses a DCGAN's run, kept in the address; None where there is none.

    Raises:
        StoreError: The runs cannot be read.
    """
    known = {item.run_id: item for item in views() if item.run_id.startswith(_PREFIX)}
    asked = st.query_params.get("run")
    if asked is not None and asked not in known:
        st.warning(
            plain(f"No DCGAN's run is called {asked!r}. The list has all that there are; classifiers are under Train.")
        )
        asked = None
    if not known:
        return None
    finished = [name for name, item in known.items() if item.state is RunState.SUCCEEDED]
    usual = (finished or list(known))[0]
    chosen = st.selectbox(
        "DCGAN",
        list(known),
        index=list(known).index(asked or usual),
        format_func=lambda name: f"{run_name(known[name])} ({known[name].state.value})",
    )
    if st.query_params.get("run") != chosen:
        st.query_params["run"] = chosen
    item = known[chosen]
    if item.state is not RunState.SUCCEEDED:
        st.markdown(f":{STATE_COLOURS[item.state]}-badge[{item.state.value}]")
    return item
