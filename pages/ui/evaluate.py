"""What the Evaluate page draws with: the split in the address, and each section of figures and charts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui import charts, tables
from pages.ui.pictures import plain
from pages.ui.tables import RATES, SCORES, place, spoken
from pneumo_core.config import OperatingRule
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Estimate, NotApplicable, Split

_HELP = {
    "accuracy": "Share of images called what they are labelled. Always saying the commoner class reaches that class's share.",
    "sensitivity": "Share of the PNEUMONIA images that are called PNEUMONIA; the rest are missed.",
    "specificity": "Share of the NORMAL images that are called NORMAL; the rest are false alarms.",
    "auroc": "How often a PNEUMONIA image gets a higher probability than a NORMAL one. 0.5 is chance. Needs no threshold.",
    "auprc": "Average precision over all thresholds. Calling at random gives the prevalence, not 0.5.",
    "ppv": "Share of PNEUMONIA among what is called so, at this split's prevalence; elsewhere it differs.",
    "npv": "Share of NORMAL among what is called so, at this split's prevalence; elsewhere it differs.",
    "brier": "Mean squared error of the probability: 0 is perfect, 0.25 is what always saying 0.5 gives.",
    "log_loss": "Mean cross-entropy in nats, which training minimises. Being sure and wrong costs most.",
}
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


def chart(figure: go.Figure | NotApplicable, table: pd.DataFrame, *, title: str, where: str, caption: str) -> None:
    """A chart with its title, n and split, what to take from it, and the same as a table."""
    st.markdown(f"**{title}** · {where}")
    if isinstance(figure, NotApplicable):
        st.info(f"Not applicable: {figure.reason}.")
        return
    st.plotly_chart(figure, width="stretch", key=f"chart {title}", alt=f"{title}, {where}. {caption}")
    st.caption(caption)
    with st.expander(f"{title} as a table"):
        st.dataframe(table, hide_index=True, width="stretch", key=f"table {title}", alt=f"{title}, {where}")


def figures(report: EvaluationReport, split: Split) -> None:
    """Figures as cards, each with its interval, n and split, and all of them as a table."""
    part = report.splits[split]
    for names in (("accuracy", "sensitivity", "specificity", "auroc", "auprc"), ("ppv", "npv", "brier", "log_loss")):
        grid = st.grid(len(names), min_column_width=180, border=True)
        for name in names:
            estimate: Estimate | NotApplicable = getattr(part, name)
            value, interval = spoken(name, estimate)
            n = "" if isinstance(estimate, NotApplicable) else f"n = {estimate.n:,}, "
            with grid.cell():
                st.metric({**RATES, **SCORES}[name], value, help=_HELP[name])
                st.caption(f"{interval}  \n{n}{place(report, split)}".replace(", selected", "  \nselected"))
    if part.ignored_replicates:
        st.caption(f"{part.ignored_replicates} bootstrap replicates lacked a class: AUROC and AUPRC leave them out.")
    with st.expander("All figures of all splits as a table"):
        table = tables.figures_frame(report)
        st.dataframe(table, hide_index=True, width="stretch", height="content", alt="Figures with 95 % intervals")


def operating_point(report: EvaluationReport, split: Split) -> None:
    """The threshold, how it was chosen, and its rates there and here."""
    point = report.operating_point
    st.markdown(
        f"PNEUMONIA is called at a probability of **{point.threshold:.3f}** or more. Rule '{point.rule.value}': "
        + _RULES[point.rule].format(split=point.split.value)
    )
    st.table(tables.point_frame(report, split), alt="Rates of the operating point with 95 % intervals")
    if point.rule is not OperatingRule.HALF:
        st.caption(
            f"The rates on {point.split.value} flatter, because the threshold fits those images. Quote those on test."
        )


def calls(report: EvaluationReport, split: Split) -> None:
    """The confusion matrix and the classification table."""
    part = report.splits[split]
    where, counts = f"{place(report, split)}, n = {part.n:,}", part.confusion
    left, right = st.columns(2, gap="large")
    with left:
        caption = (
            f"{counts.fn:,} of {counts.fn + counts.tp:,} PNEUMONIA images are missed; "
            f"{counts.fp:,} of {counts.tn + counts.fp:,} NORMAL images are false alarms."
        )
        table = tables.confusion_frame(part)
        chart(charts.confusion(counts), table, title="Confusion matrix", where=where, caption=caption)
    with right:
        st.markdown(f"**Classification table** · {where}")
        st.table(tables.table_frame(part.table), alt=f"Classification table, {where}")
        st.caption("In the layout of the report of 2020, so that the two can be read side by side.")
        for row in part.table[:2]:
            for name in ("precision", "recall"):
                if isinstance(value := getattr(row, name), NotApplicable):
                    st.caption(f"{row.name}: {name} is not applicable, {value.reason}.")


def curves(report: EvaluationReport, split: Split) -> None:
    """ROC and precision-recall curve, side by side."""
    part = report.splits[split]
    where = f"{place(report, split)}, n = {part.n:,}"
    kinds = (
        ("roc", "ROC curve", "AUROC", part.auroc, "The nearer to the top left, the better the images are ordered."),
        ("pr", "Precision-recall curve", "AUPRC", part.auprc, "Read it against the prevalence, the dashed line."),
    )
    for column, (kind, title, name, area, words) in zip(st.columns(2, gap="large"), kinds, strict=True):
        value, interval = spoken(name.lower(), area)
        figure = charts.roc(part) if kind == "roc" else charts.pr(part)
        with column:
            table = tables.curve_frame(part, kind)
            chart(figure, table, title=title, where=where, caption=f"{name} {value} ({interval}). {words}")


def training(events: Sequence[Mapping[str, Any]], *, selected_on_test: bool) -> None:
    """The curves of the training, and which epoch's weights were kept."""
    epochs = tables.epoch_table(events)
    if epochs.empty:
        st.info("This run's epochs were not recorded.")
        return
    where = "train and " + ("test, selected on test" if selected_on_test else "validation") + f", {len(epochs)} epochs"
    best = tables.best_epoch(epochs)
    caption = (
        f"The weights of epoch {best} were kept: the lowest validation loss. "
        if best
        else "No epoch has a validation loss. "
    )
    caption += (
        "The learning rate is the one an epoch ended with. A gap that opens between the two curves is overfitting; "
        "a validation curve that jumps is a model not settled."
    )
    if selected_on_test:
        caption += " Here the validation images are the test images, so this choice flatters the test figures."
    figure = charts.history(events, selected_on_test=selected_on_test)
    chart(figure, epochs, title="Loss, accuracy and learning rate", where=where, caption=caption)


def run_facts(view: RunView, manifest: Mapping[str, Any]) -> None:
    """What was trained on what, where and for how long."""
    table = tables.facts_frame(view, manifest)
    st.dataframe(table, hide_index=True, width="stretch", height="content", alt="Facts of the run")
