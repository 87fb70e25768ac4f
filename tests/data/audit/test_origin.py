"""Where the images come from and whether all are there: a planted fault each, and the official set without one."""

import pytest

from pneumo_core.data.audit import Outcome, Severity, audit
from tests.data.audit.made import OFFICIAL, ORDER, checked, found_in, index_of, rows


def test_the_official_data_set_passes_every_check() -> None:
    assert {check.outcome for check in checked(rows()).values()} == {Outcome.PASSED}


def test_every_audit_has_the_same_checks() -> None:
    codes = set(checked(rows()))
    assert codes == set(checked(rows({("train", "NORMAL"): 1})))
    assert len(audit(index_of(rows()))) == len(codes)


def test_generated_images_among_the_real_ones_are_severe() -> None:
    table = rows()
    table.loc[0, "image_id"] = "train/NORMAL/synthetic-dcgan-0123456789ab-seed0-0000007.png"
    found = checked(table)
    assert found_in(found) == {"generated": Severity.MISLEADING}
    assert found["generated"].examples == (table.loc[0, "image_id"],)
    assert "removed" in found["generated"].consequence


def test_other_counts_are_said_split_by_split() -> None:
    found = checked(rows(OFFICIAL | {("test", "NORMAL"): 118, ("test", "PNEUMONIA"): 200, ("train", "NORMAL"): 1340}))
    assert found_in(found) == {"counts-differ": Severity.CAUTION}
    words = found["counts-differ"].sentence
    assert "train has NORMAL/PNEUMONIA 1,340/3,875, official 1,341/3,875" in words
    assert "test has NORMAL/PNEUMONIA 118/200, official 234/390" in words
    assert "val" not in words
    assert "download" in found["counts-differ"].consequence


def test_another_data_set_is_not_held_against_the_official_counts() -> None:
    table = rows({("train", "NORMAL"): 9, ("train", "PNEUMONIA"): 9, ("test", "NORMAL"): 9, ("test", "PNEUMONIA"): 9})
    table["image_id"] = [f"train/{number}.png" for number in range(len(table))]
    assert checked(table)["counts-differ"].outcome is Outcome.NOT_APPLICABLE


def test_images_that_changed_their_class_are_counted() -> None:
    swapped = {
        ("test", "NORMAL"): OFFICIAL["test", "NORMAL"] + 5,
        ("test", "PNEUMONIA"): OFFICIAL["test", "PNEUMONIA"] - 5,
    }
    assert checked(rows(OFFICIAL | swapped))["counts-differ"].n == 10


def test_a_doubled_copy_is_known() -> None:
    found = checked(rows({key: 2 * count for key, count in OFFICIAL.items()}))
    assert "twice" in found["counts-differ"].consequence


@pytest.mark.parametrize(("split", "severe"), [("train", True), ("val", False), ("test", True)])
@pytest.mark.parametrize("name", ["NORMAL", "PNEUMONIA"])
def test_an_empty_part_is_said(split: str, name: str, severe: bool) -> None:
    found = checked(rows({key: count for key, count in OFFICIAL.items() if key != (split, name)}))
    assert set(found_in(found)) == {"counts-differ", "empty"}
    assert found["empty"].sentence == f"{split} has no {name} image."
    assert found["empty"].severity is (Severity.MISLEADING if severe else Severity.NOTE)
    assert bool(found["empty"].consequence) is severe


def test_phantoms_are_said_and_not_held_against_the_official_counts() -> None:
    table = rows({(split, name): 3 for split in ("train", "val", "test") for name in ("NORMAL", "PNEUMONIA")})
    table["image_id"] = table["image_id"].str.replace("/(?=[NV][A-Z]+-)", "/PHANTOM-", regex=True)
    found = checked(table)
    assert found_in(found) == {"phantoms": Severity.CAUTION}
    assert found["phantoms"].consequence == "Figures from them do not apply to patients."
    assert found["counts-differ"].outcome is Outcome.NOT_APPLICABLE


def test_the_worst_comes_first() -> None:
    table = rows(OFFICIAL | {("test", "NORMAL"): 1, ("val", "NORMAL"): 0})
    table.loc[table["image_id"] == "test/NORMAL/NORMAL-0-1.jpeg", "sha256"] = table.loc[0, "sha256"]
    ranks = [ORDER.index(check.severity) for check in audit(index_of(table))]
    assert ranks == sorted(ranks)
    assert {0, 1, 2, 3} == set(ranks)
