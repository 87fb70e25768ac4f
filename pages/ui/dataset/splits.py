"""The splits: which case numbers lie where, what they share, the shift from train to test, and splits of one's own."""

import plotly.graph_objects as go
import streamlit as st

from pages.ui.charts import laid_out
from pages.ui.dataset.map import SPLIT_COLORS
from pages.ui.dataset.resplit import show_resplits
from pages.ui.dataset.shift import show_opponent, show_shift
from pneumo_core.data.anatomy import SERIES, blocks, cases, images_per_patient, ticks
from pneumo_core.data.audit.check import counted
from pneumo_core.data.audit.leaks import leaks
from pneumo_core.data.index import DataIndex
from pneumo_core.inference.audited import stored_measured
from pneumo_core.records import FOLDERS, Split
from pneumo_core.reporting.audit_tables import patient_words

_TICK = {"symbol": "line-ns-open", "size": 12, "line": {"width": 1}}


def show_splits(index: DataIndex) -> None:
    """Blocks of case numbers first: a test split that is a block is no random sample."""
    _show_blocks(index)
    _show_patients(index)
    found = stored_measured(index)
    if found is None:
        st.info("The shift from train to test is not known yet: measure the images under 'Audit'.")
    else:
        show_shift(found.shift)
        show_opponent(index, found.opponent)
    show_resplits(index)


def _show_blocks(index: DataIndex) -> None:
    st.header("Which case numbers are in which split?", anchor=False)
    found = cases(index.table)
    if found.empty:
        st.caption("The patients of this data set have no numbers.")
        return
    runs = blocks(found)
    figure = go.Figure()
    drawn, width = ticks(found)
    for split in FOLDERS:
        part = drawn[drawn["split"] == split.value]
        figure.add_scatter(
            x=part["number"],
            y=part["series"].map(SERIES),
            mode="markers",
            name=split.value,
            marker={**_TICK, "color": SPLIT_COLORS[split.value]},
            customdata=part["images"],
            hovertemplate="%{y} %{x}: %{customdata} images in " + split.value + "<extra></extra>",
        )
    figure.update_xaxes(title="case number")
    figure.update_yaxes(autorange="reversed")
    laid_out(figure, 90 + 42 * found["series"].nunique(), 1.08, top=8)
    st.plotly_chart(
        figure,
        config={"displayModeBar": False},
        alt="Case numbers by series, a tick each, colored by split; the table has the blocks.",
    )
    tests = runs[runs["split"] == Split.TEST.value]
    share = tests["patients"].sum() / max(1, len(tests))
    tick = "a patient" if width == 1 else f"{width} consecutive numbers or fewer"
    words = f"A tick is {tick}; the numbers of each series are its own."
    if len(tests):
        words += (
            f" The {counted(int(tests['patients'].sum()), 'patient')} of test with a number lie in "
            f"{counted(len(tests), 'block')} of consecutive numbers, {share:.0f} on average."
        )
    if share > 5:
        words += " Such a split is no random sample: what changed with time differs between train and test."
    st.caption(words)
    with st.expander("The blocks as a table"):
        shown = runs.assign(series=runs["series"].map(SERIES)).rename(columns={"first": "from", "last": "to"})
        st.dataframe(shown, hide_index=True, alt="Blocks of consecutive case numbers in one split")


def _show_patients(index: DataIndex) -> None:
    st.header("Do the splits share patients?", anchor=False)
    st.markdown(" ".join(patient_words(tuple(leaks(index)))))
    with st.expander("Images per patient"):
        st.dataframe(
            images_per_patient(index.table), hide_index=True, alt="Number of patients by number of their images"
        )
        st.caption("Images of one patient are not independent: intervals in this app are over patients.")
