"""Strongest spots, the central region and agreement of maps, against SciPy and geometry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.stats import spearmanr

from pneumo_core.inference.spots import (
    Spot,
    agreement,
    area_outside,
    central,
    marked,
    rank_correlation,
    share_outside,
    strongest,
)
from pneumo_core.records import NotApplicable

SMALL = npst.arrays(np.float32, (3, 4), elements=st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0]))


@given(SMALL, SMALL)
def test_rank_correlation_is_spearman_s(a: np.ndarray, b: np.ndarray) -> None:
    received = rank_correlation(a, b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert received == 0
    else:
        assert received == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (0, 0, "upper left"),
        (8, 0, "lower left"),
        (4, 4, "center"),
        (4, 0, "middle left"),
        (2, 8, "upper right"),
        (6, 3, "lower center"),
    ],
)
def test_the_strongest_spot_is_a_place_in_words(row: int, column: int, words: str) -> None:
    values = np.zeros((9, 9), np.float32)
    values[row, column] = 2
    spot = strongest(values)
    assert spot == Spot((row + 0.5) / 9, (column + 0.5) / 9)
    assert spot.words == words


def test_a_map_without_anything_for_pneumonia_has_no_spot() -> None:
    for values in (np.zeros((3, 3), np.float32), np.full((3, 3), -1, np.float32)):
        assert isinstance(strongest(values), NotApplicable)
        assert isinstance(share_outside(values), NotApplicable)
        found = agreement(values, np.eye(3, dtype=np.float32))
        assert isinstance(found.distance, NotApplicable)
        assert "cannot be compared: no region speaks for PNEUMONIA" in found.words


def test_a_ring_is_around_its_place_and_nowhere_else() -> None:
    picture = np.full((200, 100, 3), 90, np.uint8)
    ringed = marked(picture, Spot(0.25, 0.5))
    assert (picture == 90).all()
    rows, columns = np.nonzero((ringed != 90).any(axis=2))
    assert (rows.mean(), columns.mean()) == (pytest.approx(49.5, abs=0.5), pytest.approx(49.5, abs=0.5))
    assert np.hypot(rows - 49.5, columns - 49.5).min() > 3
    assert {0, 255} <= set(ringed.ravel())


def test_the_central_region_is_an_ellipse() -> None:
    mask = central(200, 100)
    assert mask.mean() == pytest.approx(np.pi / 4 * 0.81, abs=0.002)
    assert (mask == mask[::-1]).all()
    assert (mask == mask[:, ::-1]).all()
    assert mask[100, 5:95].all()
    assert not mask[:9].any()
    assert area_outside() == pytest.approx(1 - np.pi / 4 * 0.81, abs=0.002)


def test_maps_of_unlike_grids_agree_where_one_is_the_other_s_mean() -> None:
    fine = np.random.default_rng(0).random((18, 18)).astype(np.float32)
    coarse = fine.reshape(9, 2, 9, 2).mean(axis=(1, 3))
    found = agreement(fine, coarse)
    assert found.correlation == pytest.approx(1)
    assert "agree closely" in found.words
    assert "disagree" in agreement(fine, -coarse).words
    near = np.zeros((9, 9), np.float32)
    near[0, 0] = 1
    assert agreement(near, near[:, ::-1]).distance == pytest.approx(8 / 9)
    assert agreement(near, near[:, ::-1]).words.endswith("89 % of the image's side apart.")
