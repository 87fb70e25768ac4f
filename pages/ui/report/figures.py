"""The report's figures beside ours, its other numbers, and the two protocols."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pages.ui.address import bad_link
from pages.ui.cached import side_of_runs
from pages.ui.pictures import plain
from pages.ui.table import download_table, show_table, text_frame
from pneumo_core.config.naming import NETWORKS
from pneumo_core.evaluation.against_report import against_report, counterpart, metric_of, protocol_notes
from pneumo_core.evaluation.comparison import Side
from pneumo_core.inference.compared import Group, groups
from pneumo_core.records import NotApplicable, Split, split_words
from pneumo_core.reference import REPORT_FIGURES, REPORT_RUNS, ReportRun
from pneumo_core.reporting.file_names import side_words
from pneumo_core.reporting.published_results import OFFICIAL_IMAGES
from pneumo_core.reporting.reference_blocks import parameters_table, report_table
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest
from pneumo_core.runs.submission import classifier_config


def figures_panel() -> None:
    """Runs of ours beside the training of the report that they reproduce, and the two protocols."""
    st.caption(
        "The report gives its figures to two decimals and without intervals. Its value counts as inside if a value that rounds "
        "to it lies in our 95 % interval. Class 0 is NORMAL, class 1 PNEUMONIA."
    )
    known = {group.run_ids: run for group in groups() if not isinstance(run := _counterpart(group), NotApplicable)}
    if not known:
        st.info("No finished run reproduces a training of the report. Train one on X-rays with the preset 'report'.")
        st.page_link("pages/train.py", label="Go to Train", icon=":material/model_training:")
        return
    chosen = _choose(known)
    show_beside_report(side_of_runs(chosen), known[chosen], find_run(chosen[0]))


def show_beside_report(side: Side, run: ReportRun, directory: RunDirectory) -> None:
    """One side beside the training of the report that it reproduces."""
    found = [row.inside for row in against_report(side.figures, run) if not isinstance(row.inside, NotApplicable)]
    st.markdown(
        f"Beside the report's **{run_words(run)}**, n = {OFFICIAL_IMAGES}. Of {len(found)} common figures, **{sum(found)} of "
        "the report's lie inside** our intervals."
    )
    table = report_table("Ours", side, run)
    show_table(table, split_words(Split.TEST, selected=side.selected_on_test))
    download_table(table, "report", *side_words([classifier_config(find_run(run_id)) for run_id in side.run_ids]))
    parameters = parameters_table("Ours", read_manifest(directory), run)
    st.table(text_frame(parameters), hide_index=True, alt=parameters.caption)
    with st.expander("Other numbers of the report on this training"):
        st.dataframe(others_frame(run, side), hide_index=True, alt="Other numbers of the report")
    st.header("Two protocols")
    notes = protocol_notes(selected_on_test=side.selected_on_test, n=side.n)
    st.markdown("\n".join(f"- {plain(note)}" for note in notes))


def _choose(known: Mapping[tuple[str, ...], ReportRun]) -> tuple[str, ...]:
    """The runs to show, in the address (``?ours=ID,ID``)."""
    names = {group.run_ids: _name(group) for group in groups()}
    texts = {",".join(ids): ids for ids in known}
    requested = st.query_params.get("ours")
    if requested is not None and requested not in texts:
        there = f"There are {len(texts)} runs or groups of runs that reproduce a training of the report."
        bad_link("such group of runs", requested, there, button="Show the first", names=["ours"])
    first = min(known, key=lambda ids: ("report" not in names[ids], REPORT_RUNS.index(known[ids])))
    place = list(known).index(texts[requested] if requested else first)
    chosen = st.selectbox("Our runs", list(known), index=place, format_func=names.__getitem__)
    st.query_params["ours"] = ",".join(chosen)
    return chosen


def _name(group: Group) -> str:
    count = len(group.seeds)
    return f"{group.name} · " + (f"{count} seeds" if count > 1 else f"seed {group.seeds[0]} · {group.run_ids[0][-6:]}")


def run_words(run: ReportRun) -> str:
    """Name of a training of the report."""
    images = "original and generated images (section 5)" if run.balanced else "original images"
    return f"{NETWORKS[run.architecture]}, {images}"


def others_frame(run: ReportRun, side: Side) -> pd.DataFrame:
    """Other numbers of the report on a training: counts and settings, with ours if there is a single number."""
    ours: Mapping[str, int] = {
        "support 0": side.n - side.n_pneumonia,
        "support 1": side.n_pneumonia,
        "support": side.n,
    }
    if len(side.confusions) == 1:
        counts = side.confusions[0]
        ours = {**ours, "true 0": counts.tn, "false 1": counts.fp, "false 0": counts.fn, "true 1": counts.tp}
    found = [figure for figure in REPORT_FIGURES if figure.run == run and metric_of(figure) is None]
    columns = {
        "number": [figure.name for figure in found],
        "the report": [
            f"{'about ' if figure.is_approximate else ''}{figure.value:,.{figure.decimals}f}" for figure in found
        ],
        "ours": [f"{ours[figure.name]:,}" if figure.name in ours else "" for figure in found],
        "place": [figure.place for figure in found],
    }
    return pd.DataFrame(columns)


def _counterpart(group: Group) -> ReportRun | NotApplicable:
    """The training of the report that a group reproduces; see `against_report.counterpart`."""
    return counterpart(classifier_config(find_run(group.run_ids[0])), is_phantom=group.is_phantom)
