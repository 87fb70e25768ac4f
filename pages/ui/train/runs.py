"""Runs on a page: the table of all runs, and the live panel of one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.cached import current_stored_index
from pages.ui.charts import history
from pages.ui.components import STATE_COLORS, caveats, gan_link, picture_name, run_name, show_error
from pages.ui.notes import span_words
from pages.ui.run_parts import show_batch, show_facts, show_files
from pages.ui.state import may_train
from pages.ui.train.result import show_result
from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.run import full_name
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.curves import event_number
from pneumo_core.jobs.cost import Cost, estimate_cost
from pneumo_core.jobs.remaining import remaining
from pneumo_core.jobs.runs import RunView, cancel, queue_places, resume, view, views
from pneumo_core.records import RunState, Split
from pneumo_core.reporting.file_names import run_words
from pneumo_core.runs.status import read_events

_UNDO = "Stops within a batch; Resume goes on from the last saved epoch."
_NEXT = "The next run in the queue then starts."

Curves = Callable[[RunView, Sequence[Mapping[str, Any]]], None]
"""Draws a run's epochs from its events."""


def runs_table(known: Sequence[RunView]) -> None:
    """All runs, newest first; the selected row is written into the address."""
    places, has_problems = queue_places(known), any(item.problem for item in known)
    has_both = len({item.data.is_phantom for item in known}) > 1  # One column less lets the ids fit.
    rows = [
        {
            "run": full_name(item.config) if item.config else item.run_id,
            "seed": item.config.seed if item.config else None,
            "state": _state_words(item, places),
            **({"data": "phantoms" if item.data.is_phantom else "X-rays"} if has_both else {}),
            "submitted": pd.Timestamp(item.submitted_at, unit="s") if item.submitted_at else None,
            "id": item.run_id,
            **({"problem": item.problem} if has_problems else {}),
        }
        for item in known
    ]
    ids = [item.run_id for item in known]
    # The key changes with the rows: a selection is a row number, which may later belong to another run.
    key = f"runs {hash(tuple(ids))}"

    def pick() -> None:
        if picked := st.session_state[key]["selection"]["rows"]:
            st.query_params["run"] = ids[picked[0]]

    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        on_select=pick,
        selection_mode="single-row",
        key=key,
        column_config={"submitted": st.column_config.DatetimeColumn(format="D MMM, HH:mm")},
        alt="All runs, newest first",
    )


def _state_words(item: RunView, places: Mapping[str, int]) -> str:
    if item.run.is_published and item.state is RunState.SUCCEEDED:
        return "published"
    return item.state.value + (f", place {places[item.run_id]}" if item.run_id in places else "")


def run_panel(run_id: str, curves: Curves | None = None) -> None:
    """One run, live while it works; when it ends, the whole page is redrawn once.

    Args:
        run_id: The run.
        curves: Draws its epochs; None for a classifier's way, which leaves a DCGAN's to the GAN lab.
    """
    live = view(run_id).state.is_live

    def panel() -> None:
        try:
            item = view(run_id)
            with st.container(border=True):
                run_card(item, curves)
            run_details(item)
        except PneumoError as error:
            show_error(error)
            return
        if live and not item.state.is_live:
            st.rerun()

    st.fragment(panel, run_every="1s" if live else None)()


def stage(item: RunView, events: Sequence[Mapping[str, Any]]) -> tuple[float, str]:
    """Progress of a live run: the fraction, from 0 to 1, and the activity, with the remaining time if it is known."""
    status = item.status
    if status is None:
        return 0.0, item.state.value
    if item.state is RunState.EXPORTING:
        return 1.0, status.message
    if status.steps:
        fraction = max(0.0, status.fraction)
        words = f"{status.message}: epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}"
    else:
        is_computing = status.message.startswith("computing") and events and events[-1].get("kind") == "features"
        last = events[-1] if is_computing else {}
        done, total, speed = (event_number(last, name) for name in ("done", "total", "images_per_s"))
        fraction = done / total if done is not None and total and 0 <= done <= total else 0.0
        words = status.message + (f" · {speed:,.0f} images/s" if speed and speed > 0 else "")
    return fraction, words + _left_words(item, events)


def _left_words(item: RunView, events: Sequence[Mapping[str, Any]]) -> str:
    """How much of the training is left: from the run's own speed, and before it has one, what was expected of it."""
    left = remaining(item)
    if left is not None:
        return f" · {span_words(left)} of training left" if left.high_s else ""
    if any(event.get("kind") == "epoch" for event in events):
        return ""  # Resumed, and not at work yet: less is left than a whole run takes.
    cost = _expected_cost(item.run_id)
    if cost is None:
        return ""
    return f" · {span_words(cost.training)} of training left" + ("" if cost.is_measured else " (rough: first run here)")


