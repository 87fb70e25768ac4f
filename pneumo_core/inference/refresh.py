"""Bringing finished runs up to the facts that this version stores: ``runs refresh``."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.augmentation.stress import copies_of
from pneumo_core.config.ensemble import ClassifierConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.run import RunConfig
from pneumo_core.data.index import load_index
from pneumo_core.errors import ConfigError, DataError, RunError, StoreError
from pneumo_core.inference import gan_measures, gan_record
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.inference.finish import FACTS, Material, gan_facts, outputs_for_training
from pneumo_core.inference.generator import load_generator
from pneumo_core.inference.session import Outputs, load_session, run_batches
from pneumo_core.inference.stress import has_stress, is_complete, stress_rows, with_sharpness
from pneumo_core.models.vgg16_weights import FILE, found_file
from pneumo_core.records import Split
from pneumo_core.runs.files import is_there
from pneumo_core.runs.replacement import complete_replacement, replace_files
from pneumo_core.runs.store import RunDirectory, read_manifest, verified_file, verified_json
from pneumo_core.runs.submission import read_config, read_data

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did to a run.

    Attributes:
        run_id: The run.
        is_published: Whether it is the copy that ships with the project.
        made: Files that were made.
        current: Files that needed nothing.
        not_made: Files that could not be made, with the reason.
        error: What keeps the run from being refreshed at all, or "".
    """

    run_id: str
    is_published: bool
    made: tuple[str, ...]
    current: tuple[str, ...]
    not_made: dict[str, str]
    error: str = ""


def refresh(run: RunDirectory, progress: Progress = lambda _done, _total, _what: None) -> Refreshed:
    """Make the facts that a finished run, local or published, lacks or has in an older schema.

    The run stays whole if this is killed. `progress` is called with the amount done, its total and the stage; it may raise to
    stop.
    """
    try:
        complete_replacement(run)
        config = read_config(run)
        known = {"measures.json": gan_record.SCHEMA} if isinstance(config, GanConfig) else _SCHEMAS
        current = tuple(name for name, schema in known.items() if _is_current(run, config, name, schema))
        missing = {name: reason for name, reason in _modelless(run).items() if name in known and name not in current}
        files: dict[str, bytes] = {}
        facts: dict[str, Any] = {}
        if old := [name for name in known if name not in {*current, *missing}]:
            _require_writable(run)
            if isinstance(config, GanConfig):
                files, facts, failed = _gan(run, config, progress)
            else:
                files, failed = _classifier(run, config, old, progress)
            missing |= failed
        if files:
            replace_files(run, files, facts)
        kept = tuple(name for name in current if name not in files)
        return Refreshed(run.run_id, run.is_published, tuple(files), kept, missing)
    except (StoreError, ConfigError, RunError) as error:
        return Refreshed(run.run_id, run.is_published, (), (), {}, str(error))


def line(result: Refreshed) -> str:
    """A result in one line, for people."""
    name = f"{result.run_id}{' (published)' if result.is_published else ''}"
    if result.error:
        return f"{name}: not refreshed: {result.error}"
    reasons: dict[str, list[str]] = {}
    for file, reason in result.not_made.items():
        reasons.setdefault(reason, []).append(file)
    parts = [
        f"{what} {', '.join(files)}" for what, files in (("made", result.made), ("current", result.current)) if files
    ]
    parts += [f"not made {', '.join(files)}: {reason}" for reason, files in reasons.items()]
    return f"{name}: {'; '.join(parts)}"


_PREDICTIONS = "predictions.parquet"
_OF_PREDICTIONS = ("report.json", "calibration.json")
"""What follows from the predictions, and is made again with them."""

_SCHEMAS = {_PREDICTIONS: None, **{fact.name: fact.schema for fact in FACTS}}


def _is_current(run: RunDirectory, config: RunConfig, name: str, schema: int | None) -> bool:
    """Whether a fact is stored in this version's schema, or in a later version's; without a number it is of the first."""
    if name not in read_manifest(run)["files"]:
        return False
    try:
        if name == _PREDICTIONS and not isinstance(config, GanConfig):
            return is_complete(read_predictions(run), config, with_model=is_there(run.model))
        if schema is None:
            verified_file(run, run.path / name)
            return True
        stored = verified_json(run, run.path / name)
    except (StoreError, RunError):  # Damaged or missing: made again, from what it was made from.
        return False
    found = stored.get("schema", 1) if isinstance(stored, dict) else None
    return isinstance(found, int) and found >= schema


def _modelless(run: RunDirectory) -> dict[str, str]:
    """Facts that a run cannot have since it lacks its model, with the reason."""
    if is_there(run.model):
        return {}
    reason = f"the run {'ships as evidence, without' if run.is_published else 'lacks'} its model"
    return {fact.name: reason for fact in FACTS if fact.needs_model}


def _require_writable(run: RunDirectory) -> None:
    if not os.access(run.path, os.W_OK):
        what = "the checkout, which holds the published runs," if run.is_published else "a run"
        raise StoreError(f"{what} must be writable to be refreshed. Received: path={str(run.path)!r}, which is not")


