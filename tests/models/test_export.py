import io
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from pneumo_core.errors import CorruptError
from pneumo_core.files import read_json
from pneumo_core.inference.publish import to_float16
from pneumo_core.inference.session import Session, load_session, run_session
from pneumo_core.models.baseline import LAST_BLOCK, build_baseline
from pneumo_core.models.export import export_onnx
from pneumo_core.store import RunDirectory
from tests.conftest import FinishedRun

# tf2onnx 1.17, through Keras' exporter, asks whether NumPy still has `np.object`; NumPy 2.4 warns of the question.
pytestmark = pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")

SIZE = 56
"""Its last block is 7 x 7: an odd side, of which the pooling drops a row and a column."""


def lively_baseline(size: int) -> keras.Model:
    """A baseline whose normalizations, biases and signs are those of no fresh model, so that none of them can be forgotten."""
    model = build_baseline(image_size=size, seed=1)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            moving = (rng.normal(0, 0.3, shape), rng.uniform(0.05, 0.5, shape))
            layer.set_weights([rng.uniform(-1.5, 1.5, shape), rng.normal(0, 0.3, shape), *moving])
        elif isinstance(layer, keras.layers.Dense):
            layer.set_weights([layer.get_weights()[0], rng.normal(0, 0.2, layer.bias.shape)])
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return lively_baseline(SIZE)


@pytest.fixture(scope="module")
def exported(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "folder" / "model.onnx"
    export_onnx(model, LAST_BLOCK, path)
    return path


@pytest.fixture(scope="module")
def session(exported: Path) -> Session:
    return load_session(exported)


def pictures(count: int, size: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (count, 8, 8)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, -(-size // 8), axis=1), -(-size // 8), axis=2)[:, :size, :size]


def slow_grad_cam(model: keras.Model, picture: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Grad-CAM as Selvaraju 2017 defines it (section 3, equations 1 and 2 before the ReLU), and the mean of each map."""
    watched = keras.Model(model.input, [model.get_layer(LAST_BLOCK).output, model.output])
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


@pytest.mark.parametrize("count", [1, 5])
def test_onnx_is_keras_and_a_plain_gradient_tape(model: keras.Model, session: Session, count: int) -> None:
    images = pictures(count, SIZE)
    output = run_session(session, images)

    logits = keras.ops.convert_to_numpy(model(images[..., None].astype(np.float32), training=False))
    np.testing.assert_allclose(output.logit, logits[:, 0], atol=1e-4)
    assert output.cam.shape == (count, 7, 7)
    assert output.features.shape == (count, 128)
    for index in range(count):
        cam, features = slow_grad_cam(model, images[index])
        scale = np.abs(cam).max()
        assert scale > 1e-4, "a map of zeros would agree with anything"
        assert cam.min() < 0 < cam.max(), "the raw map keeps its sign"
        np.testing.assert_allclose(output.cam[index], cam, atol=1e-4 * scale)
        np.testing.assert_allclose(output.features[index], features, atol=1e-5)


def test_an_image_s_answer_does_not_depend_on_its_batch(session: Session) -> None:
    images = pictures(5, SIZE)
    together = run_session(session, images)
    for index in range(5):
        alone = run_session(session, images[index : index + 1])
        np.testing.assert_allclose(alone.logit[0], together.logit[index], atol=1e-5)
        np.testing.assert_allclose(alone.cam[0], together.cam[index], atol=1e-5)


def test_file_is_valid_and_holds_no_training_leftovers(exported: Path, session: Session, model: keras.Model) -> None:
    assert [entry.name for entry in session.runtime.get_inputs()] == ["image"]
    assert session.runtime.get_inputs()[0].shape[1:] == [SIZE, SIZE, 1]
    assert {entry.name for entry in session.runtime.get_outputs()} == {"logit", "cam", "features"}
    onnx.checker.check_model(exported)
    assert not any("Grad" in node.op_type or node.op_type == "Dropout" for node in onnx.load(exported).graph.node)
    # Each weight once: the gradient shares the head's kernels.
    assert exported.stat().st_size < 4 * model.count_params() * 1.02
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]


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
    expected = keras.ops.convert_to_numpy(model(images[..., None].astype(np.float32), training=False))[:, 0]
    np.testing.assert_allclose(output.logit, expected, atol=1e-4)
    cam, features = slow_grad_cam(model, images[0])
    np.testing.assert_allclose(output.cam[0], cam, atol=1e-4 * np.abs(cam).max())
    np.testing.assert_allclose(output.features[0], features, atol=1e-5)


def test_float16_halves_the_file_and_keeps_the_decisions(
    finished_run: FinishedRun, seen_images: NDArray[np.uint8]
) -> None:
    data = (finished_run.path / "model.onnx").read_bytes()
    small = to_float16(data)
    assert len(small) < 0.51 * len(data)

    full, half = (run_session(load_session(model), seen_images) for model in (data, small))
    assert 0 < np.abs(full.logit - half.logit).max() < 0.01 * max(1.0, np.abs(full.logit).max())
    np.testing.assert_allclose(half.features, full.features, atol=0.01 * np.abs(full.features).max())
    np.testing.assert_allclose(half.cam, full.cam, atol=0.02 * np.abs(full.cam).max())
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
def test_bytes_that_are_no_model_are_told_in_one_line(
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
