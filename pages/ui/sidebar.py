"""The foot of the sidebar: connected data, the active run, what the app is for, and about it."""

import streamlit as st

from pages.ui.cached import current_default_index, current_stored_index
from pages.ui.components import DISCLAIMER, gan_link, run_name
from pages.ui.pictures import plain
from pneumo_core import __version__
from pneumo_core.data.index import DataIndex
from pneumo_core.data.source import connected_id
from pneumo_core.errors import PneumoError
from pneumo_core.jobs.runs import RunView
from pneumo_core.jobs.views import live_views
from pneumo_core.runs.status import read_events

_ABOUT = """
**What it is.** An open repetition of a 2020 capstone report, *CNN for Detecting Pneumonia from X-ray Images* (M. Balik), with
patients kept apart, an interval beside every figure, and the report's claims checked one by one. {disclaimer}

**The data.** Chest X-rays of children from one hospital: D. Kermany, K. Zhang, M. Goldbaum, *Labeled Optical Coherence
Tomography (OCT) and Chest X-Ray Images for Classification*, Mendeley Data, v2 (2018),
[doi:10.17632/rscbjbr9sj.2](https://doi.org/10.17632/rscbjbr9sj.2), license
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Published here are predictions and models; no X-ray ships with the
app. Phantoms and generated images are synthetic and always marked as such.

**Your uploads.** An X-ray that you upload is kept in this server's memory while you view it. It is never written to disk,
logged or cached, and no other visitor can see it.

**The code.** Open source under the Apache License 2.0. All of it is in the folder that this app runs from: `README.md` says how
to run it on your own machine, `docs/` how everything is computed. Version {version}.
"""


def show_sidebar() -> None:
    """The sidebar's foot, on every page."""
    with st.sidebar:
        st.caption(_data_text())
        live = live_views()
        st.fragment(_show_live, run_every="2s" if live else None)()
        st.caption(f"{DISCLAIMER} Version {__version__}.")
        if st.button("About", icon=":material/info:", type="tertiary", key="about"):
            _about()


def _data_text() -> str:
    """The connected data with its size, from what is at hand."""
    try:
        index = _known_index()
    except PneumoError:
        return "Data: cannot be read, see Dataset"
    if index is None:
        return "Data: none connected"
    name = "phantoms (synthetic)" if index.is_phantom else plain(index.root.name)
    return f"Data: {name}, {len(index.table):,} images of {index.table['patient_id'].nunique():,} patients"


def _known_index() -> DataIndex | None:
    chosen = connected_id()
    return current_default_index() if chosen is None else current_stored_index(chosen)


def _show_live() -> None:
    """The run that works now, with its progress and a link, and how many wait."""
    try:
        live = live_views()
    except PneumoError:
        return
    if not live:
        return
    working = [item for item in live if item.status and item.status.steps] or live
    item = working[-1]
    # A module of the Train page, which loads with the first live run.
    from pages.ui.train.runs import stage

    fraction, words = stage(item, read_events(item.run))
    st.progress(fraction, plain(words))
    _link(item)
    if len(live) > 1:
        st.caption(f"{len(live) - 1} more waiting or working")


def _link(item: RunView) -> None:
    st.caption(plain(run_name(item)))  # A link's label would be cut off where a name wraps.
    if item.is_gan:
        gan_link(item, "Open it")
    else:
        st.page_link("pages/train.py", label="Open it", query_params={"run": item.run_id})


@st.dialog("About Pneumo Study", width="large")
def _about() -> None:
    st.markdown(_ABOUT.format(version=__version__, disclaimer=DISCLAIMER))
