"""Mixup: into each image or feature map of a batch, and its label, a share of another's is mixed, without any framework.

Zhang et al. 2018 (arXiv:1710.09412, section 2) draw one share for a batch and its second images as a permutation of it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def draw_mix(alpha: float, count: int, rng: np.random.Generator) -> tuple[float, NDArray[np.int64]]:
    """Draw how a batch is mixed.

    Args:
        alpha: Both parameters of the beta distribution of the share (`TrainConfig.mixup`), at least 0; 0 mixes and draws
            nothing.
        count: Number of images, at least 0.
        rng: Random number generator.

    Returns:
        The share that each image keeps, in [0.5, 1], so that it stays the main one; and the row of the second image of each,
        `(count,)` int64, which may be its own.
    """
    if alpha == 0:
        return 1.0, np.arange(count)
    share = float(rng.beta(alpha, alpha))
    return max(share, 1.0 - share), rng.permutation(count)


def mixed(values: NDArray[Any], share: float, order: NDArray[np.int64]) -> NDArray[Any]:
    """A batch in which each row keeps a share and gets the rest from another row: of images, features or labels.

    Args:
        values: `(count, ...)` of a floating type, which the result has too; not written to.
        share: The share that each keeps, in [0, 1].
        order: `(count,)` rows of the others.

    Returns:
        A new array; equal to `values` where `share` is 1.
    """
    return share * values + (1.0 - share) * values[order]
