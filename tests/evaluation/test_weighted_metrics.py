"""Every figure under weights equals the same figure of images repeated as often as they weigh."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from pneumo_core.errors import DataError
from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.weighted_metrics import influence, measured, missing_reason, runs_of
from pneumo_core.records import Metric


def evidence(seed: int, *, n: int = 40, threshold: float = 0.5, decimals: int = 1) -> Evidence:
    """A run on n images; few decimals make ties."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 3 > 0).astype(int)
    table = pd.DataFrame(
        {
            "image_id": [f"image-{place:03d}" for place in range(n)],
            "patient_id": [f"patient-{place // 2}" for place in range(n)],
            "label": labels,
            "subtype": "none",
            "logit": np.round(rng.normal(labels * 1.5 - 0.7, 1.0), decimals),
        }
    )
    return Evidence(f"baseline-{seed:012d}", seed, threshold, False, table)


def by_scikit_learn(y_true: Any, logit: Any, threshold: float) -> dict[Metric, float]:
    values = probability(np.asarray(logit))
    y_pred = (values >= threshold).astype(int)
    each = reference.classification_report(y_true, y_pred, output_dict=True, zero_division=np.nan)
    return {
        Metric.ACCURACY: reference.accuracy_score(y_true, y_pred),
        Metric.SENSITIVITY: each["1"]["recall"],
        Metric.SPECIFICITY: each["0"]["recall"],
        Metric.PPV: each["1"]["precision"],
        Metric.NPV: each["0"]["precision"],
        Metric.F1_NORMAL: each["0"]["f1-score"],
        Metric.F1_PNEUMONIA: each["1"]["f1-score"],
        Metric.MACRO_PRECISION: each["macro avg"]["precision"],
        Metric.MACRO_RECALL: each["macro avg"]["recall"],
        Metric.MACRO_F1: each["macro avg"]["f1-score"],
        Metric.WEIGHTED_PRECISION: each["weighted avg"]["precision"],
        Metric.WEIGHTED_RECALL: each["weighted avg"]["recall"],
        Metric.WEIGHTED_F1: each["weighted avg"]["f1-score"],
        Metric.AUROC: reference.roc_auc_score(y_true, values),
        Metric.AUPRC: reference.average_precision_score(y_true, values),
        Metric.BRIER: reference.brier_score_loss(y_true, values),
        Metric.LOG_LOSS: reference.log_loss(y_true, values),
    }


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_repetitions_and_figures_are_scikit_learns(seed: int) -> None:
    runs = [evidence(seed, threshold=0.4), evidence(seed + 50, threshold=0.6)]
    weights = np.random.default_rng(seed).integers(0, 4, size=(5, 40))
    found = measured(runs_of(runs), weights.astype(float))
    for row, times in enumerate(weights):
        for place, run in enumerate(runs):
            labels = np.repeat(run.predictions["label"].to_numpy(), times)
            logits = np.repeat(run.predictions["logit"].to_numpy(), times)
            expected = by_scikit_learn(labels, logits, run.threshold)
            received = dict(zip(Metric, found[row, place], strict=True))
            assert received == pytest.approx(expected, abs=1e-12)


def test_what_is_not_defined_is_nan_and_has_a_reason() -> None:
    run = evidence(0)
    only_sick = Evidence(run.run_id, 0, 0.5, False, run.predictions[run.predictions["label"] == 1])
    found = dict(
        zip(Metric, measured(runs_of([only_sick]), np.ones((1, len(only_sick.predictions))))[0, 0], strict=True)
    )
    assert np.isnan(found[Metric.SPECIFICITY])
    assert np.isnan(found[Metric.AUROC])
    assert not np.isnan(found[Metric.ACCURACY])
    assert missing_reason(Metric.SPECIFICITY, np.ones(3, np.int64)) == "no image is NORMAL"
    assert missing_reason(Metric.NPV, np.array([0, 1])) == "no image is classified as NORMAL"


def test_runs_of_a_group_must_have_the_same_images() -> None:
    other = evidence(1, n=39)
    with pytest.raises(DataError, match=r"the same images. Received: baseline-0{12} with 40, baseline-0{11}1 with 39"):
        runs_of([evidence(0), other])
    with pytest.raises(DataError, match="at least one run"):
        runs_of([])


@pytest.mark.parametrize("seed", range(2))
def test_influences_are_the_changes_with_each_image_s_weight(seed: int) -> None:
    runs = runs_of([evidence(seed, threshold=0.4), evidence(seed + 50, threshold=0.6)])
    step = 1e-5 * np.eye(40)
    changes = (measured(runs, 1 + step) - measured(runs, 1 - step)) / 2e-5
    found = influence(runs)
    np.testing.assert_allclose(found, changes, atol=1e-8)
    np.testing.assert_allclose(found.sum(axis=0), 0, atol=1e-8)


def test_influences_on_a_figure_that_is_not_defined_are_nan() -> None:
    run = evidence(0)
    healthy = Evidence("a", 0, 0.5, False, run.predictions.assign(label=0))
    found = influence(runs_of([healthy]))[:, 0]
    undefined = np.isnan(measured(runs_of([healthy]), np.ones((1, 40)))[0, 0])
    assert undefined.any()
    assert (np.isnan(found) == undefined).all()
