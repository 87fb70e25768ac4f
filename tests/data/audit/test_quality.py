"""Images beyond each limit, planted among phantoms, and the ones unlike all others."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumo_core.data.audit import Outcome, Severity
from pneumo_core.data.audit.quality import outlying, quality
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.measures import MEASURES, measure
from tests.data.audit.made import by_code, found_in


def noise(width: int, height: int, low: int, high: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(low, high, (height, width), dtype=np.uint8))


PLANTED = {
    "blank": (noise(200, 200, 100, 103), Severity.CAUTION),
    "too-dark-or-bright": (noise(224, 224, 0, 50), Severity.CAUTION),
    "flat": (noise(224, 224, 100, 125), Severity.NOTE),
    "odd-shape": (noise(400, 100, 60, 190), Severity.NOTE),
    "small": (noise(90, 120, 60, 190), Severity.NOTE),
}


def found(index: DataIndex) -> dict[str, Severity]:
    return found_in(by_code(quality(index, measure(index))))


def test_phantoms_are_inside_every_limit(tiny_data: Path) -> None:
    assert set(found(build_index(tiny_data))) <= {"outliers", "marks"}


@pytest.mark.parametrize("code", PLANTED)
def test_an_image_beyond_a_limit_is_found(tiny_data: Path, tmp_path: Path, code: str) -> None:
    root = Path(shutil.copytree(tiny_data, tmp_path / "set"))
    image, severity = PLANTED[code]
    image.save(root / "train/NORMAL/zplanted.png")
    index = build_index(root)
    checks = by_code(quality(index, measure(index)))
    others = {"outliers": Severity.NOTE, "marks": Severity.NOTE}
    assert found_in(checks) | others == {code: severity, **others}
    assert checks[code].examples == ("train/NORMAL/zplanted.png",)
    assert checks[code].sentence.startswith("1 image is ")


def test_letters_are_counted_by_class(tiny_data: Path, tmp_path: Path) -> None:
    index = build_index(tiny_data)
    measures = measure(index).assign(marks=0)
    assert by_code(quality(index, measures))["marks"].outcome is Outcome.PASSED
    normal = index.table.index[index.table["label"] == 0]
    measures.loc[normal[:3], "marks"] = [1, 4, 2]
    check = by_code(quality(index, measures))["marks"]
    share = f"{300 / len(normal):.0f} % of NORMAL, 0 % of PNEUMONIA"
    assert check.sentence == f"3 images have letters or other bright marks in them: {share}."
    assert check.examples == tuple(index.table["image_id"].iloc[normal[[1, 2, 0]]])


def test_what_is_far_from_the_others_is_far_in_its_measure() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(10, 1, 200) for name in MEASURES}).assign(
        image_id=[f"{n}" for n in range(200)]
    )
    table.loc[7, "sharpness"] = 30
    far = outlying(table)
    assert (far.loc[0, "image_id"], far.loc[0, "measure"]) == ("7", "sharpness")
    values = table["sharpness"]
    slow = abs(30 - values.median()) / (1.4826 * (values - values.median()).abs().median())
    assert far.loc[0, "distance"] == pytest.approx(slow)
    assert far["distance"].is_monotonic_decreasing


def test_images_that_hardly_differ_have_no_outliers() -> None:
    table = pd.DataFrame({name: np.full(50, 0.5) for name in MEASURES}).assign(image_id=[f"{n}" for n in range(50)])
    table.loc[3, "white"] = 0.51
    assert outlying(table)["distance"].max() < 1


def test_the_real_data_set_is_inside_every_limit(measured_real_index: DataIndex) -> None:
    assert found(measured_real_index) == {"marks": Severity.NOTE}
