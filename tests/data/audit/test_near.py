"""Near duplicates: copies planted among phantoms are found, whatever was done to them, and nothing else is."""

import io
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumo_core.data.audit import Outcome, Severity
from pneumo_core.data.audit.near import MOST_BITS, _alike, near, near_duplicates
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.measures import measure
from tests.data.audit.made import by_code, found_in

CHANGES = {
    "saved again": lambda image: _saved(image, 30),
    "halved": lambda image: image.resize((image.width // 2, image.height // 2)),
    "brighter": lambda image: image.point(lambda value: min(255, int(value * 1.1 + 8))),
    "darker": lambda image: image.point(lambda value: int(255 * (value / 255) ** 1.2)),
    "in color": lambda image: image.convert("RGB"),
}


def _saved(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue()))


def planted(root: Path, change: str, source: str, target: str) -> DataIndex:
    with Image.open(root / source) as image:
        CHANGES[change](image.convert("L")).save(root / target)
    return build_index(root)


def pairs(index: DataIndex) -> set[tuple[str, str]]:
    found = near_duplicates(index, measure(index))
    ids = index.table["image_id"]
    return {(ids[first], ids[second]) for first, second in found.itertuples(index=False)}


@pytest.fixture
def root(tiny_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_data, tmp_path / "set"))


def test_phantoms_have_none(root: Path) -> None:
    index = build_index(root)
    assert pairs(index) == set()
    assert found_in(by_code(near(index, measure(index)))) == {}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(root: Path, change: str) -> None:
    source = min((root / "train/NORMAL").iterdir()).relative_to(root).as_posix()
    index = planted(root, change, source, "train/NORMAL/zcopy.png")
    assert pairs(index) == {(source, "train/NORMAL/zcopy.png")}
    found = by_code(near(index, measure(index)))
    assert found_in(found) == {"near-duplicates": Severity.NOTE}
    assert found["near-duplicates"].examples == (f"{source} = train/NORMAL/zcopy.png",)


def test_a_copy_in_another_split_or_class_is_severe(root: Path) -> None:
    source = min((root / "train/NORMAL").iterdir()).relative_to(root).as_posix()
    index = planted(root, "saved again", source, "test/PNEUMONIA/zcopy.png")
    found = by_code(near(index, measure(index)))
    assert found_in(found) == {
        "near-duplicates-span-splits": Severity.MISLEADING,
        "near-duplicates-span-labels": Severity.MISLEADING,
        "near-duplicates": Severity.NOTE,
    }
    assert found["near-duplicates-span-splits"].n == 2


def test_byte_identical_files_are_another_check_s(root: Path) -> None:
    source = min((root / "train/NORMAL").iterdir())
    (root / "train/NORMAL/zcopy.jpeg").write_bytes(source.read_bytes())
    index = build_index(root)
    assert {check.outcome for check in near(index, measure(index))} == {Outcome.PASSED}


def test_like_hashes_by_comparing_each_with_each() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**63, 60, dtype=np.uint64)
    flips = [
        base
        ^ np.array([np.bitwise_or.reduce(np.uint64(1) << bits) for bits in rng.integers(0, 64, (60, count), np.uint64)])
        for count in (1, 3, 6, 8)
    ]
    hashes = np.unique(np.concatenate([base, *flips]))
    slow = {
        (one, other)
        for one, other in combinations(range(len(hashes)), 2)
        if (int(hashes[one]) ^ int(hashes[other])).bit_count() <= MOST_BITS
    }
    assert len(slow) > 100
    assert _alike(hashes) == slow


def test_blank_images_are_not_called_the_same(tmp_path: Path) -> None:
    for number, name in enumerate(("train/NORMAL/a", "train/NORMAL/b", "test/PNEUMONIA/c")):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (100 + number, 100), 90).save(path)
    index = build_index(tmp_path)
    # They have no detail that could tell them apart, and none that could show them to be the same.
    assert pairs(index) == set()


def test_the_real_data_set_has_none(measured_real_index: DataIndex) -> None:
    found = near_duplicates(measured_real_index, measure(measured_real_index))
    assert isinstance(found, pd.DataFrame)
    assert found.empty
