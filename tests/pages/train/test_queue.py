"""Runs that work and wait: the card on top, the queue, the foot of the sidebar."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Balance
from pneumo_core.data.index import DataIndex
from pneumo_core.records import RunState
from pneumo_core.runs.files import hold_lock, write_json
from pneumo_core.runs.status import update_status
from tests.conftest import ask_for_run
from tests.made_runs import made_predictions, made_run
from tests.pages.opening import labels, opened, press, texts
from tests.pages.train.page import BASELINE, VGG16, add_epoch, bars, working


@pytest.mark.parametrize("show", ["New run", "Runs", "The network"])
def test_the_run_that_works_is_on_top_of_each_view(index: DataIndex, alive: ExitStack, show: str) -> None:
    runs = [working(replace(BASELINE, seed=seed), index, alive) for seed in range(4)]
    update_status(runs[0], state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    add_epoch(runs[0], 0)
    page = opened("train", show=show)
    (card,) = [text.value for text in page.markdown if text.value.startswith("### ")]
    assert "seed 0" in card
    assert "badge[running]" in card
    # Before the tabs: progress with the time left, curves, and a button to cancel.
    assert bars(page)[0] == (16, "training: epoch 2 of 6 · 4 to 15 min of training left")
    assert len(page.get("plotly_chart")) >= 1
    assert page.get("expander")[0].label == "3 runs wait"
    page.button(key=f"cancel {runs[0].run_id}").click().run()
    assert [run.cancel.exists() for run in runs] == [True, False, False, False]


def test_the_queue_is_in_order_and_one_click_cancels_one(index: DataIndex, alive: ExitStack) -> None:
    runs = [working(replace(BASELINE, seed=seed), index, alive) for seed in range(4)]
    update_status(runs[0], state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    page = opened("train", show="Runs")
    rows = [text.value for text in page.markdown if text.value.startswith("**")]
    assert [f"seed {seed}" in row for seed, row in enumerate(rows, start=1)] == [True] * 3
    assert [row.partition("  \n")[2] for row in rows] == ["waits: next", "waits: place 2", "waits: place 3"]
    table = page.dataframe[0].value.set_index("id")
    assert [table["state"][run.run_id] for run in runs] == [
        "running",
        "queued, place 1",
        "queued, place 2",
        "queued, place 3",
    ]
    assert set(table["run"]) == {"Baseline CNN · quick · original"}
    page.button(key=f"cancel waiting {runs[2].run_id}").click().run()
    assert not page.exception
    assert [run.cancel.exists() for run in runs] == [False, False, True, False]
    assert f"cancelling waiting {runs[2].run_id}" in [button.key for button in page.button]
    press(page, "Cancel all 2 that wait")
    assert [run.cancel.exists() for run in runs] == [False, True, True, True]


def test_one_click_cancels_both_runs_of_a_pair_and_no_other(index: DataIndex, alive: ExitStack) -> None:
    original, balanced = (
        working(replace(BASELINE, balance=balance), index, alive) for balance in (Balance.NONE, Balance.CLASS_WEIGHT)
    )
    other = working(replace(VGG16, seed=1), index, alive)
    update_status(original, state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    press(opened("train"), "Cancel both")
    assert [run.cancel.exists() for run in (original, balanced, other)] == [True, True, False]


def test_one_click_cancels_a_study_and_leaves_out_what_is_cancelled(index: DataIndex, alive: ExitStack) -> None:
    runs = [working(replace(BASELINE, seed=seed), index, alive) for seed in range(4)]
    update_status(runs[0], state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    runs[3].cancel.touch()
    page = press(opened("train"), "Cancel all 3 of this study")
    assert [run.cancel.exists() for run in runs] == [True] * 4
    assert "Cancel both" not in labels(page)


def test_a_run_that_waits_behind_others_can_be_opened(index: DataIndex, alive: ExitStack) -> None:
    second = [working(replace(BASELINE, seed=seed), index, alive) for seed in (0, 1)][1]
    page = opened("train", run=second.run_id)
    assert "Next in the queue" in texts(page)  # The first, on top.
    assert "Place 2 in the queue" in texts(page)
    assert "Delete this run…" not in labels(page)


def test_a_run_that_ended_before_the_click_spares_none_of_the_others(index: DataIndex, alive: ExitStack) -> None:
    ended = ask_for_run(replace(BASELINE, seed=0), index)
    others = [working(replace(BASELINE, seed=seed), index, alive) for seed in (1, 2)]
    with hold_lock(ended.run_lock):
        page = opened("train", show="Runs")
    # The state changes between the page's look and its action in the same way as between two visitors.
    write_json(ended.manifest, {"run_id": ended.run_id, "files": {}})
    press(page, "Cancel all 3 that wait")
    assert [run.cancel.exists() for run in others] == [True, True]
    assert not ended.cancel.exists()


def test_the_only_run_that_works_has_no_queue_but_its_own_panel(index: DataIndex, alive: ExitStack) -> None:
    run = working(BASELINE, index, alive)
    page = opened("train", run=run.run_id)
    assert [heading.value for heading in page.header] == ["All runs"]
    assert "Next in the queue" in texts(page)
    press(page, "Cancel")
    assert run.cancel.exists()
    assert "Cancelling…" in labels(page)


def test_every_page_has_the_run_that_works_in_its_foot(index: DataIndex, alive: ExitStack) -> None:
    run = working(VGG16, index, alive, state=RunState.RUNNING, epoch=1, epochs=6, steps=9, message="training")
    page = opened("overview")
    (bar,) = page.sidebar.get("progress")
    assert "training: epoch 2 of 6" in bar.proto.text.replace("\\", "")
    (link,) = page.sidebar.get("page_link")
    assert link.proto.query_string == f"run={run.run_id}"
    update_status(run, state=RunState.FAILED, error="it stopped")
    alive.close()
    page.run()
    assert not page.sidebar.get("progress")


def test_the_table_names_runs_and_has_no_column_that_says_nothing(index: DataIndex, no_published: Path) -> None:
    own = ask_for_run(BASELINE, index)
    table = opened("train", show="Runs").dataframe[0].value
    assert list(table.columns) == ["run", "seed", "state", "submitted", "id"]
    published = made_run(made_predictions(), seed=3)
    published.path.rename(no_published / published.run_id)
    table = opened("train", show="Runs").dataframe[0].value.set_index("id")
    assert list(table.columns) == ["run", "seed", "state", "data", "submitted"]
    assert list(table["data"]) == ["phantoms", "X-rays"]
    assert list(table["state"]) == ["interrupted", "published"]
    own.config.write_text("{")
    assert "problem" in opened("train", show="Runs").dataframe[0].value
