"""Differentiable augmentation against the same changes made slowly, pixel by pixel."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumo_core.training.diff_augment import CHANGES, apply_changes, draw_changes

NONE = (0.0, 1.0, 0.0, 0.0, 1e6, 1e6)  # The cut-out lies far outside.


def pixels(count: int, size: int) -> NDArray[np.float32]:
    return np.random.default_rng(count).uniform(0, 255, (count, size, size, 1)).astype(np.float32)


def applied(images: NDArray[np.float32], changes: object) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(apply_changes(images, np.asarray(changes, np.float32))))


def slowly(image: NDArray[np.float32], changes: NDArray[np.float32]) -> NDArray[np.float64]:
    """The changes of one image, `(size, size)`, by their definition."""
    size = len(image)
    brightness, contrast, down, right, row, column = (float(value) for value in changes)
    bright = image.astype(np.float64) + brightness
    contrasted = (bright - bright.mean()) * contrast + bright.mean()
    found = np.zeros_like(contrasted)
    for y in range(size):
        for x in range(size):
            from_y, from_x = y - int(down), x - int(right)
            is_cut = abs(y - row) < size / 4 and abs(x - column) < size / 4
            if not is_cut and 0 <= from_y < size and 0 <= from_x < size:
                found[y, x] = contrasted[from_y, from_x]
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([8, 16, 24]))
def test_drawn_changes_are_the_slow_ones(seed: int, size: int) -> None:
    changes = draw_changes(np.random.default_rng(seed), 3, size)
    images = pixels(3, size)
    expected = [slowly(image[..., 0], row) for image, row in zip(images, changes, strict=True)]
    np.testing.assert_allclose(applied(images, changes)[..., 0], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        (-80.0, 1.0, *NONE[2:]),  # Darker than black: values may leave the range.
        (0.0, 0.5, *NONE[2:]),
        (0.0, 1.0, 3.0, 0.0, *NONE[4:]),
        (0.0, 1.0, -3.0, 2.0, *NONE[4:]),
        (0.0, 1.0, 16.0, 0.0, *NONE[4:]),  # All of it is shifted out.
        (0.0, 1.0, 0.0, 0.0, 0.0, 15.0),  # A corner.
        (20.0, 1.3, 2.0, -1.0, 7.0, 9.0),
    ],
)
def test_each_change_alone_and_all_at_once(changes: tuple[float, ...]) -> None:
    image = pixels(1, 16)
    expected = slowly(image[0, ..., 0], np.asarray(changes, np.float32))
    assert not np.allclose(expected, image[0, ..., 0])
    np.testing.assert_allclose(applied(image, [changes])[0, ..., 0], expected, rtol=0, atol=1e-3)


def test_no_change_changes_nothing() -> None:
    images = pixels(2, 16)
    np.testing.assert_allclose(applied(images, [NONE, NONE]), images, rtol=0, atol=1e-4)


def test_what_is_shifted_in_or_cut_out_is_black_whatever_the_brightness() -> None:
    found = applied(np.full((1, 16, 16, 1), 100, np.float32), [(50.0, 1.0, 2.0, -2.0, 8.0, 8.0)])[0, ..., 0]
    assert (found[:2] == 0).all()
    assert (found[:, -2:] == 0).all()
    assert (found[5:12, 5:12] == 0).all()  # An odd number of pixels, half of the side less one.
    assert (found[2:, :-2] == 150).sum() == 14 * 14 - 7 * 7


@pytest.mark.parametrize(("size", "reach"), [(64, 8), (128, 16)])
def test_draws_fill_their_ranges(size: int, reach: int) -> None:
    """Zhao 2020, appendix B: brightness of 1/4 of the range of grays either way, contrast of 1/2, shifts of 1/8."""
    changes = draw_changes(np.random.default_rng(0), 4000, size)
    assert changes.shape == (4000, CHANGES)
    assert changes.dtype == np.float32
    brightness, contrast, *whole = changes.T
    for values, low, high in ((brightness, -63.75, 63.75), (contrast, 0.5, 1.5)):
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    down, right, row, column = whole
    for values, expected in (
        (down, range(-reach, reach + 1)),
        (right, range(-reach, reach + 1)),
        (row, range(size)),
        (column, range(size)),
    ):
        assert set(values.tolist()) == set(map(float, expected))
    # Drawn apart: none tells another.
    assert np.abs(np.corrcoef(changes.T) - np.eye(CHANGES)).max() < 0.08


def test_draws_follow_the_generator_of_random_numbers() -> None:
    first, again, other = (draw_changes(np.random.default_rng(seed), 5, 64) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first[:, :2] != other[:, :2]).all()


def test_real_and_generated_images_are_changed_alike() -> None:
    """An array and a tensor that a network could have made, in batches of other sizes."""
    images, changes = pixels(4, 16), draw_changes(np.random.default_rng(3), 4, 16)
    together = applied(images, changes)
    for number in range(4):
        part = slice(number, number + 1)
        alone = apply_changes(tf.constant(images[part]), tf.constant(changes[part])).numpy()
        np.testing.assert_allclose(alone, together[part], rtol=0, atol=1e-4)


def test_the_gradient_flows_through_what_is_still_seen() -> None:
    """A pixel's gradient of the sum is what it adds to it: checked by differences, as all changes are affine."""
    size = 8
    changes = np.asarray([[12.0, 0.7, 1.0, -1.0, 3.0, 4.0]], np.float32)
    image = tf.constant(pixels(1, size))
    weights = np.random.default_rng(0).uniform(0.5, 1.5, (1, size, size, 1)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(apply_changes(image, changes) * weights)
    gradient = tape.gradient(total, image).numpy()[0, ..., 0]

    plain = image.numpy()[0, ..., 0].astype(np.float64)
    expected = np.empty_like(plain)
    for y in range(size):
        for x in range(size):
            more = plain.copy()
            more[y, x] += 1
            change = slowly(more, changes[0]) - slowly(plain, changes[0])
            expected[y, x] = (change * weights[0, ..., 0]).sum()
    assert np.ptp(expected) > 0.3
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-4)
