"""Mixup, as Zhang et al. 2018 define it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.augmentation.mixup import draw_mix, mixed


def batch(count=6, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, 5, 4, 1)).astype(np.float32)


class TestDrawMix:
    @given(alpha=st.floats(0.01, 10), count=st.integers(0, 40), seed=st.integers(0, 99))
    def test_each_image_stays_the_main_one_and_is_once_the_second(self, alpha, count, seed):
        share, order = draw_mix(alpha, count, np.random.default_rng(seed))
        assert 0.5 <= share <= 1
        assert sorted(order) == list(range(count))
        assert order.dtype == np.int64

    def test_zero_mixes_nothing_and_leaves_the_generator(self):
        rng = np.random.default_rng(1)
        share, order = draw_mix(0, 4, rng)
        assert share == 1
        np.testing.assert_array_equal(order, range(4))
        assert rng.random() == np.random.default_rng(1).random()

    def test_the_same_generator_draws_the_same(self):
        first, second = (draw_mix(0.3, 9, np.random.default_rng([3, 1])) for _ in range(2))
        assert first[0] == second[0]
        np.testing.assert_array_equal(first[1], second[1])

    @pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
    def test_the_shares_are_those_of_the_folded_beta_distribution(self, alpha):
        # The density of Beta(alpha, alpha) but for its constant, summed over a grid.
        rng = np.random.default_rng(0)
        drawn = np.array([draw_mix(alpha, 2, rng)[0] for _ in range(4000)])
        middle = (np.arange(200_000) + 0.5) / 200_000
        density = (middle * (1 - middle)) ** (alpha - 1)
        expected = (np.maximum(middle, 1 - middle) * density).sum() / density.sum()
        assert drawn.mean() == pytest.approx(expected, abs=0.01)


class TestMixed:
    def test_each_pixel_is_the_weighted_mean_of_two(self):
        images, order = batch(), np.array([2, 0, 1, 4, 3, 5])
        before = images.copy()
        found = mixed(images, 0.75, order)
        for i, j in enumerate(order):
            for y, x in np.ndindex(5, 4):
                expected = 0.75 * float(images[i, y, x, 0]) + 0.25 * float(images[j, y, x, 0])
                assert found[i, y, x, 0] == pytest.approx(expected, rel=1e-6)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(images, before)

    def test_a_share_of_one_changes_nothing(self):
        images = batch()
        np.testing.assert_array_equal(mixed(images, 1.0, np.arange(6)[::-1]), images)

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_labels_and_features_are_mixed_alike(self, dtype):
        labels = np.array([[0], [1], [1]], dtype)
        found = mixed(labels, 0.5, np.array([1, 0, 2]))
        np.testing.assert_array_equal(found, [[0.5], [0.5], [1]])
        assert found.dtype == dtype

    @given(seed=st.integers(0, 99))
    def test_mixed_images_stay_gray_levels(self, seed):
        share, order = draw_mix(0.3, 6, np.random.default_rng(seed))
        found = mixed(batch(seed=seed), share, order)
        assert found.min() >= 0
        assert found.max() <= 255.001
