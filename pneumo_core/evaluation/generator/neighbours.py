"""Nearest neighbors in pixels or features, with bounded memory; precision and recall of a generator.

Images, (n, size, size) uint8, are compared by the root of the mean squared difference of their pixels in [0, 1]; features,
(n, d), by the Euclidean distance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator.discrepancy import require_features
from pneumo_core.evaluation.intervals import clustered_wilson
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.records import Estimate, NotApplicable

NEIGHBORS: Final = 3
"""k of precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991)."""

_CHUNK: Final = 512
"""Number of vectors per batch: 67 MB as float64 at 128 pixels."""


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Improved precision and recall.

    Attributes:
        precision: Fraction of generated images that lie in the real images' manifold.
        recall: Fraction of real images that lie in the generated images' manifold; its interval is clustered by patient.
    """

    precision: Estimate | NotApplicable
    recall: Estimate | NotApplicable


def nearest(samples: NDArray[Any], real: NDArray[Any]) -> tuple[IntArray, FloatArray]:
    """The nearest of at least one real image for each of m samples.

    Returns:
        Indices into `real`, (m,), and distances, (m,).

    Raises:
        DataError: The arrays do not match, or there is no real image.
    """
    if not len(real):
        raise DataError("a nearest image requires a real image. Received: real=0; use more images")
    return _search(samples, real, None)


def nearest_apart(images: NDArray[Any], groups: NDArray[Any]) -> tuple[IntArray, FloatArray]:
    """The nearest image of another group for each image.

    Args:
        images: Images (n, size, size) uint8 or features (n, d).
        groups: Group of each image, (n,), at least two of them: patients, or a number of its own for each sample.

    Returns:
        Indices, (n,), and distances, (n,).

    Raises:
        DataError: The arrays do not match, or there is a single group.
    """
    names = np.asarray(groups)
    if names.shape != (len(images),) or len(np.unique(names)) < 2:
        raise DataError(
            "a nearest image of another group requires groups (n,), one per image, two of them different. "
            f"Received: groups={names.shape}, images={len(images)}, different={len(np.unique(names))}; use more images"
        )
    return _search(images, images, names)


def precision_recall(
    real: NDArray[Any], generated: NDArray[Any], patients: NDArray[Any] | None = None, *, k: int = NEIGHBORS
) -> PrecisionRecall:
    """Improved precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991, section 2).

    A set's manifold is the union of balls around its images, each with the distance to its k-th nearest other image as radius.
    More images give smaller balls: values are comparable only for equal numbers of images.

    Args:
        real: Features, (n, d), n more than k.
        generated: Features, (m, d), m more than k.
        patients: Patient of each real image, (n,); None: each of its own.
        k: Number of neighbors.

    Raises:
        DataError: The features are not as described.
    """
    require_features(real, generated)
    if min(len(real), len(generated)) <= k:
        raise DataError(
            f"each set must have more than k={k} images, its neighbors. "
            f"Received: real={len(real)}, generated={len(generated)}; use more images"
        )
    within_real = _within(generated, real, k)
    within_generated = _within(real, generated, k)
    return PrecisionRecall(
        precision=clustered_wilson(within_real, np.arange(len(generated))),
        recall=clustered_wilson(within_generated, np.arange(len(real)) if patients is None else patients),
    )


def squared_distances(left: NDArray[Any], right: NDArray[Any]) -> FloatArray:
    """Squared Euclidean distances of features, (n, d) and (m, d), at least 0: (n, m), 8 n m bytes."""
    return np.concatenate([squares for _, squares in _squared_distances(left, right)])


def squared_radii(squares: FloatArray, k: int = NEIGHBORS) -> FloatArray:
    """Squared distance of each of some images to its k-th nearest other one, (m,), from those to all, (m, n)."""
    return np.asarray(np.partition(squares, k, axis=1)[:, k])  # The image itself is the nearest, at distance 0.


def shares_within(squares: FloatArray, real_radii: FloatArray, generated_radii: FloatArray) -> tuple[float, float]:
    """Values of `precision_recall` from squared distances, (n, m), and `squared_radii`, (n,) and (m,)."""
    precision = (squares <= real_radii[:, np.newaxis]).any(axis=0).mean()
    return float(precision), float((squares <= generated_radii).any(axis=1).mean())


def _search(left: NDArray[Any], right: NDArray[Any], groups: NDArray[Any] | None) -> tuple[IntArray, FloatArray]:
    left, right, scale = _vectors(left, right)
    indices, distances = np.empty(len(left), dtype=np.int64), np.empty(len(left))
    for rows, squares in _squared_distances(left, right):
        if groups is not None:
            squares[groups[rows, np.newaxis] == groups] = np.inf
        found = squares.argmin(axis=1)
        indices[rows] = found
        # Computed again without cancellation, so that a copy is at distance 0.
        distances[rows] = np.linalg.norm(left[rows].astype(np.float64) - right[found], axis=1) * scale
    return indices, distances


def _within(points: NDArray[Any], centers: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """Whether each point lies in at least one ball around a center, as far as its k-th nearest other center."""
    radii = np.concatenate([squared_radii(squares, k) for _, squares in _squared_distances(centers, centers)])
    return np.concatenate([(squares <= radii).any(axis=1) for _, squares in _squared_distances(points, centers)])


def _vectors(samples: NDArray[Any], real: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Both sets as vectors, and the factor of their Euclidean distance."""
    if (
        samples.ndim == real.ndim == 3
        and samples.shape[1:] == real.shape[1:]
        and samples.dtype == real.dtype == np.uint8
    ):
        pixels = samples.shape[1] * samples.shape[2]
        return samples.reshape(-1, pixels), real.reshape(-1, pixels), 1 / (255 * np.sqrt(pixels))
    if samples.ndim == real.ndim == 2:
        require_features(samples, real)
        return samples, real, 1.0
    raise DataError(
        "neighbors require images (n, size, size) uint8 of one size, or features (n, d). "
        f"Received: samples={samples.shape} {samples.dtype}, real={real.shape} {real.dtype}"
    )


def _squared_distances(left: NDArray[Any], right: NDArray[Any]) -> Iterator[tuple[slice, FloatArray]]:
    """Squared Euclidean distances of rows of `left`, in batches, to all of `right`; at least 0."""
    center = right.mean(axis=0, dtype=np.float64)  # Distances are unchanged, with less cancellation.
    for start in range(0, len(left), _CHUNK):
        rows = slice(start, start + _CHUNK)
        some = left[rows].astype(np.float64) - center
        squares = np.empty((len(some), len(right)))
        for begin in range(0, len(right), _CHUNK):
            columns = slice(begin, begin + _CHUNK)
            others = right[columns].astype(np.float64) - center
            squares[:, columns] = np.square(others).sum(axis=1) - 2 * (some @ others.T)
        squares += np.square(some).sum(axis=1)[:, np.newaxis]
        yield rows, np.maximum(squares, 0, out=squares)
