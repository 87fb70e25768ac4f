"""Other ways to choose validation images: whole patients, both classes on both sides, test untouched, and each rule's own."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.anatomy import series_and_number
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.resplit import _equally_sharp, _in_blocks, make_split
from pneumo_core.data.saved_splits import SavedSplit, SplitKind, save_split
from pneumo_core.data.splits import assign, hold_out_patients
from pneumo_core.errors import ConfigError, DataError
from pneumo_core.records import Architecture, Label
from tests.hostile import refuses

CONFIG = preset_config(Architecture.BASELINE, Preset.SOUND)


def sides(index: DataIndex, split: SavedSplit) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """What is trained on, validated on and left out."""
    table = index.table
    is_val, is_out = (table["image_id"].isin(set(part)) for part in (split.val, split.left_out))
    return table[(table["split"] == "train") & ~is_val & ~is_out], table[is_val], table[is_out]


@pytest.mark.parametrize("kind", SplitKind)
def test_patients_are_whole_classes_are_on_both_sides_and_test_stays(index: DataIndex, kind: SplitKind) -> None:
    split = make_split(index, kind, seed=1, fraction=0.3)
    train, val, left_out = sides(index, split)
    assert set(train["patient_id"]).isdisjoint(val["patient_id"])
    assert set(train["label"]) == set(val["label"]) == {0, 1}
    assert "test" not in {*val["split"], *left_out["split"]}
    assert list(split.val) == sorted(split.val)
    held_out = val[val["split"] == "train"]
    assert 0.1 < len(held_out) / (len(train) + len(held_out)) < 0.5
    assert split == make_split(index, kind, seed=1, fraction=0.3)
    assert split.name == f"{kind.value}-1-30"


@pytest.mark.parametrize("kind", SplitKind)
def test_another_seed_chooses_other_patients(index: DataIndex, kind: SplitKind) -> None:
    assert len({make_split(index, kind, seed=seed, fraction=0.3).digest for seed in range(4)}) > 1


def test_patients_are_those_of_a_run_of_the_seed(index: DataIndex) -> None:
    rows = assign(index.table, CONFIG).val
    assert list(make_split(index, SplitKind.PATIENTS).val) == sorted(index.table["image_id"].iloc[rows])


def planted(index: DataIndex, root: Path, copies: dict[str, str]) -> DataIndex:
    """A copy of a data set with more images in it: each a copy of another, saved again."""
    shutil.copytree(index.root, root, dirs_exist_ok=True)
    for target, source in copies.items():
        with Image.open(root / source) as image:
            image.convert("L").save(root / target, quality=60)
    return build_index(root)


def names(index: DataIndex, split: str, label: Label) -> list[str]:
    part = index.table[(index.table["split"] == split) & (index.table["label"] == label.value)]
    return list(part.drop_duplicates("patient_id")["image_id"])


def test_copies_are_left_out(index: DataIndex, tmp_path: Path) -> None:
    train, test = names(index, "train", Label.NORMAL), names(index, "test", Label.NORMAL)
    copies = {
        "train/NORMAL/zz-copy.jpeg": train[0],  # Another name, and so another patient.
        "train/NORMAL/zz-of-test.jpeg": test[0],
        "train/PNEUMONIA/zz-other-class.jpeg": train[1],
        "val/NORMAL/zz-of-train.jpeg": train[2],
        "test/NORMAL/zz-of-train.jpeg": train[3],
    }
    built = planted(index, tmp_path / "set", copies)
    split = make_split(built, SplitKind.DEDUPLICATED, fraction=0.3)
    of_test = set(built.table.loc[built.table["patient_id"].isin(_patients(built, train[3])), "image_id"])
    expected = {
        *(name for name in copies if not name.startswith("test/")),
        train[1],  # Nothing says which of its two classes is right.
        *(name for name in of_test if not name.startswith("test/")),
    }
    assert set(split.left_out) == expected
    kept, val, _ = sides(built, split)
    assert train[0] in {*kept["image_id"], *val["image_id"]}
    # No copy of a kept image is anywhere else: the clean set has nothing to leave out.
    assert make_split(index, SplitKind.DEDUPLICATED, fraction=0.3).left_out == ()


def _patients(index: DataIndex, image_id: str) -> set[str]:
    return set(index.table.loc[index.table["image_id"] == image_id, "patient_id"])


def test_patients_who_share_a_copy_are_on_one_side(index: DataIndex, tmp_path: Path) -> None:
    table = index.table[(index.table["split"] == "train") & (index.table["label"] == 1)]
    several = table.groupby("patient_id").filter(lambda part: len(part) > 1)
    one, other = list(dict.fromkeys(several["patient_id"]))[:2]
    first, second = (str(several.loc[several["patient_id"] == patient, "image_id"].iloc[0]) for patient in (one, other))
    # The same image in the names of two patients. Of the same bytes, the index would have made them one already.
    built = planted(index, tmp_path / "set", {second: first})
    assert built.table[built.table["image_id"].isin([first, second])]["patient_id"].nunique() == 2
    for seed in range(5):
        kept, val, left_out = sides(built, make_split(built, SplitKind.DEDUPLICATED, seed=seed, fraction=0.3))
        assert len(set(left_out["image_id"]) & {first, second}) == 1
        both = several[several["patient_id"].isin([one, other])]["image_id"]
        assert sum(bool(set(side["image_id"]) & set(both)) for side in (kept, val)) == 1


def numbered(images: list[int], series: str = "im", label: int = 0) -> pd.DataFrame:
    """Rows of patients with consecutive numbers, and how many images each has."""
    return pd.DataFrame(
        [
            {"patient_id": f"{series}-{number}", "label": label, "image_id": f"{series}-{number}-{image}.jpeg"}
            for number, count in enumerate(images, start=1)
            for image in range(count)
        ]
    )


@given(
    st.lists(st.integers(1, 4), min_size=10, max_size=60),
    st.lists(st.integers(1, 4), min_size=10, max_size=60),
    st.sampled_from([0.1, 0.25, 0.5]),
    st.integers(0, 5),
)
def test_blocks_are_consecutive_and_of_the_size_asked_for(
    normal: list[int], viral: list[int], fraction: float, seed: int
) -> None:
    table = pd.concat([numbered(normal), numbered(viral, "virus", 1)], ignore_index=True)
    chosen = table[_in_blocks(table, fraction, seed)]
    for _, of_series in series_and_number(chosen["patient_id"]).groupby("series"):
        numbers = sorted(set(of_series["number"]))
        assert numbers == list(range(int(numbers[0]), int(numbers[-1]) + 1))
    for label, counts in ((0, normal), (1, viral)):
        images = int((chosen["label"] == label).sum())
        assert fraction * sum(counts) <= images + 1e-9 or images == sum(counts)
        assert images < fraction * sum(counts) + 4


def test_blocks_need_case_numbers() -> None:
    table = numbered([1] * 20, "study")
    with refuses(DataError, "case numbers", "study-1"):
        _in_blocks(table, 0.2, 0)


def test_in_an_equally_sharp_split_sharpness_says_little_about_the_class() -> None:
    rng = np.random.default_rng(0)
    counts = {0: 400, 1: 1200}
    parts = [
        pd.DataFrame(
            {
                "patient_id": [f"{label}-{number}" for number in range(count)],
                "label": label,
                "sharpness": rng.normal(5.1 - 0.5 * label, 0.5, count),
            }
        )
        for label, count in counts.items()
    ]
    table = pd.concat(parts, ignore_index=True)

    def gap(part: pd.DataFrame) -> float:
        means = part.groupby("label")["sharpness"].mean()
        return float(means[0] - means[1])

    held_out = _equally_sharp(table, 0.15, 0)
    at_random = hold_out_patients(table.assign(subtype="none"), fraction=0.15, seed=0)
    assert gap(table) > 0.45
    assert gap(table[at_random]) > 0.35
    assert abs(gap(table[held_out])) < 0.12
    chosen = table[held_out].groupby("label").size()
    for label, count in counts.items():
        assert 0.1 * count < chosen[label] <= 0.16 * count


def test_classes_that_are_never_equally_sharp_are_refused() -> None:
    table = numbered([1] * 50).assign(sharpness=5.0)
    other = numbered([1] * 50, "virus", 1).assign(sharpness=4.0)
    with refuses(DataError, "equally sharp"):
        _equally_sharp(pd.concat([table, other], ignore_index=True), 0.15, 0)


@pytest.mark.parametrize("seed", [-1, 2**31])
@pytest.mark.parametrize("kind", SplitKind)
def test_the_seed_has_limits(index: DataIndex, kind: SplitKind, seed: int) -> None:
    with refuses(ConfigError, f"seed={seed}"):
        make_split(index, kind, seed=seed)


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.51, float("nan")])
def test_the_share_has_limits(index: DataIndex, fraction: float) -> None:
    with refuses(ConfigError, "fraction"):
        make_split(index, SplitKind.BLOCKS, fraction=fraction)


def test_a_saved_split_assigns_its_images(index: DataIndex) -> None:
    split = make_split(index, SplitKind.BLOCKS, fraction=0.3)
    split = save_split(replace(split, val=split.val[1:], left_out=split.val[:1]))
    ids, usual = index.table["image_id"], assign(index.table, CONFIG)
    found = assign(index.table, replace(CONFIG, named_split=split.named))
    assert tuple(ids.iloc[found.val]) == split.val
    assert set(ids.iloc[found.train]).isdisjoint({*split.val, *split.left_out})
    assert len(found.train) + len(split.left_out) + int((index.table["split"].iloc[found.val] == "train").sum()) == int(
        (index.table["split"] == "train").sum()
    )
    assert found.test.tolist() == usual.test.tolist()
    limited = assign(index.table, replace(CONFIG, named_split=split.named, max_images=12))
    assert set(limited.val) <= set(found.val)
    with refuses(DataError, "outside test", split.name):
        assign(index.table[~ids.isin(split.val[:1])].reset_index(drop=True), replace(CONFIG, named_split=split.named))


def test_on_the_real_images(measured_real_index: DataIndex) -> None:
    for kind in SplitKind:
        split = make_split(measured_real_index, kind)
        train, val, left_out = sides(measured_real_index, split)
        assert set(train["patient_id"]).isdisjoint(val["patient_id"])
        assert 700 <= len(val) <= 850
        assert (len(left_out) > 0) is (kind is SplitKind.DEDUPLICATED)
