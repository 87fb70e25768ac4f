import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pneumo_core.data.synthetic import (
    LICENSE,
    MARK,
    SHEET_COLUMNS,
    is_synthetic,
    sheet,
    synthetic_name,
    synthetic_png,
)
from pneumo_core.records import Label
from tests.sheets import split_sheet

RUN = "dcgan-0123456789ab"


def images(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (count, size, size)).astype(np.uint8)


@given(rows=st.integers(1, 5), size=st.integers(1, 9))
def test_a_full_sheet_gives_its_images_back(rows: int, size: int) -> None:
    drawn = images(rows * SHEET_COLUMNS, size)
    np.testing.assert_array_equal(split_sheet(sheet(drawn)), drawn)


@given(count=st.integers(1, 20), size=st.integers(1, 6))
def test_images_lie_in_rows_and_the_rest_is_black(count: int, size: int) -> None:
    drawn = images(count, size)
    pixels = sheet(drawn)
    rows = -(-count // SHEET_COLUMNS)
    assert (pixels.shape, pixels.dtype) == ((rows * size, SHEET_COLUMNS * size), np.uint8)
    expected = np.zeros_like(pixels)
    for number, image in enumerate(drawn):
        top, left = number // SHEET_COLUMNS * size, number % SHEET_COLUMNS * size
        expected[top : top + size, left : left + size] = image
    np.testing.assert_array_equal(pixels, expected)


def test_png_says_what_it_is_and_keeps_every_pixel() -> None:
    (image,) = images(1, 64)
    png = synthetic_png(image, {"Run": RUN, "Seed": 3, "Truncation": 0.5})
    with Image.open(io.BytesIO(png)) as read:
        read.load()
        assert (read.format, read.mode) == ("PNG", "L")
        assert read.text == {
            "Software": "pneumo_core",
            "Synthetic": "yes",
            "License": LICENSE,
            "Run": RUN,
            "Seed": "3",
            "Truncation": "0.5",
        }
        np.testing.assert_array_equal(np.asarray(read), image)
    assert png == synthetic_png(image, {"Run": RUN, "Seed": 3, "Truncation": 0.5})


def test_license_says_synthetic_and_names_the_images_source() -> None:
    assert LICENSE.lower().startswith(MARK)
    assert "doi:10.17632/rscbjbr9sj" in LICENSE
    assert "Not for diagnosis" in LICENSE


@given(seed=st.integers(0, 2**31 - 1), number=st.integers(0, 9_999_999))
def test_names_are_marked_and_sort_by_number(seed: int, number: int) -> None:
    name = synthetic_name(RUN, seed, number)
    assert is_synthetic(name)
    assert is_synthetic(name.upper())
    assert name == f"synthetic-{RUN}-seed{seed}-{str(number).zfill(7)}.png"
    if number:
        assert synthetic_name(RUN, seed, number - 1) < name


@pytest.mark.parametrize(
    "name", ["person1_bacteria_1.jpeg", "IM-0001-0001.jpeg", "PHANTOM-V-0001-0001.jpeg", "synthetic.png"]
)
def test_other_names_are_not(name: str) -> None:
    assert not is_synthetic(name)
    assert not any(label.name in synthetic_name(RUN, 0, 0) for label in Label)
