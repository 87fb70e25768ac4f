"""How far a model's answer for an image depends on what should not matter: small changes of the image, and the seed.

This is no interval of the probability: it says how stable the answer is, not how likely it is to be right.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.augmentation.transform import apply, draw_parameters
from pneumo_core.config.augment import AugmentConfig
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.wording import probability_text
from pneumo_core.inference.classify import Classifier
from pneumo_core.inference.compared import Group
from pneumo_core.inference.session import run_session
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import find_run

_NONE: Final[dict[str, float]] = {"zoom": 1, "rotation_deg": 0, "shift_x": 0, "contrast": 1, "brightness": 0, "blur": 0}

# All within half of what `augmentation.plausibility` holds for implausible, most within a quarter.
_CHANGES: Final[dict[str, dict[str, float]]] = {
    "turned by 3 degrees to the left": {"rotation_deg": 3},
    "turned by 3 degrees to the right": {"rotation_deg": -3},
    "moved by 3 % of its width": {"shift_x": 0.03},
    "enlarged by 5 %": {"zoom": 1 / 1.05},
    "brighter by 12 gray levels": {"brightness": 12},
    "darker by 12 gray levels": {"brightness": -12},
    "with 15 % more contrast": {"contrast": 1.15},
    "with 15 % less contrast": {"contrast": 0.85},
    "blurred by 0.7 pixels": {"blur": 0.7},
}

_QUALITY: Final = 60
_SAVED: Final = f"saved as JPEG of quality {_QUALITY}"


@dataclass(frozen=True, slots=True)
class Changed:
    """The probability of PNEUMONIA of a changed image; `change` says how it was changed, after "the image"."""

    change: str
    probability: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Probabilities of PNEUMONIA of one image and of small changes of it.

    Attributes:
        probability: Of the image as it is, in [0, 1].
        threshold: The model's threshold.
        changed: Of each change.
    """

    probability: float
    threshold: float
    changed: tuple[Changed, ...]

    @property
    def low(self) -> float:
        """Lowest probability, the image as it is among them."""
        return min(self.probability, *(one.probability for one in self.changed))

    @property
    def high(self) -> float:
        """Highest probability, likewise."""
        return max(self.probability, *(one.probability for one in self.changed))

    @property
    def crossing(self) -> tuple[str, ...]:
        """The changes that change the answer."""
        answer = self.probability >= self.threshold
        return tuple(one.change for one in self.changed if (one.probability >= self.threshold) != answer)


def spread(classifier: Classifier, gray: NDArray[np.uint8]) -> Spread:
    """Probabilities of an image and of small changes of it, always the same ones.

    Args:
        classifier: The model.
        gray: `(size, size)` uint8 image at the classifier's size.
    """
    # One by one: batches of 8 took a third less time, but raised the process by 90 MiB, which a single image does not.
    images = [gray, *changed_images(gray).values()]
    logits = np.concatenate([run_session(classifier.session, image[None]).logit for image in images])
    itself, *others = map(float, probability(logits))
    changed = tuple(Changed(change, found) for change, found in zip([*_CHANGES, _SAVED], others, strict=True))
    return Spread(itself, classifier.operating_point.threshold, changed)


def changed_images(gray: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Small changes of an image, `(height, width)` uint8 each, by what they are."""
    values = {name: np.array([{**_NONE, **change}[name] for change in _CHANGES.values()], np.float64) for name in _NONE}
    count = len(_CHANGES)
    # Nothing is drawn: a config without changes gives the parameters that change nothing.
    parameters = replace(
        draw_parameters(AugmentConfig(), count, np.random.default_rng(0)),
        zoom_x=values["zoom"],
        zoom_y=values["zoom"],
        rotation_deg=values["rotation_deg"],
        shift_x=values["shift_x"],
        contrast=values["contrast"],
        brightness=values["brightness"],
        blur_sigma=values["blur"],
    )
    images = np.rint(apply(np.repeat(gray[None], count, axis=0), parameters)).astype(np.uint8)
    return {**dict(zip(_CHANGES, images, strict=True)), _SAVED: _recompressed(gray)}


def described(found: Spread) -> str:
    """A spread in a sentence or two."""
    count, crossing = len(found.changed), found.crossing
    ends = f"{probability_text(found.low)} to {probability_text(found.high)}"
    how_many = (
        f"{len(crossing)} of {count} change the answer: {', '.join(crossing)}"
        if crossing
        else "None changes the answer"
    )
    return f"Over {count} small changes of the image, the probability is {ends}. {how_many}."


def seed_runs(run_id: str, known: Iterable[Group]) -> tuple[str, ...]:
    """The other runs that differ from one only in their seed and have their model, for `agreement.side_by_side`.

    Args:
        run_id: The run.
        known: Groups of finished runs, `compared.groups`.

    Raises:
        StoreError: The artifacts cannot be read.
    """
    alike = next((group.run_ids for group in known if run_id in group.run_ids), ())
    return tuple(other for other in alike if other != run_id and is_there(find_run(other).model))


def _recompressed(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG", quality=_QUALITY)
    return np.asarray(Image.open(file), np.uint8)
