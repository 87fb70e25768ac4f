"""Settings of the random changes to training images, and of those that make the copies of the split `stress`."""

from dataclasses import dataclass, replace
from typing import Final

from pneumo_core.config.limits import require_within
from pneumo_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Random changes to each training image, drawn again for every image and epoch.

    Attributes:
        zoom: Zoom factors are drawn from [1 - zoom, 1 + zoom]; in [0, 0.9].
        zoom_keeps_aspect: Whether both axes share one factor; Keras' generator draws one for each axis.
        rotation_deg: Angles are drawn from [-rotation_deg, rotation_deg]; in [0, 180].
        shift: Shifts are drawn from [-shift, shift] as a fraction of the side; in [0, 0.5].
        horizontal_flip: Whether half of the images are mirrored left to right.
        vertical_flip: Whether half of the images are mirrored top to bottom.
        contrast: Contrast factors about the image's mean are drawn from [1 - contrast, 1 + contrast]; in [0, 0.9].
        brightness: Offsets are drawn from [-brightness, brightness] gray levels as a fraction of 255; in [0, 0.5].
        blur_sigma: Standard deviations of a Gaussian blur are drawn from [0, blur_sigma] pixels; in [0, 5].
        aspect: Factors on the ratio of width to height are drawn from [1 / (1 + aspect), 1 + aspect]; in [0, 0.5].
        resolution: Images are reduced to a fraction of their pixels per side, drawn from [1 - resolution, 1], and enlarged
            again; in [0, 0.9].
        sharpness: Factors on what a Gaussian blur of one pixel takes away are drawn from [1 - sharpness, 1 + sharpness]; in
            [0, 1].
        gamma: Exponents of the gray levels, as fractions of 255, are drawn from [1 / (1 + gamma), 1 + gamma]; in [0, 2].
        noise: Standard deviations of Gaussian noise are drawn from [0, noise] as a fraction of 255; in [0, 0.3].
        jpeg: Qualities of a JPEG compression are drawn from [100 - jpeg, 100]; in [0, 95]; 0 is no compression.
        cutout: Sides of a square that is filled with the image's mean are drawn from [0, cutout] as a fraction of the side
            (DeVries and Taylor 2017, arXiv:1708.04552); in [0, 0.5].
    """

    zoom: float = 0.0
    zoom_keeps_aspect: bool = False
    rotation_deg: float = 0.0
    shift: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    contrast: float = 0.0
    brightness: float = 0.0
    blur_sigma: float = 0.0
    aspect: float = 0.0
    resolution: float = 0.0
    sharpness: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        for name, high in _LIMITS.items():
            require_within(f"augment.{name}", getattr(self, name), 0.0, high)
        for name in ("zoom_keeps_aspect", "horizontal_flip", "vertical_flip"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"augment.{name} must be true or false. Received: {name}={getattr(self, name)!r}")


_LIMITS: Final = {
    "zoom": 0.9,
    "rotation_deg": 180.0,
    "shift": 0.5,
    "contrast": 0.9,
    "brightness": 0.5,
    "blur_sigma": 5.0,
    "aspect": 0.5,
    "resolution": 0.9,
    "sharpness": 1.0,
    "gamma": 2.0,
    "noise": 0.3,
    "jpeg": 95.0,
    "cutout": 0.5,
}

ADDED_LATER: Final = ("aspect", "resolution", "sharpness", "gamma", "noise", "jpeg", "cutout")
"""Fields that earlier configs and settings files lack; 0, their default, is their value there."""

_REPORT: Final = AugmentConfig(zoom=0.3, vertical_flip=True)

STRESS: Final = AugmentConfig(
    zoom=0.25,
    zoom_keeps_aspect=True,
    rotation_deg=8.0,
    shift=0.05,
    contrast=0.3,
    brightness=0.1,
    blur_sigma=1.0,
    aspect=0.3,
    resolution=0.6,
    sharpness=1.0,
    gamma=0.5,
    noise=0.05,
    jpeg=80.0,
)
"""What makes the copies of the split `stress`: the operations of the augmentation ``jitter`` that change how an image was
framed, taken and stored, not what it shows."""

AUGMENTATIONS: Final[dict[str, AugmentConfig]] = {
    # Report section 2.3: zoom_range=0.3, vertical_flip=True, and its two experiments.
    "report": _REPORT,
    "report-horizontal-flip": replace(_REPORT, horizontal_flip=True),
    "report-rotation-40": replace(_REPORT, rotation_deg=40.0),
    # Differences that two exposures of one child could show. No flips: they move the heart or the diaphragm. Blur and contrast
    # because NORMAL and PNEUMONIA files differ in size and compression, a shortcut that a model should not use.
    "sound": AugmentConfig(
        zoom=0.1,
        zoom_keeps_aspect=True,
        rotation_deg=7.0,
        shift=0.05,
        contrast=0.2,
        brightness=0.1,
        blur_sigma=1.0,
    ),
    # Strong changes of all that tells the classes' files apart but is no sign of pneumonia; docs/recipe.md has the search.
    # Zoom and aspect are beyond what one child's exposures differ by: a file's frame and its squashing give its class away.
    "jitter": replace(STRESS, horizontal_flip=True, cutout=0.3),
    "none": AugmentConfig(),
}


def augmentation_name(augment: AugmentConfig) -> str:
    """Name of a setting in `AUGMENTATIONS`, or ``"custom"``."""
    return next((name for name, known in AUGMENTATIONS.items() if known == augment), "custom")
