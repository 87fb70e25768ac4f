"""Planted collapse fails the check, variation like that of real images passes."""

import numpy as np
import pytest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator.collapse import Collapse, collapse
from pneumo_core.evaluation.generator.neighbours import nearest_apart

PATIENTS = np.repeat(np.arange(100), 2)


def draws(seed: int, count: int) -> np.ndarray:
    """A common shape with cells that vary, and fine noise, (count, 32, 32)."""
    rng = np.random.default_rng(seed)
    shape = 128 + 60 * np.sin(np.linspace(0, np.pi, 32))[:, np.newaxis] * np.cos(np.linspace(-1, 1, 32))
    cells = np.kron(rng.normal(0, 30, (count, 8, 8)), np.ones((1, 4, 4)))
    return np.clip(shape + cells + rng.normal(0, 3, cells.shape), 0, 255).astype(np.uint8)


def noisy(images: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.clip(images + np.random.default_rng(seed).normal(0, 3, images.shape), 0, 255).astype(np.uint8)


def check(generated: np.ndarray) -> Collapse:
    return collapse(generated, draws(0, 200), PATIENTS)


def test_variation_of_real_images_passes() -> None:
    found = check(draws(1, 300))
    assert found.passes
    assert found.twins.value == 0
    assert found.ms_ssim.value == pytest.approx(found.real_ms_ssim.value, abs=0.05)
    assert found.ms_ssim_limit == pytest.approx((1 + found.real_ms_ssim.value) / 2)
    # At most as many samples as real images are searched for twins.
    assert found.twins.n == 200


@pytest.mark.parametrize("blur", [False, True])
def test_equal_samples_fail(blur: bool) -> None:
    same = np.repeat(draws(2, 1), 300, axis=0)
    found = check(noisy(same) if blur else same)
    assert not found.passes
    assert found.twins.value == 1
    assert found.ms_ssim.value > found.ms_ssim_limit
    assert "above" in found.reason
    assert "100.0 % of samples nearly equal another" in found.reason


@pytest.mark.parametrize("blur", [False, True])
def test_three_modes_fail(blur: bool) -> None:
    modes = draws(3, 3)[np.random.default_rng(4).integers(0, 3, 300)]
    found = check(noisy(modes) if blur else modes)
    assert not found.passes
    assert found.twins.value == 1


def test_one_image_with_much_noise_fails() -> None:
    """No two samples are nearly equal, but all have one structure."""
    rng = np.random.default_rng(5)
    structure = 128 + 90 * np.kron(rng.choice([-1, 1], (16, 16)), np.ones((2, 2)))
    found = check(np.clip(structure + rng.normal(0, 20, (300, 32, 32)), 0, 255).astype(np.uint8))
    assert not found.passes
    assert found.twins.value == 0
    assert found.ms_ssim.value > found.ms_ssim_limit


def test_four_samples_are_enough() -> None:
    assert check(draws(6, 4)).twins.n == 4


def test_copies_are_twins_though_real_images_have_twins_too() -> None:
    """Half of the real images' median distance is 0 then, and so is the copies' distance."""
    found = collapse(np.repeat(draws(2, 2), 2, axis=0), draws(0, 200), PATIENTS, real_distances=np.zeros(200))
    assert (found.twin_distance, found.twins.value) == (0, 1)


def test_known_distances_change_nothing() -> None:
    real = draws(0, 200)
    known = nearest_apart(real, PATIENTS)[1]
    assert collapse(draws(7, 50), real, PATIENTS, real_distances=known) == check(draws(7, 50))


@pytest.mark.parametrize("shape", [(0, 32, 32), (3, 32, 32), (10, 16, 16)])
def test_bad_input_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        DataError, match=r"^the check for collapse requires 4 samples, two pairs, of the real images' size\. R"
    ):
        check(np.zeros(shape, np.uint8))
