"""Runs on a page: the table of all, and the live panel of one."""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.charts import history
from pages.ui.components import STATE_COLOURS, caveats, duration, run_name, setting_name, show_error
from pages.ui.state import may_train
from pages.ui.tables import facts_frame
from pneumo_core.errors import PneumoError
from pneumo_core.jobs.cost import remaining_s
from pneumo_core.jobs.runs import RunView, cancel, logs, queue_places, resume, view, views
from pneumo_core.records import RunState
from pneumo_core.status import read_events
from pneumo_core.store import read_manifest

_LOG_TAIL = 4000  # Characters; the download has the rest.
_FACTS = ("device", "precision", "training", "resume", "peak memory")


def runs_table(known: Sequence[RunView]) -> None:
    """All runs, newest first; a row that is picked goes into the address."""
    places = queue_places(known)
    rows = [
        {
            "run": item.run_id,
            "state": item.state.value + (f", place {places[item.run_id]}" if item.run_id in places else ""),
            "setting": setting_name(item.config) if item.config else "?",
            "seed": item.config.seed if item.config else None,
            "data": "phantoms" if item.data.get("is_phantom") else "X-rays",
            "submitted": pd.Timestamp(item.submitted_at, unit="s") if item.submitted_at else None,
            "note": item.problem or ("published" if item.run.is_published else ""),
        }
        for item in known
    ]
    ids = [item.run_id for item in known]
    # The key changes with the rows: a selection is a row's number, which would soon be another run's.
    key = f"runs {hash(tuple(ids))}"

    def pick() -> None:
        if picked := st.session_state[key]["selection"]["rows"]:
            st.query_params["run"] = ids[picked[0]]

    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        on_select=pick,
        selection_mode="single-row",
        key=key,
        column_config={"submitted": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")},
        alt="All runs, newest first",
    )


def run_panel(run_id: str) -> None:
    """One run, live while it is going; when it ends, the whole page is drawn anew once."""
    live = view(run_id).state.is_live

    def panel() -> None:
        try:
            item = view(run_id)
            _draw(item)
        except PneumoError as error:
            show_error(error)
            return
        if live and not item.state.is_live:
            st.rerun()

    st.fragment(panel, run_every="1s" if live else None)()


def stage(item: RunView, events: Sequence[Mapping[str, Any]]) -> tuple[float, str]:
    """How far a live run is: the fraction, from 0 to 1, and what it is doing, with the time left where it was measured."""
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
        done, total, speed = (_number(last, name) for name in ("done", "total", "images_per_s"))
        fraction = done / total if done is not None and total and 0 <= done <= total else 0.0
        words = status.message + (f" · {speed:,.0f} images/s" if speed and speed > 0 else "")
    left_s = remaining_s(item)
    return fraction, words + (f" · at most {duration(left_s)} left" if left_s else "")


def _draw(item: RunView) -> None:
    st.markdown(f"#### {run_name(item)} :{STATE_COLOURS[item.state]}-badge[{item.state.value}]")
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
        show_error(item.status.error or "The run failed without a word; its log is below.")
    elif item.state is RunState.INTERRUPTED:
        st.warning("The worker was stopped from outside. Resuming goes on from the last finished epoch.")
    _actions(item)
    if any(event.get("kind") == "epoch" for event in events):
        # Curves change once an epoch; the key keeps zoom and hover between the seconds.
        st.plotly_chart(
            history(events, selected_on_test=bool(item.config and item.config.selected_on_test)),
            width="stretch",
            key=f"history_{item.run_id}",
        )
    elif item.state is RunState.RUNNING:
        st.caption("Curves appear after the first epoch.")
    if item.state is RunState.RUNNING and events and events[-1].get("kind") == "batch":
        _show_batch(events[-1])
    if item.state is RunState.SUCCEEDED and not item.problem:
        _show_facts(item)
    caveats(item)
    _show_files(item)


def _show_batch(event: Mapping[str, Any]) -> None:
    shapes = {
        "step": "batch {:,.0f}",
        "steps": "of {:,.0f}",
        "loss": "· loss {:.3f}",
        "images_per_s": "· {:,.0f} images/s",
    }
    said = [shape.format(value) for name, shape in shapes.items() if (value := _number(event, name)) is not None]
    st.caption(" ".join(said))


def _show_facts(item: RunView) -> None:
    """Where the run worked, what it took, and what may be said of it if it was resumed."""
    facts = facts_frame(item, read_manifest(item.run)).set_index("fact")
    st.table(facts.loc[list(_FACTS)], alt="Facts of the run")


def _show_files(item: RunView) -> None:
    if text := logs(item.run_id):
        with st.expander("Worker's log"):
            st.code(text[-_LOG_TAIL:], language=None)
            st.download_button(
                "Download all of it",
                lambda: logs(item.run_id),
                f"{item.run_id}.log",
                "text/plain",
                on_click="ignore",
                key=f"log {item.run_id}",
            )
    if item.run.tensorboard.is_dir():
        with st.expander("TensorBoard"):
            st.caption("In a shell on this machine, after 'pip install tensorboard':")
            st.code(f"tensorboard --logdir {shlex.quote(str(item.run.tensorboard))}", language="bash", wrap_lines=True)


def _number(event: Mapping[str, Any], name: str) -> float | None:
    """A number of an event that was read from a file, where it is one."""
    value = event.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _actions(item: RunView) -> None:
    if item.state is RunState.SUCCEEDED:
        with st.container(horizontal=True):
            st.page_link("pages/evaluate.py", label="Evaluate it", query_params={"run": item.run_id})
            st.page_link("pages/predict.py", label="Ask it about an X-ray", query_params={"run": item.run_id})
        return
    if not may_train():
        return
    try:
        if item.state.is_live and item.run.cancel.exists():
            st.button("Cancelling…", disabled=True, key="cancelling")
        elif item.state.is_live and st.button("Cancel", key="cancel"):
            cancel(item.run_id)
            st.rerun()
        elif item.is_resumable and st.button("Resume", type="primary", key="resume"):
            resume(item.run_id)
            st.rerun()
    except PneumoError as error:
        show_error(error)
