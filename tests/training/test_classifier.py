import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest

from pneumo_core.config import AUGMENTATIONS, Preset, TrainConfig
from pneumo_core.data.images import load_array
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign
from pneumo_core.errors import CorruptError, DataError, TrainingError
from pneumo_core.files import file_sha256, read_json
from pneumo_core.models.baseline import build_baseline
from pneumo_core.presets import preset_config
from pneumo_core.records import Architecture, RunState
from pneumo_core.status import read_events, read_status
from pneumo_core.store import RunDirectory, read_trained
from pneumo_core.training.classifier import build_classifier, train_classifier
from tests.conftest import ask_for_run

SMALL = replace(preset_config(Architecture.BASELINE, Preset.QUICK, epochs=2), image_size=32, learning_rate=1e-4)


@pytest.fixture(autouse=True)
def precision_restored() -> Iterator[None]:
    """A training sets Keras' precision for the process, which is a worker's own everywhere else."""
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def index(tiny_data: Path) -> DataIndex:
    return build_index(tiny_data)


def trained(config: TrainConfig, index: DataIndex) -> RunDirectory:
    run = ask_for_run(config, index)
    train_classifier(run, config, index)
    return run


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> RunDirectory:
    """A training of `SMALL`; never change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(tmp_path_factory.mktemp("first")))
        return trained(SMALL, build_index(tiny_data))


@pytest.fixture
def copied_run(first_run: RunDirectory, index: DataIndex) -> RunDirectory:
    """A copy of the training among this test's own artifacts."""
    run = ask_for_run(SMALL, index)
    shutil.copytree(first_run.path, run.path, dirs_exist_ok=True)
    return run


def epochs_of(run: RunDirectory) -> dict[int, dict]:
    """Epoch events by number; the last one of a number counts."""
    return {event["epoch"]: event for event in read_events(run) if event["kind"] == "epoch"}


def val_loss(run: RunDirectory, config: TrainConfig, index: DataIndex) -> float:
    """Loss of the kept weights on the validation images, in NumPy and in float64."""
    model = build_classifier(config)
    model.load_weights(run.weights)
    rows = assign(index.table, config).val
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=config.image_size)[
        rows
    ]
    logits = keras.ops.convert_to_numpy(model(images[..., None].astype(np.float32)))[:, 0].astype(np.float64)
    labels = index.table["label"].to_numpy()[rows]
    return float(np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits))))


def test_a_training_leaves_what_the_next_step_needs(copied_run: RunDirectory, index: DataIndex) -> None:
    run = copied_run
    facts = read_trained(run)
    rows = assign(index.table, SMALL)
    assert facts["images"] == {"train": len(rows.train), "val": len(rows.val), "test": len(rows.test)}
    assert facts["parameters"] == build_baseline(image_size=32).count_params()
    assert facts["parameters"] - facts["trainable_parameters"] == 448
    assert facts["weights_sha256"] == file_sha256(run.weights)
    assert facts["training_duration_s"] > 0
    assert facts["first_epoch_of_last_session"] == 0

    history = epochs_of(run)
    assert list(history) == [0, 1]
    assert all(event["learning_rate"] == pytest.approx(SMALL.learning_rate) for event in history.values())
    best = min(event["val_loss"] for event in history.values())
    # The kept weights are the best epoch's: their loss is the one that the event tells, up to bfloat16.
    assert val_loss(run, SMALL, index) == pytest.approx(best, rel=0.02)
    assert {path.name for path in run.backup.iterdir()} == {"epoch-0002.npz"}
    status = read_status(run)
    assert (status.state, status.epoch, status.epochs) == (RunState.RUNNING, 2, 2)


def test_same_seed_same_run_other_seed_another(first_run: RunDirectory, index: DataIndex) -> None:
    first, again = epochs_of(first_run), epochs_of(trained(SMALL, index))
    for epoch in (0, 1):
        for name in ("loss", "val_loss", "accuracy"):
            assert again[epoch][name] == pytest.approx(first[epoch][name], rel=1e-6)
    other = epochs_of(trained(replace(SMALL, seed=1, epochs=1), index))
    assert other[0]["loss"] != pytest.approx(first[0]["loss"], rel=1e-3)


def test_a_finished_training_is_not_trained_again(copied_run: RunDirectory, index: DataIndex) -> None:
    weights, events = file_sha256(copied_run.weights), copied_run.events.read_bytes()
    copied_run.trained.unlink()
    train_classifier(copied_run, SMALL, index)
    assert (file_sha256(copied_run.weights), copied_run.events.read_bytes()) == (weights, events)
    assert read_trained(copied_run)["first_epoch_of_last_session"] == 2


