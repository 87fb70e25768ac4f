"""Addresses that ask for what is not there: each page answers in one way and goes on as far as it can."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import FinishedRun
from tests.pages.opening import opened

pytestmark = pytest.mark.usefixtures("kept_caches")

TITLES = {
    "dataset": "Dataset",
    "augmentation": "Augmentation",
    "train": "Train",
    "gan": "GAN lab",
    "evaluate": "Evaluate",
    "compare": "Compare",
    "report": "The report of 2020",
    "predict": "Predict",
}
NEW_SAMPLES = {"show": "Samples", "samples": "New samples"}
ODD = ("nonsense", "-1", "../x", "x" * 5000, ["../x", "nonsense"])
PARAMETERS = [
    *(
        ("dataset", name, {"view": "Images"})
        for name in ("split", "class", "subtype", "order", "copies", "page", "image")
    ),
    *(("dataset", name, {"view": "Sizes and modes"}) for name in ("feature", "files_of")),
    *(
        ("augmentation", name, {})
        for name in ("zoom", "rotation_deg", "vertical_flip", "of", "sample", "draw", "setting")
    ),
    *((page, "run", {}) for page in ("train", "gan", "evaluate", "predict")),
    *((page, "show", {}) for page in ("train", "gan", "evaluate", "compare", "report")),
    *((page, "split", {}) for page in ("evaluate", "compare")),
    *(("compare", name, {}) for name in ("a", "b")),
    ("dataset", "view", {}),
    ("dataset", "image", {}),
    ("report", "ours", {"show": "Its figures beside ours"}),
    ("predict", "source", {}),
    ("predict", "image", {}),
    ("gan", "sheet", {"show": "Samples"}),
    *(("gan", name, NEW_SAMPLES) for name in ("samples_page", "sample", "sample_seed", "truncation")),
    *(("gan", name, {"show": "Samples", "samples": "Between two samples"}) for name in ("from", "to")),
    ("gan", "wall", {"show": "Samples", "samples": "Real beside generated"}),
    ("gan", "copies_page", {"show": "Copies"}),
    ("compare", "curve", {"show": "Curves"}),
    *(("compare", name, {"show": "Operating point"}) for name in ("rule", "prevalence", "stake", "threshold_a")),
    ("compare", "value", {"show": "Operating point", "rule": "sensitivity"}),
]


@pytest.fixture
def connected(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small data set; it has several pages of images and no run of its own."""
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))


def titled(page: str, /, **query: str | list[str]) -> AppTest:
    at = opened(page, **query)
    assert at.title[0].value == TITLES[page]
    return at


def answers(at: AppTest) -> list[str]:
    return [item.value.replace("\\", "") for item in at.warning if item.icon == ":material/link_off:"]


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("number", range(len(PARAMETERS)), ids=lambda number: "-".join(PARAMETERS[number][:2]))
def test_what_is_not_there_is_answered_in_one_way(number: int) -> None:
    page, name, others = PARAMETERS[number]
    for odd in ("1e999", ODD[number % len(ODD)]):  # In turn: each try costs two runs of a page.
        at = titled(page, **others, **{name: odd})
        (answer,) = answers(at)
        first, second = (odd, odd) if isinstance(odd, str) else odd
        assert answer.startswith("There is no ")
        assert repr(first[:60]) in answer or repr(second[:60]) in answer
        assert len(answer) < 400
        assert not at.error
        button = next(item for item in at.button if str(item.key).startswith("instead of"))
        assert answers(button.click().run()) == []
        assert not at.exception


def test_limits_of_a_number_are_written_out() -> None:
    (answer,) = answers(titled("gan", **NEW_SAMPLES, sample_seed="1e999"))
    assert "It goes from 0 to 2,147,483,647." in answer


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("page", TITLES)
def test_what_no_page_reads_is_ignored(page: str) -> None:
    assert answers(titled(page, nonsense="-1", zzz="../x")) == []


def test_a_link_to_an_image_opens_its_tab_once(with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    image = min((with_finished_run.data / "test" / "NORMAL").iterdir())
    name = image.relative_to(with_finished_run.data).as_posix()
    shown = titled("dataset", image=name)
    assert "Back to the grid" in [button.label for button in shown.button]
    shown.session_state["view"] = "Summary"  # The reader opens another tab, and stays there.
    assert shown.run().session_state["view"] == "Summary"
    other = image.with_name(max((with_finished_run.data / "test" / "NORMAL").iterdir()).name)
    shown.query_params["image"] = other.relative_to(with_finished_run.data).as_posix()
    assert shown.run().session_state["view"] == "Images"
    del shown.query_params["image"]
    assert titled("dataset", image=name, view="Summary").session_state["view"] == "Summary"
    assert titled("predict", image=name, run=with_finished_run.run_id).session_state["source"].startswith("Sample")


def test_a_link_to_a_run_opens_the_tab_of_runs_on_train(with_finished_run: FinishedRun) -> None:
    page = titled("train", run=with_finished_run.run_id)
    assert page.session_state["show"] == "Runs"
    page.session_state["show"] = "The network"
    assert page.run().session_state["show"] == "The network"
