"""Memorization: distances of a generator's samples to its training images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.evaluation.generator.neighbours import nearest, nearest_apart
from pneumo_core.evaluation.intervals import wilson
from pneumo_core.evaluation.metrics import FloatArray
from pneumo_core.records import Estimate, NotApplicable

EXPECTED_SHARE: Final = 0.01
"""Percentile of the flag: fraction of samples that are flagged without memorization."""

LEVELS: Final = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Levels of the quantiles that summarize a distribution of distances."""


@dataclass(frozen=True, slots=True)
class Memorisation:
    """Distances of samples to their nearest training images, compared with those between training images.

    Attributes:
        threshold: Samples nearer than this are flagged: the 1st percentile of the training images' distances.
        share: Fraction of samples flagged, with Wilson's interval. It does not include the uncertainty of the threshold,
            which is estimated from the nearest hundredth of the training images.
        expected_share: Fraction that would be flagged without memorization.
        levels: Levels of both rows of quantiles.
        sample_quantiles: Of the distances of samples to their nearest training image.
        real_quantiles: Of the distances of training images to the nearest one of another patient.
        nearest: Index of each sample's nearest training image.
        distance: Distance to it: root-mean-square difference of pixels in [0, 1], or Euclidean in feature space.
        flagged: Whether each sample is flagged.
        real_distance: Distance of each training image to the nearest one of another patient; empty in measures of an older
            schema.
    """

    threshold: float
    share: Estimate | NotApplicable
    expected_share: float
    levels: tuple[float, ...]
    sample_quantiles: tuple[float, ...]
    real_quantiles: tuple[float, ...]
    nearest: tuple[int, ...]
    distance: tuple[float, ...]
    flagged: tuple[bool, ...]
    real_distance: tuple[float, ...] = ()


def memorisation(
    samples: NDArray[Any], real: NDArray[Any], patients: NDArray[Any], real_distances: FloatArray | None = None
) -> Memorisation:
    """Flag samples that come nearer to a training image than training images of different patients come to each other.

    A sample is flagged below the 1st percentile of those distances (this project's rule, after the nearest-neighbor
    comparison of Meehan et al. 2020, arXiv:2004.05675), and always at distance 0: a data set may hold an image twice,
    under two patients.

    Args:
        samples: Images (m, size, size) uint8 or features (m, d), m at least 1.
        real: Training images or their features, alike, of two patients at least.
        patients: Patient of each training image, (n,).
        real_distances: Distance of each training image to the nearest one of another patient, (n,), if known.

    Raises:
        DataError: The arrays are not as described.
    """
    if real_distances is None:
        real_distances = nearest_apart(real, patients)[1]
    threshold = float(np.quantile(real_distances, EXPECTED_SHARE))
    indices, distances = nearest(samples, real)
    flagged = (distances < threshold) | (distances == 0)
    return Memorisation(
        threshold=threshold,
        share=wilson(int(flagged.sum()), flagged.size),
        expected_share=EXPECTED_SHARE,
        levels=LEVELS,
        sample_quantiles=tuple(np.quantile(distances, LEVELS).tolist()),
        real_quantiles=tuple(np.quantile(real_distances, LEVELS).tolist()),
        nearest=tuple(indices.tolist()),
        distance=tuple(distances.tolist()),
        flagged=tuple(flagged.tolist()),
        real_distance=tuple(np.asarray(real_distances, dtype=np.float64).tolist()),
    )


def quantile_points(found: Memorisation) -> pd.DataFrame:
    """Distances of both kinds to the nearest training image, a row for each share of images that are nearer."""
    return pd.DataFrame(
        {"share of images": found.levels, "generated": found.sample_quantiles, "real": found.real_quantiles}
    )


def cumulative(distances: Sequence[float]) -> pd.DataFrame:
    """Share of images that are at most so far, a row for each image: the empirical distribution function, unthinned."""
    ordered = np.sort(np.asarray(distances, dtype=np.float64))
    at_most = np.searchsorted(ordered, ordered, side="right")
    return pd.DataFrame({"distance": ordered, "share of images": at_most / max(1, ordered.size)})


def nearest_pairs(found: Memorisation) -> pd.DataFrame:
    """Samples and their nearest training images, the nearest pair first.

    `quantile` is the share of training images that are nearer than that to one of another patient; in measures of an older
    schema, between known levels by a straight line.
    """
    distance = np.asarray(found.distance)
    if found.real_distance:
        nearer = np.searchsorted(np.sort(found.real_distance), distance, side="left") / len(found.real_distance)
    else:
        nearer = np.interp(distance, found.real_quantiles, found.levels, left=0.0)
    frame = pd.DataFrame(
        {
            "sample": np.arange(len(distance)),
            "nearest": found.nearest,
            "distance": distance,
            "quantile": nearer,
            "flagged": found.flagged,
        }
    )
    return frame.sort_values(["distance", "sample"], ignore_index=True)
