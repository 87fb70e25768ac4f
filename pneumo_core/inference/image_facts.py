"""Facts of images without a model: size and kind of file from the index, sharpness from the pixels."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.augmentation.stress import original_id
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError
from pneumo_core.evaluation.slices import FACTS

SIZE: Final = 150
"""Side of the squares whose sharpness is measured: that of every preset, so the cache exists after a training.
Sharpness at different sizes is not comparable."""


def image_facts(
    index: DataIndex, image_ids: list[str], progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """Facts of some images of a data set, from the array cache of training; of a degraded copy, those of its original.

    `progress` is called with images done and their total while the cache is built.

    Returns:
        One row per image, in the order of `image_ids`: `image_id`, `width`, `height` and `mode` as stored, `sharpness`.

    Raises:
        DataError: An image is not in the data set, or the images have changed since they were indexed.
        StoreError: The cache cannot be written.
    """
    every = index.table["image_id"].tolist()
    rows: list[int] = pd.Index(every).get_indexer([original_id(name) for name in image_ids]).tolist()
    if absent := [image_id for image_id, row in zip(image_ids, rows, strict=True) if row < 0]:
        raise DataError(
            f"the data set must have the images. Received: missing={len(absent)}, the first {absent[0]!r}; "
            "connect the data set that the run was trained on"
        )
    images = index.pixels(SIZE, progress)
    known = index.table.iloc[rows][["width", "height", "mode"]].reset_index(drop=True)
    return known.assign(image_id=image_ids, sharpness=[sharpness(images[row]) for row in rows])[list(FACTS)]


def sharpness(pixels: NDArray[np.uint8]) -> float:
    """Variance of an image's Laplacian: low if the image has no sharp edges (Pech-Pacheco et al. 2000, ICPR 3:314-317).

    Noise and contrast increase it too. Pixels are (height, width) gray, in [0, 255]; the result is in squared gray levels.
    """
    return float(cv2.Laplacian(np.ascontiguousarray(pixels), cv2.CV_64F).var())
