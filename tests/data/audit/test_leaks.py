"""What the splits share: each pair of them, by each key, and byte for byte."""

from itertools import combinations

import pandas as pd
import pytest

from pneumo_core.data.audit import Outcome, Severity, audit
from pneumo_core.data.index import DataIndex
from pneumo_core.records import Label, Split
from tests.data.audit.made import checked, found_in, rows


def same_content(table: pd.DataFrame, *groups: list[str]) -> pd.DataFrame:
    for number, group in enumerate(groups):
        table.loc[table["image_id"].isin(group), "sha256"] = f"{number:x<64}"
    return table


def test_duplicates_within_a_class_are_noted() -> None:
    table = same_content(
        rows(),
        ["train/NORMAL/NORMAL-1-1.jpeg", "train/NORMAL/NORMAL-2-1.jpeg", "train/NORMAL/NORMAL-3-1.jpeg"],
        ["test/NORMAL/NORMAL-1-1.jpeg"],
    )
    found = checked(table)
    assert found_in(found) == {"duplicates": Severity.NOTE}
    assert found["duplicates"].sentence == "3 files are byte-identical to another, in 1 group."
    assert set(found["duplicates"].examples) == {f"train/NORMAL/NORMAL-{number}-1.jpeg" for number in (1, 2, 3)}


@pytest.mark.parametrize("splits", list(combinations(("train", "val", "test"), 2)))
def test_duplicates_across_any_two_splits_are_severe(splits: tuple[str, str]) -> None:
    found = checked(same_content(rows(), [f"{split}/NORMAL/NORMAL-1-1.jpeg" for split in splits]))
    assert found_in(found) == {"duplicates-span-splits": Severity.MISLEADING, "duplicates": Severity.NOTE}
    assert f"{splits[0]} and {splits[1]} share 1 image." in found["duplicates-span-splits"].sentence
    assert found["duplicates-span-splits"].n == 2


def test_duplicates_across_classes_are_severe() -> None:
    found = checked(same_content(rows(), ["train/NORMAL/NORMAL-2-1.jpeg", "train/PNEUMONIA/VIRUS-2-1.jpeg"]))
    assert found_in(found) == {"duplicates-span-labels": Severity.MISLEADING, "duplicates": Severity.NOTE}
    assert found["duplicates-span-labels"].sentence == "1 image is in both classes, byte for byte."


@pytest.mark.parametrize("splits", list(combinations(("train", "val", "test"), 2)))
def test_patients_in_any_two_splits_are_severe(splits: tuple[str, str]) -> None:
    table = rows().set_index("image_id")
    table.loc[f"{splits[1]}/NORMAL/NORMAL-0-1.jpeg", "patient_id"] = table.loc[
        f"{splits[0]}/NORMAL/NORMAL-0-1.jpeg", "patient_id"
    ]
    found = checked(table.reset_index())
    assert found_in(found) == {"patients-span-splits": Severity.MISLEADING}
    assert f"{splits[0]} and {splits[1]} share 1 patient." in found["patients-span-splits"].sentence
    assert found["patients-span-splits"].n == 2
    # What a preset then drops (`splits.assign`).
    leaves = "Presets leave 1 validation image of such patients out."
    assert (leaves in found["patients-span-splits"].consequence) is (splits == ("train", "val"))


def test_numbers_without_their_prefix_are_the_pessimistic_reading() -> None:
    table = rows().set_index("image_id")
    for number in range(5):
        table.loc[f"test/NORMAL/NORMAL-{number}-1.jpeg", "pooled_id"] = table.loc[
            f"train/PNEUMONIA/VIRUS-{number}-1.jpeg", "pooled_id"
        ]
    found = checked(table.reset_index())
    assert found_in(found) == {"pooled-patients-span-splits": Severity.CAUTION}
    assert "train and test share 5 numbers" in found["pooled-patients-span-splits"].sentence


def test_patients_without_prefixes_have_one_key() -> None:
    table = rows().assign(pooled_id=lambda found: found["patient_id"])
    assert checked(table)["pooled-patients-span-splits"].outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("splits", "figures"),
    [
        (("train", "test"), "A model is asked about what it was trained on: test figures are optimistic."),
        (("train", "val"), "A model is asked about what it was trained on: validation figures are optimistic."),
        (("val", "test"), "What was chosen on validation was chosen on test images: test figures are optimistic."),
    ],
)
def test_the_figures_that_are_optimistic_are_named(splits: tuple[str, str], figures: str) -> None:
    found = checked(same_content(rows(), [f"{split}/NORMAL/NORMAL-1-1.jpeg" for split in splits]))
    assert found["duplicates-span-splits"].consequence.startswith(figures)


def test_where_no_patient_is_known_none_can_be_shared() -> None:
    table = rows().assign(patient_id=lambda found: "file:" + found["image_id"])
    assert checked(table)["patients-span-splits"].outcome is Outcome.NOT_APPLICABLE


def test_unknown_patients_are_counted() -> None:
    table = rows()
    table.loc[:9, "patient_id"] = [f"file:{name}" for name in table.loc[:9, "image_id"]]
    found = checked(table)
    assert found_in(found) == {"patients-unknown": Severity.CAUTION}
    assert f"among the {len(table) - 10:,} images whose patients are known" in found["patients-span-splits"].sentence
    assert found["patients-unknown"].sentence.startswith(f"Patients are unknown for 10 of {len(table):,} images:")


def test_the_real_data_set(real_index: DataIndex) -> None:
    """Half of the official test split is kept elsewhere: that is said, and no patient is on both sides."""
    found = {check.code: check for check in audit(real_index)}
    assert not any(check.severity is Severity.MISLEADING for check in found.values()), found
    assert found["patients-span-splits"].outcome is Outcome.PASSED
    assert found["patients-unknown"].outcome is Outcome.PASSED
    assert found["name-differs"].outcome is Outcome.PASSED
    counts = real_index.counts()
    received = [counts[Split.TEST, label] for label in Label]
    if received != [234, 390]:
        words = f"test has NORMAL/PNEUMONIA {received[0]}/{received[1]}, official 234/390."
        assert found["counts-differ"].sentence.endswith(words)
