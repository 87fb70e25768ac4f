"""What a DCGAN's training costs: images, time and disk, before it starts and while it goes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import GAN_PRESETS, GanConfig, gan_config
from pneumo_core.config.hardware import training_hardware
from pneumo_core.data.images import array_path, load_array
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import gan_rows
from pneumo_core.errors import ConfigError
from pneumo_core.jobs.cost import GAN_FINISH_S, estimate_cost, required_bytes
from pneumo_core.jobs.remaining import remaining_s
from pneumo_core.jobs.runs import submit
from pneumo_core.jobs.views import RunView, views
from pneumo_core.records import Label, RunState
from pneumo_core.runs.files import write_json
from pneumo_core.runs.status import Status, append_event
from pneumo_core.runs.store import RunDirectory
from tests.conftest import ask_for_run
from tests.hostile import assert_one_line, on_small_disk


@pytest.fixture
def index(tiny_data: Path) -> DataIndex:
    return build_index(tiny_data)


def config(preset: Preset = Preset.SOUND, **changes: object) -> GanConfig:
    return replace(gan_config(preset), **changes)


# --- Time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", GAN_PRESETS)
@pytest.mark.parametrize("label", Label)
def test_images_are_those_that_will_be_learned_from(
    no_published: Path, index: DataIndex, preset: Preset, label: Label
) -> None:
    asked = config(preset, label=label, batch_size=8)
    cost = estimate_cost(asked, index)
    # Whole patients are held out, so the number is known to a few only.
    assert cost.train_images == pytest.approx(len(gan_rows(index.table, asked)), abs=2)
    assert (cost.epochs, cost.finish_s, cost.is_measured) == (asked.epochs, GAN_FINISH_S[preset], False)


def test_the_limit_counts(no_published: Path, index: DataIndex) -> None:
    whole, limited = config(Preset.REPORT), config(Preset.REPORT, max_images=10)
    assert estimate_cost(whole, index).train_images == 21
    assert estimate_cost(limited, index).train_images == 10
    assert estimate_cost(limited, index).duration_s == pytest.approx(estimate_cost(whole, index).duration_s * 10 / 21)


def test_time_grows_with_epochs_size_and_filters(no_published: Path, index: DataIndex) -> None:
    def seconds(**changes: object) -> float:
        return estimate_cost(config(**changes), index).duration_s

    assert seconds(epochs=200) == pytest.approx(2 * seconds(epochs=100))
    # The arithmetic of convolutions grows with the pixels and with the square of the filters; the rest grows less.
    assert 2 * seconds() < seconds(image_size=128) < 4 * seconds()
    assert 2 * seconds() < seconds(filters=2 * config().filters) < 4 * seconds()


def trained(
    index: DataIndex, *durations: float, images: int = 100, device: str = "", **changes: object
) -> RunDirectory:
    """A DCGAN that was trained here, or on another device, with epochs of these durations."""
    run = ask_for_run(config(**changes), index)
    here = training_hardware()
    write_json(
        run.trained, {"images": {"train": images}, "device": {"backend": here.backend, "kind": device or here.kind}}
    )
    for number, duration_s in enumerate(durations):
        append_event(run, {"kind": "batch", "epoch": number, "duration_s": 1e-9})
        append_event(run, {"kind": "epoch", "epoch": number, "duration_s": duration_s})
    return run


def speed(index: DataIndex, **changes: object) -> float | None:
    """Measured images a second."""
    cost = estimate_cost(config(**changes), index)
    return cost.train_images * cost.epochs / cost.duration_s if cost.is_measured else None


def test_a_run_that_was_trained_here_says_the_speed(no_published: Path, index: DataIndex) -> None:
    trained(index, 60.0, 2.0, 4.0, 5.0, seed=1)  # The network is compiled in the first epoch.
    assert speed(index) == pytest.approx(100 / 4)
    # Neither seed nor class make a network faster.
    assert speed(index, seed=5, label=Label.PNEUMONIA, epochs=3) == pytest.approx(100 / 4)


@pytest.mark.parametrize("other", [{"filters": 47}, {"image_size": 128}, {"batch_size": 16}], ids=str)
def test_another_network_s_speed_says_nothing(no_published: Path, index: DataIndex, other: dict[str, int]) -> None:
    trained(index, 60.0, 2.0, seed=1, **other)
    assert speed(index) is None
    assert speed(index, **other) == pytest.approx(50)


def test_an_epoch_of_compilation_or_another_device_says_nothing(no_published: Path, index: DataIndex) -> None:
    trained(index, 60.0, seed=1)
    trained(index, 60.0, 1.0, device="tpu", seed=2)
    assert speed(index) is None


def test_a_run_that_goes_on_or_is_elsewhere_says_nothing(no_published: Path, index: DataIndex) -> None:
    going = trained(index, 60.0, 1.0, seed=1)
    going.trained.unlink()
    published = trained(index, 60.0, 1.0, seed=2)
    write_json(published.manifest, {"files": {}})
    assert speed(index) == pytest.approx(100)
    shutil.move(published.path, no_published / published.run_id)
    assert speed(index) is None


@pytest.mark.parametrize("damage", ["trained.json", "events.jsonl", "config.json"])
@pytest.mark.parametrize("content", ["[", "[]", "{}", "null"])
def test_a_damaged_run_says_nothing(no_published: Path, index: DataIndex, damage: str, content: str) -> None:
    run = trained(index, 60.0, 1.0, seed=1)
    assert speed(index) is not None
    (run.path / damage).write_text(content + "\n")
    assert speed(index) is None


def test_time_left_is_that_of_its_own_epochs(no_published: Path, index: DataIndex) -> None:
    run = ask_for_run(config(epochs=10), index)

    def left(**said: int) -> float | None:
        status = Status(RunState.RUNNING, ticket=1, epochs=10, steps=4, **said)
        return remaining_s(RunView(run, RunState.RUNNING, config(epochs=10), status=status))

    assert left() is None
    append_event(run, {"kind": "batch", "epoch": 0, "step": 2, "images_per_s": 64.0})
    assert left(step=2) == pytest.approx(9.5 * 4 * 32 / 64)
    for number, duration_s in enumerate((50.0, 3.0, 2.0, 1.0)):
        append_event(run, {"kind": "epoch", "epoch": number, "duration_s": duration_s})
    assert left(epoch=4) == pytest.approx(6 * 2.0)
    assert left(epoch=10) == 0.0


# --- Disk -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [config(Preset.QUICK), config(), config(Preset.REPORT), config(image_size=128), config(filters=4)],
    ids=["quick", "sound", "report", "large", "least"],
)
def test_disk_is_enough_for_the_networks_as_they_are_built(index: DataIndex, asked: GanConfig) -> None:
    """Backups of generator, average and discriminator with Adam's two numbers each, two of each file, and the model."""
    from pneumo_core.models.dcgan import build_discriminator, build_generator

    size = {"image_size": asked.image_size, "filters": asked.filters, "seed": 0}
    generator = build_generator(latent_dim=asked.latent_dim, **size).count_params()
    discriminator = build_discriminator(spectral_norm=asked.spectral_norm, **size).count_params()
    load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=asked.image_size)
    needed = 4 * (2 * (4 * generator + 3 * discriminator) + 3 * generator)
    assert needed < required_bytes(asked, index) < 3 * needed + 25_000_000


