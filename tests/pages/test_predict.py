"""Predict in its states: no model yet, uploads, samples, a wrong address. A visitor's whole way is tested in the browser."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.ui.heat import scale_text
from pneumo_core.evaluation.calibration import (
    Calibration,
    CalibrationKind,
    calibrate,
    calibrated_threshold,
    calibration_to_dict,
)
from pneumo_core.evaluation.report import report_to_dict
from pneumo_core.evaluation.wording import percent_text, probability_text
from pneumo_core.inference.evidence import evaluated, read_predictions, read_report
from pneumo_core.inference.gate import Finding, Limits, shipped_gate
from pneumo_core.inference.heatmap import described, read_scale
from pneumo_core.records import Label, NotApplicable, Split
from pneumo_core.reporting.evaluation_tables import rates_on_test, right_on_test, wrong_on_test
from pneumo_core.runs.files import write_json
from pneumo_core.runs.store import RunDirectory
from pneumo_core.runs.submission import classifier_config
from tests.made_runs import make_maps_positive, vouch_for
from tests.pages.opening import opened, texts, whole

EMPTY = scale_text(NotApplicable("no matter"), np.zeros((1, 1), np.float32))


def sampled(*folds: str, **query: str) -> AppTest:
    """The page with a sample of the data set, and these folds open."""
    page = opened("predict", **{"source": "Sample from the data set", **query})
    for fold in folds:
        page.session_state[f"fold {fold}"] = True
    return whole(page.run()) if folds else page


def said(page: AppTest) -> str:
    """All that the page says, with plain spaces."""
    return texts(page).replace("\N{NO-BREAK SPACE}", " ")


def captions(page: AppTest) -> str:
    """Captions of the pictures."""
    return "\n".join(image.caption.replace("\\", "") for block in page.get("image") for image in block.proto.imgs)


def test_without_a_model_it_says_what_to_do(no_published: Path) -> None:
    page = sampled()
    assert "Train one first" in texts(page)
    assert "Not a medical device" in texts(page)


def test_a_sample_gets_a_verdict_and_what_it_is_worth_on_test(
    with_finished_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    run = RunDirectory(with_finished_run.path)
    make_maps_positive(run)
    page = sampled("Technical facts", run=run.run_id)
    (answer,) = page.metric
    assert answer.label == "Verdict"
    assert answer.value in {"Reads as PNEUMONIA", "Reads as NORMAL", "Close to the threshold"}
    assert re.search(r"Probability of PNEUMONIA.*: \*\*[<> ]*[\d.]+ %\*\*; threshold [\d.]+ %", said(page))
    assert "Not a medical device" in texts(page)
    assert "synthetic phantoms" in texts(page)
    report = read_report(run)
    assert {right_on_test(report, label) in said(page) for label in Label} == {True, False}
    assert wrong_on_test(report) in said(page)
    facts = page.table[0].value["value"].str.replace("\\", "")
    assert facts["at the threshold"] == rates_on_test(report)
    val, test = (report.splits[split].specificity for split in (Split.VAL, Split.TEST))
    assert val != test
    assert f"specificity {percent_text(val)}" not in facts["at the threshold"]
    scale = read_scale(run)
    words = f"Full color, at the right: {described(scale)}. "
    if not isinstance(scale, NotApplicable):
        words += "The strongest spot of this image is at "
    assert words in texts(page) or EMPTY in texts(page)  # A toy model may see PNEUMONIA nowhere.


def test_a_run_without_test_figures_says_so(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    run = RunDirectory(with_finished_run.path)
    table = read_predictions(run)
    table[table["split"] == "val"].to_parquet(run.predictions, index=False)
    report = evaluated(run.run_id, classifier_config(run), table[table["split"] == "val"])
    write_json(run.report, report_to_dict(report))
    vouch_for(run)
    page = sampled("Technical facts", run=run.run_id)
    assert page.table[0].value["value"]["at the threshold"] == "this run has no test figures"
    assert "This run has no test figures: how often it is right on new images is unknown." in texts(page, "markdown")


def test_a_run_from_before_the_scale_is_drawn_on_its_own_and_says_so(
    with_finished_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    run = RunDirectory(with_finished_run.path)
    make_maps_positive(run)
    run.heatmap_scale.unlink()
    vouch_for(run)
    page = sampled(run=run.run_id)
    words = f"{described(read_scale(run))}. A weak map therefore looks as strong as a strong one."
    assert f"'runs refresh {run.run_id}'" in words
    assert words in texts(page) or EMPTY in texts(page)


def recalibrated(run: RunDirectory, calibration: Calibration | NotApplicable) -> None:
    write_json(run.calibration, calibration_to_dict(calibration))
    vouch_for(run)


def test_the_calibrated_probability_comes_first(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    run = RunDirectory(with_finished_run.path)
    table = read_predictions(run)
    rng = np.random.default_rng(0)
    calibration = calibrate(table.assign(logit=3 * table["label"] - 1 + rng.normal(0, 2, len(table))))
    assert isinstance(calibration, Calibration)
    line = replace(calibration.calibrator, slope=0.01, intercept=0.2)
    calibrators = {**calibration.calibrators, CalibrationKind.PLATT: replace(line, kind=CalibrationKind.PLATT)}
    recalibrated(run, replace(calibration, chosen=CalibrationKind.PLATT, calibrators=calibrators))
    page = sampled("Calibration", run=run.run_id)
    # A slope of next to nothing leaves the intercept: sigmoid(.2) = .55.
    found = re.search(r"Probability of PNEUMONIA, calibrated: \*\*([\d.]+) %\*\*; threshold ([\d.]+) %", said(page))
    assert found
    assert float(found[1]) == pytest.approx(55.0, abs=2)
    assert f"Platt's slope 0.0100 and intercept 0.200, fitted on {line.n} val images" in texts(page)
    assert re.search(r"[\d.]+ % before calibration", texts(page))
    assert f"{calibration.after.log_loss:.3f} with it and {calibration.before.log_loss:.3f} without" in texts(page)
    test = table[table["split"] == "test"]
    losses = []
    for logit in (0.01 * test["logit"] + 0.2, test["logit"]):
        right = np.where(test["label"] == 1, logit, -logit)
        losses.append(f"{np.log1p(np.exp(-right)).mean():.3f} (")
    assert re.search(
        rf"on test, {re.escape(losses[0])}[^)]+\) with it and {re.escape(losses[1])}[^)]+\) without \(n = {len(test)}, ",
        texts(page),
    )
    threshold = calibrated_threshold(line, read_report(run).operating_point.threshold)
    assert f"{found[2]} %" == probability_text(threshold)


def test_without_a_calibration_it_says_why(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    recalibrated(RunDirectory(with_finished_run.path), NotApplicable("the run has no validation images"))
    page = sampled("Calibration", run=with_finished_run.run_id)
    assert "Probability of PNEUMONIA, not calibrated: " in texts(page)
    assert "Not calibrated" in texts(page)
    assert "the run has no validation images" in texts(page)
    assert "before calibration" not in texts(page)


def test_the_address_chooses_the_sample(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    images = sorted((with_finished_run.data / "test" / "PNEUMONIA").iterdir())
    wanted = f"test/PNEUMONIA/{images[3].name}"
    page = sampled(run=with_finished_run.run_id, image=wanted)
    assert f"{wanted}, Grad-CAM" in captions(page)
    assert "labels it **PNEUMONIA**" in texts(page)


def test_samples_are_thumbnails_of_which_a_click_opens_one(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    page = sampled(run=with_finished_run.run_id)
    buttons = [button for button in page.button if (button.key or "").startswith("sample ")]
    assert [button.label for button in buttons] == [f"Image {number}" for number in range(1, 7)]
    assert [button.disabled for button in buttons] == [True] + [False] * 5
    first = captions(page)
    buttons[3].click()
    page.run()
    assert captions(page) != first
    assert page.query_params["image"]
    assert [button.disabled for button in page.button if (button.key or "").startswith("sample ")].index(True) == 3
    page.radio(key="sample_class").set_value("NORMAL").run()
    page.button(key="another").click()
    page.run()
    assert "labels it **NORMAL**" in texts(page)
    assert "image" not in page.query_params


def test_an_unknown_image_is_answered_with_what_is_there(with_finished_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    page = sampled(run=with_finished_run.run_id, image="test/NORMAL/none.jpeg")
    (warning,) = [item.value.replace("\\", "") for item in page.warning if "There is no" in item.value]
    assert "'test/NORMAL/none.jpeg'" in warning
    page.button(key="instead of image of test").click()
    page.run()
    assert page.metric[0].label == "Verdict"


@pytest.mark.parametrize("run", ["baseline-000000000000", "../../etc"])
def test_an_unknown_run_is_answered_with_what_is_there(
    with_finished_run, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    page = sampled(run=run)
    assert repr(run) in texts(page)
    assert "There is one to choose from" in texts(page)
    assert not page.metric
    page.button(key="instead of classifier that can predict").click()
    page.run()
    assert page.selectbox[0].value == with_finished_run.run_id
    assert page.metric


def test_a_damaged_model_is_refused_in_one_line(with_finished_run) -> None:
    model = with_finished_run.path / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    page = sampled(run=with_finished_run.run_id)
    (error,) = page.error
    assert "SHA-256" in error.value.replace("\\", "")


def test_a_model_of_the_reports_data_names_its_children() -> None:
    assert "X-rays of children of one to five years from one hospital" in texts(opened("predict"))


@pytest.mark.usefixtures("drawn_phantoms")
def test_a_model_of_patients_asked_about_phantoms_says_that_it_means_nothing() -> None:
    page = sampled()
    assert any("only show how the page works" in info.value for info in page.info)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Limits], None]]:
    """Sets the gate's limits, whatever it finds; no later test gets a classifier with that gate."""

    def set_limits(limits: Limits) -> None:
        gate = replace(shipped_gate(), limits=dict.fromkeys(Finding, limits))
        monkeypatch.setattr("pneumo_core.inference.classify.shipped_gate", lambda: gate)

    st.cache_resource.clear()
    yield set_limits
    st.cache_resource.clear()


def test_a_warning_with_what_to_do_comes_before_the_number(
    with_finished_run, strict: Callable[[Limits], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    strict(Limits(0.0, 2.0))
    page = sampled(run=with_finished_run.run_id)
    assert not page.exception
    (warning,) = (item for item in page.warning if "Be careful" in item.value)
    assert "this may be" in warning.value
    assert "What to do" in warning.value
    shown = [item.value for item in walk(page.main) if item.type in {"warning", "metric"}]
    assert shown.index(warning.value) < shown.index(page.metric[0].value)


def walk(block: Any) -> Iterator[Any]:
    """Every element of a block, top to bottom."""
    for child in block.children.values():
        if hasattr(child, "children"):
            yield from walk(child)
        else:
            yield child


def test_what_is_refused_gets_no_number_but_what_to_do(
    with_finished_run, strict: Callable[[Limits], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    strict(Limits(0.0, 0.0))
    page = sampled(run=with_finished_run.run_id)
    assert not page.exception
    assert not page.metric
    assert "Refused: an upright, whole, frontal chest X-ray is needed" in texts(page)
    assert re.search(r"What to do: [a-z].*\.$", texts(page, "error"))
