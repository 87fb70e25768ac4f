"""Compare's view of the report of 2020: its figures beside ours, the two protocols, and its inconsistencies."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pages.ui.pictures import plain
from pages.ui.table import download_table, show_table, text_frame
from pneumo_core.config.classifier import TrainConfig
from pneumo_core.evaluation.against_report import against_report, counterpart, metric_of, protocol_notes
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.jobs.runs import RunView, view
from pneumo_core.records import Architecture, NotApplicable, Split
from pneumo_core.reference import INCONSISTENCIES, REPORT_FIGURES, ReportRun
from pneumo_core.reporting.document import Table
from pneumo_core.reporting.reference_blocks import parameters_table, report_table
from pneumo_core.runs.store import read_manifest

_MODELS = {Architecture.BASELINE: "baseline CNN", Architecture.VGG16: "VGG16"}


def ours_against_report(comparison: Comparison) -> None:
    """Both sides beside the trainings of the report that they reproduce, and the report's inconsistencies."""
    st.caption(
        "The report of 2020 gives its figures to two decimals and without intervals. Its value counts as inside if "
        "a value that rounds to it lies in our 95 % interval. Class 0 is NORMAL, class 1 PNEUMONIA."
    )
    if comparison.split is not Split.TEST:
        st.info(
            f"The report's figures are from test images, and these are from {comparison.split.value}. Choose test above."
        )
    made: list[Table] = []
    notes: dict[tuple[str, ...], str] = {}
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        run_view = view(side.run_ids[0])
        st.subheader(f"{letter}: {plain(side.name)}")
        run = _counterpart(run_view)
        if isinstance(run, NotApplicable):
            st.info(plain(f"{letter} has no counterpart in the report: {run.reason}."))
            continue
        if comparison.split is Split.TEST:
            made.append(_side(letter, side, run))
            found = protocol_notes(selected_on_test=side.selected_on_test, n=side.n)
            notes[found] = f"{notes[found]} and {letter}" if found in notes else letter
        parameters = parameters_table(letter, read_manifest(run_view.run), run)
        st.table(text_frame(parameters), hide_index=True, alt=parameters.caption)
    if made:
        st.subheader("Two protocols")
        for found, letters in notes.items():
            st.markdown("\n".join([f"Notes on {letters}:", "", *(f"- {plain(note)}" for note in found)]))
        for table in made:
            download_table(table)
    with st.expander(f"Inconsistencies of the report ({len(INCONSISTENCIES)})"):
        for item in INCONSISTENCIES:
            st.markdown(
                f"**{plain(item.title)}.** {plain(item.says)}  \n*Facts:* {plain(item.so)}  \n"
                f"*Consequence:* {plain(item.matters)}"
            )


def run_words(run: ReportRun) -> str:
    """Name of a training of the report."""
    images = "original and generated images (section 5)" if run.balanced else "original images"
    return f"{_MODELS[run.architecture]}, {images}"


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


def _counterpart(run_view: RunView) -> ReportRun | NotApplicable:
    if not isinstance(run_view.config, TrainConfig):
        return NotApplicable("its config cannot be read")
    return counterpart(run_view.config, is_phantom=run_view.data.is_phantom)


def _side(letter: str, side: Side, run: ReportRun) -> Table:
    selected = ", selected on test" if side.selected_on_test else ""
    found = [row.inside for row in against_report(side.figures, run) if not isinstance(row.inside, NotApplicable)]
    st.markdown(
        f"Beside the report's **{run_words(run)}**, n = 624. Of {len(found)} common figures, **{sum(found)} of the "
        "report's lie inside** our intervals."
    )
    table = report_table(letter, side, run)
    show_table(table, f"test{selected}")
    with st.expander(f"Other numbers of the report on this training, beside {letter}"):
        alt = f"Other numbers of the report, beside {letter}"
        st.dataframe(others_frame(run, side), hide_index=True, alt=alt)
    return table
