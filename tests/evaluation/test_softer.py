"""Figures weighted to softer images: an independent slow reference, properties, and why there may be none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.evaluation.report import evaluate, report_from_dict, report_to_dict
from pneumo_core.evaluation.softer import CLASSES, MOST, Softer, normal_weights, sharpness_class, softer
from pneumo_core.records import Estimate, NotApplicable
from tests.closeness import assert_close
from tests.made_runs import made_predictions, with_stress


def validation(n: int = 120) -> pd.DataFrame:
    table = with_stress(made_predictions(n=n))
    return table[table["split"] == "val"].reset_index(drop=True)


def slow_weights(rows: pd.DataFrame) -> list[float]:
    """Weight of each image, one by one; only NORMAL images have another than 1."""
    sick = rows[rows["label"] == 1]
    ends = [np.quantile(sick["sharpness"].to_numpy(np.float64), share) for share in (0.2, 0.4, 0.6, 0.8)]
    part = [sum(value > end for end in ends) for value in rows["sharpness"]]
    labels = rows["label"].tolist()

    def count(number: int, label: int) -> int:
        return sum(one == number and of == label for one, of in zip(part, labels, strict=True))

    normal = labels.count(0)
    raw = {number: count(number, 1) / count(number, 0) if count(number, 0) else 0.0 for number in set(part)}
    total = sum(raw[number] for number, label in zip(part, labels, strict=True) if label == 0)
    limited = {number: min(value * normal / total, MOST) for number, value in raw.items()}
    total = sum(limited[number] for number, label in zip(part, labels, strict=True) if label == 0)
    return [limited[number] * normal / total if label == 0 else 1.0 for number, label in zip(part, labels, strict=True)]


def test_the_figures_are_those_of_a_slow_second_implementation() -> None:
    rows = validation()
    found = softer(rows.sample(frac=1, random_state=1), 0.4)
    assert isinstance(found, Softer)
    weights, labels = slow_weights(rows), rows["label"].tolist()
    logits = rows["logit"].tolist()
    called = [1 / (1 + np.exp(-logit)) >= 0.4 for logit in logits]
    images = list(zip(weights, labels, called, logits, strict=True))
    normal = [one for one in images if one[1] == 0]
    sick = [one for one in images if one[1] == 1]
    values = {
        "accuracy": sum(w for w, label, call, _ in images if call == label) / sum(weights),
        "sensitivity": sum(call for _, _, call, _ in sick) / len(sick),
        "specificity": sum(w for w, _, call, _ in normal if not call) / sum(w for w, *_ in normal),
        "auroc": sum(w * ((a > b) + (a == b) / 2) for *_, a in sick for w, *_, b in normal)
        / (len(sick) * sum(w for w, *_ in normal)),
    }
    for name, value in values.items():
        estimate = getattr(found, name)
        assert isinstance(estimate, Estimate)
        assert estimate.value == pytest.approx(value)
        assert estimate.low < value < estimate.high
    assert found.n_normal == len(normal)
    assert found.effective_normal == pytest.approx(sum(w for w, *_ in normal) ** 2 / sum(w**2 for w, *_ in normal))
    assert found.largest == pytest.approx(max(w for w, *_ in normal))
    assert found.sharpness_weighted < found.sharpness


def test_classes_that_are_equally_sharp_have_the_figures_of_validation() -> None:
    """Each NORMAL image beside two PNEUMONIA images of its sharpness: all weights are equal."""
    rows = validation(90)
    rows = rows.assign(sharpness=np.repeat(np.arange(30, dtype=np.float32), 3))
    assert rows.groupby("sharpness")["label"].sum().eq(2).all()
    table = pd.concat([rows, made_predictions(splits=("test",))], ignore_index=True)
    report = evaluate(table, run_id="r", rule=OperatingRule.HALF, selected_on_test=False)
    found, val = report.softer, report.splits[next(iter(report.splits))]
    assert isinstance(found, Softer)
    assert found.effective_normal == pytest.approx(30)
    for metric, estimate in found.figures.items():
        plain = val.figures[metric]
        assert isinstance(estimate, Estimate)
        assert isinstance(plain, Estimate)
        assert estimate.value == pytest.approx(plain.value)
    assert_close(report_from_dict(report_to_dict(report)), report)


@given(st.data())
def test_weights_give_both_classes_one_distribution_where_none_is_limited(data: st.DataObject) -> None:
    labels = np.array([0, 1, *data.draw(st.lists(st.sampled_from([0, 1]), min_size=12, max_size=60))])
    draw = st.lists(st.floats(1, 1000), min_size=labels.size, max_size=labels.size)
    part = sharpness_class(np.array(data.draw(draw)), labels)
    weights = normal_weights(part, labels, np.ones((1, labels.size)))[0]
    normal, sick = labels == 0, labels == 1
    matched = np.isin(part[normal], part[sick])
    assert (weights[sick] == 1).all()
    assert (weights >= 0).all()
    assert (weights[normal][~matched] == 0).all()
    if not matched.any():
        return
    assert weights[normal].mean() == pytest.approx(1)
    both = np.isin(part, part[normal]) & sick
    share = np.bincount(part[both], minlength=CLASSES) / both.sum()
    per = np.bincount(part[normal], minlength=CLASSES)
    if (share[per > 0] / per[per > 0]).max() * normal.sum() < MOST:
        got = np.bincount(part[normal], weights=weights[normal], minlength=CLASSES) / normal.sum()
        np.testing.assert_allclose(got, share, atol=1e-9)


@given(st.integers(2, 5))
def test_as_many_images_again_change_nothing(times: int) -> None:
    rows = validation(30)
    labels = rows["label"].to_numpy()
    part = sharpness_class(rows["sharpness"].to_numpy(np.float64), labels)
    ones = np.ones((1, labels.size))
    np.testing.assert_allclose(normal_weights(part, labels, times * ones), normal_weights(part, labels, ones))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows.iloc[:0], "no validation images"),
        (lambda rows: rows.drop(columns="sharpness"), "an earlier version"),
        (lambda rows: rows.assign(sharpness=rows["sharpness"].where(rows.index > 0)), "an earlier version"),
        (lambda rows: rows.assign(label=1), "no image is NORMAL"),
        (lambda rows: rows.assign(sharpness=1.0 - rows["label"] + rows.index / 1e6), "do not overlap"),
    ],
    ids=["none", "no column", "one lacks it", "one class", "apart"],
)
def test_why_there_are_no_figures(change: Any, reason: str) -> None:
    found = softer(change(validation()), 0.5)
    assert isinstance(found, NotApplicable)
    assert reason in found.reason


def test_a_patient_s_images_vary_together() -> None:
    """Each image four times: nothing is learned of new patients, and the intervals stay as wide."""
    rows = validation()
    often = rows.loc[rows.index.repeat(4)].reset_index(drop=True)
    names = often["image_id"] + "-" + often.index.astype(str)
    tables = (rows, often.assign(image_id=names), often.assign(image_id=names, patient_id=names))
    widths = []
    for table in tables:
        found = softer(table, 0.5)
        assert isinstance(found, Softer)
        assert isinstance(found.auroc, Estimate)
        widths.append(found.auroc.high - found.auroc.low)
    once, of_patient, of_strangers = widths
    assert of_patient == pytest.approx(once, rel=0.15)
    assert of_strangers < 0.7 * once
