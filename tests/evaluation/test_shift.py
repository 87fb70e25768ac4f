"""Shift from train to test: found where it was planted, and in the class where it was."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from pneumo_core.data.audit import Outcome, Severity
from pneumo_core.evaluation.shift import LEAST, ClassShift, shift, shift_checks
from pneumo_core.records import Estimate, Label, NotApplicable

MEASURES = ("brightness", "sharpness")


def rows(shifted: float = 0.0, patients: int = 120, seed: int = 0) -> pd.DataFrame:
    """Two images a patient, half of the patients in each split; NORMAL test images are less sharp by `shifted` SD."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"patient_id": np.repeat(np.arange(2 * patients), 2).astype(str)})
    number = table["patient_id"].astype(int)
    table["label"] = number % 2
    table["split"] = np.where(number // 2 % 2 == 0, "train", "test")
    table["image_id"] = [f"{place:06}" for place in range(len(table))]
    table["brightness"] = rng.normal(120, 10, len(table))
    table["sharpness"] = rng.normal(5, 1, len(table))
    moved = (table["label"] == 0) & (table["split"] == "test")
    table.loc[moved, "sharpness"] -= shifted
    return table


def both(table: pd.DataFrame) -> tuple[ClassShift, ClassShift]:
    normal, pneumonia = shift(table, MEASURES)
    assert isinstance(normal, ClassShift)
    assert isinstance(pneumonia, ClassShift)
    return normal, pneumonia


def test_a_planted_shift_is_found_in_its_class_alone() -> None:
    normal, pneumonia = both(rows(2.0))
    assert isinstance(normal.auroc, Estimate)
    assert isinstance(pneumonia.auroc, Estimate)
    assert normal.auroc.low > 0.8
    assert pneumonia.auroc.low < 0.5 < pneumonia.auroc.high
    assert normal.measures[0].measure == "sharpness"
    assert normal.measures[0].p < 1e-6 < 0.05 < normal.measures[1].p
    found = {check.code: check for check in shift_checks((normal, pneumonia))}
    assert found["shift-normal"].severity is Severity.CAUTION
    assert (
        "sharpness (mean 4.9" in found["shift-normal"].sentence or "sharpness (mean 5" in found["shift-normal"].sentence
    )
    assert found["shift-pneumonia"].outcome is Outcome.PASSED


def test_a_single_measure_that_differs_is_an_issue_whatever_all_tell_together() -> None:
    normal, pneumonia = both(rows(2.0))
    for area in (Estimate(0.48, 0.4, 0.56, 480), NotApplicable("too few")):
        check = next(iter(shift_checks((replace(normal, auroc=area), pneumonia))))
        assert check.severity is Severity.CAUTION
        assert "images of train and test differ, most in sharpness" in check.sentence


def test_without_a_shift_it_is_quiet_as_often_as_its_level_says() -> None:
    """Of 24 classes without a shift, about 1 is expected to be called shifted: 2.5 % by the AUROC, 2.5 % by Holm's p."""
    outcomes = [check.outcome for seed in range(12) for check in shift_checks(shift(rows(seed=seed), MEASURES))]
    assert len(outcomes) == 24
    assert sum(outcome is not Outcome.PASSED for outcome in outcomes) <= 4


def test_a_measure_s_distance_is_of_one_image_a_patient() -> None:
    table = rows(1.0)
    found = next(test for test in both(table)[0].measures if test.measure == "sharpness")
    first = table[table["label"] == 0].groupby(["split", "patient_id"]).first().reset_index()
    train, test = (first.loc[first["split"] == split, "sharpness"].to_numpy() for split in ("train", "test"))
    slow = max(abs((train <= value).mean() - (test <= value).mean()) for value in np.concatenate([train, test]))
    assert found.distance == pytest.approx(slow)
    assert (found.train, found.test) == (pytest.approx(train.mean()), pytest.approx(test.mean()))
    # Four tests are made, so that the smallest p is at most four times its own.
    assert found.p == pytest.approx(min(1, 4 * kstest(train, test).pvalue), rel=0.05)


def test_copies_of_patients_do_not_make_a_shift_certain() -> None:
    table = rows(0.4, patients=40)
    copies = pd.concat([table] * 4).assign(image_id=lambda found: [f"{place:06}" for place in range(len(found))])
    once, often = both(table)[0], both(copies)[0]
    assert isinstance(once.auroc, Estimate)
    assert isinstance(often.auroc, Estimate)
    assert often.auroc.high - often.auroc.low > 0.7 * (once.auroc.high - once.auroc.low)
    assert [test.p for test in often.measures] == pytest.approx([test.p for test in once.measures])


def test_few_patients_show_nothing() -> None:
    table = rows(2.0, patients=2 * LEAST - 4)
    for found in shift(table, MEASURES):
        assert isinstance(found, NotApplicable)
        assert str(LEAST) in found.reason
    assert {check.outcome for check in shift_checks(shift(table, MEASURES))} == {Outcome.NOT_APPLICABLE}
    assert all(isinstance(found, NotApplicable) for found in shift(table[table["split"] == "train"], MEASURES))


def test_the_classes_keep_their_order() -> None:
    assert [found.label for found in both(rows())] == list(Label)
