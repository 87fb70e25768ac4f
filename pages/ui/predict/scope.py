"""What a reader should know before the first upload: what the model saw, what it does elsewhere, where an image stays."""

import streamlit as st

from pages.ui.cached import external_of
from pages.ui.pictures import plain
from pneumo_core.evaluation.wording import estimate_text
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Metric, NotApplicable
from pneumo_core.reference import COPIES, FINDINGS

_ELSEWHERE = "Xin et al. 2021"
"""Source of the finding on models of this data set at another hospital."""


def show_scope(view: RunView) -> None:
    """The three things, the most important first."""
    st.markdown(
        f"- **It learned from** {_learned_from(view)}.\n"
        f"- **Elsewhere, expect worse.** {_elsewhere(view)}\n"
        "- **Your image** stays in this server's memory while you view it. It is never stored, logged or shown to others."
    )


def _elsewhere(view: RunView) -> str:
    (known,) = (finding for finding in FINDINGS if finding.source == _ELSEWHERE)
    others = f"{plain(known.words)} ([{known.source}]({known.url}))"
    measured = external_of(view.run_id)
    if isinstance(measured, NotApplicable):
        return others
    collection, result = measured
    auroc = estimate_text(Metric.AUROC, result.auroc, with_n=True)
    where = f"[{collection.name}]({collection.url}): {collection.patients}; measured {result.measured_on}"
    return f"On another hospital's X-rays, this model has an AUROC of {auroc} ({where}). {others}"


def _learned_from(view: RunView) -> str:
    if view.data.is_phantom:
        return "synthetic phantoms, drawn by this project. On an X-ray of a patient its answer means nothing"
    children = "X-rays of children of one to five years from one hospital"
    if view.data.data_id in COPIES:
        return children
    return f"the data set {plain(view.data.data_id)}; Kermany's is of {children}"