@st.cache_data(max_entries=32, ttl=600, show_spinner=False)
def _expected_cost(run_id: str) -> Cost | None:
    """A run's cost as it was expected before it started, kept while the page is redrawn; None where its data are not here."""
    item = view(run_id)
    try:
        if item.config is None or isinstance(item.config, EnsembleConfig):
            return None
        return estimate_cost(item.config, current_stored_index(item.data.data_id))
    except PneumoError:
        return None


def _link(item: RunView, _events: Sequence[Mapping[str, Any]]) -> None:
    gan_link(item)


def _history(item: RunView, events: Sequence[Mapping[str, Any]]) -> None:
    if any(event.get("kind") == "epoch" for event in events):
        config = item.config
        on_test, choose_on = False, Split.VAL
        if isinstance(config, TrainConfig):
            on_test, choose_on = config.selected_on_test, config.choose_on
        # Curves change once per epoch; the key keeps zoom and hover between updates.
        alt = "Loss, accuracy and learning rate by epoch; Evaluate has them as a table."
        figure = history(events, selected_on_test=on_test, choose_on=choose_on)
        name = picture_name("train", *run_words(item.config, item.run_id), "history")
        st.plotly_chart(figure, config=name, key=f"history_{item.run_id}", alt=alt)
    elif item.state is RunState.RUNNING and not isinstance(item.config, EnsembleConfig):
        st.caption("Curves appear after the first epoch.")


def run_card(item: RunView, curves: Curves | None = None, queued: Sequence[RunView] = ()) -> None:
    """A run's state with its progress, what can be done with it, its result and its curves.

    Args:
        item: The run.
        curves: Draws its epochs, as for `run_panel`.
        queued: Runs of the same study that wait, and are offered to be cancelled with it.
    """
    st.markdown(f"### {run_name(item)} :{STATE_COLORS[item.state]}-badge[{item.state.value}]")
    if item.problem:
        show_error(item.problem)
    events = read_events(item.run)
    if item.state is RunState.QUEUED:
        place = queue_places(views()).get(item.run_id, 1)
        st.info(
            "Next in the queue: it starts when a run before it ends." if place == 1 else f"Place {place} in the queue."
        )
    elif item.state.is_live:
        st.progress(*stage(item, events))
    elif item.state is RunState.FAILED and item.status:
        show_error(item.status.error or "The run failed without an error message; its log is below.")
    elif item.state is RunState.INTERRUPTED:
        how = (
            "combines the members again"
            if isinstance(item.config, EnsembleConfig)
            else "continues from the last saved epoch"
        )
        st.warning(f"The worker was stopped from outside. Resume {how}.")
    if item.state is RunState.SUCCEEDED and not item.is_gan:
        show_result(item)
    _actions(item, queued)
    (curves or (_link if item.is_gan else _history))(item, events)
    if item.state is RunState.RUNNING and events and events[-1].get("kind") == "batch":
        show_batch(events[-1])


def run_details(item: RunView) -> None:
    """What a run's figures must be read with, its device, and its files."""
    caveats(item)
    if item.state is RunState.SUCCEEDED and not item.problem:
        with st.expander("Device, precision and duration"):
            show_facts(item)
    show_files(item)


def cancel_runs(items: Sequence[RunView]) -> None:
    """Cancel runs and draw the page again; those that wait come first, so that none of them starts meanwhile."""
    are_cancelled = True
    for item in sorted(items, key=lambda item: item.state is not RunState.QUEUED):
        try:
            cancel(item.run_id)
        except PneumoError as error:
            # It has ended in the meantime, or its cluster does not answer; the others are still cancelled.
            show_error(error)
            are_cancelled = False
    if are_cancelled:
        st.rerun()


def _actions(item: RunView, queued: Sequence[RunView]) -> None:
    if item.state is RunState.SUCCEEDED or not may_train():
        return
    if item.state.is_live:
        with st.container(horizontal=True):
            _cancel_buttons(item, [each for each in queued if not each.run.cancel.exists()])
    elif item.is_resumable and st.button("Resume", type="primary", key="resume"):
        try:
            resume(item.run_id)
        except PneumoError as error:
            show_error(error)
            return
        st.rerun()


def _cancel_buttons(item: RunView, queued: Sequence[RunView]) -> None:
    if item.run.cancel.exists():
        st.button("Cancelling…", disabled=True, key=f"cancelling {item.run_id}")
    elif st.button("Cancel", key=f"cancel {item.run_id}", help=_UNDO if not queued else f"{_UNDO} {_NEXT}"):
        cancel_runs([item])
    elif queued:
        count = len(queued) + 1
        words = "Cancel both" if count == 2 else f"Cancel all {count} of this study"
        if st.button(words, key=f"cancel with {item.run_id}", help=f"This run and what waits behind it. {_UNDO}"):
            cancel_runs([item, *queued])
