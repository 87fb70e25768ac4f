"""The exported generator against Keras itself."""

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers
from numpy.typing import NDArray

from pneumo_core.errors import TrainingError
from pneumo_core.models.dcgan import build_generator
from pneumo_core.models.export_generator import export_generator
from tests.hostile import assert_one_line

LATENT_DIM = 8


def lively(generator: keras.Model) -> keras.Model:
    """Give every weight a value that no fresh generator has, such that pixels spread over their range."""
    rng = np.random.default_rng(1)
    for layer in generator.layers:
        shapes = [weight.shape for weight in layer.weights]
        match layer:
            case layers.BatchNormalization():
                drawn = [rng.normal(1, 0.3, shapes[0]), *(rng.normal(0, 0.3, shape) for shape in shapes[1:3])]
                layer.set_weights([*drawn, rng.uniform(0.5, 2, shapes[3])])
            case layers.Dense() | layers.Conv2DTranspose():
                # Each output sums four of the 16 taps of each channel: maps keep their scale, and rounding errors too.
                scale = 1 / np.sqrt(LATENT_DIM if len(shapes[0]) == 2 else 4 * shapes[0][-1])
                layer.set_weights([rng.normal(0, scale, shape) for shape in shapes])
    return generator


def run(path: Path, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (image,) = session.run(None, {"latents": latents})
    return image


def drawn(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, LATENT_DIM), np.float32)


@pytest.mark.parametrize("size", [64, 128])
def test_onnx_is_keras(size: int, tmp_path: Path) -> None:
    generator = lively(build_generator(image_size=size, latent_dim=LATENT_DIM, filters=4, seed=0))
    path = tmp_path / "folder" / "model.onnx"
    export_generator(generator, path)
    for count in (1, 5):
        latents = drawn(count)
        expected = keras.ops.convert_to_numpy(generator(latents, training=False))[..., 0]
        received = run(path, latents)
        assert received.dtype == np.float32
        assert received.shape == (count, size, size)
        assert expected.std() > 20, "a gray image would agree with anything"
        np.testing.assert_allclose(received, expected, rtol=0, atol=1e-3)
    # Normalizations by the batch, as in training, are another function.
    assert np.abs(received - np.asarray(generator(latents, training=True))[..., 0]).max() > 1
    assert [path.name for path in path.parent.iterdir()] == ["model.onnx"]


def test_pixels_reach_both_ends_and_no_further(tmp_path: Path) -> None:
    generator = lively(build_generator(image_size=64, latent_dim=LATENT_DIM, filters=4, seed=0))
    export_generator(generator, tmp_path / "model.onnx")
    image = run(tmp_path / "model.onnx", 100 * drawn(8))
    np.testing.assert_allclose([image.min(), image.max()], [0, 255], rtol=0, atol=1e-4)


def test_file_is_valid_and_holds_each_weight_once(tmp_path: Path) -> None:
    generator = build_generator(image_size=64, latent_dim=LATENT_DIM, filters=4, seed=0)
    export_generator(generator, tmp_path / "model.onnx")
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)
    model = onnx.load(tmp_path / "model.onnx")
    weights = sum(onnx.numpy_helper.to_array(tensor).size for tensor in model.graph.initializer)
    # Beside the weights: the maps' shape, the squeezed axis, and the rescaling's two numbers.
    assert weights == generator.count_params() + 4 + 1 + 2
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [(entry.name, entry.shape) for entry in session.get_inputs()] == [("latents", ["batch", LATENT_DIM])]
    assert [(entry.name, entry.shape) for entry in session.get_outputs()] == [("image", ["batch", 64, 64])]


