"""Parts of the Evaluate page: the split in the address, figures, operating point and details."""

import streamlit as st

from pages.ui.pictures import plain
from pages.ui.table import data_frame, show_rows
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES, interval_text, value_text
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


def pick_split(report: EvaluationReport) -> Split:
    """Let the reader choose a split; the choice is in the address (``?split=``) and survives a change of page."""
    known = [split for split in (Split.TEST, Split.VAL, Split.TRAIN) if split in report.splits]
    if st.session_state.get("split_shown") not in known:
        requested = st.query_params.get("split", st.session_state.get("chosen_split"))
        if requested is not None and requested not in known:
            st.warning(f"This run has no figures on {plain(repr(requested[:40]))}; showing {known[0].value}.")
        st.session_state["split_shown"] = Split(requested) if requested in known else known[0]
    chosen = st.segmented_control(
        "Split",
        known,
        required=True,
        format_func=lambda split: f"{split.value} ({report.splits[split].n:,} images)",
        key="split_shown",
    )
    chosen = chosen or known[0]
    st.session_state["chosen_split"] = st.query_params["split"] = chosen.value
    return chosen


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
                st.caption(
                    f"{interval_text(metric, estimate)}  \n{n}{place(report, split)}".replace(
                        ", selected", "  \nselected"
                    )
                )
    if part.ignored_replicates:
        st.caption(f"{part.ignored_replicates} bootstrap replicates lacked a class: AUROC and AUPRC leave them out.")
    with st.expander("All figures of all splits as a table"):
        table = evaluation_tables.every_figure(report)
        st.dataframe(data_frame(table), hide_index=True, width="stretch", height="content", alt=table.caption)


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
