"""A trained classifier as ONNX: logit, Grad-CAM and features from one graph, without a training framework.

Grad-CAM (Selvaraju 2017, doi:10.1109/ICCV.2017.74, section 3) weights the last block's feature maps by the gradient of the
logit, averaged over positions. Converters cannot export a gradient, so it is written out here: behind the last block lie
only a max pooling, a flattening and dense layers, whose gradient is a product of their kernels, each masked where its ReLU
was off. Max pooling hands each gradient to one position, so the sum over positions before it equals the sum after it.
"""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from keras import layers, ops

from pneumo_core.files import store_errors, write_atomic

__all__ = ["explained_model", "export_onnx"]


class _HeadWithGradient(layers.Layer):
    """Dense ReLU layers with one linear unit at the end: `(batch, d)` -> logit `(batch, 1)` and its gradient `(batch, d)`."""

    def __init__(self, dense: list[layers.Dense]) -> None:
        super().__init__(name="head")
        self._dense = dense

    def call(self, x: Any) -> tuple[Any, Any]:
        *hidden, last = self._dense
        active = []
        for layer in hidden:
            z = ops.matmul(x, layer.kernel) + layer.bias
            active.append(ops.cast(z > 0, "float32"))
            x = ops.relu(z)
        logit = ops.matmul(x, last.kernel) + last.bias
        # Columns, `(units, batch)`: a kernel on the left needs no transposing, of which the converter would store a copy.
        gradient = ops.matmul(last.kernel, ops.ones_like(ops.transpose(logit)))
        for layer, mask in zip(reversed(hidden), reversed(active), strict=True):
            gradient = ops.matmul(layer.kernel, gradient * ops.transpose(mask))
        return logit, ops.transpose(gradient)


def explained_model(model: keras.Model, last_block: str) -> keras.Model:
    """Extend a classifier by its Grad-CAM and its features.

    Args:
        model: Functional classifier in float32 whose head after `last_block` is max pooling, flatten and dense layers.
        last_block: Name of the layer that ends the last convolution block, before its pooling.

    Returns:
        Model from `(batch, height, width, 1)` float32 in [0, 255] to `logit` `(batch, 1)`, `cam` `(batch, h, w)` (before
        ReLU and resize) and `features` `(batch, d)`, all float32.
    """
    names = [layer.name for layer in model.layers]
    maps = model.get_layer(last_block).output
    tail = model.layers[names.index(last_block) + 1 :]
    pooled = next(layer for layer in tail if isinstance(layer, layers.MaxPooling2D)).output
    dense = [layer for layer in tail if isinstance(layer, layers.Dense)]

    logit, gradient = _HeadWithGradient(dense)(layers.Flatten()(pooled))
    positions = maps.shape[1] * maps.shape[2]
    weights = ops.sum(ops.reshape(gradient, (-1, pooled.shape[1] * pooled.shape[2], maps.shape[3])), axis=1) / positions
    cam = ops.sum(maps * ops.reshape(weights, (-1, 1, 1, maps.shape[3])), axis=-1)
    features = ops.mean(maps, axis=(1, 2))
    return keras.Model(model.input, {"logit": logit, "cam": cam, "features": features}, name=f"{model.name}_explained")


def export_onnx(model: keras.Model, last_block: str, path: Path) -> None:
    """Write a trained classifier as ONNX, in one step.

    Args:
        model: See `explained_model`; its weights must be float32.
        last_block: See `explained_model`.
        path: File to write.

    Raises:
        StoreError: The file cannot be written.
    """
    explained = explained_model(model, last_block)
    explained(np.zeros((1, *model.input.shape[1:]), np.float32))  # Keras exports only what has been called.
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.onnx"
        with store_errors(exported):
            explained.export(exported, format="onnx", verbose=False)
        graph = onnx.load(exported)
    onnx.checker.check_model(graph)
    write_atomic(path, graph.SerializeToString())
