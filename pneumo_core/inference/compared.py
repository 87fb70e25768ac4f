"""Comparison of finished runs, from the evidence of each."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pneumo_core.config.classifier import Balance
from pneumo_core.config.ensemble import ClassifierConfig, EnsembleConfig
from pneumo_core.config.run import fingerprint, full_name
from pneumo_core.config.split import NamedSplit
from pneumo_core.errors import PneumoError, RunError
from pneumo_core.evaluation.compare import compare
from pneumo_core.evaluation.comparison import SCHEMA, Comparison, Evidence, Side
from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.report import require_predictions, threshold_of
from pneumo_core.evaluation.resampling import REPLICATES
from pneumo_core.evaluation.sides import drawn_figures, drawn_side
from pneumo_core.inference.contrast import HeldOut, Made, contrast, draws_own_split, held_out_by
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.records import Architecture, Split
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, find_run, list_runs
from pneumo_core.runs.submission import RunData, classifier_config, read_data


@dataclass(frozen=True, slots=True)
class Group:
    """Finished runs that differ only in their seed, or one ensemble.

    Attributes:
        name: Name for people.
        run_ids: The runs, by seed.
        seeds: Their seeds.
        balance: How they handled class imbalance; None for an ensemble, whose members may differ in it.
        splits: What says which patients they hold out: one seed or saved split, or each run's own seed; empty if none are
            held out.
        untreated: Key that they share with runs of the same settings that handle class imbalance otherwise, or not at all.
        data_id: The data set they were trained on.
        is_phantom: Whether that is the built-in phantom set.
        selected_on_test: Whether their epochs were selected on test images.
    """

    name: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    balance: Balance | None
    splits: frozenset[HeldOut]
    untreated: str
    data_id: str
    is_phantom: bool
    selected_on_test: bool


@dataclass(frozen=True, slots=True)
class _Submitted:
    run: RunDirectory
    config: ClassifierConfig
    data: RunData

    @property
    def key(self) -> str:
        """Key of the runs that differ only in their seed and in the choice of held-out patients."""
        return self._fingerprint()

    @property
    def untreated(self) -> str:
        """Key of the runs that differ only in that and in how they handle class imbalance."""
        return self._fingerprint(balance=Balance.NONE, gan_run=None, gap_percent=100)

    @property
    def split(self) -> HeldOut | None:
        """What says which patients are held out; None if none are."""
        return held_out_by(self.config)

    def _fingerprint(self, **changes: Any) -> str:
        if isinstance(self.config, EnsembleConfig):
            return fingerprint(self.config, self.data.data_id)  # Another is of other members.
        return fingerprint(
            replace(self.config, seed=0, split_seed=None, named_split=None, **changes), self.data.data_id
        )


def side_ids(text: str) -> tuple[str, ...]:
    """Run ids of one side from text: one, or several separated by commas.

    Raises:
        RunError: There is no id.
    """
    ids = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not ids:
        raise RunError(f"a side of a comparison requires a run id, or several with commas. Received: {text[:80]!r}")
    return ids


def groups(runs: Iterable[RunDirectory] | None = None) -> tuple[Group, ...]:
    """All finished classifiers, or those among `runs`, grouped by everything but the seed, without what cannot be read."""
    found: dict[str, list[_Submitted]] = defaultdict(list)
    for run in list_runs() if runs is None else runs:
        if run.architecture is Architecture.DCGAN or not is_there(run.manifest):
            continue
        try:
            submitted = _submitted(run)
        except PneumoError:
            continue  # The Train page reports the problem.
        found[submitted.key].append(submitted)
    return _named_apart([_group(runs) for alike in found.values() for runs in _by_split(alike)])


def balanced_pairs(known: Sequence[Group]) -> tuple[tuple[Group, Group], ...]:
    """The question of the 2020 report: each group on original data beside those that handled class imbalance.

    Where all runs of a recipe weight the classes, those on original images with weights stand beside those with added images.
    Where a group has a counterpart that held out the same patients, only such counterparts stand beside it.

    Returns:
        Pairs, those with generated images first, then those not selected on test, then those with most seeds on both
        sides; phantoms last.
    """
    untreated = {(group.untreated, group.splits) for group in known if group.balance is Balance.NONE}

    def is_pair(original: Group, balanced: Group) -> bool:
        if balanced.balance is None:
            return False  # An ensemble.
        if original.balance is Balance.CLASS_WEIGHT and (original.untreated, original.splits) not in untreated:
            return balanced.balance.adds_images
        return original.balance is Balance.NONE is not balanced.balance

    pairs = [
        (original, balanced)
        for original in known
        for balanced in known
        if original.untreated == balanced.untreated and is_pair(original, balanced)
    ]

    with_equal_splits = {balanced.run_ids for original, balanced in pairs if original.splits == balanced.splits}
    pairs = [
        (original, balanced)
        for original, balanced in pairs
        if original.splits == balanced.splits or balanced.run_ids not in with_equal_splits
    ]

    def rank(pair: tuple[Group, Group]) -> tuple[bool, bool, bool, int, str, str]:
        original, balanced = pair
        seeds = min(len(original.seeds), len(balanced.seeds))
        no_gan = balanced.balance is not Balance.GAN
        return original.is_phantom, no_gan, original.selected_on_test, -seeds, original.name, balanced.run_ids[0]

    return tuple(sorted(pairs, key=rank))


def evidence_of(run_id: str, split: Split) -> Evidence:
    """Predictions of a finished run for the images of a split.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: It is a DCGAN's, is not finished, or has no predictions of the split.
        CorruptError: A file does not match its hash.
        DataError: Its predictions are not as required.
    """
    run = find_run(run_id)
    return _evidence(run, classifier_config(run), split)


def compare_runs(a: Sequence[str], b: Sequence[str], *, split: Split = Split.TEST) -> Comparison:
    """Compare two runs, or two groups of runs that differ only in their seed, by the ids of each side.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: A run is on both sides, a DCGAN's, not finished, without predictions of the split, or differs from the
            others of its side in more than the seed.
        CorruptError: A file does not match its hash.
        DataError: A run's predictions are not as required, or the runs of a side were tested on different images.
    """
    if both := set(a) & set(b):
        raise RunError(
            f"the sides of a comparison must be different runs. Received: {', '.join(sorted(both))} on both; choose another"
        )
    sides = [
        sorted((_submitted(find_run(run_id)) for run_id in ids), key=lambda submitted: submitted.config.seed)
        for ids in (a, b)
    ]
    for side in sides:
        _require_group(side)
    described = [_group(side) for side in sides]
    names = [_side_name(group) for group in described]
    if names[0] == names[1]:
        names = [_side_name(group) for group in _named_apart(described)]
    if names[0] == names[1]:
        names = [f"{name} · {group.run_ids[0][-6:]}" for name, group in zip(names, described, strict=True)]
    evidence = [[_evidence(submitted.run, submitted.config, split) for submitted in side] for side in sides]
    found = compare(
        evidence[0],
        evidence[1],
        split=split,
        names=(names[0], names[1]),
        same_patients=described[0].is_phantom == described[1].is_phantom,
    )
    made_a, made_b = (Made(tuple(submitted.config for submitted in side), side[0].data) for side in sides)
    return replace(found, contrast=contrast(made_a, made_b))


def side_of(run_ids: Sequence[str], split: Split = Split.TEST) -> Side:
    """Figures of one run, or the mean of several that differ only in their seed; see `compare_runs` for the errors."""
    side = [_submitted(find_run(run_id)) for run_id in run_ids]
    evidence = [_evidence(submitted.run, submitted.config, split) for submitted in side]
    return drawn_side(_side_name(_group(side)), evidence, drawn_figures(evidence, REPLICATES))


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """Plain data of a comparison, for JSON; a value that is not applicable is ``{"not_applicable": reason}``."""
    return {"schema": SCHEMA, **encode(comparison)}


def _submitted(run: RunDirectory) -> _Submitted:
    return _Submitted(run, classifier_config(run), read_data(run))


def _require_group(side: Sequence[_Submitted]) -> None:
    """Check that runs differ only in their seed, or in that and in the patients that each holds out by its own seed."""
    one_split = len({submitted.split for submitted in side}) == 1
    own_splits = all(draws_own_split(submitted.config) for submitted in side)
    odd = [submitted.run.run_id for submitted in side if submitted.key != side[0].key]
    if not one_split and not own_splits:
        odd += [submitted.run.run_id for submitted in side if submitted.split != side[0].split]
    if odd:
        raise RunError(
            "runs of one group must differ only in their seed. "
            f"Received: {side[0].run.run_id} and {odd[0]}, which differ in more; compare them with each other"
        )


def _by_split(alike: Sequence[_Submitted]) -> list[list[_Submitted]]:
    """Groups of runs that differ in their seeds alone: on one split each, and those that each drew their own split.

    A run whose own seed draws the split of others is in their group, and only there if no run with another split of its own is
    left.
    """
    own = [submitted for submitted in alike if draws_own_split(submitted.config)]
    shared = dict.fromkeys(one.split for one in alike if not draws_own_split(one.config))
    made = [[submitted for submitted in alike if submitted.split == split] for split in shared]
    lone = [submitted for submitted in own if submitted.split not in shared]
    return [*made, *([own] if lone else [])]


def _named_apart(made: Sequence[Group]) -> tuple[Group, ...]:
    """Groups of one name with their splits in it, where these differ; ensembles of one name with the end of their ids."""
    splits: dict[str, set[frozenset[HeldOut]]] = defaultdict(set)
    for group in made:
        splits[group.name].add(group.splits)
    names = Counter(group.name for group in made if group.balance is None)
    words = {
        group.run_ids: group.run_ids[0][-6:] if names[group.name] > 1 else _split_words(group)
        for group in made
        if names[group.name] > 1 or len(splits[group.name]) > 1
    }
    return tuple(
        replace(group, name=f"{group.name} · {words[group.run_ids]}") if group.run_ids in words else group
        for group in made
    )


def _split_words(group: Group) -> str:
    named = [split for split in group.splits if isinstance(split, NamedSplit)]
    if named:  # Its name is in the group's.
        return f"hash {named[0].digest}"
    return "a split per seed" if len(group.splits) > 1 else f"split {', '.join(map(str, group.splits))}"


def _group(runs: Sequence[_Submitted]) -> Group:
    ordered = sorted(runs, key=lambda submitted: (submitted.config.seed, submitted.run.run_id))
    first = ordered[0]
    name = full_name(first.config)
    return Group(
        name=f"{name} · phantoms" if first.data.is_phantom else name,
        run_ids=tuple(submitted.run.run_id for submitted in ordered),
        seeds=tuple(submitted.config.seed for submitted in ordered),
        balance=None if isinstance(first.config, EnsembleConfig) else first.config.balance,
        splits=frozenset(split for submitted in runs if (split := submitted.split) is not None),
        untreated=first.untreated,
        data_id=first.data.data_id,
        is_phantom=first.data.is_phantom,
        selected_on_test=first.config.selected_on_test,
    )


def _side_name(group: Group) -> str:
    count = len(group.seeds)
    if group.balance is None:
        return group.name  # Its seed is that of the choice of patients.
    return f"{group.name} · " + (f"seed {group.seeds[0]}" if count == 1 else f"{count} seeds")


def _evidence(run: RunDirectory, config: ClassifierConfig, split: Split) -> Evidence:
    predictions = read_predictions(run)
    require_predictions(predictions)
    rows = predictions[predictions["split"] == split.value]
    if rows.empty:
        has = sorted(set(predictions["split"].astype(str)))
        raise RunError(
            f"the run must have predictions of the split. Received: run_id={run.run_id!r}, split={split.value!r}, "
            f"has={has}"
        )
    return Evidence(
        run_id=run.run_id,
        seed=config.seed,
        threshold=threshold_of(predictions, config.operating_rule, config.choose_on),
        selected_on_test=config.selected_on_test,
        predictions=rows.sort_values("image_id").reset_index(drop=True),
    )
