"""Publishing of a finished run in a size that suits git."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from pneumo_core.config.gan import GanConfig
from pneumo_core.data.gan_arm import collapse_of
from pneumo_core.data.index import load_index
from pneumo_core.errors import RunError
from pneumo_core.evaluation.calibration import calibration_to_dict
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import report_to_dict
from pneumo_core.inference.compression import Compressed, compressed
from pneumo_core.inference.evidence import read_calibration, read_predictions, read_report
from pneumo_core.inference.finish import FACTS
from pneumo_core.inference.generator import generate, latents, load_generator, open_generator
from pneumo_core.inference.session import load_session, run_batches
from pneumo_core.records import Split
from pneumo_core.runs.files import is_there, read_json, store_errors, write_atomic, write_json
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import RunDirectory, published_root, read_manifest, verified_file, write_manifest
from pneumo_core.runs.submission import classifier_config, read_config, read_data


def publish(
    run: RunDirectory,
    *,
    evidence_only: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RunDirectory:
    """Copy a finished run to `artifacts/published`: the model compressed, the epochs' events, no image, no local path.

    A classifier's small model must classify every validation and test image as the original does; its largest difference in
    logits is recorded in the manifest. A generator's must generate the same samples up to rounding; the largest difference in
    gray levels is recorded.

    Args:
        run: A finished run; a classifier's images must still be here, as files or as an array.
        evidence_only: Leave a classifier's model out, so that the run can be read and compared but cannot predict: tens of
            kilobytes instead of megabytes.
        progress: Called with images done and their total.

    Raises:
        RunError: The run is not finished, is already published, or the small model is still too large or decides differently;
            or `evidence_only` is set for a DCGAN.
        CorruptError: A file does not match its hash.
        DataError: The data set is missing.
        StoreError: The copy cannot be written.
    """
    if run.is_published:
        raise RunError(
            f"only a local run can be published. Received: run_id={run.run_id!r}, which ships with the project"
        )
    data, is_gan = read_data(run), isinstance(read_config(run), GanConfig)
    if is_gan and evidence_only:
        raise RunError(f"only a classifier is published as evidence. Received: run_id={run.run_id!r}, a DCGAN's")
    small = None if evidence_only else compressed(verified_file(run, run.model))
    facts: dict[str, Any] = {"evidence_only": True}
    made: dict[str, Any] = {}
    if is_gan and small is not None:
        facts = _compare_samples(run, small)
        kept_files = [run.learned, run.measures, *sorted(run.path.glob("sheet-*.png"))]
    else:
        kept_files = [run.predictions]
        if small is not None:
            facts = _compare(run, small, data.data_id, progress)
            listed = read_manifest(run)["files"]  # Older runs lack some.
            kept_files += [run.path / fact.name for fact in FACTS if fact.needs_model and fact.name in listed]
        made[run.report.name] = report_to_dict(read_report(run))
        made[run.calibration.name] = calibration_to_dict(read_calibration(run))
    if is_there(run.split):
        kept_files.append(run.split)
    made[run.config.name] = {**read_json(run.config), "data": asdict(replace(data, root=data.name))}
    return _written(run, kept_files, made, small, facts)


def _written(
    run: RunDirectory, kept_files: list[Path], made: dict[str, Any], small: Compressed | None, facts: dict[str, Any]
) -> RunDirectory:
    """The published run: unchanged files, recomputed files, the small model, the epochs and the manifest."""
    target = RunDirectory(published_root() / run.run_id)
    partial = RunDirectory(target.path.with_name(f".{run.run_id}.partial"))
    kept = {name: value for name, value in read_manifest(run).items() if name != "files"}
    epochs = [event for event in read_events(run) if event.get("kind") == "epoch"]
    with store_errors(target.path):
        shutil.rmtree(partial.path, ignore_errors=True)
        partial.path.mkdir(parents=True)
        for path in kept_files:
            write_atomic(partial.path / path.name, verified_file(run, path))
        for name, content in made.items():
            write_json(partial.path / name, content)
        write_atomic(partial.events, "".join(json.dumps(event) + "\n" for event in epochs))
        if small is not None:
            write_atomic(partial.model, small.model)
        write_manifest(partial, {**kept, **facts, "run_id": run.run_id})
        shutil.rmtree(target.path, ignore_errors=True)
        partial.path.rename(target.path)
    return target


def _compare(
    run: RunDirectory, small: Compressed, data_id: str, progress: Callable[[int, int], None]
) -> dict[str, str | float]:
    """Check that the decisions of the small model equal those of the stored predictions."""
    index = load_index(data_id)
    session = load_session(small.model, classifier_config(run).preparation)
    predictions = read_predictions(run)
    predictions = predictions[predictions["split"] != Split.STRESS.value]  # Copies of what is compared anyway.
    rows = index.rows_of(predictions["image_id"])
    images = index.pixels(session.image_size, progress, session.preparation)
    received, expected = run_batches(session, images, rows, progress).logit, predictions["logit"].to_numpy()
    threshold = read_report(run).operating_point.threshold
    changed = int(np.sum((probability(received) >= threshold) != (probability(expected) >= threshold)))
    if changed:
        raise RunError(
            f"the model in {small.stored_as} must decide as the original. Received: run_id={run.run_id!r}, {changed} of "
            f"{len(rows)} differ"
        )
    return {
        "weights_stored_as": small.stored_as,
        "largest_logit_difference": float(np.max(np.abs(received - expected))),
    }


_MOST_GRAY_LEVELS: Final = 4
"""Maximum difference of a pixel that counts as rounding; 4 of 256 gray levels are not visible."""


def _compare_samples(run: RunDirectory, small: Compressed) -> dict[str, str | float]:
    """Check that the small generator gives the samples of the original."""
    if collapse := collapse_of(run):
        raise RunError(
            f"a published DCGAN's samples must vary. Received: run_id={run.run_id!r}: {collapse}; train another"
        )
    original, smaller = load_generator(run), open_generator(small.model)
    drawn = latents(original.latent_dim, 0, 0, 256)
    expected, received = generate(original, drawn).astype(np.int16), generate(smaller, drawn).astype(np.int16)
    largest = int(np.abs(received - expected).max())
    if largest > _MOST_GRAY_LEVELS:
        raise RunError(
            f"the generator in {small.stored_as} must equal the original within {_MOST_GRAY_LEVELS} gray levels. Received: "
            f"run_id={run.run_id!r}, which differs by {largest}"
        )
    return {"weights_stored_as": small.stored_as, "largest_pixel_difference": largest}
