"""What the tests of Dataset work on: an odd data set, connected."""

import shutil
from pathlib import Path

import pytest

from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import connect
from tests.pages.dataset.page import ODD_NAME, write_image


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """72 images with something of everything that the page must show, and files that are no images."""
    root = tmp_path / "odd"
    seed = 0
    names = {
        "train/NORMAL": [f"IM-{number // 2:04}-000{number % 2 + 1}" for number in range(30)] + [ODD_NAME],
        "train/PNEUMONIA": [f"person{number}_bacteria_{number}" for number in range(20)]
        + [f"person{number}_virus_{number}" for number in range(10)],
        "val/NORMAL": ["NORMAL2-IM-0900-0001"],
        "test/NORMAL": ["IM-0000-0009", "IM-0901-0001", "IM-0902-0001"],
        "test/PNEUMONIA": [f"person{number}_virus_{number}" for number in range(100, 105)] + ["odd name", "copy"],
    }
    for folder, stems in names.items():
        for stem in stems:
            seed += 1
            wide = (64, 48) if "PNEUMONIA" in folder else (48, 40)
            write_image(root / folder / f"{stem}.jpeg", seed, wide, "RGB" if stem == "odd name" else "L")
    shutil.copy(root / "train/PNEUMONIA/person3_bacteria_3.jpeg", root / "test/PNEUMONIA/copy.jpeg")
    (root / "train/NORMAL/empty.jpeg").touch()
    (root / "train/NORMAL/words.jpeg").write_text("no image")
    (root / "test/NORMAL/.DS_Store").write_text("mac")
    return root


@pytest.fixture
def index(odd: Path) -> DataIndex:
    """The odd data set, connected."""
    built = build_index(odd)
    connect(built)
    return built
