"""The commands of runs: ``python -m pneumo_core runs list|show|...``."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from pneumo_core.cli.command import Json, Run, Wait, follow, group, print_run, run_facts
from pneumo_core.cli.run_rows import runs_table
from pneumo_core.cli.tables import print_tables
from pneumo_core.cli.terminal import note, print_result, progress_line, say, width
from pneumo_core.errors import RunError
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.clean import OLD_DAYS, clean, leftovers
from pneumo_core.jobs.delete import delete, deletion
from pneumo_core.records import RunState
from pneumo_core.runs.store import complete_id, find_run, finished_runs, read_manifest

runs_app = group("List, show, cancel, resume, finish, publish and delete runs.")


@runs_app.command("list")
def runs_list(as_json: Json = False) -> None:
    """List all runs, newest first."""
    known = jobs.views()
    if as_json:
        print_result([run_facts(view, known) for view in known], as_json=True)
    elif known:
        print_tables(runs_table(known, width() if sys.stdout.isatty() else None))
    else:
        note("there are no runs; 'train' starts one")


@runs_app.command("show")
def runs_show(run: Run, as_json: Json = False) -> None:
    """Show a run's state and, once finished, its figures.

    A finished run's manifest has its parameters, durations and versions.
    """
    view = jobs.view(complete_id(run))
    shown = run_facts(view)
    if view.state is RunState.SUCCEEDED:
        shown["manifest"] = read_manifest(view.run)
    print_run(view, shown, as_json=as_json)


@runs_app.command("cancel")
def runs_cancel(run: Run, as_json: Json = False) -> None:
    """Stop a run; it can be resumed."""
    view = jobs.cancel(complete_id(run))
    print_run(view, run_facts(view), as_json=as_json)


@runs_app.command("resume")
def runs_resume(
    run: Run,
    executor: Annotated[jobs.Executor | None, typer.Option(help="Where to resume; default: where it was.")] = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Resume a stopped run from its last finished epoch."""
    follow(jobs.resume(complete_id(run), executor=executor), wait=wait, as_json=as_json)


@runs_app.command("logs")
def runs_logs(run: Run, as_json: Json = False) -> None:
    """Show the output of a run's worker."""
    run_id = complete_id(run)
    log = jobs.logs(run_id)
    if as_json:
        print_result({"run_id": run_id, "log": log}, as_json=True)
    else:
        say(log, nl=False)
    if not log and find_run(run_id).is_published:
        note(f"{run_id} is a published run, which ships without its log")


@runs_app.command("clean")
def runs_clean(
    older_than: Annotated[float, typer.Option(help="Minimum age in days since the last change.")] = OLD_DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it, they are only listed.")] = False,
    as_json: Json = False,
) -> None:
    """List or remove old backups and stored features.

    They are backups of stopped runs (which then resume from the start), partial files and stored features.
    """
    found = (clean if yes else leftovers)(older_than)
    files = [{"run_id": each.run_id, "path": str(each.path), "size_bytes": each.size_bytes} for each in found]
    print_result(
        {"removed": yes, "size_bytes": sum(each.size_bytes for each in found), "files": files}, as_json=as_json
    )


@runs_app.command("delete")
def runs_delete(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it; without it, only what would go is shown.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a run of your own, or show what would go.

    It also shows which runs refer to it. Published runs cannot be deleted.
    """
    run_id = complete_id(run)
    found = (delete if yes else deletion)(run_id)
    shown = {"run_id": run_id, "deleted": yes, "path": str(found.path), "size_bytes": found.size_bytes}
    references = [{"run_id": each.run_id, "how": each.words} for each in found.references]
    print_result({**shown, "references": references, "published_run_stays": found.is_published_too}, as_json=as_json)
    if not yes:
        note("nothing was deleted; --yes deletes the run")


@runs_app.command("export")
def runs_export(run: Run, wait: Wait = False, as_json: Json = False) -> None:
    """Finish a run that was trained elsewhere.

    The model is exported, and predicts and is evaluated.
    """
    follow(jobs.export(complete_id(run)), wait=wait, as_json=as_json)


@runs_app.command("refresh")
def runs_refresh(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Run ids or their beginnings; default: all finished runs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring finished runs up to this version.

    What this version stores with a run and an earlier one did not is made, for published runs, too.
    """
    from pneumo_core.inference.examples import store_examples  # noqa: PLC0415
    from pneumo_core.inference.findings import store_findings  # noqa: PLC0415
    from pneumo_core.inference.refresh import line, refresh  # noqa: PLC0415

    results = []
    with progress_line("refreshing") as progress:
        for run in finished_runs([complete_id(run) for run in runs or ()]):
            results.append(refresh(run, progress))
            if not as_json:
                say(line(results[-1]))
    if not runs:
        store_findings()
        store_examples()
    if as_json:
        print_result([asdict(result) for result in results], as_json=True)
    if failed := [result.run_id for result in results if result.error]:
        raise RunError(
            f"every run must be whole and writable. Received: {', '.join(failed)}, which are not; their lines give the reason"
        )


@runs_app.command("publish")
def runs_publish(
    run: Run,
    evidence_only: Annotated[
        bool, typer.Option("--evidence-only", help="Without the model: figures can be compared, but it cannot predict.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy a finished run to artifacts/published.

    The copy is small enough for git: weights in float16 or integers, no images, no paths.
    """
    from pneumo_core.inference.findings import store_findings  # noqa: PLC0415
    from pneumo_core.inference.publish import publish  # noqa: PLC0415

    found = find_run(complete_id(run))
    with progress_line("comparing decisions") as progress:
        published = publish(found, evidence_only=evidence_only, progress=progress)
    store_findings()
    print_result({"run_id": found.run_id, "path": str(published.path)}, as_json=as_json)
