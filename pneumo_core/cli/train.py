"""The commands that make classifiers: ``python -m pneumo_core train|study|ensemble``."""

import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pneumo_core.cli.command import Data, Json, Wait, Where, balance_of, follow, group, index_of
from pneumo_core.cli.recipe import changes, takes_recipe
from pneumo_core.cli.tables import print_tables
from pneumo_core.cli.terminal import detachable, left, note, print_result, progress_line, say
from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.naming import arm_name, model_name
from pneumo_core.config.presets import preset_config
from pneumo_core.data.gan_arm import collapse_of, follow_gan
from pneumo_core.data.index import DataIndex, load_index
from pneumo_core.data.saved_splits import split_named
from pneumo_core.errors import ConfigError, RunError
from pneumo_core.evaluation.wording import percent
from pneumo_core.inference.contrast import held_out_by
from pneumo_core.jobs import runs as jobs
from pneumo_core.records import Architecture, RunState
from pneumo_core.reporting.document import Table
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import complete_id, find_run

if TYPE_CHECKING:
    from pneumo_core.study import Study

train_app = group("")


class Network(StrEnum):
    """The architectures of classifiers, which these commands train; `gan train` trains the other."""

    BASELINE = Architecture.BASELINE.value
    COMPACT = Architecture.COMPACT.value
    VGG16 = Architecture.VGG16.value


ARMS = ", ".join("gan, gan:RUN" if arm is Balance.GAN else arm.value for arm in Balance)
Gap = Annotated[
    int, typer.Option(help="Percentage of the gap between the class sizes that added images close.", min=1, max=100)
]
Split = Annotated[
    int | None,
    typer.Option(
        "--split-seed",
        help="Seed of the choice of held-out patients, which the runs of an ensemble share; default: the run's seed, or a "
        "DCGAN's.",
    ),
]

SavedSplit = Annotated[
    str | None,
    typer.Option("--split", help="Name of a saved split, which says which images validate; see 'data split'."),
]


@train_app.command()
@takes_recipe
def train(
    architecture: Annotated[Network, typer.Option(help="Model to train.")] = Network.BASELINE,
    preset: Annotated[Preset, typer.Option(help="Training procedure; docs/commands.md describes each.")] = Preset.SOUND,
    data: Data = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    split_seed: Split = None,
    split: SavedSplit = None,
    balance: Annotated[
        str | None, typer.Option(help=f"How class imbalance is handled: {ARMS}; default: as the preset does.")
    ] = None,
    gap_percent: Gap = 100,
    executor: Where = jobs.Executor.LOCAL,
    wait: Wait = False,
    as_json: Json = False,
    **recipe: Any,
) -> None:
    """Train a classifier in the background.

    A finished run of the same settings is returned, not repeated.
    """
    arm, gan_run = balance_of(balance) if balance else (None, None)
    config = preset_config(
        Architecture(architecture),
        preset,
        seed=seed,
        split_seed=split_seed,
        balance=arm,
        gan_run=gan_run,
        gap_percent=gap_percent,
        **changes(recipe),
    )
    if gan_run and (collapse := collapse_of(find_run(gan_run))):
        say(f"warning: the samples of {gan_run} have collapsed: {collapse}", err=True)
    index, taken = index_of(data)
    config = _on_split(follow_gan(config), split, index)
    _require_split(config, split_seed)
    view = jobs.submit(config, index, executor=executor)
    follow(view, wait=wait, as_json=as_json, notes=[taken, *_usual_gan([balance or ""])])


def _on_split(config: TrainConfig, name: str | None, index: DataIndex) -> TrainConfig:
    """The config with the saved split that was asked for, if one was."""
    return config if name is None else replace(config, named_split=split_named(name, index.data_id).named)


def _require_split(config: TrainConfig, split_seed: int | None) -> None:
    """Check that a run holds out the patients that were asked for."""
    own = held_out_by(config)
    if split_seed in {None, own}:
        return
    what = "holds out no patient" if own is None else f"holds out its DCGAN's, of seed {own}"
    raise ConfigError(
        "--split-seed is for runs that choose the patients that they hold out. Received: "
        f"split_seed={split_seed} of a run that {what}; leave it out"
    )


