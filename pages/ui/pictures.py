"""Images of a data set's files, read when they are shown, and text with Markdown escaped."""

import io
import re
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pneumo_core.augmentation.stress import degraded_copy, original_id
from pneumo_core.data.images import decode_gray, read_indexed

_THUMBNAIL = 224
_LONGEST_SIDE = 1600


def plain(text: str) -> str:
    """Text with its Markdown escaped."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|$:~-])", r"\\\1", text)


@st.cache_data(max_entries=480, show_spinner=False)
def thumbnail(root: str, image_id: str, sha256: str, side: int | None = None) -> bytes:
    """A file of the index as a small square JPEG, on black where it is not square.

    With `side`, that of the run's images, a degraded copy is made again from its original; `sha256` is the original's.

    Raises:
        DataError: The file is gone, damaged, or not the one that was indexed.
    """
    shown = _read(root, image_id, sha256) if side is None else Image.fromarray(_copy(root, image_id, sha256, side))
    return _jpeg(ImageOps.pad(shown, (_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR))


@st.cache_data(max_entries=16, show_spinner=False)
def picture(root: str, image_id: str, sha256: str) -> bytes:
    """A file of the index as a JPEG of at most 1,600 pixels on its longest side; the same errors as `thumbnail`."""
    return _jpeg(bounded(_read(root, image_id, sha256), _LONGEST_SIDE))


def bounded(image: Image.Image, side: int) -> Image.Image:
    """An image of at most `side` pixels on its longest side; a larger one is shrunk in place."""
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return image


def _copy(root: str, image_id: str, sha256: str, side: int) -> NDArray[np.uint8]:
    original = original_id(image_id)
    data = read_indexed(Path(root), original, sha256)
    return degraded_copy(decode_gray(data, original, size=side), image_id)


def _read(root: str, image_id: str, sha256: str) -> Image.Image:
    return Image.fromarray(decode_gray(read_indexed(Path(root), image_id, sha256), image_id))


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
