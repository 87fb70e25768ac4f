"""Classification of one image: ok, warned or refused, with a code, the reason, and what to do.

The gate judges first; a classifier sees only what it lets through.

Images are processed in memory only; nothing of them is written, logged or cached.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.data.images import Decoded, decode
from pneumo_core.errors import ImageError, RunError
from pneumo_core.evaluation.calibration import Calibration, apply
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import EvaluationReport, OperatingPoint
from pneumo_core.inference.evidence import read_calibration, read_report
from pneumo_core.inference.gate import Answer, Gate, judge, shipped_gate
from pneumo_core.inference.heatmap import HeatScale, read_scale
from pneumo_core.inference.session import Session, load_session, run_session
from pneumo_core.records import Label, NotApplicable
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, verified_file
from pneumo_core.runs.submission import classifier_config

MAX_COLOR: Final = 16.0
"""Maximum mean difference between an image's highest and lowest channel, in gray levels: radiographs have none, and JPEG adds
a few."""

MIN_CONTRAST: Final = 1.0
"""Minimum standard deviation of gray levels; below it, an image shows nothing."""

LOW_CONTRAST: Final = 8.0
"""Standard deviation of gray levels below which an answer comes with a warning: no X-ray of the data set has so little."""

_REFUSED: Final = NotApplicable("the image was refused")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's prediction for one image; research and education only, not a diagnosis.

    Attributes:
        answer: Whether there is a prediction, and whether it comes with a warning.
        reason: Reason of a refusal or warning, else "".
        code: Code of the reason: a `Finding`, a reason of `ImageError`, "color", "blank" or "low_contrast"; else "".
        advice: What to do about it, in the imperative, else "".
        logit: The model's raw output, or None if refused.
        probability: Of PNEUMONIA, in [0, 1], or None if refused: the sigmoid of the logit.
        calibrated: The calibrated probability of PNEUMONIA, in [0, 1], or the reason why there is none.
        label: Class at the run's operating point, or None if refused.
        cam: `(h, w)` float32 Grad-CAM before ReLU and resize, or None if refused.
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
    classifier_config(run)
    if run.is_published and not is_there(run.model):
        raise RunError(
            f"a run must have its model to predict. Received: run_id={run.run_id!r}, of which only the evidence "
            "ships with the project; choose another, or train it again"
        )
    session = load_session(verified_file(run, run.model))
    return Classifier(run.run_id, session, read_report(run), shipped_gate(), read_calibration(run), read_scale(run))


def classify(classifier: Classifier, data: bytes, name: str) -> Prediction:
    """Classify the bytes of one PNG or JPEG file; a reason calls it by its name."""
    image = decoded(data, name, classifier.session.image_size)
    return image if isinstance(image, Prediction) else classify_decoded(classifier, image, name)


def decoded(data: bytes, name: str, size: int) -> Decoded | Prediction:
    """The image of a file at a classifier's size, or the refusal of a file that holds none."""
    try:
        return decode(data, name, size=size)
    except ImageError as error:
        return Prediction(Answer.REFUSED, str(error), error.reason, "choose a PNG or JPEG file of an X-ray")


def classify_decoded(classifier: Classifier, image: Decoded, name: str) -> Prediction:
    """Classify an image that is decoded at the classifier's size."""
    if image.tint > MAX_COLOR:
        return Prediction(
            Answer.REFUSED,
            f"a radiograph must be gray. Received: {name!r}, whose color channels differ by {image.tint:.0f} levels on average",
            "color",
            "choose a frontal chest X-ray",
        )
    contrast = float(image.gray.std())
    if contrast < MIN_CONTRAST:
        return Prediction(
            Answer.REFUSED,
            f"an X-ray must have contrast. Received: {name!r}, whose gray levels vary by only {contrast:.1f}",
            "blank",
            "export it with its full range of gray levels",
        )
    verdict = judge(classifier.gate, image.gray)
    code = verdict.finding.value if verdict.finding else ""
    if verdict.answer is Answer.REFUSED:
        reason = f"an upright, whole, frontal chest X-ray is needed. Received: {name!r}; {verdict.reason}"
        return Prediction(Answer.REFUSED, reason, code, verdict.advice)
    reason, advice = verdict.reason, verdict.advice
    if not reason and contrast < LOW_CONTRAST:
        reason = f"the contrast is low: gray levels vary by only {contrast:.1f}"
        code, advice = "low_contrast", "export it with its full range of gray levels"
    warning = f"{reason}, so the probability may be meaningless" if reason else ""
    checked = Prediction(Answer.WARNED if reason else Answer.OK, warning, code, advice)
    return answered(classifier, image.gray, checked)


def answered(classifier: Classifier, gray: NDArray[np.uint8], checked: Prediction) -> Prediction:
    """A classifier's answer for an image that has passed the checks.

    Args:
        classifier: The classifier.
        gray: `(size, size)` uint8 pixels at the classifier's size.
        checked: What the checks found, as a prediction of that image, with or without an answer.
    """
    output = run_session(classifier.session, gray[None])
    likelihood = float(probability(output.logit)[0])
    return replace(
        checked,
        logit=float(output.logit[0]),
        probability=likelihood,
        calibrated=_calibrated(classifier.calibration, output.logit[0]),
        label=Label.PNEUMONIA if likelihood >= classifier.operating_point.threshold else Label.NORMAL,
        cam=output.cam[0],
        features=output.features[0],
    )


def _calibrated(calibration: Calibration | NotApplicable, logit: np.float32) -> float | NotApplicable:
    if isinstance(calibration, NotApplicable):
        return calibration
    return float(probability(apply(calibration.calibrator, np.asarray(logit))))
