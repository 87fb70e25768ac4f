"""Parts of the Evaluate page: figures and operating point."""

import streamlit as st

from pages.ui.table import data_frame, show_rows
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES, estimate_text, interval_text, value_text
from pneumo_core.records import Metric, NotApplicable, Split
from pneumo_core.reporting import evaluation_tables
from pneumo_core.reporting.evaluation_tables import place
from pneumo_core.reporting.glossary import TERMS

_CARDS = (
    (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC, Metric.AUPRC),
    (Metric.PPV, Metric.NPV, Metric.BRIER, Metric.LOG_LOSS),
)
_RULES = {
    OperatingRule.HALF: "fixed at 0.5, so nothing was chosen.",
    OperatingRule.YOUDEN: "the threshold with the highest sensitivity + specificity on {split}.",
}


def figures(report: EvaluationReport, split: Split) -> None:
    """Figures as cards, each with its interval, n and split, and all of them as a table."""
    part = report.splits[split]
    for metrics in _CARDS:
        grid = st.grid(len(metrics), min_column_width=180, border=True)
        for metric in metrics:
            estimate = part.figures[metric]
            n = "" if isinstance(estimate, NotApplicable) else f"n = {estimate.n:,}, "
            with grid.cell():
                st.metric(NAMES[metric], value_text(metric, estimate), help=TERMS[metric])
                words = f"{interval_text(metric, estimate)}  \n{n}{place(report, split)}"
                # Beside a figure of validation the one that counts.
                if split is Split.VAL and Split.TEST in report.splits:
                    words += f"  \ntest: {estimate_text(metric, report.splits[Split.TEST].figures[metric])}"
                st.caption(words.replace(", selected", "  \nselected"))
    if part.ignored_replicates:
        st.caption(f"{part.ignored_replicates} bootstrap replicates lacked a class: AUROC and AUPRC leave them out.")
    with st.expander("All figures of all splits as a table"):
        table = evaluation_tables.every_figure(report)
        st.dataframe(data_frame(table), hide_index=True, height="content", alt=table.caption)


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
