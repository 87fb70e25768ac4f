"""What a training costs before it starts: time, its range, and disk; `speed` is where the time is from."""

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import median

import pandas as pd
import pytest

from pneumo_core.config.architecture import network_layers
from pneumo_core.config.classifier import Balance, FineTuneConfig, Preparation, Preset, TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.hardware import Hardware, training_hardware
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import array_path
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign
from pneumo_core.jobs.cost import estimate_cost, required_bytes
from pneumo_core.jobs.remaining import EPOCHS_FACTORS
from pneumo_core.jobs.speed import (
    BFLOAT16,
    FASTEST_SHARE,
    FINISH_FACTOR,
    FINISH_FACTOR_BFLOAT16,
    MEASURED_FACTOR,
    SLOWEST_SHARE,
    SLOWEST_SHARE_BFLOAT16,
    TYPICAL,
    Span,
)
from pneumo_core.records import Architecture, Label, Split
from pneumo_core.runs.files import write_json
from pneumo_core.runs.status import append_event, read_events
from pneumo_core.runs.store import finished_runs, read_manifest
from pneumo_core.runs.submission import classifier_config
from tests.conftest import FinishedRun, ask_for_run


@pytest.fixture
def index(tiny_data: Path) -> DataIndex:
    return build_index(tiny_data)


def config(preset: Preset, **changes: object) -> TrainConfig:
    return replace(preset_config(Architecture.BASELINE, preset), **changes)


@pytest.mark.parametrize("preset", list(Preset))
def test_images_are_those_that_will_train(no_published: Path, index: DataIndex, preset: Preset) -> None:
    cost = estimate_cost(config(preset), index)
    trained = len(assign(index.table, config(preset)).train)
    # Whole patients are held out, so the number is known to a few only.
    assert cost.train_images == pytest.approx(trained, rel=0.15)
    assert cost.epochs == config(preset).epochs
    assert not cost.is_measured
    # Four copies of each of 15 % of the images, in place of one, where they choose the epoch.
    copies = 1 + 3 * 0.15 / 0.85 / 3 if preset is Preset.BEST else 1
    assert cost.duration_s == pytest.approx(cost.train_images * cost.epochs / 117 * copies)


@pytest.mark.parametrize(("architecture", "usual"), [(Architecture.BASELINE, 150), (Architecture.COMPACT, 96)])
def test_time_grows_with_the_pixels(
    no_published: Path, index: DataIndex, architecture: Architecture, usual: int
) -> None:
    costs = [
        estimate_cost(preset_config(architecture, Preset.SOUND, image_size=size), index) for size in (usual, 2 * usual)
    ]
    # Pooling rounds down, so a little less or more than four times.
    assert costs[1].duration_s / costs[0].duration_s == pytest.approx(4, rel=0.05)
    assert (costs[1].finish_s - 15) / (costs[0].finish_s - 15) == pytest.approx(4, rel=0.05)
    assert costs[0].duration_s == pytest.approx(
        costs[0].train_images * costs[0].epochs / TYPICAL[architecture, False].epoch
    )


def test_trained_blocks_cost_time_in_each_epoch_and_spare_some_before(no_published: Path, index: DataIndex) -> None:
    def seconds(blocks: int, epochs: int) -> float:
        asked = preset_config(Architecture.VGG16, Preset.SOUND, trained_blocks=blocks, epochs=epochs)
        return estimate_cost(asked, index).duration_s

    of_an_epoch = [seconds(blocks, 2) - seconds(blocks, 1) for blocks in range(6)]
    assert of_an_epoch == sorted(of_an_epoch)
    assert of_an_epoch[1] > 1.2 * of_an_epoch[0]
    of_features = [seconds(blocks, 1) - of_an_epoch[blocks] for blocks in range(6)]
    assert of_features == sorted(of_features, reverse=True)
    assert of_features[5] == pytest.approx(0, abs=1e-6)


def test_a_mirror_image_is_predicted_too(no_published: Path, index: DataIndex) -> None:
    plain, flipped = (
        estimate_cost(config(Preset.SOUND, test_time_flip=is_flipped), index) for is_flipped in (False, True)
    )
    assert flipped.finish_s - 15 == pytest.approx(2 * (plain.finish_s - 15))
    assert flipped.duration_s == plain.duration_s


