"""What a finding of the gate advises, done to the image: turned, mirrored or inverted, in memory."""

import io
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.images import decode_gray
from pneumo_core.inference.gate import Finding

_Pixels = NDArray[np.uint8]

_MENDS: Final[dict[Finding, Callable[[_Pixels], NDArray[Any]]]] = {
    Finding.TURNED_90: lambda gray: np.rot90(gray, -1),
    Finding.TURNED_180: lambda gray: np.rot90(gray, 2),
    Finding.TURNED_270: np.rot90,
    Finding.FLIPPED: np.flipud,
    Finding.INVERTED: lambda gray: 255 - gray,
}

MENDABLE: Final = frozenset(_MENDS)
"""Findings whose advice can be followed without another file."""


def mended(data: bytes, name: str, finding: Finding) -> bytes:
    """An image as the gate advises it for a finding, which must be one of `MENDABLE`.

    Args:
        data: The file.
        name: Its name in an error message.
        finding: What is wrong with it.

    Returns:
        A PNG file of its gray pixels at their full size.

    Raises:
        ImageError: The file is not an acceptable image; see `data.images.decode`.
    """
    buffer = io.BytesIO()
    pixels = np.ascontiguousarray(_MENDS[finding](decode_gray(data, name)))
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
