"""Compare's look at the report of 2020: each of its numbers beside ours, the two protocols, and its inconsistencies."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.pictures import plain
from pneumo_core.config.classifier import TrainConfig
from pneumo_core.evaluation.against_report import (
    ParameterRow,
    Row,
    against_parameters,
    against_report,
    counterpart,
    protocol_notes,
)
from pneumo_core.evaluation.comparison import Comparison, Side
from pneumo_core.jobs.runs import RunView, view
from pneumo_core.records import Architecture, Estimate, NotApplicable, Split
from pneumo_core.reference import INCONSISTENCIES, REPORT_FIGURES, ReportRun
from pneumo_core.runs.store import read_manifest

_MODELS = {Architecture.BASELINE: "baseline CNN", Architecture.VGG16: "VGG16"}


def ours_against_report(comparison: Comparison) -> None:
    """Both sides beside the trainings of the report that they repeat, and where the report disagrees with itself."""
    st.caption(
        "The report of 2020 gives its figures to two decimals and without intervals. Its value counts as inside where "
        "anything that rounds to it lies in our 95 % interval. Class 0 is NORMAL, class 1 PNEUMONIA."
    )
    if comparison.split is not Split.TEST:
        st.info(
            f"The report's figures are of test images, and these are of {comparison.split.value}. Choose test above."
        )
    rows: list[pd.DataFrame] = []
    notes: dict[tuple[str, ...], str] = {}
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        asked = view(side.run_ids[0])
        st.subheader(f"{letter}: {plain(side.name)}")
        run = _counterpart(asked)
        if isinstance(run, NotApplicable):
            st.info(plain(f"{letter} has no counterpart in the report: {run.reason}."))
            continue
        if comparison.split is Split.TEST:
            rows.append(_side(letter, side, run))
            found = protocol_notes(selected_on_test=side.selected_on_test, n=side.n)
            notes[found] = f"{notes[found]} and {letter}" if found in notes else letter
        _parameters(letter, asked, run)
    if rows:
        st.subheader("Two protocols")
        for found, letters in notes.items():
            st.markdown("\n".join([f"Read {letters} with this:", "", *(f"- {plain(note)}" for note in found)]))
        st.download_button(
            "Ours against the report (CSV)",
            pd.concat(rows).to_csv(index=False),
            "against-the-report.csv",
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
        )
    with st.expander(f"Where the report disagrees with itself or its data ({len(INCONSISTENCIES)})"):
        for item in INCONSISTENCIES:
            st.markdown(
                f"**{plain(item.title)}.** {plain(item.says)}  \n*What is so:* {plain(item.so)}  \n"
                f"*Why it matters:* {plain(item.matters)}"
            )


def run_words(run: ReportRun) -> str:
    """A training of the report in words."""
    images = "original and generated images (section 5)" if run.balanced else "original images"
    return f"{_MODELS[run.architecture]}, {images}"


def report_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Figures of the report beside ours, for people."""

    def ours(row: Row) -> str:
        found = row.ours
        return "n/a" if isinstance(found, NotApplicable) else f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"

    def difference(row: Row) -> str:
        found = row.difference
        return "n/a" if isinstance(found, NotApplicable) else f"{found:+z.3f}".replace("-", "\N{MINUS SIGN}")

    columns = {
        "figure": [row.name for row in rows],
        "the report": [f"{row.report:.{row.decimals}f}" for row in rows],
        "ours": [ours(row) for row in rows],
        "ours - the report": [difference(row) for row in rows],
        "the report's value is": [row.words for row in rows],
        "place": [row.place for row in rows],
    }
    return pd.DataFrame(columns)


