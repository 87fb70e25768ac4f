"""Runs as a table for people: what each trains on what, how far it is, and its accuracy."""

import time

from pneumo_core.cli.command import run_facts
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.naming import arm_name, model_name
from pneumo_core.errors import PneumoError
from pneumo_core.evaluation.wording import age, estimate_text
from pneumo_core.inference.evidence import read_report
from pneumo_core.jobs.runs import RunView
from pneumo_core.records import Metric, RunState, Split
from pneumo_core.reporting.document import Table

_COLUMNS = ("run", "state", "network", "arm", "data", "seed", "epochs", "accuracy on test (95 %)", "age")


def runs_table(known: list[RunView]) -> Table:
    """A row for each run; what there is to say of those that did not succeed stands below."""
    rows, notes = [], []
    on_test = False
    for view in known:
        facts = run_facts(view, known)
        accuracy, selected = _accuracy(view)
        on_test |= selected
        state = f"{facts['state']} {facts['place'] or ''}".strip()
        rows.append((view.run_id, state, *_described(view), accuracy + "*" * selected, _age(view)))
        if (facts["message"] and view.state is not RunState.SUCCEEDED) or view.problem:
            notes.append(f"{view.run_id}: {facts['message']}")
    if on_test:
        notes.insert(0, "* Epoch or threshold were selected on test, so the figure is optimistic.")
    return Table("runs", "", _COLUMNS, tuple(rows), tuple(notes))


def _described(view: RunView) -> tuple[str, ...]:
    config = view.config
    network = model_name(view.run.architecture)
    if config is None:
        return network, "?", "?", "?", "?"
    arm = config.label.name if isinstance(config, GanConfig) else arm_name(config)
    data = "phantoms" if view.data.is_phantom else view.data.name
    reached = f"{view.status.epoch} of " if view.status and view.state is not RunState.SUCCEEDED else ""
    return f"{network}, {config.preset.value}", arm, data, str(config.seed), f"{reached}{config.epochs}"


def _accuracy(view: RunView) -> tuple[str, bool]:
    """Accuracy on test with interval and n, and whether the run selected on test; empty where there is none."""
    if view.is_gan or view.state is not RunState.SUCCEEDED:
        return "", False
    try:
        report = read_report(view.run)
    except PneumoError:
        return "damaged", False
    part = report.splits.get(Split.TEST)
    if part is None:
        return "", False
    return estimate_text(Metric.ACCURACY, part.figures[Metric.ACCURACY], with_n=True), report.selected_on_test


def _age(view: RunView) -> str:
    return age(time.time() - view.submitted_at) if view.submitted_at else "?"
