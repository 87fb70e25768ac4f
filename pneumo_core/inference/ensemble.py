"""Which finished runs can be combined, and the config of the ensemble that they are."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.ensemble import CAREFUL, FEWEST, MOST, EnsembleConfig
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import assign
from pneumo_core.errors import PneumoError, RunError
from pneumo_core.evaluation.wording import percent
from pneumo_core.inference.contrast import held_out_by, held_out_words
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.inference.heatmap import read_scale
from pneumo_core.records import Architecture, NotApplicable, Split
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest
from pneumo_core.runs.submission import read_config, read_data


@dataclass(frozen=True, slots=True)
class MemberRun:
    """A finished run that can be a member of an ensemble.

    Attributes:
        run: Its directory.
        config: Its config.
        data_id: Its data set.
        full: Value of its `cam` that is drawn in full color, above 0.
    """

    run: RunDirectory
    config: TrainConfig
    data_id: str
    full: float


def ensemble_of(run_ids: Sequence[str]) -> tuple[EnsembleConfig, str]:
    """Config of the ensemble of finished runs, and the id of their data set.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: There are too few or too many; one is not finished, a DCGAN, an ensemble, has no model, no scale of its heat
            maps, or was selected on test; or two are of other data, took other images or held out other patients.
        CorruptError, StoreError: A run's files are damaged or cannot be read.
    """
    ids = sorted(dict.fromkeys(run_ids))  # Whoever is named first, one set of members is one ensemble.
    if not FEWEST <= len(ids) <= MOST:
        raise RunError(
            f"an ensemble needs {FEWEST} to {MOST} different runs. Received: {len(ids)}: {', '.join(ids) or 'none'}; name more"
            if len(ids) < FEWEST
            else f"an ensemble has {FEWEST} to {MOST} different runs. Received: {len(ids)}; leave some out"
        )
    members = [member_run(run_id) for run_id in ids]
    first, *others = members
    for other in others:
        _require_alike(first, other)
    configs = [member.config for member in members]
    limits = [config.max_images for config in configs]
    config = EnsembleConfig(
        members=tuple(ids),
        preset=min((config.preset for config in configs), key=CAREFUL.index),
        seed=_split_seed(first.config),
        val_fraction=first.config.val_fraction,
        image_size=max(config.image_size for config in configs),
        preparation=first.config.preparation,
        named_split=first.config.named_split,
        max_images=None if None in limits else max(limit for limit in limits if limit is not None),
    )
    return config, first.data_id


def member_run(run_id: str) -> MemberRun:
    """A run as a member of an ensemble; see `ensemble_of` for the errors."""
    run = find_run(run_id)
    config = read_config(run)
    if not isinstance(config, TrainConfig):
        what = "a DCGAN" if run.architecture is Architecture.DCGAN else "an ensemble itself"
        advice = "name its members" if isinstance(config, EnsembleConfig) else "name classifiers"
        raise RunError(f"members of an ensemble must be trained classifiers. Received: {run_id}, {what}; {advice}")
    listed = read_manifest(run)["files"]
    if config.selected_on_test:
        raise RunError(
            f"members of an ensemble must hold patients out. Received: {run_id}, whose epoch was selected on test images; take "
            "runs of another preset"
        )
    if run.model.name not in listed or not is_there(run.model):
        raise RunError(
            f"members of an ensemble must have their models. Received: {run_id}, of which only the evidence is here; train it "
            "again, or leave it out"
        )
    scale = read_scale(run)
    if isinstance(scale, NotApplicable):
        raise RunError(
            f"members of an ensemble must have a scale of their heat maps. Received: {run_id}, which has none: {scale.reason}"
        )
    return MemberRun(run, config, read_data(run).data_id, scale.full)


def member_facts(members: Sequence[MemberRun], models: Sequence[bytes]) -> dict[str, Any]:
    """What the manifest of an ensemble says of its members, whose models' files are given.

    Their hashes tell whether a member has been made again since. Numbers of parameters are sums, and missing if one is.
    """
    manifests = [read_manifest(member.run) for member in members]
    counts = {name: [manifest.get(name) for manifest in manifests] for name in ("parameters", "trainable_parameters")}
    return {
        "members": [
            {"run_id": member.run.run_id, "model_sha256": hashlib.sha256(model).hexdigest()}
            for member, model in zip(members, models, strict=True)
        ],
        **{
            name: sum(number for number in numbers if isinstance(number, int))
            for name, numbers in counts.items()
            if all(isinstance(number, int) for number in numbers)
        },
    }


def combinable(runs: Sequence[RunDirectory]) -> list[str]:
    """Ids of the runs that can be members of some ensemble, in their order; without what cannot be read."""
    found = []
    for run in runs:
        try:
            found.append(member_run(run.run_id).run.run_id)
        except PneumoError:
            continue  # `ensemble_of` says why, to those who name it.
    return found


def require_unseen(config: EnsembleConfig, index: DataIndex) -> None:
    """Check that the patients an ensemble validates on are those that its members held out, by their predictions.

    The choice follows from the settings, but a version of the library that makes it could choose others.

    Raises:
        RunError: A member held out others, or is not finished.
        CorruptError: A file does not match its hash.
        DataError: The images cannot be assigned.
    """
    # All that are held out: each member may have validated on a sample of them.
    rows = assign(index.table, replace(config, max_images=None)).val
    held_out = set(index.table["patient_id"].iloc[rows])
    for member in config.members:
        if strange := _held_out(find_run(member)) - held_out:
            raise RunError(
                f"members of an ensemble must share their held-out patients. Received: {member}, which validated on "
                f"{len(strange):,} patients that the others trained on, such as {min(strange)!r}; train it again"
            )


def _require_alike(first: MemberRun, other: MemberRun) -> None:
    """Check that two runs can be members of one ensemble."""
    a, b = first.config, other.config
    ids = f"{first.run.run_id} and {other.run.run_id}"
    if first.data_id != other.data_id:
        raise RunError(
            f"members of an ensemble must be trained on the same data set. Received: {ids}, trained on {first.data_id} and "
            f"{other.data_id}; leave one out"
        )
    if a.preparation is not b.preparation:
        raise RunError(
            "members of an ensemble must prepare images alike. Received: "
            f"{ids}, preparation={a.preparation.value!r} and {b.preparation.value!r}; leave one out"
        )
    # A saved split draws no share of the patients.
    same_share = a.named_split is not None or a.val_fraction == b.val_fraction
    if held_out_by(a) == held_out_by(b) and same_share:
        return
    # Other settings can choose the same patients, as the fractions .15 and .14 do: one of seven parts.
    is_whole = a.max_images is None and b.max_images is None
    patients = [_held_out(one.run) for one in (first, other)]
    if not is_whole or patients[0] != patients[1]:
        words_a, words_b = (_choice(one) for one in (a, b))
        raise RunError(
            f"members of an ensemble must share their held-out patients, or it would validate on patients that one trained on. "
            f"Received: {ids}, which hold out {words_a} and {words_b}, "
            f"{len(patients[0] & patients[1]):,} of {len(patients[0] | patients[1]):,} patients in common; leave one "
            f"out, or train it again with {_option(a)}{'' if a.val_fraction == b.val_fraction else ' and the same preset'}"
        )


def _held_out(run: RunDirectory) -> set[str]:
    """Patients that a run validated on."""
    predictions: pd.DataFrame = read_predictions(run)
    return set(predictions.loc[predictions["split"] == Split.VAL.value, "patient_id"])


def _choice(config: TrainConfig) -> str:
    """Which patients a config holds out, in words."""
    chosen = held_out_by(config)
    share = "" if config.named_split else f"{percent(config.val_fraction, 0)} "
    return share + ("of none" if chosen is None else held_out_words(chosen))


def _option(config: TrainConfig) -> str:
    """The option of `train` with which another holds out the same patients."""
    return f"--split {config.named_split}" if config.named_split else f"--split-seed {_split_seed(config)}"


def _split_seed(config: TrainConfig) -> int:
    chosen = held_out_by(config)
    return chosen if isinstance(chosen, int) else 0
