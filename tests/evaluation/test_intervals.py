"""Intervals against SciPy, published values, a bootstrap that really copies images, and simulated coverage."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, sem, t, ttest_1samp
from sklearn.metrics import average_precision_score, roc_auc_score

from pneumo_core.errors import DataError
from pneumo_core.evaluation import intervals, metrics, resampling
from pneumo_core.records import Estimate, NotApplicable


def clustered_sample(seed: int, patients: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, tied probabilities and patients of several images each, in mixed order; a patient has one class."""
    rng = np.random.default_rng(seed)
    patient = rng.permutation(np.repeat(np.arange(patients), rng.integers(1, 5, patients)))
    y_true = (np.arange(patients) % 3 > 0).astype(int)[patient]
    spread = rng.normal(0, 0.2, patients)[patient] + rng.normal(0, 0.1, patient.size)
    return y_true, np.round(np.clip(0.4 + 0.2 * y_true + spread, 0, 1), 2), patient


def copying_bootstrap(statistic: Callable[[np.ndarray], float], patient: np.ndarray, replicates: int) -> np.ndarray:
    """The same draws, one replicate at a time, on images that are really there several times."""
    rng = np.random.default_rng(resampling.SEED)
    names = np.unique(patient)
    values = []
    for _ in range(replicates):
        drawn = rng.integers(0, names.size, size=names.size)
        values.append(statistic(np.concatenate([np.flatnonzero(patient == names[index]) for index in drawn])))
    return np.array(values)


def slow_bca(
    statistic: Callable[[np.ndarray], float],
    weighted: Callable[[np.ndarray], float],
    patient: np.ndarray,
    replicates: int,
) -> tuple[float, float]:
    """BCa interval of images that are really copied, formula by formula (DiCiccio and Efron 1996).

    `weighted` is the statistic of all images with weights, whose change with a patient's weight gives the acceleration.
    """
    drawn = copying_bootstrap(statistic, patient, replicates)
    drawn = drawn[~np.isnan(drawn)]
    value = statistic(np.arange(patient.size))
    bias = norm.ppf(np.mean([(one < value) + (one == value) / 2 for one in drawn]))
    rise = np.array(
        [weighted(1 + 1e-5 * (patient == name)) - weighted(1 - 1e-5 * (patient == name)) for name in np.unique(patient)]
    )
    acceleration = (rise**3).sum() / (6 * (rise**2).sum() ** 1.5)
    ends = []
    for z in (norm.ppf(0.025), norm.ppf(0.975)):
        level = norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        ends.append(float(np.quantile(drawn, level)))
    return ends[0], ends[1]


def bounds(estimate: Estimate | NotApplicable) -> tuple[float, float]:
    assert isinstance(estimate, Estimate)
    return estimate.low, estimate.high


@pytest.mark.parametrize(
    ("share", "low", "high"), [(0.90, 0.874, 0.921), (0.92, 0.896, 0.939), (0.88, 0.852, 0.903), (0.89, 0.863, 0.912)]
)
def test_wilson_of_the_accuracies_of_the_report_of_2020(share: float, low: float, high: float) -> None:
    estimate = intervals.wilson(share * 624, 624)
    assert bounds(estimate) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_of_newcombe_s_examples(successes: int, n: int, low: float, high: float) -> None:
    # Newcombe 1998 (Statistics in Medicine 17:857-872), table I, method 3.
    assert bounds(intervals.wilson(successes, n)) == pytest.approx((low, high), abs=5.1e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 40, 624])
def test_wilson_agrees_with_scipy(n: int) -> None:
    for successes in {0, 1, n // 3, n // 2, n - 1, n}:
        expected = binomtest(successes, n).proportion_ci(method="wilson")
        estimate = intervals.wilson(successes, n)
        assert bounds(estimate) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert isinstance(estimate, Estimate)
        assert (estimate.value, estimate.n) == (successes / n, n)


@given(st.integers(1, 2000), st.floats(0, 1), st.floats(1, 50))
def test_wilson_stays_in_range_and_mirrors(n: int, part: float, effect: float) -> None:
    successes = round(part * n)
    low, high = bounds(intervals.wilson(successes, n, design_effect=effect))
    assert 0 <= low <= successes / n <= high <= 1
    mirrored = bounds(intervals.wilson(n - successes, n, design_effect=effect))
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)
    wider = bounds(intervals.wilson(successes, n, design_effect=effect * 1.5))
    assert wider[0] <= low + 1e-12
    assert wider[1] >= high - 1e-12


