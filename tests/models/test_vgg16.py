"""VGG16: the report's counts, keras.applications' features on the same weights, and files that hold no such weights."""

import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.config.architecture import LAST_BLOCK, VGG16_DENSE, vgg16_layers
from pneumo_core.config.classifier import Scaling
from pneumo_core.errors import ConfigError, TrainingError
from pneumo_core.models import vgg16 as vgg16_module
from pneumo_core.models.vgg16 import (
    build_vgg16,
    feature_head,
    feature_trunk,
    features_of,
    imagenet_weights,
    load_imagenet,
    unfreeze,
)
from pneumo_core.records import Architecture
from tests.hostile import assert_one_line

REAL_WEIGHTS = os.environ.get("PNEUMO_VGG16_WEIGHTS")

# The report's section 4.
TOTAL, TRAINABLE = 23_760_705, 9_046_017
BLOCK5 = 3 * (9 * 512 + 1) * 512


def sizes(variables: list) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def output(model: keras.Model, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return keras.ops.convert_to_numpy(model(x))


def gray(count: int, size: int, seed: int = 0) -> NDArray[np.float32]:
    """Gray pictures with something in them: a random 8 x 8 picture, enlarged."""
    small = np.random.default_rng(seed).integers(0, 256, (count, 8, 8)).astype(np.float32)
    index = np.arange(size) * 8 // size
    return small[:, index][:, :, index, None]


@pytest.fixture(scope="module")
def whole() -> keras.Model:
    """The model as the report has it, untrained; never change it."""
    return build_vgg16()


@pytest.fixture(scope="module")
def small(vgg16_weights: Path) -> keras.Model:
    """A model of small images with stand-in weights; never change it."""
    model = build_vgg16(image_size=64)
    load_imagenet(model, vgg16_weights)
    return model


# --- The network ------------------------------------------------------------------------------------------------------


def test_parameters_are_the_report_s(whole: keras.Model) -> None:
    assert whole.count_params() == TOTAL
    assert sizes(whole.trainable_variables) == TRAINABLE
    # Dropout's seed states are variables too, but no parameters.
    fixed = [variable for variable in whole.non_trainable_variables if variable.dtype == "float32"]
    assert sizes(fixed) == TOTAL - TRAINABLE


@pytest.mark.parametrize("size", [32, 150])
def test_layers_are_the_ones_that_pages_draw(whole: keras.Model, size: int) -> None:
    model = whole if size == 150 else build_vgg16(image_size=size)
    drawn = vgg16_layers(size)
    assert [layer.name for layer in drawn] == [layer.name for layer in model.layers]
    for spec, layer in zip(drawn, model.layers, strict=True):
        assert not isinstance(layer, keras.Model), spec.name
        assert spec.kind == type(layer).__name__, spec.name
        assert spec.output_shape == layer.output.shape[1:], spec.name
        assert spec.trainable == sizes(layer.trainable_variables), spec.name
        assert spec.trainable + spec.fixed == layer.count_params(), spec.name


def test_names_of_blocks_and_rates(whole: keras.Model) -> None:
    names = [layer.name for layer in whole.layers]
    assert names.index(features_of(0)) == names.index(LAST_BLOCK[Architecture.VGG16]) + 1
    rates = [layer.rate for layer in whole.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [rate for _, rate in VGG16_DENSE] == [0.5, 0.3, 0.2]
    assert whole.output.shape == (None, 1)
    assert whole.get_layer("logit").activation is keras.activations.linear


def test_convolutions_are_those_of_keras_applications(whole: keras.Model) -> None:
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(150, 150, 3))
    for layer in theirs.layers[1:]:
        ours = whole.get_layer(layer.name)
        for fact in ("kernel_size", "strides", "padding", "activation", "pool_size"):
            assert getattr(ours, fact, None) == getattr(layer, fact, None), (layer.name, fact)
        assert ours.output.shape == layer.output.shape


@pytest.mark.parametrize("scaling", Scaling)
def test_scaling_of_gray_pixels(scaling: Scaling) -> None:
    model = build_vgg16(image_size=32, scaling=scaling)
    inside = keras.Model(model.input, model.get_layer("rescale").output)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1)).astype(np.float32)
    color = np.repeat(pixels, 3, axis=-1)
    if scaling is Scaling.UNIT:
        expected = color / np.float32(255)
    else:
        expected = keras.applications.vgg16.preprocess_input(color.copy(), data_format="channels_last")
    np.testing.assert_allclose(output(inside, pixels), expected, rtol=1e-6, atol=1e-5)


