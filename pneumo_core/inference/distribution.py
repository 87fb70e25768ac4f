"""Is this image like those the model was validated on? A distance in feature space says.

Mahalanobis distance of the features from the validation images' mean (Lee 2018, arXiv:1807.03888, section 2), with one
Gaussian for all and the covariance shrunk (Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4), because the features
are about as many as some validation sets' images.
"""

import io
import zipfile
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.errors import CorruptError

_QUANTILE: Final = 0.995

_TINY: Final = 1e-12
"""Keeps divisions finite where all features are constant, as those of a model that has learnt nothing may be."""


@dataclass(frozen=True, slots=True)
class FeatureDistribution:
    """What features of images like the validation images look like.

    Attributes:
        mean: `(d,)` float64.
        precision: `(d, d)` float64, the inverse of the shrunk covariance.
        limit: Distance that 99.5 % of validation images stay under when held out of the fit; beyond it an image is unlike them.
        n: Number of validation images.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    limit: float
    n: int


def fit_distribution(features: NDArray[np.float32]) -> FeatureDistribution:
    """Describe the features of the validation images.

    Args:
        features: `(n, d)` float32.
    """
    # Measured on the images it was fitted to, the distance would be too small, with few images far too small.
    held_out = [distance(_fit(np.delete(features, part, axis=0)), features[part]) for part in _parts(len(features))]
    limit = float(np.quantile(np.concatenate(held_out), _QUANTILE))
    return replace(_fit(features), limit=max(limit, _TINY))


def _parts(count: int) -> list[NDArray[np.int64]]:
    """Five parts of the row numbers, each a sample of the whole whatever the order of the rows."""
    return [np.arange(start, count, 5) for start in range(min(5, count))]


def _fit(features: NDArray[np.float32]) -> FeatureDistribution:
    from sklearn.covariance import LedoitWolf  # noqa: PLC0415  A second to import, and needed by the worker only.

    fitted = LedoitWolf().fit(features.astype(np.float64))
    # Dead features have no variance; a floor keeps the inverse finite without moving the others.
    floor = max(1e-6 * float(np.trace(fitted.covariance_)) / features.shape[1], _TINY)
    covariance = fitted.covariance_ + floor * np.eye(features.shape[1])
    return FeatureDistribution(fitted.location_, np.linalg.inv(covariance), np.inf, len(features))


def distance(distribution: FeatureDistribution, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mahalanobis distance of each row of `(n, d)` features: `(n,)` float64, 0 or more."""
    centred = features.astype(np.float64) - distribution.mean
    squared: NDArray[np.float64] = np.einsum("ni,ij,nj->n", centred, distribution.precision, centred)
    return np.sqrt(np.maximum(squared, 0))


def save_distribution(distribution: FeatureDistribution) -> bytes:
    """The distribution as an NPZ file."""
    file = io.BytesIO()
    np.savez_compressed(
        file, mean=distribution.mean, precision=distribution.precision, limit=distribution.limit, n=distribution.n
    )
    return file.getvalue()


def load_distribution(data: bytes) -> FeatureDistribution:
    """The distribution from an NPZ file.

    Raises:
        CorruptError: It is not one that `save_distribution` made.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return FeatureDistribution(arrays["mean"], arrays["precision"], float(arrays["limit"]), int(arrays["n"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CorruptError(f"distribution.npz must hold a feature distribution. Received: {error}") from error
