"""Images that keep their aspect: padded for the model, and maps of the square brought back to the picture."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.config.classifier import Preparation, Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import Decoded, array_path, decode, decode_gray
from pneumo_core.data.index import build_index
from pneumo_core.data.padding import inside
from pneumo_core.data.phantom import first_phantoms
from pneumo_core.inference import classify as classifying
from pneumo_core.inference.classify import Classifier, classify, load_classifier
from pneumo_core.inference.gate import Finding
from pneumo_core.inference.heatmap import heatmap, of_image
from pneumo_core.inference.mend import mended, mended_image
from pneumo_core.inference.session import run_session
from pneumo_core.records import Architecture, NotApplicable
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.inference.small_models import linear_classifier

PAD, SQUASH = Preparation.PAD, Preparation.SQUASH


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """A phantom of these sides."""
    (_, (phantom,)) = first_phantoms(1)
    return np.asarray(Image.fromarray(phantom).resize((width, height)))


# --- The square -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(60, 120), (120, 60), (90, 91), (100, 100), (40, 400)])
def test_a_padded_image_is_that_of_the_image_padded_first(height: int, width: int) -> None:
    pixels = picture(height, width)
    side = max(height, width)
    whole = np.zeros((side, side), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    whole[top : top + height, left : left + width] = pixels
    expected = np.asarray(Image.fromarray(whole).resize((40, 40), Image.Resampling.BILINEAR)).astype(float)
    found = decode_gray(png(pixels), "x.png", size=40, preparation=PAD)
    assert found.shape == (40, 40)
    # But for the rows or columns at the border of the picture, and half a pixel.
    rows, columns = inside((round(40 * height / side), round(40 * width / side)))
    inner = np.s_[rows.start + 2 : rows.stop - 2, columns.start + 2 : columns.stop - 2]
    if found[inner].size:
        assert np.abs(found[inner] - expected[inner]).mean() < 6
    outer = np.ones((40, 40), bool)
    outer[rows, columns] = False
    assert not found[outer].any()
    assert found[rows, columns].any()


def test_a_square_image_is_the_same_either_way() -> None:
    data = png(picture(90, 90))
    np.testing.assert_array_equal(
        decode_gray(data, "x.png", size=40, preparation=PAD), decode_gray(data, "x.png", size=40)
    )


def test_the_gate_s_image_stays_squashed() -> None:
    data = png(picture(60, 120))
    found, plain = decode(data, "x.png", size=40, preparation=PAD), decode(data, "x.png", size=40)
    np.testing.assert_array_equal(found.gray, plain.gray)
    np.testing.assert_array_equal(found.square, decode_gray(data, "x.png", size=40, preparation=PAD))
    np.testing.assert_array_equal(plain.square, plain.gray)


def test_a_strip_makes_no_square_of_its_length() -> None:
    found = decode_gray(png(np.full((32, 8000), 200, np.uint8)), "x.png", size=40, preparation=PAD)
    assert found.shape == (40, 40)
    assert (found.max(axis=1) > 0).sum() == 1


@pytest.mark.parametrize("finding", [Finding.TURNED_90, Finding.TURNED_180, Finding.FLIPPED, Finding.INVERTED])
def test_a_mended_image_is_that_of_the_mended_picture(finding: Finding) -> None:
    pixels = picture(60, 120)
    found = mended_image(decode(png(pixels), "x.png", size=40, preparation=PAD), [finding])
    expected = decode(png(mended(pixels, [finding])), "x.png", size=40, preparation=PAD)
    assert np.abs(found.square.astype(int) - expected.square).max() <= 1
    assert np.abs(found.gray.astype(int) - expected.gray).max() <= 1


# --- The array cache --------------------------------------------------------------------------------------------------


def test_each_preparation_has_an_array_of_its_own(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    squashed, whole = index.pixels(44), index.pixels(44, preparation=PAD)
    assert array_path(index.data_id, 44).name == "gray-44.npy"
    assert array_path(index.data_id, 44, PAD).name == "gray-44-pad.npy"
    assert array_path(index.data_id, 44, PAD).exists()
    np.testing.assert_array_equal(index.pixels(44), squashed)
    for row, name in enumerate(index.table["image_id"]):
        data = (index.root / name).read_bytes()
        np.testing.assert_array_equal(whole[row], decode_gray(data, name, size=44, preparation=PAD))
    assert (whole != squashed).any()


# --- Answers and maps -------------------------------------------------------------------------------------------------


def padding(size: int) -> Classifier:
    model = linear_classifier(size)
    return replace(model, session=replace(model.session, preparation=PAD))


@pytest.mark.parametrize(("height", "width"), [(60, 120), (120, 60), (90, 90)])
def test_a_model_sees_the_padded_image_and_its_map_is_of_the_picture(height: int, width: int) -> None:
    """The model's map is the image itself, so a map in its place is the picture again."""
    pixels, model = picture(height, width), padding(48)
    found = classify(model, png(pixels), "x.png")
    square = decode_gray(png(pixels), "x.png", size=48, preparation=PAD)
    assert found.logit == pytest.approx(float(run_session(model.session, square[None]).logit[0]))
    assert found.cam is not None
    drawn = heatmap(found.cam, NotApplicable("none"), width, height)
    expected = pixels / pixels.max()
    assert np.corrcoef(drawn.ravel(), expected.ravel())[0, 1] > 0.95


def test_the_strongest_place_of_a_padded_map_is_where_the_picture_has_it() -> None:
    pixels = np.full((50, 200), 10, np.uint8)
    pixels[5:15, 20:30] = 255  # In the upper left corner, which in the square is in its middle.
    found = classify(padding(64), png(pixels), "x.png")
    assert found.cam is not None
    heat = heatmap(found.cam, NotApplicable("none"), 200, 50)
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    assert (row, column) == (pytest.approx(10, abs=5), pytest.approx(25, abs=6))


def test_a_map_without_a_padding_stays_as_it_is() -> None:
    values = np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32)
    gray = np.zeros((48, 48), np.uint8)
    assert of_image(values, Decoded(gray, 9, 9, 0.0, 0.0, (), ())) is values
    cut = of_image(values, Decoded(gray, 9, 9, 0.0, 0.0, (), (), np.zeros((24, 48), np.uint8)))
    assert cut.shape == (24, 48)
    assert cut.dtype == np.float32


@pytest.mark.parametrize("preparation", Preparation)
def test_a_run_s_preparation_is_that_of_its_config(
    with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch, preparation: Preparation
) -> None:
    config = preset_config(Architecture.BASELINE, Preset.QUICK, preparation=preparation)
    monkeypatch.setattr(classifying, "classifier_config", lambda _run: config)
    assert load_classifier(RunDirectory(with_finished_run.path)).session.preparation is preparation
