"""The result of a finished classifier: accuracy and AUROC, and where to go on with it."""

import streamlit as st

from pages.ui.cached import report_of
from pages.ui.components import predict_link, show_error
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import NAMES, interval_text, value_text
from pneumo_core.inference.compared import balanced_pairs, groups
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Metric, NotApplicable, Split
from pneumo_core.reporting.evaluation_tables import place
from pneumo_core.reporting.glossary import TERMS

_SHOWN = (Metric.ACCURACY, Metric.AUROC)


def show_result(item: RunView) -> None:
    """Accuracy and AUROC, each with its interval, n and split, and links to Evaluate, Compare and Predict."""
    try:
        _figures(item.run_id)
    except PneumoError as error:
        show_error(error)
    with st.container(horizontal=True):
        query = {"run": item.run_id}
        st.page_link("pages/evaluate.py", label="Evaluate", icon=":material/analytics:", query_params=query)
        compared = _compared_sides(item.run_id)
        st.page_link("pages/compare.py", label="Compare", icon=":material/compare_arrows:", query_params=compared)
        predict_link(item, "Predict", ":material/radiology:")


def _figures(run_id: str) -> None:
    report = report_of(run_id)
    split = next(split for split in (Split.TEST, Split.VAL, Split.TRAIN) if split in report.splits)
    grid = st.grid(len(_SHOWN), min_column_width=180)
    for metric in _SHOWN:
        estimate = report.splits[split].figures[metric]
        n = report.splits[split].n if isinstance(estimate, NotApplicable) else estimate.n
        with grid.cell():
            st.metric(NAMES[metric], value_text(metric, estimate), help=TERMS[metric])
            st.caption(f"{interval_text(metric, estimate)}  \nn = {n:,}, {place(report, split)}")


def _compared_sides(run_id: str) -> dict[str, str]:
    """Address of the comparison that the run belongs to: its seeds beside those on original or balanced images."""
    for original, balanced in balanced_pairs(groups()):
        if run_id in (*original.run_ids, *balanced.run_ids):
            return {"a": ",".join(original.run_ids), "b": ",".join(balanced.run_ids)}
    return {"a": run_id}
