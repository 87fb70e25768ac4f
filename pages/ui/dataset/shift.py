"""The shift from train to test by class, and what the files alone tell beside the networks."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.dataset.networks import networks_beside
from pages.ui.table import show_table
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import MEASURES, value_of
from pneumo_core.evaluation.opponent import SEES, Opponent
from pneumo_core.evaluation.shift import ClassShift
from pneumo_core.evaluation.wording import p_cell, score_text
from pneumo_core.records import Label, NotApplicable
from pneumo_core.reporting.document import Table


def show_shift(shifts: Sequence[ClassShift | NotApplicable]) -> None:
    """A table of measures for each class."""
    st.header("Do test images differ from training images?", anchor=False)
    for label, shift in zip(Label, shifts, strict=True):
        if isinstance(shift, NotApplicable):
            st.caption(f"{label.name}: not known, since {shift.reason}.")
            continue
        rows = tuple(
            (
                test.measure,
                value_of(test.measure, test.train),
                value_of(test.measure, test.test),
                f"{test.distance:.2f}",
                p_cell(test.p),
            )
            for test in shift.measures
        )
        caption = (
            f"{label.name}, {shift.n_train:,} images of train and {shift.n_test:,} of test. All measures together tell them "
            f"apart with an AUROC of {score_text(shift.auroc)}; .5 is no difference."
        )
        columns = ("measure", "train, mean", "test, mean", "distance", "p")
        show_table(Table(f"shift_{label.name}", caption, columns, rows), "train against test")
    with st.expander("How this is measured"):
        st.markdown(
            "\n".join(f"- **{name}**: {words}" for name, words in MEASURES.items())
            + "\n\nMeans, the distance (Kolmogorov-Smirnov, 0 to 1) and p, adjusted for all measures of both classes by Holm's "
            "method, are of one image a patient. The AUROC is that of a logistic model of all measures, each patient scored by "
            "a model that was fitted without it (classifier two-sample test), with a 95 % interval over patients."
        )


def show_opponent(index: DataIndex, found: Opponent | NotApplicable) -> None:
    """The opponent above the networks that must beat it."""
    st.header("Does a network beat the file header?", anchor=False)
    if isinstance(found, NotApplicable):
        st.caption(f"Not known: {found.reason}.")
        return
    st.markdown(
        f"The opponent sees no picture, only {SEES}. A network that does not beat it may have learned how files were made."
        + (" These files are copies of one size: the originals may tell more." if found.one_size else "")
    )
    rows = [("the files alone", score_text(found.held_out), score_text(found.test)), *networks_beside(index.data_id)]
    columns = ("model", "AUROC, held-out patients", "AUROC, test")
    caption = (
        "AUROC with 95 % intervals over patients; networks that were trained on this data set, the best on test first"
    )
    show_table(Table("opponent", caption, columns, tuple(rows)), "this data set")
