"""Compare's operating point: rules chosen on validation, thresholds moved and put back, prevalence, and what is refused."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Preset
from pneumo_core.evaluation.operating import RuleKind, ThresholdRule, choose
from pneumo_core.evaluation.probability import probability
from pneumo_core.inference.compared import evidence_of
from pneumo_core.records import Split
from tests.pages.comparing import compared, pair_of_runs
from tests.pages.opening import texts

pytestmark = pytest.mark.usefixtures("kept_caches")

SHOW = "Operating point"


@pytest.fixture
def sound_pair(no_published: Path) -> tuple[str, str]:
    return pair_of_runs(Preset.SOUND, ("val", "test"))


def rates(page: AppTest) -> pd.DataFrame:
    (table,) = [table.value for table in page.table if "Threshold" in table.value.index]
    return table


def chosen(run_id: str, rule: ThresholdRule) -> float:
    rows = evidence_of(run_id, Split.VAL).predictions
    return choose(rule, rows["label"].to_numpy(), probability(rows["logit"].to_numpy()))


def test_it_starts_at_each_runs_own_threshold(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW)
    for name, run_id in zip("ab", sound_pair, strict=True):
        assert page.slider(key=f"threshold_{name}").value == evidence_of(run_id, Split.TEST).threshold
    assert "exploration, not evaluation" in texts(page)
    assert not any("exploration" in warning.value for warning in page.warning)


def test_a_rule_is_chosen_on_validation_and_kept_in_the_address(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW)
    page.radio(key="point_rule").set_value("sensitivity").run()
    page.number_input(key="point_value_sensitivity").set_value(0.9).run()
    rule = ThresholdRule(RuleKind.SENSITIVITY, 0.9)
    for name, run_id in zip("ab", sound_pair, strict=True):
        assert page.slider(key=f"threshold_{name}").value == chosen(run_id, rule)
    assert page.query_params["rule"] == "sensitivity"
    assert page.query_params["value"] == "0.9"
    again = compared(*sound_pair, SHOW, rule="sensitivity", value="0.9")
    assert again.slider(key="threshold_a").value == chosen(sound_pair[0], rule)


def test_runs_that_chose_on_stress_follow_every_rule_there(no_published: Path) -> None:
    pair = pair_of_runs(Preset.BEST, ("val", "stress", "test"))
    page = compared(*pair, SHOW, rule="youden")
    for name, run_id in zip("ab", pair, strict=True):
        rows = evidence_of(run_id, Split.STRESS).predictions
        values = probability(rows["logit"].to_numpy())
        expected = choose(ThresholdRule(RuleKind.YOUDEN), rows["label"].to_numpy(), values)
        assert page.slider(key=f"threshold_{name}").value == expected != chosen(run_id, ThresholdRule(RuleKind.YOUDEN))
    assert "The threshold with the highest sensitivity + specificity on stress." in texts(page)


def test_a_moved_threshold_recounts_warns_and_can_be_put_back(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW)
    start = page.slider(key="threshold_a").value
    page.slider(key="threshold_a").set_value(0.25).run()
    assert any("test figures is exploration, not evaluation" in warning.value for warning in page.warning)
    assert page.query_params["threshold_a"] == "0.25"
    rows = evidence_of(sound_pair[0], Split.TEST).predictions
    sick = rows["label"].to_numpy() == 1
    called = 1 / (1 + np.exp(-rows["logit"].to_numpy(dtype=float))) >= 0.25
    table = rates(page).iloc[:, 0]
    assert table["PNEUMONIA: detected, missed"] == f"{(sick & called).sum()}, {(sick & ~called).sum()}"
    assert table["NORMAL: correct, false alarms"] == f"{(~sick & ~called).sum()}, {(~sick & called).sum()}"
    page.button(key="point_reset").click().run()
    assert page.slider(key="threshold_a").value == start
    assert "threshold_a" not in page.query_params
    assert not any("exploration" in warning.value for warning in page.warning)


def test_ppv_follows_the_prevalence_and_sensitivity_does_not(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW)
    before = rates(page)
    page.slider(key="point_prevalence").set_value(5.0).run()
    after = rates(page)
    assert after.loc["Sensitivity"].tolist() == before.loc["Sensitivity"].tolist()
    values = [float(after.iloc[row, 0].partition("%")[0]) / 100 for row in (3, 4)]
    bayes = values[0] * 0.05 / (values[0] * 0.05 + (1 - values[1]) * 0.95)
    shown = float(after.loc["PPV at a prevalence of 5.0 %"].iloc[0].partition("%")[0]) / 100
    assert shown == pytest.approx(bayes, abs=0.002)


def benefit_by_hand(run_id: str, stake: float, prevalence: float) -> float:
    rows = evidence_of(run_id, Split.TEST).predictions
    called = 1 / (1 + np.exp(-rows["logit"].to_numpy(dtype=float))) >= stake
    sick = rows["label"].to_numpy() == 1
    return float(prevalence * called[sick].mean() - (1 - prevalence) * called[~sick].mean() * stake / (1 - stake))


def benefits(page: AppTest) -> tuple[str, list[str]]:
    (row,) = [name for name in rates(page).index if name.startswith("Net benefit")]
    return row, rates(page).loc[row].tolist()


@pytest.mark.parametrize("stake", [0.2, 0.5])
def test_net_benefit_of_both_runs_is_at_one_stake(sound_pair: tuple[str, str], stake: float) -> None:
    page = compared(*sound_pair, SHOW, prevalence="30", **({} if stake == 0.5 else {"stake": str(stake)}))
    row, shown = benefits(page)
    assert row == f"Net benefit at a threshold probability of {stake:.2f} and a prevalence of 30.0 %"
    for run_id, words in zip(sound_pair, shown, strict=True):
        value, low, high, n = map(float, re.findall(r"-?\d+\.\d+|\d+$", words))
        assert value == pytest.approx(benefit_by_hand(run_id, stake, 0.3), abs=6e-4)
        assert low < value < high
        assert n == 60


def test_a_stake_between_two_points_of_the_curve_is_rounded(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW, stake="0.2871")
    assert page.select_slider(key="point_stake").value == 0.29
    assert page.query_params["stake"] == "0.29"


def test_a_stake_is_kept_apart_from_the_thresholds(sound_pair: tuple[str, str]) -> None:
    page = compared(*sound_pair, SHOW)
    _, before = benefits(page)
    page.slider(key="threshold_a").set_value(0.25).run()
    assert benefits(page)[1] == before
    page.select_slider(key="point_stake").set_value(0.1).run()
    assert page.query_params["stake"] == "0.1"
    assert page.slider(key="threshold_a").value == 0.25
    assert benefits(page)[1] != before
    assert "a false alarm has 0.11 times the weight of a detected PNEUMONIA" in texts(page)


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "x", ""])
def test_an_address_that_makes_no_sense_is_left_aside(sound_pair: tuple[str, str], value: str) -> None:
    page = compared(*sound_pair, SHOW, rule="magic", value=value, threshold_a=value, prevalence=value, stake=value)
    assert page.radio(key="point_rule").value == "own"
    assert page.slider(key="threshold_a").value == evidence_of(sound_pair[0], Split.TEST).threshold


def test_without_validation_only_fixed_and_own_are_offered_and_it_says_why(no_published: Path) -> None:
    page = compared(*pair_of_runs(Preset.REPORT, ("test",)), SHOW)
    assert page.radio(key="point_rule").options == ["each run's own", "fixed"]
    assert "its validation images were the test images" in texts(page)
