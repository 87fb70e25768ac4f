"""Near duplicates: images that are the same but for their encoding, size or gray levels."""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.data.audit.check import Check, Evidence, Severity, counted, found, passed
from pneumo_core.data.audit.leaks import DEDUPLICATE, optimistic
from pneumo_core.data.images import decode_gray, read_indexed
from pneumo_core.data.index import DataIndex
from pneumo_core.data.measures import THUMBNAIL
from pneumo_core.records import Split

MOST_BITS: Final = 6
"""Bits in which the perceptual hashes of near duplicates differ at most.

Of 150 of the data set's images, copies saved at a JPEG quality of 30, halved, brightened by 15 % or with a gamma of .8 differ
in at most 6; a cut of 2 % of the frame in up to 12, so that cut images are not found."""

LEAST_CORRELATION: Final = 0.985
"""Least correlation of their thumbnails: of the same copies at least .991; of two different images of the data set whose hashes
are as near at most .981."""

LEAST_DETAIL: Final = 0.88
"""Least correlation of their detail at 112 pixels, without what a Gaussian blur of 2 pixels leaves: of the same copies at least
.937; of the likest different X-rays .53, and of two phantoms of one patient .77."""

_DETAIL_SIZE, _DETAIL_BLUR = 112, 2.0

_BANDS: Final = 8
"""Bands of 8 bits of a hash. Where at most 6 bits differ, at least two bands are equal, so only images that share two bands are
compared: their number grows almost in proportion to the images'."""


def near_duplicates(index: DataIndex, measures: pd.DataFrame) -> pd.DataFrame:
    """Pairs of images that are near duplicates but not byte-identical.

    They have like hashes, like thumbnails, and like detail, for which alone their files are read again. Of images with one
    hash, each is compared with the first of them alone.

    Args:
        index: The data set.
        measures: Its `data.measures.measure`.

    Returns:
        Rows of `first` and `second`, row numbers with `first` < `second`, in this order.

    Raises:
        DataError: An image has changed since it was indexed.
    """
    found = _like_thumbnails(measures)
    hashes = index.table["sha256"].to_numpy()
    found = [(one, other) for one, other in found if hashes[one] != hashes[other]]
    details = {row: _detail(index, row) for row in sorted({row for pair in found for row in pair})}
    near = [pair for pair in found if float(details[pair[0]] @ details[pair[1]]) >= LEAST_DETAIL]
    return pd.DataFrame(near, columns=["first", "second"], dtype=np.int64)


def _like_thumbnails(measures: pd.DataFrame) -> list[tuple[int, int]]:
    """Pairs of rows with like hashes and like thumbnails, sorted."""
    hashes, first, which = np.unique(measures["hash"].to_numpy(np.uint64), return_index=True, return_inverse=True)
    thumbnails = np.frombuffer(b"".join(measures["thumbnail"]), np.uint8).reshape(-1, THUMBNAIL**2)
    every = np.arange(len(which))
    pairs = {(int(first[group]), int(row)) for group, row in zip(which, every, strict=True) if first[group] != row}
    for one, other in _alike(hashes):
        low, high = sorted((int(first[one]), int(first[other])))
        pairs.add((low, high))
    if not pairs:
        return []
    ordered = sorted(pairs)
    left, right = np.array(ordered).T
    like = _correlations(thumbnails, left, right) >= LEAST_CORRELATION
    return [pair for pair, is_like in zip(ordered, like, strict=True) if is_like]


def _detail(index: DataIndex, row: int) -> NDArray[np.float32]:
    """Detail of an image as a vector of length 1, so that a product is a correlation; 0 of a blank image."""
    image_id, sha256 = (str(index.table[name].iloc[row]) for name in ("image_id", "sha256"))
    gray = decode_gray(read_indexed(index.root, image_id, sha256), image_id, size=_DETAIL_SIZE).astype(np.float32)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), _DETAIL_BLUR)
    detail -= detail.mean()
    return (detail / max(float(np.linalg.norm(detail)), 1e-6)).ravel()


def _alike(hashes: NDArray[np.uint64]) -> set[tuple[int, int]]:
    """Pairs of different hashes that differ in at most `MOST_BITS` bits."""
    bands = hashes.view(np.uint8).reshape(-1, _BANDS).astype(np.uint32)
    pairs: set[tuple[int, int]] = set()
    for one, other in combinations(range(_BANDS), 2):
        key = bands[:, one] << 8 | bands[:, other]
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        step = 1
        while (same := np.flatnonzero(ordered[step:] == ordered[:-step])).size:
            left, right = order[same], order[same + step]
            near = np.bitwise_count(hashes[left] ^ hashes[right]) <= MOST_BITS
            pairs.update(
                zip(np.minimum(left, right)[near].tolist(), np.maximum(left, right)[near].tolist(), strict=True)
            )
            step += 1
    return pairs


def _correlations(
    thumbnails: NDArray[np.uint8], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Correlation of the thumbnails of each pair; 1 where both are blank, else 0 where one is."""

    def centered(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        values = thumbnails[rows].astype(np.float64)
        result: NDArray[np.float64] = values - values.mean(axis=1, keepdims=True)
        return result

    one, other = centered(left), centered(right)
    norms = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    product = norms[0] * norms[1]
    blank = (norms[0] == 0) & (norms[1] == 0)
    return np.where(blank, 1.0, (one * other).sum(axis=1) / np.where(product == 0, 1.0, product))


def near(index: DataIndex, measures: pd.DataFrame) -> Iterator[Check]:
    """Near duplicates across splits, across classes, and in all, without those that are byte-identical."""
    table = index.table
    pairs = near_duplicates(index, measures)
    first, second = (table.iloc[pairs[name].to_numpy()].reset_index(drop=True) for name in ("first", "second"))
    names = first["image_id"] + " = " + second["image_id"]
    between = {(Split(one), Split(other)) for one, other in zip(first["split"], second["split"], strict=True)}
    kinds = (
        ("split", "near-duplicates-span-splits", "in several splits", optimistic(between)),
        ("label", "near-duplicates-span-labels", "in both classes", "One of the two labels is wrong."),
    )
    for column, code, where, consequence in kinds:
        chosen = first[column] != second[column]
        if chosen.any():
            n = len({*first["image_id"][chosen], *second["image_id"][chosen]})
            pair = counted(int(chosen.sum()), "pair")
            are = "is" if chosen.sum() == 1 else "are"
            words = f"{pair} of images, {where}, {are} the same but for encoding, size or gray levels."
            yield found(
                code,
                Severity.MISLEADING,
                n,
                words,
                Evidence.LEAKS,
                consequence=f"{consequence} {DEDUPLICATE}",
                examples=names[chosen],
            )
        else:
            yield passed(code, f"No near duplicates are {where}.", Evidence.LEAKS)
    if len(pairs):
        n = len({*first["image_id"], *second["image_id"]})
        yield found(
            "near-duplicates",
            Severity.NOTE,
            n,
            f"{counted(n, 'image is', 'images are')} the same as another but for encoding, size or gray levels.",
            Evidence.LEAKS,
            consequence=f"Cut and turned copies are not found by this. {DEDUPLICATE}",
            examples=names,
        )
    else:
        words = (
            "No image is the same as another but for encoding, size or gray levels (cut copies are not found by this)."
        )
        yield passed("near-duplicates", words, Evidence.LEAKS)
