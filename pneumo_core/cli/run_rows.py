"""Runs as a table for people: what each trains on what, how far it is, and its accuracy."""

import time
from typing import Any, Final

from pneumo_core.cli.command import run_facts
from pneumo_core.cli.tables import whole_width
from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.naming import short_arm_name
from pneumo_core.evaluation.plain import decode
from pneumo_core.evaluation.wording import age, estimate_text, value_text
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Estimate, Metric, NotApplicable, RunState
from pneumo_core.reporting.document import Table

_COLUMNS: Final = ("run", "state", "network", "arm", "data", "seed", "epochs", "accuracy", "age")
_WIDE: Final = {"accuracy": "accuracy on test (95 %)"}

_LEAVE_OUT: Final = ("data", "state", "epochs", "age", "seed", "arm")
"""Columns that a terminal with too little room goes without, the first of these first."""


def runs_table(known: list[RunView], room: int | None = None) -> Table:
    """A row for each run; what there is to say of those that did not succeed stands below.

    Args:
        known: The runs.
        room: Width of the terminal, or None where there is room for everything. A table that is wider has shorter cells and,
            if that is not enough, fewer columns: first those that are the same in each row, which are named below it.
    """
    facts = [run_facts(view, known) for view in known]
    wide = _table(known, facts, is_narrow=False)
    if room is None or whole_width(wide, 2) <= room:
        return wide
    return _fitted(_table(known, facts, is_narrow=True), room)


def _table(known: list[RunView], all_facts: list[dict[str, Any]], *, is_narrow: bool) -> Table:
    rows, notes = [], []
    on_test = False
    for view, facts in zip(known, all_facts, strict=True):
        state = f"{facts['state']} {facts['place'] or ''}".strip()
        accuracy = _accuracy(facts["accuracy"], is_narrow=is_narrow) + "*" * bool(facts["selected_on_test"])
        on_test |= bool(facts["selected_on_test"])
        described = (facts["network"], "?", "?", "?", "?")
        if view.config is not None:
            reached = f"{view.status.epoch} of " if view.status and view.state is not RunState.SUCCEEDED else ""
            described = (
                f"{facts['network'].removesuffix(' CNN') if is_narrow else facts['network']}, {facts['preset']}",
                (short_arm_name(view.config) if is_narrow and isinstance(view.config, TrainConfig) else facts["arm"])
                + (f", {view.config.named_split}" if view.config.named_split else ""),
                facts["data"],
                str(facts["seed"]),
                "" if facts["epochs"] is None else f"{reached}{facts['epochs']}",
            )
        rows.append((view.run_id, state, *described, accuracy, _age(view)))
        if (facts["message"] and view.state is not RunState.SUCCEEDED) or view.problem:
            notes.append(f"{view.run_id}: {facts['message']}")
    if on_test:
        notes.insert(0, "* Epoch or threshold were selected on test, so the figure is optimistic.")
    columns = _COLUMNS if is_narrow else tuple(_WIDE.get(name, name) for name in _COLUMNS)
    return Table("runs", "", columns, tuple(rows), tuple(notes))


def _fitted(table: Table, room: int) -> Table:
    """A table without the columns that there is no room for."""
    alike = {name: cells[0] for name, *cells in zip(table.columns, *table.rows, strict=True) if len(set(cells)) == 1}
    left_out: list[str] = []
    for name in sorted(_LEAVE_OUT, key=lambda name: name not in alike):
        if whole_width(table, 1) <= room:
            break
        at = table.columns.index(name)
        columns, *rows = (row[:at] + row[at + 1 :] for row in (table.columns, *table.rows))
        table = Table(table.name, "", columns, tuple(rows), table.notes)
        left_out.append(f"{name} ({alike[name]} in all)" if name in alike else name)
    if not left_out:
        return table
    note = f"A wider terminal also shows: {', '.join(left_out)}."
    return Table(table.name, "", table.columns, table.rows, (note, *table.notes))


def _accuracy(fact: Any, *, is_narrow: bool) -> str:
    """Accuracy on test, with interval and n where there is room."""
    if fact is None:
        return ""
    found = decode(Estimate | NotApplicable, fact, "accuracy")
    return value_text(Metric.ACCURACY, found) if is_narrow else estimate_text(Metric.ACCURACY, found, with_n=True)


def _age(view: RunView) -> str:
    return age(time.time() - view.submitted_at) if view.submitted_at else "?"
