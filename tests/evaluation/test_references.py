"""Our statistics on published data against what others found there; references/README.md tells where each number is from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pneumo_core.evaluation.compare import _unpaired
from pneumo_core.evaluation.intervals import wilson
from pneumo_core.evaluation.metrics import auroc
from pneumo_core.evaluation.operating import DecisionCurve, decision_curve
from pneumo_core.evaluation.significance import (
    DeLong,
    SeedDifference,
    delong,
    delong_unpaired,
    mcnemar,
    seed_difference,
)
from pneumo_core.records import Estimate

REFERENCES = Path(__file__).parent / "references"
# R prints 15 digits, and the steps of another program round otherwise.
R_DIGITS = 1e-11
Z = 1.959963984540054


@pytest.fixture(scope="module")
def asah() -> pd.DataFrame:
    return pd.read_csv(REFERENCES / "asah.csv")


def paired(asah: pd.DataFrame, a: str, b: str, patients: np.ndarray) -> DeLong:
    found = delong(asah["poor"].to_numpy(), asah[a].to_numpy(float), asah[b].to_numpy(float), patients)
    assert isinstance(found, DeLong)
    return found


def unpaired(asah_a: pd.DataFrame, a: str, asah_b: pd.DataFrame, b: str) -> DeLong:
    """As if no patient were in both."""
    patients = np.arange(len(asah_a)), 1000 + np.arange(len(asah_b))
    sides = [(side["poor"].to_numpy(), side[name].to_numpy(float)) for side, name in ((asah_a, a), (asah_b, b))]
    found = delong_unpaired(*sides[0], patients[0], *sides[1], patients[1])
    assert isinstance(found, DeLong)
    return found


def statistic(difference: Estimate) -> float:
    """Difference over its standard error, from its interval."""
    return difference.value / ((difference.high - difference.low) / (2 * Z))


# Areas: aSAH


@pytest.mark.parametrize(
    ("marker", "low", "area", "high"),
    [
        ("wfns", 0.748534887819453, 0.823678861788618, 0.898822835757783),
        ("s100b", 0.630118211761623, 0.731368563685637, 0.832618915609651),
        ("ndka", 0.501244999271703, 0.611957994579946, 0.722670989888189),
    ],
)
def test_areas_of_asah_are_proc_s(asah: pd.DataFrame, marker: str, low: float, area: float, high: float) -> None:
    assert auroc(asah["poor"].to_numpy(), asah[marker].to_numpy(float)) == pytest.approx(area, abs=R_DIGITS)
    found = paired(asah, marker, "age", np.arange(len(asah))).auroc_a
    assert (found.low, found.value, found.high) == pytest.approx((low, area, high), abs=R_DIGITS)


@pytest.mark.parametrize(
    ("a", "b", "z", "p", "low", "high"),
    [
        ("s100b", "wfns", 2.20898359144091, 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
        ("ndka", "wfns", 2.79777591868904, 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
        ("s100b", "ndka", -1.39077002573558, 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
    ],
)
def test_paired_delong_of_asah_is_proc_s(
    asah: pd.DataFrame, a: str, b: str, z: float, p: float, low: float, high: float
) -> None:
    found = paired(asah, a, b, np.arange(len(asah)))
    assert statistic(found.difference) == pytest.approx(z, rel=R_DIGITS)
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high), abs=R_DIGITS)
    # With one image of each patient there is nothing to cluster.
    assert (found.p, found.p_clustered) == pytest.approx((p, p), rel=R_DIGITS)


@pytest.mark.parametrize(
    ("a", "b", "d"),
    [("s100b", "wfns", 1.43490640926908), ("ndka", "wfns", 3.10125096778969), ("s100b", "ndka", -1.55995743389685)],
)
def test_unpaired_delong_of_asah_is_proc_s(asah: pd.DataFrame, a: str, b: str, d: float) -> None:
    found = unpaired(asah, a, asah, b)
    assert statistic(found.difference) == pytest.approx(d, rel=R_DIGITS)
    normal = 2 * stats.norm.sf(abs(d))
    assert (found.p, found.p_clustered) == pytest.approx((normal, normal), rel=R_DIGITS * 10)


@pytest.mark.parametrize(
    ("marker", "women", "men", "d"),
    [
        ("wfns", 0.778571428571429, 0.876136363636364, -1.277234372648044),
        ("s100b", 0.72, 0.772727272727273, -0.501880774326713),
        ("ndka", 0.667142857142857, 0.552272727272727, 0.978884053980470),
    ],
)
def test_unpaired_delong_of_women_and_men_is_proc_s(
    asah: pd.DataFrame, marker: str, women: float, men: float, d: float
) -> None:
    found = unpaired(asah[asah["female"] == 0], marker, asah[asah["female"] == 1], marker)
    assert (found.auroc_a.value, found.auroc_b.value) == pytest.approx((men, women), abs=R_DIGITS)
    assert statistic(found.difference) == pytest.approx(d, rel=R_DIGITS)
    assert found.difference.n == 113


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [
        ("s100b", "wfns", 0.0275323079108367),
        ("s100b", "ndka", 0.1922259487954734),
        ("ndka", "wfns", 0.0100869344420289),
    ],
)
def test_clustered_delong_of_asah_is_obuchowski_s(asah: pd.DataFrame, a: str, b: str, p: float) -> None:
    # The reference rounds variances to 15 decimals.
    assert paired(asah, a, b, asah["age"].to_numpy()).p_clustered == pytest.approx(p, rel=1e-9)


# Proportions


@pytest.mark.parametrize(
    ("table", "independent", "clustered"), [("thyroids", 4.5, 2.857), ("psychiatry", 11.8451, 7.186)]
)
def test_clustered_mcnemar_is_obuchowski_s(table: str, independent: float, clustered: float) -> None:
    clusters = pd.read_csv(REFERENCES / f"{table}.csv")
    only_a, only_b = clusters["only_a"].to_numpy(), clusters["only_b"].to_numpy()
    alike = clusters["pairs"].to_numpy() - only_a - only_b
    counts = np.stack((only_a, only_b, alike), axis=1).ravel()
    right_a, right_b = (
        np.repeat(np.tile(right, len(clusters)), counts) for right in ([True, False, True], [False, True, True])
    )
    found = mcnemar(right_a, right_b, np.repeat(clusters["cluster"].to_numpy(), clusters["pairs"]))
    # McNemar's own statistic shows that the table is the published one.
    discordant = found.only_a + found.only_b
    assert (found.only_b - found.only_a) ** 2 / discordant == pytest.approx(independent, abs=5e-5)
    assert isinstance(found.p_clustered, float)
    assert stats.chi2.isf(found.p_clustered, 1) == pytest.approx(clustered, abs=5e-4)


@pytest.mark.parametrize(
    ("hits_b", "n_b", "hits_a", "n_a", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_an_unpaired_difference_of_proportions_is_newcombe_s(
    hits_b: int, n_b: int, hits_a: int, n_a: int, low: float, high: float
) -> None:
    found = _unpaired(wilson(hits_a, n_a), wilson(hits_b, n_b))
    assert isinstance(found.estimate, Estimate)
    assert found.estimate.value == pytest.approx(hits_b / n_b - hits_a / n_a)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((low, high), abs=5.1e-5)
    # p and interval agree.
    assert isinstance(found.p, float)
    assert (found.p < 0.05) is (low > 0)


# Net benefit, and Welch's test


@pytest.mark.parametrize(("prevalence", "suffix"), [(None, ""), (0.3, "_30")])
def test_net_benefit_is_that_of_dcurves(prevalence: float | None, suffix: str) -> None:
    data = pd.read_csv(REFERENCES / "dcurves_df_binary.csv")
    expected = pd.read_csv(REFERENCES / "dcurves_net_benefit.csv")
    cancer, probability = data["cancer"].to_numpy(), data["cancerpredmarker"].to_numpy()
    found = decision_curve(cancer, probability, np.arange(len(data)), prevalence)
    assert isinstance(found, DecisionCurve)
    assert (found.n, found.prevalence) == (750, pytest.approx(prevalence or 0.14))
    assert found.threshold == pytest.approx(expected["threshold"].tolist(), rel=R_DIGITS)
    assert found.model == pytest.approx(expected[f"model{suffix}"].tolist(), rel=R_DIGITS, abs=R_DIGITS)
    assert found.treat_all == pytest.approx(expected[f"all{suffix}"].tolist(), rel=R_DIGITS, abs=R_DIGITS)


def test_welch_of_student_s_sleep_data_is_r_s() -> None:
    first = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
    second = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
    found = seed_difference(second, first)
    assert isinstance(found, SeedDifference)
    expected = (0.75 - 2.33, -3.365483230712, 0.205483230712)
    assert (found.value, found.low, found.high) == pytest.approx(expected, abs=R_DIGITS)
    assert found.p == pytest.approx(0.07939414, abs=5e-9)
