"""Letters and other marks that are burned into an image: small bright shapes that stand alone on something darker."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

_KERNEL: Final = np.ones((19, 19), np.uint8)
_LEAST_RISE: Final = 45
_LEAST_PEAK: Final = 70
"""Gray levels above what an opening leaves (the white top-hat), of every pixel of a shape and of its brightest."""

_HEIGHTS, _WIDTHS, _LEAST_AREA = (4, 24), (3, 20), 9
_FILLS: Final = (0.2, 0.9)
"""Share of the box around a shape that it fills: a letter has gaps, a line is thin, an electrode is round."""

_RING: Final = 3
_MOST_UNREST: Final = 24.0
_MOST_RISE_AROUND: Final = 0.3
"""Standard deviation of the gray levels in a ring around the box, and share of the shape's rise that the ring may have: ribs
and the outline of the skin go on beyond a box."""


def marks(gray: NDArray[np.uint8]) -> int:
    """Number of letters and other marks, such as electrodes, in an image.

    It finds more than half of the letters and little else (docs/data.md); not faint letters, and not those on bright ground or
    that touch something bright.

    Args:
        gray: `(224, 224)` uint8 array in [0, 255].
    """
    rise = np.asarray(cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, _KERNEL), np.uint8)
    _, shapes, boxes, _ = cv2.connectedComponentsWithStats((rise > _LEAST_RISE).astype(np.uint8), connectivity=8)
    labels = np.asarray(shapes, np.int32)
    width, height, area = boxes[:, 2], boxes[:, 3], boxes[:, 4]
    fill = area / (width * height)
    fits = (height >= _HEIGHTS[0]) & (height <= _HEIGHTS[1]) & (width >= _WIDTHS[0]) & (width <= _WIDTHS[1])
    fits &= (area >= _LEAST_AREA) & (fill >= _FILLS[0]) & (fill <= _FILLS[1])
    fits[0] = False  # The background.
    return sum(_stands_alone(gray, rise, labels, boxes[number], int(number)) for number in np.flatnonzero(fits))


def _stands_alone(
    gray: NDArray[np.uint8], rise: NDArray[np.uint8], labels: NDArray[np.int32], box: NDArray[Any], number: int
) -> bool:
    left, top, width, height = (int(value) for value in box[:4])
    place = np.s_[max(0, top - _RING) : top + height + _RING, max(0, left - _RING) : left + width + _RING]
    ring = np.ones(gray[place].shape, bool)
    ring[min(top, _RING) :, min(left, _RING) :][:height, :width] = False
    shape = labels[place] == number
    around, inside = gray[place][ring], gray[place][shape]
    rise_around, rise_inside = rise[place][ring], rise[place][shape]
    return bool(
        rise_inside.max() >= _LEAST_PEAK
        and inside.mean() - around.mean() >= _LEAST_RISE
        and around.max() <= 0.9 * inside.max()
        and around.std() <= _MOST_UNREST
        and np.percentile(rise_around, 90) <= _MOST_RISE_AROUND * rise_inside.mean()
    )
