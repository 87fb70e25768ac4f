"""Answers, warnings (`usual` has those of gray levels, size and shape) and refusals."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.images import decode_gray
from pneumo_core.errors import CorruptError, RunError
from pneumo_core.evaluation.calibration import Calibration, calibrate, calibrated_threshold
from pneumo_core.inference.classify import (
    MAX_COLOR,
    MIN_CONTRAST,
    Classifier,
    Prediction,
    classify,
    load_classifier,
)
from pneumo_core.inference.gate import Answer, Finding, Limits
from pneumo_core.inference.usual import MAX_ASPECT, MAX_DARK, MIN_BRIGHT, MIN_RANGE, MIN_SIDE
from pneumo_core.records import Label, NotApplicable
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.data.dicom_files import dicom
from tests.data.image_files import BAD
from tests.hostile import assert_one_line


@pytest.fixture(scope="module")
def classifier(finished_run: FinishedRun) -> Classifier:
    return load_classifier(RunDirectory(finished_run.path))


@pytest.fixture(scope="module")
def lenient(classifier: Classifier) -> Classifier:
    """The classifier without doubts: whatever is decoded gets an answer."""
    return with_limits(classifier, Limits(2.0, 2.0))


def with_limits(classifier: Classifier, limits: Limits) -> Classifier:
    """The classifier with one pair of limits for every finding."""
    return replace(classifier, gate=replace(classifier.gate, limits=dict.fromkeys(Finding, limits)))


def some_images(run: FinishedRun) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run.data / "test").rglob("*.jpeg"))}


def encode(array: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


def radiograph(run: FinishedRun) -> NDArray[np.uint8]:
    name, data = next(iter(some_images(run).items()))
    return decode_gray(data, name)


def assert_refused(prediction: Prediction, *parts: str) -> None:
    assert prediction.answer is Answer.REFUSED
    assert_one_line(prediction.reason, *parts)
    assert (prediction.logit, prediction.probability, prediction.label, prediction.cam) == (None, None, None, None)
    assert prediction.calibrated == NotApplicable("the image was refused")


def test_answers_are_the_worker_s_predictions(lenient: Classifier, finished_run: FinishedRun) -> None:
    table = pd.read_parquet(finished_run.path / "predictions.parquet")
    table = table[table["split"] != "stress"]
    # A threshold that some are above and some below, whatever two epochs have taught.
    threshold = float(1 / (1 + np.exp(-table["logit"].median())))
    lenient = replace(
        lenient, report=replace(lenient.report, operating_point=replace(lenient.operating_point, threshold=threshold))
    )
    labels = set()
    for _, row in table.iterrows():
        prediction = classify(lenient, (finished_run.data / row["image_id"]).read_bytes(), row["image_id"])
        assert prediction.answer is Answer.OK
        assert prediction.reason == ""
        assert prediction.logit == pytest.approx(row["logit"], abs=1e-4)
        assert prediction.probability == pytest.approx(1 / (1 + np.exp(-float(row["logit"]))), abs=1e-4)
        assert prediction.label is (Label.PNEUMONIA if prediction.probability >= threshold else Label.NORMAL)
        assert prediction.cam is not None
        assert prediction.cam.shape == (18, 18)
        labels.add(prediction.label)
    assert labels == set(Label)


def test_a_calibrated_probability_is_the_line_s_and_decides_alike(
    lenient: Classifier, finished_run: FinishedRun
) -> None:
    table = pd.read_parquet(finished_run.path / "predictions.parquet")
    # Logits that a calibration can be fitted to, whatever two epochs have taught.
    rng = np.random.default_rng(0)
    calibration = calibrate(table.assign(logit=3 * table["label"] - 1 + rng.normal(0, 2, len(table))))
    assert isinstance(calibration, Calibration)
    line = calibration.calibrator
    threshold = lenient.operating_point.threshold
    for name, data in list(some_images(finished_run).items())[:4]:
        prediction = classify(replace(lenient, calibration=calibration), data, name)
        assert prediction.logit is not None
        assert prediction.calibrated == pytest.approx(
            1 / (1 + np.exp(-(line.slope * prediction.logit + line.intercept)))
        )
        plain = classify(replace(lenient, calibration=NotApplicable("why not")), data, name)
        assert plain.calibrated == NotApplicable("why not")
        assert (plain.logit, plain.probability, plain.label) == (
            prediction.logit, prediction.probability, prediction.label,
        )  # fmt: skip
        assert prediction.probability is not None
        if abs(prediction.probability - threshold) > 1e-9:
            above = prediction.calibrated >= calibrated_threshold(line, threshold)
            assert prediction.label is (Label.PNEUMONIA if above else Label.NORMAL)


def test_threshold_belongs_to_pneumonia(lenient: Classifier, finished_run: FinishedRun) -> None:
    name, data = next(iter(some_images(finished_run).items()))
    probability = classify(lenient, data, name).probability
    assert probability is not None
    point = lenient.operating_point
    for threshold, expected in ((probability, Label.PNEUMONIA), (np.nextafter(probability, 1), Label.NORMAL)):
        report = replace(lenient.report, operating_point=replace(point, threshold=float(threshold)))
        assert classify(replace(lenient, report=report), data, name).label is expected


@pytest.mark.parametrize(
    ("limits", "answer"),
    [(Limits(2.0, 2.0), Answer.OK), (Limits(0.0, 2.0), Answer.WARNED), (Limits(0.0, 0.0), Answer.REFUSED)],
)
def test_the_gate_decides_between_ok_warned_and_refused(
    classifier: Classifier, finished_run: FinishedRun, limits: Limits, answer: Answer
) -> None:
    name, data = next(iter(some_images(finished_run).items()))
    prediction = classify(with_limits(classifier, limits), data, name)
    assert prediction.answer is answer
    assert (prediction.code in set(Finding)) is (answer is not Answer.OK)
    assert bool(prediction.advice) is (answer is not Answer.OK)
    if answer is Answer.REFUSED:
        assert_refused(prediction, repr(name), "this looks like")
    else:
        assert prediction.probability is not None
        assert ("so the probability may be meaningless" in prediction.reason) is (answer is Answer.WARNED)
        assert "\n" not in prediction.reason


def test_no_classifier_sees_what_the_gate_refuses(classifier: Classifier) -> None:
    class Untouched:
        image_size, preparation = classifier.session.image_size, classifier.session.preparation

    noise = np.random.default_rng(0).integers(0, 256, (200, 200)).astype(np.uint8)
    prediction = classify(replace(classifier, session=Untouched()), encode(noise), "noise.png")  # type: ignore[arg-type]
    assert_refused(prediction, "'noise.png'", "other than a chest X-ray")
    assert (prediction.code, prediction.advice) == ("not_chest", "choose a frontal chest X-ray")


@pytest.mark.parametrize("kind", list(BAD))
def test_bad_files_are_refused_with_a_reason(lenient: Classifier, kind: str) -> None:
    assert_refused(classify(lenient, BAD[kind][1], "upload.jpeg"), "'upload.jpeg'")


class TestColor:
    def test_a_photograph_is_refused(self, lenient: Classifier) -> None:
        y, x = np.mgrid[0:200, 0:300]
        photo = np.stack([x % 256, (255 - x) % 256, y], axis=2).astype(np.uint8)
        for kind in ("PNG", "JPEG"):
            assert_refused(
                classify(lenient, encode(photo, kind), "holiday.jpg"), "a radiograph must be gray", "'holiday.jpg'"
            )

    def test_gray_in_three_channels_is_gray(self, lenient: Classifier, finished_run: FinishedRun) -> None:
        gray = radiograph(finished_run)
        for kind in ("PNG", "JPEG"):
            color = classify(lenient, encode(np.repeat(gray[..., None], 3, axis=2), kind), "x")
            plain = classify(lenient, encode(gray, kind), "x")
            assert color.answer is Answer.OK
            assert color.probability == pytest.approx(plain.probability, abs=0.02)

    @pytest.mark.parametrize(("levels", "code"), [(MAX_COLOR - 2, ""), (MAX_COLOR + 2, "tinted"), (50, "tinted")])
    def test_a_tint_of_one_hue_is_warned_of(
        self, lenient: Classifier, finished_run: FinishedRun, levels: float, code: str
    ) -> None:
        gray = radiograph(finished_run).astype(float) * 0.8
        tinted = np.stack([gray, gray, gray + levels], axis=2).round().astype(np.uint8)
        for kind in ("PNG", "JPEG"):
            prediction = classify(lenient, encode(tinted, kind), "tinted.png")
            assert (prediction.answer, prediction.code) == (Answer.WARNED if code else Answer.OK, code)

    def test_a_few_hues_are_a_color(self, lenient: Classifier, finished_run: FinishedRun) -> None:
        gray = radiograph(finished_run).astype(float) * 0.8
        blue, left = np.stack([gray, gray, gray + 50], axis=2), gray.shape[1] // 3
        blue[:, :left] = blue[:, :left, ::-1]
        assert classify(lenient, encode(blue.round().astype(np.uint8)), "x").code == "color"

    def test_palette_and_cmyk_are_looked_at_too(self, lenient: Classifier) -> None:
        y, x = np.mgrid[0:100, 0:100]
        photo = Image.fromarray(np.stack([x * 2, 200 - x * 2, y], axis=2).astype(np.uint8))
        for image, kind in (
            (photo.convert("P"), "PNG"),
            (photo.convert("CMYK"), "JPEG"),
            (photo.convert("RGBA"), "PNG"),
        ):
            file = io.BytesIO()
            image.save(file, kind)
            assert_refused(classify(lenient, file.getvalue(), "photo"), "a radiograph must be gray")


class TestContrast:
    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_a_blank_image_is_refused(self, lenient: Classifier, level: int) -> None:
        assert_refused(
            classify(lenient, encode(np.full((200, 200), level, np.uint8)), "blank.png"), "must have contrast"
        )

    @pytest.mark.parametrize(
        ("spread", "answer", "code"),
        [
            (MIN_CONTRAST - 1, Answer.REFUSED, "blank"),
            (MIN_CONTRAST + 1, Answer.WARNED, "gray_range"),
            (MIN_RANGE / 2 - 1, Answer.WARNED, "gray_range"),
            (MIN_RANGE / 2 + 1, Answer.OK, ""),
        ],
    )
    def test_limits(self, lenient: Classifier, spread: float, answer: Answer, code: str) -> None:
        halves = np.full((150, 150), 100 - spread)
        halves[75:] = 100 + spread
        prediction = classify(lenient, encode(halves.round().astype(np.uint8)), "faint.png")
        assert (prediction.answer, prediction.code) == (answer, code)


def full_range(height: int = 200, width: int = 200) -> NDArray[np.float64]:
    """A slope over all gray levels; of a slope, percentiles are known."""
    return np.broadcast_to(np.linspace(0, 255, width), (height, width)).copy()


class TestUnusual:
    @pytest.mark.parametrize(
        ("change", "is_warned"),
        [
            (lambda gray: gray, False),
            (lambda gray: gray // 2, True),
            (lambda gray: 128 + gray // 2, True),
            (lambda gray: 80 + gray // 3, True),
            (lambda gray: gray * ((MIN_BRIGHT + 5) / 255), False),
            (lambda gray: gray * ((MIN_BRIGHT - 5) / 255), True),
            (lambda gray: MAX_DARK - 5 + gray * ((255 - MAX_DARK) / 255), False),
            (lambda gray: MAX_DARK + 5 + gray * ((250 - MAX_DARK) / 255), True),
        ],
    )
    def test_gray_levels_that_no_training_image_has_are_warned_of(
        self, lenient: Classifier, change: Callable[[NDArray[np.float64]], NDArray[np.float64]], is_warned: bool
    ) -> None:
        prediction = classify(lenient, encode(change(full_range()).round().astype(np.uint8)), "x.png")
        assert prediction.probability is not None
        assert prediction.code == ("gray_range" if is_warned else "")
        assert prediction.advice == ("export it with its full range of gray levels" if is_warned else "")

    @pytest.mark.parametrize(
        ("height", "width", "codes"),
        [
            (MIN_SIDE, MIN_SIDE, ""),
            (MIN_SIDE, int(MIN_SIDE * MAX_ASPECT), ""),
            (40, 2000, "aspect"),
            (60, 800, "aspect"),
            (800, 200, "aspect"),
            (40, 40, "small"),
            (MIN_SIDE - 1, 200, "small"),
        ],
    )
    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_sizes_and_shapes_that_no_training_image_has_are_warned_of(
        self, lenient: Classifier, height: int, width: int, codes: str, kind: str
    ) -> None:
        prediction = classify(lenient, encode(full_range(height, width).round().astype(np.uint8), kind), "x")
        assert prediction.code == codes
        assert (f"{width} x {height} pixels" in prediction.reason) is bool(codes)

    def test_the_size_is_the_file_s(self, lenient: Classifier) -> None:
        """A JPEG decoder leaves out detail of large images, of which this would be a small one."""
        large = full_range(MIN_SIDE * 9, MIN_SIDE * 9 * 2).round().astype(np.uint8)
        assert classify(lenient, encode(large, "JPEG"), "x").answer is Answer.OK
        assert classify(lenient, dicom(large), "x").answer is Answer.OK


class TestDicom:
    def test_facts_come_with_the_answer(self, lenient: Classifier, finished_run: FinishedRun) -> None:
        gray = radiograph(finished_run)
        plain, tagged = classify(lenient, encode(gray), "x.png"), classify(lenient, dicom(gray), "x.dcm")
        assert tagged.probability == plain.probability
        assert (plain.facts, dict(tagged.facts)["View"]) == ((), "AP")

    def test_every_warning_is_told(self, lenient: Classifier, finished_run: FinishedRun) -> None:
        data = dicom(radiograph(finished_run), PatientAge="054Y", ViewPosition="LL")
        prediction = classify(lenient, data, "x.dcm")
        assert (prediction.answer, prediction.code) == (Answer.WARNED, "lateral")
        assert (
            "a lateral view; by its tags, the patient is an adult (54 years), so the probability" in prediction.reason
        )
        assert prediction.advice.count("; ") == 1

    def test_what_gate_and_tags_both_say_is_said_once(self, classifier: Classifier, finished_run: FinishedRun) -> None:
        limits = {finding: Limits(0.0 if finding is Finding.LATERAL else 2.0, 2.0) for finding in Finding}
        sure = replace(classifier, gate=replace(classifier.gate, limits=limits))
        prediction = classify(sure, dicom(radiograph(finished_run), ViewPosition="LL"), "x.dcm")
        assert prediction.code == "lateral"
        assert prediction.reason.count("lateral") == 1

    def test_facts_stay_where_the_gate_refuses(self, classifier: Classifier, finished_run: FinishedRun) -> None:
        refused = classify(with_limits(classifier, Limits(0.0, 0.0)), dicom(radiograph(finished_run)), "x.dcm")
        assert_refused(refused)
        assert dict(refused.facts)["Age"] == "4 years"


def test_nothing_of_an_image_is_kept(
    with_finished_run: FinishedRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def files() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")}

    classifier = load_classifier(RunDirectory(with_finished_run.path))
    before = files()
    for name, data in some_images(with_finished_run).items():
        classify(classifier, data, name)
    for _, data in BAD.values():
        classify(classifier, data, "bad")
    assert files() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["model.onnx", "report.json"])
def test_every_file_is_checked_before_it_is_used(with_finished_run: FinishedRun, name: str) -> None:
    run = RunDirectory(with_finished_run.path)
    path = run.path / name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptError, match="must have the SHA-256") as caught:
        load_classifier(run)
    assert_one_line(caught.value, name, run.run_id)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"files": []}', '{"files": {"model.onnx": 3}}'])
def test_a_damaged_manifest_is_reported(with_finished_run: FinishedRun, content: str) -> None:
    run = RunDirectory(with_finished_run.path)
    run.manifest.write_text(content)
    with pytest.raises((CorruptError, RunError)) as caught:
        load_classifier(run)
    assert_one_line(caught.value)