def numbers_frame(letter: str, side: Side, rows: Sequence[Row]) -> pd.DataFrame:
    """The same as numbers in full precision, a row for each figure."""

    def numbers(found: Estimate | NotApplicable) -> dict[str, Any]:
        if isinstance(found, NotApplicable):
            return dict.fromkeys(("ours", "low", "high", "n")) | {"not applicable": found.reason}
        return {"ours": found.value, "low": found.low, "high": found.high, "n": found.n, "not applicable": ""}

    lines = [
        {
            "side": letter,
            "name": side.name,
            "figure": row.name,
            "place": row.place,
            "report": row.report,
            **numbers(row.ours),
            "difference": None if isinstance(row.difference, NotApplicable) else row.difference,
            "inside": None if isinstance(row.inside, NotApplicable) else row.inside,
        }
        for row in rows
    ]
    return pd.DataFrame(lines)


def others_frame(run: ReportRun, side: Side) -> pd.DataFrame:
    """What else the report says of a training: counts and what was set, with ours where there is one number for it."""
    ours: Mapping[str, int] = {
        "support 0": side.n - side.n_pneumonia,
        "support 1": side.n_pneumonia,
        "support": side.n,
    }
    if len(side.confusions) == 1:
        counts = side.confusions[0]
        ours = {**ours, "true 0": counts.tn, "false 1": counts.fp, "false 0": counts.fn, "true 1": counts.tp}
    compared = {row.name for row in against_report({}, run)}
    found = [figure for figure in REPORT_FIGURES if figure.run == run and figure.name not in compared]
    columns = {
        "number": [figure.name for figure in found],
        "the report": [
            f"{'about ' if figure.is_approximate else ''}{figure.value:,.{figure.decimals}f}" for figure in found
        ],
        "ours": [f"{ours[figure.name]:,}" if figure.name in ours else "" for figure in found],
        "place": [figure.place for figure in found],
    }
    return pd.DataFrame(columns)


def parameters_frame(rows: Sequence[ParameterRow]) -> pd.DataFrame:
    """Parameters of the report's network and ours."""

    def equal(row: ParameterRow) -> str:
        return "n/a" if isinstance(row.equal, NotApplicable) else "equal" if row.equal else "different"

    columns = {
        "parameters": [row.name for row in rows],
        "the report": [f"{row.report:,}" for row in rows],
        "ours": ["n/a" if isinstance(row.ours, NotApplicable) else f"{row.ours:,}" for row in rows],
        "which are": [equal(row) for row in rows],
        "place": [row.place for row in rows],
    }
    return pd.DataFrame(columns)


def _counterpart(asked: RunView) -> ReportRun | NotApplicable:
    if asked.data.is_phantom:
        return NotApplicable("it was trained and tested on phantoms, which are drawings, and the report on X-rays")
    if not isinstance(asked.config, TrainConfig):
        return NotApplicable("what it was asked cannot be read")
    return counterpart(asked.config)


def _side(letter: str, side: Side, run: ReportRun) -> pd.DataFrame:
    runs = "" if len(side.run_ids) == 1 else f", mean of {len(side.run_ids)} runs"
    where = f"test{', selected on test' if side.selected_on_test else ''}, n = {side.n:,}{runs}"
    rows = against_report(side.figures, run)
    inside = [row.inside for row in rows if not isinstance(row.inside, NotApplicable)]
    st.markdown(
        f"Beside the report's **{run_words(run)}**, n = 624. Ours: {where}. Of {len(inside)} figures that both have, "
        f"**{sum(inside)} of the report's lie inside** our intervals."
    )
    st.dataframe(
        report_frame(rows),
        hide_index=True,
        width="stretch",
        height="content",
        alt=f"{letter} beside the report, {where}",
    )
    with st.expander(f"What else the report says of this training, beside {letter}"):
        st.dataframe(
            others_frame(run, side),
            hide_index=True,
            width="stretch",
            alt=f"Other numbers of the report, beside {letter}",
        )
    return numbers_frame(letter, side, rows)


def _parameters(letter: str, asked: RunView, run: ReportRun) -> None:
    rows = against_parameters(read_manifest(asked.run), run.architecture)
    st.table(parameters_frame(rows), hide_index=True, alt=f"Parameters of {letter} and of the report's network")
