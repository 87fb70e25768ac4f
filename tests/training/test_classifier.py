"""Trainings from config to best weights: what they leave, what ends them, both networks, both phases, and every arm."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from pneumo_core.augmentation.stress import degraded
from pneumo_core.config.architecture import vgg16_layers
from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import Balance, FineTuneConfig, Preset, Scaling, TrainConfig, Validation
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import load_array
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign
from pneumo_core.errors import CancelledError, ConfigError, CorruptError, DataError, TrainingError
from pneumo_core.models.baseline import build_baseline
from pneumo_core.models.vgg16 import load_imagenet
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import file_sha256, read_json
from pneumo_core.runs.status import read_events, read_status
from pneumo_core.runs.store import RunDirectory, datasets_root, read_trained
from pneumo_core.training import classifier as classifier_module
from pneumo_core.training.callbacks import Backup
from pneumo_core.training.classifier import build_classifier, train_classifier
from tests.closeness import rounding
from tests.conftest import ask_for_run
from tests.hostile import assert_one_line

SMALL = replace(preset_config(Architecture.BASELINE, Preset.QUICK, epochs=2), image_size=32, learning_rate=1e-4)

# On stand-in weights, so the pixels' range is kept small. The second phase is far too fast: whatever the first one learned, its
# best must last.
VGG16 = replace(
    preset_config(Architecture.VGG16, Preset.QUICK, epochs=2, fine_tune=FineTuneConfig(2, learning_rate=0.1)),
    image_size=32,
    learning_rate=3e-4,
    scaling=Scaling.UNIT,
)
HEAD_ONLY = replace(VGG16, fine_tune=None)


@pytest.fixture(autouse=True)
def pretrained(vgg16_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))


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


@pytest.fixture(scope="module")
def vgg16_run(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, vgg16_weights: Path) -> RunDirectory:
    """A training of `VGG16`; never change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(tmp_path_factory.mktemp("vgg16")))
        patch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))
        return trained(VGG16, build_index(tiny_data))


@pytest.fixture
def copied_run(first_run: RunDirectory, index: DataIndex) -> RunDirectory:
    """A copy of the training among this test's own artifacts."""
    run = ask_for_run(SMALL, index)
    shutil.copytree(first_run.path, run.path, dirs_exist_ok=True)
    return run


def epochs_of(run: RunDirectory) -> dict[int, dict]:
    """Epoch events by number; the last one of a number counts."""
    return {event["epoch"]: event for event in read_events(run) if event["kind"] == "epoch"}


def val_logits(run: RunDirectory, config: TrainConfig, index: DataIndex) -> NDArray[np.float64]:
    """What the kept weights say of the validation images, in float32."""
    keras.config.set_dtype_policy("float32")
    model = build_classifier(config)
    model.load_weights(run.weights)
    rows = assign(index.table, config).val
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=config.image_size)
    pixels = images[rows][..., None].astype(np.float32)
    return keras.ops.convert_to_numpy(model(pixels))[:, 0].astype(np.float64)


def val_loss(run: RunDirectory, config: TrainConfig, index: DataIndex) -> float:
    """Loss of the kept weights on the validation images, in NumPy and in float64."""
    logits = val_logits(run, config, index)
    labels = index.table["label"].to_numpy()[assign(index.table, config).val]
    return float(np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits))))


def features_reported(run: RunDirectory) -> list[tuple[str, int]]:
    """What the run says of each kind of features once they are done, and how many it computed."""
    events = (event for event in read_events(run) if event["kind"] == "features")
    return [(event["what"], event["total"]) for event in events if event["done"] == event["total"]]


def state_of(backup: Path, config: TrainConfig) -> dict[str, NDArray[np.float32]]:
    """Variables of the whole model in a backup, by their path."""
    model = build_classifier(config)
    with np.load(backup) as state:
        return {variable.path: state[f"v{number}"] for number, variable in enumerate(model.variables)}


