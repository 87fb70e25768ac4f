"""Lines, temperatures and shifts against scikit-learn, SciPy's minimiser and a grid; intervals against a plain sandwich."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from sklearn.linear_model import LogisticRegression

from pneumo_core.evaluation import logistic
from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Estimate, NotApplicable
from tests.closeness import sum_rounding


def sample(seed: int, n: int = 200, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlapping classes, logits, and patients of one to four images."""
    rng = np.random.default_rng(seed)
    patient = np.sort(rng.integers(0, n // 2, n))
    _, codes = np.unique(patient, return_inverse=True)
    labels = (codes % 3 > 0).astype(np.int64)
    return (
        labels,
        scale * (2.0 * labels - 0.3 + rng.normal(0, 1.5, n) + rng.normal(0, 1, codes.max() + 1)[codes]),
        codes,
    )


def cross_entropy(slope: float, intercept: float, values: np.ndarray, target: np.ndarray) -> float:
    eta = slope * values + intercept
    return float(np.mean(np.logaddexp(0, eta) - target * eta))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 50.0, 1e6])
def test_line_is_scikit_learn_s_without_a_penalty(scale: float) -> None:
    labels, values, _ = sample(0)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(values[:, None], labels)
    found = logistic.line(values * scale, labels.astype(float))
    assert found.slope * scale == pytest.approx(oracle.coef_[0, 0], rel=1e-5)
    assert found.intercept == pytest.approx(oracle.intercept_[0], rel=1e-4)


@settings(max_examples=60)
@given(
    values=st.lists(st.integers(-40, 40), min_size=3, max_size=30).filter(lambda values: len(set(values)) > 1),
    data=st.data(),
)
def test_no_other_line_fits_soft_targets_better(values: list[int], data: Any) -> None:
    count = len(values)
    target = np.array(data.draw(st.lists(st.floats(0.02, 0.98), min_size=count, max_size=count)))
    logits = np.array(values, float)
    found = logistic.line(logits, target)
    oracle = minimize(lambda at: cross_entropy(at[0], at[1], logits, target), [0.0, 0.0], method="Nelder-Mead")
    assert cross_entropy(found.slope, found.intercept, logits, target) <= oracle.fun + 1e-9
    # Newton's steps end where the loss no longer falls. Near its minimum it is a parabola, so where losses are distinguished
    # within `resolved`, the gradient is known within sqrt(2 * curvature * resolved).
    eta = found.slope * logits + found.intercept
    resolved = sum_rounding(count, np.float64) * float((np.logaddexp(0, eta) + np.abs(eta)).sum())
    residual, weight = target - probability(eta), probability(eta) * probability(-eta)
    assert residual.sum() == pytest.approx(0, abs=np.sqrt(2 * weight.sum() * resolved))
    assert (residual * logits).sum() == pytest.approx(0, abs=np.sqrt(2 * (weight * logits**2).sum() * resolved))


