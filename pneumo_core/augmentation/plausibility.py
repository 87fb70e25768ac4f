"""Assessment whether an augmentation's changes could occur on a child's chest X-ray.

Each strength has one limit. Beyond it the change is implausible; within half of it, plausible; between, questionable. Half,
because an image gets all changes at once. A verdict concerns anatomy and exposure, not accuracy, which only a run measures.

The average NORMAL training image shows lungs up to about a tenth of the side from the border (`_LUNG_MARGIN`), and single
images confirm it. The limits of the three geometric changes follow from that: lungs in such a box begin to leave the image.
The limits of contrast and brightness are twice the variation of the training images. They were measured on the 5,216 training
images of the Kaggle data set, resized to 224 and then to 150 pixels. All are rules of thumb.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pneumo_core.config.augment import AugmentConfig

_LUNG_MARGIN: Final = 0.1

LIMITS: Final[dict[str, float]] = {
    # A factor of 1 - zoom leaves a margin of 1/2 - (1/2 - margin) / (1 - zoom), which is 0 here.
    "zoom": 2 * _LUNG_MARGIN,
    # A corner of the box, turned by this angle, touches the border: (1/2 - margin) (cos + sin) = 1/2; 17.1 degrees.
    "rotation_deg": math.degrees(math.asin(0.5 / (math.sqrt(2) * (0.5 - _LUNG_MARGIN)))) - 45,
    "shift": _LUNG_MARGIN,
    # 90 % of the images have a standard deviation between 40 and 71 gray levels, 0.28 of its mean to either side.
    "contrast": 0.56,
    # 90 % of the images have a mean between 91 and 154 gray levels, 0.12 of 255 to either side.
    "brightness": 0.24,
    # Ribs lie about eleven pixels apart in 150, and a Gaussian of 2 pixels halves the contrast of such stripes:
    # exp(-2 (pi 2 / 11)^2) = 0.52.
    "blur_sigma": 2.0,
}
"""Where each strength of an `AugmentConfig` becomes implausible; see the module's docstring."""

_CLASS_ASPECTS: Final = 1.21
"""Ratio of the classes' mean aspects, 1.51 of PNEUMONIA to 1.25 of NORMAL, over the original training files."""


class Verdict(StrEnum):
    """Whether a change could occur on an X-ray."""

    PLAUSIBLE = "plausible"
    QUESTIONABLE = "questionable"
    IMPLAUSIBLE = "implausible"


@dataclass(frozen=True, slots=True)
class Note:
    """Assessment of one operation, named with its strength, such as ``"Rotation ±7°"``; the reason in a sentence or two."""

    operation: str
    verdict: Verdict
    reason: str


_FRAME: Final = {
    Verdict.PLAUSIBLE: "Two exposures of one child can differ this much, and the lungs stay in the image.",
    Verdict.QUESTIONABLE: "Two exposures of one child seldom differ this much; the lungs barely stay in the image.",
    Verdict.IMPLAUSIBLE: "The lungs end about a tenth of the side from the border, so parts of them are lost: signs of "
    "pneumonia may disappear while the label stays.",
}
_TONE: Final = {
    Verdict.PLAUSIBLE: "The training images themselves differ this much, so this makes the model less dependent on exposure.",
    Verdict.QUESTIONABLE: "Nine in ten training images differ less from the mean.",
    Verdict.IMPLAUSIBLE: "This is over twice the variation of the training images: bright or dark parts are clipped.",
}
_DETAIL: Final = {
    Verdict.PLAUSIBLE: "Ribs, about eleven pixels apart, stay visible. The classes differ in sharpness, a cue that this blurs.",
    Verdict.QUESTIONABLE: "Ribs, about eleven pixels apart, stay visible, but fine lines of a viral pneumonia may disappear.",
    Verdict.IMPLAUSIBLE: "Ribs, about eleven pixels apart, fade as well: no diagnostic X-ray is this blurred.",
}
_HORIZONTAL: Final = Note(
    "Horizontal flip",
    Verdict.QUESTIONABLE,
    # Evans et al. 2010, doi:10.1007/s00246-009-9516-0.
    "The heart moves to the other side, as in about one child in 10,000, and L and R markers are mirrored. Pneumonia can be on "
    "either side, so the label stays correct.",
)
_VERTICAL: Final = Note(
    "Vertical flip",
    Verdict.IMPLAUSIBLE,
    "The diaphragm is above the lungs and the neck below them. X-rays are never read this way, and half of the training "
    "images are flipped.",
)


def plausibility(config: AugmentConfig) -> tuple[Note, ...]:
    """Assessments of the operations that are on, in the order of the config's fields."""
    zoom, blur = config.zoom, config.blur_sigma
    cut, smeared = 1 - (1 - zoom) ** 2, 1 - (1 + zoom) ** -2
    # A Gaussian halves the contrast of stripes at a distance d where exp(-2 (pi sigma / d)^2) = 1/2.
    faded = math.pi * blur * math.sqrt(2 / math.log(2))
    notes = (
        _graded(
            config,
            "zoom",
            f"Zoom ±{100 * zoom:.3g} %",
            f"Up to {100 * cut:.0f} % is cut off, or {100 * smeared:.0f} % is padding.",
            _FRAME,
        ),
        _stretch(zoom) if zoom and not config.zoom_keeps_aspect else None,
        _graded(config, "rotation_deg", f"Rotation ±{config.rotation_deg:g}°", "The child is tilted.", _FRAME),
        _graded(config, "shift", f"Shift ±{100 * config.shift:.3g} %", "One border is cut off.", _FRAME),
        _HORIZONTAL if config.horizontal_flip else None,
        _VERTICAL if config.vertical_flip else None,
        _graded(config, "contrast", f"Contrast ±{100 * config.contrast:.3g} %", "Devices differ in contrast.", _TONE),
        _graded(
            config,
            "brightness",
            f"Brightness ±{100 * config.brightness:.3g} %",
            f"Up to {255 * config.brightness:.0f} of 255 gray levels.",
            _TONE,
        ),
        _graded(
            config, "blur_sigma", f"Blur up to {blur:g} px", f"Stripes {faded:.0f} pixels apart fade by half.", _DETAIL
        ),
    )
    return tuple(note for note in notes if note is not None)


def _graded(
    config: AugmentConfig, field: str, operation: str, effect: str, judgment: dict[Verdict, str]
) -> Note | None:
    value, limit = getattr(config, field), LIMITS[field]
    if value == 0:
        return None
    verdict = list(Verdict)[(value > limit / 2) + (value > limit)]
    return Note(operation, verdict, f"{effect} {judgment[verdict]}")


def _stretch(zoom: float) -> Note:
    """Assess a zoom that draws a factor for each axis: never plausible, as no exposure stretches a child."""
    ratio = (1 + zoom) / (1 - zoom)
    is_usual = ratio <= _CLASS_ASPECTS
    return Note(
        f"Stretch up to {ratio:.2f}:1",
        Verdict.QUESTIONABLE if is_usual else Verdict.IMPLAUSIBLE,
        "Each axis has its own zoom, and no exposure stretches a child. Resizing files to squares does, on average by "
        f"{_CLASS_ASPECTS:g} more in one class than in the other; this is {'not' if is_usual else 'even'} more.",
    )