def test_runs_of_other_sizes_say_nothing_of_the_speed(no_published: Path, index: DataIndex) -> None:
    made(index, 60.0, 20.0, images=2000, seed=1, image_size=64)
    assert not estimate_cost(config(Preset.SOUND), index).is_measured
    assert not estimate_cost(config(Preset.SOUND, image_size=64, choose_on=Split.STRESS), index).is_measured
    assert estimate_cost(config(Preset.SOUND, image_size=64), index).is_measured


def test_the_limit_counts(no_published: Path, index: DataIndex) -> None:
    assert estimate_cost(config(Preset.QUICK, max_images=20), index).train_images == 20
    assert estimate_cost(config(Preset.QUICK, max_images=10_000), index).train_images < 100


def test_measured_where_a_run_finished(with_finished_run: FinishedRun, index: DataIndex) -> None:
    events = [json.loads(line) for line in (with_finished_run.path / "events.jsonl").read_text().splitlines()]
    _, second_s = (event["duration_s"] for event in events if event["kind"] == "epoch")
    trained = json.loads((with_finished_run.path / "trained.json").read_text())["images"]["train"]
    speed = trained / second_s  # The network is compiled in the first epoch.
    cost = estimate_cost(config(Preset.REPORT), index)
    assert cost.is_measured
    assert cost.duration_s == pytest.approx(cost.train_images * cost.epochs / speed)


def made(index: DataIndex, *durations: float, images: int, seed: int, device: str = "", **changes: object) -> None:
    """A run that was trained here, or on another device, with epochs of these durations."""
    run = ask_for_run(config(Preset.SOUND, seed=seed, **changes), index)
    here = training_hardware()
    facts = {"backend": here.backend, "kind": device or here.kind}
    write_json(run.trained, {"images": {"train": images}, "images_added": 0, "device": facts})
    for number, duration_s in enumerate(durations):
        append_event(run, {"kind": "epoch", "epoch": number, "duration_s": duration_s})


def test_the_largest_run_here_says_the_speed(no_published: Path, index: DataIndex) -> None:
    def speed() -> float | None:
        cost = estimate_cost(config(Preset.SOUND), index)
        return cost.train_images * cost.epochs / cost.duration_s if cost.is_measured else None

    made(index, 60.0, images=3000, seed=1)  # A single epoch is mostly compilation.
    assert speed() is None
    made(index, 60.0, 1.0, 1.0, images=10_000, seed=2, device="tpu")
    assert speed() is None
    made(index, 60.0, 20.0, 22.0, 30.0, images=2200, seed=3)
    assert speed() == pytest.approx(2200 / 22)
    made(index, 60.0, 20.0, images=100, seed=4)  # Newer and smaller.
    assert speed() == pytest.approx(2200 / 22)
    made(index, 60.0, 20.0, images=4000, seed=5)
    assert speed() == pytest.approx(200.0)