@pytest.mark.parametrize("seed", range(4))
def test_temperature_is_the_best_of_a_grid(seed: int) -> None:
    labels, values, _ = sample(seed)
    found = logistic.inverse_temperature(labels, values)
    assert isinstance(found, float)
    grid = np.linspace(0.001, 5, 50_000)
    losses = [cross_entropy(slope, 0, values, labels) for slope in grid[:: len(grid) // 500]]
    assert cross_entropy(found, 0, values, labels) <= min(losses)
    fine = minimize_scalar(lambda s: cross_entropy(s, 0, values, labels), bounds=(0, 20), options={"xatol": 1e-9})
    assert found == pytest.approx(fine.x, rel=1e-4)
    assert logistic.inverse_temperature(labels, 7 * values) == pytest.approx(found / 7)
    through_zero = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(values[:, None], labels)
    assert found == pytest.approx(through_zero.coef_[0, 0], rel=1e-4)


@pytest.mark.parametrize(
    ("labels", "values", "reason"),
    [
        ([0, 1, 1], [-1, 1, 0], "no image is on the wrong side of logit 0, so the temperature has no lower bound"),
        *(
            (labels, values, "the logits do not distinguish the classes, so the temperature has no upper bound")
            for labels, values in (([0, 1, 1], [0, 0, 0]), ([0, 1, 1], [3, 1, 1]), ([0, 1], [1, -1]))
        ),
    ],
)
def test_no_temperature_has_a_reason(labels: list[int], values: list[float], reason: str) -> None:
    found = logistic.inverse_temperature(np.array(labels), np.array(values, float))
    assert found == NotApplicable(reason)


def test_one_image_barely_wrong_leaves_a_finite_temperature() -> None:
    found = logistic.inverse_temperature(np.array([0, 1, 1]), np.array([-5.0, 9.0, -1e-9]))
    assert isinstance(found, float)
    assert np.isfinite(found)
    assert found > 1


@settings(max_examples=60)
@given(values=st.lists(st.floats(-100, 100), min_size=2, max_size=30), data=st.data())
def test_shift_makes_the_mean_probability_the_share(values: list[float], data: Any) -> None:
    sick = data.draw(st.integers(1, len(values) - 1))
    labels = (np.arange(len(values)) < sick).astype(np.int64)
    logits = np.array(values)
    added = logistic.shift(labels, logits)
    assert probability(logits + added).mean() == pytest.approx(labels.mean(), abs=1e-9)


def test_shift_of_equal_logits_is_the_log_odds() -> None:
    assert logistic.shift(np.array([0, 0, 0, 1]), np.full(4, 2.0)) == pytest.approx(np.log(1 / 3) - 2)


def plain_sandwich(design: np.ndarray, labels: np.ndarray, chance: np.ndarray, codes: np.ndarray) -> float:
    """Standard error of the last coefficient, patient by patient."""
    bread = np.zeros((design.shape[1],) * 2)
    for row, p in zip(design, chance, strict=True):
        bread += p * (1 - p) * np.outer(row, row)
    meat = np.zeros_like(bread)
    names = sorted(set(codes.tolist()))
    for name in names:
        score = sum((labels[i] - chance[i]) * design[i] for i in range(len(labels)) if codes[i] == name)
        meat += np.outer(score, score)
    inverse = np.linalg.inv(bread)
    return float(np.sqrt(len(names) / (len(names) - 1) * (inverse @ meat @ inverse)[-1, -1]))


def test_intervals_are_the_sandwich_s() -> None:
    labels, values, codes = sample(3)
    slope, shift = logistic.slope_estimate(labels, values, codes), logistic.shift_estimate(labels, values, codes)
    assert isinstance(slope, Estimate)
    assert isinstance(shift, Estimate)
    line = logistic.line(values, labels.astype(float))
    design = np.column_stack((np.ones(values.size), values))
    error = plain_sandwich(design, labels, probability(line.slope * values + line.intercept), codes)
    assert (slope.value, slope.n) == (line.slope, values.size)
    assert (slope.high - slope.value) / 1.959964 == pytest.approx(error, rel=1e-5)
    error = plain_sandwich(design[:, :1], labels, probability(values + shift.value), codes)
    assert (shift.value - shift.low) / 1.959964 == pytest.approx(error, rel=1e-5)


def test_doubling_every_image_within_its_patient_leaves_the_intervals() -> None:
    labels, values, codes = sample(4)
    once = logistic.slope_estimate(labels, values, codes)
    twice = logistic.slope_estimate(np.tile(labels, 2), np.tile(values, 2), np.tile(codes, 2))
    assert isinstance(once, Estimate)
    assert isinstance(twice, Estimate)
    assert (twice.value, twice.low, twice.high) == pytest.approx((once.value, once.low, once.high))


def test_intervals_cover_the_truth() -> None:
    """Logits that are right: slope 1 and shift 0 lie in about 95 % of intervals."""
    inside = np.zeros(2)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        values = rng.normal(0.5, 1.5, 300)
        labels = (rng.random(300) < probability(values)).astype(np.int64)
        found = (f(labels, values, np.arange(300)) for f in (logistic.slope_estimate, logistic.shift_estimate))
        for place, (estimate, truth) in enumerate(zip(found, (1, 0), strict=True)):
            assert isinstance(estimate, Estimate)
            inside[place] += estimate.low <= truth <= estimate.high
    assert (inside >= 180).all()
    assert (inside <= 198).all()


def test_equal_logits_have_no_slope_and_separate_nothing() -> None:
    labels, _, codes = sample(0)
    found = logistic.slope_estimate(labels, np.full(labels.size, 1.5), codes)
    assert found == NotApplicable("all logits are equal, so they have no slope")


@pytest.mark.parametrize("values", [[-1.0, 2.0, 1.0, -2.0], [0.0, 0.0, 1.0, -1.0], [2.0, -2.0, -1.0, 1.0]])
def test_separated_classes_have_no_slope(values: list[float]) -> None:
    found = logistic.slope_estimate(np.array([0, 1, 1, 0]), np.array(values), np.arange(4))
    assert isinstance(found, NotApplicable)
    assert "separate" in found.reason


def test_certain_and_right_has_no_interval() -> None:
    found = logistic.shift_estimate(np.array([0, 0, 1, 1]), np.array([-500.0, -400, 400, 500]), np.arange(4))
    assert isinstance(found, NotApplicable)
    assert "0 or 1" in found.reason
