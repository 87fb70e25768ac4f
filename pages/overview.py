"""Overview: what the study found, and where to go next."""

import streamlit as st

from pages.ui.components import DISCLAIMER, data_badge, shown_errors
from pages.ui.known import no_data_note, show_official_counts
from pages.ui.overview.runs import show_runs
from pages.ui.overview.story import show_cards, show_forest
from pages.ui.overview.strip import show_strip
from pages.ui.state import current_index, require_frame
from pneumo_core.data.index import DataIndex
from pneumo_core.evaluation.wording import unbroken
from pneumo_core.records import Label, Split
from pneumo_core.reporting.glossary import TERMS

require_frame()


def show_counts(index: DataIndex) -> None:
    """The connected data in four numbers."""
    counts = index.counts()
    grid = st.grid(4, min_column_width=190)
    grid.metric("Images", f"{len(index.table):,}")
    grid.metric("Patients", f"{index.table['patient_id'].nunique():,}", help=TERMS["patient"])
    for split in (Split.TRAIN, Split.TEST):
        normal, pneumonia = (counts[split, label] for label in Label)
        grid.metric(f"{split.value}: NORMAL / PNEUMONIA", f"{normal:,} / {pneumonia:,}")


st.title("Can a small network tell pneumonia from a normal chest X-ray?")
st.markdown(
    unbroken(
        "A 2020 capstone report answered yes, with about 90 % accuracy, and found no gain from images that a DCGAN generated. "
        "This app repeats the study with patients kept apart and an interval beside every figure. Here is what it found."
    )
)
with shown_errors():
    show_cards()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if st.button("Try it on an X-ray", type="primary", icon=":material/radiology:"):
            st.switch_page("pages/predict.py")
        st.page_link("pages/dataset.py", label="Explore the data", icon=":material/photo_library:")
        st.page_link("pages/train.py", label="Train a model", icon=":material/model_training:")
    st.caption(DISCLAIMER)
    show_strip()
    show_forest()

    st.header("Runs")
    show_runs()

    st.header("Connected data")
    index = current_index()
    if index is None:
        no_data_note()
        show_official_counts()
    else:
        data_badge(index)
        show_counts(index)
