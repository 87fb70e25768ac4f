"""Map: offered, made by a click, and drawn by what it can be colored by."""

import pytest

from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import connect
from pneumo_core.data.work import is_working, map_name
from pneumo_core.inference.image_map import image_map, stored_map
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.pages.dataset.page import button, page
from tests.pages.opening import texts, whole
from tests.waiting import wait_for


@pytest.fixture
def index(with_finished_run: FinishedRun) -> DataIndex:
    built = build_index(with_finished_run.data)
    connect(built)
    return built


def test_it_is_made_by_a_click(index: DataIndex, with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    at = page("Map", run=run.run_id)
    assert "has not looked at the 120 images yet" in texts(at, "info")
    whole(button(at, "Make the map").click().run())
    wait_for("the map", lambda: stored_map(index, run) is not None)
    wait_for("the end of the process", lambda: not is_working(map_name(index.data_id, run.run_id)))
    whole(at.run())
    assert "120 images. Images that this model finds alike" in texts(at, "caption")


@pytest.mark.parametrize("color", ["split", "class", "subtype", "answer"])
@pytest.mark.parametrize("way", ["t-SNE", "principal components"])
def test_it_is_colored_by_what_is_known(index: DataIndex, with_finished_run: FinishedRun, color: str, way: str) -> None:
    image_map(index, RunDirectory(with_finished_run.path))
    at = page("Map", run=with_finished_run.run_id, color=color, way=way)
    (figure,) = at.get("plotly_chart")
    names = {
        "split": {"train", "val", "test"},
        "class": {"NORMAL", "PNEUMONIA"},
        "subtype": {"NORMAL", "bacteria", "virus"},
        "answer": {"right"},
    }
    for name in names[color]:
        assert f"{name} (" in figure.proto.spec or f"{name} (" in str(figure.proto)


def test_without_a_run_it_says_what_to_do(index: DataIndex, with_finished_run: FinishedRun) -> None:
    at = page("Map", run="baseline-000000000000")
    assert at.warning or at.error or at.info
