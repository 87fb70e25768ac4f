import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.inference.overlay import overlay

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 9)).astype(np.uint8)
HEAT = np.random.default_rng(1).random((7, 9), dtype=np.float32)
STOPS = [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)]


def slow_overlay(opacity: float) -> np.ndarray:
    """Pixel by pixel: a color between two of five stops, laid over with opacity times heat."""
    result = np.zeros((7, 9, 3))
    for i in range(7):
        for j in range(9):
            place = round(float(HEAT[i, j]) * 255) / 255 * 4
            low = min(3, int(place))
            for channel in range(3):
                color = STOPS[low][channel] + (place - low) * (STOPS[low + 1][channel] - STOPS[low][channel])
                alpha = opacity * float(HEAT[i, j])
                result[i, j, channel] = (1 - alpha) * PIXELS[i, j] + alpha * color
    return result


@pytest.mark.parametrize("opacity", [0.0, 0.25, 0.5, 1.0])
def test_is_a_blend_pixel_by_pixel(opacity: float) -> None:
    received = overlay(PIXELS, HEAT, opacity=opacity)
    assert (received.shape, received.dtype) == ((7, 9, 3), np.uint8)
    np.testing.assert_allclose(received, slow_overlay(opacity), atol=0.51)


@pytest.mark.parametrize("cold", ["no opacity", "no heat"])
def test_cold_regions_stay_as_they_are(cold: str) -> None:
    heat = HEAT if cold == "no opacity" else np.zeros_like(HEAT)
    received = overlay(PIXELS, heat, opacity=0.0 if cold == "no opacity" else 1.0)
    for channel in range(3):
        np.testing.assert_array_equal(received[..., channel], PIXELS)


def test_hotter_is_brighter_so_the_map_reads_in_gray() -> None:
    heat = np.linspace(0, 1, 256, dtype=np.float32)[None]
    colors = overlay(np.zeros((1, 256), np.uint8), heat, opacity=1.0)[0].astype(float)
    full = colors / np.maximum(heat[0][:, None], 1e-6)  # Opacity follows the heat: undo it.
    luma = full[20:] @ (0.299, 0.587, 0.114)
    assert (np.diff(luma) > -2.5).all()  # Rounded to whole levels before it was undone.
    assert luma[-1] - luma[0] > 180


@given(opacity=st.floats(0, 1), seed=st.integers(0, 10))
def test_inputs_are_not_changed_and_outputs_in_range(opacity: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels, heat = rng.integers(0, 256, (4, 5)).astype(np.uint8), rng.random((4, 5), dtype=np.float32)
    before = pixels.copy(), heat.copy()
    received = overlay(pixels, heat, opacity=opacity)
    np.testing.assert_array_equal(pixels, before[0])
    np.testing.assert_array_equal(heat, before[1])
    low = np.minimum(pixels[..., None], 0)
    assert (received >= low).all()
