"""Evaluate: what a finished run's predictions say, every figure with its interval, its n and its split."""

import streamlit as st

from pages.ui.cached import report_of
from pages.ui.components import caveats, has_model, pick_finished_run, shown_errors
from pages.ui.evaluate.figures import figures, operating_point, pick_split, run_facts
from pages.ui.state import require_frame
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import Split
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import read_manifest

require_frame()

VIEWS = ("Figures", "Right and wrong calls", "Curves", "Training", "Images", "Take away")

st.title("Evaluate")
with shown_errors():
    view = pick_finished_run()
    report = report_of(view.run_id)
    split = pick_split(report)
    part = report.splits[split]
    st.caption(
        f"{part.n:,} images of {part.n_patients:,} patients, {part.n_pneumonia:,} of them PNEUMONIA: a prevalence of "
        f"{percent(part.n_pneumonia / part.n)}. Intervals are 95 %, clustered by patient."
    )
    if split is Split.VAL:
        st.info(
            "Validation chose this run's epoch, its learning rates and its threshold: these figures flatter. Quote test."
        )
    caveats(view)
    if has_model(view):
        st.page_link("pages/predict.py", label="Ask this run about an X-ray", query_params={"run": view.run_id})

    parts, calling, curved, trained, pictured, files = st.tabs(VIEWS, key="show", bind="query-params")
    # Each tab's code and content are loaded when it is opened: charts would keep the figures waiting.
    if parts.open:
        with parts:
            figures(report, split)
            st.subheader("Operating point")
            operating_point(report, split)
    if calling.open:
        with calling:
            from pages.ui.evaluate.charts import calls

            calls(report, split)
    if curved.open:
        with curved:
            from pages.ui.evaluate.charts import curves
            from pages.ui.evaluate.mistakes import predictions_of, probability_chart

            curves(report, split)
            probability_chart(predictions_of(view, report), report, split)
    if trained.open:
        with trained:
            from pages.ui.evaluate.charts import training

            training(read_events(view.run), selected_on_test=report.selected_on_test)
    if pictured.open:
        with pictured:
            from pages.ui.evaluate.mistakes import mistakes, predictions_of

            mistakes(view, predictions_of(view, report), report, split)
    if files.open:
        with files:
            from pages.ui.evaluate.mistakes import downloads, predictions_of

            downloads(view, predictions_of(view, report), report, split)
            st.subheader("Facts of the run")
            run_facts(view, read_manifest(view.run))
            st.subheader("How the figures were made")
            st.markdown(report.methods)
