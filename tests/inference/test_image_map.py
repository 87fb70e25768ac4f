"""The map of a data set: places by principal components against scikit-learn's, stored by model, made in a process."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.work import Progress, is_working, map_name, progress_of
from pneumo_core.errors import DataError
from pneumo_core.inference import image_map as module
from pneumo_core.inference.image_map import image_map, principal_components, stored_map
from pneumo_core.jobs.preparing import start_mapping
from pneumo_core.runs.store import RunDirectory, datasets_root
from tests.conftest import FinishedRun
from tests.waiting import wait_for


@pytest.fixture
def run(with_finished_run: FinishedRun) -> RunDirectory:
    return RunDirectory(with_finished_run.path)


@pytest.fixture
def index(with_finished_run: FinishedRun) -> DataIndex:
    return build_index(with_finished_run.data)


def test_principal_components_by_another_way() -> None:
    features = np.random.default_rng(0).normal(size=(50, 8)) @ np.random.default_rng(1).normal(size=(8, 8))
    ours, theirs = principal_components(features, 3), PCA(3).fit_transform(features)
    assert np.abs(ours) == pytest.approx(np.abs(theirs), abs=1e-9)


@pytest.mark.parametrize("features", [np.zeros((5, 4)), np.ones((1, 3)), np.arange(6.0)[:, None]])
def test_features_that_hardly_vary_have_a_place(features: np.ndarray) -> None:
    placed = principal_components(features, 3)
    assert placed.shape[0] == len(features)
    assert placed.shape[1] >= 2
    assert np.isfinite(placed).all()


def test_every_image_has_a_place_and_the_run_s_logit(index: DataIndex, run: RunDirectory) -> None:
    found = image_map(index, run)
    assert found["image_id"].tolist() == index.table["image_id"].tolist()
    assert np.isfinite(found.drop(columns="image_id").to_numpy()).all()
    predictions = pd.read_parquet(run.predictions).set_index("image_id")["logit"]
    both = found.set_index("image_id")["logit"].reindex(predictions.index).dropna()
    assert len(both) > 20
    assert both.to_numpy() == pytest.approx(predictions.loc[both.index].to_numpy(), abs=1e-3)


def test_it_is_computed_once(index: DataIndex, run: RunDirectory) -> None:
    assert stored_map(index, run) is None
    found = image_map(index, run)
    assert image_map(index, run, lambda _done, _total: pytest.fail("it is stored")).equals(found)
    (path,) = (datasets_root() / index.data_id).glob("map-*.parquet")
    path.write_bytes(b"cut")
    assert stored_map(index, run) is None


def test_of_more_images_some_are_drawn(index: DataIndex, run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 30)
    found = image_map(index, run)
    assert len(found) == found["image_id"].nunique() == 30
    assert found["image_id"].isin(index.table["image_id"]).all()


def test_a_request_to_stop_stores_nothing(index: DataIndex, run: RunDirectory) -> None:
    def stop(_done: int, _total: int) -> None:
        raise DataError("stop")

    with pytest.raises(DataError, match="stop"):
        image_map(index, run, stop)
    assert stored_map(index, run) is None


def test_it_is_made_in_the_background(index: DataIndex, run: RunDirectory, tmp_path: Path) -> None:
    name = map_name(index.data_id, run.run_id)
    start_mapping(index.data_id, run.run_id)
    wait_for("the end of the map", lambda: not is_working(name))
    assert progress_of(name) == Progress("Asking the model", len(index.table), len(index.table))
    assert stored_map(index, run) is not None
