"""Train in its states: nothing yet, a finished run, a failed one, a server that does not train, a wrong address."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.architecture import baseline_layers
from pneumo_core.records import RunState
from pneumo_core.status import Status, append_event, read_status, write_status
from pneumo_core.store import RunDirectory

ROOT = Path(__file__).resolve().parent.parent.parent


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    page.run()
    page.query_params.update(query)
    return page.switch_page("pages/train.py").run()


def texts(page: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "success", "warning", "error")
    return "\n".join(item.value.replace("\\", "") for kind in kinds for item in getattr(page, kind))


def test_the_form_shows_what_a_run_costs(no_published: Path) -> None:
    page = opened()
    assert not page.exception
    assert "At most 6 epochs of" in texts(page)
    assert "No run yet" in texts(page)
    page.radio[0].set_value("report").run()
    assert "At most 20 epochs of" in texts(page)
    assert "selected on test" in texts(page)


def test_the_network_adds_up_to_the_reports_numbers(no_published: Path) -> None:
    page = opened()
    assert [metric.value for metric in page.metric] == ["5,677,329", "5,676,881", "448"]
    table = next(frame.value for frame in page.dataframe if "layer" in frame.value)
    assert len(table) == len(baseline_layers())
    assert table["parameters"].sum() == 5_677_329


def test_what_is_trained_already_can_be_opened(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    page = opened()
    page.number_input[1].set_value(2).run()
    assert not page.exception
    assert "Already trained" in texts(page)
    next(button for button in page.button if button.label == "Open it").click().run()
    assert not page.exception
    assert page.query_params["run"] == with_finished_run.run_id
    assert "badge[succeeded]" in texts(page)


def test_a_server_that_does_not_train_says_so(no_published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    page = opened()
    assert "does not train" in texts(page)
    assert "Start training" not in [button.label for button in page.button]


@pytest.mark.parametrize("run", ["baseline-000000000000", "../../etc", "nonsense"])
def test_an_unknown_run_in_the_address_is_one_clear_line(with_finished_run, run: str) -> None:
    page = opened(run=run)
    assert not page.exception
    (error,) = page.error
    assert repr(run) in error.value.replace("\\", "")
    assert "\n" not in error.value


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.FAILED, "the loss must stay finite"),
        (RunState.RUNNING, "stopped from outside"),
        (RunState.CANCELLED, "cancelled"),
    ],
)
def test_a_stopped_run_says_how_and_offers_to_resume(with_finished_run, state: RunState, words: str) -> None:
    run = RunDirectory(with_finished_run.path)
    run.manifest.unlink()
    run.trained.unlink()
    error = "the loss must stay finite. Received: loss=nan" if state is RunState.FAILED else ""
    write_status(run, Status(state, ticket=read_status(run).ticket, error=error))
    page = opened(run=run.run_id)
    assert not page.exception
    assert words in texts(page)
    assert "Resume" in [button.label for button in page.button]


def test_a_run_whose_status_is_damaged_can_still_be_resumed(with_finished_run) -> None:
    run = RunDirectory(with_finished_run.path)
    run.manifest.unlink()
    run.trained.unlink()
    run.status.write_text("{")
    append_event(run, {"kind": "batch", "epoch": 0})
    page = opened(run=run.run_id)
    assert not page.exception
    assert "Resume" in [button.label for button in page.button]
