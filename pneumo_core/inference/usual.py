"""What an image has in common with those that classifiers learn from: its gray levels, size and shape.

The gate evens out brightness and contrast; a classifier does not: halving the gray levels of an X-ray can turn its answer, so
that the answer comes with a warning.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from pneumo_core.data.dicom_facts import Note
from pneumo_core.data.images import Decoded

MIN_BRIGHT: Final = 130
"""Least 99th percentile of the gray levels at 150 pixels: of the 5,216 training images the least is 131 (November 2026)."""

MAX_DARK: Final = 100
"""Largest 1st percentile of the gray levels: four of the training images have more (November 2026)."""

MIN_RANGE: Final = 100
"""Least difference of those two: three of the training images, two of them among those four, have less (November 2026). With
both other limits five have a warning, 0.1 %."""

MIN_SIDE: Final = 127
"""Shorter side of the smallest original training image, in pixels: below it, detail is missing from all that was learned."""

MAX_ASPECT: Final = 3.0
"""Longer side by shorter, about twice the mean of the original PNEUMONIA training files, 1.51 (of NORMAL, 1.25). The extremes
are not known, as the copies that the limits were measured on are square."""

FULL_RANGE: Final = "export it with its full range of gray levels"


def unusual(image: Decoded) -> Iterator[Note]:
    """Warnings of an image, at a classifier's size, that is unlike those that classifiers learn from."""
    dark, bright = (float(level) for level in np.percentile(image.gray, (1, 99)))
    if bright < MIN_BRIGHT or dark > MAX_DARK or bright - dark < MIN_RANGE:
        what = f"98 % of the gray levels lie between {dark:.0f} and {bright:.0f} of 255, unlike in the training images"
        yield Note("gray_range", what, FULL_RANGE)
    shorter, longer = sorted((image.width, image.height))
    size = f"the image has {image.width} x {image.height} pixels"
    if longer > MAX_ASPECT * shorter:
        yield Note("aspect", f"{size}, unlike the shape of a chest X-ray", "choose the whole X-ray")
    if shorter < MIN_SIDE:
        yield Note("small", f"{size}, fewer on a side than any training image", "choose the original image")
