"""Facts of images against the files themselves, and sharpness against a Laplacian written out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import build_index
from pneumo_core.errors import DataError
from pneumo_core.evaluation.slices import FACTS
from pneumo_core.inference.image_facts import image_facts, sharpness


def plain_sharpness(pixels: np.ndarray) -> float:
    """Four neighbors less four times the pixel; outside, the image is mirrored about its border pixels."""
    padded = np.pad(pixels.astype(float), 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * padded[1:-1, 1:-1]
    return float(laplacian.var())


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 30)).astype(np.uint8)
    assert sharpness(pixels) == pytest.approx(plain_sharpness(pixels))
    assert sharpness(np.full((20, 20), 77, np.uint8)) == 0


def test_facts_are_the_files_own(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    wanted = index.table["image_id"].tolist()[::-17]
    facts = image_facts(index, wanted)
    assert tuple(facts) == FACTS
    assert facts["image_id"].tolist() == wanted
    for _, row in facts.iterrows():
        path = tiny_data / row["image_id"]
        with Image.open(path) as image:
            assert (row["width"], row["height"], row["mode"]) == (*image.size, image.mode)
        pixels = decode_gray(path.read_bytes(), path.name, size=150)
        assert row["sharpness"] == pytest.approx(plain_sharpness(pixels))


def test_an_image_that_is_not_there_is_refused(tiny_data: Path) -> None:
    with pytest.raises(DataError, match=r"missing=1, the first 'test/gone\.jpeg'"):
        image_facts(build_index(tiny_data), ["test/gone.jpeg"])
