"""How much of a run is left while it works, and the range of that."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import FineTuneConfig, Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.jobs.remaining import remaining, remaining_s
from pneumo_core.jobs.speed import Span
from pneumo_core.jobs.views import RunView, view
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.status import Status, append_event, read_events, update_status
from pneumo_core.runs.store import RunDirectory, run_directory
from tests.conftest import FinishedRun, ask_for_run


@pytest.fixture
def index(tiny_data: Path) -> DataIndex:
    return build_index(tiny_data)


def config(preset: Preset, **changes: object) -> TrainConfig:
    return replace(preset_config(Architecture.BASELINE, preset), **changes)


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


def test_the_range_of_what_is_left_narrows_as_the_run_goes(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert remaining(going(run)) is None
    append_event(run, batch(2, 1.5))  # The machine is busy, or the network still being compiled.
    first = remaining(going(run, step=2))
    assert first is not None
    # 3,200 images an epoch; ten of them, or six where it stops early, the fastest at one and a half times the typical speed.
    assert first.high_s == pytest.approx(2 * 9.98 * 3200 / 1.5)
    assert first.low_s == pytest.approx(6 * 3200 / (117 * 1.5))
    append_event(run, {**epoch(0, 20.0), "val_loss": 0.5})
    second = remaining(going(run, epoch=1))
    assert second == Span(pytest.approx(5 * 20.0 * 0.5), pytest.approx(9 * 20.0 * 1.8))
    assert second.high_s / second.low_s < first.high_s / first.low_s
    append_event(run, {**epoch(1, 20.0), "val_loss": 0.4})
    append_event(run, {**epoch(2, 20.0), "val_loss": 0.6})
    # The second epoch is the best so far: five more after it at least, of which one is done.
    assert remaining(going(run, epoch=3)) == Span(pytest.approx(4 * 20.0 * 0.5), pytest.approx(7 * 20.0 * 1.8))
    assert remaining(going(run, epoch=10)) == Span(0.0, 0.0)


def test_the_range_of_two_phases_is_of_both(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("pneumo_core.jobs.remaining.slowest_share", lambda: 1 / 14)
    asked = replace(preset_config(Architecture.VGG16, Preset.SOUND), epochs=8, fine_tune=FineTuneConfig(2))

    def left(number: int, epochs: int = 10) -> Span | None:
        return remaining(replace(going(run, epoch=number, epochs=epochs), config=asked))

    typical_s = 3200 / 115
    append_event(run, {**epoch(0, 4.0), "phase": 1, "val_loss": 0.5})
    high_s = 7 * 4.0 * 1.8 + 2 * typical_s * 14
    assert left(1) == Span(pytest.approx(5 * 4.0 * 0.5 + 2 * typical_s / 1.5), pytest.approx(high_s))
    append_event(run, {**epoch(1, 40.0), "phase": 2, "val_loss": 0.5})
    assert left(2, epochs=3) == Span(pytest.approx(20.0), pytest.approx(72.0))


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


def test_time_left_while_features_are_computed(index: DataIndex, no_published: Path) -> None:
    asked = replace(preset_config(Architecture.VGG16, Preset.SOUND), epochs=10)
    run = ask_for_run(asked, index)
    update_status(run, epochs=10)
    event = {"kind": "features", "what": "view 2 of 4", "views_left": 2, "done": 100, "total": 500, "images_per_s": 10}
    append_event(run, event)
    # 400 images of this view, two more views, and ten epochs of the head.
    assert remaining_s(view(run.run_id)) == pytest.approx(1400 / 10, rel=0.1)
    span = remaining(view(run.run_id))
    assert span is not None
    assert span.high_s == pytest.approx(2 * 1400 / 10, rel=0.1)
    # At most at one and a half times the typical speed, for each pair of cores.
    assert 0 < span.low_s <= 1400 / 140 / 1.5 + 500 * 6 / 1000 / 1.5
    append_event(run, {**event, "views_left": 0, "done": 500})
    assert remaining_s(view(run.run_id)) == pytest.approx(5000 / 1000)
    tuned_view = replace(view(run.run_id), config=replace(asked, fine_tune=FineTuneConfig(2)))
    assert remaining_s(tuned_view) == pytest.approx(5000 / 1000 + 2 * 500 / 115)
    append_event(run, {**event, "images_per_s": 0})
    assert remaining_s(view(run.run_id)) is None
    append_event(run, {"kind": "features"})
    assert remaining_s(view(run.run_id)) is None
