"""Multi-scale structural similarity of images, and the diversity of a set."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import student_interval
from pneumo_core.evaluation.metrics import FloatArray
from pneumo_core.records import Estimate

WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, finest first (Wang, Simoncelli and Bovik 2003, Asilomar 2:1398-1402, section 3.2)."""

SMALLEST: Final = 11
"""Side of the window in pixels (Wang et al. 2004, IEEE TIP 13:600-612, section III.B), and of the smallest allowed image."""

_SIGMA: Final = 1.5
"""Standard deviation of the Gaussian window in pixels (Wang et al. 2004, section III.B)."""

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""(K L) squared, K = .01 and .03 (Wang et al. 2004, section III.B), L = 255 for images in [0, 255]."""

_CHUNK: Final = 64
"""Number of pairs per batch: 8 MB an array at 128 pixels."""


def ms_ssim(first: NDArray[Any], second: NDArray[Any]) -> FloatArray:
    """Multi-scale structural similarity of pairs of images (Wang, Simoncelli and Bovik 2003).

    As many of the five scales as leave `SMALLEST` pixels are used (three at 64 pixels, four at 128), with their
    published `WEIGHTS` divided by their sum, so values at different sizes are not comparable. Negative factors count as
    0. An odd side is halved with its last row doubled.

    Args:
        first: Images, (p, size, size), in [0, 255].
        second: Their partners, of the same shape.

    Returns:
        Similarities, (p,), in [0, 1]; 1 for equal images.

    Raises:
        DataError: The shapes differ or the images are smaller than the window.
    """
    if first.shape != second.shape or first.ndim != 3 or min(first.shape[1:]) < SMALLEST:
        raise DataError(
            f"similarity requires two stacks of one shape (p, size, size) with size >= {SMALLEST}, the window. "
            f"Received: first={first.shape}, second={second.shape}; use larger images"
        )
    values = [
        _similarity(first[start : start + _CHUNK].astype(np.float64), second[start : start + _CHUNK].astype(np.float64))
        for start in range(0, len(first), _CHUNK)
    ]
    return np.concatenate([np.empty(0), *values])


def diversity(images: NDArray[Any], groups: NDArray[Any], seed: int) -> Estimate:
    """Mean similarity (`ms_ssim`) of random pairs of images: the lower, the more diverse the set.

    No image is in two pairs, so Student's t interval over the pairs is valid (for patients with several images it is
    slightly too narrow). The measure for generated sets is that of Odena et al. 2017 (arXiv:1610.09585, section 4.2).

    Args:
        images: (n, size, size), in [0, 255].
        groups: Group of each image, (n,): patients, or a number of its own for each sample. Pairs are of
            different groups.
        seed: Seed of the pairs.

    Raises:
        DataError: There are fewer than two such pairs, or the arrays are not as described.
    """
    if np.shape(groups) != (len(images),):
        raise DataError(
            f"groups must be (n,), one per image. Received: groups={np.shape(groups)}, images={len(images)}"
        )
    rng = np.random.default_rng(seed)
    codes = np.unique(groups, return_inverse=True)[1]
    # Groups in random order, each contiguous: half the set away lies another group, unless one group is half the set.
    shuffled = rng.permutation(len(images))
    order = shuffled[np.argsort(rng.permutation(len(images))[codes][shuffled], kind="stable")]
    half = len(order) // 2
    left, right = order[:half], order[half : 2 * half]
    apart = codes[left] != codes[right]
    values = ms_ssim(images[left[apart]], images[right[apart]])
    n = values.size
    if n < 2:
        raise DataError(
            f"diversity requires 2 pairs of images of different groups. Received: images={len(images)}, pairs={n}; "
            "use more images"
        )
    mean = float(values.mean())
    low, high = student_interval(mean, float(values.std(ddof=1)) / n**0.5, n - 1)
    return Estimate(value=mean, low=max(0.0, low), high=min(1.0, high), n=2 * n)


def _similarity(first: FloatArray, second: FloatArray) -> FloatArray:
    scales = 1
    while scales < len(WEIGHTS) and -(-min(first.shape[1:]) // 2**scales) >= SMALLEST:
        scales += 1
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    product = np.ones(len(first))
    for scale, weight in enumerate(weights):
        last = scale == scales - 1
        product *= np.maximum(_factor(first, second, with_luminance=last), 0) ** weight
        if not last:
            first, second = _halved(first), _halved(second)
    return product


def _factor(first: FloatArray, second: FloatArray, *, with_luminance: bool) -> FloatArray:
    """Mean over positions of contrast times structure, on the coarsest scale also times luminance."""
    mean_first, mean_second = _smoothed(first), _smoothed(second)
    product, squares = mean_first * mean_second, mean_first**2 + mean_second**2
    covariance = _smoothed(first * second) - product
    variances = _smoothed(first**2 + second**2) - squares
    factor = (2 * covariance + _C2) / (variances + _C2)
    if with_luminance:
        factor *= (2 * product + _C1) / (squares + _C1)
    return np.asarray(factor.mean(axis=(1, 2)))


def _smoothed(images: FloatArray) -> FloatArray:
    """Gaussian mean at each position where the window lies inside the image."""
    height, width = images.shape[1:]
    smoothed: FloatArray = _window(height) @ images @ _window(width).T
    return smoothed


def _window(size: int) -> FloatArray:
    """Matrix whose row i takes the Gaussian mean of `SMALLEST` pixels from i on, (size - SMALLEST + 1, size)."""
    kernel = np.exp(-0.5 * ((np.arange(SMALLEST) - SMALLEST // 2) / _SIGMA) ** 2)
    matrix = np.zeros((size - SMALLEST + 1, size))
    for row in range(len(matrix)):
        matrix[row, row : row + SMALLEST] = kernel / kernel.sum()
    return matrix


def _halved(images: FloatArray) -> FloatArray:
    padded = np.pad(images, ((0, 0), (0, images.shape[1] % 2), (0, images.shape[2] % 2)), mode="edge")
    count, height, width = padded.shape
    return np.asarray(padded.reshape(count, height // 2, 2, width // 2, 2).mean(axis=(2, 4)))
