"""The command line: ``python -m pneumo_core``.

Results go to standard output (one JSON document with ``--json``), progress to standard error. Exit status 0 is success, 1 an
expected error reported in one line, 2 wrong usage.
"""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pneumo_core.cli.command import (
    Data,
    Json,
    Run,
    RunOrUsual,
    Wait,
    Where,
    balance_of,
    figures,
    follow,
    index_of,
    or_recommended,
    run_facts,
)
from pneumo_core.cli.compare import compare_app
from pneumo_core.cli.gan import gan_app
from pneumo_core.cli.terminal import detachable, left, print_result, progress_line
from pneumo_core.config.augment_file import named_augmentation
from pneumo_core.config.classifier import AUGMENTATIONS, Balance, FineTuneConfig, Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.gan_arm import collapse_of, follow_gan
from pneumo_core.data.source import kaggle_folder
from pneumo_core.errors import PneumoError, RunError
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.clean import OLD_DAYS, clean, leftovers
from pneumo_core.jobs.delete import delete, deletion
from pneumo_core.records import Architecture, Label, RunState, Split, Subtype
from pneumo_core.runs.store import find_run, finished_runs, read_manifest

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
data_app = typer.Typer(no_args_is_help=True, help="Create, download and index data sets.")
runs_app = typer.Typer(
    no_args_is_help=True, help="List, show, cancel, resume, export, refresh, publish, delete and clean runs."
)
app.add_typer(compare_app)
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.add_typer(gan_app, name="gan")

Augment = Annotated[
    str | None,
    typer.Option(help=f"One of {', '.join(AUGMENTATIONS)}, or a settings file; default: that of the preset."),
]
ARMS = ", ".join("gan, gan:RUN" if arm is Balance.GAN else arm.value for arm in Balance)
Gap = Annotated[
    int, typer.Option(help="Percentage of the gap between the class sizes that added images close.", min=1, max=100)
]
FeatureViews = Annotated[
    int | None, typer.Option(help="VGG16: stored augmented views per image; 0 draws new ones every epoch.")
]
FineTune = Annotated[
    int | None, typer.Option(help="VGG16: maximum epochs of a second phase that also trains the last block.")
]


# --- data -------------------------------------------------------------------------------------------------------------


@data_app.command("phantom")
def data_phantom(
    out: Annotated[Path, typer.Option(help="Folder to create.")],
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    count: Annotated[int, typer.Option(help="Number of images.")] = 600,
    as_json: Json = False,
) -> None:
    """Draw a data set of synthetic chest radiographs."""
    from pneumo_core.data.phantom import write_phantoms  # noqa: PLC0415

    with progress_line("drawing") as progress:
        write_phantoms(out, seed=seed, count=count, progress=progress)
    print_result({"out": str(out), "count": count, "seed": seed}, as_json=as_json)


@data_app.command("download")
def data_download(
    dest: Annotated[Path | None, typer.Option(help="Folder to download into.")] = None, as_json: Json = False
) -> None:
    """Download the Kaggle data set (2.3 GB), check it and unpack it."""
    from pneumo_core.data.download import download_kaggle  # noqa: PLC0415

    with progress_line("") as progress:
        root = download_kaggle(
            dest or kaggle_folder(), progress=lambda step: progress(step.done, step.total, str(step.stage))
        )
    print_result({"root": str(root)}, as_json=as_json)


@data_app.command("index")
def data_index(folder: Annotated[Path, typer.Argument(help="Data set.")], as_json: Json = False) -> None:
    """Index a data set: counts, patients, unreadable files and what to know about it."""
    from pneumo_core.data.audit import audit  # noqa: PLC0415

    index = index_of(folder)
    table = index.table
    splits = {}
    for split in Split:
        part = table[table["split"] == split.value]
        subtypes = part["subtype"].value_counts()
        splits[split.value] = {
            **{label.name: int((part["label"] == label.value).sum()) for label in Label},
            **{
                subtype.value: int(subtypes.get(subtype.value, 0)) for subtype in Subtype if subtype is not Subtype.NONE
            },
            "patients": int(part["patient_id"].nunique()),
            "patients_pooled": int(part["pooled_id"].nunique()),
        }
    result = {
        "data_id": index.data_id,
        "root": str(index.root),
        "images": len(table),
        "is_phantom": index.is_phantom,
        "splits": splits,
        "unreadable": [asdict(file) for file in index.unreadable],
        "ignored": index.ignored,
        "findings": [asdict(finding) for finding in audit(index)],
    }
    print_result(result, as_json=as_json)


