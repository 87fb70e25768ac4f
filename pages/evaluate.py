"""Evaluate: the figures of a finished run, each with its interval, n and split."""

import streamlit as st

from pages.ui.cached import report_of
from pages.ui.components import about_run, cautions, open_tab, pick_finished_run, pick_split, predict_link, shown_errors
from pages.ui.evaluate.figures import figures, operating_point
from pages.ui.pictures import plain
from pages.ui.run_parts import facts
from pages.ui.state import require_frame
from pages.ui.table import show_rows
from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.evaluation.wording import STRESS_NOTE, percent, unbroken
from pneumo_core.records import Split
from pneumo_core.reporting.evaluation_tables import copies_words, without_stress
from pneumo_core.reporting.file_names import run_words
from pneumo_core.runs.status import read_events

require_frame()

VIEWS = ("Figures", "Right and wrong calls", "Curves", "Training", "Images", "Take away")

st.title("Evaluate")
with shown_errors():
    run, control = st.columns([5, 3], gap="medium")
    with run:
        view = pick_finished_run()
    report = report_of(view.run_id)
    known = [split for split in (Split.TEST, Split.VAL, Split.STRESS, Split.TRAIN) if split in report.splits]
    with control:
        split = pick_split(
            known, "split_shown", lambda split: unbroken(f"{split.value} (n = {report.splits[split].n:,})")
        )
    part = report.splits[split]
    copies = f", {copies_words(report)}," if split is Split.STRESS else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            unbroken(
                f"{part.n:,} images{copies} of {part.n_patients:,} patients, {part.n_pneumonia:,} of them PNEUMONIA: a "
                f"prevalence of {percent(part.n_pneumonia / part.n)}. Intervals are 95 %, clustered by patient."
            )
        )
        predict_link(view, "Classify an X-ray with this run")
    if split is Split.VAL:
        what = "The threshold was" if isinstance(view.config, EnsembleConfig) else "Epoch and threshold were"
        where = "these images" if report.operating_point.split is Split.VAL else "degraded copies of these images"
        st.info(f"{what} selected on {where}: figures are optimistic; report test figures.")
        if lacking := without_stress(report):
            st.caption(plain(lacking))
    if split is Split.STRESS:
        st.info(STRESS_NOTE)
    cautions(view)
    words = ("evaluate", *run_words(view.config, view.run_id))  # In the names of files.

    shown, tab = open_tab("show", VIEWS)
    with tab:
        match shown:
            case "Figures":
                figures(report, split)
                st.header("Operating point")
                operating_point(report, split)
            case "Right and wrong calls":
                from pages.ui.evaluate.charts import calls

                calls(report, split, (*words, split.value))
            case "Curves":
                from pages.ui.evaluate.charts import curves
                from pages.ui.evaluate.mistakes import predictions_of, probability_chart

                of = (*words, split.value)
                curves(report, split, of)
                probability_chart(predictions_of(view, report), report, split, of)
            case "Training" if isinstance(view.config, EnsembleConfig):
                st.info("An ensemble trains nothing: its members, which are listed below, have the curves.")
            case "Training":
                from pages.ui.evaluate.charts import training

                home = view.config.choose_on if isinstance(view.config, TrainConfig) else Split.VAL
                training(read_events(view.run), words, selected_on_test=report.selected_on_test, choose_on=home)
            case "Images":
                from pages.ui.evaluate.mistakes import mistakes, predictions_of

                mistakes(view, predictions_of(view, report), report, split)
            case "Take away":
                from pages.ui.evaluate.mistakes import downloads, predictions_of

                downloads(predictions_of(view, report), report, split, words)
                st.header("Details of the run")
                show_rows(facts(view))
                st.header("Methods")
                st.markdown(report.methods)
    about_run(view)