def test_a_clone_s_weights_are_its_own_and_equal_weights_give_equal_files(tmp_path: Path) -> None:
    generator = lively(build_generator(image_size=64, latent_dim=LATENT_DIM, filters=4, seed=0))
    averaged = keras.models.clone_model(generator)  # What a run keeps is a clone with averaged weights.
    files = [tmp_path / "generator.onnx", tmp_path / "fresh.onnx", tmp_path / "averaged.onnx"]
    export_generator(generator, files[0])
    export_generator(averaged, files[1])
    averaged.set_weights(generator.get_weights())
    export_generator(averaged, files[2])
    assert files[0].read_bytes() != files[1].read_bytes()
    assert files[0].read_bytes() == files[2].read_bytes()


# --- Networks that cannot be written ----------------------------------------------------------------------------------


def network(*rest: layers.Layer, dense: layers.Layer | None = None, maps: layers.Layer | None = None) -> keras.Model:
    """A small generator with somebody else's layers."""
    latents = keras.Input((LATENT_DIM,), name="latents")
    x = (maps or layers.Reshape((4, 4, 1)))((dense or layers.Dense(16, use_bias=False))(latents))
    for layer in rest:
        x = layer(x)
    return keras.Model(latents, x)


def doubling(**settings: object) -> layers.Layer:
    return layers.Conv2DTranspose(
        **{"filters": 1, "kernel_size": 4, "strides": 2, "padding": "same", "name": "x", **settings}
    )


def test_the_smallest_generator_can_be_written(tmp_path: Path) -> None:
    model = network(doubling())
    export_generator(model, tmp_path / "model.onnx")
    expected = keras.ops.convert_to_numpy(model(drawn(2)))[..., 0]
    np.testing.assert_allclose(run(tmp_path / "model.onnx", drawn(2)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "what"),
    [
        (layers.Dropout(0.5, name="x"), "kind='Dropout'"),
        (layers.UpSampling2D(2, name="x"), "kind='UpSampling2D'"),
        (layers.LeakyReLU(0.2, name="x"), "kind='LeakyReLU'"),
        (layers.ReLU(6, name="x"), "max_value=6"),
        (layers.ReLU(negative_slope=0.2, name="x"), "negative_slope=0.2"),
        (layers.Activation("sigmoid", name="x"), "activation='sigmoid'"),
        (layers.BatchNormalization(axis=1, name="x"), "axis=1"),
        (layers.BatchNormalization(center=False, name="x"), "center=False"),
        (doubling(kernel_size=5), "kernel_size=(5, 5)"),
        (doubling(strides=1), "strides=(1, 1)"),
        (doubling(padding="valid"), "padding='valid'"),
        (doubling(activation="relu"), "activation='relu'"),
        (doubling(output_padding=1), "output_padding=(1, 1)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layer_that_cannot_be_written_is_named(layer: layers.Layer, what: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        export_generator(network(layer), tmp_path / "model.onnx")
    assert f"Received: layer='x', {what};" in str(caught.value)
    assert_one_line(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (lambda: network(dense=layers.Dense(16, name="x")), "layer='x', use_bias=True"),
        (lambda: network(dense=layers.Dense(16, "tanh", use_bias=False, name="x")), "layer='x', activation='tanh'"),
        (lambda: network(maps=layers.Flatten(name="x")), "layer='x', kind='Flatten'"),
        (lambda: network(doubling(filters=3)), "shape=(None, 8, 8, 3)"),
        (lambda: network(maps=layers.Reshape((2, 8, 1))), "shape=(None, 2, 8, 1)"),
        (lambda: network(maps=layers.Reshape((16,))), "shape=(None, 16)"),
    ],
)
def test_networks_of_another_form_are_refused(model: object, what: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        export_generator(model(), tmp_path / "model.onnx")
    assert what in str(caught.value)
    assert_one_line(caught.value)


def test_layers_beside_one_another_are_refused(tmp_path: Path) -> None:
    model = network()
    x = layers.BatchNormalization()(model.output)
    both = keras.Model(model.input, layers.ReLU(name="late")(model.output) + x)
    with pytest.raises(TrainingError, match=r"Received: layer='[a-z_0-9]*', input="):
        export_generator(both, tmp_path / "model.onnx")
