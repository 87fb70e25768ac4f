"""Predictive values and net benefit, by counting patients of a made-up ward."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.evaluation.metrics import Confusion, roc_curve
from pneumo_core.evaluation.operating import decision_curve, rates
from pneumo_core.evaluation.prevalence import at_prevalence, at_threshold, benefit_at
from pneumo_core.evaluation.reliability import probability_scores, reliability
from pneumo_core.records import Estimate, NotApplicable

Y_TRUE = np.array([0] * 30 + [1] * 50)
PROBABILITY = np.array([0.1] * 21 + [0.8] * 9 + [0.2] * 10 + [0.9] * 40)
PATIENTS = np.array([f"p{place // 2}" for place in range(80)])


def test_predictive_values_are_those_of_a_ward_with_that_share_of_pneumonia() -> None:
    found = at_prevalence(rates(Y_TRUE, PROBABILITY, PATIENTS, 0.5), 0.25)
    # Of 1,000 patients 250 have PNEUMONIA: 200 are found; of the 750 others 525 are called NORMAL.
    assert isinstance(found.ppv, Estimate)
    assert isinstance(found.npv, Estimate)
    assert (found.prevalence, found.ppv.value) == (0.25, pytest.approx(200 / (200 + 225)))
    assert found.npv.value == pytest.approx(525 / (525 + 50))


def test_predictive_values_need_both_rates_and_keep_the_reason_of_the_one_that_is_missing() -> None:
    whole = rates(Y_TRUE, PROBABILITY, PATIENTS, 0.5)
    for name in ("sensitivity", "specificity"):
        found = at_prevalence(replace(whole, **{name: NotApplicable(f"no {name}")}), 0.25)
        assert found.ppv == found.npv == NotApplicable(f"no {name}")


def test_net_benefit_is_the_curves_at_that_threshold() -> None:
    found = benefit_at(decision_curve(Y_TRUE, PROBABILITY, PATIENTS), 0.5)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx((40 - 9) / 80)
    assert found.low < found.value < found.high
    assert found.n == 80
    assert benefit_at(NotApplicable("no curve"), 0.5) == NotApplicable("no curve")


def test_a_run_at_a_threshold_that_is_not_its_own() -> None:
    logit = np.log(PROBABILITY / (1 - PROBABILITY))
    table = pd.DataFrame({"label": Y_TRUE, "logit": logit, "patient_id": PATIENTS})
    run = Evidence("r", 0, 0.5, False, table)
    curve = decision_curve(Y_TRUE, PROBABILITY, PATIENTS, 0.25)
    found = at_threshold(run, 0.85, 0.25, 0.5, curve)
    # None of the 30 NORMAL images reaches 0.85, 40 of the 50 others do.
    assert found.confusion == Confusion(tn=30, fp=0, fn=10, tp=40)
    assert found.rates == rates(Y_TRUE, PROBABILITY, PATIENTS, 0.85)
    assert found.values == at_prevalence(found.rates, 0.25)
    assert found.benefit == benefit_at(curve, 0.5)
    assert found.roc == roc_curve(Y_TRUE, run.probability)
    assert found.curve is curve


def test_scores_of_probabilities_are_means_over_the_images() -> None:
    logit = np.log(PROBABILITY / (1 - PROBABILITY))
    found = probability_scores(Y_TRUE, logit, PATIENTS)
    assert found.reliability == reliability(Y_TRUE, logit, PATIENTS)
    assert isinstance(found.brier, Estimate)
    assert isinstance(found.log_loss, Estimate)
    assert found.brier.value == pytest.approx(((PROBABILITY - Y_TRUE) ** 2).mean())
    right = np.where(Y_TRUE == 1, PROBABILITY, 1 - PROBABILITY)
    assert found.log_loss.value == pytest.approx(-np.log(right).mean())
