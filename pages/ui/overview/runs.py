"""Runs, grouped by network and arm, with their seeds folded; a click opens them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.cached import report_of
from pages.ui.components import STATE_COLORS, run_name, show_error
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import folded_text
from pneumo_core.inference.compared import Group, groups
from pneumo_core.jobs.runs import RunView, views
from pneumo_core.records import Metric, RunState, Split

STATE_OPTIONS = {state.value: STATE_COLORS[state] for state in RunState} | {"damaged": "red"}
"""States of the table with their colors."""


def show_runs() -> None:
    """All classifiers: finished ones by group, the others one by one; and a link to the DCGANs."""
    known = views()
    classifiers = [view for view in known if not view.is_gan]
    if not classifiers:
        st.info("No run yet. On Train, the quick preset takes about a minute.")
    else:
        _show_table(known, classifiers)
    if gans := len(known) - len(classifiers):
        label = f"{gans} DCGAN{'s' * (gans > 1)}: samples and measures in the GAN lab"
        st.page_link("pages/gan.py", label=label)


def _show_table(known: Sequence[RunView], classifiers: Sequence[RunView]) -> None:
    by_id = {view.run_id: view for view in known}
    found = sorted((group for group in groups() if set(group.run_ids) <= set(by_id)), key=lambda group: group.name)
    grouped = {run_id for group in found for run_id in group.run_ids}
    rows = [_group_row(group) for group in found]
    members = [group.run_ids for group in found]
    for view in classifiers:
        if view.run_id not in grouped:
            rows.append({"runs": run_name(view), "state": [view.state.value], "seeds": 1})
            members.append((view.run_id,))
    number = st.column_config.NumberColumn
    picked = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        key=f"runs {hash(tuple(members))}",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "state": st.column_config.MultiselectColumn(
                options=list(STATE_OPTIONS), color=list(STATE_OPTIONS.values())
            ),
            "accuracy, %": number(format="%.1f"),
            "AUROC": number(format="%.3f"),
        },
        alt="Classifiers, grouped by network and arm",
    )
    st.caption(
        "On test, at each run's own threshold. One run: its 95 % interval, clustered by patient. Several: their mean, and "
        "from the least to the greatest of their seeds. Figures selected on test are optimistic. Tick a row to open its runs."
    )
    for row in picked.selection.rows:
        _show_members([by_id[run_id] for run_id in members[row]])


def _group_row(group: Group) -> dict[str, Any]:
    row: dict[str, Any] = {
        "runs": group.name,
        "selected on": "test" if group.selected_on_test else "validation",
        "seeds": len(group.seeds),
        "state": [RunState.SUCCEEDED.value],
    }
    try:
        parts = [report_of(run_id).splits[Split.TEST] for run_id in group.run_ids]
    except PneumoError:
        return {**row, "state": ["damaged"]}
    except KeyError:
        return row  # Without test figures.
    accuracy, ends = folded_text(Metric.ACCURACY, [part.accuracy for part in parts])
    auroc, auroc_ends = folded_text(Metric.AUROC, [part.auroc for part in parts])
    return {
        **row,
        "accuracy, %": accuracy,
        "interval or range": ends,
        "AUROC": auroc,
        "AUROC, interval or range": auroc_ends,
        "n": f"{parts[0].n:,}",
    }


def _show_members(opened: Sequence[RunView]) -> None:
    with st.container(border=True):
        for view in opened:
            try:
                part = report_of(view.run_id).splits.get(Split.TEST) if view.state is RunState.SUCCEEDED else None
            except PneumoError as error:
                show_error(error)
                continue
            page = "pages/train.py" if part is None else "pages/evaluate.py"
            st.page_link(page, label=run_name(view), icon=":material/arrow_forward:", query_params={"run": view.run_id})
