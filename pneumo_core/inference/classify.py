"""Classification of one image: ok, warned or refused, with the reason.

Images are processed in memory only; nothing of them is written, logged or cached.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.data.images import decode
from pneumo_core.errors import ImageError, RunError
from pneumo_core.evaluation.calibration import Calibration, apply
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import EvaluationReport, OperatingPoint
from pneumo_core.inference.distribution import FeatureDistribution, distance, load_distribution
from pneumo_core.inference.evidence import read_calibration, read_report
from pneumo_core.inference.heatmap import HeatScale, read_scale
from pneumo_core.inference.session import Session, load_session, run_session
from pneumo_core.records import Label, NotApplicable
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, verified_file
from pneumo_core.runs.submission import classifier_config

MAX_COLOR: Final = 16.0
"""Maximum mean difference between an image's highest and lowest channel, in gray levels: radiographs have none, and JPEG adds
a few."""

MIN_CONTRAST: Final = 8.0
"""Minimum standard deviation of gray levels; below it, an image shows nothing."""

REFUSE_FACTOR: Final = 3.0
"""Multiple of the distribution's limit beyond which an image is refused. Held-out X-rays stay below 1, flipped, cropped or
inverted ones between 1 and 3; noise, text and drawings lie above."""

_REFUSED: Final = NotApplicable("the image was refused")


class Answer(StrEnum):
    """Outcome for an image."""

    OK = "ok"
    WARNED = "warned"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's prediction for one image; research and education only, not a diagnosis.

    Attributes:
        answer: Whether there is a prediction, and whether it comes with a warning.
        reason: Reason of a refusal or warning, else "".
        logit: The model's raw output, or None if refused.
        probability: Of PNEUMONIA, in [0, 1], or None if refused: the sigmoid of the logit.
        calibrated: The calibrated probability of PNEUMONIA, in [0, 1], or the reason why there is none.
        label: Class at the run's operating point, or None if refused.
        cam: `(h, w)` float32 Grad-CAM before ReLU and resize, or None if refused.
    """

    answer: Answer
    reason: str = ""
    logit: float | None = None
    probability: float | None = None
    calibrated: float | NotApplicable = _REFUSED
    label: Label | None = None
    cam: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Classifier:
    """A finished run, loaded for predictions; `distribution` is of its validation images' features."""

    run_id: str
    session: Session
    report: EvaluationReport
    distribution: FeatureDistribution
    calibration: Calibration | NotApplicable
    heat_scale: HeatScale | NotApplicable

    @property
    def operating_point(self) -> OperatingPoint:
        """The decision threshold and its rates."""
        return self.report.operating_point


def load_classifier(run: RunDirectory) -> Classifier:
    """Load a finished run; every file is checked against the manifest first.

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
    distribution = load_distribution(verified_file(run, run.distribution))
    return Classifier(run.run_id, session, read_report(run), distribution, read_calibration(run), read_scale(run))


def classify(classifier: Classifier, data: bytes, name: str) -> Prediction:
    """Classify the bytes of one PNG or JPEG file; a reason calls it by its name."""
    try:
        image = decode(data, name, size=classifier.session.image_size)
    except ImageError as error:
        return Prediction(Answer.REFUSED, str(error))
    if image.tint > MAX_COLOR:
        return Prediction(
            Answer.REFUSED,
            f"a radiograph must be gray. Received: {name!r}, whose color channels differ by {image.tint:.0f} levels on average",
        )
    contrast = float(image.gray.std())
    if contrast < MIN_CONTRAST:
        return Prediction(
            Answer.REFUSED,
            f"an X-ray must have contrast. Received: {name!r}, whose gray levels vary by only {contrast:.1f}",
        )
    output = run_session(classifier.session, image.gray[None])
    far = float(distance(classifier.distribution, output.features)[0]) / classifier.distribution.limit
    unlike = (
        f"the image is unlike the model's validation images ({far:.1f} times the distance that 99.5 % of "
        f"{classifier.distribution.n} stay under)"
    )
    if far > REFUSE_FACTOR:
        return Prediction(Answer.REFUSED, f"a frontal chest X-ray is needed. Received: {name!r}, but {unlike}")
    likelihood = float(probability(output.logit)[0])
    label = Label.PNEUMONIA if likelihood >= classifier.operating_point.threshold else Label.NORMAL
    return Prediction(
        answer=Answer.WARNED if far > 1 else Answer.OK,
        reason=f"{unlike}, so the probability may be meaningless" if far > 1 else "",
        logit=float(output.logit[0]),
        probability=likelihood,
        calibrated=_calibrated(classifier.calibration, output.logit[0]),
        label=label,
        cam=output.cam[0],
    )


def _calibrated(calibration: Calibration | NotApplicable, logit: np.float32) -> float | NotApplicable:
    if isinstance(calibration, NotApplicable):
        return calibration
    return float(probability(apply(calibration.calibrator, np.asarray(logit))))
