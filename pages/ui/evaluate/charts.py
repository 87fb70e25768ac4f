"""Evaluate's charts: confusion matrix, curves and training history, each also as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui import charts
from pages.ui.components import chart
from pages.ui.places import beside
from pages.ui.table import data_frame, show_rows
from pneumo_core.evaluation.curves import best_epoch, curve_points, epoch_points
from pneumo_core.evaluation.report import EvaluationReport
from pneumo_core.evaluation.wording import NAMES, estimate_text
from pneumo_core.records import Metric, NotApplicable, Split, split_name
from pneumo_core.reporting.evaluation_tables import classification, confusion, place


def calls(report: EvaluationReport, split: Split, of: Sequence[object]) -> None:
    """The confusion matrix and the classification table; `of` is as for `chart`."""
    part = report.splits[split]
    where, counts = f"{place(report, split)}, n = {part.n:,}", part.confusion
    left, right = beside(gap="large")
    with left:
        caption = (
            f"{counts.fn:,} of {counts.fn + counts.tp:,} PNEUMONIA images are missed; "
            f"{counts.fp:,} of {counts.tn + counts.fp:,} NORMAL images are false alarms."
        )
        table = data_frame(confusion(counts, "Confusion matrix"))
        chart(charts.confusion(counts), table, title="Confusion matrix", where=where, caption=caption, of=of)
    with right:
        st.markdown(f"**Classification table** · {where}")
        show_rows(classification(part.table, f"Classification table, {where}"))
        st.caption("In the layout of the report of 2020, for comparison.")
        for row in part.table[:2]:
            for name in ("precision", "recall"):
                if isinstance(value := getattr(row, name), NotApplicable):
                    st.caption(f"{row.name}: {name} is not applicable, {value.reason}.")


def curves(report: EvaluationReport, split: Split, of: Sequence[object]) -> None:
    """ROC and precision-recall curve, side by side; `of` is as for `chart`."""
    part = report.splits[split]
    where = f"{place(report, split)}, n = {part.n:,}"
    kinds = (
        ("roc", "ROC curve", Metric.AUROC, "The closer to the top left, the better the ranking."),
        (
            "pr",
            "Precision-recall curve",
            Metric.AUPRC,
            "The dashed line is the prevalence, the precision of random predictions.",
        ),
    )
    for column, (kind, title, metric, words) in zip(beside(gap="large"), kinds, strict=True):
        figure = charts.roc(part) if kind == "roc" else charts.pr(part)
        with column:
            table = curve_points(getattr(part, kind))
            caption = f"{NAMES[metric]} {estimate_text(metric, part.figures[metric])}. {words}"
            chart(figure, table, title=title, where=where, caption=caption, of=of)


def training(
    events: Sequence[Mapping[str, Any]], of: Sequence[object], *, selected_on_test: bool, choose_on: Split
) -> None:
    """The curves of the training, and the epoch whose weights were kept; `of` is as for `chart`."""
    epochs = epoch_points(events)
    if epochs.empty:
        st.info("This run's epochs were not recorded.")
        return
    where = (
        "train and "
        + ("test (epoch chosen on it)" if selected_on_test else split_name(choose_on))
        + f", {len(epochs)} epochs"
    )
    best = best_epoch(epochs)
    caption = (
        f"The weights of epoch {best} were kept: the lowest loss on {split_name(choose_on)}. "
        if best
        else "No epoch has a validation loss. "
    )
    caption += (
        "The learning rate is that at the end of an epoch. A growing gap between the two curves is overfitting; "
        "a jumping validation curve means that training has not converged."
    )
    if selected_on_test:
        caption += " Here the validation images are the test images, so the test figures are optimistic."
    figure = charts.history(events, selected_on_test=selected_on_test, choose_on=choose_on)
    chart(figure, epochs, title="Loss, accuracy and learning rate", where=where, caption=caption, of=of)
