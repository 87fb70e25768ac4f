"""A study: the runs of a grid, architectures x balancing arms x seeds, started and followed together.

A study itself is not stored: run ids are derived from the configs, so the same grid finds the same runs again, finished,
running or missing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pneumo_core.config.classifier import Balance, Preset, TrainConfig, Validation
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import run_id
from pneumo_core.data.gan_arm import follow_gan
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import ConfigError, RunNotFoundError
from pneumo_core.jobs.cost import Cost, estimate_cost
from pneumo_core.jobs.remaining import remaining, remaining_s
from pneumo_core.jobs.speed import Span
from pneumo_core.jobs.views import RunView, view
from pneumo_core.records import Architecture, RunState
from pneumo_core.settings import settings

MAX_RUNS = 200
"""Maximum number of runs in a study: each waits as a process of its own."""


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a study; `view` is None if it was never submitted.

    `remaining_s` are the expected remaining seconds, export and predictions included, and `remaining` is their range; measured
    for a live run, estimated otherwise.
    """

    config: TrainConfig
    run_id: str
    view: RunView | None
    remaining_s: float
    remaining: Span

    @property
    def state(self) -> str:
        """State of the run; ``"new"`` if it was never submitted."""
        return "new" if self.view is None else self.view.state.value

    @property
    def fraction(self) -> float:
        """Fraction of the work that is done, in [0, 1], by epochs."""
        if self.view is None or self.view.status is None:
            return 0.0 if self.state != RunState.SUCCEEDED.value else 1.0
        if self.view.state in {RunState.SUCCEEDED, RunState.TRAINED, RunState.EXPORTING}:
            return 1.0
        return self.view.status.fraction


