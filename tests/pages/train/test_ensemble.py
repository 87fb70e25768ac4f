"""Making an ensemble on Train: the choice of its members, the reason where they do not fit, and the start."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.train import launch
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.data.index import DataIndex
from pneumo_core.inference.ensemble import ensemble_of
from pneumo_core.jobs.runs import view
from pneumo_core.records import RunState
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import read_submission, trained_config, write_submission
from tests.conftest import ask_for_run
from tests.ensembles import second_run
from tests.made_runs import make_maps_positive, vouch_for
from tests.pages.opening import labels, opened, press, texts, whole
from tests.pages.train.page import bars, failed, working


@pytest.fixture
def pair(trained: RunDirectory) -> list[RunDirectory]:
    """The shared run and one that goes with it."""
    make_maps_positive(trained)
    return [trained, second_run(trained)]


@pytest.fixture
def config(pair: list[RunDirectory]) -> EnsembleConfig:
    return ensemble_of([run.run_id for run in pair])[0]


def chosen(pair: list[RunDirectory]) -> AppTest:
    """The page with both chosen."""
    page = opened("train", show="Ensemble")
    return whole(page.multiselect(key="members").set_value([run.run_id for run in pair]).run())


def test_two_runs_are_needed(trained: RunDirectory) -> None:
    make_maps_positive(trained)
    page = opened("train", show="Ensemble")
    assert "needs two finished classifiers" in texts(page)
    assert not page.multiselect


def test_nothing_is_offered_before_two_are_chosen(pair: list[RunDirectory]) -> None:
    page = opened("train", show="Ensemble")
    assert len(page.multiselect(key="members").options) == 2
    assert "Choose two runs or more." in texts(page)
    assert "Combine them" not in labels(page)


def test_runs_that_do_not_go_together_are_refused_with_the_reason(pair: list[RunDirectory]) -> None:
    other = pair[1]
    config = replace(trained_config(other), split_seed=None, val_fraction=0.3)
    write_submission(other, replace(read_submission(other), config=config))
    vouch_for(other)
    page = chosen(pair)
    assert "members of an ensemble must share their held-out patients" in texts(page, "warning")
    assert "Combine them" not in labels(page)


def test_the_pair_is_combined_and_shown(
    pair: list[RunDirectory], config: EnsembleConfig, monkeypatch: pytest.MonkeyPatch, tiny_data: Path
) -> None:
    started = []

    def submit(config: EnsembleConfig, index: DataIndex, **_: object) -> object:
        started.append(config)
        return view(ask_for_run(config, index).run_id)

    monkeypatch.setattr(launch, "submit", submit)
    page = chosen(pair)
    assert "Ensemble of 2: 2 × Baseline CNN · quick" in texts(page)
    press(page, "Combine them")
    assert started == [config]
    assert page.query_params["run"].startswith("ensemble-")
    assert "Ensemble of 2: 2 × Baseline CNN · quick · phantoms" in texts(page)


def test_progress_is_that_of_any_run(
    pair: list[RunDirectory], config: EnsembleConfig, index: DataIndex, alive: ExitStack
) -> None:
    run = working(config, index, alive, state=RunState.EXPORTING, message="predicting val, 8 of 19 images")
    page = opened("train", run=run.run_id)
    assert bars(page) == [(100, "predicting val, 8 of 19 images")]
    assert "Cancel" in labels(page)
    assert "Curves appear" not in texts(page)


def test_a_failed_one_can_be_resumed(pair: list[RunDirectory], config: EnsembleConfig, index: DataIndex) -> None:
    failed(config, index, "a member is gone")
    page = chosen(pair)
    assert "Resume" in labels(page)
    assert "Combine them" not in labels(page)
