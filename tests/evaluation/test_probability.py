"""The sigmoid against SciPy's, and at both ends of what floats hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from pneumo_core.evaluation.probability import probability


def test_is_the_sigmoid_in_float64_whatever_the_logits_type() -> None:
    logits = np.linspace(-60, 60, 2001, dtype=np.float32).reshape(3, -1)
    values = probability(logits)
    assert values.dtype == np.float64
    assert values.shape == logits.shape
    np.testing.assert_allclose(values, expit(logits.astype(np.float64)), rtol=1e-14)


def test_a_logit_of_zero_is_exactly_one_half() -> None:
    assert probability(np.float32([0.0, -0.0])).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(("logit", "expected"), [(-1e30, 0.0), (-800.0, 0.0), (800.0, 1.0), (1e30, 1.0)])
def test_huge_logits_neither_overflow_nor_warn(logit: float, expected: float) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert probability(np.array([logit])).tolist() == [expected]


def test_float32_logits_that_a_float32_sigmoid_would_tie_stay_apart() -> None:
    assert np.all(np.diff(probability(np.float32([17.0, 18.0, 20.0, 30.0]))) > 0)


@given(st.floats(-1e6, 1e6))
def test_opposite_logits_have_complementary_probabilities(logit: float) -> None:
    there, back = probability(np.array([logit, -logit]))
    assert 0 <= there <= 1
    assert there + back == pytest.approx(1, abs=1e-15)
