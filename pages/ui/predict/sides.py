"""Other models' answers for a case, side by side."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui.address import check_words
from pages.ui.cached import loaded_classifier, near_of
from pages.ui.components import has_model, run_name
from pages.ui.pictures import plain
from pages.ui.predict.kept import Case, kept, once
from pneumo_core.evaluation.near import verdict
from pneumo_core.evaluation.wording import probability_text
from pneumo_core.inference.agreement import Agreement, described, side_by_side
from pneumo_core.inference.classify import Classifier
from pneumo_core.jobs.runs import views
from pneumo_core.records import RunState
from pneumo_core.runs.recommended import recommended

_MOST = 3
"""Models beside the chosen one: each stays loaded."""

_KEY = "beside"

TOGETHER = "together"
"""What is kept of a case for its sheet: the agreement that is shown last, or None."""


@st.fragment
def show_others(case: Case, model: Classifier) -> None:
    """A choice of other models, which is in the address, and their answers with their agreement."""
    known = _others(model.run_id)
    if not known:
        return
    check_words(_KEY, known, "model")
    # Not bound to the address, which would forget what has no control before there is an image.
    wanted = st.session_state.get(_KEY, st.query_params.get_all(_KEY))
    st.session_state[_KEY] = [run_id for run_id in wanted if run_id in known][:_MOST]
    chosen = st.multiselect(
        "Other models for this image",
        list(known),
        format_func=known.__getitem__,
        max_selections=_MOST,
        placeholder="Choose models to see whether they agree",
        key=_KEY,
        on_change=_remember,
    )
    together = agreement_of(case, model, chosen)
    kept().made[case.key, TOGETHER, model.run_id] = together
    if together is not None:
        st.markdown(f"**{described(together)}**")
        st.table(_table(together, model), alt="Answers of several models")


def _remember() -> None:
    st.query_params[_KEY] = st.session_state[_KEY]


def agreement_of(case: Case, model: Classifier, others: Sequence[str]) -> Agreement | None:
    """Answers of several models for a case, the page's own first; None where there is no other."""
    if not others:
        return None
    return once(
        case,
        "agreement",
        lambda: side_by_side([model, *map(loaded_classifier, others)], case.file, case.name),
        model.run_id,
        *others,
    )


def _others(run_id: str) -> dict[str, str]:
    """Names of the other runs that can predict, by id, the recommended one first."""
    usual = recommended().classifier
    runs = [
        view
        for view in views()
        if view.state is RunState.SUCCEEDED and not view.is_gan and not view.problem and view.run_id != run_id
    ]
    runs = sorted(filter(has_model, runs), key=lambda view: view.run_id != usual)
    return {view.run_id: run_name(view) + " · recommended" * (view.run_id == usual) for view in runs}


def _table(together: Agreement, model: Classifier) -> pd.DataFrame:
    names = _others("")
    rows = [
        {
            "model": plain(names.get(reading.run_id, reading.run_id)) + " (above)" * (reading.run_id == model.run_id),
            "verdict": verdict(prediction.probability, prediction.label, near_of(reading.run_id)),
            "probability": plain(probability_text(prediction.probability)),
            "threshold": plain(probability_text(reading.threshold)),
        }
        for reading in together.readings
        if (prediction := reading.prediction).label is not None and prediction.probability is not None
    ]
    return pd.DataFrame(rows).set_index("model")