def test_wilson_of_no_images_is_not_applicable() -> None:
    assert intervals.wilson(0, 0) == NotApplicable("there are no images")


@pytest.mark.parametrize(
    ("successes", "n", "effect"), [(-1, 3, 1.0), (4, 3, 1.0), (1, -1, 1.0), (1, 3, 0.9), (1, 3, np.nan), (1, 3, np.inf)]
)
def test_wilson_refuses_what_is_no_proportion(successes: int, n: int, effect: float) -> None:
    with pytest.raises(DataError, match="Received: successes="):
        intervals.wilson(successes, n, design_effect=effect)


def test_design_effect_by_hand() -> None:
    # Patients with 2 of 2, 1 of 3 and 0 of 1 images: share 1/2, residuals 1, -1/2 and -1/2, variance
    # 3/2 * (1 + 1/4 + 1/4) / 36 = 1/16, binomial variance 1/4 / 6 = 1/24.
    correct = np.array([True, True, True, False, False, False])
    patient = np.array(["a", "a", "b", "b", "b", "c"])
    assert intervals.design_effect(correct, patient) == pytest.approx(24 / 16)


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_an_image_add_no_information(copies: int) -> None:
    correct = np.random.default_rng(0).random(200) < 0.8
    patient = np.arange(200)
    assert intervals.design_effect(np.repeat(correct, copies), np.repeat(patient, copies)) == pytest.approx(
        copies * 200 / 199
    )
    copied = intervals.clustered_wilson(np.repeat(correct, copies), np.repeat(patient, copies))
    # Student's t with 199 degrees of freedom is wider by .6 %.
    assert bounds(copied) == pytest.approx(bounds(intervals.clustered_wilson(correct, patient)), abs=1e-3)
    assert isinstance(copied, Estimate)
    assert copied.n == 200 * copies


@pytest.mark.parametrize(
    ("correct", "patient", "effect"),
    [
        ([True, False, True], ["c", "a", "b"], 1.0),  # each patient has one image
        ([True] * 4, [1, 1, 2, 2], 2.0),  # all alike: each patient counts once
        ([False] * 6, [1, 1, 2, 2, 2, 3], 2.0),
        ([True, False, True, False], [1, 1, 2, 2], 1.0),  # patients alike: floored
        ([True, False, True, True], [5, 5, 5, 5], 4.0),  # one patient
        ([True], [9], 1.0),
    ],
)
def test_design_effect_at_the_edges(correct: list[bool], patient: list[object], effect: float) -> None:
    assert intervals.design_effect(np.array(correct), np.array(patient)) == effect


def test_clustered_wilson_of_single_images_is_wilson() -> None:
    correct = np.arange(50) % 7 > 0
    assert intervals.clustered_wilson(correct, np.arange(50)) == intervals.wilson(int(correct.sum()), 50)


def test_a_clustered_share_is_wilson_of_the_images_it_is_among() -> None:
    rng = np.random.default_rng(3)
    correct, among, patients = rng.random(60) < 0.7, rng.random(60) < 0.5, np.arange(60) // 3
    found = intervals.clustered_share(correct, among, patients, "no image is called so")
    assert found == intervals.clustered_wilson(correct[among], patients[among])
    none = intervals.clustered_share(correct, np.zeros(60, dtype=bool), patients, "no image is called so")
    assert none == NotApplicable("no image is called so")


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (7, 1), (40, 2)])
def test_student_s_interval_is_scipy_s(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(3, 2, n)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    received = intervals.student_interval(float(values.mean()), float(sem(values)), n - 1)
    assert received == pytest.approx((expected.low, expected.high))


def test_clustered_wilson_of_no_images_is_not_applicable() -> None:
    assert intervals.clustered_wilson(np.array([], dtype=bool), np.array([])) == NotApplicable("there are no images")


def test_patients_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"Received: patients=\(1,\), images=\(2,\)"):
        intervals.clustered_wilson(np.array([True, False]), np.array([1]))


