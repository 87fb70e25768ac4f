"""Predict in its states: no model yet, a sample, a wrong address. Uploads are tested in the browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parent.parent.parent


def opened(**query: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    page.run()
    page.query_params.update({"source": "Sample from the data set", **query})
    return page.switch_page("pages/predict.py").run()


def texts(page: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "success", "warning", "error")
    return "\n".join(item.value.replace("\\", "") for kind in kinds for item in getattr(page, kind))


def test_without_a_model_it_says_what_to_do(no_published: Path) -> None:
    page = opened()
    assert not page.exception
    assert "Train one first" in texts(page)
    assert "Not a medical device" in texts(page)


def test_a_sample_gets_an_answer_at_the_operating_point(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    page = opened(run=with_finished_run.run_id)
    assert not page.exception
    answer = page.metric[0]
    assert answer.label == "Probability of PNEUMONIA"
    assert 0 <= float(answer.value.strip("<>% ")) <= 100
    assert "operating point" in texts(page)
    assert "Not a medical device" in texts(page)
    assert "synthetic phantoms" in texts(page)


def test_the_address_chooses_the_sample(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    images = sorted((with_finished_run.data / "test" / "PNEUMONIA").iterdir())
    wanted = f"test/PNEUMONIA/{images[3].name}"
    page = opened(run=with_finished_run.run_id, image=wanted)
    assert not page.exception
    assert next(box for box in page.selectbox if box.label == "Image").value == wanted
    assert "labels it **PNEUMONIA**" in texts(page)


@pytest.mark.parametrize("run", ["baseline-000000000000", "../../etc"])
def test_an_unknown_run_falls_back_to_the_newest_and_says_so(with_finished_run, run: str) -> None:
    page = opened(run=run)
    assert not page.exception
    assert repr(run) in texts(page)
    assert page.selectbox[0].value == with_finished_run.run_id


def test_a_damaged_model_is_refused_in_one_line(with_finished_run) -> None:
    model = with_finished_run.path / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    page = opened(run=with_finished_run.run_id)
    assert not page.exception
    (error,) = page.error
    assert "SHA-256" in error.value.replace("\\", "")


def test_a_model_of_patients_asked_about_phantoms_says_that_it_means_nothing() -> None:
    page = opened()
    assert not page.exception
    assert any("mean nothing" in info.value for info in page.info)
