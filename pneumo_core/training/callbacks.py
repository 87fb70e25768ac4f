"""Keras callbacks: live events, cancellation, the best weights, and backups for resuming."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from pneumo_core.errors import TrainingError
from pneumo_core.runs.status import stop_if_cancelled
from pneumo_core.runs.store import RunDirectory
from pneumo_core.training.backup import damaged, load_backup, replace_weights, save_backup
from pneumo_core.training.run_log import RunLog

_STATISTICS_BATCHES: Final = 32
"""Batches of 32 images that batch normalization's statistics are estimated on: 1,024 images, a few seconds an epoch."""


class CancelOnRequest(keras.callbacks.Callback):
    """Raise `CancelledError` within a batch of the request, in training and in validation."""

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self._run = run

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        stop_if_cancelled(self._run)

    on_test_batch_end = on_train_batch_end


class StopOnNaN(keras.callbacks.Callback):
    """Raise a `TrainingError` as soon as the loss is not finite, before anything is saved."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise TrainingError(
                f"the loss must stay finite. Received: loss={loss} at batch {batch + 1}; try another seed, or milder "
                "augmentation"
            )


class Progress(keras.callbacks.Callback):
    """Write the progress to a run's log."""

    def __init__(self, log: RunLog) -> None:
        super().__init__()
        self._log = log
        self._rate = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._log.begin(epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._log.batch(batch, _numbers(logs))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._log.validating()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # The learning rate of this epoch: another callback may already have lowered it for the next one.
        self._log.end(epoch, {**_numbers(logs), "learning_rate": self._rate})


class KeepBestWeights(keras.callbacks.Callback):
    """Keep the weights of the epoch with the lowest validation loss (the report's ModelCheckpoint).

    All weights of the `whole` model are kept; the trained model may be a part of it.
    """

    def __init__(self, path: Path, whole: keras.Model) -> None:
        super().__init__()
        self._path = path
        # The same layers without an optimizer, whose variables would triple the file.
        self._plain = keras.Model(whole.inputs, whole.outputs)
        self.best = math.inf
        self.best_epoch = -1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["val_loss"])
        if loss < self.best:
            replace_weights(self._plain, self._path)
            self.best, self.best_epoch = loss, epoch


class AverageWeights(keras.callbacks.Callback):
    """Validate, and keep, the optimizer's average of the weights; training goes on with the weights themselves.

    Batch normalization's moving statistics belong to the weights that they were gathered with, so those of the averages are
    estimated again, as the mean over some training batches (Izmailov et al. 2018, arXiv:1803.05407, section 3.2). The
    callback must stand after those that use the validated weights and before `Backup`, which saves the others.
    """

    def __init__(self, batches: Sequence[Any]) -> None:
        super().__init__()
        self._batches = batches
        self._own: list[Any] | None = None

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        self._own = [keras.ops.convert_to_numpy(variable) for variable in self.model.variables]
        averages = optimizer._model_variables_moving_average
        for variable, average in zip(optimizer._trainable_variables, averages, strict=True):
            variable.assign(average)
        self._estimate_statistics()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._own is not None:
            for variable, value in zip(self.model.variables, self._own, strict=True):
                variable.assign(value)
            self._own = None

    def _estimate_statistics(self) -> None:
        normalizations = [layer for layer in self.model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        if not normalizations:
            return
        momenta = [layer.momentum for layer in normalizations]
        for number in range(min(_STATISTICS_BATCHES, len(self._batches))):
            for layer in normalizations:
                layer.momentum = number / (number + 1)  # The mean of all batches so far.
            self.model(self._batches[number][0], training=True)
        for layer, momentum in zip(normalizations, momenta, strict=True):
            layer.momentum = momentum


class Backup(keras.callbacks.Callback):
    """Save after each epoch the state that the next one depends on, and restore it when a run is resumed.

    Keras' BackupAndRestore saves only weights and epoch. This callback saves, in one file replaced atomically, the model's
    variables (including dropout's seed states), the optimizer's variables, the other callbacks' counters and whether training
    had stopped. Data order and augmentation follow from seed and epoch. It must be the last in the list of callbacks: it
    restores after the others have reset themselves, and saves after they have counted. `pretrained` is the hash of the
    pretrained weights, or "".
    """

    def __init__(self, folder: Path, callbacks: list[keras.callbacks.Callback], *, pretrained: str = "") -> None:
        super().__init__()
        self._pretrained = pretrained
        self._folder = folder
        self._callbacks = callbacks
        self._restored: dict[str, Any] | None = None
        self.epoch = 0

    def restore(self, model: keras.Model) -> tuple[int, bool] | None:
        """Load the newest backup into the model and its optimizer.

        Returns:
            The next epoch, and whether training had already stopped; None without a backup.

        Raises:
            CorruptError: The backup is damaged or of another model.
            TrainingError: The training started with other pretrained weights.
            StoreError: It cannot be read.
        """
        model.optimizer.build(model.trainable_variables)
        variables = self._variables(model)
        if (found := load_backup(self._folder, variables)) is None:
            return None
        facts, arrays = found
        try:
            stopped = bool(facts["stopped"])
            if len(facts["counters"]) != len(self._callbacks):
                raise ValueError(f"it counts for {len(facts['counters'])} callbacks, not {len(self._callbacks)}")
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(self._folder / f"epoch-{facts['epoch']:04d}.npz", error) from error
        if (began_on := facts.get("pretrained", "")) != self._pretrained:
            raise TrainingError(
                f"a run must be resumed with the ImageNet weights that it started with, sha256={began_on[:12]}. Received: "
                f"sha256={self._pretrained[:12]}; correct PNEUMO_VGG16_WEIGHTS, or delete {str(self._folder)!r} to start again"
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        self._restored = facts
        self._put_back_counters()  # Here too: a finished phase does not start again, but the next one needs its best loss.
        self.epoch = facts["epoch"]
        return self.epoch, stopped

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._put_back_counters()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.save(self.model, epoch + 1)

    def save(self, model: keras.Model, epoch: int) -> None:
        """Save the state of a model that has finished `epoch` epochs.

        Raises:
            StoreError: The backup cannot be written.
        """
        self.epoch = epoch
        model.optimizer.build(model.trainable_variables)
        facts = {
            "stopped": bool(model.stop_training),
            "counters": [_counters(callback) for callback in self._callbacks],
            "pretrained": self._pretrained,
        }
        save_backup(self._folder, epoch, facts, self._variables(model))

    def _put_back_counters(self) -> None:
        if self._restored is not None:
            for callback, counters in zip(self._callbacks, self._restored["counters"], strict=True):
                vars(callback).update(counters)

    @staticmethod
    def _variables(model: keras.Model) -> list[Any]:
        return [*model.variables, *model.optimizer.variables]


def _counters(callback: keras.callbacks.Callback) -> dict[str, float | int | None]:
    """A callback's counters, as plain numbers."""
    return {
        name: float(value) if isinstance(value, np.floating) else value
        for name, value in vars(callback).items()
        if name in {"best", "wait", "best_epoch", "cooldown_counter", "stopped_epoch"}
    }


def _numbers(logs: dict[str, Any] | None) -> dict[str, float]:
    return {name: float(value) for name, value in (logs or {}).items()}
