"""Runs on a page: the table of all, and the live panel of one."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui.charts import history
from pages.ui.components import STATE_COLOURS, caveats, run_name, show_error
from pages.ui.state import may_train
from pneumo_core.errors import PneumoError
from pneumo_core.jobs.runs import RunView, cancel, resume, view
from pneumo_core.records import RunState
from pneumo_core.status import read_events


def duration(seconds: float) -> str:
    """Seconds in words: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def runs_table(known: Sequence[RunView]) -> str | None:
    """All runs, newest first; returns the id of the row that was just picked."""
    rows = [
        {
            "run": item.run_id,
            "state": item.state.value,
            "preset": item.config.preset.value if item.config else "?",
            "seed": item.config.seed if item.config else None,
            "data": "phantoms" if item.data.get("is_phantom") else "X-rays",
            "submitted": pd.Timestamp(item.submitted_at, unit="s") if item.submitted_at else None,
            "note": item.problem or ("ships with the project" if item.run.is_published else ""),
        }
        for item in known
    ]
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key="runs_table",
        column_config={"submitted": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")},
    )
    picked = event["selection"]["rows"]
    return known[picked[0]].run_id if picked and picked[0] < len(known) else None


def run_panel(run_id: str) -> None:
    """One run, live while it is going; when it ends, the whole page is drawn anew once."""
    live = view(run_id).state.is_live

    def panel() -> None:
        item = view(run_id)
        _draw(item)
        if live and not item.state.is_live:
            st.rerun()

    st.fragment(panel, run_every="1s" if live else None)()


def _draw(item: RunView) -> None:
    st.markdown(f"#### {run_name(item)} :{STATE_COLOURS[item.state]}-badge[{item.state.value}]")
    if item.problem:
        show_error(item.problem)
    status = item.status
    if item.state.is_live and status:
        total = max(1, status.epochs * status.steps)
        done = status.epoch * status.steps + (status.step if status.epoch < status.epochs else 0)
        where = f": epoch {min(status.epoch + 1, status.epochs)} of {status.epochs}" if status.epochs else ""
        st.progress(min(1.0, done / total), f"{status.message}{where}")
    elif item.state is RunState.FAILED and status:
        show_error(status.error or "The run failed without a word; its log is below.")
    elif item.state is RunState.INTERRUPTED:
        st.warning("The worker was stopped from outside. Resuming goes on from the last finished epoch.")
    _actions(item)
    events = read_events(item.run)
    if any(event.get("kind") == "epoch" for event in events):
        # Curves change once an epoch; the key keeps zoom and hover between the seconds.
        st.plotly_chart(
            history(events, selected_on_test=bool(item.config and item.config.selected_on_test)),
            width="stretch",
            key=f"history_{item.run_id}",
        )
    elif item.state.is_live:
        st.caption("Curves appear after the first epoch.")
    batches = [event for event in events if event.get("kind") == "batch"]
    if item.state.is_live and batches:
        last = batches[-1]
        st.caption(
            f"batch {last['step']} of {last['steps']} · loss {last['loss']:.3f} · {last['images_per_s']:.0f} images/s"
        )
    caveats(item)
    if item.run.log.exists():
        with st.expander("Worker's log"):
            st.code(item.run.log.read_text(errors="replace")[-4000:] or "(empty)", language=None)


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
