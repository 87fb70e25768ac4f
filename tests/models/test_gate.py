from pathlib import Path

import keras
import numpy as np
import onnxruntime

from pneumo_core.config.gate import HEADS
from pneumo_core.models.gate import build_gate, export_gate


def some_gate() -> keras.Model:
    """A small gate whose statistics are no defaults, so that a forgotten layer would show."""
    model = build_gate(seed=3, input_size=64)
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if variable.path.endswith(("gamma", "beta", "moving_mean", "moving_variance", "bias")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return model


def test_the_export_is_the_network(tmp_path: Path) -> None:
    model = some_gate()
    export_gate(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(1).uniform(0, 255, (3, 64, 64, 1)).astype(np.float32)
    (found,) = session.run(["logits"], {"image": images})
    expected = np.asarray(model(images, training=False))
    assert found.shape == (3, sum(map(len, HEADS.values())))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_brightness_and_contrast_do_not_matter() -> None:
    model = some_gate()
    image = np.random.default_rng(1).uniform(0, 255, (1, 64, 64, 1)).astype(np.float32)
    plain, faint = (np.asarray(model(pixels, training=False)) for pixels in (image, 90 + image / 5))
    np.testing.assert_allclose(faint, plain, rtol=1e-2, atol=1e-2)
