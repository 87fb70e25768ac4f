"""Parts of the Evaluate page: figures and operating point."""

import streamlit as st

from pages.ui.pictures import plain
from pages.ui.table import data_frame, show_rows
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES, estimate_text, interval_text, value_text
from pneumo_core.records import Metric, NotApplicable, Split
from pneumo_core.reporting import evaluation_tables
from pneumo_core.reporting.evaluation_tables import place
from pneumo_core.reporting.glossary import TERMS

_TILES = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)
_OTHERS = (Metric.ACCURACY, Metric.AUPRC, Metric.PPV, Metric.NPV, Metric.BRIER, Metric.LOG_LOSS)
_RULES = {
    OperatingRule.HALF: "fixed at 0.5, so nothing was chosen.",
    OperatingRule.YOUDEN: "the threshold with the highest sensitivity + specificity on {split}.",
    OperatingRule.LOGISTIC: "the threshold with the highest sensitivity + specificity by a logistic model of {split}.",
}


def figures(report: EvaluationReport, split: Split) -> None:
    """The three main figures large, each with its interval, n and split; the others as a table, and all of them folded."""
    part = report.splits[split]
    # Not a grid: three columns are a row or, on a phone, three rows, and never two and one.
    for column, metric in zip(st.columns(len(_TILES), border=True), _TILES, strict=True):
        with column:
            _tile(report, split, metric)
    show_rows(evaluation_tables.some_figures(report, split, _OTHERS))
    if part.ignored_replicates:
        st.caption(f"{part.ignored_replicates} bootstrap replicates lacked a class: AUROC and AUPRC leave them out.")
    if split is Split.VAL:
        _softer(report)
    with st.expander("All figures of all splits as a table"):
        table = evaluation_tables.every_figure(report)
        st.dataframe(data_frame(table), hide_index=True, height="content", alt=table.caption)
    with st.expander("What the figures mean"):
        st.markdown("\n".join(f"- **{NAMES[metric]}**: {TERMS[metric]}" for metric in (*_TILES, *_OTHERS)))


def _tile(report: EvaluationReport, split: Split, metric: Metric) -> None:
    estimate = report.splits[split].figures[metric]
    n = "" if isinstance(estimate, NotApplicable) else f"n = {estimate.n:,}, "
    st.metric(NAMES[metric], value_text(metric, estimate), help=TERMS[metric])
    words = f"{interval_text(metric, estimate)}  \n{n}{place(report, split)}"
    # Beside a figure of held-out patients the one that counts.
    if split in {Split.VAL, Split.STRESS} and Split.TEST in report.splits:
        words += f"  \ntest: {estimate_text(metric, report.splits[Split.TEST].figures[metric])}"
    st.caption(words.replace(" (epoch", "  \n(epoch"))


def _softer(report: EvaluationReport) -> None:
    """The figures of validation, weighted to softer images, as a table; or why there are none."""
    table = evaluation_tables.softer_figures(report)
    if not isinstance(report.softer, NotApplicable):
        st.markdown("**Weighted to softer images**")
        show_rows(table)
        st.caption(
            "NORMAL validation images are sharper than PNEUMONIA ones, which tells the classes apart. The weights reduce this."
        )
    for note in table.notes:
        st.caption(plain(note))


def operating_point(report: EvaluationReport, split: Split) -> None:
    """The threshold, its rule, and its rates on both splits."""
    point = report.operating_point
    st.markdown(
        f"Images are classified as PNEUMONIA at a probability of **{point.threshold:.3f}** or more. Rule '{point.rule.value}': "
        + _RULES[point.rule].format(split=point.split.value)
    )
    show_rows(evaluation_tables.operating_point(report, split))
    if point.rule is not OperatingRule.HALF:
        st.caption(
            f"The rates on {point.split.value} are optimistic, because the threshold was chosen there; report those on test."
        )
