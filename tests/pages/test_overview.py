"""Overview in its states: nothing there yet, a finished run, a damaged one."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.waiting import app_test

ROOT = Path(__file__).resolve().parent.parent.parent


def opened() -> AppTest:
    return app_test(ROOT / "app.py").run()


def test_with_nothing_set_up_it_shows_phantoms_and_says_what_to_do(no_published: Path) -> None:
    page = opened()
    assert not page.exception
    assert not page.error
    assert any("phantom" in badge.value for badge in page.markdown)
    assert [info.value for info in page.info] == ["No run yet. On Train, the quick preset takes about a minute."]
    assert "Not a medical device" in " ".join(caption.value for caption in page.caption)


def test_a_finished_run_is_shown_with_interval_n_and_what_chose_it(with_finished_run) -> None:
    page = opened()
    assert not page.exception
    (row,) = page.dataframe[0].value.to_dict("records")
    assert row["state"] == "succeeded"
    assert " to " in row["test accuracy"]
    images = [path for path in with_finished_run.data.glob("test/*/*") if path.is_file()]
    assert row["n"] == f"{len(images)}"
    assert row["selected on"] == "validation patients"


def test_a_damaged_run_is_told_in_its_row(with_finished_run) -> None:
    report = with_finished_run.path / "report.json"
    report.write_text(report.read_text().replace("0.", "1.", 1))
    page = opened()
    assert not page.exception
    (row,) = page.dataframe[0].value.to_dict("records")
    assert "SHA-256" in row["state"]
    assert row["test accuracy"] == ""
