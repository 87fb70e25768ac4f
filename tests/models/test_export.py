"""The exported graph against Keras itself, and its Grad-CAM against a gradient tape.

Graphs are written with `onnx_graph`.
"""

import importlib.util
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from pneumo_core.config.architecture import LAST_BLOCK
from pneumo_core.config.classifier import Scaling
from pneumo_core.errors import CorruptError, TrainingError
from pneumo_core.inference.compression import to_float16
from pneumo_core.inference.session import Session, load_session, run_session
from pneumo_core.models.baseline import build_baseline
from pneumo_core.models.compact import build_compact
from pneumo_core.models.export import export_onnx
from pneumo_core.models.vgg16 import build_vgg16
from pneumo_core.records import Architecture
from pneumo_core.runs.files import read_json
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.hostile import assert_one_line

ROOT = Path(__file__).resolve().parents[2]

BLOCK = LAST_BLOCK[Architecture.BASELINE]

SIZE = 56
"""The baseline's last block is 7 x 7 then: an odd side, of which the pooling drops a row and a column."""


class Case(NamedTuple):
    """A network with the layer that it is explained at, and its exported file."""

    model: keras.Model
    last_block: str
    path: Path

    @property
    def session(self) -> Session:
        return load_session(self.path)


def lively(model: keras.Model) -> keras.Model:
    """Give normalizations and biases values that no fresh model has, so that none of them can be forgotten."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shape = layer.gamma.shape
            moving = (rng.normal(0, 0.3, shape), rng.uniform(0.05, 0.5, shape))
            layer.set_weights([rng.uniform(-1.5, 1.5, shape), rng.normal(0, 0.3, shape), *moving])
        elif isinstance(layer, layers.Dense | layers.Conv2D) and layer.use_bias:
            layer.set_weights([layer.get_weights()[0], rng.normal(0, 0.2, layer.bias.shape)])
    return model


def vgg_like(size: int) -> keras.Model:
    """VGG16's layers under the names that keras.applications gives them, but narrow: thirteen convolutions, three poolings
    of an even side and two of an odd one, a dense layer without ReLU among those with.
    """
    image = keras.Input((size, size, 1), name="pixels")
    x = layers.Concatenate(name="gray_to_rgb")([image, image, image])
    x = layers.Rescaling(1 / 127.5, offset=[-0.8, -0.9, -1.1], name="rescale")(x)
    for block, (count, filters) in enumerate([(2, 4), (2, 8), (3, 16), (3, 24), (3, 24)], start=1):
        for number in range(1, count + 1):
            kernel = keras.initializers.HeNormal(10 * block + number)
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=kernel, name=name)(x)
        x = layers.MaxPooling2D((2, 2), strides=(2, 2), name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, (units, activation) in enumerate([(32, "relu"), (16, None), (8, "relu")], start=1):
        kernel = keras.initializers.HeNormal(number)
        x = layers.Dense(units, activation=activation, kernel_initializer=kernel, name=f"dense{number}")(x)
        x = layers.Dropout(0.5, name=f"dense{number}_dropout")(x)
    return keras.Model(image, layers.Dense(1, kernel_initializer=keras.initializers.HeNormal(4), name="out")(x))


@pytest.fixture(scope="module", params=["baseline", "compact", "vgg16"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    path = tmp_path_factory.mktemp("export") / "folder" / "model.onnx"
    if request.param == "baseline":
        model, last_block = build_baseline(image_size=SIZE, seed=1), BLOCK
    elif request.param == "compact":
        model, last_block = build_compact(image_size=48, seed=1), LAST_BLOCK[Architecture.COMPACT]
    else:
        model, last_block = vgg_like(72), "block5_conv3"
    export_onnx(lively(model), last_block, path)
    return Case(model, last_block, path)


def pictures(count: int, size: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (count, 8, 8)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, -(-size // 8), axis=1), -(-size // 8), axis=2)[:, :size, :size]


def keras_logits(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    logits = model(images[..., None].astype(np.float32), training=False)
    return np.asarray(keras.ops.convert_to_numpy(logits))[:, 0]


def slow_grad_cam(
    model: keras.Model, last_block: str, picture: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grad-CAM as Selvaraju 2017 defines it (section 3, equations 1 and 2 before the ReLU), and the mean of each map."""
    watched = keras.Model(model.input, [model.get_layer(last_block).output, model.output])
    with tf.GradientTape() as tape:
        maps, logit = watched(tf.constant(picture[None, ..., None], tf.float32), training=False)
        # The maps are an output of the graph that also leads to the logit, so the tape knows of them.
    gradient = tape.gradient(logit, maps).numpy()[0].astype(np.float64)
    maps = maps.numpy()[0].astype(np.float64)
    height, width, channels = maps.shape
    cam, features = np.zeros((height, width)), np.zeros(channels)
    for k in range(channels):
        alpha = sum(gradient[i, j, k] for i in range(height) for j in range(width)) / (height * width)
        features[k] = sum(maps[i, j, k] for i in range(height) for j in range(width)) / (height * width)
        for i in range(height):
            for j in range(width):
                cam[i, j] += alpha * maps[i, j, k]
    return cam, features


