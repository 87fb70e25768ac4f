"""The DCGAN of the GAN lab: the run in the address, else the newest finished one of the connected data set."""

import streamlit as st

from pages.ui.address import bad_link
from pages.ui.components import STATE_COLORS, run_name, tab_button
from pages.ui.pictures import plain
from pneumo_core.data.gan_arm import collapse_of
from pneumo_core.data.index import DataIndex
from pneumo_core.jobs.runs import RunView, views
from pneumo_core.records import RunState
from pneumo_core.runs.files import is_there
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.status import run_state
from pneumo_core.runs.store import RunDirectory


def choose_gan(index: DataIndex | None) -> RunView | None:
    """The control that chooses a DCGAN's run, kept in the address; None where there is none.

    Args:
        index: The connected data set, if any is there: its own DCGANs come first.

    Raises:
        StoreError: The runs cannot be read.
    """
    known = {item.run_id: item for item in views() if item.is_gan}
    requested = st.query_params.get("run")
    if requested is not None and requested not in known:
        there = f"There {'is one' if len(known) == 1 else f'are {len(known)}'}; classifiers are under Train."
        bad_link("DCGAN run", requested, there, button="Open the usual one", names=["run"])
    if not known:
        return None
    usual = min(known, key=lambda name: _rank(known[name], index))
    chosen = st.selectbox(
        "DCGAN",
        list(known),
        index=list(known).index(requested or usual),
        format_func=lambda name: f"{run_name(known[name])} ({known[name].state.value})",
    )
    if st.query_params.get("run") != chosen:
        st.query_params["run"] = chosen
    item = known[chosen]
    if item.state is not RunState.SUCCEEDED:
        st.markdown(f":{STATE_COLORS[item.state]}-badge[{item.state.value}]")
    elif not item.problem and (collapse := collapse_of(item.run)):
        st.warning(plain(f"Its samples have collapsed: {collapse}."))
    return item


def training_data(item: RunView, index: DataIndex | None) -> None:
    """Which data the shown DCGAN was trained on, and whether they are not the connected ones."""
    data = item.data
    with st.container(horizontal=True, vertical_alignment="center"):
        if data.is_phantom:
            st.badge("trained on built-in phantoms: synthetic, not patients", icon=":material/science:", color="violet")
        else:
            st.badge(plain(f"trained on {data.name or 'X-rays'} · id {data.data_id or 'not recorded'}"), color="green")
        if index is None or data.data_id == index.data_id:
            return
        if index.is_phantom:
            dataset_link("Connect these data")
            return
    st.warning(
        plain(
            f"The connected data are others: {index.root.name} (id {index.data_id}). This DCGAN's training images cannot be "
            "shown; its samples and measures need none."
        )
    )
    dataset_link("Connect other data")


def dataset_link(label: str) -> None:
    """A link to where data are connected."""
    st.page_link("pages/dataset.py", label=label, icon=":material/database:", query_params={"view": "Connect data"})


def is_finished(run: RunDirectory, what: str) -> bool:
    """Whether a DCGAN has finished; if not, the page says so, and `what` needs it."""
    finished = is_there(run.manifest)
    if not finished:
        st.info(
            f"{what} needs a finished DCGAN. This one is {run_state(run).value}. 'Train' shows its progress and can resume it; "
            "'Samples' shows what it has generated so far."
        )
        tab_button("Show its training", "Train", is_primary=True)
    return finished


def _rank(item: RunView, index: DataIndex | None) -> tuple[bool, ...]:
    """Order: the recommended one, finished ones, those of the connected data set, those of X-rays, the newest."""
    is_other = index is None or item.data.data_id != index.data_id
    return item.run_id != recommended().dcgan, item.state is not RunState.SUCCEEDED, is_other, item.data.is_phantom
