"""Training of a classifier, from a config and an index to the best weights."""

import hashlib
import math
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_core.augmentation.stress import copies_of, degraded
from pneumo_core.config.classifier import FineTuneConfig, Preparation, Schedule, TrainConfig
from pneumo_core.data.index import DataIndex, require_trainable
from pneumo_core.data.splits import Assignment, assign
from pneumo_core.errors import DataError
from pneumo_core.models.baseline import build_baseline
from pneumo_core.models.compact import build_compact
from pneumo_core.models.vgg16 import (
    build_vgg16,
    feature_head,
    feature_trunk,
    features_of,
    imagenet_weights,
    load_imagenet,
    unfreeze,
)
from pneumo_core.records import Architecture, Label, RunState, Split
from pneumo_core.runs.files import file_sha256, write_json
from pneumo_core.runs.status import append_event, stop_if_cancelled, update_status
from pneumo_core.runs.store import RunDirectory, datasets_root
from pneumo_core.training.balance import TrainingSet, balanced
from pneumo_core.training.batches import EvalBatches, Source, TrainingBatches, pixels, plain, views
from pneumo_core.training.callbacks import AverageWeights, Backup, CancelOnRequest, KeepBestWeights, Progress, StopOnNaN
from pneumo_core.training.device import Device, adam, begin_session, parameter_counts, session_facts, within_memory
from pneumo_core.training.features import FeatureCache, cached_features
from pneumo_core.training.run_log import RunLog


def build_classifier(config: TrainConfig) -> keras.Model:
    """The untrained model of a config, under the current precision policy; VGG16 without its ImageNet weights."""
    if config.architecture is Architecture.VGG16:
        model = build_vgg16(image_size=config.image_size, seed=config.seed, scaling=config.scaling)
        unfreeze(model, config.trained_blocks)
        return model
    build = build_compact if config.architecture is Architecture.COMPACT else build_baseline
    return build(image_size=config.image_size, seed=config.seed, bn_momentum=config.bn_momentum)


@dataclass(frozen=True, slots=True, eq=False)
class _Choosing:
    """The images that choose the epoch: `rows` of an array `(count, size, size)` uint8, with labels `(count,)` int8.

    `name` is an id of the array's content.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int8]
    rows: NDArray[np.int64]
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """What both phases of a training share; `pretrained` is the hash of the pretrained weights, or ""."""

    run: RunDirectory
    config: TrainConfig
    index: DataIndex
    device: Device
    data: TrainingSet
    val: _Choosing
    best: KeepBestWeights
    pretrained: str


@dataclass(frozen=True, slots=True, eq=False)
class _Phase:
    """One call of `fit`: the trained model, its data, and the number of epochs at its end.

    `val` are the inputs that the rows of `_Choosing` are of.
    """

    model: keras.Model
    source: Source
    val: NDArray[Any]
    number: int
    first_epoch: int
    epochs: int
    learning_rate: float
    backup: Path


def train_classifier(
    run: RunDirectory, config: TrainConfig, index: DataIndex, generated: NDArray[np.uint8] | None = None
) -> None:
    """Train a run's model, or resume it, up to the state *trained*; the worker holds the run's lock.

    Writes the best weights, the events, a backup after each epoch and at the end `trained.json`, with the hash of the
    weights. Export and evaluation follow separately. The balancing arm ``gan`` adds `generated`, a DCGAN's samples
    `(n, size, size)` uint8, to the training images.

    Raises:
        DataError: The data set lacks a class or a split, or has fewer training images than a batch.
        TrainingError: The loss is no longer finite, memory ran out, or VGG16's weights are not available.
        CancelledError: The run was cancelled.
        StoreError: A file cannot be written.
    """
    require_trainable(index)
    started = time.monotonic()
    device = begin_session(config.seed)
    update_status(run, message="preparing images")
    images = index.pixels(config.image_size, lambda *_: stop_if_cancelled(run), config.preparation)
    labels = index.table["label"].to_numpy(dtype=np.int8)
    rows = assign(index.table, config)
    _require_enough(labels, rows, config.batch_size)
    data = balanced(
        config.balance, images, labels, rows.train, seed=config.seed, percent=config.gap_percent, generated=generated
    )

    val = _choosing(index, config, images, rows.val)
    model = build_classifier(config)
    parameters = parameter_counts(model)
    update_status(run, state=RunState.RUNNING, epochs=config.epochs)
    with within_memory(device, f"batch_size={config.batch_size}"):
        pretrained = _pretrained(model) if config.architecture is Architecture.VGG16 else ""
        best = KeepBestWeights(run.weights, model)
        training = _Training(run, config, index, device, data, val, best, pretrained)
        first_epoch = _phases(training, model)
    facts = {
        "weights_sha256": file_sha256(run.weights),
        **parameters,
        "pretrained_sha256": pretrained,
        "images": {name: len(chosen) for name, chosen in asdict(rows).items()},
        "images_added": data.added,
        "images_added_by": config.gan_run or "",
        **session_facts(device, first_epoch, started),
    }
    write_json(run.trained, facts)


def _choosing(index: DataIndex, config: TrainConfig, images: NDArray[np.uint8], rows: NDArray[np.int64]) -> _Choosing:
    """The validation images, which stay in the array cache, or degraded copies of them, which are made here."""
    labels = index.table["label"].to_numpy(dtype=np.int8)
    if config.choose_on is Split.VAL:
        return _Choosing(images, labels, rows, index.data_id)
    copies = copies_of(config.preset)
    made = degraded(images[rows], index.table["image_id"].iloc[rows].tolist(), copies)
    name = hashlib.sha256(made.tobytes()).hexdigest()
    return _Choosing(made, np.repeat(labels[rows], copies), np.arange(len(made)), name)


def _pretrained(model: keras.Model) -> str:
    """Load VGG16's ImageNet weights; returns their hash."""
    path = imagenet_weights()
    load_imagenet(model, path)
    return file_sha256(path)


