"""The split `stress`: degraded copies of validation images, which imitate how images differ between devices and years.

NORMAL and PNEUMONIA training images differ in frame, aspect and sharpness, and NORMAL test images do not share all of it, so
held-out training patients look easier than test whatever a model does. Copies that vary at random in these, in compression,
noise and exposure, in both classes alike, take such cues away; what chooses an epoch, a threshold or a setting on them cannot
lean on them.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.augmentation.transform import augment
from pneumo_core.config.augment import STRESS
from pneumo_core.config.classifier import Preset

COPIES: Final = 4
"""Copies of each validation image."""

_MARK: Final = "#"
_COPY: Final = re.compile(rf"{_MARK}\d+$")


def copies_of(preset: Preset) -> int:
    """Copies of each validation image of a preset's runs: one of quick runs, else `COPIES`."""
    return 1 if preset is Preset.QUICK else COPIES


def copy_ids(image_ids: Sequence[str], copies: int = COPIES) -> list[str]:
    """Ids of the copies, in the order of `degraded`: ``IMAGE_ID#1``, ``IMAGE_ID#2`` and so on."""
    return [f"{image_id}{_MARK}{number}" for image_id in image_ids for number in range(1, copies + 1)]


def original_id(image_id: str) -> str:
    """Id of the image that a copy was made of; of an image itself, its own id."""
    return _COPY.sub("", image_id)


def degraded(images: NDArray[np.uint8], image_ids: Sequence[str], copies: int = COPIES) -> NDArray[np.uint8]:
    """Copies of images with the changes of `config.augment.STRESS`, which depend only on image id and number of the copy.

    Args:
        images: `(n, size, size)` uint8, at the size that the model takes: its pixels are those of blur and resolution.
        image_ids: Their ids.
        copies: Copies of each image, at least 1.

    Returns:
        `(n * copies, size, size)` uint8, the copies of an image beside each other.
    """
    made = np.empty((len(images) * copies, *images.shape[1:]), np.uint8)
    for place, name in enumerate(copy_ids(image_ids, copies)):
        made[place] = degraded_copy(images[place // copies], name)
    return made


def degraded_copy(image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """The copy of this id of its original image, `(size, size)` uint8, as `degraded` makes it."""
    rng = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
    made: NDArray[np.uint8] = np.rint(augment(image[np.newaxis], STRESS, rng)[0]).astype(np.uint8)
    return made
