"""Several models' answers for one image, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from pneumo_core.config.classifier import Preparation
from pneumo_core.data.images import Decoded
from pneumo_core.inference.classify import Classifier, Prediction, answered, classify_decoded, decoded
from pneumo_core.inference.session import Session
from pneumo_core.records import Label


@dataclass(frozen=True, slots=True)
class Reading:
    """A model's answer for an image, and the threshold of probability at which it answers PNEUMONIA."""

    run_id: str
    threshold: float
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Agreement:
    """Answers of several models for one image, in their order: one each, or the one refusal for all."""

    readings: tuple[Reading, ...]

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The models' probabilities of PNEUMONIA; none if the image was refused."""
        found = (reading.prediction.probability for reading in self.readings)
        return tuple(probability for probability in found if probability is not None)

    @property
    def pneumonia(self) -> int:
        """How many answer PNEUMONIA, each at its own threshold."""
        return sum(reading.prediction.label is Label.PNEUMONIA for reading in self.readings)


def side_by_side(classifiers: Sequence[Classifier], data: bytes, name: str) -> Agreement:
    """Classify one PNG or JPEG file by several models.

    The file is decoded once for each size and preparation, and the gate judges it once, at the first model's size.

    Args:
        classifiers: The models, at least one.
        data: The file's bytes.
        name: Name in a reason.
    """
    first, *others = classifiers
    images: dict[tuple[int, Preparation], Decoded | Prediction] = {}

    def image_for(session: Session) -> Decoded | Prediction:
        way = session.image_size, session.preparation
        if way not in images:
            images[way] = decoded(data, name, session)
        return images[way]

    image = image_for(first.session)
    checked = image if isinstance(image, Prediction) else classify_decoded(first, image, name)
    readings = [_reading(first, checked)]
    for other in others:
        if checked.label is None:
            readings.append(_reading(other, checked))
            continue
        image = image_for(other.session)
        found = image if isinstance(image, Prediction) else answered(other, image, checked)
        readings.append(_reading(other, found))
    return Agreement(tuple(readings))


def described(agreement: Agreement) -> str:
    """Agreement in words: ``All 3 models agree: PNEUMONIA``, ``2 of 3 models answer PNEUMONIA``; "" with fewer than two."""
    count, sick = len(agreement.probabilities), agreement.pneumonia
    if count < 2:
        return ""
    if sick in {0, count}:
        every = "Both" if count == 2 else f"All {count}"
        return f"{every} models agree: {Label.PNEUMONIA.name if sick else Label.NORMAL.name}"
    return f"{sick} of {count} models answer {Label.PNEUMONIA.name}"


def _reading(classifier: Classifier, prediction: Prediction) -> Reading:
    return Reading(classifier.run_id, classifier.operating_point.threshold, prediction)
