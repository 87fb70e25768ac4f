"""Point estimates against counting by hand, scikit-learn and the report of 2020."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from pneumo_core.errors import DataError
from pneumo_core.evaluation import metrics
from pneumo_core.evaluation.curves import pr_point, roc_point
from pneumo_core.evaluation.metrics import Confusion, PrCurve, RocCurve
from pneumo_core.records import NotApplicable

REPORT_2020 = Confusion(tn=180, fp=54, fn=10, tp=380)

# Multiples of 1/16, so that ties are frequent and monotone transforms below are exact.
images = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 16)), min_size=1, max_size=40)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    labels, sixteenths = zip(*pairs, strict=True)
    return np.array(labels), np.array(sixteenths) / 16


def two_class_arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    y_true, probability = arrays(pairs)
    assume(0 < y_true.sum() < y_true.size)
    return y_true, probability


def tied_sample(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, n)
    probability = np.round(np.clip(rng.normal(0.4 + 0.2 * y_true, 0.2), 0, 1), 2)
    return y_true, probability, rng.integers(0, 5, n).astype(np.float64)


def both_areas(y_true: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """AUROC and average precision of one weighting."""
    roc, pr = metrics.areas(metrics.rank(y_true, probability), weights[np.newaxis])
    return float(roc[0]), float(pr[0])


def auprc(y_true: np.ndarray, probability: np.ndarray) -> float:
    return both_areas(y_true, probability, np.ones(y_true.size))[1]


def pairwise_auroc(y_true: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> float:
    """The definition: over all pairs of one PNEUMONIA and one NORMAL image, a tie counting one half."""
    won = total = 0.0
    for label, value, weight in zip(y_true, probability, weights, strict=True):
        for other_label, other_value, other_weight in zip(y_true, probability, weights, strict=True):
            if label == 1 and other_label == 0:
                total += weight * other_weight
                won += weight * other_weight * ((value > other_value) + 0.5 * (value == other_value))
    return won / total


@given(images, st.integers(-1, 17))
def test_confusion_counts_like_a_loop(pairs: list[tuple[int, int]], sixteenth: int) -> None:
    y_true, probability = arrays(pairs)
    threshold = sixteenth / 16
    expected = {"tn": 0, "fp": 0, "fn": 0, "tp": 0}
    for label, value in zip(y_true, probability, strict=True):
        called = value >= threshold
        expected[("tp" if called else "fn") if label else ("fp" if called else "tn")] += 1
    counts = metrics.confusion(y_true, probability, threshold)
    assert counts == Confusion(**expected)
    assert counts.n == len(pairs)


def test_an_image_exactly_at_the_threshold_is_called_pneumonia() -> None:
    assert metrics.confusion(np.array([1]), np.array([0.5]), 0.5) == Confusion(tn=0, fp=0, fn=0, tp=1)


def test_classification_table_prints_like_the_report_of_2020() -> None:
    def two_digits(value: float | NotApplicable) -> str:
        return "" if isinstance(value, NotApplicable) else f"{value:.2f}"

    table = [
        (row.name, two_digits(row.precision), two_digits(row.recall), two_digits(row.f1), row.support)
        for row in metrics.classification_table(REPORT_2020)
    ]
    assert table == [
        ("NORMAL", "0.95", "0.77", "0.85", 234),
        ("PNEUMONIA", "0.88", "0.97", "0.92", 390),
        ("accuracy", "", "", "0.90", 624),
        ("macro avg", "0.91", "0.87", "0.89", 624),
        ("weighted avg", "0.90", "0.90", "0.89", 624),
    ]


@settings(max_examples=40)  # scikit-learn's table takes milliseconds
@given(*[st.integers(0, 30)] * 4)
def test_classification_table_agrees_with_scikit_learn(tn: int, fp: int, fn: int, tp: int) -> None:
    assume(tn + fp + fn + tp)
    y_true = np.repeat([0, 0, 1, 1], [tn, fp, fn, tp])
    y_pred = np.repeat([0, 1, 0, 1], [tn, fp, fn, tp])
    expected = oracle.classification_report(
        y_true, y_pred, labels=[0, 1], target_names=["NORMAL", "PNEUMONIA"], output_dict=True, zero_division=np.nan
    )
    expected["accuracy"] = {"f1-score": oracle.accuracy_score(y_true, y_pred), "support": y_true.size}
    rows = {row.name: row for row in metrics.classification_table(Confusion(tn, fp, fn, tp))}
    for name in ("NORMAL", "PNEUMONIA", "accuracy"):
        assert rows[name].support == expected[name]["support"]
        for ours, theirs in (
            (rows[name].precision, "precision"),
            (rows[name].recall, "recall"),
            (rows[name].f1, "f1-score"),
        ):
            if isinstance(ours, NotApplicable):
                assert math.isnan(expected[name].get(theirs, math.nan))
            else:
                assert ours == pytest.approx(expected[name][theirs])
    # scikit-learn leaves undefined values out of its averages; an average is compared where all its parts are defined.
    for name in ("macro avg", "weighted avg"):
        for column, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            parts = [getattr(rows[label], column) for label in ("NORMAL", "PNEUMONIA")]
            ours = getattr(rows[name], column)
            if not any(isinstance(part, NotApplicable) for part in parts):
                assert ours == pytest.approx(expected[name][theirs])
            elif name == "macro avg":
                assert isinstance(ours, NotApplicable)


def test_table_of_a_model_that_always_answers_pneumonia() -> None:
    normal, pneumonia, _, macro, weighted = metrics.classification_table(Confusion(tn=0, fp=234, fn=0, tp=390))
    assert normal.precision == NotApplicable("no image is classified as NORMAL")
    assert (normal.recall, normal.f1) == (0.0, 0.0)
    assert pneumonia.precision == pytest.approx(0.625)
    assert macro.precision == weighted.precision == normal.precision
    assert macro.recall == pytest.approx(0.5)


def test_a_class_without_images_has_no_part_in_the_weighted_average() -> None:
    rows = {row.name: row for row in metrics.classification_table(Confusion(tn=0, fp=0, fn=1, tp=3))}
    assert rows["NORMAL"].recall == rows["macro avg"].recall == NotApplicable("no image is NORMAL")
    assert rows["weighted avg"].recall == pytest.approx(0.75)
    assert rows["weighted avg"].precision == pytest.approx(1.0)


def test_table_of_no_images_has_no_numbers() -> None:
    for row in metrics.classification_table(Confusion(0, 0, 0, 0)):
        assert row.support == 0
        assert all(isinstance(value, NotApplicable) for value in (row.precision, row.recall, row.f1))


@given(images)
def test_auroc_is_the_share_of_pairs_won(pairs: list[tuple[int, int]]) -> None:
    y_true, probability = two_class_arrays(pairs)
    assert metrics.auroc(y_true, probability) == pytest.approx(
        pairwise_auroc(y_true, probability, np.ones(y_true.size)), abs=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_weighted_areas_agree_with_scikit_learn(seed: int) -> None:
    y_true, probability, weights = tied_sample(seed)
    assert both_areas(y_true, probability, weights) == pytest.approx(
        [
            score(y_true, probability, sample_weight=weights)
            for score in (oracle.roc_auc_score, oracle.average_precision_score)
        ],
        abs=1e-12,
    )
    assert auprc(y_true, probability) == pytest.approx(oracle.average_precision_score(y_true, probability), abs=1e-12)


def test_fractional_weights_count_pairs_by_their_product() -> None:
    y_true, probability, weights = tied_sample(7, n=60)
    weights = weights / 7 + 0.01
    assert both_areas(y_true, probability, weights)[0] == pytest.approx(
        pairwise_auroc(y_true, probability, weights), abs=1e-12
    )


@given(images)
def test_a_whole_weight_is_that_many_copies(pairs: list[tuple[int, int]]) -> None:
    y_true, probability = two_class_arrays(pairs)
    weights = np.arange(y_true.size) % 3 + 1
    copies = np.repeat(np.arange(y_true.size), weights)
    copied = both_areas(y_true[copies], probability[copies], np.ones(copies.size))
    assert both_areas(y_true, probability, weights.astype(np.float64)) == pytest.approx(copied, abs=1e-12)


@given(images, st.sampled_from([np.exp, lambda x: x**3, lambda x: 100 * x - 7, lambda x: np.log(x + 1e-3)]))
def test_areas_depend_on_the_order_alone(
    pairs: list[tuple[int, int]], monotone: Callable[[np.ndarray], np.ndarray]
) -> None:
    y_true, probability = two_class_arrays(pairs)
    for area in (metrics.auroc, auprc):
        assert area(y_true, monotone(probability)) == area(y_true, probability)


@given(images)
def test_swapping_labels_mirrors_auroc(pairs: list[tuple[int, int]]) -> None:
    y_true, probability = two_class_arrays(pairs)
    there, swapped, both = (
        metrics.auroc(*args) for args in ((y_true, probability), (1 - y_true, probability), (1 - y_true, -probability))
    )
    assert not isinstance(there, NotApplicable)
    assert swapped == pytest.approx(1 - there, abs=1e-12)
    assert both == pytest.approx(there, abs=1e-12)


def test_constant_probabilities_rank_nothing() -> None:
    y_true, probability = np.array([0, 1, 1, 1]), np.full(4, 0.3)
    assert metrics.auroc(y_true, probability) == 0.5
    assert auprc(y_true, probability) == 0.75
    roc = metrics.roc_curve(y_true, probability)
    assert isinstance(roc, RocCurve)
    assert (roc.fpr, roc.tpr) == ((0.0, 1.0), (0.0, 1.0))
    assert metrics.pr_curve(y_true, probability) == PrCurve(recall=(1.0,), precision=(0.75,), threshold=(0.3,))


def test_perfect_separation() -> None:
    y_true, probability = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8])
    assert metrics.auroc(y_true, probability) == auprc(y_true, probability) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_curves_agree_with_scikit_learn(seed: int) -> None:
    y_true, probability, _ = tied_sample(seed)
    roc, pr = metrics.roc_curve(y_true, probability), metrics.pr_curve(y_true, probability)
    assert isinstance(roc, RocCurve)
    assert isinstance(pr, PrCurve)
    fpr, tpr, thresholds = oracle.roc_curve(y_true, probability, drop_intermediate=False)
    np.testing.assert_allclose(roc.fpr, fpr, atol=1e-15)
    np.testing.assert_allclose(roc.tpr, tpr, atol=1e-15)
    np.testing.assert_array_equal(roc.threshold[1:], thresholds[1:])
    # scikit-learn lists rising thresholds and ends with a made-up point at recall 0.
    precision, recall, thresholds = oracle.precision_recall_curve(y_true, probability)
    np.testing.assert_allclose(pr.precision, precision[-2::-1], atol=1e-15)
    np.testing.assert_allclose(pr.recall, recall[-2::-1], atol=1e-15)
    np.testing.assert_array_equal(pr.threshold, thresholds[::-1])


@given(images)
def test_each_point_of_a_curve_is_what_its_threshold_gives(pairs: list[tuple[int, int]]) -> None:
    y_true, probability = two_class_arrays(pairs)
    roc, pr = metrics.roc_curve(y_true, probability), metrics.pr_curve(y_true, probability)
    assert isinstance(roc, RocCurve)
    assert isinstance(pr, PrCurve)
    assert (roc.fpr[0], roc.tpr[0], roc.fpr[-1], roc.tpr[-1]) == (0, 0, 1, 1)
    for fpr, tpr, threshold in zip(roc.fpr, roc.tpr, roc.threshold, strict=True):
        assert roc_point(metrics.confusion(y_true, probability, threshold)) == pytest.approx((fpr, tpr))
    for recall, precision, threshold in zip(pr.recall, pr.precision, pr.threshold, strict=True):
        assert pr_point(metrics.confusion(y_true, probability, threshold)) == pytest.approx((recall, precision))


@given(images)
def test_the_areas_are_the_areas_under_the_curves(pairs: list[tuple[int, int]]) -> None:
    y_true, probability = two_class_arrays(pairs)
    roc, pr = metrics.roc_curve(y_true, probability), metrics.pr_curve(y_true, probability)
    assert isinstance(roc, RocCurve)
    assert isinstance(pr, PrCurve)
    assert np.trapezoid(roc.tpr, roc.fpr) == pytest.approx(metrics.auroc(y_true, probability))
    steps = np.diff(pr.recall, prepend=0.0)
    assert float(np.sum(steps * pr.precision)) == pytest.approx(auprc(y_true, probability))


@pytest.mark.parametrize("metric", [metrics.auroc, metrics.roc_curve, metrics.pr_curve])
@pytest.mark.parametrize(
    ("labels", "reason"), [([], "no images"), ([1, 1], "no image is NORMAL"), ([0], "no image is PNEUMONIA")]
)
def test_ranking_needs_both_classes(metric: Callable[..., Any], labels: list[int], reason: str) -> None:
    value = metric(np.array(labels, dtype=int), np.linspace(0.1, 0.9, len(labels)))
    assert isinstance(value, NotApplicable)
    assert reason in value.reason


def test_areas_mark_replicates_without_a_class_and_no_others() -> None:
    ranking = metrics.rank(np.array([0, 1, 1]), np.array([0.2, 0.7, 0.1]))
    roc, pr = metrics.areas(ranking, np.array([[1.0, 1, 1], [0, 1, 2], [3, 0, 0], [1, 0, 2]]))
    np.testing.assert_allclose(roc, [0.5, np.nan, np.nan, 0.0])
    np.testing.assert_allclose(pr, [(1 + 2 / 3) / 2, np.nan, np.nan, 2 / 3])


def test_losses_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    y_true, logits = rng.integers(0, 2, 200), rng.normal(0, 3, 200)
    probability = 1 / (1 + np.exp(-logits))
    brier, log_loss = metrics.brier_terms(y_true, probability).mean(), metrics.log_loss_terms(y_true, logits).mean()
    assert brier == pytest.approx(oracle.brier_score_loss(y_true, probability))
    assert log_loss == pytest.approx(oracle.log_loss(y_true, probability))


def test_log_loss_stays_exact_where_the_probability_has_run_into_one() -> None:
    assert metrics.log_loss_terms(np.array([0]), np.array([1000.0])) == 1000.0
    assert metrics.log_loss_terms(np.array([1]), np.array([50.0])) == pytest.approx(math.exp(-50), rel=1e-12)


@pytest.mark.parametrize(
    "metric", [metrics.auroc, metrics.roc_curve, metrics.pr_curve, metrics.brier_terms, metrics.log_loss_terms]
)
@pytest.mark.parametrize(
    ("labels", "values", "received"),
    [
        ([0, 1], [0.5], "y_true=(2,), values=(1,)"),
        ([[0, 1]], [[0.5, 0.2]], "y_true=(1, 2)"),
        ([0, 2], [0.5, 0.2], "y_true=[0, 2]"),
        ([2, 2], [0.5, 0.2], "y_true=[2]"),
        ([0, 1], [0.5, np.nan], "values=[nan]"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    metric: Callable[..., Any], labels: Any, values: Any, received: str
) -> None:
    with pytest.raises(DataError) as caught:
        metric(np.array(labels), np.array(values))
    assert f"Received: {received}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ranking_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="at least one image"):
        metrics.rank(np.array([], dtype=int), np.array([]))
