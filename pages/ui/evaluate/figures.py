"""What the Evaluate page draws with: the split in the address, figures, operating point and facts."""

import streamlit as st

from pages.ui.pictures import plain
from pages.ui.table import data_frame, show_rows
from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES, interval_text, value_text
from pneumo_core.records import Metric, NotApplicable, Split
from pneumo_core.reporting import evaluation_tables
from pneumo_core.reporting.evaluation_tables import place

_HELP = {
    Metric.ACCURACY: "Fraction of images classified correctly labelled. Always saying the commoner class reaches its share.",
    Metric.SENSITIVITY: "Share of the PNEUMONIA images that are called PNEUMONIA; the rest are missed.",
    Metric.SPECIFICITY: "Share of the NORMAL images that are called NORMAL; the rest are false alarms.",
    Metric.AUROC: "How often a PNEUMONIA image gets a higher probability than a NORMAL one. 0.5 is chance. Needs no threshold.",
    Metric.AUPRC: "Average precision over all thresholds. Calling at random gives the prevalence, not 0.5.",
    Metric.PPV: "Fraction of images classified as PNEUMONIA that are PNEUMONIA, at this split's prevalence; elsewhere it differs.",
    Metric.NPV: "Fraction of images classified as NORMAL that are NORMAL, at this split's prevalence; elsewhere it differs.",
    Metric.BRIER: "Mean squared error of the probability: 0 is perfect, 0.25 is what always saying 0.5 gives.",
    Metric.LOG_LOSS: "Mean cross-entropy in nats, which training minimises. Being sure and wrong costs most.",
}
_CARDS = (
    (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC, Metric.AUPRC),
    (Metric.PPV, Metric.NPV, Metric.BRIER, Metric.LOG_LOSS),
)
_RULES = {
    OperatingRule.HALF: "fixed at one half, so nothing was chosen.",
    OperatingRule.YOUDEN: "where sensitivity + specificity is highest on {split}.",
}


def pick_split(report: EvaluationReport) -> Split:
    """Let the reader choose a split; the choice is in the address (``?split=``) and survives a change of page."""
    known = [split for split in (Split.TEST, Split.VAL, Split.TRAIN) if split in report.splits]
    if st.session_state.get("split_shown") not in known:
        asked = st.query_params.get("split", st.session_state.get("chosen_split"))
        if asked is not None and asked not in known:
            st.warning(f"This run has no figures on {plain(repr(asked[:40]))}; showing {known[0].value}.")
        st.session_state["split_shown"] = Split(asked) if asked in known else known[0]
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
                st.metric(NAMES[metric], value_text(metric, estimate), help=_HELP[metric])
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
    """The threshold, how it was chosen, and its rates there and here."""
    point = report.operating_point
    st.markdown(
        f"PNEUMONIA is called at a probability of **{point.threshold:.3f}** or more. Rule '{point.rule.value}': "
        + _RULES[point.rule].format(split=point.split.value)
    )
    show_rows(evaluation_tables.operating_point(report, split))
    if point.rule is not OperatingRule.HALF:
        st.caption(
            f"The rates on {point.split.value} flatter, because the threshold fits those images. Quote those on test."
        )
