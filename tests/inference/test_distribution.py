import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

from pneumo_core.errors import CorruptError
from pneumo_core.inference.distribution import (
    FeatureDistribution,
    distance,
    fit_distribution,
    load_distribution,
    save_distribution,
)
from tests.hostile import assert_one_line


def features(count: int = 200, size: int = 12, seed: int = 0) -> np.ndarray:
    """Correlated features, of scales that differ a thousandfold, two of them dead as ReLU leaves them."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) * np.geomspace(0.1, 100, size) + 3
    mixed[:, [2, 7]] = 0
    return mixed.astype(np.float32)


def ledoit_wolf(x: np.ndarray) -> np.ndarray:
    """Ledoit and Wolf 2004, section 3.3, by its sums."""
    n, p = x.shape
    x = x - x.mean(axis=0)
    sample = sum(np.outer(row, row) for row in x) / n
    mu = np.trace(sample) / p
    d2 = np.sum((sample - mu * np.eye(p)) ** 2) / p
    b2 = min(d2, sum(np.sum((np.outer(row, row) - sample) ** 2) / p for row in x) / n**2)
    return b2 / d2 * mu * np.eye(p) + (1 - b2 / d2) * sample


def test_is_a_gaussian_with_shrunk_covariance() -> None:
    x = features()
    fitted = fit_distribution(x)
    np.testing.assert_allclose(fitted.mean, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    covariance = ledoit_wolf(x.astype(np.float64))
    floor = 1e-6 * np.trace(covariance) / len(covariance)
    np.testing.assert_allclose(np.linalg.inv(fitted.precision), covariance + floor * np.eye(len(covariance)), rtol=1e-4)
    assert fitted.n == 200


def test_distance_is_scipy_s_row_by_row() -> None:
    fitted = fit_distribution(features())
    others = features(20, seed=1)
    expected = [mahalanobis(row.astype(np.float64), fitted.mean, fitted.precision) for row in others]
    received = distance(fitted, others)
    assert (received.shape, received.dtype) == ((20,), np.float64)
    np.testing.assert_allclose(received, expected, rtol=1e-8)


def test_limit_is_that_of_images_held_out_of_the_fit() -> None:
    x = features(203)
    held_out = []
    for part in range(5):
        chosen = np.arange(203) % 5 == part
        rest = fit_distribution(x[~chosen])
        held_out += [mahalanobis(row.astype(np.float64), rest.mean, rest.precision) for row in x[chosen]]
    fitted = fit_distribution(x)
    assert fitted.limit == pytest.approx(np.quantile(held_out, 0.995))
    # Images of the same kind that were never seen stay under it, all but a few.
    population = features(4000)
    seen, unseen = population[:1000], population[1000:]
    assert np.mean(distance(fit_distribution(seen), unseen) > fit_distribution(seen).limit) < 0.015


def test_unlike_features_are_far() -> None:
    fitted = fit_distribution(features())
    assert (distance(fitted, features() + 500) > 2 * fitted.limit).all()


@pytest.mark.filterwarnings("error")
def test_features_that_say_nothing_still_make_a_distribution() -> None:
    fitted = fit_distribution(np.full((20, 6), 2.5, np.float32))
    assert np.isfinite(fitted.precision).all()
    assert fitted.limit > 0
    assert distance(fitted, np.full((1, 6), 2.5, np.float32))[0] <= fitted.limit
    assert distance(fitted, np.full((1, 6), 3, np.float32))[0] > fitted.limit


def test_fewer_images_than_features_still_has_an_inverse() -> None:
    fitted = fit_distribution(features(count=10, size=40))
    assert np.isfinite(fitted.precision).all()
    assert np.linalg.eigvalsh(fitted.precision).min() > 0
    assert 0 < fitted.limit < np.inf


@given(seed=st.integers(0, 50), scale=st.floats(-1e3, 1e3))
def test_distance_is_never_negative_and_zero_at_the_mean(seed: int, scale: float) -> None:
    fitted = fit_distribution(features(30, 8, seed))
    rows = np.random.default_rng(seed).normal(size=(4, 8)).astype(np.float32) * np.float32(scale)
    assert (distance(fitted, rows) >= 0).all()
    at_mean = FeatureDistribution(np.zeros(8), fitted.precision, 1.0, 1)
    assert distance(at_mean, np.zeros((1, 8), np.float32))[0] == 0


def test_stored_and_read_back() -> None:
    fitted = fit_distribution(features())
    back = load_distribution(save_distribution(fitted))
    np.testing.assert_array_equal(back.mean, fitted.mean)
    np.testing.assert_array_equal(back.precision, fitted.precision)
    assert (back.limit, back.n) == (fitted.limit, fitted.n)


@pytest.mark.parametrize("damage", ["empty", "text", "half", "no mean", "pickle"])
def test_other_bytes_are_reported_in_one_line(damage: str) -> None:
    whole = save_distribution(fit_distribution(features()))
    lacking, pickled = io.BytesIO(), io.BytesIO()
    np.savez(lacking, limit=1.0)
    np.savez(pickled, mean=np.array([object()]), precision=1, limit=1, n=1)
    data = {
        "empty": b"",
        "text": b"far away",
        "half": whole[: len(whole) // 2],
        "no mean": lacking.getvalue(),
        "pickle": pickled.getvalue(),
    }
    with pytest.raises(CorruptError, match=r"distribution\.npz must hold") as caught:
        load_distribution(data[damage])
    assert_one_line(caught.value)
