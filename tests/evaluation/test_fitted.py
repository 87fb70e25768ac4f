"""The audit's logistic model: curved borders are learned, and no patient is scored by a model that has seen it."""

import numpy as np
import pytest

from pneumo_core.evaluation.fitted import fitted, held_out_scores
from pneumo_core.evaluation.metrics import auroc


def test_squares_and_products_are_part_of_it() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 2))
    for labels in ((features**2).sum(axis=1) > 1.4, features[:, 0] * features[:, 1] > 0):
        area = auroc(labels.astype(int), fitted(features, labels.astype(int)).decision_function(features))
        assert area == pytest.approx(1.0, abs=0.02)


def test_a_measure_without_variation_is_no_obstacle() -> None:
    features = np.column_stack([np.random.default_rng(0).normal(size=100), np.full(100, 7.0)])
    assert np.isfinite(fitted(features, (features[:, 0] > 0).astype(int)).decision_function(features)).all()


def test_a_patient_is_scored_by_a_model_that_has_not_seen_it() -> None:
    """Labels that only the patient's number tells cannot be told of others."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 4).astype(str)
    labels = np.repeat(rng.integers(0, 2, 60), 4)
    features = np.repeat(rng.normal(size=(60, 3)), 4, axis=0)
    scores = held_out_scores(features, labels, groups)
    assert abs(np.corrcoef(scores, labels)[0, 1]) < 0.4


def test_noise_is_ranked_at_chance_whatever_the_folds_hold() -> None:
    """Pooled logits of several models rank noise below chance, the more the fewer there are."""
    areas = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        features, labels = rng.normal(size=(80, 3)), rng.permutation(np.arange(80) % 4 == 0).astype(int)
        areas.append(auroc(labels, held_out_scores(features, labels, np.arange(80).astype(str))))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.03)


def test_scores_are_ranks_within_a_fold() -> None:
    """Logits of different models are shifted against one another, so that pooled they would compare the models."""
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(100, 3)), np.arange(100) % 2
    scores = held_out_scores(features, labels, np.arange(100).astype(str))
    ranks, counts = np.unique(scores.round(9), return_counts=True)
    assert ranks == pytest.approx((np.arange(20) + 0.5) / 20)
    assert counts.tolist() == [5] * 20
