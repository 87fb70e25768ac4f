"""Slices against their definition, image by image."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import clustered_wilson
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.slices import FEW, GROUPS, Slice, slices
from pneumo_core.records import Estimate, NotApplicable


def predicted(seed: int = 0, n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    patient = np.sort(rng.integers(0, n * 2 // 3, n))
    labels = (patient % 3 > 0).astype(np.int64)
    return pd.DataFrame(
        {
            "image_id": [f"test/{index:04d}.jpeg" for index in range(n)],
            "patient_id": [f"p{name}" for name in patient],
            "split": "test",
            "label": labels,
            "subtype": np.where(labels == 0, "none", np.where(patient % 2 == 0, "virus", "bacteria")),
            "logit": (2 * labels - 0.7 + rng.normal(0, 1.5, n)).astype(np.float32),
        }
    )


def known(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = len(frame)
    return pd.DataFrame(
        {
            "image_id": frame["image_id"],
            "width": rng.integers(400, 2000, n),
            "height": rng.integers(400, 2000, n),
            "mode": rng.choice(["L", "RGB"], n, p=[0.9, 0.1]),
            "sharpness": rng.gamma(2, 50, n),
        }
    )


def of_group(found: tuple[Slice, ...], group: str) -> dict[str, Slice]:
    return {each.name: each for each in found if each.group == group}


def value(estimate: Estimate | NotApplicable) -> float:
    assert isinstance(estimate, Estimate)
    return estimate.value


def test_a_slice_is_what_its_images_say() -> None:
    frame = predicted()
    found, missing = slices(frame, None, 0.6)
    assert dict(missing).keys() == set(GROUPS[2:])
    images = frame.groupby("patient_id").size()
    for name, wanted in (("1 image", {1}), ("2 images", {2}), ("3 or more images", set(range(3, 99)))):
        part = frame[[images[patient] in wanted for patient in frame["patient_id"]]]
        each = of_group(found, "images of the patient")[name]
        called = probability(part["logit"].to_numpy()) >= 0.6
        sick, patients = part["label"].to_numpy() == 1, part["patient_id"].to_numpy()
        assert (each.n, each.n_pneumonia, each.n_patients) == (len(part), sick.sum(), part["patient_id"].nunique())
        assert each.sensitivity == clustered_wilson(called[sick], patients[sick])
        assert each.specificity == clustered_wilson(~called[~sick], patients[~sick])
        assert each.accuracy == clustered_wilson(called == sick, patients)
        area = roc_auc_score(sick, part["logit"])
        if min(len(set(patients[sick])), len(set(patients[~sick]))) < 10:
            assert isinstance(each.auroc, NotApplicable)
            assert each.auroc.reason.startswith(f"it is {area:.4g}, without an interval")
        else:
            assert value(each.auroc) == pytest.approx(area)


def test_a_subtype_is_ranked_against_all_normal_images() -> None:
    frame = predicted(1)
    found, _ = slices(frame, None, 0.5)
    assert set(of_group(found, "subtype")) == {"bacteria", "virus"}
    for name, each in of_group(found, "subtype").items():
        part = frame[(frame["subtype"] == name) | (frame["label"] == 0)]
        assert value(each.auroc) == pytest.approx(roc_auc_score(part["label"], part["logit"]))
        assert each.n == each.n_pneumonia == (frame["subtype"] == name).sum()
        assert each.specificity == NotApplicable("no image of the slice is NORMAL")


def test_facts_part_a_split_into_quarters_and_kinds_of_file() -> None:
    frame = predicted(2)
    facts = known(frame)
    found, missing = slices(frame, facts.sample(frac=1, random_state=0), 0.5)
    assert missing == ()
    assert tuple(dict.fromkeys(each.group for each in found)) == GROUPS
    for group in ("image size", "sharpness"):
        parts = of_group(found, group)
        assert [name.split(",")[0] for name in parts] == [
            "lowest quarter", "second quarter", "third quarter", "highest quarter",
        ]  # fmt: skip
        assert [each.n for each in parts.values()] == [60, 60, 60, 60]
        assert all(each.smallest for each in parts.values())
    highest = facts["image_id"][facts["sharpness"] > np.quantile(facts["sharpness"], 0.75)]
    part = frame[frame["image_id"].isin(highest)]
    each = next(each for name, each in of_group(found, "sharpness").items() if name.startswith("highest"))
    assert value(each.auroc) == pytest.approx(roc_auc_score(part["label"], part["logit"]))
    colors = of_group(found, "color")
    assert colors["color file"].n == (facts["mode"] == "RGB").sum()
    assert (colors["color file"].smallest, colors["gray file"].smallest) == (True, False)


def test_every_group_but_subtypes_holds_each_image_once() -> None:
    frame = predicted(3)
    found, _ = slices(frame, known(frame), 0.5)
    for group in GROUPS[1:]:
        assert sum(each.n for each in of_group(found, group).values()) == len(frame)
    assert sum(each.n for each in of_group(found, "subtype").values()) == frame["label"].sum()


def test_few_images_are_marked() -> None:
    frame = predicted(4, 300)
    found, _ = slices(frame, known(frame), 0.5)
    assert {each.few for each in found} == {True, False}
    assert all(each.few for each in found if each.n_patients < FEW)
    for group in GROUPS:
        parts = of_group(found, group).values()
        assert min(parts, key=lambda each: each.n).smallest


def test_a_value_on_a_border_belongs_to_the_quarter_below() -> None:
    frame = predicted(8, 5)
    found, _ = slices(frame, known(frame).assign(sharpness=[3.0, 0, 4, 1, 2]), 0.5)
    assert [(name, each.n) for name, each in of_group(found, "sharpness").items()] == [
        ("lowest quarter, 0 to 1", 2),
        ("second quarter, 2 to 2", 1),
        ("third quarter, 3 to 3", 1),
        ("highest quarter, 4 to 4", 1),
    ]


@pytest.mark.parametrize(("n", "few"), [(FEW, False), (FEW - 1, True)])
def test_thirty_patients_are_not_few(n: int, few: bool) -> None:
    frame = predicted(9).assign(label=1)
    frame = frame.assign(patient_id=[f"patient {place // 2:03d}" for place in range(len(frame))])
    n *= 2  # Two images of each patient.
    found, _ = slices(frame.assign(subtype=np.where(np.arange(len(frame)) < n, "virus", "bacteria")), None, 0.5)
    assert of_group(found, "subtype")["virus"].few is few


def test_images_that_are_alike_make_no_slices() -> None:
    frame = predicted(5).drop_duplicates("patient_id")
    facts = known(frame).assign(width=100, height=100, mode="L", sharpness=1.0)
    found, missing = slices(frame, facts, 0.5)
    assert {each.group for each in found} == {"subtype"}
    assert {group: reason.reason for group, reason in missing} == dict.fromkeys(
        GROUPS[1:], "all images have the same value"
    )


def test_order_of_images_does_not_matter() -> None:
    frame = predicted(6)
    facts = known(frame)
    assert slices(frame.sample(frac=1, random_state=1), facts, 0.5) == slices(frame, facts, 0.5)


def test_other_data_are_refused() -> None:
    frame = predicted(7)
    facts = known(frame)
    with pytest.raises(DataError, match="splits=2"):
        slices(pd.concat([frame, frame.assign(split="val")]), None, 0.5)
    with pytest.raises(DataError, match="splits=0"):
        slices(frame[:0], None, 0.5)
    with pytest.raises(DataError, match="sharpness"):
        slices(frame, facts.drop(columns="sharpness"), 0.5)
    with pytest.raises(DataError, match=r"missing=1, the first 'test/0003\.jpeg'"):
        slices(frame, facts.drop(index=3), 0.5)


@pytest.mark.parametrize(("normal", "few"), [(FEW, False), (FEW - 1, True), (0, False)])
def test_few_patients_of_a_class_make_a_slice_uncertain(normal: int, few: bool) -> None:
    frame = predicted(6, 121)
    place = np.arange(len(frame))
    frame = frame.assign(patient_id=place.astype(str), label=np.where(place < normal, 0, 1))
    facts = known(frame).assign(mode=np.where(place < 120, "L", "RGB"))
    assert of_group(slices(frame, facts, 0.5)[0], "color")["gray file"].few is few


def test_images_of_a_slice_are_ranked_by_logits() -> None:
    frame = predicted(7)
    frame = frame.assign(logit=50 + frame["logit"].astype(float))  # Probabilities that are all 1.
    for name, each in of_group(slices(frame, None, 0.5)[0], "subtype").items():
        part = frame[(frame["subtype"] == name) | (frame["label"] == 0)]
        assert value(each.auroc) == pytest.approx(roc_auc_score(part["label"], part["logit"]))