def assert_close(received: NDArray[np.float32], expected: NDArray[np.floating]) -> None:
    """Equal but for float32's rounding, measured by the largest value."""
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def assert_same_logits(received: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Equal but for float32's rounding, measured by 1 at least: a logit near 0 is a difference of larger numbers."""
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


def test_test_time_flip_is_the_mean_with_the_mirror_image(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "flip.onnx"
    export_onnx(case.model, case.last_block, path, test_time_flip=True)
    images = pictures(3, case.model.input.shape[1])
    assert not np.array_equal(images, images[:, :, ::-1])
    received = run_session(load_session(path), images)
    plain, mirrored = run_session(case.session, images), run_session(case.session, images[:, :, ::-1].copy())
    assert_close(received.logit, (plain.logit + mirrored.logit) / 2)
    assert_close(received.cam, (plain.cam + mirrored.cam[:, :, ::-1]) / 2)
    assert_close(received.features, (plain.features + mirrored.features) / 2)


@pytest.mark.parametrize("count", [1, 5])
def test_onnx_is_keras_and_a_plain_gradient_tape(case: Case, count: int) -> None:
    size = case.model.input.shape[1]
    images = pictures(count, size)
    output = run_session(case.session, images)

    assert_same_logits(output.logit, keras_logits(case.model, images))
    for index in range(count):
        cam, features = slow_grad_cam(case.model, case.last_block, images[index])
        assert np.abs(cam).max() > 1e-4, "a map of zeros would agree with anything"
        assert_close(output.cam[index], cam)
        assert_close(output.features[index], features)
    side = size // (8 if case.last_block == BLOCK else 16)
    assert output.cam.shape == (count, side, side)
    assert output.cam.min() < 0, "the raw map keeps its sign"


def test_an_image_s_answer_does_not_depend_on_its_batch(case: Case) -> None:
    session = case.session
    images = pictures(5, session.image_size)
    together = run_session(session, images)
    for index in range(5):
        alone = run_session(session, images[index : index + 1])
        assert_same_logits(alone.logit[0], together.logit[index])
        assert_close(alone.cam[0], together.cam[index])


def test_file_is_valid_and_holds_each_weight_once(case: Case) -> None:
    size = case.model.input.shape[1]
    assert [(entry.name, entry.shape) for entry in case.session.runtime.get_inputs()] == [
        ("image", ["batch", size, size, 1])
    ]
    shapes = {entry.name: entry.shape for entry in case.session.runtime.get_outputs()}
    assert {name: (len(shape), shape[0]) for name, shape in shapes.items()} == {
        "logit": (2, "batch"), "cam": (3, "batch"), "features": (2, "batch"),
    }  # fmt: skip
    onnx.checker.check_model(case.path, full_check=True)
    graph = onnx.load(case.path)
    assert graph.producer_name == "pneumo_core"
    weights = sum(onnx.numpy_helper.to_array(tensor).size for tensor in graph.graph.initializer)
    assert case.model.count_params() < weights < case.model.count_params() + 32
    assert [path.name for path in case.path.parent.iterdir()] == ["model.onnx"]


def test_equal_weights_give_equal_files(case: Case, tmp_path: Path) -> None:
    export_onnx(case.model, case.last_block, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == case.path.read_bytes()


def test_a_head_of_one_linear_layer_has_the_same_gradient_for_every_image(tmp_path: Path) -> None:
    image = keras.Input((12, 12, 1))
    maps = layers.Conv2D(3, 3, padding="same", name="last")(image)
    flat = layers.Flatten()(layers.MaxPooling2D(2)(maps))
    model = lively(keras.Model(image, layers.Dense(1)(flat)))
    export_onnx(model, "last", tmp_path / "model.onnx")
    images = pictures(3, 12)
    output = run_session(load_session(tmp_path / "model.onnx"), images)
    assert_same_logits(output.logit, keras_logits(model, images))
    for index in range(3):
        assert_close(output.cam[index], slow_grad_cam(model, "last", images[index])[0])


@pytest.mark.parametrize("scaling", Scaling)
def test_the_transfer_model_can_be_exported(scaling: Scaling, tmp_path: Path) -> None:
    model = lively(build_vgg16(image_size=32, scaling=scaling))
    export_onnx(model, LAST_BLOCK[Architecture.VGG16], tmp_path / "model.onnx")
    images = pictures(2, 32)
    output = run_session(load_session(tmp_path / "model.onnx"), images)
    assert (output.cam.shape, output.features.shape) == ((2, 2, 2), (2, 512))
    assert_same_logits(output.logit, keras_logits(model, images))


@pytest.mark.jax
def test_jax_writes_the_same_file(tmp_path: Path) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("install JAX: pip install -r requirements-dev.txt -c constraints.txt")
    model = lively(build_baseline(image_size=SIZE, seed=1))
    model.save_weights(tmp_path / "model.weights.h5")
    export_onnx(model, BLOCK, tmp_path / "here.onnx")
    code = f"""
import sys
from pathlib import Path
from pneumo_core.models.baseline import build_baseline
from pneumo_core.models.export import export_onnx
folder = Path(sys.argv[1])
model = build_baseline(image_size={SIZE})
model.load_weights(folder / "model.weights.h5")
export_onnx(model, {BLOCK!r}, folder / "jax.onnx")
assert "tensorflow" not in sys.modules
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=environment, check=True)
    assert (tmp_path / "jax.onnx").read_bytes() == (tmp_path / "here.onnx").read_bytes()


# --- Networks that cannot be written ----------------------------------------------------------------------------------


def network(last: layers.Layer | None = None, head: list[layers.Layer] | None = None) -> keras.Model:
    """A small classifier whose last block or head is somebody else's."""
    image = keras.Input((8, 8, 1), name="image")
    x = (last or layers.Conv2D(2, 3, padding="same", name="last"))(image)
    for layer in [layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(1)] if head is None else head:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        (layers.Conv2D(2, 3, padding="valid", name="last"), "padding='valid'"),
        (layers.Conv2D(2, 3, strides=2, padding="same", name="last"), "strides=(2, 2)"),
        (layers.Conv2D(2, 5, padding="same", name="last"), "kernel_size=(5, 5)"),
        (layers.Conv2D(2, 3, dilation_rate=2, padding="same", name="last"), "dilation_rate=(2, 2)"),
        (layers.ReLU(max_value=6, name="last"), "max_value=6"),
        (layers.LayerNormalization(center=False, scale=False, name="last"), "axis=[-1]"),
        (layers.Conv2D(2, 3, padding="same", activation="gelu", name="last"), "activation='gelu'"),
        (layers.BatchNormalization(axis=1, name="last"), "axis=1"),
        (layers.BatchNormalization(scale=False, name="last"), "scale=False"),
        (layers.MaxPooling2D(2, strides=1, name="last"), "strides=(1, 1)"),
        (layers.MaxPooling2D(2, padding="same", name="last"), "padding='same'"),
        (layers.AveragePooling2D(2, name="last"), "kind='AveragePooling2D'"),
        (layers.DepthwiseConv2D(3, padding="same", name="last"), "kind='DepthwiseConv2D'"),
        (layers.Dense(2, name="last"), "kind='Dense'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layer_that_cannot_be_written_is_named(layer: layers.Layer, what: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        export_onnx(network(layer), "last", tmp_path / "model.onnx")
    assert f"Received: layer='last', {what};" in str(caught.value)
    assert_one_line(caught.value)
    assert list(tmp_path.iterdir()) == []


POOLING, FLATTEN = layers.MaxPooling2D, layers.Flatten


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ([FLATTEN(name="f"), layers.Dense(2, name="d"), layers.Dense(1)], "layer='f', kind='Flatten'"),
        ([POOLING(2), layers.GlobalAveragePooling2D(name="g"), layers.Dense(1)], "kind='GlobalAveragePooling2D'"),
        ([POOLING(2), POOLING(2, name="p"), FLATTEN(), layers.Dense(1)], "layer='p', kind='MaxPooling2D'"),
        ([POOLING(2), FLATTEN(), layers.Dense(2, "tanh", name="d"), layers.Dense(1)], "layer='d', activation='tanh'"),
        ([POOLING(2), FLATTEN(), layers.Dense(1, "sigmoid", name="d")], "layer='d', activation='sigmoid'"),
        ([POOLING(2), FLATTEN(), layers.Dense(1, "relu", name="d")], "layer='d', activation='relu'"),
        ([POOLING(2), FLATTEN(), layers.Dense(2, name="d")], "layer='d', units=2"),
        ([POOLING(2, name="p"), FLATTEN(name="f")], "behind it ['p', 'f']"),
        ([], "behind it []"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_head_whose_gradient_is_not_written_out_is_refused(head: list[layers.Layer], what: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        export_onnx(network(head=head), "last", tmp_path / "model.onnx")
    assert what in str(caught.value)
    assert_one_line(caught.value)


def test_layers_beside_one_another_are_refused(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 1))
    maps = layers.Conv2D(2, 3, padding="same")(image)
    both = layers.Concatenate(name="both")([maps, layers.MaxPooling2D(1)(maps)])
    last = layers.Conv2D(2, 3, padding="same", name="last")(both)
    logit = layers.Dense(1)(layers.Flatten()(layers.MaxPooling2D(2)(last)))
    with pytest.raises(TrainingError, match="Received: layer='both', inputs="):
        export_onnx(keras.Model(image, logit), "last", tmp_path / "model.onnx")


def test_a_second_input_is_refused(tmp_path: Path) -> None:
    image, other = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    maps = layers.Conv2D(2, 3, padding="same", name="last")(layers.Concatenate(name="both")([image, other]))
    logit = layers.Dense(1)(layers.Flatten()(layers.MaxPooling2D(2)(maps)))
    with pytest.raises(TrainingError, match="Received: layer='both', inputs="):
        export_onnx(keras.Model([image, other], logit), "last", tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["block5_conv3", "image", ""])
def test_a_last_block_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"Received: last_block='{name}', not among"):
        export_onnx(network(), name, tmp_path / "model.onnx")


# --- The shared run's own files ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen_images(finished_run: FinishedRun) -> NDArray[np.uint8]:
    """The run's validation and test images, as its worker saw them."""
    import pandas as pd

    (array,) = finished_run.artifacts.glob("datasets/*/gray-150.npy")
    table = pd.read_parquet(array.with_name("index.parquet"))
    predicted = pd.read_parquet(finished_run.path / "predictions.parquet")
    rows = table.reset_index().merge(predicted[["image_id"]], on="image_id")["index"]
    return np.load(array)[rows.to_numpy()]


def test_a_run_s_model_is_its_weights(finished_run: FinishedRun, seen_images: NDArray[np.uint8]) -> None:
    run = RunDirectory(finished_run.path)
    model = build_baseline(bn_momentum=0.9)
    model.load_weights(run.weights)
    images = seen_images[:6]
    output = run_session(load_session(run.model), images)
    assert_same_logits(output.logit, keras_logits(model, images))
    cam, features = slow_grad_cam(model, BLOCK, images[0])
    assert_close(output.cam[0], cam)
    assert_close(output.features[0], features)


def test_float16_halves_the_file_and_keeps_the_decisions(
    finished_run: FinishedRun, seen_images: NDArray[np.uint8]
) -> None:
    data = (finished_run.path / "model.onnx").read_bytes()
    small = to_float16(data)
    assert len(small) < 0.51 * len(data)

    full, half = (run_session(load_session(model), seen_images) for model in (data, small))
    assert 0 < np.abs(full.logit - half.logit).max() < 0.01 * max(1.0, np.abs(full.logit).max())
    np.testing.assert_allclose(half.features, full.features, atol=0.01 * np.abs(full.features).max())
    # All maps at once: where rounding switches one ReLU of the head, a map moves as a whole, by a few percent.
    assert np.linalg.norm(half.cam - full.cam) < 0.02 * np.linalg.norm(full.cam)
    threshold = read_json(finished_run.path / "report.json")["operating_point"]["threshold"]
    decisions = [1 / (1 + np.exp(-output.logit.astype(np.float64))) >= threshold for output in (full, half)]
    # After two epochs the logits lie so close together that the threshold among them can fall within float16's rounding; the
    # runs that ship are held to every decision, by test_published.py.
    rounding = np.abs(full.logit - half.logit).max()
    clear = np.abs(full.logit - np.log(threshold / (1 - threshold))) > rounding
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(decisions[0][clear], decisions[1][clear])


def test_float16_changes_large_weights_only_and_only_once(finished_run: FinishedRun) -> None:
    small = to_float16((finished_run.path / "model.onnx").read_bytes())
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for tensor in onnx.load(io.BytesIO(small)).graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype.kind == "f":
            kinds[array.size >= 1024].add(array.dtype.name)
    assert kinds == {True: {"float16"}, False: {"float32"}}
    assert to_float16(small) == small


@pytest.mark.parametrize("damage", ["empty", "text", "half", "first byte"])
@pytest.mark.parametrize("read", [to_float16, load_session])
def test_bytes_that_are_no_model_are_reported_in_one_line(
    finished_run: FinishedRun, damage: str, read: Callable[[bytes], object]
) -> None:
    data = (finished_run.path / "model.onnx").read_bytes()
    damaged = {"empty": b"", "text": b"not a model", "half": data[: len(data) // 2], "first byte": b"x" + data[1:]}
    with pytest.raises(CorruptError, match=r"model\.onnx must be .*Received: ") as caught:
        read(damaged[damage])
    assert "\n" not in str(caught.value)


def test_onnx_runtime_is_quiet_about_the_model(finished_run: FinishedRun, capfd: pytest.CaptureFixture[str]) -> None:
    load_session((finished_run.path / "model.onnx").read_bytes())
    assert capfd.readouterr() == ("", "")
    assert onnxruntime.get_available_providers()[-1] == "CPUExecutionProvider"
