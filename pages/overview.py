"""Overview: what this is, what is connected, what has been trained, and where to go next."""

import pandas as pd
import streamlit as st

from pages.ui.cached import report_of
from pages.ui.components import DISCLAIMER, data_badge, run_name, shown_errors
from pages.ui.known import no_data_note, show_official_counts
from pages.ui.state import current_index, require_frame
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import percent_text, score_text
from pneumo_core.jobs.runs import RunView, views
from pneumo_core.records import Label, RunState, Split

require_frame()

_STEPS = (
    ("pages/dataset.py", "Dataset", "Look at the images and the traps in them, or connect your own copy."),
    ("pages/train.py", "Train", "Train the report's network, by its procedure or a sounder one."),
    ("pages/evaluate.py", "Evaluate", "Read a run's figures, each with its interval, n and split."),
    ("pages/predict.py", "Predict", "Ask a trained model about an X-ray and see where it looked."),
)


def run_row(view: RunView) -> dict[str, str]:
    """A classifier's run as a row, with its test figures once it is finished."""
    row = {
        "run": run_name(view),
        "state": view.state.value,
        "test accuracy": "",
        "test AUROC": "",
        "n": "",
        "selected on": "",
    }
    if view.state is not RunState.SUCCEEDED:
        return row
    try:
        report = report_of(view.run_id)
    except PneumoError as error:
        return {**row, "state": f"damaged: {error}"}
    if test := report.splits.get(Split.TEST):
        row |= {"test accuracy": percent_text(test.accuracy), "test AUROC": score_text(test.auroc), "n": f"{test.n:,}"}
    return {**row, "selected on": "test" if report.selected_on_test else "validation patients"}


def show_counts(index: DataIndex) -> None:
    """What is connected, in four numbers."""
    counts = index.counts()
    columns = st.columns(4)
    columns[0].metric("Images", f"{len(index.table):,}")
    columns[1].metric("Patients", f"{index.table['patient_id'].nunique():,}", help="By file name, prefixes kept apart.")
    for column, split in zip(columns[2:], (Split.TRAIN, Split.TEST), strict=True):
        normal, pneumonia = (counts[split, label] for label in Label)
        column.metric(f"{split.value}: NORMAL / PNEUMONIA", f"{normal:,} / {pneumonia:,}")


st.title("Pneumo Study")
st.markdown(
    "A 2020 capstone report trained two networks to tell pneumonia from normal chest X-rays of children, added images made by "
    "a DCGAN, and found about 90 % accuracy throughout. This app runs that study again, on your machine, with the care the "
    "figures need: patients kept apart, intervals beside every number, and the data set's traps in plain view."
)
st.caption(DISCLAIMER)
with shown_errors():
    st.subheader("Runs")
    known = views()
    if classifiers := [view for view in known if not view.is_gan]:
        st.dataframe(pd.DataFrame([run_row(view) for view in classifiers]), hide_index=True, width="stretch")
        st.caption(
            "Accuracy is at each run's own operating point, with 95 % intervals clustered by patient. "
            "Figures selected on test flatter the run."
        )
    else:
        st.info("No run yet. On Train, the quick preset takes about a minute.")
    if gans := len(known) - len(classifiers):
        st.page_link(
            "pages/gan.py", label=f"{gans} DCGAN{'s' if gans > 1 else ''}: samples and measures in the GAN lab"
        )

    st.subheader("Connected data")
    index = current_index()
    if index is None:
        no_data_note()
        show_official_counts()
    else:
        data_badge(index)
        show_counts(index)

st.subheader("Where to go next")
for column, (page, title, words) in zip(st.columns(4), _STEPS, strict=True):
    with column.container(border=True, height="stretch"):
        st.page_link(page, label=f"**{title}**")
        st.caption(words)
