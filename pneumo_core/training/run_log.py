"""Live log of a training: status, events, and a TensorBoard log."""

import time
from typing import Final

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from pneumo_core.runs.files import make_directory, store_errors
from pneumo_core.runs.status import append_event, update_status
from pneumo_core.runs.store import RunDirectory

_EVENT_INTERVAL_S: Final = 1.0


class RunLog:
    """Writes a line per epoch, and at most one line per second for batches. Close it when the training ends.

    An epoch has `steps` of `batch_size` images each; `phase` is the number of the call of `fit`, from 1.
    """

    def __init__(self, run: RunDirectory, *, epochs: int, steps: int, batch_size: int, phase: int = 1) -> None:
        self._run = run
        self._epochs = epochs
        self._steps = steps
        self._batch_size = batch_size
        self._phase = phase
        self._board: EventsWriter | None = None
        self._epoch = 0
        self._epoch_start = 0.0
        self._last = 0.0
        self._last_step = 0

    def begin(self, epoch: int) -> None:
        """Record the start of an epoch; epochs count from 0."""
        self._epoch = epoch
        self._epoch_start = self._last = time.monotonic()
        self._last_step = 0
        update_status(self._run, epoch=epoch, epochs=self._epochs, step=0, steps=self._steps, message="training")

    def is_due(self, batch: int) -> bool:
        """Whether `batch` would write a line; until then, expensive values need not be computed."""
        # The first batch is written at once: it shows that training has started.
        return batch == 0 or time.monotonic() - self._last >= _EVENT_INTERVAL_S

    def batch(self, batch: int, values: dict[str, float]) -> None:
        """Record the end of a batch; batches count from 0."""
        if not self.is_due(batch):
            return
        now = time.monotonic()
        images = (batch + 1 - self._last_step) * self._batch_size
        event = {"kind": "batch", "epoch": self._epoch, "step": batch + 1, "steps": self._steps, **values}
        append_event(self._run, {**event, "images_per_s": images / (now - self._last), "time": time.time()})
        update_status(self._run, step=batch + 1)
        self._last, self._last_step = now, batch + 1

    def validating(self) -> None:
        """Record the start of the validation."""
        update_status(self._run, step=self._steps, message="validating")

    def end(self, epoch: int, values: dict[str, float]) -> None:
        """Record the end of an epoch."""
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
        # Keras' own callback needs TensorFlow; the usual writer of tensorboardX has a thread, and waits for it forever
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