def test_a_training_leaves_what_the_next_step_needs(copied_run: RunDirectory, index: DataIndex) -> None:
    run = copied_run
    facts = read_trained(run)
    rows = assign(index.table, SMALL)
    assert facts["images"] == {"train": len(rows.train), "val": len(rows.val), "test": len(rows.test)}
    assert facts["parameters"] == build_baseline(image_size=32).count_params()
    assert facts["parameters"] - facts["trainable_parameters"] == 448
    assert facts["weights_sha256"] == file_sha256(run.weights)
    assert facts["training_duration_s"] > 0
    assert (facts["first_epoch_of_last_session"], facts["resume"]) == (0, "trained in one session")
    assert facts["images_added"] == 0

    history = epochs_of(run)
    assert list(history) == [0, 1]
    assert all(event["learning_rate"] == pytest.approx(SMALL.learning_rate) for event in history.values())
    best = min(event["val_loss"] for event in history.values())
    # The kept weights are the best epoch's: their loss is the one that the event tells, up to bfloat16.
    assert val_loss(run, SMALL, index) == pytest.approx(best, rel=0.02)
    assert {path.name for path in run.backup.iterdir()} == {"epoch-0002.npz"}
    status = read_status(run)
    assert (status.state, status.epoch, status.epochs) == (RunState.RUNNING, 2, 2)


def test_same_seed_same_run(first_run: RunDirectory, index: DataIndex) -> None:
    """Another seed, another: see `test_a_second_seed_computes_no_features`."""
    first, again = epochs_of(first_run), epochs_of(trained(SMALL, index))
    for epoch in (0, 1):
        for name in ("loss", "val_loss", "accuracy"):
            assert again[epoch][name] == pytest.approx(first[epoch][name], rel=1e-6)


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
    with pytest.raises(TrainingError, match=r"Received: loss=nan at batch 1; try another seed, or milder augmentation"):
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
def test_a_split_without_a_class_is_reported_before_anything_is_done(
    index: DataIndex, split: str, label: int, expected: str
) -> None:
    lacking = (index.table["split"] == split) & (index.table["label"] == label)
    one_class = replace(index, table=index.table[~lacking].reset_index(drop=True))
    run = ask_for_run(SMALL, one_class)
    with pytest.raises(DataError, match=expected) as caught:
        train_classifier(run, SMALL, one_class)
    assert "\n" not in str(caught.value)
    assert not run.weights.exists()


def test_a_validation_part_of_one_class_is_reported(index: DataIndex) -> None:
    """Each NORMAL patient of train in one patient: whichever side they fall on, the other has none."""
    table = index.table.copy()
    table.loc[(table["label"] == 0) & (table["split"] == "train"), "patient_id"] = "one"
    table.loc[table["split"] == "val", "label"] = 1
    together = replace(index, table=table)
    with pytest.raises(DataError, match="Received: ") as caught:
        train_classifier(ask_for_run(SMALL, together), SMALL, together)
    assert "\n" not in str(caught.value)


def test_an_image_that_went_away_is_reported_by_name(index: DataIndex, tmp_path: Path) -> None:
    gone = replace(index, root=tmp_path)
    with pytest.raises(DataError, match=r"an indexed image must not change\. Received: 'test/NORMAL/"):
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
        epochs=4,
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
    rates = [history[epoch]["learning_rate"] for epoch in range(4)]
    assert rates == pytest.approx([3e-4, 3e-4, 3e-4, 0.9e-4], rel=1e-5)


def test_more_than_all_images_in_a_batch_is_reported(index: DataIndex) -> None:
    count = len(assign(index.table, SMALL).train)
    config = replace(SMALL, batch_size=count + 1)
    with pytest.raises(DataError) as caught:
        trained(config, index)
    assert_one_line(caught.value, f"{count} training images", f"batch_size={count + 1}", "use more images")


