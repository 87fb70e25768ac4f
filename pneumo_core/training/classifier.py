"""Training a classifier, from a config and an index to the best weights. It reads from top to bottom."""

import time
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from pneumo_core.config import TrainConfig
from pneumo_core.data.images import load_array
from pneumo_core.data.index import DataIndex, require_trainable
from pneumo_core.data.splits import Assignment, assign
from pneumo_core.errors import DataError
from pneumo_core.files import file_sha256, write_json
from pneumo_core.models.baseline import build_baseline
from pneumo_core.records import Label, RunState, Split
from pneumo_core.status import update_status
from pneumo_core.store import RunDirectory
from pneumo_core.training.batches import TrainingBatches, eval_batches
from pneumo_core.training.callbacks import Backup, CancelOnRequest, KeepBestWeights, Progress, StopOnNaN
from pneumo_core.training.device import describe, detect, peak_memory_bytes

__all__ = ["build_classifier", "train_classifier"]


def build_classifier(config: TrainConfig) -> keras.Model:
    """The untrained model of a config, under the current precision policy."""
    return build_baseline(image_size=config.image_size, seed=config.seed, bn_momentum=config.bn_momentum)


def train_classifier(run: RunDirectory, config: TrainConfig, index: DataIndex) -> None:
    """Train a run's model, or go on where it stopped, and leave it *trained*.

    Writes the best weights, the events, a backup after each epoch and at the end `trained.json`, which vouches for the
    weights. Nothing is exported or evaluated here.

    Args:
        run: The run; its worker holds the lock.
        config: What to train.
        index: The data set.

    Raises:
        DataError: The data set lacks a class or a split.
        TrainingError: The loss is no longer finite.
        CancelledError: The run was asked to stop.
        StoreError: A file cannot be written.
    """
    require_trainable(index)
    started = time.monotonic()
    device = detect()
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(device.precision)

    update_status(run, message="preparing images")
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=config.image_size)
    labels = index.table["label"].to_numpy(dtype=np.int8)
    rows = assign(index.table, config)
    _require_both_classes(labels, rows)

    model = build_classifier(config)
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")],  # Logit 0 is probability one half.
        jit_compile=device.jit_compile,
    )
    best = KeepBestWeights(run.weights)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", **asdict(config.plateau))
    early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=config.early_stopping_patience)
    backup = Backup(run.backup, [best, plateau, early])
    first_epoch, stopped = backup.restore(model)
    batches = TrainingBatches(
        images,
        labels,
        rows.train,
        augment_config=config.augment,
        batch_size=config.batch_size,
        seed=config.seed,
        first_epoch=first_epoch,
    )
    progress = Progress(run, epochs=config.epochs, steps=len(batches), batch_size=config.batch_size)

    update_status(run, state=RunState.RUNNING, message="training", epoch=first_epoch, epochs=config.epochs)
    if first_epoch < config.epochs and not stopped:
        model.fit(
            batches,
            validation_data=eval_batches(images, labels, rows.val, batch_size=config.batch_size),
            epochs=config.epochs,
            initial_epoch=first_epoch,
            callbacks=[StopOnNaN(), CancelOnRequest(run), best, plateau, early, progress, backup],
            shuffle=False,  # The batches shuffle themselves, by seed and epoch.
            verbose=0,
        )

    facts = {
        "weights_sha256": file_sha256(run.weights),
        "parameters": model.count_params(),
        "trainable_parameters": sum(int(np.prod(variable.shape)) for variable in model.trainable_variables),
        "images": {name: len(chosen) for name, chosen in asdict(rows).items()},
        "first_epoch_of_last_session": first_epoch,
        "training_duration_s": time.monotonic() - started,
        "peak_memory_bytes": peak_memory_bytes(),
        "device": describe(device),
    }
    write_json(run.trained, facts)


def _require_both_classes(labels: np.ndarray[Any, np.dtype[np.int8]], rows: Assignment) -> None:
    for split, chosen in ((Split.TRAIN, rows.train), (Split.VAL, rows.val), (Split.TEST, rows.test)):
        present = {Label(label).name for label in np.unique(labels[chosen])}
        if len(present) < len(Label):
            raise DataError(
                f"each part of a training needs both classes. Received: {split.value} with {len(chosen)} images of "
                f"{sorted(present)}; use more images"
            )
