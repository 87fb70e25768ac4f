"""Measures of each image of a data set, without a model: gray levels, sharpness, borders, and what finds near duplicates.

They are computed once and stored beside the index.
"""

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.images import decode_gray, read_indexed
from pneumo_core.data.index import DataIndex
from pneumo_core.data.marks import marks
from pneumo_core.errors import StoreError
from pneumo_core.runs.files import hold_lock, store_errors, write_atomic
from pneumo_core.runs.store import datasets_root

SIZE: Final = 224
"""Side that images are measured at, in pixels: figures at other sizes are not comparable."""

THUMBNAIL: Final = 16
"""Side of the thumbnails that near duplicates are compared by."""

MEASURES: Final = {
    "brightness": "mean gray level, 0 to 255",
    "contrast": "standard deviation of the gray levels",
    "sharpness": "logarithm of the variance of the Laplacian at 224 pixels",
    "black": "share of pixels below a gray level of 6",
    "white": "share of pixels above a gray level of 249",
    "border": "share of the outermost twentieth that is black",
}
"""Columns of the measures and what they are."""

SHARES: Final = frozenset({"black", "white", "border"})
"""Measures that are shares, from 0 to 1."""

_SCHEMA: Final = 2
_COLUMNS: Final = ("image_id", *MEASURES, "hash", "thumbnail", "marks")
_CHUNK: Final = 512
_BLACK, _WHITE = 6, 249


def measure(index: DataIndex, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Measures of every image, stored or computed.

    Args:
        index: The data set.
        progress: Called with images done and their total while they are computed; may raise to stop.

    Returns:
        A row an image, in the order of the index: `image_id`, `MEASURES` as float64, `hash`, a perceptual hash of 64 bits as
        uint64, `thumbnail`, `THUMBNAIL`² bytes, and `marks`, how many `data.marks` finds, as int64.

    Raises:
        DataError: An image has changed since it was indexed.
        StoreError: The measures cannot be stored.
    """
    path = datasets_root() / index.data_id / f"measures-{_SCHEMA}.parquet"
    with hold_lock(path.with_suffix(".lock"), timeout_s=3600):
        found = stored_measures(index)
        if found is not None:
            return found
        ids, hashes = index.table["image_id"].tolist(), index.table["sha256"].tolist()
        rows: list[tuple[Any, ...]] = []
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for start in range(0, len(ids), _CHUNK):
                rows += pool.map(partial(_measured, index), ids[start : start + _CHUNK], hashes[start : start + _CHUNK])
                if progress:
                    progress(len(rows), len(ids))
        table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"hash": np.uint64})
        write_atomic(path, table.to_parquet(index=False))
        return table


def name_of(name: str) -> str:
    """A measure in a sentence."""
    return {"black": "black pixels", "white": "white pixels", "border": "black borders"}.get(name, name)


def value_of(name: str, value: float) -> str:
    """A value of a measure for people: three digits, shares in percent."""
    return f"{100 * value:.3g} %" if name in SHARES else f"{value:.3g}"


def stored_measures(index: DataIndex) -> pd.DataFrame | None:
    """The stored measures of a data set, or None if there are none that fit it."""
    path = datasets_root() / index.data_id / f"measures-{_SCHEMA}.parquet"
    try:
        with store_errors(path):
            table = pd.read_parquet(io.BytesIO(path.read_bytes()))
    except (StoreError, OSError, ValueError):  # Missing or damaged: they are computed again.
        return None
    fits = tuple(table.columns) == _COLUMNS and table["image_id"].equals(index.table["image_id"])
    return table if fits else None


def _measured(index: DataIndex, image_id: str, sha256: str) -> tuple[Any, ...]:
    return image_id, *measures_of(decode_gray(read_indexed(index.root, image_id, sha256), image_id, size=SIZE))


def measures_of(gray: NDArray[np.uint8]) -> tuple[Any, ...]:
    """Measures of one image, in the order of the columns after `image_id`.

    Args:
        gray: `(SIZE, SIZE)` uint8 array in [0, 255].
    """
    ring = SIZE // 20
    inner = gray[ring:-ring, ring:-ring]
    dark = int((gray < _BLACK).sum())
    border = (dark - int((inner < _BLACK).sum())) / (gray.size - inner.size)
    # Of a blank image the variance is 0.
    edges = max(float(cv2.Laplacian(gray, cv2.CV_64F).var()), 1e-6)
    thumbnail = cv2.resize(gray, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return (
        float(gray.mean()),
        float(gray.std()),
        float(np.log(edges)),
        dark / gray.size,
        float((gray > _WHITE).mean()),
        border,
        _hash(gray),
        thumbnail.tobytes(),
        marks(gray),
    )


def _hash(gray: NDArray[np.uint8]) -> int:
    """Perceptual hash of 64 bits: the signs of the lowest frequencies about their median."""
    import imagehash  # noqa: PLC0415  It imports SciPy's and PyWavelets' transforms, which pages need not load.

    bits = imagehash.phash(Image.fromarray(gray)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
