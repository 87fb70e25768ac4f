"""Overlay of a heat map on an X-ray."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Black, purple, orange, pale yellow: brightness increases throughout, for gray prints and color-blind readers.
_STOPS: Final = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], dtype=np.float32)
_PALETTE: Final = np.stack(
    [np.interp(np.linspace(0, 4, 256), np.arange(5), _STOPS[:, channel]) for channel in range(3)], axis=1
).astype(np.float32)


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32], *, opacity: float) -> NDArray[np.uint8]:
    """Blend a heat map over an image, more where it is hotter, so that cold regions stay as they are.

    Args:
        pixels: `(height, width)` uint8 gray image.
        heat: `(height, width)` float32 heat map in [0, 1].
        opacity: Opacity where the heat is 1, in [0, 1].

    Returns:
        `(height, width, 3)` uint8 image.
    """
    gray = np.repeat(pixels[..., None].astype(np.float32), 3, axis=2)
    alpha = (opacity * heat)[..., None]
    color = _PALETTE[np.round(heat * 255).astype(np.uint8)]
    return np.round(gray * (1 - alpha) + color * alpha).astype(np.uint8)
