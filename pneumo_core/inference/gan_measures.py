"""Measures of a DCGAN's samples against its training images."""

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import ConfigError, DataError, RunError, StoreError
from pneumo_core.evaluation.generator.measures import Features, measure
from pneumo_core.evaluation.intervals import clustered_wilson
from pneumo_core.evaluation.probability import probability
from pneumo_core.inference.classify import Classifier, load_classifier
from pneumo_core.inference.feature_space import (
    FeatureSpace,
    classifier_space,
    enlarged,
    features,
    imagenet_space,
)
from pneumo_core.inference.gan_record import GanMeasures
from pneumo_core.inference.generator import Generator, generate, latents
from pneumo_core.inference.session import run_batches
from pneumo_core.models.vgg16_weights import found_file
from pneumo_core.records import Architecture, Estimate, NotApplicable
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, find_run, list_runs, published_root, verified_file
from pneumo_core.runs.submission import read_submission

SAMPLES: Final = {Preset.REPORT: 2534, Preset.SOUND: 2534, Preset.QUICK: 256}
"""Number of samples that are measured: as many as the report adds (section 5), or few for the preset ``quick``."""

MEASURE_SEED: Final = 20200428
"""Seed of the measured samples: the report's date. Balancing arms use the seeds of their own runs."""

_PRESETS: Final = (Preset.SOUND, Preset.BEST, Preset.REPORT, Preset.QUICK)
"""Order of preference of the scoring classifier."""

_LEAST: Final = 20
_MOST: Final = 20_000


def measure_gan(
    run_id: str,
    generator: Generator,
    index: DataIndex,
    learned: pd.DataFrame,
    *,
    count: int,
    seed: int = MEASURE_SEED,
    classifier: str | None = None,
    progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> GanMeasures:
    """Measure samples of a generator; takes 2 to 3 minutes for 2,534 on two cores, most of it VGG16's features.

    They are compared with its training images (`learned`, see `read_learned`), found in the data set that it was trained on,
    and scored by the named classifier, or by one of the same data set: a baseline rather than VGG16, `sound` rather than
    `report` or `quick`, the newest. `progress` is called with the amount done, its total and the stage; it may raise to stop.

    Raises:
        ConfigError: `count` is out of its range, or `PNEUMO_VGG16_WEIGHTS` does not name a file.
        DataError: The data set lacks training images of the DCGAN.
        RunError: The named classifier cannot be used.
        CorruptError: A file does not match its hash.
    """
    if isinstance(count, bool) or not _LEAST <= count <= _MOST:
        raise ConfigError(f"{_LEAST} to {_MOST:,} samples can be measured. Received: count={count:,}")
    real, patients = learned_images(index, learned, generator.image_size)
    samples = generate(generator, latents(generator.latent_dim, seed, 0, count))
    judge = _judge(index, classifier)

    found: Features | NotApplicable
    if (space := _space(judge, generator.image_size)) is None:
        found = NotApplicable("neither VGG16's ImageNet weights nor a finished classifier are available")
    else:
        found = Features(
            space.name,
            features(space, real, lambda done, total: progress(done, total, "features of real images")),
            features(space, samples, lambda done, total: progress(done, total, "features of samples")),
        )
    logits, real_called = _judged(judge, samples, real, patients, progress)
    progress(0, 1, "distances")
    # OpenBLAS' threads wait for each other on a busy machine: 5 seconds become 46.
    with threadpool_limits(1, user_api="blas"):
        report = measure(
            real,
            patients,
            samples,
            features=found,
            logits=logits,
            threshold=judge.operating_point.threshold if judge else 0.5,
        )
    return GanMeasures(run_id, seed, judge.run_id if judge else "", real_called, report)


def _judged(
    judge: Classifier | None,
    samples: NDArray[np.uint8],
    real: NDArray[np.uint8],
    patients: NDArray[Any],
    progress: Callable[[int, int, str], None],
) -> tuple[NDArray[np.float32] | NotApplicable, Estimate | NotApplicable]:
    """What the classifier says of the samples, and the share of the real images that it calls PNEUMONIA."""
    if judge is None:
        missing = NotApplicable("no finished classifier has been trained on this data set")
        return missing, missing
    logits, of_real = (
        run_batches(
            judge.session,
            enlarged(images, judge.session.image_size),
            np.arange(len(images)),
            lambda done, total: progress(done, total, "classifier"),
        ).logit
        for images in (samples, real)
    )
    called = probability(of_real) >= judge.operating_point.threshold
    return logits, clustered_wilson(called, patients)


def read_learned(run: RunDirectory) -> pd.DataFrame:
    """Training images of a finished DCGAN: `image_id`, `patient_id`, `sha256`.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file does not match its hash.
    """
    return pd.read_parquet(io.BytesIO(verified_file(run, run.learned)))


def learned_images(index: DataIndex, learned: pd.DataFrame, size: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """A DCGAN's training images, the table of `read_learned`, found in a data set by their content.

    Returns:
        `(n, size, size)` uint8 images and their `(n,)` patients, in the table's order.

    Raises:
        DataError: The data set lacks some of them.
    """
    hashes = index.table["sha256"]
    row_of = dict(zip(hashes[::-1], range(len(hashes) - 1, -1, -1), strict=True))  # Of equal files the first.
    lacking = int((~learned["sha256"].isin(row_of.keys())).sum())
    if lacking:
        raise DataError(
            f"the data set must hold the DCGAN's training images. Received: {str(index.root)!r}, which lacks "
            f"{lacking:,} of {len(learned):,}; connect the data set that it was trained on"
        )
    images = index.pixels(size)
    return images[[row_of[sha256] for sha256 in learned["sha256"]]], learned["patient_id"].to_numpy()


def _judge(index: DataIndex, named: str | None) -> Classifier | None:
    """The named classifier, else the best suited one of the data set that was not trained on generated images."""
    if named is not None:
        return load_classifier(find_run(named))
    suited: list[tuple[tuple[bool, int], RunDirectory]] = []
    for run in list_runs():
        try:
            submission = read_submission(run) if is_there(run.manifest) else None
        except (StoreError, ConfigError):
            continue
        if submission is None or submission.data.data_id != index.data_id:
            continue
        config = submission.config
        if isinstance(config, TrainConfig) and config.balance is not Balance.GAN:
            # VGG16 is ten times as slow, and its features already measure the samples.
            suited.append(((config.architecture is Architecture.VGG16, _PRESETS.index(config.preset)), run))
    for _, run in sorted(suited, key=lambda pair: pair[0]):
        with suppress(StoreError, RunError):  # A damaged run cannot score.
            return load_classifier(run)
    return None


def _space(judge: Classifier | None, size: int) -> FeatureSpace | None:
    """VGG16's space if its weights are available, else the scoring classifier's, else that of the published baseline."""
    if (weights := found_file()) is not None:
        return imagenet_space(weights, size)
    if judge is not None:
        return classifier_space(find_run(judge.run_id), size)
    shipped = min((model.parent for model in published_root().glob("baseline-*/model.onnx")), default=None)
    return None if shipped is None else classifier_space(RunDirectory(shipped), size)
