"""Generated images as files that are marked as synthetic in their names and metadata."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

MARK: Final = "synthetic"
"""Prefix of the name of every generated file."""

LICENSE: Final = (
    "Synthetic image, no patient's X-ray; made by a network trained on CC BY 4.0 images "
    "(Kermany 2018, doi:10.17632/rscbjbr9sj). Not for diagnosis."
)

SHEET_COLUMNS: Final = 8


def synthetic_name(run_id: str, seed: int, number: int) -> str:
    """File name of a sample; it matches no class folder's and no patient's name pattern."""
    return f"{MARK}-{run_id}-seed{seed}-{number:07d}.png"


def is_synthetic(name: str) -> bool:
    """Whether a file name is that of a generated image."""
    return name.lower().startswith(f"{MARK}-")


def synthetic_png(image: NDArray[np.uint8], facts: dict[str, object]) -> bytes:
    """A generated image as PNG with metadata that mark it as synthetic.

    Args:
        image: `(height, width)` uint8.
        facts: Facts such as its run and seed; written as text beside `Software` and `License`.
    """
    info = PngInfo()
    for name, value in {"Software": "pneumo_core", "Synthetic": "yes", "License": LICENSE, **facts}.items():
        info.add_text(name, str(value))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def sheet(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Arrange images in rows of `SHEET_COLUMNS`, without gaps; an incomplete last row ends in black.

    Args:
        images: `(count, size, size)` uint8.

    Returns:
        `(rows * size, SHEET_COLUMNS * size)` uint8.
    """
    count, size, _ = images.shape
    rows = -(-count // SHEET_COLUMNS)
    padded = np.zeros((rows * SHEET_COLUMNS, size, size), np.uint8)
    padded[:count] = images
    grid = padded.reshape(rows, SHEET_COLUMNS, size, size).transpose(0, 2, 1, 3)
    return grid.reshape(rows * size, SHEET_COLUMNS * size)
