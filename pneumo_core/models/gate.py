"""The gate's network: a small CNN with four answers, and its export as one ONNX file."""

from pathlib import Path
from typing import Final

import keras
import onnx
from keras import layers
from onnx import TensorProto, helper

from pneumo_core.config.gate import HEADS, INPUT_SIZE
from pneumo_core.models.onnx_graph import IR_VERSION, OPSET, image_layer, node, values, weight, weighted
from pneumo_core.runs.files import write_atomic

_BLOCKS: Final = ((16,), (32, 32), (64, 64), (96, 96), (128,))
"""Filters of each block's convolutions; the first works on half the input's side."""

_DENSE: Final = 64
_EPSILON: Final = 1e-3


def build_gate(*, seed: int = 0, input_size: int = INPUT_SIZE) -> keras.Model:
    """Build the gate: contrast normalization, five blocks of convolutions, and a logit for each class of each head.

    The layout of a chest decides, not the presence of its parts, so the last maps are flattened and not averaged.

    Args:
        seed: Seed of the initial weights and of dropout.
        input_size: Side of the input, in pixels; a multiple of 32.

    Returns:
        Model from `(batch, input_size, input_size, 1)` float32 in [0, 255] to `(batch, classes)` float32 logits, the heads side
        by side in the order of `HEADS`.
    """
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))
    image = keras.Input((input_size, input_size, 1), name="image")
    x = layers.AveragePooling2D(2, name="halved")(image)
    # Brightness and contrast of the whole image are removed: exports of one X-ray differ in them most.
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=_EPSILON, name="normalized")(x)
    for block, sizes in enumerate(_BLOCKS, start=1):
        for number, filters in enumerate(sizes, start=1):
            initial = keras.initializers.HeNormal(next(seeds))
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=initial, name=name)(x)
            x = layers.BatchNormalization(momentum=0.95, name=f"block{block}_bn{number}")(x)
        if block < len(_BLOCKS):
            x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.3, seed=next(seeds), name="dropout1")(x)
    x = layers.Dense(
        _DENSE, activation="relu", kernel_initializer=keras.initializers.HeNormal(next(seeds)), name="dense"
    )(x)
    x = layers.Dropout(0.2, seed=next(seeds), name="dropout2")(x)
    classes = sum(len(names) for names in HEADS.values())
    logits = layers.Dense(classes, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)), name="logits")(x)
    return keras.Model(image, logits, name="gate")


def export_gate(model: keras.Model, path: Path) -> None:
    """Write the gate as ONNX: `image` `(batch, size, size, 1)` in [0, 255] to `logits` `(batch, classes)`, float32.

    Raises:
        StoreError: The file cannot be written.
    """
    (classes,) = model.output.shape[1:]
    written = helper.make_model(
        onnx.GraphProto(
            name=model.name,
            input=[helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", *model.input.shape[1:]))],
            output=[helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", classes))],
        ),
        producer_name="pneumo_core",
        doc_string="Gray pixels in [0, 255] to logits of what an upload shows and how it stands.",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    graph = written.graph
    x = node(graph, "Transpose", "image/channels_first", "image", perm=(0, 3, 1, 2))
    for layer in model.layers:
        match layer:
            case layers.InputLayer() | layers.Dropout():
                pass
            case layers.AveragePooling2D():
                x = node(graph, "AveragePool", f"{layer.name}/pooled", x, kernel_shape=(2, 2), strides=(2, 2))
            case layers.LayerNormalization():
                x = _normalized(graph, layer.name, x)
            case layers.Flatten():
                # Keras flattens with the channels last: the rows of the dense kernel are in that order.
                x = node(graph, "Transpose", f"{layer.name}/channels_last", x, perm=(0, 2, 3, 1))
                x = node(graph, "Flatten", f"{layer.name}/flat", x)
            case layers.Dense():
                x = weighted(graph, layer, "Gemm", x, values(layer.kernel))
            case _:
                x = image_layer(graph, layer, x)
    node(graph, "Identity", "logits", x)
    data = written.SerializeToString()
    onnx.checker.check_model(data)
    write_atomic(path, data)


def _normalized(graph: onnx.GraphProto, name: str, x: str) -> str:
    """Zero mean and unit variance of each image, written in the plainest nodes."""
    axes = weight(graph, f"{name}/axes", [1, 2, 3], "int64")  # type: ignore[arg-type]
    mean = node(graph, "ReduceMean", f"{name}/mean", x, axes, keepdims=1)
    centered = node(graph, "Sub", f"{name}/centered", x, mean)
    squared = node(graph, "Mul", f"{name}/squared", centered, centered)
    variance = node(graph, "ReduceMean", f"{name}/variance", squared, axes, keepdims=1)
    safe = node(graph, "Add", f"{name}/safe", variance, weight(graph, f"{name}/epsilon", _EPSILON))
    return node(graph, "Div", f"{name}/scaled", centered, node(graph, "Sqrt", f"{name}/deviation", safe))
