"""Spaces of features: those of Keras' own VGG16 and of a classifier's model, under names that tell them apart."""

import hashlib
import io
import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.config.classifier import Scaling
from pneumo_core.data.images import decode_gray
from pneumo_core.errors import CorruptError, RunError
from pneumo_core.inference.feature_space import (
    FeatureSpace,
    classifier_space,
    enlarged,
    features,
    imagenet_space,
)
from pneumo_core.inference.session import load_session, run_batches
from pneumo_core.models.vgg16 import build_vgg16, load_imagenet
from pneumo_core.runs.store import RunDirectory, published_root
from tests.hostile import assert_one_line


def gray(count: int, size: int, seed: int = 0) -> NDArray[np.uint8]:
    """Pictures with something in them: random ones of 8 x 8 pixels, enlarged."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    resized = (Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC) for picture in small)
    return np.stack([np.asarray(picture) for picture in resized])


# --- VGG16 ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def space(vgg16_weights: Path) -> FeatureSpace:
    """The space of the stand-in weights at 64 pixels."""
    return imagenet_space(vgg16_weights, 64)


@pytest.mark.parametrize("size", [64, 100])
def test_features_are_those_of_the_network_in_keras(vgg16_weights: Path, size: int) -> None:
    """100 pixels are not halved evenly: poolings drop a row."""
    model = build_vgg16(image_size=size, scaling=Scaling.IMAGENET)
    load_imagenet(model, vgg16_weights)
    last = keras.Model(model.input, model.get_layer("block5_conv3").output)
    images = gray(3, size)
    maps = keras.ops.convert_to_numpy(last(images[..., None].astype(np.float32)))
    expected = maps.mean(axis=(1, 2)) / 8
    received = imagenet_space(vgg16_weights, size).extract(images)
    assert (received.shape, received.dtype) == ((3, 512), np.float32)
    assert expected.std(axis=0).mean() > 1e-3 * expected.mean()  # There is something to compare.
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_pixels_are_read_as_they_are(space: FeatureSpace) -> None:
    """Black and white are 0 and 255: an unsigned byte that wrapped would make them alike."""
    flat = np.stack([np.full((64, 64), level, np.uint8) for level in (0, 128, 255)])
    black, middle, white = space.extract(flat)
    assert not np.allclose(black, white, rtol=1e-2)
    assert not np.allclose(black, middle, rtol=1e-2)


def weights_sha256(path: Path) -> str:
    """Hash of what the file holds, layer by layer, kernel before bias."""
    digest = hashlib.sha256()
    with h5py.File(path) as file:
        for name in sorted(file):
            for array in sorted((item[()] for item in file[name].values()), key=lambda array: -array.ndim):
                digest.update(array.tobytes())
    return digest.hexdigest()


def test_the_name_tells_network_weights_layer_and_size(vgg16_weights: Path, space: FeatureSpace) -> None:
    sha256 = weights_sha256(vgg16_weights)
    assert space.name == f"VGG16 ImageNet {sha256[:8]}, mean of block5_conv3 / 8 at 64 px"
    assert imagenet_space(vgg16_weights, 128).name == space.name.replace("64 px", "128 px")


@pytest.mark.parametrize("part", ["kernel", "bias"])
def test_another_number_in_the_weights_is_another_space(
    vgg16_weights: Path, tmp_path: Path, space: FeatureSpace, part: str
) -> None:
    other = tmp_path / "renamed.h5"
    shutil.copy(vgg16_weights, other)
    assert imagenet_space(other, 64).name == space.name  # Neither path nor time make a space.
    with h5py.File(other, "r+") as file:
        (array,) = (item for item in file["block3_conv2"].values() if (item.ndim == 4) == (part == "kernel"))
        array[(0,) * array.ndim] += 1
    assert imagenet_space(other, 64).name != space.name


# --- A classifier -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published() -> RunDirectory:
    """The baseline that ships with the project; never change its files."""
    return RunDirectory(min(published_root().glob("baseline-*/model.onnx")).parent)


def test_a_classifier_s_features_are_those_of_its_session(published: RunDirectory) -> None:
    images = gray(10, 64)
    found = classifier_space(published, 64)
    assert found.name == f"{published.run_id}, mean of block4_bn at 150 px from 64"
    assert classifier_space(published, 128).name == f"{published.run_id}, mean of block4_bn at 150 px from 128"

    def as_uploaded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        return decode_gray(buffer.getvalue(), "sample.png", size=150)

    session = load_session(published.model)
    expected = run_batches(session, np.stack([as_uploaded(image) for image in images]), np.arange(10)).features
    received = found.extract(images)
    assert received.shape[0] == 10
    assert expected.std() > 0
    np.testing.assert_array_equal(received, expected)


def test_runs_that_are_not_finished_or_damaged_are_reported(published: RunDirectory, tmp_path: Path) -> None:
    copy = RunDirectory(tmp_path / published.run_id)
    shutil.copytree(published.path, copy.path)
    copy.model.write_bytes(copy.model.read_bytes()[:-1])
    with pytest.raises(CorruptError) as caught:
        classifier_space(copy, 64)
    assert_one_line(caught.value, "model.onnx", published.run_id)
    copy.manifest.unlink()
    with pytest.raises(RunError) as caught:
        classifier_space(copy, 64)
    assert_one_line(caught.value, "must be finished", published.run_id)


@pytest.mark.parametrize("size", [64, 128, 150])
def test_images_are_enlarged_as_uploads_are(size: int) -> None:
    images = gray(3, size, seed=1)
    received = enlarged(images, 150)
    assert (received.shape, received.dtype) == ((3, 150, 150), np.uint8)
    for image, large in zip(images, received, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        np.testing.assert_array_equal(large, decode_gray(buffer.getvalue(), "sample.png", size=150))


# --- A few at a time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 31, 32, 33, 70])
def test_features_are_found_a_few_at_a_time_in_order(count: int) -> None:
    sizes: list[int] = []
    reported: list[tuple[int, int]] = []

    def extract(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(images))
        return np.stack([images.mean(axis=(1, 2)), images.std(axis=(1, 2))], axis=1).astype(np.float32)

    images = gray(count, 12)
    received = features(FeatureSpace("moments", extract), images, lambda done, total: reported.append((done, total)))
    np.testing.assert_array_equal(received, extract(images))
    assert sum(sizes[:-1]) == count
    assert max(sizes[:-1]) <= 32
    assert reported == [(done, count) for done in range(0, count, 32)]