def test_exhausted_memory_ends_it_in_one_line(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\ntensor with shape[32,150,150,16]")

    monkeypatch.setattr(classifier_module, "pixels", lambda parts, config: exhausted)
    run = ask_for_run(SMALL, index)
    with pytest.raises(TrainingError) as caught:
        train_classifier(run, SMALL, index)
    assert_one_line(
        caught.value, "fit into the memory of", "batch_size=32", "ResourceExhaustedError", "train on another"
    )
    assert not run.trained.exists()


# --- VGG16 ------------------------------------------------------------------------------------------------------------


def test_vgg16_trains_its_head_and_then_its_last_block(
    vgg16_run: RunDirectory, index: DataIndex, vgg16_weights: Path
) -> None:
    run, rows = vgg16_run, assign(index.table, VGG16)
    facts = read_trained(run)
    layers = vgg16_layers(32)
    assert facts["parameters"] == sum(layer.trainable + layer.fixed for layer in layers)
    assert facts["trainable_parameters"] == sum(layer.trainable for layer in layers)
    assert (facts["first_epoch_of_last_session"], facts["resume"]) == (0, "trained in one session")

    # Each view and the validation images once, epochs numbered on, each phase at its own rate.
    views = [(f"view {number} of 2", len(rows.train)) for number in (1, 2)]
    assert features_reported(run) == [*views, ("validation", len(rows.val))]
    history = epochs_of(run)
    assert list(history) == [0, 1, 2, 3]
    rates = [event["learning_rate"] for event in history.values()]
    assert rates == pytest.approx([3e-4, 3e-4, 0.1, 0.1], rel=1e-5)
    status = read_status(run)
    assert (status.epoch, status.epochs) == (4, 4)

    # The best of all epochs is kept. Here the first phase has it, whose convolutions are the file's.
    losses = [event["val_loss"] for event in history.values()]
    assert min(losses) == min(losses[:2]) < min(losses[2:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(run.path.parent.parent))
        assert val_loss(run, VGG16, index) == pytest.approx(min(losses), rel=0.02)
    kept = build_classifier(VGG16)
    kept.load_weights(run.weights)
    start = build_classifier(VGG16)
    load_imagenet(start, vgg16_weights)
    (last,) = (run.backup / "fine-tune").iterdir()
    assert last.name == "epoch-0004.npz"
    after = state_of(last, VGG16)
    for variable in start.trainable_variables:
        assert not np.array_equal(after[variable.path], variable.numpy()), variable.path
    for variable, in_kept in zip(start.variables, kept.variables, strict=True):
        if "_conv" in variable.path:
            np.testing.assert_array_equal(in_kept.numpy(), variable.numpy())
            changed = not np.array_equal(after[variable.path], variable.numpy())
            assert changed == variable.path.startswith("block5_"), variable.path


def test_stored_features_train_as_the_whole_network_does(
    index: DataIndex, vgg16_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one view that is the image itself, the cache changes nothing: not the order, not dropout, not the losses."""

    def call(self: keras.layers.Flatten, inputs: Any) -> Any:
        return flatten(self, keras.ops.cast(keras.ops.cast(inputs, "float16"), inputs.dtype))

    # The cache keeps float16, which moves float32 features by up to 5e-4 of themselves: the whole network does so here too.
    flatten = keras.layers.Flatten.call
    monkeypatch.setattr(keras.layers.Flatten, "call", call)
    config = replace(HEAD_ONLY, augment=AUGMENTATIONS["none"], feature_views=1)
    stored, whole = trained(config, index), trained(replace(config, feature_views=0), index)
    assert features_reported(stored)
    assert not features_reported(whole)
    assert stored.run_id != whole.run_id
    received, expected = epochs_of(stored), epochs_of(whole)
    # What is left is the order in which float32 products are added, which may depend on how many images a batch has. It
    # carries a few features over to the next float16, so all that is made of them moves by less than float16 does.
    moved = rounding(np.float16)
    rows = assign(index.table, config)
    for epoch in (0, 1):
        for name, count in (("", len(rows.train)), ("val_", len(rows.val))):
            loss, accuracy = f"{name}loss", f"{name}accuracy"
            assert received[epoch][loss] == pytest.approx(expected[epoch][loss], rel=moved), (epoch, loss)
            # An image whose logit is within that of 0 may be called either way: one of them.
            assert received[epoch][accuracy] == pytest.approx(expected[epoch][accuracy], abs=1.01 / count), (
                epoch,
                accuracy,
            )
    logits = [val_logits(run, config, index) for run in (stored, whole)]
    np.testing.assert_allclose(*logits, atol=moved * np.abs(logits[1]).max())
    frozen = build_classifier(config)
    frozen.load_weights(whole.weights)
    start = build_classifier(config)
    load_imagenet(start, vgg16_weights)
    for layer in start.layers:
        if isinstance(layer, keras.layers.Conv2D):
            for a, b in zip(frozen.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


class KilledError(Exception):
    """Stands for the end of the process."""


def test_a_vgg16_run_that_is_killed_again_and_again_is_the_uninterrupted_one(
    vgg16_run: RunDirectory, index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after each file that it saves: within the first phase, between the two, at the start and within the second."""
    save = Backup.save
    saved: list[str] = []

    def save_and_die(self: Backup, model: keras.Model, epoch: int) -> None:
        save(self, model, epoch)
        saved.append(f"{self._folder.name} {epoch}")
        if len(saved) < 5:
            raise KilledError

    monkeypatch.setattr(Backup, "save", save_and_die)
    run = ask_for_run(VGG16, index)
    sessions = 0
    while not run.trained.exists():
        sessions += 1
        try:
            train_classifier(run, VGG16, index)
        except KilledError:
            if saved[-1] == "fine-tune 2":
                second_start = state_of(run.backup / "fine-tune" / "epoch-0002.npz", VGG16)
    assert saved == ["backup 1", "backup 2", "fine-tune 2", "fine-tune 3", "fine-tune 4"]
    assert sessions == 5

    received, expected = epochs_of(run), epochs_of(vgg16_run)
    for epoch in range(4):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            assert received[epoch][name] == pytest.approx(expected[epoch][name], rel=1e-6), (epoch, name)
    difference = np.abs(val_logits(run, VGG16, index) - val_logits(vgg16_run, VGG16, index)).max()
    assert difference <= 1e-6
    # The second phase went on from the best weights, which are still the ones that are kept, and not from the last.
    kept = build_classifier(VGG16)
    kept.load_weights(run.weights)
    for variable in kept.trainable_variables:
        np.testing.assert_array_equal(second_start[variable.path], variable.numpy())
    # The features were computed by the first session, and once.
    assert Counter(features_reported(run)) == Counter(features_reported(vgg16_run))
    facts = read_trained(run)
    assert facts["first_epoch_of_last_session"] == 3
    assert facts["resume"].startswith("resumed: ")


def test_a_second_seed_computes_no_features(index: DataIndex) -> None:
    config = replace(HEAD_ONLY, epochs=1, validation=Validation.TEST)
    first, second = (trained(replace(config, seed=seed), index) for seed in (0, 1))
    rows = assign(index.table, config)
    assert Counter(features_reported(first)) == {
        ("view 1 of 2", len(rows.train)): 1,
        ("view 2 of 2", len(rows.train)): 1,
        ("validation", len(rows.val)): 1,
    }
    assert features_reported(second) == []
    assert epochs_of(first)[0]["loss"] != epochs_of(second)[0]["loss"]
    assert len(list((datasets_root() / index.data_id / "features").iterdir())) == 3


@pytest.mark.slow
def test_balancing_arms_train_on_as_many_images_of_each_class(index: DataIndex) -> None:
    config = replace(HEAD_ONLY, augment=AUGMENTATIONS["none"], feature_views=1, learning_rate=1e-4, batch_size=8)
    arms = [balance for balance in Balance if balance is not Balance.GAN]
    runs = {balance: trained(replace(config, balance=balance), index) for balance in arms}
    labels = index.table["label"].to_numpy()[assign(index.table, config).train]
    normal, pneumonia = np.bincount(labels)
    added = {balance: read_trained(run)["images_added"] for balance, run in runs.items()}
    assert added == {
        Balance.NONE: 0,
        Balance.CLASS_WEIGHT: 0,
        Balance.OVERSAMPLE: pneumonia - normal,
        Balance.CLASSICAL: pneumonia - normal,
    }
    for balance, run in runs.items():
        steps = -(-(len(labels) + added[balance]) // 8)
        assert read_status(run).steps == steps
        assert read_trained(run)["images"]["train"] == len(labels)
    # The copies' features are computed, those of the images that are repeated are not.
    assert features_reported(runs[Balance.OVERSAMPLE]) == features_reported(runs[Balance.CLASS_WEIGHT]) == []
    assert features_reported(runs[Balance.CLASSICAL]) == [("view 1 of 1", pneumonia - normal)]

    # Stand-in features tell little, so each model learns how common pneumonia is: most of the images, or half of them.
    means = {
        balance: float(np.mean(1 / (1 + np.exp(-val_logits(run, replace(config, balance=balance), index)))))
        for balance, run in runs.items()
    }
    assert means[Balance.NONE] > 0.65
    for balance in (Balance.CLASS_WEIGHT, Balance.OVERSAMPLE, Balance.CLASSICAL):
        assert 0.4 < means[balance] < 0.6, means


def test_weights_that_are_not_there_end_it_in_one_line(
    index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(tmp_path / "missing.h5"))
    with pytest.raises(ConfigError) as caught:
        trained(HEAD_ONLY, index)
    assert_one_line(caught.value, "PNEUMO_VGG16_WEIGHTS must name a file", "missing.h5")


def test_it_can_be_cancelled_while_it_computes_features(index: DataIndex) -> None:
    run = ask_for_run(HEAD_ONLY, index)
    run.cancel.touch()
    with pytest.raises(CancelledError, match=run.run_id):
        train_classifier(run, HEAD_ONLY, index)
    assert not epochs_of(run)
    run.cancel.unlink()
    train_classifier(run, HEAD_ONLY, index)
    assert list(epochs_of(run)) == [0, 1]


# --- The recipe -------------------------------------------------------------------------------------------------------

BEST = replace(
    preset_config(Architecture.COMPACT, Preset.BEST, epochs=2),
    image_size=32,
    max_images=96,
    val_fraction=0.2,
    batch_size=16,
)


def stress_loss(run: RunDirectory, config: TrainConfig, index: DataIndex) -> float:
    """Loss of the kept weights on the degraded copies, in NumPy and in float64."""
    keras.config.set_dtype_policy("float32")
    model = build_classifier(config)
    model.load_weights(run.weights)
    rows = assign(index.table, config).val
    images = index.pixels(config.image_size)[rows]
    copies = degraded(images, index.table["image_id"].iloc[rows].tolist())
    logits = keras.ops.convert_to_numpy(model(copies[..., None].astype(np.float32)))[:, 0].astype(np.float64)
    labels = np.repeat(index.table["label"].to_numpy()[rows], len(copies) // len(rows))
    return float(np.mean(np.logaddexp(0, np.where(labels == 1, -logits, logits))))


@pytest.fixture(scope="module")
def best_run(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> RunDirectory:
    """A training of `BEST`; never change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(tmp_path_factory.mktemp("best")))
        return trained(BEST, build_index(tiny_data))


def test_the_recipe_keeps_the_averages_that_are_best_on_the_degraded_copies(
    best_run: RunDirectory, index: DataIndex
) -> None:
    history = epochs_of(best_run)
    losses = [event["val_loss"] for event in history.values()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(best_run.path.parent.parent))
        assert stress_loss(best_run, BEST, index) == pytest.approx(min(losses), rel=0.02)
    # Up for half an epoch, then down along a cosine, over all epochs.
    steps = -(-len(assign(index.table, BEST).train) // BEST.batch_size)
    rates = [event["learning_rate"] for event in history.values()]
    warm_up = max(1, steps // 2)
    done = (steps - warm_up) / (2 * steps - warm_up)
    assert rates == pytest.approx([2e-4, 1e-3 * (1 + np.cos(np.pi * done))], rel=1e-4)


def test_the_recipe_is_resumed_as_if_nothing_had_happened(
    best_run: RunDirectory, index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Backup.save

    def save_and_die(self: Backup, model: keras.Model, epoch: int) -> None:
        save(self, model, epoch)
        if epoch == 1:
            raise KilledError

    monkeypatch.setattr(Backup, "save", save_and_die)
    run = ask_for_run(BEST, index)
    with pytest.raises(KilledError):
        train_classifier(run, BEST, index)
    train_classifier(run, BEST, index)
    received, expected = epochs_of(run), epochs_of(best_run)
    for epoch in range(2):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            assert received[epoch][name] == pytest.approx(expected[epoch][name], rel=1e-6), (epoch, name)


def test_the_last_blocks_train_from_the_features_of_those_before(index: DataIndex, vgg16_weights: Path) -> None:
    config = replace(HEAD_ONLY, trained_blocks=2, epochs=1)
    run = trained(config, index)
    rows = assign(index.table, config)
    views = [(f"view {number} of 2", len(rows.train)) for number in (1, 2)]
    assert features_reported(run) == [*views, ("validation", len(rows.val))]
    kept, start = build_classifier(config), build_classifier(config)
    kept.load_weights(run.weights)
    load_imagenet(start, vgg16_weights)
    for a, b in zip(kept.variables, start.variables, strict=True):
        if "_conv" in a.path:
            moved = not np.array_equal(a.numpy(), b.numpy())
            assert moved == a.path.startswith(("block4_", "block5_")), a.path
    assert val_loss(run, config, index) == pytest.approx(epochs_of(run)[0]["val_loss"], rel=0.02)
