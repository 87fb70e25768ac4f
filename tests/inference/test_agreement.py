"""Several models on one image: each as by itself, the gate and the decoder once."""

import io
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pneumo_core.config.classifier import Preparation
from pneumo_core.inference import agreement as room
from pneumo_core.inference import classify as classifying
from pneumo_core.inference.agreement import Agreement, Reading, described, side_by_side
from pneumo_core.inference.classify import Prediction, classify
from pneumo_core.inference.gate import Answer, Finding, Limits
from pneumo_core.records import Label
from tests.inference.small_models import linear_classifier

PIXELS = np.random.default_rng(5).integers(0, 256, (90, 70)).astype(np.uint8)


def png(pixels: np.ndarray = PIXELS) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def reading(probability: float, threshold: float = 0.5) -> Reading:
    label = Label.PNEUMONIA if probability >= threshold else Label.NORMAL
    return Reading("baseline-0123456789ab", threshold, Prediction(Answer.OK, probability=probability, label=label))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[Any]:
    """How often the image is decoded at each size, and judged."""
    counted: Counter[Any] = Counter()
    decode, judge = classifying.decode, classifying.judge

    def counted_decode(data: bytes, name: str, *, size: int, preparation: Preparation) -> Any:
        counted[size if preparation is Preparation.SQUASH else (size, preparation)] += 1
        return decode(data, name, size=size, preparation=preparation)

    def counted_judge(*args: Any) -> Any:
        counted["gate"] += 1
        return judge(*args)

    monkeypatch.setattr(classifying, "decode", counted_decode)
    monkeypatch.setattr(classifying, "judge", counted_judge)
    return counted


def test_each_model_answers_as_by_itself_at_its_own_size_and_threshold() -> None:
    models = [
        linear_classifier(48, "baseline-000000000001", threshold=0.2),
        linear_classifier(32, "baseline-000000000002", threshold=0.9),
        linear_classifier(48, "baseline-000000000003", threshold=0.999),
    ]
    found = side_by_side(models, png(), "a.png")
    for model, one in zip(models, found.readings, strict=True):
        alone = classify(model, png(), "a.png")
        assert (one.run_id, one.threshold) == (model.run_id, model.operating_point.threshold)
        assert (one.prediction.answer, one.prediction.label) == (alone.answer, alone.label)
        assert one.prediction.logit == pytest.approx(alone.logit)
        assert one.prediction.cam is not None
        assert one.prediction.cam.shape == (model.session.image_size, model.session.image_size)
    assert found.probabilities == tuple(one.prediction.probability for one in found.readings)
    assert found.pneumonia == sum(one.prediction.label is Label.PNEUMONIA for one in found.readings)


def test_the_gate_judges_once_and_each_size_is_decoded_once(calls: Counter[Any]) -> None:
    side_by_side([linear_classifier(size) for size in (48, 32, 48, 32)], png(), "a.png")
    assert calls == {48: 1, 32: 1, "gate": 1}
    calls.clear()
    padding = replace(
        linear_classifier(48), session=replace(linear_classifier(48).session, preparation=Preparation.PAD)
    )
    side_by_side([padding, linear_classifier(48), padding], png(), "a.png")
    assert calls == {48: 1, (48, Preparation.PAD): 1, "gate": 1}


def test_a_warning_is_everyone_s() -> None:
    first, other = linear_classifier(48), linear_classifier(32)
    cautious = replace(first, gate=replace(first.gate, limits=dict.fromkeys(Finding, Limits(0.0, 2.0))))
    alone = classify(cautious, png(), "a.png")
    assert alone.answer is Answer.WARNED
    for one in side_by_side([cautious, other], png(), "a.png").readings:
        for name in ("answer", "reason", "code", "advice"):
            assert getattr(one.prediction, name) == getattr(alone, name)
        assert one.prediction.probability is not None


@pytest.mark.parametrize("data", [b"", png(np.zeros((90, 70), np.uint8))], ids=["no image", "blank"])
def test_a_refusal_is_everyone_s_and_no_model_runs(
    data: bytes, calls: Counter[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifying, "run_session", lambda *_: pytest.fail("a model ran"))
    models = [linear_classifier(48), linear_classifier(32)]
    found = side_by_side(models, data, "a.png")
    assert [one.prediction.answer for one in found.readings] == [Answer.REFUSED, Answer.REFUSED]
    assert found.readings[0].prediction.reason == found.readings[1].prediction.reason != ""
    assert (found.probabilities, found.pneumonia, described(found)) == ((), 0, "")
    assert calls[32] == 0


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ((0.9,), ""),
        ((0.9, 0.8), "Both models agree: PNEUMONIA"),
        ((0.1, 0.2, 0.3), "All 3 models agree: NORMAL"),
        ((0.9, 0.2, 0.8), "2 of 3 models answer PNEUMONIA"),
        ((0.9, 0.2), "1 of 2 models answer PNEUMONIA"),
    ],
)
def test_agreement_in_words(probabilities: tuple[float, ...], words: str) -> None:
    assert described(Agreement(tuple(reading(one) for one in probabilities))) == words


def test_each_counts_at_its_own_threshold() -> None:
    assert Agreement((reading(0.6, 0.5), reading(0.6, 0.7))).pneumonia == 1
    assert room.described(Agreement((reading(0.6, 0.5), reading(0.6, 0.7)))) == "1 of 2 models answer PNEUMONIA"
