"""Classification of one image: ok, warned or refused, with a code, the reason, and what to do.

The gate judges first; a classifier sees only what it lets through.

Images are processed in memory only; nothing of them is written, logged or cached.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.data.dicom_facts import Note
from pneumo_core.data.images import Decoded, decode
from pneumo_core.errors import ImageError, RunError
from pneumo_core.evaluation.calibration import Calibration, apply
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import EvaluationReport, OperatingPoint
from pneumo_core.inference.evidence import read_calibration, read_report
from pneumo_core.inference.gate import Answer, Gate, Verdict, judge, shipped_gate
from pneumo_core.inference.heatmap import HeatScale, of_image, read_scale
from pneumo_core.inference.session import Session, load_session, run_session
from pneumo_core.inference.usual import FULL_RANGE, unusual
from pneumo_core.records import Label, NotApplicable
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, verified_file
from pneumo_core.runs.submission import classifier_config

MAX_COLOR: Final = 16.0
"""Mean difference between an image's highest and lowest channel, in gray levels, above which it has a color: radiographs have
none, and JPEG adds a few."""

MAX_HUES: Final = 6.0
"""Maximum spread of the hues of an image with a color, in gray levels: 60 X-rays with seven kinds of tint had at most 5.9, and
of 680 colored photographs and drawings 95 % had more."""

MIN_CONTRAST: Final = 1.0
"""Minimum standard deviation of gray levels; below it, an image shows nothing."""

_REFUSED: Final = NotApplicable("the image was refused")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's prediction for one image; research and education only, not a diagnosis.

    Attributes:
        answer: Whether there is a prediction, and whether it comes with a warning.
        reason: Reason of a refusal or warning, else "".
        code: Code of the first reason: a `Finding`, a reason of `ImageError`, a code of `Note`, "color", "blank",
            "tinted", "gray_range", "aspect" or "small"; else "".
        advice: What to do about it, in the imperative, else "".
        logit: The model's raw output, or None if refused.
        probability: Of PNEUMONIA, in [0, 1], or None if refused: the sigmoid of the logit.
        calibrated: The calibrated probability of PNEUMONIA, in [0, 1], or the reason why there is none.
        label: Class at the run's operating point, or None if refused.
        cam: `(h, w)` float32 Grad-CAM of the image, without a padding, before ReLU and resize, or None if refused.
        facts: Pairs of name and value from DICOM tags: modality, view, age and body part, where the file says so.
        features: `(d,)` float32 averages of the last convolution block, for `cases.nearest`, or None if refused.
    """

    answer: Answer
    reason: str = ""
    code: str = ""
    advice: str = ""
    logit: float | None = None
    probability: float | None = None
    calibrated: float | NotApplicable = _REFUSED
    label: Label | None = None
    cam: NDArray[np.float32] | None = None
    facts: tuple[tuple[str, str], ...] = ()
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Classifier:
    """A finished run, loaded for predictions, and the gate that judges an image before it."""

    run_id: str
    session: Session
    report: EvaluationReport
    gate: Gate
    calibration: Calibration | NotApplicable
    heat_scale: HeatScale | NotApplicable

    @property
    def operating_point(self) -> OperatingPoint:
        """The decision threshold and its rates."""
        return self.report.operating_point


def load_classifier(run: RunDirectory) -> Classifier:
    """Load a finished run with the gate; every file is checked against its manifest first.

    Raises:
        RunError: The run is not a classifier's, not finished, or ships without its model.
        CorruptError: A file does not match its hash.
    """
    config = classifier_config(run)
    if run.is_published and not is_there(run.model):
        raise RunError(
            f"a run must have its model to predict. Received: run_id={run.run_id!r}, of which only the evidence "
            "ships with the project; choose another, or train it again"
        )
    session = load_session(verified_file(run, run.model), config.preparation)
    return Classifier(run.run_id, session, read_report(run), shipped_gate(), read_calibration(run), read_scale(run))


