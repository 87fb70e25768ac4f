"""Differentiable augmentation (Zhao 2020, arXiv:2006.10738): the same random changes to real and generated images.

The discriminator sees only changed images, so it cannot memorize few real images; the generator's gradient flows through the
changes, so they do not appear in its samples. The policy is the paper's "color, translation, cutout" for gray images.
"""

from typing import Any, Final

import numpy as np
from keras import ops
from numpy.typing import NDArray

CHANGES: Final = 6
"""Count of numbers that describe the changes of one image."""

_BRIGHTNESS: Final = 0.5
_CONTRAST: Final = 0.5
_SHIFT: Final = 1 / 8
_CUTOUT: Final = 1 / 2
"""Zhao 2020, appendix B: brightness of [-1, 1] and contrast in these halves, shifts of 1/8 and squares of 1/2 of the side,
less a pixel, so that a square has a center."""


def draw_changes(rng: np.random.Generator, count: int, size: int) -> NDArray[np.float32]:
    """Draw the changes of `count` images of `size` pixels a side.

    Returns:
        `(count, 6)` float32: brightness in gray levels, contrast factor, whole shifts down and right in pixels, row and
        column of the cut-out's center.
    """
    reach = int(size * _SHIFT + 0.5)
    columns = (
        rng.uniform(-_BRIGHTNESS, _BRIGHTNESS, count) * 127.5,
        rng.uniform(1 - _CONTRAST, 1 + _CONTRAST, count),
        rng.integers(-reach, reach + 1, count),
        rng.integers(-reach, reach + 1, count),
        rng.integers(0, size, count),
        rng.integers(0, size, count),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def apply_changes(images: Any, changes: Any) -> Any:
    """Apply the changes `(batch, 6)` of `draw_changes` to images, a float32 tensor `(batch, size, size, 1)` in [0, 255].

    Areas that are shifted in or cut out are black, and values may leave [0, 255].
    """
    size = images.shape[1]
    brightness, contrast, down, right, row, column = (ops.reshape(changes[:, i], (-1, 1, 1)) for i in range(CHANGES))
    pixels = ops.squeeze(images, -1) + brightness
    mean = ops.mean(pixels, axis=(1, 2), keepdims=True)
    pixels = (pixels - mean) * contrast + mean
    # A shift is a product with a shifted unit matrix: one-hot rows that fall outside are all zero.
    places = ops.arange(size, dtype="float32")
    rows = ops.cast(ops.equal(ops.reshape(places, (1, 1, -1)), ops.reshape(places, (1, -1, 1)) - down), pixels.dtype)
    columns = ops.cast(
        ops.equal(ops.reshape(places, (1, -1, 1)), ops.reshape(places, (1, 1, -1)) - right), pixels.dtype
    )
    pixels = ops.matmul(ops.matmul(rows, pixels), columns)
    half = size * _CUTOUT / 2
    inside = ops.logical_and(
        ops.less(ops.abs(ops.reshape(places, (1, -1, 1)) - row), half),
        ops.less(ops.abs(ops.reshape(places, (1, 1, -1)) - column), half),
    )
    return ops.expand_dims(pixels * ops.cast(ops.logical_not(inside), pixels.dtype), -1)