def test_mixed_precision_is_the_trunk_s_alone() -> None:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_vgg16(image_size=32)
    finally:
        keras.config.set_dtype_policy(previous)
    assert model.get_layer("block1_conv1").compute_dtype == "bfloat16"
    assert {model.get_layer(name).compute_dtype for name in ("dense1", "dense3_dropout", "logit")} == {"float32"}
    assert model.output.dtype == "float32"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


def test_seed_decides_the_head_and_no_two_layers_share_weights() -> None:
    heads = [
        [array for layer in build_vgg16(image_size=32, seed=seed).layers[-8:] for array in layer.get_weights()]
        for seed in (3, 3, 4)
    ]
    first, again, other = ([array for array in head if array.ndim > 1] for head in heads)
    assert len(first) == 4
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    scaled = {tuple(np.round(kernel.ravel()[:9] / np.abs(kernel.ravel()[:9]).max(), 4)) for kernel in first}
    assert len(scaled) == 4


# --- Its parts --------------------------------------------------------------------------------------------------------


def applications(path: Path, size: int) -> keras.Model:
    """keras.applications' own network, which reads the file itself."""
    return keras.applications.VGG16(weights=str(path), include_top=False, input_shape=(size, size, 3))


@pytest.mark.parametrize("scaling", Scaling)
def test_features_are_those_of_keras_applications(vgg16_weights: Path, scaling: Scaling) -> None:
    model = build_vgg16(image_size=64, scaling=scaling)
    load_imagenet(model, vgg16_weights)
    pixels = gray(3, 64)
    color = np.repeat(pixels, 3, axis=-1)
    if scaling is Scaling.UNIT:
        prepared = color / 255
    else:
        prepared = keras.applications.vgg16.preprocess_input(color.copy(), data_format="channels_last")
    expected = output(applications(vgg16_weights, 64), prepared)
    received = output(feature_trunk(model), pixels)
    assert received.shape == (3, 2, 2, 512)
    assert expected.std() > 1e-3  # There is something to compare.
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_real_features_are_those_of_keras_applications() -> None:
    if REAL_WEIGHTS is None:
        pytest.skip("set PNEUMO_VGG16_WEIGHTS to the file of VGG16's ImageNet weights")
    model = build_vgg16(scaling=Scaling.IMAGENET)
    load_imagenet(model, Path(REAL_WEIGHTS))
    pixels = gray(2, 150)
    prepared = keras.applications.vgg16.preprocess_input(np.repeat(pixels, 3, axis=-1), data_format="channels_last")
    expected = output(applications(Path(REAL_WEIGHTS), 150), prepared)
    assert 1 < np.abs(expected).max() < np.finfo(np.float16).max
    np.testing.assert_allclose(output(feature_trunk(model), pixels), expected, rtol=1e-4, atol=1e-3)


def test_head_on_trunk_is_the_whole(small: keras.Model) -> None:
    pixels = gray(3, 64)
    trunk, head = feature_trunk(small), feature_head(small)
    assert trunk.count_params() + head.count_params() == small.count_params()
    assert sizes(trunk.trainable_variables) == 0
    assert sizes(head.trainable_variables) == sizes(small.trainable_variables) == head.count_params()
    expected = output(small, pixels)
    assert expected.std() > 0
    np.testing.assert_allclose(output(head, output(trunk, pixels)), expected, rtol=1e-5, atol=1e-5)


def test_training_the_head_trains_the_whole(vgg16_weights: Path) -> None:
    model = build_vgg16(image_size=32)
    load_imagenet(model, vgg16_weights)
    trunk, head = feature_trunk(model), feature_head(model)
    pixels = gray(4, 32)
    before, convolutions = output(model, pixels), trunk.get_weights()
    head.compile("sgd", "mse", run_eagerly=True)
    head.train_on_batch(output(trunk, pixels), np.array([[0.0], [1.0], [0.0], [1.0]]))
    assert not np.allclose(output(model, pixels), before)
    np.testing.assert_allclose(output(head, output(trunk, pixels)), output(model, pixels), rtol=1e-5, atol=1e-5)
    for a, b in zip(trunk.get_weights(), convolutions, strict=True):
        np.testing.assert_array_equal(a, b)


