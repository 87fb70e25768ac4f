"""Paired tests against loops over pairs and sign patterns, SciPy, and published tables."""

import warnings
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from pneumo_core.errors import DataError
from pneumo_core.evaluation.significance import (
    DeLong,
    McNemar,
    SeedDifference,
    Spread,
    delong,
    delong_unpaired,
    holm,
    mcnemar,
    seed_difference,
    spread,
)
from pneumo_core.records import Estimate, NotApplicable


def calls(seed: int, patients: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Who was right, by patients of one to four images that resemble each other, in mixed order."""
    rng = np.random.default_rng(seed)
    patient = rng.permutation(np.repeat(np.arange(patients), rng.integers(1, 5, patients)))
    hard = rng.normal(size=patients)[patient]
    a, b = (hard + rng.normal(0, 0.8, patient.size) < limit for limit in (0.6, 1.0))
    return a, b, patient


def scores(seed: int, patients: int = 40, *, mixed: bool = True) -> tuple[np.ndarray, ...]:
    """Classes, two models' tied logits and patients; with `mixed`, some patients have images of both classes."""
    rng = np.random.default_rng(seed)
    patient = rng.permutation(np.repeat(np.arange(patients), rng.integers(1, 5, patients)))
    y_true = (rng.random(patient.size) < 0.6) if mixed else (np.arange(patients) % 3 > 0)[patient]
    shared = rng.normal(size=patients)[patient] + 1.5 * y_true
    a, b = (np.round(shared + rng.normal(0, 0.8, patient.size), 1) for _ in range(2))
    return y_true.astype(int), a, b, patient


def number(value: float | NotApplicable) -> float:
    assert isinstance(value, float)
    return value


def result(found: DeLong | NotApplicable) -> DeLong:
    assert isinstance(found, DeLong)
    return found


# McNemar


def test_mcnemar_of_agresti_s_approval_ratings() -> None:
    # Agresti 1990, Categorical Data Analysis, table 10.1: z squared is 17.36 (his z = -4.17).
    counts = [794, 150, 86, 570]
    a, b = (np.repeat(np.array(right), counts) for right in ([True, True, False, False], [True, False, True, False]))
    found = mcnemar(a, b, np.arange(1600))
    assert (found.both_right, found.only_a, found.only_b, found.both_wrong) == tuple(counts)
    assert found.p == pytest.approx(stats.binomtest(150, 236).pvalue, rel=1e-12)
    assert stats.chi2.isf(number(found.p_clustered), 1) == pytest.approx(17.36, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_exact_mcnemar_counts_all_ways_to_flip_the_disagreements(seed: int) -> None:
    a, b, patient = calls(seed, patients=6)
    change = (b.astype(int) - a)[a != b]
    sums = np.array([np.dot(signs, np.ones(change.size)) for signs in product((-1, 1), repeat=change.size)])
    found = mcnemar(a, b, patient)
    assert found.p == pytest.approx((np.abs(sums) >= abs(change.sum())).mean(), abs=1e-12)
    assert found.only_a + found.only_b == change.size


@given(st.integers(0, 40), st.integers(0, 40))
def test_exact_mcnemar_is_scipy_s_binomial_test(only_a: int, only_b: int) -> None:
    a = np.repeat([True, False, True], [only_a, only_b, 1])
    b = np.repeat([False, True, True], [only_a, only_b, 1])
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(a, b, np.arange(a.size)).p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_clustered_mcnemar_is_obuchowski_s_by_loops(seed: int) -> None:
    a, b, patient = calls(seed)
    names = set(patient.tolist())
    pooled = (a.sum() + b.sum()) / (2 * a.size)
    variance_a = variance_b = covariance = 0.0
    for name in names:
        own = patient == name
        off_a, off_b = a[own].sum() - own.sum() * pooled, b[own].sum() - own.sum() * pooled
        variance_a, variance_b, covariance = variance_a + off_a**2, variance_b + off_b**2, covariance + off_a * off_b
    scale = len(names) / (len(names) - 1) / a.size**2
    chi_squared = (b.mean() - a.mean()) ** 2 / (scale * (variance_a + variance_b - 2 * covariance))
    assert mcnemar(a, b, patient).p_clustered == pytest.approx(stats.chi2.sf(chi_squared, 1), rel=1e-9)


def test_clustered_mcnemar_of_copied_images_is_that_of_the_images() -> None:
    a, b, _ = calls(7)
    once = mcnemar(a, b, np.arange(a.size))
    thrice = mcnemar(np.repeat(a, 3), np.repeat(b, 3), np.repeat(np.arange(a.size), 3))
    assert thrice.p_clustered == pytest.approx(once.p_clustered, rel=1e-9)
    assert thrice.p < once.p


def test_clustered_mcnemar_of_single_images_is_nearly_the_asymptotic_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(600) < 0.8, rng.random(600) < 0.85
    found = mcnemar(a, b, np.arange(600))
    asymptotic = stats.chi2.sf((found.only_b - found.only_a) ** 2 / (found.only_a + found.only_b), 1)
    assert found.p_clustered == pytest.approx(asymptotic, rel=0.05)


@given(st.integers(0, 10**6))
def test_mcnemar_swaps_and_knows_neither_names_nor_order(seed: int) -> None:
    a, b, patient = calls(seed, patients=8)
    found, swapped = mcnemar(a, b, patient), mcnemar(b, a, patient)
    assert (swapped.only_a, swapped.only_b, swapped.p) == (found.only_b, found.only_a, found.p)
    assert swapped.p_clustered == found.p_clustered
    order = np.random.default_rng(seed).permutation(a.size)
    renamed = np.array([f"person{(7 * code) % 8}" for code in patient])
    again = mcnemar(a[order], b[order], renamed[order])
    assert again == McNemar(found.both_right, found.only_a, found.only_b, found.both_wrong, found.p, again.p_clustered)
    assert again.p_clustered == pytest.approx(found.p_clustered, rel=1e-12)


def test_no_image_is_disagreed_on() -> None:
    right = np.array([True, False, True])
    assert mcnemar(right, right, np.arange(3)) == McNemar(2, 0, 0, 1, p=1.0, p_clustered=1.0)


def test_mcnemar_of_one_patient_one_image_and_none() -> None:
    lonely = NotApplicable("a test over patients needs 2 patients and there is 1")
    a, b = np.array([True, True, False]), np.array([False, True, True])
    assert mcnemar(a, b, np.array(["x"] * 3)) == McNemar(1, 1, 1, 0, p=1.0, p_clustered=lonely)
    assert mcnemar(a[:1], b[:1], np.array(["x"])) == McNemar(0, 1, 0, 0, p=1.0, p_clustered=lonely)
    none = np.zeros(0, dtype=bool)
    assert mcnemar(none, none, none) == McNemar(0, 0, 0, 0, p=1.0, p_clustered=NotApplicable("there are no images"))


def test_mcnemar_refuses_what_does_not_fit() -> None:
    right = np.array([True, False])
    with pytest.raises(DataError, match=r"right_a=bool \(2,\), right_b=int64 \(2,\)"):
        mcnemar(right, np.array([1, 0]), np.arange(2))
    with pytest.raises(DataError, match=r"right_b=bool \(1,\)"):
        mcnemar(right, right[:1], np.arange(2))
    with pytest.raises(DataError, match="patients must be"):
        mcnemar(right, right, np.arange(3))


# DeLong


def placements(y_true: np.ndarray, logit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Placement values of PNEUMONIA and of NORMAL images, by a loop over all pairs."""
    kernel = np.array(
        [[(x > y) + 0.5 * (x == y) for y in logit[y_true == 0]] for x in logit[y_true == 1]], dtype=np.float64
    )
    return kernel.mean(axis=1), kernel.mean(axis=0)


def slow_p(difference: float, variance: float) -> float:
    return float(2 * stats.norm.sf(abs(difference) / np.sqrt(variance)))


def slow_clustered_variance(
    y_true: np.ndarray, patient: np.ndarray, v10: np.ndarray, v01: np.ndarray, area: float
) -> float:
    """Obuchowski 1997, by a loop over patients."""
    of_sick, of_normal = patient[y_true == 1], patient[y_true == 0]
    names, m, n = np.unique(patient), of_sick.size, of_normal.size
    s10 = s01 = s11 = 0.0
    for name in names:
        sick = v10[of_sick == name].sum() - (of_sick == name).sum() * area
        normal = v01[of_normal == name].sum() - (of_normal == name).sum() * area
        s10, s01, s11 = s10 + sick**2, s01 + normal**2, s11 + sick * normal
    i10, i01, i = np.unique(of_sick).size, np.unique(of_normal).size, names.size
    s10, s01, s11 = s10 * i10 / (i10 - 1) / m, s01 * i01 / (i01 - 1) / n, s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_delong_is_its_placement_values_pair_by_pair(seed: int, mixed: bool) -> None:
    y_true, a, b, patient = scores(seed, mixed=mixed)
    found = result(delong(y_true, a, b, patient))
    (v10_a, v01_a), (v10_b, v01_b) = placements(y_true, a), placements(y_true, b)
    s10, s01 = np.cov(v10_a, v10_b), np.cov(v01_a, v01_b)
    covariance = s10 / v10_a.size + s01 / v01_a.size
    for place, (estimate, logit, v10, v01) in enumerate(
        ((found.auroc_a, a, v10_a, v01_a), (found.auroc_b, b, v10_b, v01_b))
    ):
        area = roc_auc_score(y_true, logit)
        clustered = slow_clustered_variance(y_true, patient, v10, v01, area)
        half = 1.959963984540054 * np.sqrt(max(covariance[place, place], clustered))
        assert estimate.value == pytest.approx(area, abs=1e-12)
        assert (estimate.low, estimate.high) == pytest.approx((area - half, min(1, area + half)), abs=1e-12)
        assert estimate.n == y_true.size
    difference = found.auroc_b.value - found.auroc_a.value
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    clustered = slow_clustered_variance(y_true, patient, v10_b - v10_a, v01_b - v01_a, difference)
    half = 1.959963984540054 * np.sqrt(max(variance, clustered))
    expected = (difference, difference - half, difference + half)
    assert (found.difference.value, found.difference.low, found.difference.high) == pytest.approx(expected, abs=1e-12)
    assert found.p == pytest.approx(slow_p(difference, variance), abs=1e-10)
    assert found.p_clustered == pytest.approx(slow_p(difference, clustered), abs=1e-10)


def test_delong_of_hanley_and_mcneil_s_ct_images() -> None:
    # Hanley and McNeil 1982, table I: area .893. Stata's manual, [R] roctab, by DeLong's method: .83295 to .95339.
    y_true = np.repeat([0, 1], [58, 51])
    rating = np.concatenate(
        [np.repeat([1, 2, 3, 4, 5], counts) for counts in ([33, 6, 6, 11, 2], [3, 2, 2, 11, 33])]
    ).astype(float)
    found = result(delong(y_true, rating, rating, np.arange(109)))
    assert found.auroc_a.value == pytest.approx(0.8932, abs=5e-5)
    assert (found.auroc_a.low, found.auroc_a.high) == pytest.approx((0.83295, 0.95339), abs=5e-6)


def test_delong_of_single_images_is_the_same_clustered_or_not() -> None:
    y_true, a, b, _ = scores(3)
    found = result(delong(y_true, a, b, np.arange(y_true.size)))
    assert found.p_clustered == pytest.approx(found.p, rel=1e-9)


def test_delong_of_copied_images_has_the_variance_of_the_images() -> None:
    y_true, a, b, _ = scores(4)
    once = result(delong(y_true, a, b, np.arange(y_true.size)))
    thrice = result(delong(*(np.repeat(column, 3) for column in (y_true, a, b, np.arange(y_true.size)))))
    assert thrice.p_clustered == pytest.approx(once.p_clustered, rel=1e-9)
    assert thrice.p < once.p


@given(st.integers(0, 10**6))
def test_delong_swaps_and_knows_only_the_order_of_the_logits(seed: int) -> None:
    y_true, a, b, patient = scores(seed, patients=25)
    y_true[:4] = [0, 1, 0, 1]
    found = delong(y_true, a, b, patient)
    assert delong(y_true, np.exp(a) - 3, 5 * b, patient) == found
    swapped, order = delong(y_true, b, a, patient), np.random.default_rng(seed).permutation(a.size)
    renamed = np.array([f"person{(7 * code) % 25}" for code in patient])
    shuffled = delong(y_true[order], a[order], b[order], renamed[order])
    if isinstance(found, NotApplicable):
        assert swapped == shuffled == found
        return
    swapped, shuffled = result(swapped), result(shuffled)
    assert (swapped.auroc_a, swapped.auroc_b) == (found.auroc_b, found.auroc_a)
    assert swapped.difference.value == -found.difference.value
    assert (swapped.difference.low, swapped.difference.high) == (-found.difference.high, -found.difference.low)
    for other in (swapped, shuffled):
        assert other.p == pytest.approx(found.p, rel=1e-9)
        if not isinstance(found.p_clustered, NotApplicable):
            assert other.p_clustered == pytest.approx(found.p_clustered, rel=1e-6)


def test_delong_of_identical_and_of_constant_scores() -> None:
    y_true, a, _, patient = scores(5)
    same = result(delong(y_true, a, a, patient))
    assert (same.difference.value, same.p, same.p_clustered) == (0.0, 1.0, 1.0)
    flat = np.full(y_true.size, 0.3)
    constant = result(delong(y_true, flat, flat, patient))
    assert constant.auroc_a == Estimate(0.5, 0.5, 0.5, y_true.size)
    assert (constant.p, constant.p_clustered) == (1.0, 1.0)
    against = result(delong(y_true, flat, a, patient))
    assert against.difference.value == pytest.approx(roc_auc_score(y_true, a) - 0.5)
    assert against.p < 0.001


def test_unequal_areas_without_variance_are_not_applicable() -> None:
    y_true, perfect = np.repeat([0, 1], 10), np.arange(20.0)
    found = delong(y_true, np.zeros(20), perfect, np.arange(20))
    assert found == NotApplicable("the areas differ by 0.5 and their placement values do not vary")


@pytest.mark.parametrize(
    ("y_true", "reason"),
    [
        ([], "there are no images"),
        ([1], "no image is NORMAL"),
        ([0, 0, 0], "no image is PNEUMONIA"),
        ([0, 1, 1], "NORMAL has 1"),
        ([0] * 12 + [1], "PNEUMONIA has 1"),
    ],
)
def test_delong_needs_patients_of_each_class(y_true: list[int], reason: str) -> None:
    labels, logit = np.array(y_true, dtype=int), np.arange(len(y_true), dtype=float)
    patients = np.arange(len(y_true))
    for found in (
        delong(labels, logit, -logit, patients),
        delong_unpaired(labels, logit, patients, *scores(0)[:2], scores(0)[3]),
        delong_unpaired(*scores(0)[:2], scores(0)[3], labels, logit, patients),
    ):
        assert isinstance(found, NotApplicable)
        assert reason in found.reason


@pytest.mark.parametrize("label", [0, 1])
def test_areas_of_few_patients_are_not_compared(label: int) -> None:
    y_true, a, b, patient = scores(4)
    patient = np.where(y_true == label, patient % 9, 100 + patient)
    reason = NotApplicable(
        f"a test of areas needs 10 patients of each class, and {('NORMAL', 'PNEUMONIA')[label]} has 9"
    )
    assert delong(y_true, a, b, patient) == reason
    y_other, other, _, patients = scores(1)
    assert delong_unpaired(y_true, a, patient, y_other, other, patients) == reason
    assert delong_unpaired(y_other, other, patients, y_true, a, patient) == reason


def test_delong_refuses_what_does_not_fit() -> None:
    y_true, a, b, patient = scores(6)
    with pytest.raises(DataError, match="patients must be"):
        delong(y_true, a, b, patient[1:])
    with pytest.raises(DataError, match="values must be finite"):
        delong(y_true, a, np.where(b > 0, b, np.nan), patient)


def test_unpaired_delong_adds_the_variances() -> None:
    y_a, a, _, patient_a = scores(8)
    y_b, _, b, patient_b = scores(9, patients=50)
    found = result(delong_unpaired(y_a, a, patient_a, y_b, b, 1000 + patient_b))
    (v10_a, v01_a), (v10_b, v01_b) = placements(y_a, a), placements(y_b, b)
    variance = sum(values.var(ddof=1) / values.size for values in (v10_a, v01_a, v10_b, v01_b))
    difference = roc_auc_score(y_b, b) - roc_auc_score(y_a, a)
    assert found.difference.value == pytest.approx(difference, abs=1e-12)
    assert found.difference.n == y_a.size + y_b.size
    assert found.p == pytest.approx(slow_p(difference, variance), abs=1e-10)
    clustered = slow_clustered_variance(y_a, patient_a, v10_a, v01_a, found.auroc_a.value)
    clustered += slow_clustered_variance(y_b, patient_b, v10_b, v01_b, found.auroc_b.value)
    assert found.p_clustered == pytest.approx(slow_p(difference, clustered), abs=1e-10)


def test_patients_of_both_sets_are_no_chance_of_their_own() -> None:
    # Where every patient is in both sets, unpaired and paired variances agree but for factors like K / (K - 1).
    y_true, a, b, patient = scores(10, patients=200)
    paired = result(delong(y_true, a, b, patient))
    shared = result(delong_unpaired(y_true, a, patient, y_true, b, patient))
    apart = result(delong_unpaired(y_true, a, patient, y_true, b, 1000 + patient))
    assert shared.p_clustered == pytest.approx(paired.p_clustered, rel=0.1)
    z_apart, z_paired = (stats.norm.isf(number(found.p_clustered) / 2) for found in (apart, paired))
    assert 0 < z_apart < 0.8 * z_paired


def test_patients_of_both_sets_count_once_in_a_loop_over_them() -> None:
    sides = []
    for seed, patients in ((8, 22), (9, 25)):
        y_true, logit, _, patient = scores(seed, patients=patients)
        v10, v01 = placements(y_true, logit)
        area = float(roc_auc_score(y_true, logit))
        variance = slow_clustered_variance(y_true, patient, v10, v01, area)
        added = dict.fromkeys(patient, 0.0)
        for names, values in ((patient[y_true == 1], v10), (patient[y_true == 0], v01)):
            for name, one in zip(names, values, strict=True):
                added[name] += (one - area) / values.size
        sides.append((y_true, logit, patient, area, variance, added))
    (y_a, a, patient_a, area_a, variance_a, added_a), (y_b, b, patient_b, area_b, variance_b, added_b) = sides
    everyone, shared = added_a.keys() | added_b.keys(), added_a.keys() & added_b.keys()
    assert 15 < len(shared) < len(everyone) < 30
    covariance = sum(added_a[name] * added_b[name] for name in shared) * len(everyone) / (len(everyone) - 1)
    expected = slow_p(area_b - area_a, variance_a + variance_b - 2 * covariance)
    found = result(delong_unpaired(y_a, a, patient_a, y_b, b, patient_b))
    assert found.p_clustered == pytest.approx(expected, rel=1e-9)


# Several tests, and seeds


def test_holm_of_a_published_example() -> None:
    # The worked example of Wikipedia's article on Holm's method: of .01, .04, .03 and .005 the first and last are rejected.
    assert holm((0.01, 0.04, 0.03, 0.005)) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_the_level_at_which_the_step_down_procedure_rejects(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert len(adjusted) == len(p_values)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
            if p_values[index] * (len(p_values) - step) > level:
                break
            rejected.add(index)
        assert rejected == {index for index, p in enumerate(adjusted) if p <= level}


@pytest.mark.parametrize("p_values", [(1.1,), (-0.1,), (np.nan,)])
def test_holm_refuses_what_is_no_p_value(p_values: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="p values must lie in"):
        holm(p_values)


@pytest.mark.parametrize("values", [(0.88, 0.91), (0.9, 0.92, 0.87, 0.9)])
def test_spread_is_scipy_s_t_interval(values: tuple[float, ...]) -> None:
    found = spread(values)
    assert isinstance(found, Spread)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (found.mean, found.sd, found.k) == (
        pytest.approx(np.mean(values)),
        pytest.approx(np.std(values, ddof=1)),
        len(values),
    )


@pytest.mark.parametrize(
    ("a", "b"), [((0.88, 0.91), (0.9, 0.95)), ((0.9, 0.92, 0.87), (0.8, 0.81)), ((0.9, 0.9), (0.8, 0.85, 0.9))]
)
def test_seed_difference_is_scipy_s_welch_test(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    found, swapped = seed_difference(a, b), seed_difference(b, a)
    assert isinstance(found, SeedDifference)
    assert isinstance(swapped, SeedDifference)
    with warnings.catch_warnings():
        # SciPy warns of cancellation where the runs of a group are equal, here .9 twice.
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = stats.ttest_ind(b, a, equal_var=False)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.value == pytest.approx(np.mean(b) - np.mean(a))
    assert (found.k_a, found.k_b, swapped.k_a) == (len(a), len(b), len(b))
    assert (swapped.value, swapped.low, swapped.high) == (-found.value, -found.high, -found.low)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (spread(()), "2 runs and there are none"),
        (spread((0.9,)), "2 runs and there is 1"),
        (spread((0.1, 0.1, 0.1)), "all 3 runs have the same value"),
        (seed_difference((0.9,), (0.8, 0.9)), "there are 1 and 2"),
        (seed_difference((0.1, 0.1, 0.1), (0.9, 0.9)), "the runs of each group have the same value"),
    ],
)
def test_seeds_that_tell_nothing(found: Any, reason: str) -> None:
    assert isinstance(found, NotApplicable)
    assert reason in found.reason


def test_seeds_refuse_what_is_no_number() -> None:
    with pytest.raises(DataError, match="must be finite"):
        spread((0.9, np.nan))
    with pytest.raises(DataError, match="must be finite"):
        seed_difference((0.9, 0.8), (0.9, np.inf))
