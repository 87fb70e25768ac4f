"""The training images that the Augmentation page shows, and the controls that choose them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from pages.ui.address import linked_number
from pages.ui.augmentation.settings import LARGEST
from pages.ui.components import KEPT, choice
from pages.ui.known import phantom_sample
from pneumo_core.data.images import decode_gray, read_indexed
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Split

SHOWN = 4
"""Images of a sample that are shown."""

_SIZE = 150  # Pixels a side, as in every preset.
_COUNTED = 64  # Images of a sample: those that are shown, and others that the gray levels are counted on as well.


@dataclass(frozen=True, slots=True)
class Sample:
    """Training images to look at.

    Attributes:
        images: ``(n, 150, 150)`` uint8 gray, as training gets them.
        labels: Class of each.
    """

    images: NDArray[np.uint8]
    labels: tuple[Label, ...]


def choose_sample(index: DataIndex | None) -> tuple[Sample, int]:
    """Choice of training images, and of the seed of their changes.

    Args:
        index: The data set; None where it is being prepared: the images are then the first phantoms.

    Raises:
        DataError: There is no such image, or one is not what was indexed.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        chosen = choice("Class", ["all", *Label.__members__], key="of", bind="query-params", **KEPT)
        wanted = None if chosen == "all" else chosen
        wide: dict[str, Any] = {"width": 200, **KEPT}
        number = linked_number("Sample (+ draws another)", LARGEST, 0, key="sample", what="sample", **wide)
        seed = linked_number("Seed of the changes", LARGEST, 0, key="draw", what="seed of the changes", **wide)
    if index is None:
        return _first_phantoms(Label[wanted] if wanted else None, number), seed
    rows = index.table[index.table["split"] == Split.TRAIN.value]
    if wanted:
        rows = rows[rows["label"] == int(Label[wanted])]
    if rows.empty:
        found = f"no image there of class {wanted}" if wanted else "no image there"
        raise DataError(
            f"augmentation is shown on images of train. Received: {found}; choose another class or connect other data"
        )
    rows = rows.iloc[np.random.default_rng(number).permutation(len(rows))[:_COUNTED]]
    # Both classes are shown if both are selected, however rare one is.
    first = rows.groupby("label").head(SHOWN // rows["label"].nunique())
    rows = pd.concat([first, rows.drop(first.index)])
    images = _squares(str(index.root), tuple(rows["image_id"]), tuple(rows["sha256"]))
    return Sample(images, tuple(Label(label) for label in rows["label"])), seed


def _first_phantoms(wanted: Label | None, number: int) -> Sample:
    """The same of the first phantoms."""
    found = [(label, pixels) for label, pixels in zip(*phantom_sample(), strict=True) if wanted in {None, label}]
    found = found[number % len(found) :] + found[: number % len(found)]
    squares = [Image.fromarray(pixels).resize((_SIZE, _SIZE), Image.Resampling.BILINEAR) for _, pixels in found]
    return Sample(np.stack([np.asarray(square) for square in squares]), tuple(label for label, _ in found))


@st.cache_data(max_entries=8, show_spinner=False)
def _squares(root: str, image_ids: tuple[str, ...], hashes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Files of the index as the array cache of a training holds them."""
    pairs = zip(image_ids, hashes, strict=True)
    return np.stack([decode_gray(read_indexed(Path(root), name, sha), name, size=_SIZE) for name, sha in pairs])
