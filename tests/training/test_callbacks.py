"""Callbacks of a training, with the `backup` and the `run_log` that they write: cancelled, killed, resumed, damaged."""

import json
import math
import resource
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.errors import CancelledError, CorruptError, StoreError, TrainingError
from pneumo_core.records import RunState
from pneumo_core.runs.status import Status, read_events, read_status, write_status
from pneumo_core.runs.store import RunDirectory
from pneumo_core.training.callbacks import AverageWeights, Backup, CancelOnRequest, KeepBestWeights, Progress, StopOnNaN
from pneumo_core.training.device import adam, detect
from pneumo_core.training.run_log import RunLog

pytestmark = pytest.mark.slow

STEPS = 4
RNG = np.random.default_rng(0)
X = RNG.normal(size=(STEPS * 4, 6)).astype(np.float32)
Y = (X[:, :1] + 0.3 * RNG.normal(size=(len(X), 1)) > 0).astype(np.float32)
X_VAL = RNG.normal(size=(8, 6)).astype(np.float32)
Y_VAL = (X_VAL[:, :1] > 0).astype(np.float32)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "baseline-0123456789ab")
    run.path.mkdir()
    write_status(run, Status(RunState.RUNNING, ticket=1))
    return run


def small_model(learning_rate: float = 0.05, averaging: float = 0.0) -> keras.Model:
    """Two layers with everything that has a state: dropout, normalization, Adam."""
    image = keras.Input((6,))
    x = keras.layers.Dense(8, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(1))(image)
    x = keras.layers.BatchNormalization(momentum=0.8)(x)
    x = keras.layers.Dropout(0.5, seed=2)(x)
    model = keras.Model(image, keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(3))(x))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    # Tracing would take longer than training.
    model.compile(adam(detect(), learning_rate, model, averaging=averaging), loss, run_eagerly=True)
    return model


def fit(model: keras.Model, callbacks: list[keras.callbacks.Callback], **options: object) -> keras.callbacks.History:
    settings = {"epochs": 3, "batch_size": 4, "shuffle": False, "verbose": 0, "validation_data": (X_VAL, Y_VAL)}
    return model.fit(X, Y, callbacks=callbacks, **{**settings, **options})


class At(keras.callbacks.Callback):
    """Do something once, at a batch of training or of validation."""

    def __init__(self, when: tuple[int, int], action: Callable[[], None], phase: str = "train") -> None:
        super().__init__()
        self.when, self.action, self.phase, self.epoch = when, action, phase, 0
        self.batches: list[tuple[str, int, int]] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._at("train", batch)

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._at("test", batch)

    def _at(self, phase: str, batch: int) -> None:
        self.batches.append((phase, self.epoch, batch))
        if (phase, (self.epoch, batch)) == (self.phase, self.when):
            self.action()


class TestCancelOnRequest:
    @pytest.mark.parametrize(("phase", "when"), [("train", (0, 0)), ("train", (1, 2)), ("test", (1, 0))])
    def test_stops_with_the_batch_that_was_going(self, run: RunDirectory, phase: str, when: tuple[int, int]) -> None:
        probe = At(when, run.cancel.touch, phase)
        with pytest.raises(CancelledError, match=run.run_id):
            fit(small_model(), [probe, CancelOnRequest(run)])
        assert probe.batches[-1] == (phase, *when)

    def test_nothing_stops_without_a_request(self, run: RunDirectory) -> None:
        assert len(fit(small_model(), [CancelOnRequest(run)]).epoch) == 3


class TestStopOnNaN:
    def test_stops_at_the_batch_before_anything_is_saved(self, run: RunDirectory) -> None:
        model = small_model()

        def poison() -> None:
            model.layers[1].kernel.assign(np.full((6, 8), np.nan))

        probe = At((1, 2), poison)
        best = KeepBestWeights(run.weights, model)
        with pytest.raises(TrainingError, match=r"loss must stay finite\. Received: loss=nan at batch 3") as caught:
            fit(model, [probe, StopOnNaN(), best, Backup(run.backup, [best])])
        assert "\n" not in str(caught.value)
        assert probe.batches[-1] == ("train", 1, 2)
        # What the first epoch left is still good.
        assert all(np.isfinite(weights).all() for weights in stored(run.weights))
        assert Backup(run.backup, [best]).restore(small_model()) == (1, False)

    def test_infinite_loss_counts_too(self) -> None:
        with pytest.raises(TrainingError, match="loss=inf"):
            StopOnNaN().on_train_batch_end(0, {"loss": math.inf})

    def test_large_losses_pass(self) -> None:
        StopOnNaN().on_train_batch_end(0, {"loss": 1e30})
        StopOnNaN().on_train_batch_end(0, None)


