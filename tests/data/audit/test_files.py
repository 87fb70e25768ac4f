"""Files that are not in the data set, and names that contradict folders."""

import pytest

from pneumo_core.data.audit import Outcome, Severity
from pneumo_core.data.layout import LeftOut
from pneumo_core.records import UnreadableFile
from tests.data.audit.made import checked, found_in, rows


def test_left_out_images_are_counted_by_place() -> None:
    left_out = [
        LeftOut("train/COVID/", 300, "'COVID' is no split and no class", "rename the folder"),
        LeftOut("__MACOSX/", 9, "made by the system"),
    ]
    found = checked(rows(), left_out=left_out)
    assert found_in(found) == {"left-out": Severity.CAUTION}
    assert found["left-out"].n == 300
    assert "300 (train/COVID/: 'COVID' is no split and no class)" in found["left-out"].sentence
    assert "MACOSX" not in found["left-out"].sentence


def test_what_the_system_makes_is_nothing_to_speak_of() -> None:
    assert found_in(checked(rows(), left_out=[LeftOut("__MACOSX/", 9, "made by the system")])) == {}


def test_what_is_left_out_on_purpose_is_noted() -> None:
    found = checked(rows(), left_out=[LeftOut("images beside the CSV file", 30, "not listed in it")])
    assert found_in(found) == {"left-out": Severity.NOTE}
    assert "30 (images beside the CSV file: not listed in it)" in found["left-out"].sentence


def test_a_name_of_the_other_cause_is_said() -> None:
    table = rows()
    assert checked(table)["cause-differs"].outcome is Outcome.PASSED
    table.loc[table["image_id"] == "train/PNEUMONIA/VIRUS-3-1.jpeg", "subtype"] = "bacteria"
    table.loc[table["image_id"] == "train/PNEUMONIA/VIRUS-4-1.jpeg", "subtype"] = "unknown"
    check = checked(table)["cause-differs"]
    assert (check.n, check.examples) == (1, ("train/PNEUMONIA/VIRUS-3-1.jpeg",))
    assert check.severity is Severity.CAUTION


@pytest.mark.parametrize(("count", "severity"), [(1, Severity.NOTE), (3, Severity.NOTE), (100, Severity.CAUTION)])
def test_unreadable_files_are_counted(count: int, severity: Severity) -> None:
    bad = [UnreadableFile(f"train/NORMAL/x{number}.jpeg", "damaged", "message") for number in range(count)]
    found = checked(rows(), unreadable=bad)
    assert found_in(found) == {"unreadable": severity}
    assert found["unreadable"].sentence.startswith(f"{count} file{'s' if count > 1 else ''} ")
    assert found["unreadable"].examples[0] == "train/NORMAL/x0.jpeg"


@pytest.mark.parametrize(
    ("name", "differs"),
    [
        ("train/NORMAL/person7_bacteria_24.jpeg", True),
        ("train/NORMAL/VIRUS-1000-0001.jpeg", True),
        ("train/PNEUMONIA/IM-0115-0001.jpeg", False),  # Scanners write such names.
        ("train/PNEUMONIA/NORMAL2-IM-0115-0001 (1).jpeg", True),
        ("train/PNEUMONIA/NORMAL-1000-0001.jpeg", True),
        ("train/NORMAL/NORMAL2-person12_virus_3.jpeg", False),
        ("train/NORMAL/PHANTOM-NORMAL-0001-0001.jpeg", False),
        ("train/PNEUMONIA/person7_bacteria_24.jpeg", False),
        ("train/NORMAL/chest.jpeg", False),
    ],
)
def test_a_name_of_the_other_class_is_severe(name: str, differs: bool) -> None:
    table = rows()
    place = 0 if "/NORMAL/" in name else 2000
    table.loc[place, "image_id"] = name
    found = checked(table)["name-differs"]
    assert found.outcome is (Outcome.ISSUE if differs else Outcome.PASSED)
    assert found.examples == ((name,) if differs else ())
