"""Summary of a comparison: the verdict, every figure of both sides with its difference, and the tests."""

import pandas as pd
import streamlit as st

from pages.ui.cached import report_of
from pages.ui.pictures import plain
from pages.ui.places import beside, four_tiles
from pages.ui.table import show_rows, show_table, text_frame
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.comparison import Comparison, Finding
from pneumo_core.evaluation.metrics import classification_table
from pneumo_core.evaluation.significance import SeedDifference
from pneumo_core.evaluation.verdict import HEADLINE
from pneumo_core.evaluation.wording import NAMES, SCORES, difference_parts, estimate_text, p_text
from pneumo_core.records import Estimate, NotApplicable, Split, split_words
from pneumo_core.reference import COPIES
from pneumo_core.reporting import comparison_tables
from pneumo_core.reporting.document import Table
from pneumo_core.reporting.evaluation_tables import (
    classification,
    confusion,
    mean_classification,
    rates_on_test,
)
from pneumo_core.reporting.glossary import TERMS
from pneumo_core.runs.store import find_run
from pneumo_core.runs.submission import read_data

_TILE = 180
"""Least width of a main figure's tile, in pixels."""


def where(comparison: Comparison) -> str:
    """Split and n of the figures."""
    a, b = comparison.a, comparison.b
    split = split_words(comparison.split, selected=a.selected_on_test or b.selected_on_test)
    n = f"n = {a.n:,}" if a.n == b.n else f"n = {a.n:,} and {b.n:,}"
    return f"{split}, {n}"


def verdict(comparison: Comparison) -> None:
    """What else differs, the verdict, the main figures, and the limitations of it all."""
    if comparison.contrast.warning:
        st.warning(plain(comparison.contrast.warning), icon=":material/difference:")
    st.info(plain(comparison.verdict.sentence), icon=":material/balance:")
    for place, finding in zip(four_tiles(_TILE), comparison.verdict.findings, strict=True):
        with place:
            _tile(comparison, finding)
    st.caption("\n".join(f"- {plain(note)}" for note in (*comparison.verdict.notes, *_copies(comparison))))
    if comparison.split in {Split.VAL, Split.STRESS}:
        _beside_validation(comparison)


def _copies(comparison: Comparison) -> list[str]:
    """What is known of the copies of the data that the runs are on."""
    ids = {read_data(find_run(side.run_ids[0])).data_id for side in (comparison.a, comparison.b)}
    return [f"Trained and evaluated on {COPIES[data_id]} (data id {data_id})." for data_id in ids & COPIES.keys()]


def _beside_validation(comparison: Comparison) -> None:
    """Each run's rates on test, where nothing was selected; the notes say that those on validation are optimistic."""
    runs = [(letter, run) for letter, side in (("A", comparison.a), ("B", comparison.b)) for run in side.run_ids]
    lines = [f"- {letter}, {run}, {plain(rates_on_test(report_of(run)))}" for letter, run in runs]
    st.info("\n".join(["At the same thresholds:", "", *lines]))


def _tile(comparison: Comparison, finding: Finding) -> None:
    """The difference of a main figure, large; below it the conclusion, interval and p, and both sides."""
    metric = finding.metric
    found = comparison.differences[metric].estimate
    value, interval = ("n/a", "") if isinstance(found, NotApplicable) else difference_parts(metric, found)
    unit = "" if metric in SCORES else " points"
    st.metric(
        f"{NAMES[metric]}, B \N{MINUS SIGN} A",
        value,
        help=f"B minus A{', in percentage points' if unit else ''}, with the 95 % interval over patients and one p value: "
        f"{finding.test}. {TERMS[metric]}",
    )
    lines = [f"**{'Difference' if finding.claimed else 'No difference'} shown**, {p_text(finding.p)} ({finding.test})"]
    if not interval:
        lines = ["Not applicable"]
    else:
        lines.append(f"{interval}{unit} over patients")
    if isinstance(seeds := comparison.seeds[metric], SeedDifference):
        lines.append(f"{difference_parts(metric, seeds)[1]}{unit} over seeds")
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        estimate = side.figures[metric]
        lines.append(f"{letter} {'n/a' if isinstance(estimate, NotApplicable) else estimate_text(metric, estimate)}")
    st.caption("  \n".join((*lines, _place(comparison, found))))


def _place(comparison: Comparison, found: Estimate | NotApplicable) -> str:
    """Split and n of one figure's difference."""
    if isinstance(found, Estimate) and comparison.paired:
        return f"{where(comparison).rpartition(',')[0]}, n = {found.n:,}"
    return where(comparison)


def own_figures(a: tuple[str, ...], b: tuple[str, ...], split: Split) -> None:
    """Each run's own figures, which are at hand, while the comparison is computed."""
    rows = {}
    for letter, run_ids in (("A", a), ("B", b)):
        for run_id in run_ids:
            try:
                figures = report_of(run_id).splits[split].figures
            except (PneumoError, KeyError):
                return  # The comparison says what is wrong.
            rows[f"{letter}: {run_id}"] = {NAMES[metric]: estimate_text(metric, figures[metric]) for metric in HEADLINE}
    st.table(pd.DataFrame.from_dict(rows, orient="index"), alt="Figures of each run")
    st.caption(f"Each run's own figures ({split}), with 95 % intervals. The comparison follows.")


def figures_panel(comparison: Comparison) -> None:
    """Tables of both sides in the report's layout; folded, all figures and the tests."""
    here = where(comparison)
    st.header("Confusion matrices")
    _classification(comparison)
    several = len(comparison.a.run_ids) > 1 or len(comparison.b.run_ids) > 1
    if several:
        table = comparison_tables.confusions(comparison)
        st.markdown(f"**{plain(table.caption)}** · {here}")
        st.table(counts_of_runs(table), alt=f"{table.caption}, {here}")
    with st.expander("Every figure"):
        show_table(comparison_tables.figures(comparison), here)
    if several:
        with st.expander("Spread over seeds"):
            st.caption(
                "The variation over patients and over seeds is reported separately: they are two sources of uncertainty."
            )
            show_table(comparison_tables.seeds(comparison), here)
    with st.expander("Tests, run by run"):
        show_table(comparison_tables.agreement(comparison), here)
        show_table(comparison_tables.areas(comparison), here)
    with st.expander("Methods"):
        st.markdown(plain(comparison.methods))


def counts_of_runs(table: Table) -> pd.DataFrame:
    """Counts of each run, narrow enough for a phone: side and seed name the run, whose id is in the documents."""
    shown = text_frame(table)
    names = shown.pop("") + ", seed " + shown.pop("seed")
    return shown.drop(columns="run").set_index(names.rename(None))


def _classification(comparison: Comparison) -> None:
    for column, name, side in zip(beside(gap="large"), "AB", (comparison.a, comparison.b), strict=True):
        with column:
            runs = len(side.run_ids)
            of = "" if runs == 1 else f", mean of {runs} runs"
            st.markdown(f"**{name}: {plain(side.name)}** · {comparison.split.value}, n = {side.n:,}{of}")
            if runs == 1:
                # A table, since a chart would delay the page by loading its library.
                counts = side.confusions[0]
                show_rows(confusion(counts, f"Confusion matrix of {side.name}"))
                rows = classification_table(counts)
            else:
                rows = mean_classification(side)
            show_rows(classification(rows, f"Classification table of {side.name}"))
    st.caption("In the layout of the report of 2020: precision, recall and F1 of each class, and their means.")
