"""Deleting a run on Train."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Preset
from pneumo_core.data.index import DataIndex
from pneumo_core.records import RunState
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.status import update_status
from tests.made_runs import made_predictions, made_run
from tests.pages.opening import labels, opened, press, texts
from tests.pages.train.page import BASELINE, failed, finished, working


def test_a_run_is_deleted_after_saying_what_refers_to_it(index: DataIndex) -> None:
    run, other = finished(BASELINE, index), finished(replace(BASELINE, seed=1), index)
    page = press(opened("train", run=run.run_id), "Delete this run…")
    assert run.path.exists()
    assert run.run_id in texts(page)
    assert f"- {other.run_id} is of the same study: seed 1, original" in texts(page)
    primary = [button.label for button in page.button if button.proto.type == "primary"]
    assert "Keep it" in primary
    assert "Delete" not in primary
    press(page, "Keep it")
    assert run.path.exists()
    press(press(page, "Delete this run…"), "Delete")
    assert not run.path.exists()
    assert other.path.exists()
    assert "Deleted: Baseline CNN · quick · original · seed 0" in texts(page)
    assert "run" not in page.query_params
    assert list(page.dataframe[0].value["id"]) == [other.run_id]
    page.run()
    assert "Deleted" not in texts(page)
    assert not page.error


def test_a_run_that_has_started_meanwhile_is_not_deleted(index: DataIndex, alive: ExitStack) -> None:
    run = failed(BASELINE, index, "no luck")
    page = press(opened("train", run=run.run_id), "Delete this run…")
    update_status(run, state=RunState.RUNNING)
    alive.enter_context(hold_lock(run.run_lock))
    press(page, "Delete")
    assert run.path.exists()
    assert "A live run cannot be deleted" in texts(page)


def test_published_and_live_runs_cannot_be_deleted(
    index: DataIndex, no_published: Path, alive: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = working(replace(BASELINE, seed=1), index, alive)
    assert "Delete this run…" not in labels(opened("train", run=live.run_id))
    run = made_run(made_predictions(), preset=Preset.QUICK, data_id=index.data_id)
    run.path.rename(no_published / run.run_id)
    (button,) = [button for button in opened("train", run=run.run_id).button if button.label == "Delete this run…"]
    assert button.disabled
    assert "ships with the project" in button.help
    own = failed(BASELINE, index, "no luck")
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    assert "Delete this run…" not in labels(opened("train", run=own.run_id))
