import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config import Preset, TrainConfig
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign
from pneumo_core.jobs.cost import estimate_cost
from pneumo_core.presets import preset_config
from pneumo_core.records import Architecture
from tests.conftest import FinishedRun


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
    durations = [event["duration_s"] for event in events if event["kind"] == "epoch"]
    trained = json.loads((with_finished_run.path / "trained.json").read_text())["images"]["train"]
    speed = trained / (sum(durations) / 2)
    cost = estimate_cost(config(Preset.REPORT), index)
    assert cost.is_measured
    assert cost.duration_s == pytest.approx(cost.train_images * cost.epochs / speed)


@pytest.mark.parametrize("damage", ["events.jsonl", "trained.json", "no epochs", "zero"])
def test_a_damaged_run_says_nothing_about_speed(with_finished_run: FinishedRun, index: DataIndex, damage: str) -> None:
    if damage == "no epochs":
        (with_finished_run.path / "events.jsonl").write_text("")
    elif damage == "zero":
        (with_finished_run.path / "events.jsonl").write_text('{"kind": "epoch", "epoch": 0, "duration_s": 0}\n')
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
