"""The bootstrap and BCa against SciPy on independent data, images really copied and left out, and the intervals themselves."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm
from scipy.stats._resampling import BootstrapResult

from pneumo_core.errors import DataError
from pneumo_core.evaluation import resampling
from pneumo_core.evaluation.resampling import Resampled, bca, bca_estimates, resample
from pneumo_core.records import Estimate, NotApplicable

LAW = np.array(
    [
        (576, 3.39), (635, 3.30), (558, 2.81), (578, 3.03), (666, 3.44), (580, 3.07), (555, 3.00), (661, 3.43),
        (651, 3.36), (605, 3.13), (653, 3.12), (575, 2.74), (545, 2.76), (572, 2.88), (594, 2.96),
    ]
)  # fmt: skip
"""LSAT and GPA of 15 law schools (Efron and Tibshirani 1993, table 3.1)."""

Weights = np.ndarray


def derivatives(statistic: Callable[[Weights], np.ndarray], n: int) -> np.ndarray:
    """Influences of n images by central differences, one image at a time."""
    step = 1e-5 * np.eye(n)
    return (statistic(1 + step) - statistic(1 - step)) / 2e-5


def drawn_of(statistic: Callable[[Weights], np.ndarray], patients: np.ndarray, *, replicates: int = 2000) -> Resampled:
    return resample(statistic, derivatives(statistic, len(patients)), patients, replicates=replicates)


def left_out(statistic: Callable[[Weights], np.ndarray], n: int) -> np.ndarray:
    """The jackknife's influences, as SciPy takes them."""
    without = statistic(1 - np.eye(n))
    return np.asarray(without.mean(axis=0) - without)


def mean_of(values: np.ndarray) -> Callable[[Weights], np.ndarray]:
    return lambda weights: (weights @ values / weights.sum(axis=1))[:, np.newaxis]


def correlation(weights: Weights) -> np.ndarray:
    share = weights / weights.sum(axis=1, keepdims=True)
    x, y = LAW.T
    covariance = share @ (x * y) - (share @ x) * (share @ y)
    variances = [share @ column**2 - (share @ column) ** 2 for column in (x, y)]
    return (covariance / np.sqrt(variances[0] * variances[1]))[:, np.newaxis]


def scipy_s(
    samples: tuple[np.ndarray, ...], statistic: Callable[..., np.ndarray], drawn: Resampled
) -> tuple[float, float]:
    """SciPy's BCa interval of the same replicates, passed as already drawn."""
    known = BootstrapResult(confidence_interval=None, bootstrap_distribution=drawn.replicates[:, 0], standard_error=0.0)
    interval = bootstrap(
        samples, statistic, n_resamples=0, bootstrap_result=known, method="BCa", vectorized=False, paired=False
    ).confidence_interval
    return float(interval.low), float(interval.high)


@pytest.mark.parametrize("statistic", [np.mean, np.std, lambda x: np.mean(x > 1)], ids=["mean", "sd", "share"])
@pytest.mark.parametrize("n", [8, 60])
def test_bca_is_scipy_s(statistic: Callable[[np.ndarray], float], n: int) -> None:
    x = np.random.default_rng(n).exponential(size=n)

    def weighted(weights: Weights) -> np.ndarray:
        rows = [statistic(np.repeat(x, row.astype(int))) for row in weights]
        return np.array(rows)[:, np.newaxis]

    drawn = resample(weighted, np.zeros((n, 1)), np.arange(n), replicates=999)
    low, high, _ = bca(drawn.value, drawn.replicates, left_out(weighted, n))
    assert (low[0], high[0]) == pytest.approx(scipy_s((x,), statistic, drawn), abs=1e-9)


def test_the_law_schools() -> None:
    # Efron and Tibshirani 1993: correlation .776 (section 3.2), bootstrap standard error .13 (table 6.1).
    drawn = drawn_of(correlation, np.arange(15))
    assert drawn.value[0] == pytest.approx(0.776, abs=5e-4)
    assert drawn.replicates.std() == pytest.approx(0.13, abs=0.01)
    low, high, p = bca(drawn.value, drawn.replicates, left_out(correlation, 15))
    x, y = LAW.T
    known = BootstrapResult(confidence_interval=None, bootstrap_distribution=drawn.replicates[:, 0], standard_error=0.0)
    expected = bootstrap(
        (x, y),
        lambda a, b: np.corrcoef(a, b)[0, 1],
        n_resamples=0,
        bootstrap_result=known,
        method="BCa",
        vectorized=False,
        paired=True,
    ).confidence_interval
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert p[0] < 0.05


@pytest.mark.parametrize("seed", [0, 1])
def test_replicates_are_those_of_images_really_copied_and_influences_those_of_patients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    patient = rng.permutation(np.repeat(np.arange(12), rng.integers(1, 4, 12)))
    x = rng.normal(size=patient.size)
    drawn = drawn_of(mean_of(x), patient, replicates=50)
    generator = np.random.default_rng(resampling.SEED)
    for replicate in drawn.replicates[:, 0]:
        names = generator.integers(0, 12, size=12)
        assert replicate == pytest.approx(np.concatenate([x[patient == name] for name in names]).mean(), abs=1e-12)
    # The derivative of a mean, sum(w x) / sum(w), with respect to the weight of all images of a patient.
    expected = [(x[patient == name] - x.mean()).sum() / x.size for name in range(12)]
    np.testing.assert_allclose(drawn.influence[:, 0], expected, atol=1e-9)
    assert drawn.value[0] == pytest.approx(x.mean(), abs=1e-12)


