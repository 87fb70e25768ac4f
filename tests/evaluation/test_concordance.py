"""Areas by pairs are those by sorting, whatever the weights and ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core.evaluation.concordance import areas_by_pairs, count_pairs
from pneumo_core.evaluation.metrics import areas, rank


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([0, 1, 8]))
def test_they_are_those_by_sorting(seed: int, n: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, n)
    values = np.round(rng.normal(y_true, 1.0), decimals)
    weights = rng.integers(0, 4, (6, n)).astype(float)
    expected = areas(rank(y_true, values), weights)
    for found, wanted in zip(areas_by_pairs(count_pairs(y_true, values), weights), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_area(label: int) -> None:
    pairs = count_pairs(np.full(4, label), np.arange(4.0))
    for found in areas_by_pairs(pairs, np.ones((2, 4))):
        assert np.isnan(found).all()
