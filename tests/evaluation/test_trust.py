"""Tests of heat maps as values: limits, intervals, and plain data and back."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from pneumo_core.errors import DataError
from pneumo_core.evaluation.trust import (
    BELOW,
    Check,
    Outcome,
    Trust,
    judged,
    mean_estimate,
    trust_from_dict,
    trust_to_dict,
)
from pneumo_core.records import Estimate, NotApplicable, Split
from tests.hostile import assert_one_line

PASSED = {check: judged(check, Estimate(0.5, 0.4, 0.6, 9), 0.7 if check in BELOW else 0.3) for check in Check}
TRUST = Trust(Split.VAL, 9, 0, 5, 2.0, 0.06, 7.8, PASSED)


@pytest.mark.parametrize("check", Check)
def test_the_whole_interval_must_lie_on_the_right_side(check: Check) -> None:
    estimate = Estimate(0.5, 0.4, 0.6, 9)
    found = {limit: judged(check, estimate, limit).outcome for limit in (0.3, 0.4, 0.5, 0.6, 0.7)}
    right, wrong = (0.7, 0.3) if check in BELOW else (0.3, 0.7)
    assert found == {right: Outcome.PASSED, wrong: Outcome.FAILED, **dict.fromkeys((0.4, 0.5, 0.6), Outcome.NOT_SHOWN)}


def test_what_is_passed_and_failed_and_what_is_neither() -> None:
    assert TRUST.among(Outcome.PASSED) == TRUST.among(*Outcome) == tuple(Check)
    worse = replace(
        TRUST,
        checks={
            **PASSED,
            Check.NOISE: judged(Check.NOISE, Estimate(0.5, 0.4, 0.6, 9), 0.5),
            Check.CENTER: NotApplicable("empty"),
        },
    )
    assert worse.among(Outcome.NOT_SHOWN) == (Check.NOISE,)
    assert worse.among(Outcome.FAILED) == ()
    assert set(worse.among(Outcome.PASSED)) == set(Check) - {Check.NOISE, Check.CENTER}
    assert trust_from_dict(trust_to_dict(worse)) == worse


def test_the_interval_of_a_mean_is_student_s() -> None:
    values = np.random.default_rng(0).normal(3, 2, 20)
    found = mean_estimate(values)
    assert isinstance(found, Estimate)
    expected = t.interval(0.95, 19, values.mean(), values.std(ddof=1) / np.sqrt(20))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.value, found.n) == (pytest.approx(values.mean()), 20)
    assert isinstance(mean_estimate(values[:1]), NotApplicable)


@pytest.mark.parametrize("trust", [TRUST, NotApplicable("why")], ids=["tests", "reason"])
def test_tests_are_plain_data_and_back(trust: Trust | NotApplicable) -> None:
    assert trust_from_dict(trust_to_dict(trust)) == trust


@pytest.mark.parametrize("change", [{"schema": 2}, {"n": 0}, {"checks": {}}, {"noise": "2"}, {"more": 1}], ids=str)
def test_another_content_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataError) as caught:
        trust_from_dict({**trust_to_dict(TRUST), **change})
    assert_one_line(caught.value, "trust")