def test_the_array_cache_counts_where_it_is_missing(index: DataIndex) -> None:
    for size in (64, 128):
        missing = required_bytes(config(image_size=size), index)
        load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=size)
        assert array_path(index.data_id, size).exists()
        assert missing - required_bytes(config(image_size=size), index) == len(index.table) * size * size


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(tiny_data: Path, tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
artifacts, data = Path(sys.argv[1]), Path(sys.argv[2])
os.environ["PNEUMO_ARTIFACTS"] = str(artifacts)
from pneumo_core.config.classifier import Preset
from pneumo_core.data.index import build_index
from pneumo_core.errors import StoreError
from pneumo_core.config.gan import gan_config
from pneumo_core.jobs.runs import submit
from pneumo_core.records import Label
try:
    submit(gan_config(Preset.QUICK, label=Label.PNEUMONIA, filters=24), build_index(data))
except StoreError as error:
    print(error)
print(list((artifacts / "runs").glob("*/config.json")))
"""
    folder = tmp_path / "small"
    folder.mkdir()
    message, left = on_small_disk("30m", code, folder, tiny_data).splitlines()
    assert_one_line(message, str(folder / "runs"), "a run needs ", " MB free")
    assert json.loads(left) == []


def test_weights_that_are_not_there_are_told_before_the_training(
    no_published: Path, index: DataIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are needed last, to measure the samples."""
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(tmp_path / "missing.h5"))
    with pytest.raises(ConfigError) as caught:
        submit(config(label=Label.PNEUMONIA), index)
    assert_one_line(caught.value, f"PNEUMO_VGG16_WEIGHTS must name a file. Received: path='{tmp_path / 'missing.h5'}'")
    assert views() == []
