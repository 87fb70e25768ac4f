"""What commands share: common options, the named run, the selected data set, and following a run."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pneumo_core.cli.tables import print_tables
from pneumo_core.cli.terminal import detachable, left, note, print_result, progress_line, say
from pneumo_core.config.classifier import Balance, parse_balance
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.naming import arm_name, members_text, model_name
from pneumo_core.config.run import RunConfig
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import chosen_data
from pneumo_core.errors import PneumoError, RunError
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.report import report_to_dict
from pneumo_core.inference.evidence import read_report
from pneumo_core.inference.gan_record import read_measures
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.remaining import remaining
from pneumo_core.records import Estimate, Metric, NotApplicable, RunState, Split
from pneumo_core.reporting import evaluation_tables
from pneumo_core.reporting.document import Table
from pneumo_core.reporting.gan_tables import measures_table
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import complete_id, verified_json

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Data = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Data set; default: $PNEUMO_DATA, the one connected in the app, the Kaggle copy, or the phantoms.",
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow the run to its end; an interrupt does not stop the run.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Run id, such as baseline-0123456789ab, or its beginning.")]
RunOrUsual = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Run id or its beginning; default: the recommended run.")
]
Where = Annotated[jobs.Executor, typer.Option("--executor", help="Where to train; ray: at $PNEUMO_RAY_ADDRESS.")]


def group(words: str) -> typer.Typer:
    """A group of commands. Its help is plain text: in panels, what is wider than the terminal would be cut off."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=words)


def or_recommended(run: str | None, *, is_gan: bool = False) -> str:
    """Id of the run that is named by its id or a beginning, or of the recommended classifier or DCGAN.

    Raises:
        RunNotFoundError: Several runs have this beginning.
        RunError: No run is named, and none is recommended.
    """
    if run:
        return complete_id(run)
    usual = recommended()
    chosen = usual.dcgan if is_gan else usual.classifier
    if chosen is None:
        raise RunError("a run is required where none is recommended. Received: none; 'runs list' shows the known ones")
    return chosen


def named(run_id: str, given: str | None, *, is_gan: bool = False) -> str:
    """A run as a result is headed by it: its id and why it was taken."""
    return f"{run_id}, {'as named' if given else 'the recommended ' + ('DCGAN' if is_gan else 'classifier')}"


def balance_of(text: str) -> tuple[Balance, str | None]:
    """A balancing arm of the command line; `gan` alone takes the recommended DCGAN. See `parse_balance` for the errors."""
    gan = Balance.GAN.value
    arm, run = parse_balance(f"{gan}:{or_recommended(None, is_gan=True)}" if text == gan else text)
    return arm, run and complete_id(run)


def index_of(folder: Path | None) -> tuple[DataIndex, str]:
    """Index of the given data set, or of the one that is taken otherwise, and what was taken and why, in a phrase."""
    with progress_line("drawing phantoms") as progress:
        source = chosen_data(folder, progress)
    with progress_line(f"indexing {source.folder.name}") as progress:
        index = build_index(source.folder, progress=progress)
    return index, f"data: {index.source}, {len(index.table):,} images ({source.why})"


def run_facts(view: jobs.RunView, known: list[jobs.RunView] | None = None) -> dict[str, Any]:
    """Summary of a run as plain data; `known` are all runs, if they have been read already.

    ``arm`` is the balancing arm or, of a DCGAN, its class, or of an ensemble, what it is of, which also has ``members``;
    ``accuracy`` is that on test with its 95 % interval, None where there is none, or the reason why it cannot be read;
    ``submitted_at`` is UTC in ISO 8601.
    """
    accuracy, selected_on_test = _on_test(view)
    submitted = datetime.fromtimestamp(view.submitted_at, UTC) if view.submitted_at else None
    waits = view.state is RunState.QUEUED
    stopping = "stop requested" if view.state.is_live and view.run.cancel.exists() else ""
    return {
        "run_id": view.run_id,
        "state": view.state.value,
        "place": jobs.queue_places(jobs.views() if known is None else known).get(view.run_id) if waits else None,
        "preset": view.config.preset.value if view.config else None,
        "seed": view.config.seed if view.config else None,
        **_trained(view),
        "accuracy": encode(accuracy),
        "selected_on_test": selected_on_test,
        "submitted_at": submitted and submitted.isoformat(timespec="seconds"),
        "path": str(view.run.path),
        "message": view.problem or stopping or (view.status and (view.status.error or view.status.message)) or "",
    }


