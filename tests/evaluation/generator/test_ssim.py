"""Structural similarity against TensorFlow's, and diversity's pairs."""

import numpy as np
import pytest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator.ssim import WEIGHTS, diversity, ms_ssim


def images(seed: int, count: int, size: int) -> np.ndarray:
    """Images with structure at several scales."""
    rng = np.random.default_rng(seed)
    scales = (step for step in (1, 4, 16) if step <= size)
    parts = [np.kron(rng.random((count, -(-size // s), -(-size // s))), np.ones((1, s, s))) for s in scales]
    return (255 / len(parts) * sum(part[:, :size, :size] for part in parts)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "scales"), [(11, 1), (20, 1), (21, 2), (64, 3), (75, 3), (128, 4), (176, 5)])
def test_equals_tensorflow(size: int, scales: int) -> None:
    import tensorflow as tf

    first = images(0, 3, size)
    second = np.clip(first + np.random.default_rng(1).normal(0, 40, first.shape), 0, 255).astype(np.uint8)
    factors = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    expected = tf.image.ssim_multiscale(
        first[..., np.newaxis].astype(np.float32),
        second[..., np.newaxis].astype(np.float32),
        max_val=255.0,
        power_factors=factors.tolist(),
    )
    np.testing.assert_allclose(ms_ssim(first, second), expected.numpy(), atol=2e-5)


def slow_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Single-scale similarity, window by window."""
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    found = []
    for row in range(first.shape[0] - 10):
        for column in range(first.shape[1] - 10):
            x, y = (image[row : row + 11, column : column + 11].astype(float) for image in (first, second))
            mean_x, mean_y = (window * x).sum(), (window * y).sum()
            var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
            covariance = (window * (x - mean_x) * (y - mean_y)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
            found.append(luminance * (2 * covariance + c2) / (var_x + var_y + c2))
    return float(np.mean(found))


def test_one_scale_is_the_definition() -> None:
    first = images(2, 2, 16)
    second = np.clip(first + np.random.default_rng(3).normal(0, 30, first.shape), 0, 255).astype(np.uint8)
    expected = [slow_ssim(*pair) for pair in zip(first, second, strict=True)]
    np.testing.assert_allclose(ms_ssim(first, second), expected, rtol=1e-9)


def test_properties() -> None:
    first, second = images(4, 70, 64), images(5, 70, 64)
    np.testing.assert_allclose(ms_ssim(first, first), 1)
    np.testing.assert_allclose(ms_ssim(first, second), ms_ssim(second, first))
    noise = np.random.default_rng(6).normal(0, 1, first.shape)
    little, much = (ms_ssim(first, np.clip(first + sd * noise, 0, 255)).mean() for sd in (5, 50))
    assert 1 > little > much > 0
    # An image and its negative.
    assert ms_ssim(first, 255 - first).max() < 0.01
    np.testing.assert_array_equal(ms_ssim(first, second)[65:], ms_ssim(first[65:], second[65:]))


@pytest.mark.parametrize("shapes", [((2, 10, 10), (2, 10, 10)), ((2, 16, 16), (3, 16, 16)), ((16, 16), (16, 16))])
def test_other_shapes_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(DataError, match="size >= 11"):
        ms_ssim(*(np.zeros(shape, np.uint8) for shape in shapes))


def test_no_pairs_have_no_similarity() -> None:
    assert ms_ssim(np.zeros((0, 16, 16)), np.zeros((0, 16, 16))).shape == (0,)


def test_diversity_pairs_different_groups() -> None:
    """A group's images are copies: any pair within one would have similarity 1."""
    groups = np.repeat(np.arange(20), [1, 2, 3, 4, 5] * 4)
    varied = images(7, 20, 32)
    limit = max(ms_ssim(varied[[i]], varied[[j]])[0] for i in range(20) for j in range(i))
    for seed in range(5):
        estimate = diversity(varied[groups], groups.astype(str), seed)
        assert estimate.value <= limit < 1
        assert estimate.n == 60
        assert estimate.low < estimate.value < estimate.high


def test_diversity_is_the_mean_over_all_pairs() -> None:
    varied = images(8, 400, 16)
    rng = np.random.default_rng(9)
    left, right = rng.integers(0, 400, (2, 4000))
    everything = ms_ssim(varied[left[left != right]], varied[right[left != right]]).mean()
    covered = [
        estimate.low <= everything <= estimate.high
        for estimate in (diversity(varied, np.arange(400), seed) for seed in range(20))
    ]
    assert sum(covered) >= 16


def test_the_seed_alone_decides_the_pairs() -> None:
    varied, groups = images(10, 30, 16), np.arange(30)
    assert diversity(varied, groups, 1) == diversity(varied, groups, 1) != diversity(varied, groups, 2)


@pytest.mark.parametrize("groups", [[0, 0, 0, 0], [0, 0, 0, 1]])
def test_too_few_pairs_are_refused(groups: list[int]) -> None:
    with pytest.raises(DataError, match="2 pairs of images of different groups"):
        diversity(images(11, 4, 16), np.array(groups), 0)


def test_groups_must_fit() -> None:
    with pytest.raises(DataError, match="one per image"):
        diversity(images(12, 4, 16), np.arange(3), 0)
