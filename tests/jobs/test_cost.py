import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Balance, FineTuneConfig, Preset, TrainConfig
from pneumo_core.config.hardware import training_hardware
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import array_path
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign
from pneumo_core.jobs.cost import estimate_cost, remaining_s, required_bytes
from pneumo_core.jobs.views import RunView, view
from pneumo_core.records import Architecture, Label, RunState, Split
from pneumo_core.runs.files import write_json
from pneumo_core.runs.status import Status, append_event, read_events, update_status
from pneumo_core.runs.store import RunDirectory, run_directory
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
    assert cost.duration_s == pytest.approx(cost.train_images * cost.epochs / 117)


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


def test_finishing_takes_every_validation_and_test_image(index: DataIndex) -> None:
    """The test images, and where patients are held out, those of `val` besides, each at the measured time."""

    def predicted_s(architecture: Architecture, preset: Preset, **changes: object) -> float:
        asked = replace(preset_config(architecture, preset), **changes)
        rows = assign(index.table, asked)
        images = len(rows.test) + (0 if asked.selected_on_test else len(rows.val))
        assert estimate_cost(asked, index).finish_s > 10
        return (estimate_cost(asked, index).finish_s - 15) / images

    for preset in Preset:
        assert predicted_s(Architecture.BASELINE, preset) == pytest.approx(0.004, rel=0.1)
        assert predicted_s(Architecture.VGG16, preset) == pytest.approx(0.06, rel=0.1)
        assert predicted_s(Architecture.VGG16, preset, max_images=10) == pytest.approx(0.06, rel=0.3)


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


def test_the_larger_network_takes_more_and_more_when_all_of_it_is_trained(index: DataIndex) -> None:
    frozen = preset_config(Architecture.VGG16, Preset.REPORT)
    sizes = [required_bytes(each, index) for each in (config(Preset.REPORT), frozen, tuned(frozen))]
    assert sizes == sorted(sizes)
    # The published counts: 23,760,705 parameters, of which 9,046,017 are trained.
    assert sizes[1] > 4 * (3 * 23_760_705 + 2 * (23_760_705 + 2 * 9_046_017))
    assert sizes[2] > 4 * 9 * 23_760_705


def tuned(frozen: TrainConfig) -> TrainConfig:
    return replace(frozen, fine_tune=FineTuneConfig(epochs=2))


# --- Time left --------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(no_published: Path) -> RunDirectory:
    run = run_directory("baseline-0123456789ab")
    run.path.mkdir(parents=True)
    return run


def going(run: RunDirectory, **said: int) -> RunView:
    status = Status(RunState.RUNNING, ticket=1, **{"epochs": 10, "steps": 100, **said})
    return RunView(run, RunState.RUNNING, config(Preset.QUICK, batch_size=32), status=status)


def epoch(number: int, duration_s: object) -> dict[str, object]:
    return {"kind": "epoch", "epoch": number, "duration_s": duration_s, "time": 1.7e9 - number * 1e6}


def batch(step: int, images_per_s: object) -> dict[str, object]:
    return {"kind": "batch", "epoch": 0, "step": step, "steps": 100, "images_per_s": images_per_s, "time": 0}


def test_nothing_measured_yet(run: RunDirectory) -> None:
    assert remaining_s(going(run)) is None
    append_event(run, {"kind": "features", "done": 3, "total": 9, "images_per_s": 20.0})
    append_event(run, batch(1, 2.5))  # The first batch, in which the network is compiled, says nothing.
    assert remaining_s(going(run, step=1)) is None
    assert remaining_s(RunView(run, RunState.QUEUED, status=Status(RunState.QUEUED, ticket=1))) is None
    assert remaining_s(RunView(run, RunState.INTERRUPTED)) is None


def test_from_batches_until_an_epoch_has_ended_then_from_epochs(run: RunDirectory) -> None:
    for step, speed in ((1, 2.5), (20, 100.0), (40, 320.0), (60, 400.0)):
        append_event(run, batch(step, speed))
    # 100 batches of 32 at 320 images a second: 10 s an epoch, nine and two fifths of them.
    assert remaining_s(going(run, epoch=0, step=60)) == pytest.approx(94.0)
    # The clock was set back by days between these epochs: durations do not know.
    for number, duration in enumerate((500.0, 20.0, 22.0, 30.0)):
        append_event(run, epoch(number, duration))
    # The median of the last three: earlier ones may have been on another machine.
    assert remaining_s(going(run, epoch=4, step=50)) == pytest.approx(5.5 * 22.0)
    assert remaining_s(going(run, epoch=10, step=100)) == 0.0
    assert remaining_s(going(run, epoch=11)) == 0.0


