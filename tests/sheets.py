"""A DCGAN's sheet of samples, taken apart again."""

import numpy as np
from numpy.typing import NDArray

from pneumo_core.data.synthetic import SHEET_COLUMNS

__all__ = ["split_sheet"]


def split_sheet(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The images of a full sheet, `(count, size, size)` uint8."""
    size = pixels.shape[1] // SHEET_COLUMNS
    grid = pixels.reshape(-1, size, SHEET_COLUMNS, size).transpose(0, 2, 1, 3)
    return grid.reshape(-1, size, size)