def test_coverage_with_patients_of_several_images() -> None:
    """A patient's images are right with its own probability (beta, intraclass correlation 1/3): 95 % should be 95 %."""
    rng = np.random.default_rng(2026)
    truth, trials, patients = 0.85, 1000, 150
    clustered = naive = 0
    for _ in range(trials):
        sizes = rng.choice([1, 1, 1, 2, 3, 4, 8], patients)
        patient = np.repeat(np.arange(patients), sizes)
        correct = rng.random(patient.size) < np.repeat(rng.beta(2 * truth, 2 * (1 - truth), patients), sizes)
        low, high = bounds(intervals.clustered_wilson(correct, patient))
        clustered += low <= truth <= high
        low, high = bounds(intervals.wilson(int(correct.sum()), correct.size))
        naive += low <= truth <= high
    # The standard error of a coverage of .95 in 1,000 trials is .007.
    assert 0.93 <= clustered / trials <= 0.97
    assert naive / trials < 0.90


def test_patients_of_several_images_take_student_s_t_and_count_once_where_all_agree() -> None:
    correct, patients = np.arange(60) % 5 > 0, np.concatenate((np.zeros(20), 1 + np.arange(40) // 4))
    # 60^2 / (20^2 + 10 * 4^2) = 6.43 patients of equal size.
    quantile, n = t.ppf(0.975, 3600 / 560 - 1), 60 / intervals.design_effect(correct, patients)
    center = (0.8 + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile / (1 + quantile**2 / n) * np.sqrt(0.8 * 0.2 / n + quantile**2 / (4 * n**2))
    # The lower end is no higher than that of as many patients who all agree.
    agreeing = 3600 / 560 / (3600 / 560 + quantile**2)
    assert agreeing < center - half
    assert bounds(intervals.clustered_wilson(correct, patients)) == pytest.approx((agreeing, center + half))
    certain = intervals.clustered_wilson(np.ones(200, dtype=bool), np.arange(200) // 2)
    assert bounds(certain) == pytest.approx((100 / (100 + t.ppf(0.975, 99) ** 2), 1))


@pytest.mark.parametrize("sizes", [[20] * 5, [10] * 10, [40] * 3, [2] * 60 + [1] * 80, [20] * 5 + [1] * 20])
def test_one_more_error_never_raises_the_lower_end(sizes: list[int]) -> None:
    patients = np.repeat(np.arange(len(sizes)), sizes)
    lows = [bounds(intervals.clustered_wilson(np.arange(len(patients)) >= wrong, patients))[0] for wrong in range(4)]
    assert lows == sorted(lows, reverse=True)


@pytest.mark.parametrize("right", [0, 29, 30])
def test_one_patient_tells_nothing_of_others(right: int) -> None:
    found = intervals.clustered_wilson(np.arange(30) < right, np.zeros(30))
    assert found == Estimate(right / 30, 0.0, 1.0, 30)


@pytest.mark.parametrize(
    ("sizes", "least"),
    [
        ([10] * 10, 0.93),
        ([20] * 5, 0.95),
        ([50] * 2, 0.97),
        ([40] * 3, 0.95),
        ([200] + [1] * 20, 0.97),
        ([20] * 5 + [1] * 20, 0.93),
    ],
)
@pytest.mark.parametrize("truth", [0.8, 0.9])
def test_coverage_with_few_patients(sizes: list[int], least: float, truth: float) -> None:
    """As `benchmarks.coverage` measures it with more trials; with the normal quantile .02 to .93 were covered."""
    rng = np.random.default_rng(20)
    patients = np.repeat(np.arange(len(sizes)), sizes)
    covered = 0
    for _ in range(400):
        rate = rng.beta(2 / 3 * truth, 2 / 3 * (1 - truth), len(sizes))  # intraclass correlation .6
        low, high = bounds(intervals.clustered_wilson(rng.random(patients.size) < rate[patients], patients))
        covered += low <= truth <= high
    assert covered / 400 >= least


@pytest.mark.parametrize("seed", [0, 1])
def test_areas_of_replicates_are_those_of_copied_images(seed: int) -> None:
    y_true, probability, patient = clustered_sample(seed)
    ranking = metrics.rank(y_true, probability)
    fast = resampling.resample(
        lambda weights: np.column_stack(metrics.areas(ranking, weights)),
        np.zeros((patient.size, 2)),
        patient,
        replicates=60,
    ).replicates
    for column, area in enumerate((roc_auc_score, average_precision_score)):

        def of_copies(copies: np.ndarray, area: Callable[..., float] = area) -> float:
            return area(y_true[copies], probability[copies])

        np.testing.assert_allclose(fast[:, column], copying_bootstrap(of_copies, patient, 60), atol=1e-12)


def test_area_estimates_are_bca_intervals_of_copied_images() -> None:
    y_true, probability, patient = clustered_sample(3)
    estimates = intervals.area_estimates(y_true, probability, patient, replicates=80)
    for estimate, area in ((estimates.auroc, roc_auc_score), (estimates.auprc, average_precision_score)):

        def of_copies(copies: np.ndarray, area: Callable[..., float] = area) -> float:
            return area(y_true[copies], probability[copies])

        def of_weights(weights: np.ndarray, area: Callable[..., float] = area) -> float:
            return area(y_true, probability, sample_weight=weights)

        assert bounds(estimate) == pytest.approx(slow_bca(of_copies, of_weights, patient, 80), abs=1e-7)
        assert isinstance(estimate, Estimate)
        assert estimate.value == pytest.approx(area(y_true, probability), abs=1e-12)
        assert estimate.n == y_true.size
    assert estimates.ignored == 0


def test_mean_estimates_are_the_bca_intervals_of_copied_images() -> None:
    _, values, patient = clustered_sample(4)
    both = np.column_stack((values, values**2))
    for column, estimate in zip(both.T, intervals.mean_estimates(both, patient, replicates=200), strict=True):

        def of_copies(copies: np.ndarray, column: np.ndarray = column) -> float:
            return float(column[copies].mean())

        def of_weights(weights: np.ndarray, column: np.ndarray = column) -> float:
            return float(np.average(column, weights=weights))

        assert bounds(estimate) == pytest.approx(slow_bca(of_copies, of_weights, patient, 200), abs=1e-7)
        assert isinstance(estimate, Estimate)
        assert (estimate.value, estimate.n) == (pytest.approx(column.mean()), column.size)


def test_mean_estimate_of_single_images_is_about_the_normal_interval() -> None:
    values = np.random.default_rng(6).exponential(size=2000)
    half = 1.96 * values.std() / np.sqrt(values.size)
    low, high = bounds(intervals.mean_estimates(values[:, np.newaxis], np.arange(values.size))[0])
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_copied_images_do_not_narrow_the_bootstrap() -> None:
    y_true, probability, _ = clustered_sample(7)
    single = intervals.area_estimates(y_true, probability, np.arange(y_true.size), replicates=300)
    tripled = intervals.area_estimates(
        *(np.repeat(column, 3) for column in (y_true, probability, np.arange(y_true.size))), replicates=300
    )
    assert bounds(tripled.auroc) == pytest.approx(bounds(single.auroc), abs=1e-12)


def test_replicates_without_a_class_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # With two patients of a class, whose interval is then not given, so the smallest number is lowered.
    monkeypatch.setattr(intervals, "LEAST_PATIENTS", 2)
    monkeypatch.setattr(resampling, "LEAST_PATIENTS", 2)
    y_true, probability = np.array([0, 0, 1, 1, 1]), np.array([0.2, 0.6, 0.4, 0.7, 0.9])
    patient = np.array([0, 1, 2, 3, 3])
    estimates = intervals.area_estimates(y_true, probability, patient, replicates=400)

    def of_copies(copies: np.ndarray) -> float:
        return roc_auc_score(y_true[copies], probability[copies]) if 0 < y_true[copies].mean() < 1 else np.nan

    def of_weights(weights: np.ndarray) -> float:
        return roc_auc_score(y_true, probability, sample_weight=weights)

    slow = copying_bootstrap(of_copies, patient, 400)
    assert estimates.ignored == np.isnan(slow).sum()
    # Four draws from four patients miss two given ones with probability 1/16, and either pair of them in 1/8.
    assert 25 < estimates.ignored < 75
    assert bounds(estimates.auroc) == pytest.approx(slow_bca(of_copies, of_weights, patient, 400), abs=1e-7)


def test_memory_bound_does_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    y_true, probability, patient = clustered_sample(8)
    whole = intervals.area_estimates(y_true, probability, patient, replicates=101)
    monkeypatch.setattr(resampling, "_CHUNK", 7 * patient.size)
    assert intervals.area_estimates(y_true, probability, patient, replicates=101) == whole


def test_patients_alone_decide_the_draws() -> None:
    y_true, probability, patient = clustered_sample(9)
    base = intervals.area_estimates(y_true, probability, patient, replicates=200)
    assert intervals.area_estimates(y_true, probability, patient, replicates=200) == base
    renamed = np.array([f"patient {code:03d}" for code in patient])
    assert intervals.area_estimates(y_true, probability, renamed, replicates=200) == base


@pytest.mark.parametrize(
    ("y_true", "patient", "reason"),
    [
        ([], [], "no images"),
        ([1], ["a"], "no image is NORMAL"),
        ([1, 1, 1], ["a", "b", "c"], "no image is NORMAL"),
        (
            [0, 1, 0, 1],
            ["a", "b", "a", "c"],
            "without an interval: that needs 10 patients of each class, and NORMAL has 1",
        ),
        ([0] * 12 + [1] * 12, [*range(12), *[12] * 12], "PNEUMONIA has 1"),
        ([*[0, 1] * 9, *[0] * 9], [*range(9), *range(9), *range(20, 29)], "PNEUMONIA has 9"),
    ],
)
def test_areas_without_enough_patients_are_not_applicable(y_true: list[int], patient: list[str], reason: str) -> None:
    estimates = intervals.area_estimates(
        np.array(y_true, dtype=int), np.linspace(0.2, 0.8, len(y_true)), np.array(patient)
    )
    for area in (estimates.auroc, estimates.auprc):
        assert isinstance(area, NotApplicable)
        assert reason in area.reason


def test_scores_that_are_all_alike_have_no_interval() -> None:
    y_true, _, patient = clustered_sample(10)
    estimates = intervals.area_estimates(y_true, np.full(y_true.shape, 0.5), patient, replicates=50)
    assert estimates.auroc == NotApplicable("it is 0.5, and redrawing the patients does not tell how it varies")


@pytest.mark.parametrize("area", [0.0, 1.0])
def test_an_area_of_1_or_0_is_as_sure_as_the_rarer_class_has_patients(area: float) -> None:
    y_true, _, patient = clustered_sample(10)
    found = intervals.area_estimates(y_true, 0.5 + (area - 0.5) * (y_true - 0.5), patient, replicates=50).auroc
    fewest = min(len(np.unique(patient[y_true == label])) for label in (0, 1))
    ends = binomtest(round(area * fewest), fewest).proportion_ci(method="wilson")
    assert isinstance(found, Estimate)
    assert (found.value, found.n) == (area, y_true.size)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=1e-12)


def test_means_that_no_draw_changes_have_no_interval() -> None:
    _, _, patient = clustered_sample(11)
    (found,) = intervals.mean_estimates(np.full((patient.size, 1), 0.09), patient, replicates=50)
    assert found == NotApplicable("it is 0.09, and redrawing the patients does not tell how it varies")


def test_areas_refuse_patients_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="patients must be"):
        intervals.area_estimates(np.array([0, 1]), np.array([0.1, 0.9]), np.array([1, 2, 3]))


def test_means_without_enough_patients_are_not_applicable() -> None:
    assert intervals.mean_estimates(np.empty((0, 2)), np.array([])) == (NotApplicable("there are no images"),) * 2
    (lonely,) = intervals.mean_estimates(np.array([[0.1], [0.2]]), np.array(["a", "a"]))
    assert lonely == NotApplicable("it is 0.15, without an interval: that needs 10 patients and there is 1")