def test_each_phase_goes_at_its_own_speed(run: RunDirectory) -> None:
    """Eight epochs of features and two of the whole network: 3,200 images each, typically 115 a second in the second phase."""
    asked = replace(preset_config(Architecture.VGG16, Preset.SOUND), epochs=8, fine_tune=FineTuneConfig(2))

    def left(number: int, step: int = 0, epochs: int = 10) -> float | None:
        return remaining_s(replace(going(run, epoch=number, step=step, epochs=epochs), config=asked))

    typical_s = 3200 / 115
    assert left(0) is None
    append_event(run, batch(50, 640.0))
    assert left(0, step=50) == pytest.approx(7.5 * 5.0 + 2 * typical_s)
    append_event(run, {**epoch(0, 4.0), "phase": 1})
    assert left(1) == pytest.approx(7 * 4.0 + 2 * typical_s)
    # The first phase stopped early, after one epoch: the second ends with the third.
    assert left(1, epochs=3) == pytest.approx(2 * typical_s)
    append_event(run, {**epoch(1, 40.0), "phase": 2})
    assert left(2, epochs=3) == pytest.approx(40.0)
    assert left(2, step=25, epochs=3) == pytest.approx(30.0)
    assert left(3, epochs=3) == 0.0


@pytest.mark.parametrize("damage", ["soon", None, True, -3.0, 0, float("inf"), float("nan"), [], {}])
def test_damaged_events_are_passed_over(run: RunDirectory, damage: object) -> None:
    append_event(run, epoch(0, damage))
    append_event(run, {"kind": "epoch"})
    append_event(run, batch(5, damage))
    assert remaining_s(going(run)) is None
    append_event(run, epoch(1, 7.0))
    append_event(run, epoch(2, damage))
    assert remaining_s(going(run, epoch=3)) == pytest.approx(49.0)


@pytest.mark.parametrize("state", [RunState.EXPORTING, RunState.TRAINED, RunState.SUCCEEDED])
def test_nothing_is_left_once_the_training_is_over(run: RunDirectory, state: RunState) -> None:
    assert remaining_s(RunView(run, state)) == 0.0


def test_time_left_of_a_run_that_was_made(with_finished_run: FinishedRun) -> None:
    """As it would have been said after its first epoch, from its own events."""
    finished = view(with_finished_run.run_id)
    durations = [event["duration_s"] for event in read_events(finished.run) if event["kind"] == "epoch"]
    assert finished.status is not None
    status = replace(finished.status, state=RunState.RUNNING, epoch=1, step=0)
    left = remaining_s(replace(finished, state=RunState.RUNNING, status=status))
    assert left == pytest.approx(sum(durations) / 2)


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


def test_time_left_while_features_are_computed(index: DataIndex, no_published: Path) -> None:
    asked = replace(preset_config(Architecture.VGG16, Preset.SOUND), epochs=10)
    run = ask_for_run(asked, index)
    update_status(run, epochs=10)
    event = {"kind": "features", "what": "view 2 of 4", "views_left": 2, "done": 100, "total": 500, "images_per_s": 10}
    append_event(run, event)
    # 400 images of this view, two more views, and ten epochs of the head.
    assert remaining_s(view(run.run_id)) == pytest.approx(1400 / 10, rel=0.1)
    append_event(run, {**event, "views_left": 0, "done": 500})
    assert remaining_s(view(run.run_id)) == pytest.approx(5000 / 1000)
    tuned_view = replace(view(run.run_id), config=tuned(asked))
    assert remaining_s(tuned_view) == pytest.approx(5000 / 1000 + 2 * 500 / 115)
    append_event(run, {**event, "images_per_s": 0})
    assert remaining_s(view(run.run_id)) is None
    append_event(run, {"kind": "features"})
    assert remaining_s(view(run.run_id)) is None


def test_features_take_disk(index: DataIndex) -> None:
    config = preset_config(Architecture.VGG16, Preset.SOUND)
    without = required_bytes(replace(config, feature_views=0), index)
    # 4 x 4 x 512 numbers of two bytes for each image: four views, and once unchanged.
    assert required_bytes(config, index) - without == len(index.table) * 5 * 4 * 4 * 512 * 2


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