@dataclass(frozen=True, slots=True)
class Study:
    """Progress of a grid of runs, in the grid's order; `parallel` of them work at the same time."""

    members: tuple[Member, ...]
    parallel: int

    @property
    def states(self) -> dict[str, int]:
        """Number of runs in each state that occurs."""
        return dict(Counter(member.state for member in self.members))

    @property
    def fraction(self) -> float:
        """Fraction of the work that is done, in [0, 1]; each run counts the same."""
        return sum(member.fraction for member in self.members) / len(self.members)

    @property
    def is_live(self) -> bool:
        """Whether a run is still working or waiting."""
        return any(member.view is not None and member.view.state.is_live for member in self.members)

    @property
    def is_finished(self) -> bool:
        """Whether every run has succeeded."""
        return all(member.state == RunState.SUCCEEDED.value for member in self.members)

    @property
    def sides(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Ids of the runs of pairs (see `balancing_pair`): on original images, and on balanced ones."""
        ids = tuple(member.run_id for member in self.members)
        return ids[::2], ids[1::2]

    @property
    def remaining_s(self) -> float:
        """Expected seconds until all runs are finished, `parallel` at a time; at least those of the longest run."""
        return self._all_s([member.remaining_s for member in self.members])

    @property
    def remaining(self) -> Span:
        """Range of the same: the ends of all runs together, as if each were at that end of its own range."""
        left = [member.remaining for member in self.members]
        return Span(self._all_s([span.low_s for span in left]), self._all_s([span.high_s for span in left]))

    def _all_s(self, seconds: Sequence[float]) -> float:
        return max(sum(seconds) / self.parallel, *seconds)


def seeds(config: TrainConfig, count: int, split_seed: int | None = None) -> tuple[TrainConfig, ...]:
    """The config with `count` seeds, its own first; with a split seed all hold out the same patients.

    Raises:
        ConfigError: A number is out of range.
    """
    if not 1 <= count <= MAX_RUNS:
        raise ConfigError(f"a study has 1 to {MAX_RUNS} seeds. Received: seeds={count}")
    shared = config.split_seed if split_seed is None else split_seed
    return tuple(replace(config, seed=config.seed + number, split_seed=shared) for number in range(count))


def balancing_pair(config: TrainConfig, count: int) -> tuple[TrainConfig, ...]:
    """The question of this project as runs: `count` seeds on original images, each beside the same seed on balanced ones.

    Both hold out the same patients: a DCGAN's held-out ones with the arm ``gan``, else those of the seed. Ordered by seed, the
    original first, so that the comparison has its first pair early. The config is the balanced run of the first seed.

    Raises:
        ConfigError: The config has no balancing arm, the number is out of range, or the DCGAN was trained on all patients.
        RunNotFoundError: There is no such DCGAN.
        RunError: The run of an arm ``gan`` is a classifier's.
    """
    if config.balance is Balance.NONE:
        raise ConfigError("a pair needs a balancing arm beside original images. Received: balance='none'")
    if 2 * count > MAX_RUNS:
        raise ConfigError(f"a study has 1 to {MAX_RUNS} runs. Received: {2 * count} runs; choose fewer seeds")
    # After the seeds: a DCGAN determines the held-out patients of all of them.
    balanced = map(follow_gan, seeds(config, count))
    return tuple(each for one in balanced for each in (original_of(one), one))


def original_of(config: TrainConfig) -> TrainConfig:
    """The same run on original images: same seed, same held-out patients, no balancing arm.

    Beside an arm that adds images, a preset that weights classes weights them on the original images too: where the arm closes
    the whole gap, the images alone differ.
    """
    usual = preset_config(config.architecture, config.preset).balance
    arm = usual if config.balance.adds_images else Balance.NONE
    return replace(config, balance=arm, gan_run=None, gap_percent=100)


def grid(
    architectures: Iterable[Architecture],
    arms: Iterable[tuple[Balance, str | None]],
    preset: Preset,
    *,
    first_seed: int = 0,
    seed_count: int = 1,
    split_seed: int | None = None,
    **options: Any,
) -> tuple[TrainConfig, ...]:
    """Configs of every combination, ordered by seed, so that each comparison has its first pair early.

    Args:
        architectures: Models to train.
        arms: Balancing arms, the arm ``gan`` with its DCGAN's run. With one, all arms hold out the patients that the DCGAN was
            not trained on, so that they are comparable.
        preset: Preset of all runs.
        first_seed: First seed.
        seed_count: Number of seeds per combination.
        split_seed: Seed of the choice of held-out patients, or None for each run's own; a DCGAN's comes first.
        **options: Further arguments of `preset_config`. Those of VGG16 are for it alone if the grid has others too.

    Raises:
        RunNotFoundError: There is no such DCGAN.
        RunError: The run of an arm ``gan`` is a classifier's.
        ConfigError: The grid is empty or has more than `MAX_RUNS` runs, a value is out of range, or a value applies to VGG16
            only and the grid lacks it.
    """
    architectures, arms = list(dict.fromkeys(architectures)), list(dict.fromkeys(arms))

    def combination(architecture: Architecture, arm: Balance, gan_run: str | None) -> tuple[TrainConfig, ...]:
        # Without VGG16 in the grid, the others are given its settings too, and refuse them.
        takes = architecture is Architecture.VGG16 or Architecture.VGG16 not in architectures
        own = {name: value for name, value in options.items() if takes or name not in _OF_VGG16}
        config = preset_config(architecture, preset, seed=first_seed, balance=arm, gan_run=gan_run, **own)
        return seeds(config, seed_count, split_seed)

    combined = [combination(architecture, *arm) for architecture in architectures for arm in arms]
    combined = _held_out_alike(combined)
    configs = tuple(config for same_seed in zip(*combined, strict=True) for config in same_seed)
    if not 1 <= len(configs) <= MAX_RUNS:
        raise ConfigError(
            f"a study has 1 to {MAX_RUNS} runs. Received: {len(configs)} runs; choose fewer seeds or arms"
        )
    return configs


_OF_VGG16 = ("feature_views", "fine_tune", "trained_blocks")


def _held_out_alike(combined: list[tuple[TrainConfig, ...]]) -> list[tuple[TrainConfig, ...]]:
    """The same configs, all holding out the patients that the grid's DCGAN, if there is one, was not trained on."""
    followed = [follow_gan(config) for configs in combined for config in configs if config.gan_run is not None]
    splits = {
        (config.seed if config.split_seed is None else config.split_seed, config.val_fraction) for config in followed
    }
    if not followed or combined[0][0].validation is Validation.TEST:
        return combined
    if len(splits) > 1:
        runs = sorted({str(config.gan_run) for config in followed})
        raise ConfigError(
            f"the DCGANs of a study must have held out the same patients. Received: {runs}, with different ones; run "
            "a study for each"
        )
    ((split_seed, val_fraction),) = splits
    return [
        tuple(replace(config, split_seed=split_seed, val_fraction=val_fraction) for config in configs)
        for configs in combined
    ]


def progress(configs: Sequence[TrainConfig], index: DataIndex) -> Study:
    """Progress of the runs of at least one config, without starting any.

    Raises:
        ConfigError: A setting cannot be used.
        StoreError: A run's files cannot be read.
    """

    @cache
    def cost(config: TrainConfig) -> Cost:
        return estimate_cost(config, index)

    # The cost does not depend on the seed, and each estimate reads the files of all runs.
    members = tuple(_member(config, index, cost(replace(config, seed=0))) for config in configs)
    return Study(members, min(settings().parallel_runs, len(members)))


def to_dict(study: Study) -> dict[str, Any]:
    """Plain data of a study, for JSON."""
    return {
        "runs": [
            {
                "run_id": member.run_id,
                "architecture": member.config.architecture.value,
                "balance": member.config.balance.value,
                "gan_run": member.config.gan_run,
                "seed": member.config.seed,
                "state": member.state,
                "fraction": round(member.fraction, 3),
            }
            for member in study.members
        ],
        "states": study.states,
        "fraction": round(study.fraction, 3),
        "remaining_s": round(study.remaining_s),
        "remaining_range_s": [round(study.remaining.low_s), round(study.remaining.high_s)],
    }


def _member(config: TrainConfig, index: DataIndex, cost: Cost) -> Member:
    name = run_id(config, index.data_id)
    try:
        found = view(name)
    except RunNotFoundError:
        found = None
    if found is not None and found.state is RunState.SUCCEEDED:
        return Member(config, name, found, 0.0, Span(0.0, 0.0))
    left_s, left = (None, None) if found is None else (remaining_s(found), remaining(found))
    training_s = cost.duration_s if left_s is None else left_s
    return Member(config, name, found, cost.finish_s + training_s, cost.finish + (left or cost.training))