def test_unfreezing_adds_the_last_block_and_nothing_else() -> None:
    model = build_vgg16(image_size=32)
    before = {variable.path for variable in model.trainable_variables}
    unfreeze(model, 1)
    after = {variable.path for variable in model.trainable_variables}
    added = {f"block5_conv{number}/{part}" for number in (1, 2, 3) for part in ("kernel", "bias")}
    assert after == before | added
    assert before & added == set()
    assert sizes(model.trainable_variables) == model.count_params() - (14_714_688 - BLOCK5)


@pytest.mark.parametrize("fine_tuned", [False, True])
def test_weights_survive_a_round_trip(small: keras.Model, tmp_path: Path, fine_tuned: bool) -> None:
    """As training keeps them and export reads them: into a new model that was never unfrozen."""
    saved = small
    if fine_tuned:
        saved = build_vgg16(image_size=64, seed=5)
        unfreeze(saved, 1)
    saved.save_weights(tmp_path / "kept.weights.h5")
    restored = build_vgg16(image_size=64, seed=6)
    restored.load_weights(tmp_path / "kept.weights.h5")
    for a, b in zip(restored.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(output(restored, gray(1, 64)), output(saved, gray(1, 64)))


# --- The file of its weights ------------------------------------------------------------------------------------------


def test_every_convolution_is_filled_and_the_head_is_not(vgg16_weights: Path) -> None:
    model = build_vgg16(image_size=32, seed=1)
    untouched = feature_head(build_vgg16(image_size=32, seed=1)).get_weights()
    load_imagenet(model, vgg16_weights)
    with h5py.File(vgg16_weights) as file:
        for name in file.attrs["layer_names"]:
            kernel, bias = model.get_layer(name).get_weights()
            np.testing.assert_array_equal(kernel, file[name][f"{name}_W_1:0"][()])
            np.testing.assert_array_equal(bias, file[name][f"{name}_b_1:0"][()])
    for a, b in zip(feature_head(model).get_weights(), untouched, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_named_file_is_taken(vgg16_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))
    assert imagenet_weights() == vgg16_weights


@pytest.mark.parametrize("name", [".", "missing.h5", "missing/vgg16.h5"])
def test_a_name_without_a_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(tmp_path / name))
    with pytest.raises(ConfigError) as caught:
        imagenet_weights()
    assert_one_line(caught.value, "PNEUMO_VGG16_WEIGHTS must name a file", str(tmp_path), "unset it")


# --- Keras' download --------------------------------------------------------------------------------------------------


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Keras folder of this test's own; KERAS_HOME itself is read when Keras is imported."""
    home = tmp_path / "keras"
    home.mkdir()  # Keras would take another where it is missing.
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(home))
    return home


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for Keras' file server."""
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setattr(vgg16_module, "URL", f"http://127.0.0.1:{running.server_port}/vgg16.h5")
        yield folder
        running.shutdown()


def test_without_network_it_says_how_to_get_the_file(keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/vgg16.h5"
    monkeypatch.setattr(vgg16_module, "URL", url)
    with pytest.raises(TrainingError) as caught:
        imagenet_weights()
    assert_one_line(caught.value, "VGG16 needs its ImageNet weights", "set PNEUMO_VGG16_WEIGHTS to its path", url)


def test_a_missing_or_other_file_on_the_server_is_reported(keras_home: Path, server: Path) -> None:
    for content in (None, b"an error page"):
        if content is not None:
            (server / "vgg16.h5").write_bytes(content)
        with pytest.raises(TrainingError) as caught:
            imagenet_weights()
        assert_one_line(caught.value, "VGG16 needs its ImageNet weights", "set PNEUMO_VGG16_WEIGHTS to its path")


def test_a_download_is_checked_kept_and_renewed(
    keras_home: Path, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server / "vgg16.h5").write_bytes(b"the weights")
    monkeypatch.setattr(vgg16_module, "MD5", hashlib.md5(b"the weights").hexdigest())
    first = imagenet_weights()
    assert first.read_bytes() == b"the weights"
    assert first.is_relative_to(keras_home)
    (server / "vgg16.h5").rename(server / "gone.h5")
    assert imagenet_weights() == first
    # What a broken download or another program left there is fetched again.
    (server / "gone.h5").rename(server / "vgg16.h5")
    first.write_bytes(b"half")
    assert imagenet_weights().read_bytes() == b"the weights"
