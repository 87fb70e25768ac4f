"""Shortcut probes: what a prediction rests on, tried by changing the image and asking the model again.

A model can read what is no lung: a file's compression, a marker, the edge of the film (DeGrave 2021,
doi:10.1038/s42256-021-00338-7). A probe changes one such thing and leaves the rest.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pneumo_core.inference.session import Session, run_many
from pneumo_core.inference.spots import central

Gray = NDArray[np.uint8]

BLUR: Final = 0.01
"""Radius of the blur, as a share of the image's side: fine texture goes, ribs and opacities stay."""

QUALITY: Final = 20
"""JPEG quality of the recompression, of 100: blocks are visible."""


class Probe(StrEnum):
    """A change of the image."""

    BLUR = "blur"
    JPEG = "jpeg"
    BORDERS = "borders"
    CENTER = "center"


@dataclass(frozen=True, slots=True)
class Probed:
    """A model's answer to a changed image.

    Attributes:
        probe: The change.
        image: The changed image, `(size, size)` uint8.
        logit: The model's raw output for it.
    """

    probe: Probe
    image: Gray
    logit: float


def blurred(gray: Gray) -> Gray:
    """The image without fine texture."""
    return np.asarray(Image.fromarray(gray).filter(ImageFilter.GaussianBlur(BLUR * gray.shape[0])))


def recompressed(gray: Gray) -> Gray:
    """The image after a strong JPEG compression."""
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(buffer))


def without_borders(gray: Gray) -> Gray:
    """The image with everything outside the central region in the region's mean gray."""
    return _masked(gray, ~central(*gray.shape))


def without_center(gray: Gray) -> Gray:
    """The image with the central region in the mean gray of what is outside.

    In its own mean gray, or blurred, the region looks like one opacity: the published baseline then classified 14 and 13 of 14
    NORMAL validation images as PNEUMONIA, and with this gray 1.
    """
    return _masked(gray, central(*gray.shape))


def _masked(gray: Gray, mask: NDArray[np.bool_]) -> Gray:
    return np.where(mask, np.uint8(round(float(gray[~mask].mean()))), gray)


CHANGES: Final[dict[Probe, Callable[[Gray], Gray]]] = {
    Probe.BLUR: blurred,
    Probe.JPEG: recompressed,
    Probe.BORDERS: without_borders,
    Probe.CENTER: without_center,
}
"""What each probe does to an image, `(size, size)` uint8, which stays as it is."""

NAMES: Final[dict[Probe, str]] = {
    Probe.BLUR: "Blurred",
    Probe.JPEG: f"Recompressed, JPEG quality {QUALITY}",
    Probe.BORDERS: "Borders masked",
    Probe.CENTER: "Center masked",
}
"""Each probe in words."""


def probed(session: Session, gray: Gray) -> tuple[Probed, ...]:
    """Ask a model again about an image, `(size, size)` uint8 as it takes it, after each change."""
    images = [change(gray) for change in CHANGES.values()]
    logit = run_many(session, images, len(images)).logit
    return tuple(Probed(probe, image, float(value)) for probe, image, value in zip(CHANGES, images, logit, strict=True))


def meaning(probe: Probe, *, pneumonia: bool, changed: bool) -> str:
    """What a probe's outcome means, in a sentence.

    Args:
        probe: The change.
        pneumonia: Whether the model classified the unchanged image as PNEUMONIA.
        changed: Whether the changed image gets the other class.
    """
    match probe, changed:
        case ((Probe.BLUR | Probe.JPEG), False):
            return "The answer does not rest on fine texture or on the file's compression."
        case Probe.BLUR, True:
            return "The answer rests on fine texture, which differs between machines and files."
        case Probe.JPEG, True:
            return "The answer depends on compression, which says nothing about the lungs."
        case Probe.BORDERS, False:
            return "The answer does not need the borders: markers, arms and the edge of the film."
        case Probe.BORDERS, True:
            return "The answer needs the borders, where markers and arms are and no lung is: distrust it."
    if changed:
        return "Without the lungs the answer is another, as it should be if the model looks at them."
    if pneumonia:
        return "The answer stays PNEUMONIA without the lungs, so the model does not need to look at them. Distrust it."
    return "The answer stays NORMAL without the lungs, which says little: there is nothing left to find."
