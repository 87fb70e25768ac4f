"""Occlusion against a plain loop, on a model whose logit is a sum over pixels."""

import numpy as np
import pytest

from pneumo_core.inference.occlusion import occlusion, squares
from pneumo_core.inference.session import load_session
from tests.linear_model import linear_model

SIDE = 20
WEIGHTS = np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE))


@pytest.mark.parametrize("positions", [1, 3, 5, 9])
def test_a_region_counts_what_the_logit_loses_without_it(positions: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    before = image.copy()
    seen: list[tuple[int, int]] = []
    received = occlusion(
        load_session(linear_model(WEIGHTS)), image, positions, lambda done, total: seen.append((done, total))
    )
    cell, fill = SIDE / positions, round(float(image.mean()))
    expected = np.zeros((positions, positions))
    for row in range(positions):
        for column in range(positions):
            for y in range(SIDE):
                for x in range(SIDE):
                    rows = round((row - 0.5) * cell) <= y < round((row + 1.5) * cell)
                    columns = round((column - 0.5) * cell) <= x < round((column + 1.5) * cell)
                    expected[row, column] += WEIGHTS[y, x] * (int(image[y, x]) - fill) if rows and columns else 0
    np.testing.assert_allclose(received, expected, atol=1e-4)
    np.testing.assert_array_equal(image, before)
    assert seen[0] == (0, 1 + positions**2)


def test_squares_cover_every_pixel_and_overlap_by_half() -> None:
    counts = np.zeros((150, 150), int)
    for rows, columns in squares(150, 9):
        counts[rows, columns] += 1
    assert counts.min() >= 1
    assert set(counts[20:130, 20:130].ravel()) <= {4, 6, 9}, "rounding moves a square's edge by half a pixel"


def test_what_the_model_does_not_use_counts_nothing() -> None:
    weights = np.zeros((SIDE, SIDE))
    weights[:4, :4] = 1
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    received = occlusion(load_session(linear_model(weights)), image, 5)
    assert received[:2, :2].all()
    assert not received[2:].any()
    assert not received[:, 2:].any()