def _phases(training: _Training, model: keras.Model) -> int:
    """Train one phase or two; returns the epoch this session started at."""
    run, config, data = training.run, training.config, training.data
    source = pixels(data.parts, config.augment)
    whole = _Phase(model, source, training.val.images, 1, 0, config.epochs, config.learning_rate, run.backup)
    first = whole
    if config.feature_views:
        layer = features_of(config.trained_blocks)
        source, val = _features(training, feature_trunk(model, layer))
        first = replace(whole, model=feature_head(model, layer), source=source, val=val)
    first_epoch, epoch = _fit(training, first)
    if config.fine_tune is not None:
        second_start, _ = _fit(training, _second_phase(run, config.fine_tune, whole, epoch))
        if first_epoch == epoch:  # The first phase had ended before this session started.
            first_epoch = second_start
    return first_epoch


def _fit(training: _Training, phase: _Phase) -> tuple[int, int]:
    """Train a phase to its end, from its backup if there is one; returns its first and its last epoch."""
    run, config, data, best = training.run, training.config, training.data, training.best
    steps = math.ceil(len(data.rows) / config.batch_size)
    phase.model.compile(
        optimizer=adam(
            training.device,
            _learning_rate(config, phase, steps),
            phase.model,
            weight_decay=config.weight_decay,
            averaging=config.averaging,
        ),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.MeanMetricWrapper(_is_right, name="accuracy")],
        jit_compile=training.device.jit_compile,
    )
    counting: list[keras.callbacks.Callback] = [best]
    if config.schedule is Schedule.PLATEAU:
        counting.append(keras.callbacks.ReduceLROnPlateau(monitor="val_loss", **asdict(config.plateau)))
    counting.append(keras.callbacks.EarlyStopping(monitor="val_loss", patience=config.early_stopping_patience))
    backup = Backup(phase.backup, counting, pretrained=training.pretrained)
    restored = backup.restore(phase.model)
    if restored is None and phase.first_epoch:
        # The second phase soon replaces the weights that it starts from: back them up first, or a kill would lose them.
        backup.save(phase.model, phase.first_epoch)
    first_epoch, stopped = restored or (phase.first_epoch, False)
    batches = TrainingBatches(
        phase.source,
        data.labels,
        data.rows,
        batch_size=config.batch_size,
        seed=config.seed,
        first_epoch=first_epoch,
        threads=training.device.threads,
        mixup=config.mixup,
        label_smoothing=config.label_smoothing,
        class_weight=data.class_weight,
    )
    averages = [AverageWeights(batches)] if config.averaging else []
    # Until the second phase starts, all its epochs count.
    later = config.fine_tune.epochs if config.fine_tune is not None and phase.number == 1 else 0
    update_status(run, message="training", epoch=first_epoch, epochs=phase.epochs + later)
    log = RunLog(run, epochs=phase.epochs + later, steps=len(batches), batch_size=config.batch_size, phase=phase.number)
    if first_epoch < phase.epochs and not stopped:
        with closing(log):
            phase.model.fit(
                batches,
                validation_data=EvalBatches(
                    plain(phase.val), training.val.labels, training.val.rows, batch_size=config.batch_size
                ),
                epochs=phase.epochs,
                initial_epoch=first_epoch,
                callbacks=[StopOnNaN(), CancelOnRequest(run), *counting, Progress(log), *averages, backup],
                shuffle=False,  # The batches shuffle themselves, by seed and epoch.
                verbose=0,
            )
    return first_epoch, backup.epoch


