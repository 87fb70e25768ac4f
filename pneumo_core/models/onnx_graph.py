"""Layers of Keras as nodes of an ONNX graph, whatever backend holds their weights."""

from typing import Any, Final

import keras
import numpy as np
import onnx
from keras import activations, layers, ops
from numpy.typing import ArrayLike, NDArray
from onnx import helper, numpy_helper

from pneumo_core.errors import TrainingError

# The first opset whose ReduceMean takes its axes like ReduceSum; older runtimes read it, and nothing newer is needed.
OPSET: Final = 18
IR_VERSION: Final = 8

# Allowed kinds of layers, and the allowed values of their settings.
Kinds = dict[type[layers.Layer], dict[str, tuple[Any, ...]]]


def refusal(layer: layers.Layer, what: str, value: object, allowed: tuple[object, ...]) -> TrainingError:
    """The error for a layer's setting that cannot be exported."""
    received, *others = (getattr(item, "__name__", item) for item in (value, *allowed))
    return TrainingError(
        f"{what} of an exported layer must be one of {others}. Received: layer={layer.name!r}, {what}={received!r}; change the "
        "network, or extend the export"
    )


# Outputs and weights of a layer are named `layer/part`: names of layers have no slash, so names cannot collide.


def node(graph: onnx.GraphProto, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
    """Write a node and return the name that it shares with its result."""
    graph.node.append(helper.make_node(kind, inputs, [name], name, **attributes))
    return name


def weight(graph: onnx.GraphProto, name: str, value: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
    """Write a constant and return its name."""
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
    return name


def values(variable: keras.Variable) -> NDArray[np.float32]:
    """Values of a variable as float32."""
    return np.asarray(ops.convert_to_numpy(variable), np.float32)


def image_layer(graph: onnx.GraphProto, layer: layers.Layer, x: str) -> str:
    """Write a layer that maps images, channels first, to images."""
    name = layer.name
    match layer:
        case layers.Rescaling():
            scale, offset = (np.reshape(value, (-1, 1, 1)) for value in (layer.scale, layer.offset))
            scaled = node(graph, "Mul", f"{name}/scaled", x, weight(graph, f"{name}/scale", scale))
            return node(graph, "Add", f"{name}/rescaled", scaled, weight(graph, f"{name}/offset", offset))
        case layers.LayerNormalization():
            # Of a whole image: the mean and the variance are those of all its pixels.
            axes = weight(graph, f"{name}/axes", [1, 2, 3], np.int64)
            centered = node(graph, "Sub", f"{name}/centered", x, node(graph, "ReduceMean", f"{name}/mean", x, axes))
            squares = node(graph, "Mul", f"{name}/squares", centered, centered)
            variance = node(graph, "ReduceMean", f"{name}/variance", squares, axes)
            safe = node(graph, "Add", f"{name}/safe", variance, weight(graph, f"{name}/epsilon", layer.epsilon))
            return node(graph, "Div", f"{name}/standardized", centered, node(graph, "Sqrt", f"{name}/spread", safe))
        case layers.ReLU():
            return node(graph, "Relu", f"{name}/relu", x)
        case layers.GlobalAveragePooling2D():
            return node(graph, "GlobalAveragePool", f"{name}/pooled", x)
        case layers.Concatenate():
            return node(graph, "Concat", f"{name}/channels", *[x] * len(layer.input), axis=1)
        case layers.Conv2D():
            return weighted(graph, layer, "Conv", x, values(layer.kernel).transpose(3, 2, 0, 1), pads=(1, 1, 1, 1))
        case layers.BatchNormalization():
            parts = ("gamma", "beta", "moving_mean", "moving_variance")
            weights = [weight(graph, f"{name}/{part}", values(getattr(layer, part))) for part in parts]
            return node(graph, "BatchNormalization", f"{name}/normalized", x, *weights, epsilon=layer.epsilon)
        case _:
            return node(graph, "MaxPool", f"{name}/pooled", x, kernel_shape=(2, 2), strides=(2, 2))


def weighted(
    graph: onnx.GraphProto, layer: layers.Layer, kind: str, x: str, kernel: NDArray[np.float32], **attributes: Any
) -> str:
    """Write a layer with a kernel, and possibly a bias and a ReLU."""
    name = layer.name
    weights = [weight(graph, f"{name}/kernel", kernel)]
    if layer.use_bias:
        weights.append(weight(graph, f"{name}/bias", values(layer.bias)))
    linear = node(graph, kind, f"{name}/linear", x, *weights, **attributes)
    return node(graph, "Relu", f"{name}/relu", linear) if layer.activation is activations.relu else linear
