"""Out-of-distribution check: distance of an image from the validation images in feature space.

Mahalanobis distance of the features from the validation images' mean (Lee 2018, arXiv:1807.03888, section 2), with one
Gaussian for all classes and the covariance shrunk (Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4), because there are
about as many features as images in some validation sets.
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
"""Keeps divisions finite if all features are constant, as in a model that has learned nothing."""


@dataclass(frozen=True, slots=True)
class FeatureDistribution:
    """Distribution of the validation images' features.

    Attributes:
        mean: `(d,)` float64.
        precision: `(d, d)` float64, the inverse of the shrunk covariance.
        limit: Distance below which 99.5 % of validation images lie when held out of the fit; beyond it an image is unlike them.
        n: Number of validation images.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    limit: float
    n: int


def fit_distribution(features: NDArray[np.float32]) -> FeatureDistribution:
    """Fit the distribution of the validation images' features, `(n, d)` float32."""
    # On the images of the fit, the distance would be too small, and with few images far too small.
    held_out = [distance(_fit(np.delete(features, part, axis=0)), features[part]) for part in _parts(len(features))]
    limit = float(np.quantile(np.concatenate(held_out), _QUANTILE))
    return replace(_fit(features), limit=max(limit, _TINY))


def _parts(count: int) -> list[NDArray[np.int64]]:
    """Five parts of the row numbers, each a sample of all rows whatever their order."""
    return [np.arange(start, count, 5) for start in range(min(5, count))]


def _fit(features: NDArray[np.float32]) -> FeatureDistribution:
    from sklearn.covariance import LedoitWolf  # noqa: PLC0415  The import takes a second, and only the worker needs it.

    fitted = LedoitWolf().fit(features.astype(np.float64))
    # Constant features have no variance; a floor keeps the inverse finite without changing the others.
    floor = max(1e-6 * float(np.trace(fitted.covariance_)) / features.shape[1], _TINY)
    covariance = fitted.covariance_ + floor * np.eye(features.shape[1])
    return FeatureDistribution(fitted.location_, np.linalg.inv(covariance), np.inf, len(features))


def distance(distribution: FeatureDistribution, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mahalanobis distance of each row of `(n, d)` features: `(n,)` float64, 0 or more."""
    centered = features.astype(np.float64) - distribution.mean
    squared: NDArray[np.float64] = np.einsum("ni,ij,nj->n", centered, distribution.precision, centered)
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
        CorruptError: The file was not written by `save_distribution`.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return FeatureDistribution(arrays["mean"], arrays["precision"], float(arrays["limit"]), int(arrays["n"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CorruptError(f"distribution.npz must hold a feature distribution. Received: {error}") from error