def _learning_rate(
    config: TrainConfig, phase: _Phase, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """A phase's learning rate: constant, to be lowered by a callback, or that of each step."""
    if config.schedule is Schedule.PLATEAU:
        return phase.learning_rate
    warm_up = max(1, steps // 2)
    total = steps * (phase.epochs - phase.first_epoch)
    return keras.optimizers.schedules.CosineDecay(
        phase.learning_rate / 10, max(1, total - warm_up), warmup_target=phase.learning_rate, warmup_steps=warm_up
    )


def _is_right(y_true: Any, y_pred: Any) -> Any:
    """Whether each logit is on the side of its label, which mixup and label smoothing leave on its side of a half."""
    return keras.ops.cast(keras.ops.equal(y_true > 0.5, y_pred > 0), "float32")


def _second_phase(run: RunDirectory, fine_tune: FineTuneConfig, whole: _Phase, epoch: int) -> _Phase:
    """Continue from the best weights with the last convolution block unfrozen; an existing backup replaces them."""
    whole.model.load_weights(run.weights)
    unfreeze(whole.model, 1)
    return replace(
        whole,
        number=2,
        first_epoch=epoch,
        epochs=epoch + fine_tune.epochs,
        learning_rate=fine_tune.learning_rate,
        backup=run.backup / "fine-tune",
    )


def _features(training: _Training, trunk: keras.Model) -> tuple[Source, NDArray[np.float16]]:
    """Features of the training images, as augmented views of every part, and of the unchanged validation images."""
    run, config, index, data = training.run, training.config, training.index, training.data
    last = 0.0

    def progress(what: str, views_left: int, done: int, total: int, images_per_s: float) -> None:
        nonlocal last
        stop_if_cancelled(run)
        if time.monotonic() - last < 1.0 and done < total:
            return
        last = time.monotonic()
        event = {"kind": "features", "what": what, "views_left": views_left, "done": done, "total": total}
        append_event(run, {**event, "images_per_s": images_per_s, "time": time.time()})
        update_status(run, message=f"computing VGG16 features, {what}: {done:,} of {total:,} images")

    facts = {
        "weights_sha256": training.pretrained,
        "scaling": config.scaling.value,
        "image_size": config.image_size,
        **({"preparation": config.preparation.value} if config.preparation is not Preparation.SQUASH else {}),
        **({"layer": features_of(config.trained_blocks)} if config.trained_blocks else {}),
        "precision": training.device.precision,
    }
    folder = datasets_root() / index.data_id / "features"
    batch_size = 32 if training.device.kind == "cpu" else 256

    def cache(what: str, views_left: int = 0) -> FeatureCache:
        return FeatureCache(trunk, folder, facts, batch_size, partial(progress, what, views_left))

    names = [index.data_id, *(hashlib.sha256(part.tobytes()).hexdigest() for part in data.parts[1:])]
    stored: list[list[NDArray[np.float16]]] = []
    for view in range(config.feature_views):
        start, arrays = 0, []
        for name, images in zip(names, data.parts, strict=True):
            inside = data.rows[(data.rows >= start) & (data.rows < start + len(images))] - start
            kept = cache(f"view {view + 1} of {config.feature_views}", config.feature_views - view - 1)
            arrays.append(cached_features(kept, images, inside, name=name, augment_config=config.augment, view=view))
            start += len(images)
        stored.append(arrays)
    val = training.val
    return views(stored), cached_features(cache("validation"), val.images, val.rows, name=val.name)


def _require_enough(labels: NDArray[np.int8], rows: Assignment, batch_size: int) -> None:
    for split, chosen in ((Split.TRAIN, rows.train), (Split.VAL, rows.val), (Split.TEST, rows.test)):
        present = {Label(label).name for label in np.unique(labels[chosen])}
        if len(present) < len(Label):
            raise DataError(
                f"each part of a training needs both classes. Received: {split.value} with {len(chosen)} images of "
                f"{sorted(present)}; use more images"
            )
    if len(rows.train) < batch_size:
        raise DataError(
            f"an epoch needs at least one full batch. Received: {len(rows.train)} training images, "
            f"batch_size={batch_size}; use more images"
        )
