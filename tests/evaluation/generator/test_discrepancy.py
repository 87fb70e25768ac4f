"""KID and FID against sums over pairs and SciPy's matrix root, their jackknife against leaving images out for real."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import t
from sklearn.metrics.pairwise import polynomial_kernel

from pneumo_core.config.gan import LEAST_PATIENTS
from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator import discrepancy
from pneumo_core.evaluation.generator.discrepancy import (
    fid,
    frechet_distance,
    jackknife_groups,
    kid,
    kid_of_halves,
    moments,
)


def sides(seed: int, n: int = 60, m: int = 90, d: int = 5, shift: float = 0.3) -> tuple[np.ndarray, ...]:
    """Features of real images, of generated ones, and the real patients with one to three images each."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n), rng.integers(1, 4, n))[:n].astype(str)
    return rng.standard_normal((n, d)), shift + 1.2 * rng.standard_normal((m, d)), rng.permutation(patients)


def slow_kid(
    first: np.ndarray,
    second: np.ndarray,
    patients: np.ndarray | None = None,
    others: np.ndarray | None = None,
) -> float:
    """The mean of the kernel over pairs, pair by pair."""

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (sum(x * y) / len(x) + 1) ** 3

    within = []
    for side, names in ((first, patients), (second, others)):
        codes = np.arange(len(side)) if names is None else names
        pairs = [(x, y) for x, p in zip(side, codes, strict=True) for y, q in zip(side, codes, strict=True) if p != q]
        within.append(np.mean([kernel(*pair) for pair in pairs]))
    return float(sum(within) - 2 * np.mean([kernel(x, y) for x in first for y in second]))


