"""Saved splits: one content is one split, a name is of one split, and a run's copy serves when the file is gone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.split import NamedSplit
from pneumo_core.data.index import DataIndex
from pneumo_core.data.resplit import make_split
from pneumo_core.data.saved_splits import (
    SavedSplit,
    SplitKind,
    damaged_splits,
    delete_split,
    find_split,
    save_split,
    saved_splits,
    split_named,
    split_parts,
)
from pneumo_core.data.splits import require_split_fits
from pneumo_core.errors import ConfigError, CorruptError, DataError
from pneumo_core.runs.files import write_atomic
from pneumo_core.runs.store import SPLIT_FILE, runs_root, splits_root
from tests.hostile import assert_one_line, refuses

SPLIT = SavedSplit("one", SplitKind.BLOCKS, "0" * 12, 3, 0.2, ("a.jpeg", "b.jpeg"), ("c.jpeg",))


def test_a_saved_split_is_read_back() -> None:
    assert saved_splits(SPLIT.data_id) == []
    assert save_split(SPLIT) == SPLIT
    assert saved_splits(SPLIT.data_id) == [SPLIT]
    assert saved_splits("1" * 12) == []
    assert split_named("one", SPLIT.data_id) == SPLIT == find_split(SPLIT.named)


def test_its_hash_is_that_of_what_it_does() -> None:
    alike = replace(SPLIT, name="two", kind=SplitKind.PATIENTS, seed=4, fraction=0.3)
    assert alike.digest == SPLIT.digest
    assert alike.named == SPLIT.named
    # Each name is there, and both are one setting.
    assert [save_split(split) for split in (SPLIT, alike, SPLIT)] == [SPLIT, alike, SPLIT]
    assert saved_splits(SPLIT.data_id) == [SPLIT, alike]
    assert find_split(alike.named).digest == SPLIT.digest
    changes = ({"data_id": "1" * 12}, {"val": ("a.jpeg",)}, {"left_out": ()}, {"val": ("a.jpeg", "c.jpeg")})
    assert len({SPLIT.digest, *(replace(SPLIT, **change).digest for change in changes)}) == 5


def test_a_name_is_of_one_split_of_a_data_set() -> None:
    save_split(SPLIT)
    with refuses(ConfigError, "must be new", "'one'"):
        save_split(replace(SPLIT, left_out=()))
    other = save_split(replace(SPLIT, data_id="1" * 12))
    assert [split_named("one", split.data_id) for split in (SPLIT, other)] == [SPLIT, other]


@pytest.mark.parametrize("name", ["", "Blocks", "../one", "-one", "one two", "x" * 41])
def test_a_name_has_small_letters_digits_and_hyphens(name: str) -> None:
    with refuses(ConfigError, "small letters"):
        save_split(replace(SPLIT, name=name))
    assert saved_splits(SPLIT.data_id) == []


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with refuses(ConfigError, "'two'", "none", "data split"):
        split_named("two", SPLIT.data_id)
    save_split(SPLIT)
    with refuses(ConfigError, "'two'", "saved for 000000000000: one"):
        split_named("two", SPLIT.data_id)


def test_a_damaged_file_is_no_split() -> None:
    path = splits_root() / f"{SPLIT.name}-{save_split(SPLIT).digest}.json"
    whole = path.read_text()
    assert damaged_splits() == []
    changes = (("b.jpeg", "d.jpeg"), ("blocks", "other"), ("0.2", '"20 %"'), (": 3", ": null"), ('"one"', '"two"'))
    for damaged in ("", "[]", whole[:50], "{}", *(whole.replace(*change) for change in changes)):
        assert damaged != whole
        path.write_text(damaged)
        assert saved_splits(SPLIT.data_id) == []
        (problem,) = damaged_splits()
        assert_one_line(problem, str(path))
        with refuses(CorruptError, str(path)):
            split_named("one", SPLIT.data_id)
        if '"two"' in damaged:
            continue  # Its content is whole, and only its name is not that of the file.
        with refuses(DataError, "is nowhere", "'one'", SPLIT.digest):
            find_split(SPLIT.named)
    assert save_split(SPLIT) == SPLIT
    assert json.loads(path.read_text()) == json.loads(whole)


def test_a_run_keeps_its_split(no_published: Path) -> None:
    delete_split(save_split(SPLIT))
    delete_split(SPLIT)  # Nothing is there any more.
    assert saved_splits(SPLIT.data_id) == []
    for root in (runs_root(), no_published):
        path = root / "baseline-0123456789ab" / SPLIT_FILE
        write_atomic(path, SPLIT.content())
        assert find_split(SPLIT.named) == SPLIT
        path.unlink()
    with refuses(DataError, "is nowhere"):
        find_split(SPLIT.named)


def test_it_must_be_of_the_data_set(index: DataIndex) -> None:
    own = save_split(make_split(index, SplitKind.PATIENTS))
    for broken, words in (
        (replace(own, name="b", val=("gone.jpeg",)), "must be in the data set"),
        (replace(own, name="c", val=()), "both classes on both sides"),
        (replace(own, name="d", left_out=tuple(index.table["image_id"][index.table["label"] == 0])), "on both sides"),
    ):
        with refuses(DataError, words, f"'{broken.name}'"):
            require_split_fits(save_split(broken).named, index)
    assert require_split_fits(own.named, index) == own
    save_split(SPLIT)
    with refuses(DataError, index.data_id, SPLIT.data_id):
        require_split_fits(SPLIT.named, index)
    with refuses(DataError, "is nowhere"):
        require_split_fits(NamedSplit("gone", "f" * 12), index)


def test_its_parts_are_counted(index: DataIndex) -> None:
    split = make_split(index, SplitKind.PATIENTS)
    split = replace(split, val=split.val[1:], left_out=split.val[:1])
    parts = {part["part"]: part for part in split_parts(index, split)}
    outside = index.table[index.table["split"] == "train"]
    counted = sum(part["NORMAL"] + part["PNEUMONIA"] for part in parts.values())
    assert counted == len(set(outside["image_id"]) | set(split.val) | set(split.left_out))
    assert (parts["left out"]["patients"], parts["val"]["NORMAL"] + parts["val"]["PNEUMONIA"]) == (1, len(split.val))
    sharp = split_parts(index, split, index.table["size_bytes"].astype(float))
    assert [part["sharpness, NORMAL"] is None for part in sharp] == [part["NORMAL"] == 0 for part in sharp]
