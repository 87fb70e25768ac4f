"""What a finding of the gate advises, done to the image: turned, mirrored or inverted, in memory."""

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.images import Decoded, decode_gray
from pneumo_core.inference.gate import Finding

_Pixels = NDArray[np.uint8]

_MENDS: Final[dict[Finding, Callable[[_Pixels], NDArray[Any]]]] = {
    Finding.TURNED_90: lambda gray: np.rot90(gray, -1),
    Finding.TURNED_180: lambda gray: np.rot90(gray, 2),
    Finding.TURNED_270: np.rot90,
    Finding.FLIPPED: np.flipud,
    Finding.INVERTED: lambda gray: 255 - gray,
}

_DONE: Final = {
    Finding.TURNED_90: "turned by 90 degrees to the right",
    Finding.TURNED_180: "turned by 180 degrees",
    Finding.TURNED_270: "turned by 90 degrees to the left",
    Finding.FLIPPED: "mirrored top to bottom",
    Finding.INVERTED: "inverted",
}

MENDABLE: Final = frozenset(_MENDS)
"""Findings whose advice can be followed without another file."""


def done(findings: Iterable[Finding]) -> str:
    """What `mended` does to an image, in words, "" for no finding."""
    return ", then ".join(_DONE[finding] for finding in findings)


def mended(gray: _Pixels, findings: Iterable[Finding]) -> _Pixels:
    """An image as the gate advises it, `(height, width)` uint8, for findings of `MENDABLE`, one after the other."""
    for finding in findings:
        gray = np.ascontiguousarray(_MENDS[finding](gray))
    return gray


def mended_image(image: Decoded, findings: Iterable[Finding]) -> Decoded:
    """The same of a decoded image; a padding stays black."""
    findings = tuple(findings)
    content = None if image.content is None else mended(image.content, findings)
    return replace(image, gray=mended(image.gray, findings), content=content)


def mended_file(data: bytes, name: str, findings: Iterable[Finding]) -> bytes:
    """A PNG file of an image file's gray pixels at their full size, mended.

    Raises:
        ImageError: The file is not an acceptable image; see `data.images.decode`.
    """
    buffer = io.BytesIO()
    Image.fromarray(mended(decode_gray(data, name), findings)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