def classify(classifier: Classifier, data: bytes, name: str) -> Prediction:
    """Classify the bytes of one image file; a reason calls it by its name."""
    image = decoded(data, name, classifier.session)
    return image if isinstance(image, Prediction) else classify_decoded(classifier, image, name)


def decoded(data: bytes, name: str, session: Session) -> Decoded | Prediction:
    """The image of a file as a classifier takes it, or the refusal of a file that holds none."""
    try:
        return decode(data, name, size=session.image_size, preparation=session.preparation)
    except ImageError as error:
        return Prediction(Answer.REFUSED, error.problem, error.reason, error.advice)


def classify_decoded(classifier: Classifier, image: Decoded, name: str) -> Prediction:
    """Classify an image that is decoded at the classifier's size."""
    contrast = float(image.gray.std())
    verdict = judge(classifier.gate, image.gray)
    if (refusal := _refusal(image, contrast, verdict, name)) is not None:
        return replace(refusal, facts=image.facts)
    warnings = list(_warnings(image, verdict))
    reason, advice = "; ".join(one.reason for one in warnings), "; ".join(one.advice for one in warnings)
    checked = Prediction(
        Answer.WARNED if reason else Answer.OK,
        f"{reason}, so the probability may be meaningless" if reason else "",
        warnings[0].code if warnings else "",
        advice,
        facts=image.facts,
    )
    return answered(classifier, image, checked)


def answered(classifier: Classifier, image: Decoded, checked: Prediction) -> Prediction:
    """A classifier's answer for an image that has passed the checks.

    Args:
        classifier: The classifier.
        image: It, decoded as the classifier takes it.
        checked: What the checks found, as a prediction of that image, with or without an answer.
    """
    output = run_session(classifier.session, image.square[None])
    likelihood = float(probability(output.logit)[0])
    return replace(
        checked,
        logit=float(output.logit[0]),
        probability=likelihood,
        calibrated=_calibrated(classifier.calibration, output.logit[0]),
        label=Label.PNEUMONIA if likelihood >= classifier.operating_point.threshold else Label.NORMAL,
        cam=of_image(output.cam[0], image),
        features=output.features[0],
    )


def _refusal(image: Decoded, contrast: float, verdict: Verdict, name: str) -> Prediction | None:
    """Why there is no answer, or None."""
    if image.tint > MAX_COLOR and image.hue_spread > MAX_HUES:
        return Prediction(
            Answer.REFUSED,
            f"a radiograph must be gray. Received: {name!r}, whose color channels differ by {image.tint:.0f} levels on average",
            "color",
            "choose a frontal chest X-ray",
        )
    if contrast < MIN_CONTRAST:
        reason = f"an X-ray must have contrast. Received: {name!r}, whose gray levels vary by only {contrast:.1f}"
        return Prediction(Answer.REFUSED, reason, "blank", FULL_RANGE)
    if verdict.answer is Answer.REFUSED and verdict.finding is not None:
        reason = f"an upright, whole, frontal chest X-ray is needed. Received: {name!r}; {verdict.reason}"
        return Prediction(Answer.REFUSED, reason, verdict.finding.value, verdict.advice)
    return None


def _warnings(image: Decoded, verdict: Verdict) -> Iterator[Note]:
    """What an answer comes with, the most serious first."""
    if verdict.finding is not None:
        yield Note(verdict.finding.value, verdict.reason, verdict.advice)
    yield from (note for note in image.notes if verdict.finding is None or note.code != verdict.finding.value)
    if image.tint > MAX_COLOR:
        yield Note("tinted", "the image has a tint, as a photograph of a film has", "choose the original file")
    yield from unusual(image)


def _calibrated(calibration: Calibration | NotApplicable, logit: np.float32) -> float | NotApplicable:
    if isinstance(calibration, NotApplicable):
        return calibration
    return float(probability(apply(calibration.calibrator, np.asarray(logit))))
