"""What commands share: common options, the selected data set, and following a run."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from pneumo_core.cli.terminal import detachable, left, print_result, progress_line
from pneumo_core.config.classifier import Balance, parse_balance
from pneumo_core.config.gan import GanConfig
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import default_data
from pneumo_core.errors import RunError
from pneumo_core.evaluation.report import report_to_dict
from pneumo_core.inference.evidence import read_report
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.remaining import remaining
from pneumo_core.records import RunState
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import verified_json

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Data = Annotated[Path | None, typer.Option(help="Data set; default: $PNEUMO_DATA, the Kaggle copy, or the phantoms.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the run to its end; an interrupt does not stop the run.")]
Run = Annotated[str, typer.Argument(help="Run id, such as baseline-0123456789ab.")]
RunOrUsual = Annotated[str | None, typer.Argument(help="Run id; default: the recommended run.")]
Where = Annotated[jobs.Executor, typer.Option("--executor", help="Where to train; ray: at $PNEUMO_RAY_ADDRESS.")]


def or_recommended(run: str | None, *, is_gan: bool = False) -> str:
    """The named run, or the recommended classifier or DCGAN.

    Raises:
        RunError: No run is named, and none is recommended.
    """
    usual = recommended()
    chosen = run or (usual.dcgan if is_gan else usual.classifier)
    if chosen is None:
        raise RunError("a run is required where none is recommended. Received: none; 'runs list' shows the known ones")
    return chosen


def balance_of(text: str) -> tuple[Balance, str | None]:
    """A balancing arm of the command line; `gan` alone takes the recommended DCGAN. See `parse_balance` for the errors."""
    gan = Balance.GAN.value
    return parse_balance(f"{gan}:{or_recommended(None, is_gan=True)}" if text == gan else text)


def index_of(folder: Path | None) -> DataIndex:
    """Index of the given data set, or of the default one."""
    with progress_line("drawing phantoms") as progress:
        chosen = folder or default_data(progress)
    with progress_line("indexing") as progress:
        return build_index(chosen, progress=progress)


def run_facts(view: jobs.RunView, known: list[jobs.RunView] | None = None) -> dict[str, Any]:
    """Summary of a run as plain data.

    Args:
        view: The run.
        known: Every run, if they have been read already.
    """
    waits = view.state is RunState.QUEUED
    stopping = "stop requested" if view.state.is_live and view.run.cancel.exists() else ""
    return {
        "run_id": view.run_id,
        "state": view.state.value,
        "place": jobs.queue_places(jobs.views() if known is None else known).get(view.run_id) if waits else None,
        "preset": view.config.preset.value if view.config else None,
        "seed": view.config.seed if view.config else None,
        "path": str(view.run.path),
        "message": view.problem or stopping or (view.status and (view.status.error or view.status.message)) or "",
    }


def follow(view: jobs.RunView, *, wait: bool, as_json: bool) -> None:
    """Print a submitted run, at once or, with `wait`, when it ends; exit 1 if a run that was waited for did not succeed."""
    with progress_line("training") as progress, detachable(f"runs show {view.run_id}"):
        while wait and view.state.is_live:
            status = view.status
            if status:
                where = f"epoch {status.epoch} of {status.epochs}{left(remaining(view))}"
                progress(status.fraction, 1, f"{status.message}, {where}")
            time.sleep(0.5)
            view = jobs.view(view.run_id)
    shown = run_facts(view)
    if view.state is RunState.SUCCEEDED:
        shown["report"] = figures(view)
    print_result(shown, as_json=as_json)
    if wait and view.state is not RunState.SUCCEEDED:
        raise RunError(
            f"the run must succeed. Received: run_id={view.run_id!r}, state={view.state.value}: {shown['message']}"
        )


def figures(view: jobs.RunView) -> Any:
    """Figures of a finished run as plain data: a classifier's evaluation, or the measures of a DCGAN's samples."""
    if not isinstance(view.config, GanConfig):
        return report_to_dict(read_report(view.run))
    return verified_json(view.run, view.run.measures)
