"""An image in the middle of a black square, which keeps its aspect, and where it lies there."""

import numpy as np
from numpy.typing import NDArray


def padded(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image `(h, w)` in the middle of a black square whose side is its longer one."""
    square = np.zeros((max(content.shape),) * 2, np.uint8)
    square[inside(content.shape)] = content
    return square


def inside(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Where an image of a shape `(h, w)` lies in its padded square: its rows and columns."""
    side = max(shape)
    height, width = shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    return slice(top, top + height), slice(left, left + width)