def test_early_stopping_ends_it(index: DataIndex) -> None:
    config = replace(SMALL, epochs=8, learning_rate=1e-2, early_stopping_patience=1)
    run = trained(config, index)
    losses = [event["val_loss"] for event in epochs_of(run).values()]
    assert 2 <= len(losses) < 8
    assert losses[-1] >= min(losses[:-1])
    assert all(after < before for before, after in pairwise(losses[:-1]))
    assert read_json(run.trained)["weights_sha256"] == file_sha256(run.weights)


def test_a_loss_that_is_no_number_ends_it_and_keeps_the_best(copied_run: RunDirectory, index: DataIndex) -> None:
    copied_run.trained.unlink()
    (backup,) = copied_run.backup.iterdir()
    with np.load(backup) as state:
        arrays = {name: np.full_like(a, np.nan) if a.ndim == 2 else a for name, a in state.items()}
    facts = json.loads(str(arrays["facts"]))
    np.savez(backup, **{**arrays, "facts": np.array(json.dumps({**facts, "epoch": 1}))})
    weights = file_sha256(copied_run.weights)
    with pytest.raises(TrainingError, match=r"Received: loss=nan at batch 1; lower the learning rate"):
        train_classifier(copied_run, SMALL, index)
    assert file_sha256(copied_run.weights) == weights
    assert not copied_run.trained.exists()
    assert [path.name for path in copied_run.backup.iterdir()] == [backup.name]


def test_a_damaged_backup_ends_it_in_one_line(index: DataIndex) -> None:
    run = ask_for_run(SMALL, index)
    run.backup.mkdir()
    (run.backup / "epoch-0001.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(CorruptError, match="delete that file and resume") as caught:
        train_classifier(run, SMALL, index)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("split", "label", "expected"), [("train", 0, "train=.*'NORMAL': 0"), ("test", 1, "test=.*'PNEUMONIA': 0")]
)
def test_a_split_without_a_class_is_told_before_anything_is_done(
    index: DataIndex, split: str, label: int, expected: str
) -> None:
    lacking = (index.table["split"] == split) & (index.table["label"] == label)
    one_class = replace(index, table=index.table[~lacking].reset_index(drop=True))
    run = ask_for_run(SMALL, one_class)
    with pytest.raises(DataError, match=expected) as caught:
        train_classifier(run, SMALL, one_class)
    assert "\n" not in str(caught.value)
    assert not run.weights.exists()


def test_a_validation_part_of_one_class_is_told(index: DataIndex) -> None:
    """Each NORMAL patient of train in one patient: whichever side they fall on, the other has none."""
    table = index.table.copy()
    table.loc[(table["label"] == 0) & (table["split"] == "train"), "patient_id"] = "one"
    table.loc[table["split"] == "val", "label"] = 1
    together = replace(index, table=table)
    with pytest.raises(DataError, match="Received: ") as caught:
        train_classifier(ask_for_run(SMALL, together), SMALL, together)
    assert "\n" not in str(caught.value)


def test_an_image_that_went_away_is_told_by_name(index: DataIndex, tmp_path: Path) -> None:
    gone = replace(index, root=tmp_path)
    with pytest.raises(DataError, match=r"an indexed image must stay as it was\. Received: 'test/NORMAL/"):
        train_classifier(ask_for_run(SMALL, gone), SMALL, gone)


def test_untrained_models_follow_the_config() -> None:
    model = build_classifier(replace(SMALL, image_size=64, bn_momentum=0.5, seed=2))
    assert model.input.shape == (None, 64, 64, 1)
    assert model.get_layer("block4_bn").momentum == 0.5
    expected = build_baseline(image_size=64, seed=2, bn_momentum=0.5)
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_labels_follow_their_images_and_the_report_s_slip_is_kept(index: DataIndex) -> None:
    """Images whose brightness is their label: the loss falls all the way, which mode="max" takes for no improvement."""
    ids = index.table["image_id"].tolist()
    cached = load_array(index.root, ids, data_id=index.data_id, size=SMALL.image_size)
    array = np.lib.format.open_memmap(str(cached.filename), mode="r+")
    array[:] = np.where(index.table["label"].to_numpy() == 1, 200, 50)[:, None, None]
    array.flush()
    config = replace(
        SMALL,
        epochs=3,
        batch_size=8,
        learning_rate=3e-4,
        bn_momentum=0.5,
        augment=AUGMENTATIONS["none"],
        plateau=replace(SMALL.plateau, mode="max", patience=2, factor=0.3),
    )
    history = epochs_of(trained(config, index))
    losses = [history[epoch]["val_loss"] for epoch in range(3)]
    assert losses == sorted(losses, reverse=True)
    assert history[2]["val_accuracy"] == 1.0
    rates = [history[epoch]["learning_rate"] for epoch in range(3)]
    assert rates == pytest.approx([3e-4, 3e-4, 0.9e-4], rel=1e-5)
