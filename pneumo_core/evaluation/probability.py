"""Conversion of logits to probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def probability(logit: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probability of PNEUMONIA: the sigmoid of a logit.

    Args:
        logit: Raw output of a model, any shape, floating point.

    Returns:
        The same shape, float64, in [0, 1]. Computed in float64 for every type (in float32 all logits above 17
        would be ties), and without overflow.
    """
    wide = np.asarray(logit, dtype=np.float64)
    small = np.exp(-np.abs(wide))
    return np.asarray(np.where(wide >= 0, 1.0, small) / (1.0 + small))