def slow_fid(first: np.ndarray, second: np.ndarray) -> float:
    covariances = [np.cov(side, rowvar=False) for side in (first, second)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    apart = first.mean(axis=0) - second.mean(axis=0)
    return float(apart @ apart + np.trace(covariances[0] + covariances[1] - 2 * root))


def test_kid_is_the_mean_over_pairs() -> None:
    real, generated, patients = sides(0, n=25, m=30)
    assert kid(real, generated).value == pytest.approx(slow_kid(real, generated), rel=1e-9)
    assert kid(real, generated, patients).value == pytest.approx(slow_kid(real, generated, patients), rel=1e-9)


@pytest.mark.parametrize("batch", [3, 512])
def test_kid_of_halves_is_kid_of_each_two_sides(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once from one kernel matrix as pair by pair, for sides of any size."""
    monkeypatch.setattr(discrepancy, "_CHUNK", batch)
    features, _, names = sides(13, n=40)
    patient = np.unique(names, return_inverse=True)[1]
    patients = int(patient.max()) + 1
    rng = np.random.default_rng(14)
    in_first = np.stack([rng.permutation(patients) < size for size in (patients // 2, 2, patients - 2, patients // 3)])
    for first, value in zip(in_first[:, patient], kid_of_halves(features, patient, in_first), strict=True):
        both = (features[first], features[~first], names[first], names[~first])
        assert value == pytest.approx(slow_kid(*both), rel=1e-9)
        if min(len(np.unique(side)) for side in both[2:]) >= LEAST_PATIENTS:
            assert value == pytest.approx(kid(*both).value, rel=1e-9)


def test_kid_is_the_published_estimator() -> None:
    real, generated, _ = sides(1, n=200, m=150, d=16)
    n, m = len(real), len(generated)
    xx, yy, xy = (
        polynomial_kernel(*pair, degree=3, coef0=1)
        for pair in ((real, real), (generated, generated), (real, generated))
    )
    expected = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()
    estimate = kid(real.astype(np.float32), generated.astype(np.float32))
    assert estimate.value == pytest.approx(expected, rel=1e-4)
    assert estimate.n == n + m


def test_fid_is_that_of_the_matrix_root() -> None:
    for seed in range(3):
        real, generated, patients = sides(seed, n=80, d=8)
        assert fid(real, generated, patients).value == pytest.approx(slow_fid(real, generated), rel=1e-7)


def test_fid_of_known_normals() -> None:
    """Of commuting covariances: the squared differences of means and of standard deviations."""
    rng = np.random.default_rng(3)
    exact = rng.standard_normal((500, 3))
    exact = (exact - exact.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(exact, rowvar=False))).T
    first, second = exact * [1, 2, 3], exact * [2, 2, 1] + [1, 0, 2]
    assert frechet_distance(moments(first), moments(second)) == pytest.approx(1 + 4 + 1 + 0 + 4, rel=1e-9)


@pytest.mark.parametrize("measure", [kid, fid])
def test_the_jackknife_leaves_groups_out(measure) -> None:
    real, generated, patients = sides(4, n=40, m=70, d=4)
    groups = min(20, len(np.unique(patients)))
    real_group, block = jackknife_groups(patients, groups, 5), jackknife_groups(np.arange(70), groups, 5)
    replicates = []
    for group in range(groups):
        left, samples = real[real_group != group], generated[block != group]
        if measure is kid:
            replicates.append(slow_kid(left, samples, patients[real_group != group]))
        else:
            replicates.append(slow_fid(left, samples))
    error = np.sqrt((groups - 1) * np.var(replicates))
    estimate = measure(real, generated, patients, seed=5)
    half = t.ppf(0.975, groups - 1) * error
    assert estimate.high - estimate.value == pytest.approx(half, rel=1e-5)
    low = estimate.value - half
    assert estimate.low == pytest.approx(max(0, low) if measure is fid else low, rel=1e-5)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 6), min_size=8, max_size=60), st.integers(2, 8), st.integers(0, 5))
def test_groups_are_whole_patients_and_even(sizes: list[int], groups: int, seed: int) -> None:
    patients = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    group = jackknife_groups(patients, groups, seed)
    assert all(len(np.unique(group[patients == patient])) == 1 for patient in np.unique(patients))
    counts = np.bincount(group, minlength=groups)
    assert counts.min() >= 1
    assert counts.max() - counts.min() <= max(sizes)


@pytest.mark.parametrize("measure", [kid, fid])
def test_properties(measure) -> None:
    real, generated, patients = sides(6, shift=0)
    rng = np.random.default_rng(7)
    shifted = [measure(real, generated + shift, patients).value for shift in (0, 0.5, 1, 2)]
    assert shifted == sorted(shifted)
    order, other = rng.permutation(len(real)), rng.permutation(len(generated))
    assert measure(real[order], generated[other], patients[order]).value == pytest.approx(
        measure(real, generated, patients).value, rel=1e-9
    )
    assert measure(real, generated).value == pytest.approx(measure(generated, real).value, rel=1e-9)
    assert measure(real, generated, patients) == measure(real, generated, patients)


def test_identical_sets() -> None:
    real, _, _ = sides(8, n=300)
    assert fid(real, real).value == pytest.approx(0, abs=1e-6)
    # Without its diagonal the mean within is smaller than the mean between, by about trace / n.
    assert -0.2 < kid(real, real).value < 0
    # More dimensions than images: covariances without full rank, and features that never vary.
    flat, other = np.random.default_rng(9).standard_normal((2, 20, 64)) * (np.arange(64) % 3 > 0)
    assert frechet_distance(moments(flat), moments(flat)) == pytest.approx(0, abs=1e-5)
    singular = frechet_distance(moments(flat), moments(other))
    assert singular == pytest.approx(frechet_distance(moments(other), moments(flat)), rel=1e-6)
    # The sum of the singular values of the centered tables' product is the trace of the root.
    one, two = (side - side.mean(axis=0) for side in (flat, other))
    overlap = np.linalg.svd(one @ two.T, compute_uv=False).sum()
    apart = np.square(flat.mean(axis=0) - other.mean(axis=0)).sum()
    spread = (np.square(one).sum() + np.square(two).sum() - 2 * overlap) / 19
    assert singular == pytest.approx(apart + spread, rel=1e-6)
    constant = np.ones((10, 3))
    assert fid(constant, constant).value == kid(constant, constant).value == 0


def test_kid_is_unbiased_where_patients_have_several_images() -> None:
    """With pairs of one patient counted, 0 would not be met."""
    rng = np.random.default_rng(10)
    patients = np.repeat(np.arange(20), 4)
    apart, published = [], []
    for _ in range(200):
        real = np.sqrt(0.8) * rng.standard_normal((20, 4))[patients] + np.sqrt(0.2) * rng.standard_normal((80, 4))
        generated = rng.standard_normal((80, 4))
        apart.append(kid(real, generated, patients).value)
        published.append(kid(real, generated).value)
    error = np.std(apart) / np.sqrt(len(apart))
    assert abs(np.mean(apart)) < 3 * error
    assert np.mean(published) > 5 * error


def test_coverage_of_kid() -> None:
    """Against the expectation, which is that of other draws: 95 % should be 95 %."""
    rng = np.random.default_rng(11)
    patients = np.repeat(np.arange(60), 2)
    found = []
    for _ in range(150):
        real = np.sqrt(0.5) * (rng.standard_normal((60, 3))[patients] + rng.standard_normal((120, 3)))
        found.append(kid(real, 0.7 + rng.standard_normal((120, 3)), patients))
    truth = np.mean([estimate.value for estimate in found])
    # The standard error of a coverage of .95 in 150 trials is .018.
    assert np.mean([estimate.low <= truth <= estimate.high for estimate in found]) > 0.90


def test_bad_input_is_refused() -> None:
    real, generated, patients = sides(12)
    for measure in (kid, fid):
        with pytest.raises(DataError, match="rows with NaN or infinity=1 of 60, 0 of 90"):
            measure(np.where(np.arange(60)[:, None] == 3, np.nan, real), generated)
        with pytest.raises(DataError, match="the same d"):
            measure(real, generated[:, :3])
        with pytest.raises(DataError, match="one per image"):
            measure(real, generated, patients[1:])
        with pytest.raises(DataError, match=f"requires {LEAST_PATIENTS} patients or samples"):
            measure(real, generated[:0])
        with pytest.raises(DataError, match="first=1"):
            measure(real, generated, np.zeros(60))
