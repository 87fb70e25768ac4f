"""A trained classifier as ONNX: logit, Grad-CAM and features from one graph, without a training framework.

The graph is written node by node from the layers of the Keras model, whatever backend holds their weights.

Grad-CAM (Selvaraju 2017, doi:10.1109/ICCV.2017.74, section 3) weights the last block's feature maps by the gradient of the
logit, averaged over positions. ONNX Runtime takes no gradients, so it is written out here: behind the last block lie only a
max pooling, a flattening and dense layers, whose gradient is a product of their kernels, each masked where its ReLU was
off. Max pooling hands each gradient to one position, so the sum over positions before it equals the sum after it.
"""

from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnx
from keras import activations, layers, ops
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from pneumo_core.errors import TrainingError
from pneumo_core.files import write_atomic

__all__ = ["export_onnx"]

# The first opset whose ReduceMean takes its axes as ReduceSum does; nothing newer is needed, and older runtimes read it.
_OPSET: Final = 18
_IR_VERSION: Final = 8

# Which layers may stand in a place, and which values their settings may have there.
_Kinds = dict[type[layers.Layer], dict[str, tuple[Any, ...]]]
_WINDOW: Final = {"data_format": ("channels_last",)}
_ACTIVE: Final = {"use_bias": (True,), "activation": (activations.linear, activations.relu)}
_FIXED: Final = {"strides": ((1, 1),), "dilation_rate": ((1, 1),), "groups": (1,), "padding": ("same",)}
_POOLING: Final[_Kinds] = {
    layers.MaxPooling2D: {"pool_size": ((2, 2),), "strides": ((2, 2),), "padding": ("valid",), **_WINDOW}
}
_TRUNK: Final[_Kinds] = {
    layers.Rescaling: {},
    layers.Concatenate: {"axis": (-1, 3)},
    layers.Conv2D: {"kernel_size": ((3, 3),), **_FIXED, **_WINDOW, **_ACTIVE},
    layers.BatchNormalization: {"axis": (-1, 3), "center": (True,), "scale": (True,)},
    **_POOLING,
}
_FLATTENING: Final[_Kinds] = {layers.Flatten: _WINDOW}
_HIDDEN: Final[_Kinds] = {layers.Dense: _ACTIVE}
_LOGIT: Final[_Kinds] = {layers.Dense: {"units": (1,), "use_bias": (True,), "activation": (activations.linear,)}}