def _classifier(
    run: RunDirectory, config: ClassifierConfig, old: list[str], progress: Progress
) -> tuple[dict[str, bytes], dict[str, str]]:
    """New content of outdated facts, and the reason for each that cannot be made."""
    made, missing = {}, {}
    predictions = cache(lambda: read_predictions(run))
    if _PREDICTIONS in old:
        try:
            completed = _completed(run, config, progress)
        except (DataError, RunError) as error:
            missing[_PREDICTIONS] = str(error)
        else:
            made[_PREDICTIONS] = completed.to_parquet(index=False)
            predictions = cache(lambda: completed)
            old = [*old, *_OF_PREDICTIONS]
    material = Material(
        run.run_id,
        config,
        predictions=predictions,
        own=cache(lambda: _own_outputs(run, config, progress)),
        trained=cache(lambda: _outputs_for_training(run, config, progress)),
        model=lambda: verified_file(run, run.model),
        pixels=lambda ids: _images(run, config, progress, ids),
        progress=partial(_named, run, progress),
    )
    for fact in FACTS:
        if fact.name not in old:
            continue
        progress(0, 1, f"{run.run_id}, {fact.name}")
        try:
            made[fact.name] = fact.make(material)
        except (DataError, RunError) as error:
            missing[fact.name] = str(error)
    return made, missing


def _completed(run: RunDirectory, config: ClassifierConfig, progress: Progress) -> pd.DataFrame:
    """The stored predictions with what they lack: the sharpness of the images, and degraded copies if there is the model."""
    stored = read_predictions(run)
    index = load_index(read_data(run).data_id)
    named = partial(_named, run, progress)
    if is_there(run.model) and not config.selected_on_test and not has_stress(stored):
        val = stored[stored["split"] == Split.VAL.value]
        rows = index.rows_of(val["image_id"])
        session = load_session(verified_file(run, run.model), config.preparation)
        pixels = index.pixels(
            session.image_size, lambda done, total: progress(done, total, "reading images"), config.preparation
        )
        stored = pd.concat(
            [stored, stress_rows(session, pixels, rows, val, copies_of(config.preset), named)], ignore_index=True
        )
    return with_sharpness(stored, index, named)


def _named(run: RunDirectory, progress: Progress, done: int, total: int, what: str) -> None:
    progress(done, total, f"{run.run_id}, {what}")


def _own_outputs(run: RunDirectory, config: ClassifierConfig, progress: Progress) -> Outputs:
    """The model's outputs for the run's own images, those of its stored predictions."""
    split = Split.TEST if config.selected_on_test else Split.VAL
    predictions = read_predictions(run)
    index = load_index(read_data(run).data_id)
    rows = index.rows_of(predictions.loc[predictions["split"] == split.value, "image_id"])
    session = load_session(verified_file(run, run.model), config.preparation)
    images = index.pixels(
        session.image_size, lambda done, total: progress(done, total, "reading images"), session.preparation
    )
    what = f"{run.run_id}, {split.value} images"
    return run_batches(session, images, rows, lambda done, total: progress(done, total, what))


def _images(
    run: RunDirectory, config: ClassifierConfig, progress: Progress, ids: "pd.Series[str]"
) -> NDArray[np.uint8]:
    """Images of a run's data set, by their ids, `(n, size, size)` uint8."""
    index = load_index(read_data(run).data_id)
    images = index.pixels(
        config.image_size, lambda done, total: progress(done, total, "reading images"), config.preparation
    )
    return images[index.rows_of(ids)]


def _outputs_for_training(
    run: RunDirectory, config: ClassifierConfig, progress: Progress
) -> tuple[pd.DataFrame, Outputs]:
    index = load_index(read_data(run).data_id)
    return outputs_for_training(
        load_session(verified_file(run, run.model), config.preparation), config, index, progress
    )


def _gan(
    run: RunDirectory, config: GanConfig, progress: Progress
) -> tuple[dict[str, bytes], dict[str, Any], dict[str, str]]:
    """New measures of a DCGAN and their facts, or the reason why they cannot be made."""
    name = run.measures.name
    try:
        stored = verified_json(run, run.measures) if name in read_manifest(run)["files"] else None
        judge = _judge_of(stored)
        files, facts = gan_facts(
            run.run_id,
            config,
            load_generator(run),
            load_index(read_data(run).data_id),
            gan_measures.read_learned(run),
            classifier=judge,
            progress=progress,
        )
    except (DataError, RunError) as error:
        return {}, {}, {name: str(error)}
    return files, facts, {}


def _judge_of(stored: Any) -> str | None:
    """The classifier that scored the stored measures, for the same one to score the new ones.

    Raises:
        RunError: The stored measures are in a feature space that this machine lacks, so new ones would be poorer.
    """
    record = stored if isinstance(stored, dict) else {}
    report = record.get("report")
    features = report.get("features") if isinstance(report, dict) else None
    space = str(features.get("space", "")) if isinstance(features, dict) else ""
    if space.startswith("VGG16 ImageNet") and found_file() is None:
        raise RunError(
            f"samples are measured in the space of the stored measures. Received: {space!r}, but no file of its weights; "
            f"let PNEUMO_VGG16_WEIGHTS name {FILE}"
        )
    return record.get("classifier") or None
