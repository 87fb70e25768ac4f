"""What happens between batches and epochs: live events, cancelling, keeping the best weights, and backups to resume from."""

import json
import math
import time
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from pneumo_core.errors import CorruptError, TrainingError
from pneumo_core.files import make_directory, store_errors
from pneumo_core.status import append_event, stop_if_cancelled, update_status
from pneumo_core.store import RunDirectory

__all__ = ["Backup", "CancelOnRequest", "KeepBestWeights", "Progress", "StopOnNaN"]

_EVENT_INTERVAL_S = 1.0


class CancelOnRequest(keras.callbacks.Callback):
    """Raise `CancelledError` within a batch of the request, in training and in validation."""

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self._run = run

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        stop_if_cancelled(self._run)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        stop_if_cancelled(self._run)


class StopOnNaN(keras.callbacks.Callback):
    """Raise a `TrainingError` as soon as the loss is no number, before anything is saved from it."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise TrainingError(
                f"the loss must stay finite. Received: loss={loss} at batch {batch + 1}; try another seed, or milder "
                "augmentation"
            )


class Progress(keras.callbacks.Callback):
    """Write the run's status, events and TensorBoard log: a line an epoch, and a line a batch at most every second.

    It is to be closed when the training ends, however it ends.
    """

    def __init__(self, run: RunDirectory, *, epochs: int, steps: int, batch_size: int, phase: int) -> None:
        super().__init__()
        self._phase = phase
        self._run = run
        self._epochs = epochs
        self._steps = steps
        self._batch_size = batch_size
        self._board: EventsWriter | None = None
        self._epoch = 0
        self._rate = 0.0
        self._epoch_start = 0.0
        self._last = 0.0
        self._last_step = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._epoch_start = self._last = time.monotonic()
        self._last_step = 0
        self._rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        update_status(self._run, epoch=epoch, epochs=self._epochs, step=0, steps=self._steps, message="training")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.monotonic()
        # The first is told at once: it says that training has begun.
        if batch and now - self._last < _EVENT_INTERVAL_S:
            return
        images = (batch + 1 - self._last_step) * self._batch_size
        event = {"kind": "batch", "epoch": self._epoch, "step": batch + 1, "steps": self._steps, **_numbers(logs)}
        append_event(self._run, {**event, "images_per_s": images / (now - self._last), "time": time.time()})
        update_status(self._run, step=batch + 1)
        self._last, self._last_step = now, batch + 1

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        update_status(self._run, step=self._steps, message="validating")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # The rate that the epoch trained at: another callback may have lowered it for the next one by now.
        values = {**_numbers(logs), "learning_rate": self._rate}
        event = {"kind": "epoch", "epoch": epoch, "phase": self._phase, **values}
        append_event(self._run, {**event, "duration_s": time.monotonic() - self._epoch_start, "time": time.time()})
        update_status(self._run, epoch=epoch + 1, step=self._steps)
        self._log(epoch, values)

    def close(self) -> None:
        """Close the TensorBoard log."""
        if self._board is not None:
            with store_errors(self._run.tensorboard):
                self._board.close()
            self._board = None

    def _log(self, epoch: int, values: dict[str, float]) -> None:
        # Keras' own callback needs TensorFlow; the usual writer of tensorboardX has a thread, and waits for it for ever
        # once a full disk has ended it.
        now = time.time()
        with store_errors(self._run.tensorboard):
            if self._board is None:
                # Files are named by the second, so the epoch tells two apart; what an interrupted session wrote of later
                # epochs is hidden by the mark of a start.
                prefix = str(make_directory(self._run.tensorboard) / "events")
                self._board = EventsWriter(prefix, f".epoch-{epoch:04d}")
                start = SessionLog(status=SessionLog.START)
                self._board.write_event(Event(wall_time=now, step=epoch, session_log=start))
            scalars = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
            self._board.write_event(Event(wall_time=now, step=epoch, summary=Summary(value=scalars)))
            self._board.flush()


class KeepBestWeights(keras.callbacks.Callback):
    """Keep the weights of the epoch with the lowest validation loss (the report's ModelCheckpoint).

    Keras' own callback writes the file in place; a kill in the middle would leave half of one.
    """

    def __init__(self, path: Path, whole: keras.Model) -> None:
        """Prepare.

        Args:
            path: File to write.
            whole: The model whose weights are kept; the one that is trained may be a part of it.
        """
        super().__init__()
        self._path = path
        # The same layers without an optimizer, whose variables would triple the file.
        self._plain = keras.Model(whole.inputs, whole.outputs)
        self.best = math.inf
        self.best_epoch = -1

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["val_loss"])
        if loss < self.best:
            partial = self._path.with_name("partial.weights.h5")
            with store_errors(self._path):
                self._plain.save_weights(partial)
                partial.replace(self._path)
            self.best, self.best_epoch = loss, epoch


class Backup(keras.callbacks.Callback):
    """Save after each epoch all that the next one depends on, and put it back when a run is resumed.

    Keras' BackupAndRestore keeps weights and the epoch only. This keeps, in one file replaced atomically: the model's
    variables (dropout's seed states among them), the optimizer's, the other callbacks' counters and whether training had
    stopped. Data order and augmentation follow from seed and epoch. It must be the last in the list of callbacks: it
    restores after the others have reset themselves, and saves after they have counted.
    """

    def __init__(self, folder: Path, callbacks: list[keras.callbacks.Callback], *, pretrained: str = "") -> None:
        """Prepare.

        Args:
            folder: Where backups are kept.
            callbacks: Callbacks whose counters are kept.
            pretrained: Hash of the weights that the training stands on, or "".
        """
        super().__init__()
        self._pretrained = pretrained
        self._folder = folder
        self._callbacks = callbacks
        self._restored: dict[str, Any] | None = None
        self.epoch = 0

    def restore(self, model: keras.Model) -> tuple[int, bool] | None:
        """Load the newest backup into the model and its optimizer.

        Returns:
            The epoch to go on with, and whether training had already stopped; None without a backup.

        Raises:
            CorruptError: The backup is damaged or another model's.
            TrainingError: The training began on other pretrained weights.
            StoreError: It cannot be read.
        """
        path = self._latest()
        if path is None:
            return None
        model.optimizer.build(model.trainable_variables)
        variables = self._variables(model)
        try:
            with store_errors(path), path.open("rb") as file, np.load(file, allow_pickle=False) as state:
                arrays = [state[f"v{index}"] for index in range(len(variables))]
                facts = json.loads(str(state["facts"]))
            epoch, stopped = int(facts["epoch"]), bool(facts["stopped"])
            if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
                raise ValueError("its arrays have other shapes than the model's variables")
            if len(facts["counters"]) != len(self._callbacks):
                raise ValueError(f"it counts for {len(facts['counters'])} callbacks, not {len(self._callbacks)}")
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise CorruptError(
                f"a backup must hold the model's state after an epoch. Received: path={str(path)!r}: {reason}; "
                "delete that file and resume the run to train it from the start"
            ) from error
        if (began_on := facts.get("pretrained", "")) != self._pretrained:
            raise TrainingError(
                f"a run must go on with the ImageNet weights it began on, sha256={began_on[:12]}. Received: "
                f"sha256={self._pretrained[:12]}; correct PNEUMO_VGG16_WEIGHTS, or delete {str(self._folder)!r} to begin anew"
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        self._restored = facts
        self._put_back_counters()  # Here too: a training that had ended is not begun again, but its best loss counts on.
        self.epoch = epoch
        return epoch, stopped

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
            "epoch": epoch,
            "stopped": bool(model.stop_training),
            "counters": [_counters(callback) for callback in self._callbacks],
            "pretrained": self._pretrained,
        }
        arrays = {
            f"v{index}": keras.ops.convert_to_numpy(variable) for index, variable in enumerate(self._variables(model))
        }
        make_directory(self._folder)
        path = self._folder / f"epoch-{epoch:04d}.npz"
        partial = path.with_suffix(".partial")
        with store_errors(path):
            with partial.open("wb") as file:
                np.savez(file, facts=np.array(json.dumps(facts)), **arrays)
            partial.replace(path)
            for old in self._folder.glob("epoch-*.npz"):
                if old != path:
                    old.unlink()

    def _put_back_counters(self) -> None:
        if self._restored is not None:
            for callback, counters in zip(self._callbacks, self._restored["counters"], strict=True):
                vars(callback).update(counters)

    def _latest(self) -> Path | None:
        return max(self._folder.glob("epoch-*.npz"), default=None)

    @staticmethod
    def _variables(model: keras.Model) -> list[Any]:
        return [*model.variables, *model.optimizer.variables]


def _counters(callback: keras.callbacks.Callback) -> dict[str, float | int | None]:
    """A callback's public numbers: what it has counted so far."""
    return {
        name: float(value) if isinstance(value, np.floating) else value
        for name, value in vars(callback).items()
        if not name.startswith("_") and name in {"best", "wait", "best_epoch", "cooldown_counter", "stopped_epoch"}
    }


def _numbers(logs: dict[str, Any] | None) -> dict[str, float]:
    return {name: float(value) for name, value in (logs or {}).items()}