# --- train, evaluate, predict -----------------------------------------------------------------------------------------


@app.command()
def train(
    architecture: Annotated[Architecture, typer.Option(help="Model to train.")] = Architecture.BASELINE,
    preset: Annotated[Preset, typer.Option(help="Training procedure; docs/commands.md describes each.")] = Preset.SOUND,
    data: Data = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Maximum number of epochs; default: that of the preset.")] = None,
    augment: Augment = None,
    balance: Annotated[str, typer.Option(help=f"How class imbalance is handled: {ARMS}.")] = "none",
    gap_percent: Gap = 100,
    feature_views: FeatureViews = None,
    fine_tune: FineTune = None,
    executor: Where = jobs.Executor.LOCAL,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Train a model in the background; a finished run of the same config is returned, not repeated."""
    arm, gan_run = balance_of(balance)
    config = preset_config(
        architecture,
        preset,
        seed=seed,
        epochs=epochs,
        augment=None if augment is None else named_augmentation(augment),
        balance=arm,
        feature_views=feature_views,
        fine_tune=FineTuneConfig(fine_tune) if fine_tune else None,
        gan_run=gan_run,
        gap_percent=gap_percent,
    )
    if gan_run and (collapse := collapse_of(find_run(gan_run))):
        typer.echo(f"warning: the samples of {gan_run} have collapsed: {collapse}", err=True)
    follow(jobs.submit(follow_gan(config), index_of(data), executor=executor), wait=wait, as_json=as_json)


@app.command()
def study(
    architectures: Annotated[list[Architecture], typer.Option("--architecture", help="Model; may be repeated.")],
    arms: Annotated[list[str] | None, typer.Option("--balance", help=f"{ARMS}; may be repeated.")] = None,
    preset: Annotated[Preset, typer.Option(help="Training procedure of all runs.")] = Preset.SOUND,
    data: Data = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds per combination.")] = 1,
    first_seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Maximum number of epochs; default: that of the preset.")] = None,
    augment: Augment = None,
    feature_views: FeatureViews = None,
    fine_tune: FineTune = None,
    gap_percent: Gap = 100,
    status: Annotated[
        bool, typer.Option("--status", help="Only report the progress of the grid; start nothing.")
    ] = False,
    executor: Where = jobs.Executor.LOCAL,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Train a grid: architectures x balancing arms x seeds. The same command, repeated, resumes what is missing."""
    from pneumo_core import study as studies  # noqa: PLC0415

    configs = studies.grid(
        architectures,
        [balance_of(arm) for arm in arms or ["none"]],
        preset,
        first_seed=first_seed,
        seed_count=seeds,
        epochs=epochs,
        augment=None if augment is None else named_augmentation(augment),
        feature_views=feature_views,
        fine_tune=FineTuneConfig(fine_tune) if fine_tune else None,
        gap_percent=gap_percent,
    )
    index = index_of(data)
    with progress_line("submitting") as show:
        for number, config in enumerate(() if status else configs):
            show(number, len(configs))
            jobs.submit(config, index, executor=executor)
    with progress_line("training") as show, detachable("study ... --status"):
        while (state := studies.progress(configs, index)).is_live and wait:
            message = f"{state.states.get('succeeded', 0)} of {len(configs)} runs finished{left(state.remaining)}"
            show(state.fraction, 1, message)
            time.sleep(2)
    print_result(studies.to_dict(state), as_json=as_json)
    if wait and not state.is_finished:
        raise RunError(f"every run of the study must succeed. Received: {state.states}; the same command resumes them")


@app.command()
def evaluate(
    run: RunOrUsual = None,
    split: Annotated[Split, typer.Option(help="Part of the data set.")] = Split.TEST,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Evaluate a finished run from its stored predictions; with --data, on the images of another data set."""
    from pneumo_core.inference.evaluate import evaluate_run  # noqa: PLC0415
    from pneumo_core.inference.evidence import read_report  # noqa: PLC0415
    from pneumo_core.reporting.evaluation_tables import rates_on_test  # noqa: PLC0415

    found = find_run(or_recommended(run))
    print_result(evaluate_run(found, split, index_of(data) if data else None), as_json=as_json)
    if split is Split.VAL and data is None:
        beside = rates_on_test(read_report(found))
        typer.echo(f"note: figures on val are optimistic, epoch and threshold were selected there; {beside}", err=True)


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="PNG or JPEG files, or folders of them.")],
    run: Annotated[
        str | None, typer.Option(help="Finished run that predicts; default: the recommended classifier.")
    ] = None,
    heatmaps: Annotated[Path | None, typer.Option(help="Folder to write Grad-CAM overlays to.")] = None,
    as_json: Json = False,
) -> None:
    """Classify X-rays. Research and education only: not a medical device."""
    from pneumo_core.inference.files import predict_files  # noqa: PLC0415

    found = find_run(or_recommended(run))
    with progress_line("predicting") as progress:
        results = predict_files(found, paths, heatmaps=heatmaps, progress=progress)
    print_result({"run_id": found.run_id, "results": results}, as_json=as_json)


# --- runs -------------------------------------------------------------------------------------------------------------


@runs_app.command("list")
def runs_list(as_json: Json = False) -> None:
    """List all runs, newest first."""
    known = jobs.views()
    rows = [run_facts(view, known) for view in known]
    if as_json:
        print_result(rows, as_json=True)
    for row in [] if as_json else rows:
        state = f"{row['state']} {row['place'] or ''}"
        typer.echo(f"{row['run_id']}  {state:<12} {row['preset'] or '?':<7} seed {row['seed']}  {row['message']}")


@runs_app.command("show")
def runs_show(run: Run, as_json: Json = False) -> None:
    """Show a run: config, state, and once it is finished, manifest and figures."""
    view = jobs.view(run)
    shown = run_facts(view)
    if view.state is RunState.SUCCEEDED:
        shown |= {"manifest": read_manifest(view.run), "report": figures(view)}
    print_result(shown, as_json=as_json)


@runs_app.command("cancel")
def runs_cancel(run: Run, as_json: Json = False) -> None:
    """Stop a run; it can be resumed."""
    print_result(run_facts(jobs.cancel(run)), as_json=as_json)


@runs_app.command("resume")
def runs_resume(
    run: Run,
    executor: Annotated[jobs.Executor | None, typer.Option(help="Where to resume; default: where it was.")] = None,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Resume a stopped run from its last finished epoch."""
    follow(jobs.resume(run, executor=executor), wait=wait, as_json=as_json)


@runs_app.command("logs")
def runs_logs(run: Run, as_json: Json = False) -> None:
    """Show the output of a run's worker, errors included."""
    log = jobs.logs(run)
    if as_json:
        print_result({"run_id": run, "log": log}, as_json=True)
    else:
        typer.echo(log, nl=False)


@runs_app.command("clean")
def runs_clean(
    older_than: Annotated[float, typer.Option(help="Minimum age in days since the last change.")] = OLD_DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it, they are only listed.")] = False,
    as_json: Json = False,
) -> None:
    """List or remove backups of stopped runs (which then resume from the start), partial files and stored features."""
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
    """Delete a run of your own, or show what that would remove and which runs refer to it. Published runs cannot be deleted."""
    found = (delete if yes else deletion)(run)
    shown = {"run_id": run, "deleted": yes, "path": str(found.path), "size_bytes": found.size_bytes}
    references = [{"run_id": each.run_id, "how": each.words} for each in found.references]
    print_result({**shown, "references": references, "published_run_stays": found.is_published_too}, as_json=as_json)
    if not yes:
        typer.echo("note: nothing was deleted; --yes deletes the run", err=True)


@runs_app.command("export")
def runs_export(run: Run, wait: Wait = False, as_json: Json = False) -> None:
    """Finish a run that was trained elsewhere: export, predict, evaluate."""
    follow(jobs.export(run), wait=wait, as_json=as_json)


@runs_app.command("refresh")
def runs_refresh(
    runs: Annotated[list[str] | None, typer.Argument(help="Run ids; default: all finished runs.")] = None,
    as_json: Json = False,
) -> None:
    """Bring finished runs, published ones included, up to the facts that this version stores."""
    from pneumo_core.inference.examples import store_examples  # noqa: PLC0415
    from pneumo_core.inference.findings import store_findings  # noqa: PLC0415
    from pneumo_core.inference.refresh import line, refresh  # noqa: PLC0415

    results = []
    with progress_line("refreshing") as progress:
        for run in finished_runs(runs or ()):
            results.append(refresh(run, progress))
            if not as_json:
                typer.echo(line(results[-1]))
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
    """Copy a finished run to artifacts/published, small enough for git: float16 weights, no images, no paths."""
    from pneumo_core.inference.findings import store_findings  # noqa: PLC0415
    from pneumo_core.inference.publish import publish  # noqa: PLC0415

    with progress_line("comparing decisions") as progress:
        published = publish(find_run(run), evidence_only=evidence_only, progress=progress)
    store_findings()
    print_result({"run_id": run, "path": str(published.path)}, as_json=as_json)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except PneumoError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