def test_another_backend_is_another_speed(
    no_published: Path, index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(index, 60.0, 20.0, images=2000, seed=1)
    assert estimate_cost(config(Preset.SOUND), index).is_measured
    monkeypatch.setenv("KERAS_BACKEND", "jax" if training_hardware().backend == "tensorflow" else "tensorflow")
    assert not estimate_cost(config(Preset.SOUND), index).is_measured


def test_a_second_phase_says_nothing_of_the_first(no_published: Path, index: DataIndex) -> None:
    tuned_head = replace(preset_config(Architecture.VGG16, Preset.SOUND), fine_tune=FineTuneConfig(2))
    run = ask_for_run(tuned_head, index)
    here = training_hardware()
    write_json(run.trained, {"images": {"train": 4000}, "device": {"backend": here.backend, "kind": here.kind}})
    for number, (phase, duration_s) in enumerate(((1, 30.0), (1, 5.0), (2, 90.0), (2, 80.0), (2, 80.0))):
        append_event(run, {"kind": "epoch", "epoch": number, "phase": phase, "duration_s": duration_s})
    more, less = (estimate_cost(replace(tuned_head, epochs=epochs), index) for epochs in (12, 2))
    assert more.is_measured
    assert more.duration_s - less.duration_s == pytest.approx(10 * more.train_images / 800)
    assert more.epochs == 14


def test_finishing_takes_every_image_once(index: DataIndex) -> None:
    """Training and test images, and where patients are held out those of `val` with their degraded copies, each at the
    measured time; with the mirror image twice."""

    def predicted_s(architecture: Architecture, preset: Preset, **changes: object) -> float:
        asked = replace(preset_config(architecture, preset), **changes)
        rows = assign(index.table, asked)
        copies = 1 if preset is Preset.QUICK else 4
        images = len(rows.train) + len(rows.test) + (0 if asked.selected_on_test else len(rows.val) * (1 + copies))
        images *= 1 + asked.test_time_flip
        assert estimate_cost(asked, index).finish_s > 10
        return (estimate_cost(asked, index).finish_s - 15) / images

    for preset in Preset:
        assert predicted_s(Architecture.BASELINE, preset) == pytest.approx(0.004, rel=0.1)
        assert predicted_s(Architecture.VGG16, preset, image_size=150) == pytest.approx(0.06, rel=0.1)
        assert predicted_s(Architecture.VGG16, preset, image_size=150, max_images=10) == pytest.approx(0.06, rel=0.3)


@pytest.mark.parametrize("damage", ["events.jsonl", "trained.json", "no device", "no epochs", "zero"])
def test_a_damaged_run_says_nothing_about_speed(with_finished_run: FinishedRun, index: DataIndex, damage: str) -> None:
    if damage == "no epochs":
        (with_finished_run.path / "events.jsonl").write_text("")
    elif damage == "zero":
        (with_finished_run.path / "events.jsonl").write_text('{"kind": "epoch", "epoch": 0, "duration_s": 0}\n')
    elif damage == "no device":
        write_json(with_finished_run.path / "trained.json", {"images": {"train": 60}})
    elif damage == "events.jsonl":
        (with_finished_run.path / damage).write_text('{"kind": "epoch", "epoch": 0, "duration_s": "soon"}\n')
    else:
        (with_finished_run.path / damage).write_text("[")
    assert not estimate_cost(config(Preset.QUICK), index).is_measured


def test_published_runs_were_measured_elsewhere(
    with_finished_run: FinishedRun, no_published: Path, index: DataIndex
) -> None:
    shutil.move(with_finished_run.path, no_published / with_finished_run.run_id)
    assert not estimate_cost(config(Preset.QUICK), index).is_measured


# --- Ranges -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """What a published classifier says of speed."""

    config: TrainConfig
    share: float  # Of the typical speed, by its median epoch.
    epochs_s: tuple[float, ...]
    is_bfloat16: bool
    finish: float  # Time to export and predict, as a multiple of what is expected.


def published() -> list[Published]:
    found = []
    for run in finished_runs():
        # The ranges are of the report's networks: the compact one's published runs are all of one machine.
        if run.architecture not in {Architecture.BASELINE, Architecture.VGG16}:
            continue
        asked, facts = classifier_config(run), read_manifest(run)
        if asked.preset is Preset.BEST:  # Trained two at a time, each held to one core.
            continue
        predicted = pd.read_parquet(run.predictions, columns=["split"])
        finish_s = 15 + {Architecture.BASELINE: 0.004, Architecture.VGG16: 0.06}[asked.architecture] * len(predicted)
        durations = tuple(event["duration_s"] for event in read_events(run) if event["kind"] == "epoch")
        images = facts["images"]["train"] + facts.get("images_added", 0)
        typical = TYPICAL[asked.architecture, asked.feature_views > 0].epoch
        share, is_bfloat16 = images / median(durations[1:]) / typical, facts["device"]["precision"] == BFLOAT16
        found.append(Published(asked, share, durations, is_bfloat16, facts["export_duration_s"] / finish_s))
    return found


def test_the_range_before_anything_was_measured_is_that_of_the_published_runs() -> None:
    slowest, *others = sorted(run.share for run in published())
    assert len(others) == 20
    assert slowest < SLOWEST_SHARE <= others[0] < 1.1 * SLOWEST_SHARE
    assert FASTEST_SHARE / 1.1 < others[-1] <= FASTEST_SHARE


def test_the_range_is_narrower_where_training_is_in_bfloat16_as_in_most_published_runs() -> None:
    shares = [run.share for run in published() if run.is_bfloat16]
    assert len(shares) == 19
    assert SLOWEST_SHARE_BFLOAT16 <= min(shares) < 1.1 * SLOWEST_SHARE_BFLOAT16
    for is_bfloat16, factor in ((True, FINISH_FACTOR_BFLOAT16), (False, FINISH_FACTOR)):
        assert factor / 1.25 < max(run.finish for run in published() if run.is_bfloat16 is is_bfloat16) <= factor


def test_runs_of_one_machine_differ_by_less_than_what_is_told() -> None:
    medians: dict[TrainConfig, list[float]] = defaultdict(list)
    for run in published():
        medians[replace(run.config, seed=0, split_seed=None)].append(median(run.epochs_s[1:]))
    ratios = [max(pair) / min(pair) for same in medians.values() for pair in combinations(same, 2)]
    assert len(ratios) == 18
    assert 1.9 < max(ratios) < MEASURED_FACTOR


def test_what_remained_of_published_runs_is_what_is_told() -> None:
    ratios = [
        sum(run.epochs_s[done:]) / (median(run.epochs_s[max(0, done - 3) : done]) * (len(run.epochs_s) - done))
        for run in published()
        for done in range(1, len(run.epochs_s))
    ]
    assert len(ratios) > 200
    low, high = EPOCHS_FACTORS
    assert 0.95 <= sum(low <= ratio <= high for ratio in ratios) / len(ratios) < 1


def on_cpu(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    """As if trainings here were on a CPU, in this precision."""
    here = Hardware("tensorflow", "cpu", "a CPU", precision)
    monkeypatch.setattr("pneumo_core.jobs.speed.hardware_here", lambda _backend: here)


@pytest.mark.parametrize(("precision", "slowest", "finish"), [("float32", 14, 6.0), (BFLOAT16, 1 / 0.52, 2.5)])
@pytest.mark.parametrize("cores", [1, 2, 16])
def test_before_a_run_the_range_is_wide_and_holds_the_estimate(
    no_published: Path,
    index: DataIndex,
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    precision: str,
    slowest: float,
    finish: float,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    on_cpu(monkeypatch, precision)
    cost = estimate_cost(config(Preset.SOUND), index)
    images = cost.train_images
    # Early stopping waits for five epochs without a better one; more than two cores may be faster.
    assert cost.training.low_s == pytest.approx(images * 6 / (117 * 1.5 * max(1, cores / 2)))
    assert cost.training.high_s == pytest.approx(images * 20 / 117 * slowest)
    assert cost.finish.high_s == pytest.approx(cost.finish_s * finish)
    assert cost.total.low_s < cost.duration_s + cost.finish_s < cost.total.high_s
    assert cost.total == Span(cost.training.low_s + cost.finish.low_s, cost.training.high_s + cost.finish.high_s)


def test_no_published_run_tells_how_fast_a_gpu_is(
    no_published: Path, index: DataIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumo_core.jobs.cost.device_kind", lambda _backend: "gpu")
    assert estimate_cost(config(Preset.SOUND), index).training.low_s == 0.0
    assert estimate_cost(config(Preset.SOUND), index).finish.low_s > 0


@pytest.mark.parametrize("speed", [70.0, 117.0, 900.0])
def test_the_range_is_narrower_once_measured(
    no_published: Path, index: DataIndex, monkeypatch: pytest.MonkeyPatch, speed: float
) -> None:
    on_cpu(monkeypatch, "float32")
    before = estimate_cost(config(Preset.SOUND), index).training
    made(index, 60.0, 2000 / speed, images=2000, seed=1)
    after = estimate_cost(config(Preset.SOUND), index)
    assert after.training.low_s == pytest.approx(after.train_images * 6 / (2 * speed))
    assert after.training.high_s == pytest.approx(after.train_images * 20 / (speed / 2))
    assert after.training.high_s / after.training.low_s < before.high_s / before.low_s / 2


def test_runs_that_differ_here_widen_the_range(no_published: Path, index: DataIndex) -> None:
    for seed, epoch_s in enumerate((20.0, 4.0, 20.0, 100.0, 1.0)):
        made(index, 60.0, epoch_s, images=900 if epoch_s == 1 else 2000 + 500 * (seed == 0), seed=seed)
    cost = estimate_cost(config(Preset.SOUND), index)
    # The smallest, of less than half the images, says nothing.
    assert cost.training.low_s == pytest.approx(cost.train_images * 6 / 500)
    assert cost.training.high_s == pytest.approx(cost.train_images * 20 / 20)


def test_a_machine_that_was_busy_may_be_idle_now(no_published: Path, index: DataIndex) -> None:
    """Told once: 2,125 s, where the run took 49 s, since the only run before it had three images a second."""
    for seed in range(3):
        quick = estimate_cost(config(Preset.QUICK), index)
        if seed:
            assert quick.training.low_s == pytest.approx(quick.train_images * 6 / 117)
            assert quick.training.high_s == pytest.approx(quick.train_images * 6 / 1.5)
        made(index, 60.0, 200.0, images=600, seed=seed)
    # Three runs that agree: such is this machine.
    quick = estimate_cost(config(Preset.QUICK), index)
    assert quick.training.low_s == pytest.approx(quick.train_images * 6 / 6)


# --- Disk -------------------------------------------------------------------------------------------------------------


def test_disk_is_what_a_run_takes_while_it_works(with_finished_run: FinishedRun, index: DataIndex) -> None:
    """From the files of a run that was made: two of each kind of weights file, two backups, one model."""
    folder = with_finished_run.path
    manifest = json.loads((folder / "manifest.json").read_text())
    weights, model = ((folder / name).stat().st_size for name in ("weights.weights.h5", "model.onnx"))
    backup = 4 * (manifest["parameters"] + 2 * manifest["trainable_parameters"])
    others = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) - weights - model
    needed = required_bytes(config(Preset.QUICK), index)
    assert 2 * weights + 2 * backup + model + others < needed < 1.2 * (2 * weights + 2 * backup + model + others)


def test_the_array_cache_counts_where_it_is_missing(with_finished_run: FinishedRun, index: DataIndex) -> None:
    there = required_bytes(config(Preset.QUICK), index)
    array_path(index.data_id, 150).unlink()
    assert required_bytes(config(Preset.QUICK), index) - there == len(index.table) * 150 * 150


def test_padded_images_have_an_array_of_their_own(with_finished_run: FinishedRun, index: DataIndex) -> None:
    squashed, whole = (
        required_bytes(config(Preset.QUICK, preparation=preparation), index) for preparation in Preparation
    )
    assert whole - squashed == len(index.table) * 150 * 150


def test_the_larger_network_takes_more_and_more_when_all_of_it_is_trained(index: DataIndex) -> None:
    frozen = preset_config(Architecture.VGG16, Preset.REPORT)
    sizes = [required_bytes(each, index) for each in (config(Preset.REPORT), frozen, tuned(frozen))]
    assert sizes == sorted(sizes)
    # The published counts: 23,760,705 parameters, of which 9,046,017 are trained.
    assert sizes[1] > 4 * (3 * 23_760_705 + 2 * (23_760_705 + 2 * 9_046_017))
    assert sizes[2] > 4 * 9 * 23_760_705


def tuned(frozen: TrainConfig) -> TrainConfig:
    return replace(frozen, fine_tune=FineTuneConfig(epochs=2))


def test_vgg16_pays_for_features_once_and_for_a_small_head_each_epoch(no_published: Path, index: DataIndex) -> None:
    def seconds(**changes: object) -> float:
        return estimate_cost(replace(preset_config(Architecture.VGG16, Preset.SOUND), **changes), index).duration_s

    assert seconds(epochs=10, feature_views=2) - seconds(epochs=9, feature_views=2) == pytest.approx(
        seconds(epochs=20, feature_views=4) - seconds(epochs=19, feature_views=4)
    )
    assert seconds(epochs=10, feature_views=4) > seconds(epochs=10, feature_views=2)
    assert seconds(epochs=10, feature_views=0) > 3 * seconds(epochs=10, feature_views=2)
    assert seconds(fine_tune=FineTuneConfig(5)) > seconds()


def test_balancing_by_images_costs_images(no_published: Path, index: DataIndex) -> None:
    plain = estimate_cost(config(Preset.SOUND), index)
    counts = [index.counts()[Split.TRAIN, label] for label in Label]
    for arm in (Balance.OVERSAMPLE, Balance.CLASSICAL):
        cost = estimate_cost(config(Preset.SOUND, balance=arm), index)
        assert cost.train_images == pytest.approx(plain.train_images * 2 * max(counts) / sum(counts), abs=1)
    assert estimate_cost(config(Preset.SOUND, balance=Balance.CLASS_WEIGHT), index) == plain


def test_features_take_disk(index: DataIndex) -> None:
    config = preset_config(Architecture.VGG16, Preset.SOUND)
    without = required_bytes(replace(config, feature_views=0), index)
    # 4 x 4 x 512 numbers of two bytes for each image: four views, and once unchanged.
    assert required_bytes(config, index) - without == len(index.table) * 5 * 4 * 4 * 512 * 2


def test_features_before_trained_blocks_are_larger_and_degraded_copies_have_theirs(index: DataIndex) -> None:
    config = preset_config(Architecture.VGG16, Preset.SOUND, feature_views=1)
    frozen, trained = (required_bytes(replace(config, trained_blocks=blocks), index) for blocks in (0, 2))
    # After the third block, of 150 pixels 18 are left, with 256 channels; Adam keeps two moments of what is trained now.
    features = len(index.table) * 2 * (18 * 18 * 256 - 4 * 4 * 512) * 2
    weights = sum(9 * a * b + b for a, b in ((256, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)))
    assert trained - frozen == features + 4 * 2 * 2 * weights
    held_out = len(assign(index.table, config).val)
    copies = required_bytes(replace(config, choose_on=Split.STRESS), index) - frozen
    assert copies / (4 * 4 * 4 * 512 * 2) == pytest.approx(held_out, abs=4)


def test_averaged_weights_are_kept_beside_the_others(index: DataIndex) -> None:
    plain, averaged = (required_bytes(config(Preset.SOUND, averaging=share), index) for share in (0.0, 0.99))
    layers = network_layers(Architecture.BASELINE, 150)
    assert averaged - plain == 4 * 2 * sum(layer.trainable for layer in layers)


def test_added_copies_have_features_of_their_own(index: DataIndex) -> None:
    """Four views of each; a repeated image has those of the image."""
    config = replace(preset_config(Architecture.VGG16, Preset.SOUND), val_fraction=0.2)
    plain, repeated, copied = (
        required_bytes(replace(config, balance=arm), index)
        for arm in (Balance.NONE, Balance.OVERSAMPLE, Balance.CLASSICAL)
    )
    assert repeated == plain
    labels = index.table["label"].to_numpy()[assign(index.table, config).train]
    added = abs(int((labels == 1).sum()) - int((labels == 0).sum()))
    assert (copied - plain) / (4 * 4 * 4 * 512 * 2) == pytest.approx(added, abs=3)


def test_an_ensemble_takes_the_disk_of_its_members_models(index: DataIndex) -> None:
    members = ("baseline-0123456789ab", "compact-0123456789ab")
    ensemble = EnsembleConfig(members, Preset.SOUND, seed=0, val_fraction=0.15, image_size=150)
    one = EnsembleConfig((*members, "compact-123456789abc"), Preset.SOUND, seed=0, val_fraction=0.15, image_size=150)
    parameters = [
        sum(layer.trainable + layer.fixed for layer in network_layers(Architecture(name), 150))
        for name in ("baseline", "compact")
    ]
    assert required_bytes(one, index) - required_bytes(ensemble, index) == 4 * parameters[1]
    assert required_bytes(ensemble, index) > 4 * sum(parameters)
