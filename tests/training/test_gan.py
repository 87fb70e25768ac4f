"""Training a DCGAN in this process: what it leaves, how it resumes, and how it ends where it must."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pneumo_core.config.classifier import Preset, Validation
from pneumo_core.config.gan import COLLAPSE_LIMIT, GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign, gan_rows, require_learnable
from pneumo_core.errors import CancelledError, CorruptError, DataError, TrainingError
from pneumo_core.models.dcgan import build_generator
from pneumo_core.records import Architecture, Label, RunState
from pneumo_core.runs.files import file_sha256
from pneumo_core.runs.status import read_events, read_status, run_state
from pneumo_core.runs.store import RunDirectory, read_trained
from pneumo_core.training import gan
from pneumo_core.training.gan import CollapseWatch, sheet_epochs, train_gan
from pneumo_core.training.gradients import LOSSES, Step
from tests.conftest import ask_for_run
from tests.hostile import assert_one_line
from tests.sheets import split_sheet

SMALL = gan_config(Preset.QUICK, epochs=4, filters=4, latent_dim=8, batch_size=8, max_images=16)
VALUES = {*LOSSES, "spread", "duration_s", "time", "kind", "epoch", "phase"}


@pytest.fixture(scope="module", autouse=True)
def eager() -> Iterator[None]:
    """Steps without a graph: tracing one would take longer than all of them. tests/test_worker_gan.py has the graph."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> RunDirectory:
    """A run of `SMALL` that was trained in one session; never change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(tmp_path_factory.mktemp("whole") / "artifacts"))
        index = build_index(tiny_data)
        run = ask_for_run(SMALL, index)
        train_gan(run, SMALL, index)
    keras.config.set_dtype_policy("float32")
    return run


def weights(path: Path) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def epoch_events(run: RunDirectory) -> list[dict[str, Any]]:
    return [event for event in read_events(run) if event["kind"] == "epoch"]


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[Any], Any]) -> None:
    """Let `act` have what the step of a number (from 0) returns, and return another."""
    made, count = gan.make_step, iter(range(10**6))

    def make_step(*arguments: Any) -> Step:
        step = made(*arguments)

        def run(*given: Any) -> Any:
            losses = step.run(*given)
            return act(losses) if next(count) == number else losses

        return Step(run, step.write_back)

    monkeypatch.setattr(gan, "make_step", make_step)


# --- When sheets are kept ---------------------------------------------------------------------------------------------


@given(st.integers(1, 5000))
def test_sheets_are_of_the_first_epoch_the_last_and_some_between(epochs: int) -> None:
    kept = sorted(sheet_epochs(epochs))
    assert kept[0] == 1
    assert kept[-1] == epochs
    assert len(kept) <= 25
    assert len(kept) >= min(epochs, 12)
    # Closer together at the start, but for rounding up to whole epochs.
    gaps = np.diff(kept)
    assert (np.diff(gaps) >= -1).all()


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_few_epochs_have_their_sheets(epochs: int) -> None:
    assert sheet_epochs(epochs) == set(range(1, epochs + 1))


@pytest.mark.parametrize("epochs", [200, 300, 1000])
def test_many_epochs_have_about_24(epochs: int) -> None:
    assert 22 <= len(sheet_epochs(epochs)) <= 25


# --- Collapse ---------------------------------------------------------------------------------------------------------


def test_the_limit_that_pages_draw_is_the_one_that_ends_a_run() -> None:
    assert CollapseWatch().limit == COLLAPSE_LIMIT


def seen(watch: CollapseWatch, spreads: list[float], first_step: int = 1) -> int:
    """How many of the spreads a watch takes before it ends the training."""
    for number, spread in enumerate(spreads):
        try:
            watch.see(spread, first_step + number)
        except TrainingError:
            return number + 1
    return 10**6


def test_collapse_ends_the_training_after_exactly_so_many_epochs() -> None:
    assert seen(CollapseWatch(), [0.5, *[0.0] * 9]) == 1 + CollapseWatch().epochs
    assert seen(CollapseWatch(epochs=3), [0.5, 0.4, *[0.05] * 9]) == 2 + 3


def test_samples_that_are_alike_at_the_start_are_no_collapse() -> None:
    """An untrained generator's samples are all gray."""
    assert seen(CollapseWatch(), [0.001] * 50 + [0.4] * 5) == 10**6


