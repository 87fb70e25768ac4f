"""Histogram of the probabilities of each class, the same for pages and documents."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.records import Label

BINS: Final = 25
"""Number of bins: 0.04 each, fine enough to see on which side of a threshold images lie."""

EDGES: Final = tuple(np.linspace(0.0, 1.0, BINS + 1).tolist())
"""Edges of the bins; each bin holds its start, the last one its end too."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Number of images of each class in each bin of their probability of PNEUMONIA."""

    normal: tuple[int, ...]
    pneumonia: tuple[int, ...]


def histogram(y_true: NDArray[Any], values: NDArray[np.float64]) -> Histogram:
    """Histogram of each class.

    Args:
        y_true: Classes, (n,), 0 or 1.
        values: Probabilities of PNEUMONIA, (n,), in [0, 1].
    """
    return Histogram(*(tuple(np.histogram(values[y_true == label], EDGES)[0].tolist()) for label in Label))
