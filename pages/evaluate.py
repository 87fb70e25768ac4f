"""Evaluate: what a finished run's predictions say, every figure with its interval, its n and its split."""

import streamlit as st

from pages.ui.cached import report_of
from pages.ui.components import caveats, has_model, pick_finished_run, shown_errors
from pages.ui.evaluate import calls, curves, figures, operating_point, pick_split, run_facts, training
from pages.ui.mistakes import downloads, mistakes, probability_chart
from pages.ui.state import require_frame
from pages.ui.tables import with_probability
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.records import Split
from pneumo_core.status import read_events
from pneumo_core.store import read_manifest

require_frame()

st.title("Evaluate")
with shown_errors():
    view = pick_finished_run()
    report = report_of(view.run_id)
    split = pick_split(report)
    part = report.splits[split]
    st.caption(
        f"{part.n:,} images of {part.n_patients:,} patients, {part.n_pneumonia:,} of them PNEUMONIA: a prevalence of "
        f"{part.n_pneumonia / part.n:.1%}. Intervals are 95 %, clustered by patient."
    )
    if split is Split.VAL:
        st.info(
            "Validation chose this run's epoch, its learning rates and its threshold: these figures flatter. Quote test."
        )
    caveats(view)
    if has_model(view):
        st.page_link("pages/predict.py", label="Ask this run about an X-ray", query_params={"run": view.run_id})

    st.subheader("Figures")
    figures(report, split)
    st.subheader("Operating point")
    operating_point(report, split)
    st.subheader("Right and wrong calls")
    calls(report, split)
    st.subheader("Curves")
    curves(report, split)
    st.subheader("Training history")
    training(read_events(view.run), selected_on_test=report.selected_on_test)

    predicted = with_probability(read_predictions(view.run), report.operating_point.threshold)
    st.subheader("Probabilities")
    probability_chart(predicted, report, split)
    st.subheader("Images")
    mistakes(view, predicted, report, split)

    st.subheader("Take it with you")
    downloads(view, predicted, report, split)
    with st.expander("Facts of the run"):
        run_facts(view, read_manifest(view.run))
    with st.expander("How the figures were made"):
        st.markdown(report.methods)
