"""Blocks of case numbers and images per patient, against slow counts and the facts of the real data set."""

from collections import Counter
from itertools import groupby

import pandas as pd

from pneumo_core.data.anatomy import BINS, bin_name, blocks, cases, images_per_patient, ticks
from pneumo_core.data.index import DataIndex
from pneumo_core.records import Label


def table(*patients: tuple[str, str, int]) -> pd.DataFrame:
    """Rows of so many images for each patient in a split."""
    rows = [(patient, split, 0 if "im" in patient else 1) for patient, split, images in patients for _ in range(images)]
    return pd.DataFrame(rows, columns=["patient_id", "split", "label"])


def test_blocks_are_runs_of_one_split_in_one_series() -> None:
    found = blocks(
        cases(
            table(
                ("im-1", "test", 1),
                ("im-2", "test", 2),
                ("im-9", "train", 1),
                ("bacteria-1", "train", 3),
                ("im-12", "test", 1),
            )
        )
    )
    assert found.values.tolist() == [
        ["im", "test", 1, 2, 2, 3],
        ["im", "train", 9, 9, 1, 1],
        ["im", "test", 12, 12, 1, 1],
        ["bacteria", "train", 1, 1, 1, 3],
    ]


def test_patients_without_numbers_have_no_place() -> None:
    assert blocks(cases(table(("file:train/x-1", "train", 1), ("listed-7", "test", 1)))).empty


def test_images_per_patient_by_hand() -> None:
    patients = (("im-1", "train", 1), ("im-2", "train", 4), ("virus-3", "train", 12), ("virus-4", "test", 2))
    found = images_per_patient(table(*patients))
    assert list(found.columns) == [
        *("split", "class", "1 image", "2 images", "3 to 5", "6 to 10", "more than 10", "most"),
    ]
    assert found.to_numpy().tolist() == [
        ["train", "NORMAL", 1, 0, 1, 0, 0, 4],
        ["train", "PNEUMONIA", 0, 0, 0, 0, 1, 12],
        ["test", "PNEUMONIA", 0, 1, 0, 0, 0, 2],
    ]


def test_the_real_test_split_lies_in_blocks(real_index: DataIndex) -> None:
    found = blocks(cases(real_index.table))
    bacteria = found[(found["series"] == "bacteria") & (found["split"] == "test")]
    # Consecutive case numbers, 78 to 175 in the official split, of which a half may be elsewhere.
    assert (bacteria["first"].min() >= 78, bacteria["last"].max() <= 175) == (True, True)
    assert found["patients"].sum() == real_index.table["patient_id"].nunique()
    slow = 0
    for _, rows in groupby(cases(real_index.table).itertuples(index=False), key=lambda row: (row.series, row.split)):
        slow += bool(list(rows))
    assert len(found) == slow
    counts = Counter(real_index.table.loc[real_index.table["split"] == "train", "patient_id"])
    per = images_per_patient(real_index.table)
    train = per[per["split"] == "train"]
    assert train["most"].max() == max(counts.values()) == 30
    assert train[[bin_name(*limits) for limits in BINS]].to_numpy().sum() == len(counts)
    assert set(per["class"]) == {label.name for label in Label}


def test_a_strip_chart_of_many_patients_puts_neighbors_together() -> None:
    few = cases(table(("im-1", "test", 1), ("im-2", "test", 2), ("bacteria-1", "train", 3)))
    assert ticks(few)[1] == 1
    assert ticks(few)[0].equals(few)
    assert ticks(few.head(0))[0].empty
    found = pd.DataFrame(
        {"series": "im", "number": range(5, 10_005), "split": ["train"] * 6000 + ["test"] * 4000, "images": 2}
    )
    drawn, width = ticks(found, most=1000)
    assert width == 10
    assert len(drawn) <= 1003
    assert drawn["images"].sum() == found["images"].sum()
    assert (drawn["number"].min(), set(drawn["split"])) == (5, {"train", "test"})
    assert drawn[drawn["split"] == "test"]["number"].min() == 6005