def test_samples_that_never_come_alive_are() -> None:
    watch = CollapseWatch(patience_steps=100)
    assert seen(watch, [0.05] * 200) == 99 + watch.epochs  # The 100th step is the 100th of these.


def test_equal_samples_are_found_long_before() -> None:
    watch = CollapseWatch(equal_steps=20)
    assert seen(watch, [0.0] * 200) == 19 + watch.epochs
    assert seen(CollapseWatch(equal_steps=20), [0.01] * 200) == 10**6


def test_a_recovery_starts_the_count_again() -> None:
    nearly = [0.01] * (CollapseWatch().epochs - 1)
    assert seen(CollapseWatch(), [0.5, *nearly, 0.1, *nearly, 0.11, *nearly]) == 10**6
    assert seen(CollapseWatch(), [0.5, *nearly, 0.2, *nearly, 0.0]) == 1 + 2 * len(nearly) + 2


def test_what_is_said_of_a_collapse() -> None:
    watch = CollapseWatch(epochs=1)
    watch.see(0.5, 1)
    with pytest.raises(TrainingError, match=r"Received: 0\.010 of the real images' spread after 1 epochs") as caught:
        watch.see(0.01, 2)
    assert_one_line(caught.value)


def test_equal_samples_end_a_run(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def samples(_networks: Any, latents: NDArray[np.float32]) -> NDArray[np.uint8]:
        drawn.append(len(latents))
        image = np.random.default_rng(0).integers(0, 256, (1, 64, 64), dtype=np.uint8)
        return np.repeat(image, len(latents), axis=0)

    monkeypatch.setattr(gan, "_samples", samples)
    monkeypatch.setattr(gan, "CollapseWatch", lambda: CollapseWatch(epochs=2, patience_steps=2))
    run = ask_for_run(SMALL, index)
    with pytest.raises(TrainingError, match=r"samples must differ from each other\. Received: 0\.000 of") as caught:
        train_gan(run, SMALL, index)
    assert_one_line(caught.value)
    assert drawn == [gan.SHEET_COUNT] * 2
    assert not run.trained.exists()
    assert not run.weights.exists()


# --- What a training leaves -------------------------------------------------------------------------------------------


def test_files_are_there_and_vouched_for(whole: RunDirectory) -> None:
    names = {path.name for path in whole.path.iterdir()}
    sheets = {f"sheet-{epoch:05d}.png" for epoch in range(1, 5)}
    assert names == sheets | {
        *("config.json", "status.json", "events.jsonl", "tensorboard", "backup", "learned.parquet"),
        *("weights.weights.h5", "trained.json"),
    }
    assert run_state(whole) is RunState.TRAINED
    facts = read_trained(whole)
    assert facts["weights_sha256"] == file_sha256(whole.weights)
    assert facts["images"] == {"train": 16}
    assert facts["first_epoch_of_last_session"] == 0
    assert facts["training_duration_s"] > 0
    generator = build_generator(image_size=64, latent_dim=8, filters=4, seed=0)
    assert facts["parameters"] == generator.count_params() > facts["trainable_parameters"] > 0
    assert facts["discriminator_parameters"] > facts["trainable_parameters"] / 2
    status = read_status(whole)
    assert (status.epoch, status.epochs, status.state) == (4, 4, RunState.RUNNING)


def test_each_epoch_tells_every_value_once(whole: RunDirectory) -> None:
    epochs = epoch_events(whole)
    assert [event["epoch"] for event in epochs] == [0, 1, 2, 3]
    for event in epochs:
        assert set(event) == VALUES
        assert 0 < event["score_real"] < 1
        assert 0 < event["score_generated"] < 1
        assert event["loss_generator"] > 0
        assert event["loss_discriminator"] > 0
        assert event["spread"] >= 0
    batches = [event for event in read_events(whole) if event["kind"] == "batch"]
    assert [(event["epoch"], event["step"]) for event in batches if event["step"] == 1] == [(e, 1) for e in range(4)]
    assert all(event["steps"] == 2 and set(LOSSES) < set(event) for event in batches)


def test_it_has_learned_from_training_images_of_the_class_alone(whole: RunDirectory, index: DataIndex) -> None:
    learned = pd.read_parquet(whole.learned)
    assert list(learned.columns) == ["image_id", "patient_id", "sha256"]
    assert len(learned) == learned["image_id"].nunique() == 16
    # Folders and file contents, not our own table.
    assert learned["image_id"].str.startswith("train/NORMAL/").all()
    for _, row in learned.iterrows():
        assert file_sha256(index.root / row["image_id"]) == row["sha256"]
    # The patients that a classifier of the same seed and fraction holds out.
    held_out = replace(preset_config(Architecture.BASELINE, Preset.SOUND), val_fraction=SMALL.val_fraction)
    rows = assign(index.table, held_out)
    patients = index.table["patient_id"]
    others = set(patients.iloc[np.concatenate([rows.val, rows.test])])
    assert not others & set(learned["patient_id"])
    assert set(learned["image_id"]) <= set(index.table["image_id"].iloc[rows.train])


def test_sheets_are_of_the_same_latents_and_say_what_they_are(whole: RunDirectory) -> None:
    sheets = []
    for epoch in range(1, 5):
        with Image.open(whole.sheet(epoch)) as picture:
            assert picture.size == (8 * 64, 8 * 64)
            assert picture.mode == "L"
            assert picture.text["Synthetic"] == "yes"
            assert (picture.text["Run"], picture.text["Epoch"]) == (whole.run_id, str(epoch))
            sheets.append(split_sheet(np.asarray(picture)).astype(float))
    # The last sheet is what the kept weights make of the latents, which are those of no epoch's training.
    generator = build_generator(image_size=64, latent_dim=8, filters=4, seed=0)
    generator.load_weights(whole.weights)
    latents = np.random.default_rng([0, 0, 2]).standard_normal((64, 8), dtype=np.float32)
    pixels = keras.ops.convert_to_numpy(generator(latents, training=False))[..., 0]
    assert np.abs(pixels - sheets[-1]).max() < 4  # The training may have been in bfloat16.
    assert len({sheet.tobytes() for sheet in sheets}) == 4


def test_tensorboard_has_the_epochs(whole: RunDirectory) -> None:
    content = b"".join(path.read_bytes() for path in whole.tensorboard.iterdir())
    for name in (*LOSSES, "spread"):
        assert content.count(name.encode()) == 4


def test_another_seed_trains_another_network_and_no_epoch_but_the_last_is_backed_up(
    whole: RunDirectory, index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real backup is 90 MB, and epochs may be seconds. The same seed: `test_a_truncated_backup_says_what_to_do`."""
    saved: list[int] = []
    monkeypatch.setattr(gan, "save_backup", lambda _folder, epoch, *_: saved.append(epoch))
    config = replace(SMALL, seed=1)
    run = ask_for_run(config, index)
    train_gan(run, config, index)
    assert saved == [SMALL.epochs]
    first, second = weights(whole.weights), weights(run.weights)
    assert {name: array.shape for name, array in first.items()} == {n: a.shape for n, a in second.items()}
    assert not any(np.array_equal(array, second[name]) for name, array in first.items() if array.ndim > 1)


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, epochs=1, label=Label.PNEUMONIA, batch_size=16, max_images=None),
        replace(SMALL, epochs=1, validation=Validation.TEST, ema_decay=0.0, diff_augment=False, max_images=None),
        replace(SMALL, epochs=1, image_size=128, spectral_norm=True, max_images=16),
    ],
    ids=["pneumonia", "report", "128"],
)
def test_other_settings_train_too(index: DataIndex, config: GanConfig) -> None:
    run = ask_for_run(config, index)
    train_gan(run, config, index)
    learned = pd.read_parquet(run.learned)
    assert learned["image_id"].str.startswith(f"train/{config.label.name}/").all()
    assert learned["image_id"].tolist() == index.table["image_id"].iloc[gan_rows(index.table, config)].tolist()
    if config.validation is Validation.TEST:
        assert len(learned) == len(list((index.root / "train" / "NORMAL").iterdir()))
    with Image.open(run.sheet(1)) as picture:
        assert picture.size == (8 * config.image_size, 8 * config.image_size)
    (epoch,) = epoch_events(run)
    assert np.isfinite([epoch[name] for name in LOSSES]).all()
    generator = build_generator(image_size=config.image_size, latent_dim=8, filters=4, seed=0)
    generator.load_weights(run.weights)
    assert all(np.isfinite(array).all() for array in generator.get_weights())


# --- Stopping and going on --------------------------------------------------------------------------------------------


class KilledError(Exception):
    """What stands for a kill."""


@pytest.mark.parametrize("killed_at", [3, 5])  # In the second half of an epoch, and of the next.
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    whole: RunDirectory, index: DataIndex, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    def kill(_losses: Any) -> Any:
        raise KilledError

    run = ask_for_run(SMALL, index)
    monkeypatch.setattr(gan, "_BACKUP_INTERVAL_S", 0.0)
    with monkeypatch.context() as patch:
        at_step(patch, killed_at, kill)
        with pytest.raises(KilledError):
            train_gan(run, SMALL, index)
    assert not run.trained.exists()
    assert [path.name for path in run.backup.iterdir()] == [f"epoch-{killed_at // 2:04d}.npz"]

    train_gan(run, SMALL, index)
    assert read_trained(run)["first_epoch_of_last_session"] == killed_at // 2
    assert_the_same(run, whole)


def assert_the_same(run: RunDirectory, whole: RunDirectory) -> None:
    """Weights, sheets and reported values to the last bit."""
    expected, received = weights(whole.weights), weights(run.weights)
    assert expected.keys() == received.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(received[name], array)
    for epoch in range(1, SMALL.epochs + 1):
        with Image.open(run.sheet(epoch)) as mine, Image.open(whole.sheet(epoch)) as other:
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))
    for mine, other in zip(epoch_events(run), epoch_events(whole), strict=True):
        for name in (*LOSSES, "spread", "epoch"):
            assert mine[name] == other[name]


def test_a_kill_after_the_last_epoch_repeats_no_step(
    whole: RunDirectory, index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask_for_run(SMALL, index)
    shutil.copytree(whole.path, run.path, dirs_exist_ok=True)
    run.trained.unlink()
    run.weights.unlink()
    at_step(monkeypatch, 0, lambda _losses: pytest.fail("a step was made"))
    train_gan(run, SMALL, index)
    assert read_trained(run)["first_epoch_of_last_session"] == SMALL.epochs
    assert_the_same(run, whole)


def test_a_collapse_counts_on_after_an_interruption(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run that is stopped often would never be found out."""
    monkeypatch.setattr(gan, "_BACKUP_INTERVAL_S", 0.0)
    monkeypatch.setattr(gan, "CollapseWatch", lambda: CollapseWatch(epochs=3, patience_steps=1))
    monkeypatch.setattr(gan, "_samples", lambda _networks, latents: np.zeros((len(latents), 64, 64), np.uint8))
    run = ask_for_run(SMALL, index)
    with monkeypatch.context() as patch:
        at_step(patch, 3, lambda losses: (run.cancel.touch(), losses)[1])
        with pytest.raises(CancelledError):
            train_gan(run, SMALL, index)
    run.cancel.unlink()
    with pytest.raises(TrainingError, match="after 3 epochs of collapse"):
        train_gan(run, SMALL, index)
    assert [event["epoch"] for event in epoch_events(run)] == [0, 1, 2]  # And not again from the first.


def test_a_request_to_stop_is_met_within_a_step(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ask_for_run(SMALL, index)
    at_step(monkeypatch, 2, lambda losses: (run.cancel.touch(), losses)[1])
    with pytest.raises(CancelledError, match=run.run_id):
        train_gan(run, SMALL, index)
    assert {event["epoch"] for event in read_events(run)} == {0}  # Not even the step that had begun is reported.
    assert not run.trained.exists()


def test_a_truncated_backup_says_what_to_do(whole: RunDirectory, index: DataIndex) -> None:
    run = ask_for_run(SMALL, index)
    (backup,) = whole.backup.iterdir()
    run.backup.mkdir()
    copy = run.backup / backup.name
    copy.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
    with pytest.raises(CorruptError, match=r"delete that file and resume the run") as caught:
        train_gan(run, SMALL, index)
    assert str(copy) in str(caught.value)
    assert_one_line(caught.value)
    copy.unlink()
    train_gan(run, SMALL, index)
    assert_the_same(run, whole)


def test_another_network_s_backup_is_refused(whole: RunDirectory, index: DataIndex) -> None:
    config = replace(SMALL, filters=5)
    run = ask_for_run(config, index)
    shutil.copytree(whole.backup, run.backup)
    with pytest.raises(CorruptError, match="other shapes than the model's"):
        train_gan(run, config, index)


# --- Trouble ----------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_ends_the_training(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is no number for one step alone, which is not reported."""
    run = ask_for_run(SMALL, index)
    at_step(monkeypatch, 3, lambda losses: (float("nan"), *losses[1:]))
    with pytest.raises(TrainingError, match=r"the losses must stay finite\. Received: .*nan.*another seed") as caught:
        train_gan(run, SMALL, index)
    assert_one_line(caught.value)
    assert [event["epoch"] for event in epoch_events(run)] == [0]
    assert not run.trained.exists()
    assert not list(run.backup.glob("*"))  # Nothing is saved that a resume would begin with.
    json.loads(run.events.read_text().splitlines()[-1], parse_constant=pytest.fail)


def test_fewer_images_than_a_batch(index: DataIndex) -> None:
    config = replace(SMALL, batch_size=64)
    run = ask_for_run(config, index)
    with pytest.raises(DataError, match=r"Received: 1[0-9] training images of NORMAL, batch_size=64"):
        train_gan(run, config, index)
    with pytest.raises(DataError, match=r"Received: about 1[0-9] training images of NORMAL in .*, batch_size=64"):
        require_learnable(index, config)


def test_a_class_that_is_missing(tiny_data: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data, tmp_path / "one", ignore=shutil.ignore_patterns("NORMAL"))
    index = build_index(tmp_path / "one")
    with pytest.raises(DataError, match="Received: about 0 training images of NORMAL") as caught:
        require_learnable(index, SMALL)
    assert_one_line(caught.value)
    with pytest.raises(DataError, match="Received: "):
        train_gan(ask_for_run(SMALL, index), SMALL, index)
    report = replace(SMALL, validation=Validation.TEST)
    with pytest.raises(DataError, match="Received: 0 training images of NORMAL, batch_size=8"):
        train_gan(ask_for_run(report, index), report, index)


def test_real_images_that_are_all_alike(tmp_path: Path) -> None:
    """Nothing can be learned from them, and their spread divides the samples'."""
    for split in ("train", "val", "test"):
        for label in Label:
            for number in range(12):
                path = tmp_path / "alike" / split / label.name / f"IM-{number:04d}-0001.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                # Of other bytes, or they would be one patient's.
                about = PngInfo()
                about.add_text("about", f"{split} {label.name} {number}")
                Image.new("L", (64, 48), 90).save(path, pnginfo=about)
    config = replace(SMALL, validation=Validation.TEST)
    index = build_index(tmp_path / "alike")
    run = ask_for_run(config, index)
    with pytest.raises(DataError, match="images must differ from each other") as caught:
        train_gan(run, config, index)
    assert_one_line(caught.value)
