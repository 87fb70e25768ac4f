"""A finished ensemble on the pages that show runs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.ensembles import made_ensemble
from tests.pages.opening import opened, texts

pytestmark = pytest.mark.slow

NAME = "Ensemble of 2: 2 × Baseline CNN · quick"


@pytest.fixture
def run(
    tmp_path_factory: pytest.TempPathFactory,
    finished_run: FinishedRun,
    tmp_path: Path,
    no_published: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RunDirectory]:
    """The ensemble, among its members."""
    shutil.copytree(made_ensemble(tmp_path_factory, finished_run), tmp_path / "artifacts")
    monkeypatch.setenv("PNEUMO_DATA", str(finished_run.data))
    (path,) = (tmp_path / "artifacts" / "runs").glob("ensemble-*")
    yield RunDirectory(path)
    shutil.rmtree(tmp_path / "artifacts")


def test_train_has_its_result_and_its_facts(run: RunDirectory) -> None:
    page = opened("train", run=run.run_id)
    assert f"{NAME} · phantoms · {run.run_id[-6:]}" in texts(page)
    assert [metric.label for metric in page.metric] == ["Accuracy", "AUROC"]
    assert list(page.table[0].value.index) == ["device", "precision", "peak memory"]
    assert "Members (2)" in [expander.label for expander in page.expander]


def test_evaluate_shows_it_and_lists_its_members(run: RunDirectory) -> None:
    page = opened("evaluate", run=run.run_id)
    assert "Members (2)" in [expander.label for expander in page.expander]
    assert f"{NAME} · phantoms" in page.selectbox[0].value or NAME in str(page.selectbox[0].options)
    assert "An ensemble trains nothing" in texts(opened("evaluate", run=run.run_id, show="Training"))
    for tab in ("Images", "Take away"):
        opened("evaluate", run=run.run_id, show=tab)


def test_overview_has_it_under_a_heading_of_its_own(run: RunDirectory) -> None:
    page = opened("overview")
    assert "Ensemble" in [heading.value for heading in page.subheader]


def test_compare_takes_it_as_a_side(run: RunDirectory) -> None:
    (member, _) = sorted(run.path.parent.glob("baseline-*"))
    page = opened("compare", a=run.run_id, b=member.name)
    names = page.selectbox(key="side_a").options
    assert f"{NAME} · phantoms · {run.run_id[-6:]}" in names


def test_predict_answers_with_it(run: RunDirectory) -> None:
    page = opened("predict", run=run.run_id)
    assert not page.error