def _usual_arm(preset: Preset) -> str:
    return preset_config(Architecture.BASELINE, preset).balance.value


def _usual_gan(arms: Sequence[str]) -> list[str]:
    """That an arm takes the recommended DCGAN, where none is named."""
    return [f"the arm gan takes {recommended().dcgan}, the recommended DCGAN"] if Balance.GAN.value in arms else []


@train_app.command()
def ensemble(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Run ids or their beginnings: classifiers that hold out the same patients."),
    ],
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Combine finished classifiers in the background.

    The result is a run: its logit is the mean of theirs, its heat map the mean of theirs.
    """
    from pneumo_core.inference.ensemble import ensemble_of  # noqa: PLC0415

    config, data_id = ensemble_of([complete_id(run) for run in runs])
    follow(jobs.submit(config, load_index(data_id)), wait=wait, as_json=as_json)


@train_app.command()
@takes_recipe
def study(
    architectures: Annotated[list[Network], typer.Option("--architecture", help="Model; may be repeated.")],
    arms: Annotated[
        list[str] | None, typer.Option("--balance", help=f"{ARMS}; may be repeated; default: the preset's.")
    ] = None,
    preset: Annotated[Preset, typer.Option(help="Training procedure of all runs.")] = Preset.SOUND,
    data: Data = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds per combination.")] = 1,
    first_seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    split_seed: Split = None,
    split: SavedSplit = None,
    gap_percent: Gap = 100,
    status: Annotated[
        bool, typer.Option("--status", help="Only report the progress of the grid; start nothing.")
    ] = False,
    executor: Where = jobs.Executor.LOCAL,
    wait: Wait = False,
    as_json: Json = False,
    **recipe: Any,
) -> None:
    """Train a grid: architectures x balancing arms x seeds.

    The same command, repeated, resumes what is missing.
    """
    from pneumo_core import study as studies  # noqa: PLC0415

    configs = studies.grid(
        [Architecture(one) for one in architectures],
        [balance_of(arm) for arm in arms or [_usual_arm(preset)]],
        preset,
        first_seed=first_seed,
        seed_count=seeds,
        split_seed=split_seed,
        gap_percent=gap_percent,
        **changes(recipe),
    )
    for config in configs:
        _require_split(config, split_seed)
    index, taken = index_of(data)
    configs = tuple(_on_split(config, split, index) for config in configs)
    with progress_line("submitting") as show:
        for number, config in enumerate(() if status else configs):
            show(number, len(configs))
            jobs.submit(config, index, executor=executor)
    for text in (taken, *_usual_gan(arms or ())):
        note(text)
    with progress_line("training") as show, detachable("study ... --status"):
        while (state := studies.progress(configs, index)).is_live and wait:
            message = f"{state.states.get('succeeded', 0)} of {len(configs)} runs finished{left(state.remaining)}"
            show(state.fraction, 1, message)
            time.sleep(2)
    if as_json:
        print_result(studies.to_dict(state), as_json=True)
    else:
        _print_study(state)
    if wait and not state.is_finished:
        raise RunError(f"every run of the study must succeed. Received: {state.states}; the same command resumes them")


def _print_study(state: "Study") -> None:
    """The grid as a table, and how much of it is left."""
    columns = ("run", "state", "network", "arm", "seed", "done")
    rows = tuple(
        (
            member.run_id,
            "not started" if member.view is None else member.state,
            model_name(member.config.architecture),
            arm_name(member.config),
            str(member.config.seed),
            percent(member.fraction, 0),
        )
        for member in state.members
    )
    finished = state.states.get(RunState.SUCCEEDED.value, 0)
    caption = f"{finished} of {len(rows)} runs finished{left(state.remaining)}"
    print_tables(Table("study", caption, columns, rows))