def export_onnx(model: keras.Model, last_block: str, path: Path) -> None:
    """Write a trained classifier as ONNX, in one step.

    The file maps `image` `(batch, height, width, 1)` in [0, 255] to `logit` `(batch, 1)`, `cam` `(batch, h, w)` (Grad-CAM
    before ReLU and resize) and `features` `(batch, d)` (the means of the last block's maps), all float32.

    Args:
        model: Functional classifier whose layers stand in a row: up to `last_block` rescaling, gray to three channels, 3 x 3
            convolutions, batch normalizations and 2 x 2 max poolings; behind it one more max pooling, a flattening and dense
            layers down to one linear unit. Dropout may stand anywhere.
        last_block: Name of the layer that ends the last convolution block, before its pooling.
        path: File to write.

    Raises:
        TrainingError: A layer is of another kind, has other settings or stands elsewhere.
        StoreError: The file cannot be written.
    """
    trunk, (pooling, flattening, *dense) = _split(model, last_block)
    _, height, width, channels = trunk[-1].output.shape
    outputs = {"logit": (1,), "cam": (height, width), "features": (channels,)}
    written = helper.make_model(
        onnx.GraphProto(
            name=model.name,
            input=[helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", *model.input.shape[1:]))],
            output=[
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", *s)) for name, s in outputs.items()
            ],
        ),
        producer_name="pneumo_core",
        doc_string=f"Gray pixels in [0, 255] to a logit, its Grad-CAM on {last_block} and the means of that block's maps.",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    graph = written.graph  # Filled in place: a graph that is made first is copied, weights and all.
    maps = _node(graph, "Transpose", "image/channels_first", "image", perm=(0, 3, 1, 2))
    for layer in trunk:
        maps = _image_layer(graph, layer, maps)
    pooled = _image_layer(graph, pooling, maps)
    # Keras flattens with the channels last: the rows of the first kernel stand in that order.
    pooled = _node(graph, "Transpose", f"{flattening.name}/channels_last", pooled, perm=(0, 2, 3, 1))
    gradient = _head(graph, dense, _node(graph, "Flatten", f"{flattening.name}/flat", pooled))
    _explain(graph, maps, gradient, positions=height * width, channels=channels)

    data = written.SerializeToString()
    onnx.checker.check_model(data)
    write_atomic(path, data)


def _split(model: keras.Model, last_block: str) -> tuple[list[layers.Layer], list[layers.Layer]]:
    """Layers up to `last_block` and behind it, without dropout: all in a row, each of a kind that can stand in its place."""
    chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    source = model.inputs[0]
    for layer in chain:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if any(tensor is not source for tensor in inputs):
            raise _refusal(layer, "inputs", [tensor.name for tensor in inputs], (source.name,))
        source = layer.output

    names = [layer.name for layer in chain]
    if last_block not in names:
        raise TrainingError(f"the last block must be a layer. Received: last_block={last_block!r}, not among {names}")
    cut = names.index(last_block) + 1
    trunk, head = (
        [layer for layer in part if type(layer) is not layers.Dropout] for part in (chain[:cut], chain[cut:])
    )
    places = [_POOLING, _FLATTENING, *[_HIDDEN] * (len(head) - 3), _LOGIT]
    if len(head) < len(places):
        raise TrainingError(
            "behind the last block must stand a max pooling, a flattening and dense layers. "
            f"Received: last_block={last_block!r}, behind it {names[cut:]}"
        )
    for layer, kinds in zip([*trunk, *head], [*[_TRUNK] * len(trunk), *places], strict=True):
        if type(layer) not in kinds:
            raise _refusal(layer, "kind", type(layer).__name__, tuple(kind.__name__ for kind in kinds))
        for setting, values in kinds[type(layer)].items():
            if (value := getattr(layer, setting)) not in values:
                raise _refusal(layer, setting, value, values)
    return trunk, head


def _refusal(layer: layers.Layer, what: str, value: object, allowed: tuple[object, ...]) -> TrainingError:
    told, *others = (getattr(item, "__name__", item) for item in (value, *allowed))
    return TrainingError(
        f"{what} of an exported layer must be one of {others}. Received: layer={layer.name!r}, {what}={told!r}; change the "
        "network, or teach the layer to models/export.py"
    )


# What a layer gives and holds is called `layer/part`: layers have no slash in their names, so none can take an output's.


def _node(graph: onnx.GraphProto, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
    """Write a node and return the name that it shares with its result."""
    graph.node.append(helper.make_node(kind, inputs, [name], name, **attributes))
    return name


def _weight(graph: onnx.GraphProto, name: str, value: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
    return name


def _variable(variable: keras.Variable) -> NDArray[np.float32]:
    return np.asarray(ops.convert_to_numpy(variable), np.float32)


def _image_layer(graph: onnx.GraphProto, layer: layers.Layer, x: str) -> str:
    """Write a layer that maps images, channels first, to images."""
    name = layer.name
    match layer:
        case layers.Rescaling():
            scale, offset = (np.reshape(value, (-1, 1, 1)) for value in (layer.scale, layer.offset))
            scaled = _node(graph, "Mul", f"{name}/scaled", x, _weight(graph, f"{name}/scale", scale))
            return _node(graph, "Add", f"{name}/rescaled", scaled, _weight(graph, f"{name}/offset", offset))
        case layers.Concatenate():
            return _node(graph, "Concat", f"{name}/channels", *[x] * len(layer.input), axis=1)
        case layers.Conv2D():
            return _weighted(graph, layer, "Conv", x, _variable(layer.kernel).transpose(3, 2, 0, 1), pads=(1, 1, 1, 1))
        case layers.BatchNormalization():
            parts = ("gamma", "beta", "moving_mean", "moving_variance")
            weights = [_weight(graph, f"{name}/{part}", _variable(getattr(layer, part))) for part in parts]
            return _node(graph, "BatchNormalization", f"{name}/normalized", x, *weights, epsilon=layer.epsilon)
        case _:
            return _node(graph, "MaxPool", f"{name}/pooled", x, kernel_shape=(2, 2), strides=(2, 2))


def _weighted(
    graph: onnx.GraphProto, layer: layers.Layer, kind: str, x: str, kernel: NDArray[np.float32], **attributes: Any
) -> str:
    """Write a layer of kernel, bias and perhaps ReLU."""
    name = layer.name
    weights = _weight(graph, f"{name}/kernel", kernel), _weight(graph, f"{name}/bias", _variable(layer.bias))
    linear = _node(graph, kind, f"{name}/linear", x, *weights, **attributes)
    return _node(graph, "Relu", f"{name}/relu", linear) if layer.activation is activations.relu else linear


def _head(graph: onnx.GraphProto, dense: list[layers.Dense], x: str) -> str:
    """Write the dense layers from `x`, `(batch, d)`, to `logit`, and back to its gradient, `(batch or 1, d)`."""
    outputs = []
    for layer in dense:
        x = _weighted(graph, layer, "Gemm", x, _variable(layer.kernel))
        outputs.append(x)
    _node(graph, "Identity", "logit", x)

    gradient = _weight(graph, "logit/gradient", [[1.0]])
    for layer, output in zip(reversed(dense), reversed(outputs), strict=True):
        if layer.activation is activations.relu:
            # What a ReLU gives is positive where its slope is 1, and 0 where its slope is 0.
            slope = _node(graph, "Sign", f"{layer.name}/slope", output)
            gradient = _node(graph, "Mul", f"{layer.name}/linear_gradient", gradient, slope)
        # The kernel itself, transposed in passing: a copy would double the head in the file and in memory.
        gradient = _node(graph, "Gemm", f"{layer.name}/input_gradient", gradient, f"{layer.name}/kernel", transB=1)
    return gradient


def _explain(graph: onnx.GraphProto, maps: str, gradient: str, *, positions: int, channels: int) -> None:
    """Write `cam` and `features` from the maps and the gradient of the logit to the flattened, pooled maps."""
    shape = _weight(graph, "cam/shape", (0, -1, channels), np.int64)  # 0 keeps the batch, -1 is the pooled positions.
    by_position = _node(graph, "Reshape", "cam/by_position", gradient, shape)
    second, sides = _weight(graph, "cam/second", [1], np.int64), _weight(graph, "cam/sides", [2, 3], np.int64)
    total = _node(graph, "ReduceSum", "cam/total", by_position, second, keepdims=0)
    mean = _node(graph, "Div", "cam/mean", total, _weight(graph, "cam/positions", positions))
    weighted = _node(graph, "Mul", "cam/weighted", maps, _node(graph, "Unsqueeze", "cam/weights", mean, sides))
    _node(graph, "ReduceSum", "cam", weighted, second, keepdims=0)
    _node(graph, "ReduceMean", "features", maps, sides, keepdims=0)
