"""Reliability against scikit-learn and against bins filled image by image."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import clustered_wilson
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.reliability import Reliability, reliability
from pneumo_core.records import Estimate, NotApplicable

PUBLISHED = Path(__file__).resolve().parents[2] / "artifacts" / "published"


def sample(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patients = np.sort(rng.integers(0, n // 2, n))
    labels = (patients % 3 > 0).astype(int)
    return labels, 2.0 * labels - 0.5 + rng.normal(0, 2, n), patients


def measured(*arguments: Any) -> Reliability:
    found = reliability(*arguments)
    assert isinstance(found, Reliability)
    return found


def test_bins_and_scores_are_scikit_learn_s() -> None:
    labels, logits, patients = sample(0)
    found = measured(labels, logits, patients)
    chance = probability(logits)
    observed, mean = calibration_curve(labels, chance, n_bins=10)
    full = [each for each in found.bins if each.n]
    assert [each.observed.value for each in full if isinstance(each.observed, Estimate)] == pytest.approx(observed)
    assert [each.mean_probability for each in full] == pytest.approx(mean)
    assert found.brier == pytest.approx(brier_score_loss(labels, chance))
    assert found.log_loss == pytest.approx(log_loss(labels, chance))
    assert sum(each.n for each in found.bins) == found.n == 300
    assert (found.n_pneumonia, found.n_patients) == (labels.sum(), len(np.unique(patients)))
    weights = [each.n / 300 for each in full]
    assert found.ece == pytest.approx(float(np.dot(weights, np.abs(observed - mean))))


@settings(max_examples=60)
@given(
    chances=st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.3, 0.5, 0.7, 0.95, 1.0]), min_size=1, max_size=30),
    data=st.data(),
)
def test_bins_hold_the_images_of_their_part(chances: list[float], data: Any) -> None:
    labels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(chances), max_size=len(chances))))
    patients = np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(chances), max_size=len(chances))))
    logits = np.clip(np.log(np.array(chances) + 1e-300) - np.log1p(-np.array(chances) + 1e-16), -700, 700)
    found = measured(labels, logits, patients)
    values = probability(logits)
    distance = 0.0
    for place, each in enumerate(found.bins):
        last = place == len(found.bins) - 1
        inside = np.array([each.low <= value < each.high or (last and value == 1) for value in values])
        assert each.n == inside.sum()
        assert each.observed == clustered_wilson(labels[inside] == 1, patients[inside])
        if each.n:
            distance += abs(values[inside].sum() - labels[inside].sum())
        else:
            assert isinstance(each.mean_probability, NotApplicable)
            assert isinstance(each.observed, NotApplicable)
    assert found.ece == pytest.approx(distance / len(chances), abs=1e-12)
    assert 0 <= found.ece <= 1


def test_logits_that_are_right_have_slope_1_and_intercept_0() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(1, 2, 20_000)
    labels = (rng.random(20_000) < probability(logits)).astype(int)
    found = measured(labels, logits, np.arange(20_000))
    assert isinstance(found.slope, Estimate)
    assert isinstance(found.intercept, Estimate)
    assert found.slope.low < 1 < found.slope.high
    assert found.intercept.low < 0 < found.intercept.high
    assert found.ece < 0.01
    # Twice too extreme, and one too high.
    wrong = measured(labels, 2 * logits + 1, np.arange(20_000))
    assert isinstance(wrong.slope, Estimate)
    assert wrong.slope.value == pytest.approx(found.slope.value / 2)
    assert isinstance(wrong.intercept, Estimate)
    assert wrong.intercept.high < 0
    assert wrong.ece > 3 * found.ece


def shifted_loss(added: np.ndarray, labels: np.ndarray, logits: np.ndarray) -> float:
    return float((np.logaddexp(0, logits + added[0]) - labels * (logits + added[0])).sum())


@pytest.mark.parametrize("seed", range(4))
def test_intercept_is_that_of_least_cross_entropy_with_the_slope_held_at_1(seed: int) -> None:
    labels, logits, patients = sample(seed)
    logits = 2 * logits + 1
    found = measured(labels, logits, patients).intercept
    assert isinstance(found, Estimate)
    oracle = minimize(shifted_loss, [0.0], args=(labels, logits), method="Nelder-Mead", options={"xatol": 1e-9})
    assert found.value == pytest.approx(oracle.x[0], abs=1e-6)
    chance = 1 / (1 + np.exp(-logits - oracle.x[0]))
    scores = [(labels - chance)[patients == patient].sum() for patient in np.unique(patients)]
    # The sandwich over patients of one parameter, written out.
    variance = len(scores) / (len(scores) - 1) * np.square(scores).sum() / (chance * (1 - chance)).sum() ** 2
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-4)
    assert (found.low + found.high) / 2 == pytest.approx(found.value)


def test_intercept_of_a_published_run_is_not_the_one_beside_its_slope() -> None:
    rows = pd.read_parquet(PUBLISHED / "vgg16-97d3cb5e2e15" / "predictions.parquet").query("split == 'test'")
    labels, logits = rows["label"].to_numpy(), rows["logit"].to_numpy(dtype=float)

    def joint_loss(line: np.ndarray) -> float:
        eta = line[0] + line[1] * logits
        return float((np.logaddexp(0, eta) - labels * eta).sum())

    joint = minimize(joint_loss, [0.0, 1.0], method="BFGS").x
    assert joint == pytest.approx([-2.395, 0.405], abs=1e-3)
    alone = minimize(shifted_loss, [0.0], args=(labels, logits), method="BFGS").x
    assert alone == pytest.approx([-5.946], abs=1e-3)
    found = measured(labels, logits, rows["patient_id"].to_numpy(dtype=str))
    assert isinstance(found.slope, Estimate)
    assert isinstance(found.intercept, Estimate)
    assert (found.slope.value, found.intercept.value) == pytest.approx((joint[1], alone[0]), rel=1e-4)


def test_names_of_patients_and_order_of_images_do_not_matter() -> None:
    labels, logits, patients = sample(2)
    order = np.random.default_rng(0).permutation(300)
    again = measured(labels[order], logits[order], np.char.add("p", patients.astype(str))[order])
    found = measured(labels, logits, patients)
    assert isinstance(again.slope, Estimate)
    assert isinstance(found.slope, Estimate)
    assert (again.slope.low, again.slope.high) == pytest.approx((found.slope.low, found.slope.high))
    assert [each.n for each in again.bins] == [each.n for each in found.bins]


def test_what_cannot_be_computed_says_why() -> None:
    empty = reliability(np.array([], int), np.array([]), np.array([], int))
    assert empty == NotApplicable("there are no images")
    one = measured(np.array([1, 1]), np.array([0.5, 2]), np.array([0, 1]))
    assert isinstance(one.slope, NotApplicable)
    assert isinstance(one.intercept, NotApplicable)
    assert "NORMAL" in one.slope.reason
    assert one.brier > 0
    lonely = measured(np.array([0, 1, 1, 0]), np.array([0.5, 2, 1, 3]), np.array([0, 1, 2, 0]))
    assert isinstance(lonely.slope, NotApplicable)
    assert lonely.slope.reason == "an interval needs 10 patients of each class, and NORMAL has 1"
    apart = measured(np.repeat([0, 1, 1, 0], 5), np.repeat([-1.0, 2, 1, -3], 5), np.arange(20))
    assert isinstance(apart.slope, NotApplicable)
    assert isinstance(apart.intercept, Estimate)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 1], [0.0], [0, 1]), "must both be"),
        (([0, 1], [0.0, 1.0], [0]), "one for each image"),
        (([0, 2], [0.0, 1.0], [0, 1]), "0 and 1 only"),
        (([0, 1], [0.0, np.nan], [0, 1]), "finite"),
    ],
)
def test_other_data_are_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        reliability(*map(np.array, arguments))


def test_a_probability_on_a_border_belongs_to_the_bin_above() -> None:
    found = measured(np.array([0, 1, 1]), np.array([-1000.0, 0, 1000]), np.arange(3))
    assert [(each.low, each.n) for each in found.bins if each.n] == [(0, 1), (0.5, 1), (pytest.approx(0.9), 1)]
