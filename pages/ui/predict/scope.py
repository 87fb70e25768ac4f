"""What a reader should know before the first upload: what the model saw, what it does elsewhere, where an image stays."""

import streamlit as st

from pages.ui.pictures import plain
from pneumo_core.jobs.runs import RunView
from pneumo_core.reference import COPIES, FINDINGS

_ELSEWHERE = "Xin et al. 2021"
"""Source of the finding on models of this data set at another hospital."""


def show_scope(view: RunView) -> None:
    """The three things, the most important first."""
    (elsewhere,) = (finding for finding in FINDINGS if finding.source == _ELSEWHERE)
    st.markdown(
        f"- **It learned from** {_learned_from(view)}.\n"
        f"- **Elsewhere, expect much worse.** {plain(elsewhere.words)} An AUROC of .5 is chance "
        f"([{elsewhere.source}]({elsewhere.url})).\n"
        "- **Your image** stays in this server's memory while you view it. It is never stored, logged or shown to others."
    )


def _learned_from(view: RunView) -> str:
    if view.data.is_phantom:
        return "synthetic phantoms, drawn by this project. On an X-ray of a patient its answer means nothing"
    children = "X-rays of children of one to five years from one hospital"
    if view.data.data_id in COPIES:
        return children
    return f"the data set {plain(view.data.data_id)}; Kermany's is of {children}"
