"""What file names say: both schemes, both readings of the numbers, and names of neither scheme."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.data.index import DataIndex
from pneumo_core.data.patients import (
    parse_name,
    same_bytes_same_patient,
    shared_by_prefix,
    shared_patients,
    shared_without_prefix,
    shared_words,
)
from pneumo_core.records import Label, NotApplicable, SharedPatients, Subtype
from pneumo_core.reference import COPIES, COPY_PATIENTS

# Name, patient with its prefix, subtype where the folder says PNEUMONIA.
NAMES = [
    ("person23_bacteria_78.jpeg", "bacteria-23", Subtype.BACTERIA),
    ("person447_virus_921_1.jpeg", "virus-447", Subtype.VIRUS),
    ("person0023_BACTERIA_0078.JPG", "bacteria-23", Subtype.BACTERIA),
    ("IM-0115-0001.jpeg", "im-115", Subtype.UNKNOWN),
    ("IM-0011-0001-0002.jpeg", "im-11", Subtype.UNKNOWN),
    ("NORMAL2-IM-1427-0001.jpeg", "normal2-im-1427", Subtype.UNKNOWN),
    ("NORMAL2-IM-0529-0001-0003.jpeg", "normal2-im-529", Subtype.UNKNOWN),
    ("NORMAL2-person12_virus_3.jpeg", "normal2-virus-12", Subtype.VIRUS),
    ("BACTERIA-1008087-0001.jpeg", "bacteria-1008087", Subtype.BACTERIA),
    ("person23_bacteria_78 (1).jpeg", "bacteria-23", Subtype.BACTERIA),
    ("person23_bacteria_78 - Copy.jpeg", "bacteria-23", Subtype.BACTERIA),
    ("IM-0115-0001 - Copy (2).jpeg", "im-115", Subtype.UNKNOWN),
    ("IM-0115-0001(3).jpeg", "im-115", Subtype.UNKNOWN),
    ("VIRUS-8610053-0005.jpeg", "virus-8610053", Subtype.VIRUS),
    ("NORMAL-28501-0001.jpeg", "normal-28501", Subtype.UNKNOWN),
    ("PHANTOM-VIRUS-0031-0002.jpeg", "phantom-virus-31", Subtype.VIRUS),
    ("PHANTOM-NORMAL-0031-0002.jpeg", "phantom-normal-31", Subtype.UNKNOWN),
]


@pytest.mark.parametrize(("name", "patient_id", "subtype"), NAMES, ids=[name for name, *_ in NAMES])
def test_names_of_both_schemes(name: str, patient_id: str, subtype: Subtype) -> None:
    number = patient_id.rpartition("-")[2]
    assert parse_name(f"train/PNEUMONIA/{name}", Label.PNEUMONIA) == (patient_id, number, subtype)
    # What a healthy child has no cause of; the folder decides.
    assert parse_name(f"train/NORMAL/{name}", Label.NORMAL) == (patient_id, number, Subtype.NONE)


@pytest.mark.parametrize(
    "name",
    [
        "chest.jpeg",
        "person_bacteria_1.jpeg",
        "person1_fungus_1.jpeg",
        "person1_bacteria.jpeg",
        "person1_bacteria_1 (copy).jpeg",
        "xperson1_bacteria_1.jpeg",
        "IM-0115.jpeg",
        "IM--0001.jpeg",
        "NORMAL3-IM-0115-0001.jpeg",
        "BACTERIA-1008087.jpeg",
        ".jpeg",
        "",
    ],
)
def test_other_names_are_patients_of_their_own(name: str) -> None:
    for folder, label, subtype in (
        ("PNEUMONIA", Label.PNEUMONIA, Subtype.UNKNOWN),
        ("NORMAL", Label.NORMAL, Subtype.NONE),
    ):
        image_id = f"train/{folder}/{name}"
        assert parse_name(image_id, label) == (f"file:{image_id}", f"file:{image_id}", subtype)


@given(
    number=st.integers(0, 10**9),
    images=st.lists(st.integers(0, 9999), min_size=2, max_size=2),
    width=st.integers(1, 8),
    cause=st.sampled_from(["bacteria", "virus"]),
)
def test_images_of_a_patient_have_one_key_however_padded(
    number: int, images: list[int], width: int, cause: str
) -> None:
    first = parse_name(f"train/PNEUMONIA/person{number}_{cause}_{images[0]}.jpeg", Label.PNEUMONIA)
    second = parse_name(f"test/PNEUMONIA/person{number:0{width}}_{cause}_{images[1]}_1.png", Label.PNEUMONIA)
    assert first == second == (f"{cause}-{number}", str(number), Subtype(cause))


@given(number=st.integers(0, 99999))
def test_prefixes_are_numbered_apart_but_pooled_alike(number: int) -> None:
    names = [
        f"person{number}_bacteria_1",
        f"person{number}_virus_1",
        f"IM-{number:04}-0001",
        f"NORMAL2-IM-{number:04}-0001",
        f"NORMAL-{number}-0001",
    ]
    keys = [parse_name(f"train/NORMAL/{name}.jpeg", Label.NORMAL) for name in names]
    assert len({patient_id for patient_id, _, _ in keys}) == len(names)
    assert {pooled_id for _, pooled_id, _ in keys} == {str(number)}


def test_shared_patients_are_those_of_test_that_are_in_train_whatever_is_in_val() -> None:
    rows = [
        ("train", "im-1", "1"),
        ("train", "im-2", "2"),
        ("train", "im-2", "2"),
        ("val", "im-3", "3"),
        ("test", "im-2", "2"),
        ("test", "im-2", "2"),
        ("test", "im-3", "3"),
        ("test", "virus-1", "1"),
        ("test", "virus-2", "2"),
    ]
    table = pd.DataFrame(rows, columns=["split", "patient_id", "pooled_id"])
    found = shared_patients(table)
    assert found == SharedPatients(patients=1, of_patients=4, pooled=2, of_pooled=3)
    assert shared_patients(table[table["split"] == "train"]) == SharedPatients(0, 0, 0, 0)
    assert shared_by_prefix(found).startswith("1 of 4 patients of test is also in train")
    assert "2 of 3 patient numbers of test are in train" in shared_without_prefix(found)
    assert shared_words(found) == f"{shared_by_prefix(found)} {shared_without_prefix(found)}"
    assert "not known: no index." in shared_words(NotApplicable("no index"))
    none = SharedPatients(0, 4, 0, 3)
    assert shared_words(none) == (
        "None of the 4 patients of test is in train (numbers with their prefix). "
        "With the prefix dropped, none of the 3 patient numbers of test is in train either."
    )


def test_what_is_known_of_a_copy_is_what_its_images_have(real_index: DataIndex) -> None:
    assert COPY_PATIENTS.keys() == COPIES.keys()
    if real_index.data_id in COPY_PATIENTS:
        assert COPY_PATIENTS[real_index.data_id] == shared_patients(real_index.table)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["im-1", "im-2", "virus-3", "file:x", "file:y"]))))
def test_patients_who_share_bytes_are_one_by_a_slow_search(rows: list[tuple[str, str]]) -> None:
    table = pd.DataFrame(rows, columns=["sha256", "patient_id"]).astype(str).assign(pooled_id="1")
    found = same_bytes_same_patient(table)["patient_id"].tolist()
    # Groups of rows that the same bytes or the same patient connect, grown until nothing changes.
    groups = list(range(len(rows)))
    while True:
        grown = [
            min(groups[j] for j, other in enumerate(rows) if other[0] == row[0] or other[1] == row[1]) for row in rows
        ]
        if grown == groups:
            break
        groups = grown
    for group in set(groups):
        names = {row[1] for row, own in zip(rows, groups, strict=True) if own == group}
        expected = min(names, key=lambda name: (name.startswith("file:"), name))
        assert {name for name, own in zip(found, groups, strict=True) if own == group} == {expected}
