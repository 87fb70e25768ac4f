"""Assessment whether an augmentation's changes could occur on a child's chest X-ray.

Each strength has one limit. Beyond it the change is implausible; within half of it, plausible; between, questionable. Half,
because an image gets all changes at once. A verdict concerns anatomy and exposure, not accuracy, which only a run measures.

The average NORMAL training image shows lungs up to about a tenth of the side from the border (`_LUNG_MARGIN`), and single
images confirm it. The limits of the three geometric changes follow from that: lungs in such a box begin to leave the image.
The limits of contrast, brightness, sharpness and gamma are twice the variation of the training images; those of blur,
resolution, noise and JPEG are where ribs or fine lines lose half of their contrast or drown. They were measured on training
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
    # Resizing files to squares stretches one class by this much more than the other, on average (`_CLASS_ASPECTS`).
    "aspect": 0.21,
    # Averages over 4 pixels, drawn by lines between them, halve the contrast of stripes 11 pixels apart: sinc(4 / 11)^3 = 0.49.
    "resolution": 0.75,
    # 90 % of the images have a detail, what a Gaussian of one pixel takes away, of 2.6 to 5.4 gray levels, 0.36 of its mean to
    # either side.
    "sharpness": 0.72,
    # 90 % of the images have a mean that an exponent of 1.44 or 1 / 1.44 brings to the middle one; the square is twice that in
    # the logarithm.
    "gamma": 1.08,
    # Noise of 4.5 of 255 gray levels has as much detail as the mean image, 3.9 gray levels: a Gaussian of one pixel leaves
    # sqrt(1 - 2 / (2 pi) + 1 / (4 pi)) = 0.87 of it to the difference.
    "noise": 0.0177,
    # At quality 12, JPEG leaves half of the detail of the middle image.
    "jpeg": 88.0,
    # A lung of the average NORMAL image is about half of the side high and a fifth wide: this square covers half of it.
    "cutout": 0.25,
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
_SPREAD: Final = {
    Verdict.PLAUSIBLE: "The training images themselves differ this much, so this makes the model less dependent on device and "
    "file.",
    Verdict.QUESTIONABLE: _TONE[Verdict.QUESTIONABLE],
    Verdict.IMPLAUSIBLE: "This is over twice the variation of the training images.",
}
_SHAPE: Final = {
    Verdict.PLAUSIBLE: "Resizing files to squares stretches the classes apart by twice as much: a cue that this hides.",
    Verdict.QUESTIONABLE: "Resizing files to squares stretches the classes apart by as much: a cue that this hides.",
    Verdict.IMPLAUSIBLE: f"Resizing files to squares stretches them by {_CLASS_ASPECTS:g} more in one class than in the other, "
    "which is less: hearts and ribs no longer have a child's shape.",
}
_GRAIN: Final = {
    Verdict.PLAUSIBLE: "Fine lines, as strong as 4 gray levels, stay above it.",
    Verdict.QUESTIONABLE: "Fine lines, as strong as 4 gray levels, begin to drown.",
    Verdict.IMPLAUSIBLE: "Fine lines, as strong as 4 gray levels, drown: a radiograph this noisy would be repeated.",
}
_FILE: Final = {
    Verdict.PLAUSIBLE: "Most fine lines stay. The classes' files differ in compression, a cue that this hides.",
    Verdict.QUESTIONABLE: "More than half of the fine lines' contrast stays. The classes' files differ in compression.",
    Verdict.IMPLAUSIBLE: "Less than half of the fine lines' contrast stays, and squares of 8 pixels appear.",
}
_HIDDEN: Final = {
    Verdict.PLAUSIBLE: "A lung is about twice as high: most of each stays, and the model must look at all of it.",
    Verdict.QUESTIONABLE: "Up to half of a lung is covered: a small focus of pneumonia may be, while the label stays.",
    Verdict.IMPLAUSIBLE: "More than half of a lung is covered: a pneumonia may disappear while the label stays.",
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


def plausibility(config: AugmentConfig, mixup: float = 0.0) -> tuple[Note, ...]:
    """Assessments of the operations that are on, in the order of the config's fields; then that of mixup."""
    zoom, blur = config.zoom, config.blur_sigma
    cut, smeared = 1 - (1 - zoom) ** 2, 1 - (1 + zoom) ** -2
    # A Gaussian halves the contrast of stripes at a distance d where exp(-2 (pi sigma / d)^2) = 1/2.
    faded = math.pi * blur * math.sqrt(2 / math.log(2))
    side = 100 * config.cutout
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
        _graded(
            config,
            "aspect",
            f"Aspect up to {1 + config.aspect:.3g}:1",
            "The image is stretched in one direction, which no exposure does.",
            _SHAPE,
        ),
        _graded(
            config,
            "resolution",
            f"Resolution down to {100 * (1 - config.resolution):.3g} %",
            f"{150 * (1 - config.resolution):.0f} of 150 pixels a side are left.",
            _DETAIL,
        ),
        _graded(
            config,
            "sharpness",
            f"Sharpness ±{100 * config.sharpness:.3g} %",
            "Files are sharpened or smoothed, more in one class than in the other.",
            _SPREAD,
        ),
        _graded(
            config,
            "gamma",
            f"Gamma {1 / (1 + config.gamma):.3g} to {1 + config.gamma:.3g}",
            f"Middle gray becomes {255 * 0.5 ** (1 + config.gamma):.0f} to {255 * 0.5 ** (1 / (1 + config.gamma)):.0f}.",
            _SPREAD,
        ),
        _graded(
            config,
            "noise",
            f"Noise up to {100 * config.noise:.3g} %",
            f"Standard deviations of up to {255 * config.noise:.1f} gray levels.",
            _GRAIN,
        ),
        _graded(config, "jpeg", f"JPEG down to quality {100 - config.jpeg:.3g}", "Files are compressed again.", _FILE),
        _graded(
            config,
            "cutout",
            f"Cutout up to {side:.3g} %",
            f"A gray square of up to {side * config.cutout:.0f} % of the image, which no X-ray has.",
            _HIDDEN,
        ),
        _mixing(mixup) if mixup else None,
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


def _mixing(mixup: float) -> Note:
    """Assess mixup: no X-ray shows two children, whatever the share."""
    return Note(
        f"Mixup {mixup:g}",
        Verdict.IMPLAUSIBLE,
        "Up to half of another image lies over each, and as much of its label: no X-ray shows two children. The network learns "
        "to be less certain between images.",
    )


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
