"""Sheets and tables of images that models have answered for."""

import io
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from PIL import Image

from pneumo_core import sheets
from pneumo_core.errors import ImageError
from pneumo_core.evaluation.wording import probability_text
from pneumo_core.inference.agreement import side_by_side
from pneumo_core.inference.classify import Classifier, classify, load_classifier
from pneumo_core.inference.gate import Answer, Finding, Limits
from pneumo_core.inference.heatmap import described, heatmap
from pneumo_core.inference.overlay import overlay
from pneumo_core.reporting.document import KeyValues, Paragraph, Row, Table
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import find_run, read_manifest

DAY = date(2026, 11, 30)
PIXELS = np.kron(np.random.default_rng(3).integers(0, 256, (9, 11)), np.ones((100, 100))).astype(np.uint8)


def png(pixels: np.ndarray = PIXELS) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def with_limits(classifier: Classifier, limits: Limits) -> Classifier:
    return replace(classifier, gate=replace(classifier.gate, limits=dict.fromkeys(Finding, limits)))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The recommended one, with a gate that asks nothing."""
    return with_limits(load_classifier(find_run(str(recommended().classifier))), Limits(2.0, 2.0))


def test_a_sheet_says_what_the_model_answered(classifier: Classifier) -> None:
    careful = with_limits(classifier, Limits(0.0, 2.0))
    other = replace(classifier, run_id="baseline-000000000000")
    prediction = classify(careful, png(), "a.png")
    assert prediction.answer is Answer.WARNED
    assert prediction.probability is not None
    together = side_by_side([careful, other], png(), "a.png")
    sheet = sheets.sheet(
        careful, prediction, png(), "a.png", verdict="Reads so", day=DAY, facts=(("view", "AP"),), together=together
    )
    assert sheet.subtitle == "a.png · 2026-11-30"
    texts = [block.text for block in sheet.blocks if isinstance(block, Paragraph)]
    assert texts[1] == f"Be careful: {prediction.reason}. What to do: {prediction.advice}."
    assert texts[2].startswith(f"Reads so: probability of PNEUMONIA {probability_text(prediction.probability)}, ")
    (models,) = [block for block in sheet.blocks if isinstance(block, Table) and block.name == "models"]
    assert [row[0] for row in models.rows] == ["baseline-000000000000"], "the model itself is no other one"
    assert models.notes[0].startswith("Both models agree: ")
    (facts,) = [dict(block.items) for block in sheet.blocks if isinstance(block, KeyValues)]
    run = find_run(classifier.run_id)
    assert facts["view"] == "AP"
    assert facts["SHA-256 of model.onnx"] == read_manifest(run)["files"]["model.onnx"]
    assert facts["model"] == f"{run.run_id}: Ensemble of 3: 3 × Compact CNN, best"
    assert facts["gate"].startswith(f"warned, {prediction.code}; SHA-256 ")


def test_its_pictures_are_the_image_and_its_heat_map_within_a_bound(classifier: Classifier) -> None:
    prediction = classify(classifier, png(), "a.png")
    sheet = sheets.sheet(classifier, prediction, png(), "a.png", verdict="Reads so", day=DAY)
    _, row = [block for block in sheet.blocks if isinstance(block, Row)]
    shown, hot = (np.asarray(one.draw().axes[0].images[0].get_array()) for one in row.pictures)
    assert shown.shape == (524, 640)
    assert np.corrcoef(shown.ravel(), np.asarray(Image.fromarray(PIXELS).resize((640, 524), 2)).ravel())[0, 1] > 0.9
    assert prediction.cam is not None
    expected = overlay(shown, heatmap(prediction.cam, classifier.heat_scale, 640, 524), opacity=0.4)
    assert np.array_equal(hot, expected)
    assert described(classifier.heat_scale) in row.pictures[1].caption


def test_a_refused_image_has_no_sheet(classifier: Classifier) -> None:
    strict = with_limits(classifier, Limits(0.0, 0.0))
    prediction = classify(strict, png(), "a.png")
    with pytest.raises(ImageError, match=r"'a\.png', which was refused"):
        sheets.sheet(strict, prediction, png(), "a.png", verdict="Reads so", day=DAY)


def test_a_table_has_each_image_in_its_order(classifier: Classifier) -> None:
    found = [("b.png", classify(classifier, png(), "b.png")), ("a.png", classify(classifier, b"", "a.png"))]
    table = sheets.answers(classifier, found)
    assert table.data is not None
    (answered, refused) = (dict(zip(table.data.columns, row, strict=True)) for row in table.data.rows)
    prediction = found[0][1]
    assert (answered["path"], answered["run_id"]) == ("b.png", classifier.run_id)
    assert (answered["probability"], answered["threshold"]) == (
        prediction.probability,
        classifier.operating_point.threshold,
    )
    assert prediction.label is not None
    assert (answered["status"], answered["label"]) == ("ok", prediction.label.name)
    assert (refused["path"], refused["status"], refused["code"], refused["label"]) == (
        "a.png",
        "refused",
        "empty",
        None,
    )