def logged(folder: Path) -> dict[tuple[str, int], float]:
    """Scalars of a TensorBoard folder by name and step, read by TensorFlow; a start hides what was there from its step on.

    The last is TensorBoard's own rule (its `EventAccumulator`, `_CheckForRestartAndMaybePurge`).
    """
    import tensorflow as tf

    scalars: dict[tuple[str, int], float] = {}
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            if event.session_log.status == tf.compat.v1.SessionLog.START:
                scalars = {(name, step): value for (name, step), value in scalars.items() if step < event.step}
            for value in event.summary.value:
                assert value.tag
                scalars[value.tag, event.step] = value.simple_value
    return scalars


def as_logged(events: list[dict]) -> dict[tuple[str, int], float]:
    """The same of the run's own events, of which the last of an epoch counts."""
    return {
        (name, event["epoch"]): value
        for event in events
        if event["kind"] == "epoch"
        for name, value in event.items()
        if name not in {"kind", "epoch", "phase", "duration_s", "time"}
    }


class TestProgress:
    def test_tensorboard_receives_the_same(self, run: RunDirectory) -> None:
        with closing(RunLog(run, epochs=3, steps=STEPS, batch_size=4, phase=1)) as log:
            fit(small_model(), [Progress(log)])
            expected = as_logged(read_events(run))
            assert len(expected) == 3 * 3  # loss, val_loss and learning_rate
            assert logged(run.tensorboard) == pytest.approx(expected, rel=1e-6)  # Before it is closed already.
        assert logged(run.tensorboard) == pytest.approx(expected, rel=1e-6)
        (path,) = run.tensorboard.iterdir()
        assert path.name.startswith("events.out.tfevents.")

    def test_tensorboard_forgets_what_is_done_again(self, run: RunDirectory) -> None:
        for first, epochs in ((0, 3), (1, 4)):
            with closing(RunLog(run, epochs=epochs, steps=STEPS, batch_size=4, phase=1)) as log:
                fit(small_model(0.05 + first), [Progress(log)], initial_epoch=first, epochs=epochs)
        assert len(list(run.tensorboard.iterdir())) == 2
        scalars = logged(run.tensorboard)
        assert scalars == pytest.approx(as_logged(read_events(run)), rel=1e-6)
        assert {step for _, step in scalars} == {0, 1, 2, 3}

    def test_nothing_to_close(self, run: RunDirectory) -> None:
        RunLog(run, epochs=1, steps=STEPS, batch_size=4, phase=1).close()
        assert not run.tensorboard.exists()

    def test_a_full_disk_is_an_error_and_no_endless_wait(self, run: RunDirectory) -> None:
        log = RunLog(run, epochs=99, steps=STEPS, batch_size=4, phase=1)
        progress = Progress(log)
        progress.set_model(small_model())

        def epochs() -> None:
            for epoch in range(99):
                run.events.unlink(missing_ok=True)  # Or the events would be the first to be refused.
                progress.on_epoch_begin(epoch)
                progress.on_epoch_end(epoch, {f"a metric with a long name {number}": 0.5 for number in range(10)})

        with largest_file(4096), pytest.raises(StoreError, match="tensorboard"):
            epochs()
        log.close()

    def test_a_line_an_epoch_that_says_what_keras_says(self, run: RunDirectory) -> None:
        with closing(RunLog(run, epochs=3, steps=STEPS, batch_size=4, phase=1)) as log:
            history = fit(small_model(), [Progress(log)]).history
        epochs = [event for event in read_events(run) if event["kind"] == "epoch"]
        assert [event["epoch"] for event in epochs] == [0, 1, 2]
        for name, values in history.items():
            np.testing.assert_allclose([event[name] for event in epochs], values, rtol=1e-6)
        assert all(event["learning_rate"] == pytest.approx(0.05) for event in epochs)
        assert all(event["duration_s"] > 0 for event in epochs)
        status = read_status(run)
        assert (status.state, status.ticket) == (RunState.RUNNING, 1)
        assert (status.epoch, status.epochs, status.step, status.steps) == (3, 3, STEPS, STEPS)

    def test_the_first_batch_and_then_at_most_a_line_a_second(
        self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [100.0]
        monkeypatch.setattr("pneumo_core.training.run_log.time.monotonic", lambda: now[0])
        progress = Progress(RunLog(run, epochs=1, steps=10, batch_size=4, phase=1))
        progress.set_model(small_model())
        progress.on_epoch_begin(0)
        for batch in range(10):
            now[0] += 0.4
            progress.on_train_batch_end(batch, {"loss": 1.0 / (batch + 1)})
        events = read_events(run)
        assert [event["step"] for event in events] == [1, 4, 7, 10]
        assert [event["images_per_s"] for event in events] == pytest.approx([4 / 0.4] * 4)
        assert [event["loss"] for event in events] == pytest.approx([1, 1 / 4, 1 / 7, 1 / 10])
        assert (read_status(run).epoch, read_status(run).step) == (0, 10)

    def test_status_tells_validation_from_training(self, run: RunDirectory) -> None:
        reported: list[str] = []
        probe = At((0, 0), lambda: reported.append(read_status(run).message), "test")
        # The probe comes last, so it reads what has been said by then.
        with closing(RunLog(run, epochs=1, steps=STEPS, batch_size=4, phase=1)) as log:
            fit(small_model(), [Progress(log), probe], epochs=1)
        assert reported == ["validating"]


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writing past `size_bytes` fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def stored(path: Path) -> list[NDArray[np.float32]]:
    """Weights of a file, read into a model without an optimizer, as the export does."""
    compiled = small_model()
    model = keras.Model(compiled.inputs, compiled.outputs)
    model.load_weights(path)
    return model.get_weights()


class TestKeepBestWeights:
    def test_keeps_what_keras_own_checkpoint_keeps(self, run: RunDirectory, tmp_path: Path) -> None:
        model = small_model(0.5)  # A rate so high that the losses go up and down.
        ours = KeepBestWeights(run.weights, model)
        theirs = keras.callbacks.ModelCheckpoint(
            tmp_path / "theirs.weights.h5", monitor="val_loss", save_best_only=True, save_weights_only=True
        )
        history = fit(model, [ours, theirs], epochs=8).history["val_loss"]
        assert 0 < int(np.argmin(history)) < 7
        assert (ours.best_epoch, ours.best) == (int(np.argmin(history)), pytest.approx(min(history)))
        for a, b in zip(stored(run.weights), stored(tmp_path / "theirs.weights.h5"), strict=True):
            np.testing.assert_array_equal(a, b)
        assert {path.name for path in run.path.iterdir()} == {"weights.weights.h5", "status.json"}

    def test_equal_loss_keeps_the_earlier(self, run: RunDirectory) -> None:
        best = KeepBestWeights(run.weights, small_model())
        for epoch, loss in enumerate([0.5, 0.4, 0.4, 0.6]):
            best.on_epoch_end(epoch, {"val_loss": loss})
        assert (best.best_epoch, best.best) == (1, 0.4)

    def test_no_number_is_never_best(self, run: RunDirectory) -> None:
        best = KeepBestWeights(run.weights, small_model())
        best.on_epoch_end(0, {"val_loss": math.nan})
        assert not run.weights.exists()
        best.on_epoch_end(1, {"val_loss": 1.0})
        best.on_epoch_end(2, {"val_loss": math.nan})
        assert best.best_epoch == 1

    def test_a_refused_write_keeps_the_old_weights(self, run: RunDirectory) -> None:
        best = KeepBestWeights(run.weights, small_model())
        best.on_epoch_end(0, {"val_loss": 0.5})
        before = run.weights.read_bytes()
        (run.path / "partial.weights.h5").mkdir()
        with pytest.raises(StoreError, match="Received: path=") as caught:
            best.on_epoch_end(1, {"val_loss": 0.4})
        assert "\n" not in str(caught.value)
        assert run.weights.read_bytes() == before
        assert best.best == 0.5

    def test_file_holds_the_weights_and_no_optimizer(self, run: RunDirectory) -> None:
        model = small_model()
        fit(model, [KeepBestWeights(run.weights, model)], epochs=1)
        with h5py.File(run.weights) as file:
            arrays: list[NDArray[np.float32]] = []
            file.visititems(lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None)
        assert sum(array.size for array in arrays) == model.count_params()

    def test_the_whole_is_kept_where_a_part_is_trained(self, run: RunDirectory) -> None:
        whole = small_model()
        start = keras.Input(whole.layers[1].output.shape[1:])
        x = start
        for layer in whole.layers[2:]:
            x = layer(x)
        part = keras.Model(start, x)
        part.compile(keras.optimizers.Adam(0.05), keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
        first, last = whole.layers[1].get_weights(), whole.layers[-1].get_weights()
        hidden, hidden_val = (keras.ops.convert_to_numpy(whole.layers[1](x)) for x in (X, X_VAL))
        part.fit(
            hidden,
            Y,
            validation_data=(hidden_val, Y_VAL),
            callbacks=[KeepBestWeights(run.weights, whole)],
            verbose=0,
        )
        kept = stored(run.weights)
        for a, b in zip(kept, whole.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(kept[0], first[0])
        assert not np.array_equal(kept[-2], last[0])


class TestAverageWeights:
    BATCHES = tuple((X[start : start + 4], Y[start : start + 4]) for start in range(0, len(X), 4))

    def test_the_averages_are_validated_and_kept_and_training_goes_on_from_the_weights(self, run: RunDirectory) -> None:
        model, alone = small_model(averaging=0.8), small_model(averaging=0.8)
        best = KeepBestWeights(run.weights, model)
        steps: list[list[NDArray[np.float32]]] = []

        class Record(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
                steps.append([variable.numpy() for variable in model.trainable_variables])

        validated: list[list[NDArray[np.float32]]] = []

        class Validated(keras.callbacks.Callback):
            def on_test_end(self, logs: dict | None = None) -> None:
                validated.append(model.get_weights())

        average = AverageWeights(self.BATCHES)
        history = fit(model, [best, average, Record(), Validated()], epochs=2)
        expected_alone = fit(alone, [], epochs=2)
        # Training is not disturbed: not its weights, its statistics nor dropout's seeds.
        assert history.history["loss"] == expected_alone.history["loss"]
        for a, b in zip(model.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

        # The averages, from the weights after each step; the first step's are their start.
        slow = steps[0]
        for weights in steps[1:STEPS]:
            slow = [0.8 * old + 0.2 * new for old, new in zip(slow, weights, strict=True)]
        shown = dict(zip((variable.path for variable in model.weights), validated[0], strict=True))
        for variable, value in zip(model.trainable_variables, slow, strict=True):
            np.testing.assert_allclose(shown[variable.path], value, atol=1e-6, err_msg=variable.path)
        # The statistics are those of the averages on the training batches.
        kernel, bias = slow[0], slow[1]
        hidden = [np.maximum(x @ kernel + bias, 0) for x, _ in self.BATCHES]
        mean = next(value for path, value in shown.items() if path.endswith("moving_mean"))
        variance = next(value for path, value in shown.items() if path.endswith("moving_variance"))
        np.testing.assert_allclose(mean, np.mean([h.mean(axis=0) for h in hidden], axis=0), atol=1e-5)
        np.testing.assert_allclose(variance, np.mean([h.var(axis=0) for h in hidden], axis=0), atol=1e-5)

        # What is kept is what was validated.
        lowest = int(np.argmin(history.history["val_loss"]))
        for a, b in zip(stored(run.weights), validated[lowest], strict=True):
            np.testing.assert_array_equal(a, b)

    def test_a_network_without_normalization_has_nothing_to_estimate(self) -> None:
        image = keras.Input((6,))
        model = keras.Model(image, keras.layers.Dense(1)(image))
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(adam(detect(), 0.05, model, averaging=0.5), loss, run_eagerly=True)
        fit(model, [AverageWeights(())], epochs=1)


class KilledError(Exception):
    """Stands for the end of the process."""


def session(
    folder: Path, *, epochs: int, stop_after: int | None = None, averaging: float = 0.0
) -> tuple[keras.Model, list[dict], list]:
    """One process's share of a training, from whatever the backup holds.

    Returns:
        The model, the logs of the epochs of this session, and the callbacks with their counters.
    """
    model = small_model(0.03, averaging)
    best = KeepBestWeights(folder / "weights.weights.h5", model)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", mode="min", patience=2, factor=0.3, cooldown=1)
    early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=6)
    counting = [best, plateau, early]
    backup = Backup(folder / "backup", counting)
    first, stopped = backup.restore(model) or (0, False)
    logs: list[dict] = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs_: dict | None = None) -> None:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            logs.append({"epoch": epoch, **(logs_ or {}), "rate": rate})

        def on_epoch_begin(self, epoch: int, logs_: dict | None = None) -> None:
            if stop_after is not None and epoch == stop_after:
                raise KilledError

    if first < epochs and not stopped:
        with suppress(KilledError):
            averages = [AverageWeights(TestAverageWeights.BATCHES)] if averaging else []
            fit(model, [*counting, Watch(), *averages, backup], epochs=epochs, initial_epoch=first)
    return model, logs, counting


def counters(callbacks: list) -> list[dict]:
    names = {"best", "best_epoch", "wait", "cooldown_counter", "stopped_epoch"}
    return [{name: value for name, value in vars(callback).items() if name in names} for callback in callbacks]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    folder = tmp_path_factory.mktemp("whole")
    return folder, *session(folder, epochs=12)


class TestBackup:
    @pytest.mark.parametrize("stops", [[1], [0, 3], [4, 5, 8]], ids=str)
    def test_resumed_is_uninterrupted(self, tmp_path: Path, uninterrupted: tuple, stops: list[int]) -> None:
        folder, model, expected, callbacks = uninterrupted
        # The scenario must have something to forget: a lowered rate, and a best epoch long past.
        assert len({line["rate"] for line in expected}) > 1
        assert expected[-1]["val_loss"] > min(line["val_loss"] for line in expected)

        received: list[dict] = []
        for stop in [*stops, None]:
            resumed, logs, resumed_callbacks = session(tmp_path, epochs=12, stop_after=stop)
            received += logs

        assert received == expected
        for a, b in zip(resumed.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(resumed.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b))
        assert counters(resumed_callbacks) == counters(callbacks)
        for a, b in zip(*(stored(path / "weights.weights.h5") for path in (folder, tmp_path)), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_averages_are_resumed_too(self, tmp_path: Path) -> None:
        for name in ("whole", "parts"):
            (tmp_path / name).mkdir()
        whole, expected, _ = session(tmp_path / "whole", epochs=3, averaging=0.8)
        session(tmp_path / "parts", epochs=3, averaging=0.8, stop_after=1)
        resumed, received, _ = session(tmp_path / "parts", epochs=3, averaging=0.8)
        assert received == expected[1:]
        for a, b in zip(resumed.optimizer.variables, whole.optimizer.variables, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b))

    def test_weights_alone_would_not_do(self, uninterrupted: tuple) -> None:
        """The comparison above has teeth: a plain checkpoint's second session differs at once."""
        _, _, expected, _ = uninterrupted
        model = small_model(0.03)
        fit(model, [], epochs=2)
        keras_only = small_model(0.03)
        keras_only.set_weights(model.get_weights())  # Weights alone, as a plain checkpoint keeps them.
        history = fit(keras_only, [], epochs=4, initial_epoch=2).history["loss"]
        assert history[0] != expected[2]["loss"]

    def test_nothing_to_restore(self, tmp_path: Path) -> None:
        assert Backup(tmp_path / "backup", []).restore(small_model()) is None

    def test_what_was_counted_is_there_without_training_on(self, tmp_path: Path, uninterrupted: tuple) -> None:
        """A phase that had ended is not begun again, yet the next one must know the best loss so far."""
        folder, _, expected, callbacks = uninterrupted
        model = small_model(0.03)
        fresh = [
            KeepBestWeights(tmp_path / "weights.weights.h5", model),
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", mode="min"),
            keras.callbacks.EarlyStopping(monitor="val_loss"),
        ]
        assert Backup(folder / "backup", fresh).restore(model) == (len(expected), True)
        assert counters(fresh) == counters(callbacks)

    def test_a_start_can_be_saved_before_the_first_epoch(self, tmp_path: Path) -> None:
        model = small_model()
        before = model.get_weights()
        Backup(tmp_path, []).save(model, 7)
        fit(model, [], epochs=1)
        assert Backup(tmp_path, []).restore(model) == (7, False)
        for a, b in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert int(model.optimizer.iterations.value) == 0

    def test_other_pretrained_weights_are_refused(self, tmp_path: Path) -> None:
        Backup(tmp_path, [], pretrained="a" * 64).save(small_model(), 1)
        assert Backup(tmp_path, [], pretrained="a" * 64).restore(small_model()) == (1, False)
        with pytest.raises(TrainingError, match=r"sha256=a{12}\. Received: sha256=b{12}; correct PNEUMO_VGG16_WEIGHTS"):
            Backup(tmp_path, [], pretrained="b" * 64).restore(small_model())

    def test_a_backup_that_counts_for_others_is_reported(self, tmp_path: Path) -> None:
        Backup(tmp_path, [keras.callbacks.EarlyStopping()]).save(small_model(), 1)
        with pytest.raises(CorruptError, match="it counts for 1 callbacks, not 0"):
            Backup(tmp_path, []).restore(small_model())

    def test_early_stopping_is_remembered(self, tmp_path: Path) -> None:
        model = small_model()
        early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=0, min_delta=1e9)
        fit(model, [early, Backup(tmp_path, [early])], epochs=9)
        assert Backup(tmp_path, [early]).restore(small_model()) == (2, True)

    def test_only_the_newest_is_kept(self, tmp_path: Path) -> None:
        fit(small_model(), [Backup(tmp_path, [])], epochs=3)
        assert [path.name for path in tmp_path.iterdir()] == ["epoch-0003.npz"]
        with np.load(tmp_path / "epoch-0003.npz") as state:
            assert json.loads(str(state["facts"])) == {"epoch": 3, "stopped": False, "counters": [], "pretrained": ""}

    def test_a_kill_while_saving_leaves_the_last_whole_backup(self, tmp_path: Path) -> None:
        fit(small_model(), [Backup(tmp_path, [])], epochs=2)
        (tmp_path / "epoch-0003.partial").write_bytes(b"PK\x03\x04 half of a file")
        assert Backup(tmp_path, []).restore(small_model()) == (2, False)

    def test_a_kill_before_the_old_one_is_removed_takes_the_newer(self, tmp_path: Path) -> None:
        fit(small_model(), [Backup(tmp_path, [])], epochs=1)
        old = (tmp_path / "epoch-0001.npz").read_bytes()
        fit(small_model(), [Backup(tmp_path, [])], epochs=2)
        (tmp_path / "epoch-0001.npz").write_bytes(old)
        assert Backup(tmp_path, []).restore(small_model()) == (2, False)

    @pytest.mark.parametrize("damage", ["cut", "text", "other model"])
    def test_a_damaged_backup_is_reported_in_one_line_and_kept(self, tmp_path: Path, damage: str) -> None:
        fit(small_model(), [Backup(tmp_path, [])], epochs=1)
        path = tmp_path / "epoch-0001.npz"
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:-200])
        elif damage == "text":
            path.write_text("not a backup")
        else:
            np.savez(
                path,
                facts=np.array(json.dumps({"epoch": 1, "stopped": False, "counters": [], "pretrained": ""})),
                v0=np.zeros(3),
            )
        before = path.read_bytes()
        with pytest.raises(CorruptError, match="Received: ") as caught:
            Backup(tmp_path, []).restore(small_model())
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == before

    def test_a_refused_write_keeps_the_old_backup(self, tmp_path: Path) -> None:
        fit(small_model(), [Backup(tmp_path, [])], epochs=1)
        (tmp_path / "epoch-0002.partial").mkdir()
        with pytest.raises(StoreError, match="Received: path="):
            fit(small_model(), [Backup(tmp_path, [])], epochs=2, initial_epoch=1)
        assert Backup(tmp_path, []).restore(small_model()) == (1, False)
