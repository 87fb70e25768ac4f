"""Runs, grouped by network, with the seeds of each arm folded to one row; a choice opens them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from pages.ui.cached import report_of
from pages.ui.components import STATE_COLORS, choice, run_name, show_error
from pages.ui.pictures import plain
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.naming import model_name
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import folded_text, scaled, value_text
from pneumo_core.inference.compared import Group, groups
from pneumo_core.jobs.runs import RunView, views
from pneumo_core.records import Estimate, Metric, NotApplicable, RunState, Split, split_name

DAMAGED = "damaged"
STATE_OPTIONS = {state.value: STATE_COLORS[state] for state in RunState} | {DAMAGED: "red"}
"""States of the table with their colors."""

_FIGURES = (Metric.ACCURACY, Metric.AUROC)
_SORTS = {"arm": None, "accuracy": Metric.ACCURACY, "AUROC": Metric.AUROC}


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the runs of one arm, which differ in their seed, or a single run that has not finished.

    Attributes:
        network: Heading that it stands under.
        name: Name of the arm or of the run.
        state: State, a key of `STATE_OPTIONS`.
        run_ids: Its runs.
        about: Number of runs, n of the figures, and what the epoch, or an ensemble's threshold, was chosen on.
        figures: Figures on test of each run.
        is_optimistic: Whether their epochs were chosen on test.
    """

    network: str
    name: str
    state: str
    run_ids: tuple[str, ...]
    about: str
    figures: dict[Metric, list[Estimate | NotApplicable]]
    is_optimistic: bool = False


def show_runs() -> None:
    """All classifiers: finished ones by group, the others one by one; and a link to the DCGANs."""
    known = views()
    classifiers = [view for view in known if not view.is_gan]
    if not classifiers:
        st.info("No run yet. On Train, the quick preset takes about a minute.")
    else:
        _show_rows(known, classifiers)
    if gans := len(known) - len(classifiers):
        label = f"{gans} DCGAN{'s' * (gans > 1)}: samples and measures in the GAN lab"
        st.page_link("pages/gan.py", label=label)


def cell(metric: Metric, found: Sequence[Estimate | NotApplicable]) -> str:
    """A figure of one run with its interval, or the mean of several with their range: each says which it is."""
    if not found:
        return ""
    value, ends = folded_text(metric, found)
    if value is None:
        return ends
    if len(found) == 1:
        return f"{value_text(metric, found[0])} (95 % interval {ends})"
    mean = value / scaled(metric, 1.0)
    return f"mean {value_text(metric, mean)} (seeds from {ends})"


def _show_rows(known: Sequence[RunView], classifiers: Sequence[RunView]) -> None:
    by_id = {view.run_id: view for view in known}
    found = [group for group in groups() if set(group.run_ids) <= set(by_id)]
    grouped = {run_id for group in found for run_id in group.run_ids}
    rows = [_group_row(group, by_id[group.run_ids[0]]) for group in found]
    rows += [_lone_row(view) for view in classifiers if view.run_id not in grouped]
    sort = _SORTS[choice("Sort by", _SORTS, key="sort_runs")]
    rows.sort(key=lambda row: (row.network, *_rank(row, sort), row.name))
    for network in dict.fromkeys(row.network for row in rows):
        st.subheader(network)
        own = [row for row in rows if row.network == network]
        st.table(_frame(own), alt=f"Runs of the {network}, an arm a row")
    st.caption(
        "On test, at each run's own threshold. One run has its 95 % interval, clustered by patient. Several runs have their "
        "mean and the range from the lowest to the highest seed, which is no interval. Figures with * are optimistic: their "
        "epoch was chosen on test."
    )
    names = {row.run_ids: f"{row.network} · {row.name}" for row in rows}
    chosen = st.selectbox(
        "Open the runs of",
        names,
        index=None,
        format_func=names.__getitem__,
        placeholder="Choose a row",
        key="opened_runs",
    )
    if chosen:
        _show_members([by_id[run_id] for run_id in chosen])


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as they are read; a state stands beside the name in its color."""
    names = [f"[{plain(row.name)}]({_address(row)}) :{STATE_OPTIONS[row.state]}-badge[{row.state}]" for row in rows]
    columns = {"runs": [row.about for row in rows]}
    for metric in _FIGURES:
        columns[f"{metric_name(metric)} on test"] = [
            plain(cell(metric, row.figures.get(metric, [])) + ("*" if row.is_optimistic and row.figures else ""))
            for row in rows
        ]
    return pd.DataFrame(columns, index=names)


def _address(row: Row) -> str:
    """Where the runs of a row are shown: one on Evaluate, or on Train if it has no figures, several on Compare."""
    if len(row.run_ids) > 1:
        return f"compare?a={','.join(row.run_ids)}"
    return f"{'evaluate' if row.figures else 'train'}?run={row.run_ids[0]}"


def metric_name(metric: Metric) -> str:
    """A figure's name at the head of a column."""
    return "AUROC" if metric is Metric.AUROC else metric.value


def _rank(row: Row, sort: Metric | None) -> tuple[float, ...]:
    """Highest first; rows without the figure last."""
    value = folded_text(sort, row.figures.get(sort, []))[0] if sort and row.figures else None
    return () if sort is None else (1.0,) if value is None else (0.0, -value)


def _group_row(group: Group, first: RunView) -> Row:
    network = _network(first)
    count = len(group.run_ids)
    about = f"{count} seeds" if count > 1 else "1 run"
    config = first.config
    held_out = "validation" if config is None or isinstance(config, GanConfig) else split_name(config.choose_on)
    what = "threshold" if isinstance(config, EnsembleConfig) else "epoch"
    chosen = f"{what} chosen on {'test' if group.selected_on_test else held_out}"
    state, figures = RunState.SUCCEEDED.value, dict[Metric, list[Estimate | NotApplicable]]()
    try:
        parts = [report_of(run_id).splits[Split.TEST] for run_id in group.run_ids]
        figures = {Metric.ACCURACY: [part.accuracy for part in parts], Metric.AUROC: [part.auroc for part in parts]}
        about = f"{about}, n = {parts[0].n:,}"
    except PneumoError:
        state = DAMAGED
    except KeyError:
        pass  # Without test figures.
    name = _without(network, group.name)
    return Row(network, name, state, group.run_ids, f"{about}, {chosen}", figures, group.selected_on_test)


def _lone_row(view: RunView) -> Row:
    network = _network(view)
    return Row(network, _without(network, run_name(view)), view.state.value, (view.run_id,), "1 run", {})


def _without(network: str, name: str) -> str:
    """A run's name below the heading of its network."""
    return name.removeprefix(network).removeprefix(" · ").removeprefix(" ")


def _network(view: RunView) -> str:
    return "Unreadable runs" if view.config is None else model_name(view.config.architecture)


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
