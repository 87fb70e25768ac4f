"""The first look at a comparison: the verdict, every figure of both sides with its difference, and the tests."""

import streamlit as st

from pages.ui.compare.tables import (
    change,
    confusion_table,
    counts_frame,
    figures_frame,
    mean_table,
    p_short,
    pairs_frame,
    reasons,
    short,
)
from pages.ui.pictures import plain
from pages.ui.tables import table_frame
from pneumo_core.evaluation.comparison import Comparison
from pneumo_core.evaluation.figures import Metric
from pneumo_core.evaluation.metrics import classification_table
from pneumo_core.evaluation.paired import SeedDifference
from pneumo_core.records import Estimate
from pneumo_core.reporting.wording import AS_THEY_ARE, NAMES

HEADLINE = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)


def where(comparison: Comparison) -> str:
    """Split and n, as they stand beside each figure."""
    split, a, b = comparison.split.value, comparison.a, comparison.b
    chosen = ", selected on test" if split == "test" and (a.selected_on_test or b.selected_on_test) else ""
    n = f"n = {a.n:,}" if a.n == b.n else f"n = {a.n:,} and {b.n:,}"
    return f"{split}{chosen}, {n}"


def verdict(comparison: Comparison) -> None:
    """The sentence, what limits it, and the figures that most people look for."""
    st.info(plain(comparison.verdict.sentence), icon=":material/balance:")
    st.caption("\n".join(f"- {plain(note)}" for note in comparison.verdict.notes))
    grid = st.grid(len(HEADLINE), min_column_width=180, border=True)
    for metric in HEADLINE:
        value, _, interval = change(metric, comparison.differences[metric].estimate).partition(" ")
        with grid.cell():
            unit = "" if metric in AS_THEY_ARE else ", points"
            st.metric(
                f"{NAMES[metric]}, B - A{unit}",
                value,
                help=f"{NAMES[metric]} of B minus that of A, with its 95 % interval over patients.",
            )
            st.caption("  \n".join(_tile(comparison, metric, interval.strip("()"))))


def _tile(comparison: Comparison, metric: Metric, interval: str) -> list[str]:
    """What stands below a difference: its interval and p, the same over seeds, and both sides."""
    difference, seeds = comparison.differences[metric], comparison.seeds[metric]
    words = [f"{interval} over patients, p {p_short(difference.p)}" if interval else "not applicable"]
    if isinstance(seeds, SeedDifference):
        _, _, ends = change(metric, Estimate(seeds.value, seeds.low, seeds.high, 0)).partition(" ")
        words.append(f"{ends.strip('()')} over seeds, p {p_short(seeds.p)}")
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        words.append(f"{letter} {short(metric, side.figures[metric])}")
    if isinstance(difference.estimate, Estimate) and comparison.paired:
        return [*words, f"{where(comparison).rpartition(',')[0]}, n = {difference.estimate.n:,}"]
    return [*words, where(comparison)]


def figures_panel(comparison: Comparison) -> None:
    """Tables of both sides in the report's layout, all figures, and the tests."""
    st.subheader("Right and wrong calls")
    _classification(comparison)
    st.subheader("Every figure")
    st.caption(
        f"{where(comparison)}. Intervals are 95 %, differences of shares in points. Over patients and over seeds are told "
        "apart, because new patients and a new seed are two kinds of chance."
    )
    st.dataframe(
        figures_frame(comparison), hide_index=True, width="stretch", height="content", alt="Figures of A and B"
    )
    st.subheader("Tests, run by run")
    several = " Holm's adjustment allows for looking at several pairs." if len(comparison.pairs) > 1 else ""
    st.caption(
        f"{where(comparison)}. McNemar asks whether one side is right more often where only one of them is; DeLong "
        "compares AUROC. Both take images as independent; the clustered p allows for several images of a patient."
        + several
    )
    st.dataframe(pairs_frame(comparison), hide_index=True, width="stretch", height="content", alt="Tests of each pair")
    for reason in reasons(comparison):
        st.caption(plain(f"Not applicable: {reason}."))
    with st.expander("How the figures were made"):
        st.markdown(plain(comparison.methods))


def _classification(comparison: Comparison) -> None:
    for column, name, side in zip(st.columns(2, gap="large"), "AB", (comparison.a, comparison.b), strict=True):
        with column:
            runs = len(side.run_ids)
            of = "" if runs == 1 else f", mean of {runs} runs"
            st.markdown(f"**{name}: {plain(side.name)}** · {comparison.split.value}, n = {side.n:,}{of}")
            if runs == 1:
                # A table, since a chart would make the first look wait for the library that draws it.
                counts = side.confusions[0]
                st.table(confusion_table(counts), alt=f"Confusion matrix of {side.name}")
                table = classification_table(counts)
            else:
                words = f"Counts of each run of {side.name}"
                st.dataframe(counts_frame(side), hide_index=True, width="stretch", alt=words)
                table = mean_table(side)
            st.table(table_frame(table), alt=f"Classification table of {side.name}")
    st.caption("In the layout of the report of 2020: precision, recall and F1 of each class, and their means.")
