"""Thresholds against all thresholds tried one by one, rates against scikit-learn, predictive values by simulation."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, roc_curve

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.errors import ConfigError, DataError
from pneumo_core.evaluation.intervals import clustered_wilson, wilson
from pneumo_core.evaluation.operating import (
    GRID,
    DecisionCurve,
    RuleKind,
    ThresholdRule,
    choose,
    decision_curve,
    predictive_values,
    rates,
)
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import evaluate
from pneumo_core.records import Estimate, NotApplicable
from tests.evaluation.test_report import logits_of, predictions

SMALL = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 0.61, 0.9, 1.0])), min_size=2, max_size=25
).filter(lambda pairs: {label for label, _ in pairs} == {0, 1})


def sample(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patients = np.sort(rng.integers(0, n // 2, n))
    labels = (patients % 3 > 0).astype(int)
    return labels, np.round(np.clip(0.35 + 0.3 * labels + rng.normal(0, 0.2, n), 0, 1), 2), patients


def counts(labels: np.ndarray, values: np.ndarray, threshold: float) -> tuple[int, int, int, int]:
    """TN, FP, FN, TP, image by image."""
    table = [0, 0, 0, 0]
    for label, value in zip(labels, values, strict=True):
        table[2 * label + (value >= threshold)] += 1
    return tuple(table)  # type: ignore[return-value]


def every_threshold(values: np.ndarray) -> list[float]:
    """A threshold for each table of counts: each probability itself, and above all of them where there is room."""
    return sorted({0.0, *values.tolist(), *([1.0] if max(values) < 1 else [])})


@settings(max_examples=100)
@given(pairs=SMALL, least=st.sampled_from([0.05, 0.3, 0.5, 0.75, 0.9, 1.0]))
def test_sensitivity_is_kept_at_the_highest_threshold(pairs: list[tuple[int, float]], least: float) -> None:
    labels, values = (np.array(part) for part in zip(*pairs, strict=True))
    found = choose(ThresholdRule(RuleKind.SENSITIVITY, least), labels, values)
    tn, _, fn, tp = counts(labels, values, found)
    assert tp >= least * (tp + fn) - 1e-12
    specificities = []
    for threshold in every_threshold(values):
        tables = counts(labels, values, threshold)
        if tables[3] / (tables[3] + tables[2]) >= least:
            specificities.append(tables[0])
    assert tn == max(specificities)


@settings(max_examples=100)
@given(pairs=SMALL, least=st.sampled_from([0.05, 0.3, 0.5, 0.75, 0.9, 1.0]))
def test_specificity_is_reached_at_the_lowest_threshold(pairs: list[tuple[int, float]], least: float) -> None:
    labels, values = (np.array(part) for part in zip(*pairs, strict=True))
    tables = [counts(labels, values, threshold) for threshold in every_threshold(values)]
    sensitivities = [table[3] for table in tables if table[0] / (table[0] + table[1]) >= least]
    rule = ThresholdRule(RuleKind.SPECIFICITY, least)
    if not sensitivities:
        with pytest.raises(DataError, match="reaches it"):
            choose(rule, labels, values)
        return
    assert counts(labels, values, choose(rule, labels, values))[3] == max(sensitivities)


@settings(max_examples=100)
@given(pairs=SMALL, ratio=st.sampled_from([0.1, 1.0, 2.0, 10.0]), prevalence=st.sampled_from([None, 0.02, 0.5, 0.9]))
def test_cost_is_the_least_of_all_thresholds(
    pairs: list[tuple[int, float]], ratio: float, prevalence: float | None
) -> None:
    labels, values = (np.array(part) for part in zip(*pairs, strict=True))
    sick = labels.sum()
    well = len(labels) - sick

    def cost(threshold: float) -> float:
        _, fp, fn, _ = counts(labels, values, threshold)
        if prevalence is None:
            return float(ratio * fn + fp)
        return float(prevalence * ratio * fn / sick + (1 - prevalence) * fp / well)

    found = choose(ThresholdRule(RuleKind.COST, ratio, prevalence), labels, values)
    assert cost(found) == pytest.approx(min(map(cost, every_threshold(values))))


@settings(max_examples=100)
@given(pairs=SMALL)
def test_youden_is_the_report_s(pairs: list[tuple[int, float]]) -> None:
    inner = [(label, min(max(value, 0.02), 0.98)) for label, value in pairs]
    frame = predictions("val", [label for label, _ in inner], logits_of([value for _, value in inner]))
    report = evaluate(frame, run_id="baseline-0", rule=OperatingRule.YOUDEN, selected_on_test=False)
    found = choose(ThresholdRule(RuleKind.YOUDEN), frame["label"].to_numpy(), probability(frame["logit"].to_numpy()))
    assert found == report.operating_point.threshold


def test_youden_is_the_top_of_scikit_learn_s_curve() -> None:
    labels, values, patients = sample(0)
    fpr, tpr, _ = roc_curve(labels, values)
    found = rates(labels, values, patients, choose(ThresholdRule(RuleKind.YOUDEN), labels, values))
    assert isinstance(found.sensitivity, Estimate)
    assert isinstance(found.specificity, Estimate)
    assert found.sensitivity.value + found.specificity.value - 1 == pytest.approx((tpr - fpr).max())


def test_a_missed_pneumonia_that_costs_more_lowers_the_threshold() -> None:
    labels, values, _ = sample(1)
    found = [choose(ThresholdRule(RuleKind.COST, ratio), labels, values) for ratio in (0.2, 1.0, 5.0, 50.0)]
    assert all(high >= low for high, low in pairwise(found))
    assert found[0] > found[-1]


def test_adjacent_floats_are_distinguished() -> None:
    low = 0.3
    values = np.array([low, np.nextafter(low, 1)])
    for place in range(20):
        # No float lies between two neighbors, and the middle may round to either.
        found = choose(ThresholdRule(RuleKind.YOUDEN), np.array([0, 1]), values)
        assert counts(np.array([0, 1]), values, found) == (1, 0, 0, 1), place
        values = np.nextafter(values, 1)


def test_fixed_is_itself_and_needs_no_images() -> None:
    assert choose(ThresholdRule(RuleKind.FIXED, 0.3), np.array([], int), np.array([])) == 0.3


def test_nine_of_ten_are_90_percent() -> None:
    labels = np.array([1] * 10 + [0])
    values = np.append(np.linspace(0.1, 0.9, 10), 0.05)
    found = choose(ThresholdRule(RuleKind.SENSITIVITY, 0.9), labels, values)
    assert values[0] < found < values[1]


@pytest.mark.parametrize(
    ("kind", "value", "prevalence"),
    [
        (RuleKind.YOUDEN, 0.5, None),
        (RuleKind.SENSITIVITY, None, None),
        (RuleKind.SENSITIVITY, 0.0, None),
        (RuleKind.SENSITIVITY, 1.01, None),
        (RuleKind.SPECIFICITY, -0.1, None),
        (RuleKind.SPECIFICITY, float("nan"), None),
        (RuleKind.FIXED, 1.1, None),
        (RuleKind.FIXED, None, None),
        (RuleKind.COST, 0.0, None),
        (RuleKind.COST, float("inf"), None),
        (RuleKind.COST, 2.0, 0.0),
        (RuleKind.COST, 2.0, 1.0),
        (RuleKind.FIXED, 0.5, 0.1),
    ],
)
def test_values_out_of_their_range_are_refused(kind: RuleKind, value: float | None, prevalence: float | None) -> None:
    with pytest.raises(ConfigError, match="Received: "):
        ThresholdRule(kind, value, prevalence)


@pytest.mark.parametrize("labels", [[1, 1], [0, 0]])
@pytest.mark.parametrize("kind", [RuleKind.YOUDEN, RuleKind.SENSITIVITY, RuleKind.SPECIFICITY, RuleKind.COST])
def test_a_missing_class_is_refused(kind: RuleKind, labels: list[int]) -> None:
    rule = ThresholdRule(kind, None if kind is RuleKind.YOUDEN else 0.5)
    with pytest.raises(DataError, match="both classes"):
        choose(rule, np.array(labels), np.array([0.2, 0.4]))


@pytest.mark.parametrize(
    ("labels", "values"),
    [([0, 1], [0.5]), ([], []), ([0, 3], [0.5, 0.5]), ([0, 1], [0.5, 1.5]), ([0, 1], [0.5, np.nan])],
)
def test_other_data_are_refused(labels: list[int], values: list[float]) -> None:
    with pytest.raises(DataError, match="Received: "):
        rates(np.array(labels), np.array(values), np.arange(len(labels)), 0.5)


def test_rates_are_scikit_learn_s_with_clustered_intervals() -> None:
    labels, values, patients = sample(2)
    found = rates(labels, values, patients, 0.5)
    tn, fp, fn, tp = confusion_matrix(labels, values >= 0.5).ravel()
    expected = {
        "sensitivity": tp / (tp + fn), "specificity": tn / (tn + fp), "ppv": tp / (tp + fp), "npv": tn / (tn + fn),
    }  # fmt: skip
    for name, value in expected.items():
        assert getattr(found, name).value == pytest.approx(value)
    assert found.sensitivity == clustered_wilson((values >= 0.5)[labels == 1], patients[labels == 1])
    assert found.npv == clustered_wilson((labels == 0)[values < 0.5], patients[values < 0.5])
    assert (found.n, found.n_patients, found.prevalence) == (200, len(np.unique(patients)), labels.mean())


def test_rates_that_do_not_exist_have_reasons() -> None:
    found = rates(np.array([1, 1]), np.array([0.6, 0.7]), np.arange(2), 0.5)
    assert isinstance(found.specificity, NotApplicable)
    assert isinstance(found.npv, NotApplicable)


# --- Predictive values ------------------------------------------------------------------------------------------------


def share(successes: int, n: int) -> Estimate:
    found = wilson(successes, n)
    assert isinstance(found, Estimate)
    return found


def both(*arguments: Any) -> tuple[Estimate, Estimate]:
    ppv, npv = predictive_values(*arguments)
    assert isinstance(ppv, Estimate)
    assert isinstance(npv, Estimate)
    return ppv, npv


@settings(max_examples=60)
@given(
    tp=st.integers(1, 60),
    fn=st.integers(1, 60),
    tn=st.integers(1, 60),
    fp=st.integers(1, 60),
    prevalence=st.floats(0.01, 0.99),
)
def test_predictive_values_are_bayes_with_mercaldo_s_logit_interval(
    tp: int, fn: int, tn: int, fp: int, prevalence: float
) -> None:
    sick, well = tp + fn, tn + fp
    ppv, npv = both(share(tp, sick), share(tn, well), prevalence)
    se, sp = tp / sick, tn / well
    assert ppv.value == pytest.approx(prevalence * se / (prevalence * se + (1 - prevalence) * (1 - sp)))
    assert npv.value == pytest.approx((1 - prevalence) * sp / ((1 - prevalence) * sp + prevalence * (1 - se)))
    # In counts: the variances of the logits of PPV and NPV.
    for found, variance in ((ppv, fn / tp / sick + tn / fp / well), (npv, tp / fn / sick + fp / tn / well)):
        center = np.log(found.value / (1 - found.value))
        ends = center + 1.959963984540054 * np.sqrt(variance) * np.array([-1, 1])
        np.testing.assert_allclose([found.low, found.high], 1 / (1 + np.exp(-ends)), rtol=1e-6)
        assert found.n == sick + well


def test_at_the_sample_s_own_prevalence_they_are_its_shares() -> None:
    ppv, npv = both(share(90, 100), share(160, 200), 1 / 3)
    assert (ppv.value, npv.value) == (pytest.approx(90 / 130), pytest.approx(160 / 170))


def test_intervals_of_predictive_values_cover_the_truth() -> None:
    rng = np.random.default_rng(0)
    se, sp, prevalence = 0.9, 0.8, 0.1
    truth = prevalence * se / (prevalence * se + (1 - prevalence) * (1 - sp))
    inside = 0
    for tp, tn in zip(rng.binomial(150, se, 1000), rng.binomial(120, sp, 1000), strict=True):
        ppv, _ = both(share(int(tp), 150), share(int(tn), 120), prevalence)
        inside += ppv.low <= truth <= ppv.high
    assert 930 <= inside <= 970


def test_images_of_few_patients_widen_the_interval() -> None:
    right = np.tile([True, True, True, False], 25)
    alone = clustered_wilson(right, np.arange(100))
    # Ten images a patient, right together and wrong together.
    together = clustered_wilson(np.sort(right), np.arange(100) // 10)
    assert isinstance(alone, Estimate)
    assert isinstance(together, Estimate)
    (narrow, _), (wide, _) = (both(rate, share(80, 100), 0.2) for rate in (alone, together))
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 1.1 * (narrow.high - narrow.low)


@pytest.mark.parametrize(("tp", "tn"), [(50, 50), (50, 40), (0, 40), (40, 0), (40, 50), (0, 1)])
def test_rates_of_0_and_1_have_an_interval_with_width(tp: int, tn: int) -> None:
    for found in both(share(tp, 50), share(tn, 50), 0.2):
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.high > found.low


def test_what_is_never_called_has_no_predictive_value() -> None:
    ppv, npv = predictive_values(share(0, 50), share(50, 50), 0.2)
    assert ppv == NotApplicable("no image would be classified as PNEUMONIA")
    assert isinstance(npv, Estimate)
    ppv, npv = predictive_values(share(50, 50), share(0, 50), 0.2)
    assert npv == NotApplicable("no image would be classified as NORMAL")
    assert isinstance(ppv, Estimate)
    assert ppv.value == pytest.approx(0.2)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -0.1, float("nan")])
def test_a_prevalence_must_lie_between(prevalence: float) -> None:
    with pytest.raises(ConfigError, match="prevalence="):
        predictive_values(share(40, 50), share(40, 50), prevalence)
    with pytest.raises(ConfigError, match="prevalence="):
        decision_curve(*sample(0), prevalence=prevalence)


# --- Decision curves --------------------------------------------------------------------------------------------------


def curve(*arguments: Any, **options: Any) -> DecisionCurve:
    found = decision_curve(*arguments, **options)
    assert isinstance(found, DecisionCurve)
    return found


@pytest.mark.parametrize("prevalence", [None, 0.05, 0.8])
def test_net_benefit_is_its_definition(prevalence: float | None) -> None:
    labels, values, patients = sample(3)
    found = curve(labels, values, patients, prevalence)
    sick, well = labels.sum(), (labels == 0).sum()
    share_sick = labels.mean() if prevalence is None else prevalence
    assert found.threshold == GRID
    assert found.prevalence == share_sick
    for place, threshold in enumerate(GRID):
        _, fp, _, tp = counts(labels, values, threshold)
        harm = threshold / (1 - threshold)
        expected = share_sick * tp / sick - (1 - share_sick) * fp / well * harm
        assert found.model[place] == pytest.approx(expected, abs=1e-12)
        assert found.treat_all[place] == pytest.approx(share_sick - (1 - share_sick) * harm)
        assert found.low[place] <= found.high[place]
    assert sum(low <= value <= high for low, value, high in zip(found.low, found.model, found.high, strict=True)) > 95


def test_a_perfect_model_has_the_prevalence_and_no_certain_threshold_is_worse() -> None:
    labels, _, patients = sample(4)
    found = curve(labels, labels.astype(float), patients)
    assert found.model == pytest.approx([labels.mean()] * 99)
    assert curve(labels, labels.astype(float), patients, 0.1).low == pytest.approx([0.1] * 99)


def test_calling_everybody_is_treat_all() -> None:
    labels, _, patients = sample(5)
    found = curve(labels, np.ones(labels.size), patients)
    assert found.model == pytest.approx(found.treat_all)


def test_its_own_prevalence_by_name_is_the_same_curve() -> None:
    labels, values, patients = sample(6)
    assert curve(labels, values, patients, float(labels.mean())).model == pytest.approx(
        curve(labels, values, patients).model
    )


def test_band_is_a_bootstrap_over_patients() -> None:
    labels, values, patients = sample(7)
    found = curve(labels, values, patients)
    rng = np.random.default_rng(1)
    names = np.unique(patients)
    groups = [np.flatnonzero(patients == name) for name in names]
    drawn = []
    for _ in range(1000):
        rows = np.concatenate([groups[place] for place in rng.integers(0, len(names), len(names))])
        _, fp, _, tp = confusion_matrix(labels[rows], values[rows] >= 0.4).ravel()
        drawn.append((tp - fp * 0.4 / 0.6) / len(rows))
    place = GRID.index(0.4)
    assert (found.low[place], found.high[place]) == pytest.approx(np.percentile(drawn, (2.5, 97.5)).tolist(), abs=0.02)


def test_one_patient_of_a_class_is_too_few() -> None:
    found = decision_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 2]))
    assert isinstance(found, NotApplicable)
    assert "NORMAL" in found.reason


def test_rates_of_one_patient_tell_nothing_of_predictive_values() -> None:
    unknown, known = Estimate(0.9, 0.0, 1.0, 30), wilson(80, 100)
    assert isinstance(known, Estimate)
    for rates_of in ((unknown, known), (known, unknown)):
        for found in predictive_values(*rates_of, 0.2):
            assert isinstance(found, Estimate)
            assert (found.low, found.high, found.n) == (0.0, 1.0, 130)