def normal_case(seed: int, shift: float, *, skewed: bool, ties: bool) -> Resampled:
    """A statistic with its replicates, near enough to 0 that p matters."""
    rng = np.random.default_rng(seed)
    replicates = shift + (rng.gamma(2, size=(400, 1)) - 2 if skewed else rng.normal(size=(400, 1)))
    influence = rng.gamma(1, size=(30, 1)) - 1 if skewed else rng.normal(size=(30, 1))
    return Resampled(np.array([shift]), np.round(replicates, 0 if ties else 9), influence)


@given(st.integers(0, 10**6), st.floats(-4, 4), st.booleans(), st.booleans())
def test_p_is_below_a_level_exactly_where_its_interval_leaves_out_0(
    seed: int, shift: float, skewed: bool, ties: bool
) -> None:
    drawn = normal_case(seed, shift, skewed=skewed, ties=ties)
    low, high, p = bca(drawn.value, drawn.replicates, drawn.influence)
    if np.isnan(p[0]):
        return
    assert 2 / 401 <= p[0] <= 1
    assert low[0] <= high[0]
    if abs(p[0] - 0.05) > 1e-9:
        assert (p[0] < 0.05) == (low[0] > 0 or high[0] < 0)


@given(st.integers(0, 10**6), st.floats(-3, 3), st.booleans())
def test_swapping_the_sides_mirrors_the_interval_and_keeps_p(seed: int, shift: float, ties: bool) -> None:
    drawn = normal_case(seed, shift, skewed=True, ties=ties)
    low, high, p = bca(drawn.value, drawn.replicates, drawn.influence)
    swapped = bca(-drawn.value, -drawn.replicates, -drawn.influence)
    np.testing.assert_allclose(swapped, (-high, -low, p), atol=1e-9)


def test_p_of_a_mean_is_about_that_of_the_normal_test() -> None:
    x = np.random.default_rng(5).normal(0.12, 1, size=400)
    drawn = drawn_of(mean_of(x), np.arange(400), replicates=20_000)
    expected = 2 * norm.sf(abs(x.mean()) / (x.std() / 20))
    assert bca(drawn.value, drawn.replicates, drawn.influence)[2][0] == pytest.approx(expected, abs=0.01)


def test_undefined_replicates_are_left_out_column_by_column() -> None:
    rng = np.random.default_rng(6)
    replicates, influence = rng.normal(size=(200, 2)), rng.normal(size=(30, 2))
    replicates[::3, 1] = np.nan
    value = np.array([0.1, -0.1])
    both = np.column_stack(bca(value, replicates, influence))
    kept = replicates[~np.isnan(replicates[:, 1]), 1:], influence[:, 1:]
    alone = [bca(value[:1], replicates[:, :1], influence[:, :1]), bca(value[1:], *kept)]
    np.testing.assert_allclose(both, [np.concatenate(one) for one in alone], atol=1e-12)


def test_what_does_not_vary_is_not_applicable() -> None:
    flat, influence = np.ones((100, 1)), np.zeros((10, 1))
    rounding = flat + 1e-16 * np.arange(100)[:, np.newaxis]
    one_sided = np.linspace(0, 0.5, 100)[:, np.newaxis]
    undefined = np.full((100, 1), np.nan)
    value, replicates = np.ones(4), np.hstack([flat, rounding, one_sided, undefined])
    found = bca_estimates(Resampled(value, replicates, np.hstack([influence] * 4)), 7)
    reason = NotApplicable("it is 1, and redrawing the patients does not tell how it varies")
    assert found == ((reason, reason),) * 4
    nothing = bca_estimates(Resampled(np.array([np.nan]), np.random.default_rng(0).normal(size=(9, 1)), influence), 7)
    assert nothing == ((NotApplicable("it is undefined on these images"),) * 2,)


@pytest.mark.parametrize(("patients", "found"), [(1, "is 1"), (9, "are 9")])
def test_few_patients_have_no_interval(patients: int, found: str) -> None:
    drawn = drawn_of(mean_of(np.arange(18.0)), np.arange(18) % patients, replicates=20)
    reason = NotApplicable(f"it is 8.5, without an interval: that needs 10 patients and there {found}")
    assert bca_estimates(drawn, 18) == ((reason, reason),)


def test_estimates_are_the_intervals() -> None:
    drawn = drawn_of(mean_of(np.arange(20.0)), np.arange(20), replicates=200)
    low, high, p = bca(drawn.value, drawn.replicates, drawn.influence)
    ((estimate, level),) = bca_estimates(drawn, 20)
    assert estimate == Estimate(9.5, low[0], high[0], 20)
    assert level == p[0] == 2 / 201


def test_an_acceleration_too_large_ends_at_the_outermost_replicate() -> None:
    replicates, influence = np.linspace(-1, 1, 101)[:, np.newaxis], np.zeros((4, 1))
    influence[0] = 1.0  # acceleration 1/6
    value = np.array([-0.9999])  # far below most replicates: a bias of -2.6 standard deviations the other way
    low, high, p = bca(-value, replicates, influence)
    assert high[0] == 1.0
    assert low[0] > 0
    assert p[0] == pytest.approx(2 / 102, abs=0.05)


def test_memory_bound_does_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    x, patients = np.arange(50.0), np.arange(50) // 3
    whole = drawn_of(mean_of(x), patients, replicates=101)
    monkeypatch.setattr(resampling, "_CHUNK", 7 * 50)
    pieces = drawn_of(mean_of(x), patients, replicates=101)
    np.testing.assert_array_equal(pieces.replicates, whole.replicates)


def test_no_images_are_refused() -> None:
    with pytest.raises(DataError, match=r"Received: patients=\(0,\)"):
        resample(mean_of(np.array([])), np.empty((0, 1)), np.array([]))
    with pytest.raises(DataError, match=r"Received: patients=\(1, 2\)"):
        resample(mean_of(np.arange(2.0)), np.zeros((2, 1)), np.array([[1, 2]]))
