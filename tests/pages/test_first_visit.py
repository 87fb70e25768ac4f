"""With nothing connected and nothing drawn, each page shows something of its own at once, and only some wait for phantoms."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.data.preparation import PREPARATION
from pneumo_core.data.work import is_working, work_file
from pneumo_core.jobs.preparing import start_preparing
from pneumo_core.runs.store import datasets_root
from tests.conftest import PHANTOMS
from tests.pages.opening import opened
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
WAITING = {"dataset", "augmentation", "train"}
"""Pages that are about images of the data set as they are opened; the others need none, or only in another tab."""


def sound(name: str, **query: str) -> AppTest:
    page = opened(name, **query)
    assert not page.error
    return page


def content(page: AppTest) -> list[str]:
    """Tables, charts and pictures of a page, by their kind."""
    kinds = ("dataframe", "table", "plotly_chart", "image")
    return [kind for kind in kinds for _ in page.get(kind)]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A preparation that begins and stays where it is: how often it was asked for."""
    calls: list[int] = []
    monkeypatch.setattr("pages.ui.state.start_preparing", lambda: calls.append(1))
    monkeypatch.setattr("pages.ui.state.is_working", lambda _name: True)
    return calls


@pytest.mark.parametrize("name", PAGES)
def test_each_page_shows_something_at_once(name: str, started: list[int]) -> None:
    page = sound(name)
    assert content(page)
    assert len(started) == (name in WAITING)
    assert len(page.main.get("progress")) == (name in WAITING)
    # What is waited for is said, and nothing was drawn in this process.
    assert not (datasets_root() / "phantom").exists()


@pytest.mark.parametrize(
    ("name", "query"),
    [("predict", {"source": "Sample from the data set"}), ("gan", {"show": "Train"}), ("dataset", {"view": "Images"})],
)
def test_tabs_that_need_images_wait_for_them(name: str, query: dict[str, str], started: list[int]) -> None:
    page = sound(name, **query)
    assert len(started) == len(page.main.get("progress")) == 1


@pytest.mark.parametrize("show", ["Copies", "Real or generated"])
def test_no_phantom_is_drawn_for_a_dcgan_of_x_rays(show: str, started: list[int]) -> None:
    page = sound("gan", show=show)
    assert any("trained on X-rays" in info.value for info in page.info)
    assert started == []


def test_data_can_be_connected_without_waiting() -> None:
    page = sound("dataset", view="Connect data")
    assert "Use the phantoms" in [button.label for button in page.button]


@pytest.mark.slow
def test_phantoms_are_prepared_apart_and_then_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ui.state.start_preparing", start_preparing)
    page = sound("dataset")
    assert is_working(PREPARATION)
    (bar,) = page.main.get("progress")
    assert bar.proto.text
    wait_for("the phantoms", lambda: not is_working(PREPARATION))
    page.run()
    assert not page.main.get("progress")
    assert page.metric[0].value == "600"
    # Six samples, the open one with its heat map, the map's color bar, and the probability's.
    assert len(sound("predict", source="Sample from the data set").get("image")) == 9


@pytest.mark.usefixtures("drawn_phantoms")
def test_phantoms_that_are_there_are_shown_at_once() -> None:
    assert sound("dataset").metric[0].value == str(PHANTOMS)


def test_a_preparation_that_fails_says_why_and_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    def fail() -> None:
        started.append(1)
        work_file(PREPARATION, ".json").parent.mkdir(parents=True, exist_ok=True)
        work_file(PREPARATION, ".json").write_text('{"stage": "Failed", "error": "the disk is full"}')

    monkeypatch.setattr("pages.ui.state.start_preparing", fail)
    page = opened("dataset")
    assert [error.value for error in page.error] == ["The disk is full"]
    assert content(page)
    assert len(started) == 1, "a failure is not tried again before somebody asks for it"
    (again,) = [button for button in page.button if button.label == "Try again"]
    again.click().run()
    assert len(started) == 2


def test_train_shows_on_top_that_something_goes_on(started: list[int]) -> None:
    kinds = [element.type for element in sound("train").main]
    assert kinds.index("progress") < kinds.index("table")