def _trained(view: jobs.RunView) -> dict[str, Any]:
    """Network, arm, data and epochs of a run."""
    config, network = view.config, model_name(view.run.architecture)
    if config is None:
        return {"network": network, "arm": None, "data": None, "epochs": None}
    if isinstance(config, EnsembleConfig):
        facts = {"arm": members_text(config), "epochs": None, "members": list(config.members)}
        return {"network": network, "data": _data_name(view), **facts, **_split(config)}
    return {
        "network": network,
        "arm": config.label.name if isinstance(config, GanConfig) else arm_name(config),
        "data": _data_name(view),
        "epochs": config.epochs,
        **_split(config),
    }


def _split(config: RunConfig) -> dict[str, Any]:
    """The saved split of a run, if it has one."""
    return {} if config.named_split is None else {"split": asdict(config.named_split)}


def _data_name(view: jobs.RunView) -> str:
    return "phantoms" if view.data.is_phantom else view.data.name


def _on_test(view: jobs.RunView) -> tuple[Estimate | NotApplicable | None, bool | None]:
    """A run's accuracy on test and whether its epoch or threshold were selected on test; None where there is none."""
    if view.is_gan or view.state is not RunState.SUCCEEDED:
        return None, None
    try:
        report = read_report(view.run)
    except PneumoError:
        return NotApplicable("damaged report"), None
    part = report.splits.get(Split.TEST)
    return (part.figures[Metric.ACCURACY], report.selected_on_test) if part else (None, None)


def follow(view: jobs.RunView, *, wait: bool, as_json: bool, notes: Sequence[str] = ()) -> None:
    """Print a submitted run, at once or, with `wait`, when it ends; exit 1 if a run that was waited for did not succeed.

    The notes, what it was submitted with, are printed before the waiting.
    """
    is_started = view.state.is_live
    for text in notes if is_started else ():
        note(text)
    with progress_line("training") as progress, detachable(f"runs show {view.run_id}"):
        while wait and view.state.is_live:
            status = view.status
            if status:
                where = f", epoch {status.epoch} of {status.epochs}{left(remaining(view))}" if status.epochs else ""
                progress(status.fraction, 1, f"{status.message}{where}")
            time.sleep(0.5)
            view = jobs.view(view.run_id)
    shown = run_facts(view)
    print_run(view, shown, as_json=as_json)
    for text in () if is_started else notes:
        note(text)
    if wait and view.state is not RunState.SUCCEEDED:
        raise RunError(
            f"the run must succeed. Received: run_id={view.run_id!r}, state={view.state.value}: {shown['message']}"
        )


def print_run(view: jobs.RunView, facts: dict[str, Any], *, as_json: bool) -> None:
    """Print a run's facts and, if it is finished, its figures: all of them as JSON, the main ones as a table."""
    is_finished = view.state is RunState.SUCCEEDED
    if as_json:
        print_result(facts | ({"report": figures(view)} if is_finished else {}), as_json=True)
        return
    table = figures_table(view) if is_finished else None
    # The accuracy is in the table.
    print_result({name: fact for name, fact in facts.items() if fact is not None and name != "accuracy"}, as_json=False)
    if table:
        say()
        print_tables(table)


def figures(view: jobs.RunView) -> Any:
    """Figures of a finished run as plain data: a classifier's evaluation, or the measures of a DCGAN's samples."""
    if not isinstance(view.config, GanConfig):
        return report_to_dict(read_report(view.run))
    return verified_json(view.run, view.run.measures)


def figures_table(view: jobs.RunView) -> Table:
    """The same for people: a classifier's figures on test or, without a test split, on validation; a DCGAN's measures."""
    if isinstance(view.config, GanConfig):
        measures = read_measures(view.run)
        return measures_table(view.run_id, measures.report, measures.real_called_pneumonia)
    report = read_report(view.run)
    split = Split.TEST if Split.TEST in report.splits else next(iter(report.splits))
    return evaluation_tables.figures(report, split)
