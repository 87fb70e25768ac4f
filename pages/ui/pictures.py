"""Images of a data set's files, read when they are shown, and text with Markdown escaped."""

import io
import re
from pathlib import Path

import streamlit as st
from PIL import Image, ImageOps

from pneumo_core.data.images import decode_gray, read_indexed

_THUMBNAIL = 224
_LONGEST_SIDE = 1600


def plain(text: str) -> str:
    """Text with its Markdown escaped."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|$:~-])", r"\\\1", text)


@st.cache_data(max_entries=480, show_spinner=False)
def thumbnail(root: str, image_id: str, sha256: str) -> bytes:
    """A file of the index as a small square JPEG, on black where it is not square.

    Raises:
        DataError: The file is gone, damaged, or not the one that was indexed.
    """
    return _jpeg(ImageOps.pad(_read(root, image_id, sha256), (_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR))


@st.cache_data(max_entries=16, show_spinner=False)
def picture(root: str, image_id: str, sha256: str) -> bytes:
    """A file of the index as a JPEG of at most 1,600 pixels on its longest side; the same errors as `thumbnail`."""
    return _jpeg(bounded(_read(root, image_id, sha256), _LONGEST_SIDE))


def bounded(image: Image.Image, side: int) -> Image.Image:
    """An image of at most `side` pixels on its longest side; a larger one is shrunk in place."""
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return image


def _read(root: str, image_id: str, sha256: str) -> Image.Image:
    return Image.fromarray(decode_gray(read_indexed(Path(root), image_id, sha256), image_id))


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
