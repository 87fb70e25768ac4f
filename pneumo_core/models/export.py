"""A trained classifier as ONNX: logit, Grad-CAM and features from one graph, without a training framework.

The graph is written node by node from the layers of the Keras model, whatever backend holds their weights.

Grad-CAM (Selvaraju 2017, doi:10.1109/ICCV.2017.74, section 3) weights the last block's feature maps by the gradient of the
logit, averaged over positions. ONNX Runtime takes no gradients, so it is written out here: behind the last block lie only a
pooling, a flattening and dense layers, whose gradient is a product of their kernels, each masked where its ReLU was inactive.
Max pooling passes each gradient to one position, and global average pooling an equal part to all, so the sum over positions
before either equals the sum after it.
"""

from pathlib import Path
from typing import Final

import keras
import numpy as np
import onnx
from keras import activations, layers
from onnx import TensorProto, helper

from pneumo_core.errors import TrainingError
from pneumo_core.models.onnx_graph import IR_VERSION, OPSET, Kinds, image_layer, node, refusal, values, weight, weighted
from pneumo_core.runs.files import write_atomic

_WINDOW: Final = {"data_format": ("channels_last",)}
_ACTIVE: Final = {"use_bias": (True,), "activation": (activations.linear, activations.relu)}
_FIXED: Final = {"strides": ((1, 1),), "dilation_rate": ((1, 1),), "groups": (1,), "padding": ("same",)}
_POOLING: Final[Kinds] = {
    layers.MaxPooling2D: {"pool_size": ((2, 2),), "strides": ((2, 2),), "padding": ("valid",), **_WINDOW}
}
_TRUNK: Final[Kinds] = {
    layers.Rescaling: {},
    layers.LayerNormalization: {
        "axis": ([1, 2, 3],),
        "center": (False,),
        "scale": (False,),
        "rms_scaling": (False,),
    },
    layers.ReLU: {"max_value": (None,), "negative_slope": (0,), "threshold": (0,)},
    layers.Concatenate: {"axis": (-1, 3)},
    layers.Conv2D: {"kernel_size": ((3, 3),), **_FIXED, **_WINDOW, "activation": _ACTIVE["activation"]},
    layers.BatchNormalization: {"axis": (-1, 3), "center": (True,), "scale": (True,)},
    **_POOLING,
}
_FLATTENING: Final[Kinds] = {layers.Flatten: _WINDOW}
_AVERAGE: Final[Kinds] = {layers.GlobalAveragePooling2D: {"keepdims": (False,), **_WINDOW}}
_HIDDEN: Final[Kinds] = {layers.Dense: _ACTIVE}
_LOGIT: Final[Kinds] = {layers.Dense: {"units": (1,), "use_bias": (True,), "activation": (activations.linear,)}}


def export_onnx(model: keras.Model, last_block: str, path: Path, *, test_time_flip: bool = False) -> None:
    """Write a trained classifier as ONNX, in one step.

    The file maps `image` `(batch, height, width, 1)` in [0, 255] to `logit` `(batch, 1)`, `cam` `(batch, h, w)` (Grad-CAM
    before ReLU and resize) and `features` `(batch, d)` (the means of the last block's maps), all float32.

    Args:
        model: Functional classifier whose layers form a sequence: up to `last_block` rescaling or standardization, gray to
            three channels, 3 x 3 convolutions, batch normalizations, ReLUs and 2 x 2 max poolings; behind it one more max
            pooling and a flattening, or a global average pooling, and dense layers down to one linear unit. Dropout may occur
            anywhere.
        last_block: Name of the layer that ends the last convolution block, before its pooling.
        path: File to write.
        test_time_flip: Whether the outputs are the means of those for the image and for its mirror image, whose `cam` is
            mirrored back.

    Raises:
        TrainingError: A layer is of another kind, has other settings or another position.
        StoreError: The file cannot be written.
    """
    trunk, pooling, dense = _split(model, last_block)
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
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    graph = written.graph  # Filled in place: a graph that is built first would be copied with its weights.
    maps = node(graph, "Transpose", "image/channels_first", "image", perm=(0, 3, 1, 2))
    if test_time_flip:
        maps = node(graph, "Concat", "image/both", maps, _mirrored(graph, maps, axis=3), axis=0)
    for layer in trunk:
        maps = image_layer(graph, layer, maps)
    pooled = image_layer(graph, pooling, maps)
    # Keras flattens with the channels last: the rows of the first kernel are in that order.
    pooled = node(graph, "Transpose", "pooled/channels_last", pooled, perm=(0, 2, 3, 1))
    logit, gradient = _head(graph, dense, node(graph, "Flatten", "pooled/flat", pooled))
    cam, features = _explain(graph, maps, gradient, positions=height * width, channels=channels)
    for name, found in zip(outputs, (logit, cam, features), strict=True):
        if test_time_flip:
            _mean_of_halves(graph, name, found)
        else:
            node(graph, "Identity", name, found)

    data = written.SerializeToString()
    onnx.checker.check_model(data)
    write_atomic(path, data)


def _mirrored(graph: onnx.GraphProto, x: str, *, axis: int) -> str:
    """Write `x` with an axis, its width, in reverse."""
    bounds = {"first": -1, "last": np.iinfo(np.int64).min, "axis": axis, "step": -1}
    inputs = [weight(graph, f"{x}/mirror_{name}", [value], np.int64) for name, value in bounds.items()]
    return node(graph, "Slice", f"{x}/mirrored", x, *inputs)


def _mean_of_halves(graph: onnx.GraphProto, name: str, both: str) -> None:
    """Write an output as the mean of the halves of a batch, of which the second is that of the mirror images."""
    halves = [f"{both}/plain", f"{both}/flipped"]
    graph.node.append(helper.make_node("Split", [both], halves, f"{both}/halves", axis=0, num_outputs=2))
    if name == "cam":
        halves[1] = _mirrored(graph, halves[1], axis=2)
    total = node(graph, "Add", f"{both}/total", *halves)
    node(graph, "Mul", name, total, weight(graph, f"{both}/half", 0.5))


def _split(model: keras.Model, last_block: str) -> tuple[list[layers.Layer], layers.Layer, list[layers.Layer]]:
    """Layers up to `last_block`, the pooling behind it, and the dense ones, after checking their sequence and kinds."""
    chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    source = model.inputs[0]
    for layer in chain:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if any(tensor is not source for tensor in inputs):
            raise refusal(layer, "inputs", [tensor.name for tensor in inputs], (source.name,))
        source = layer.output

    names = [layer.name for layer in chain]
    if last_block not in names:
        raise TrainingError(f"the last block must be a layer. Received: last_block={last_block!r}, not among {names}")
    cut = names.index(last_block) + 1
    trunk, head = (
        [layer for layer in part if type(layer) is not layers.Dropout] for part in (chain[:cut], chain[cut:])
    )
    averages = bool(head) and type(head[0]) in _AVERAGE
    start = [_AVERAGE] if averages else [_POOLING, _FLATTENING]
    places = [*start, *[_HIDDEN] * (len(head) - len(start) - 1), _LOGIT]
    if len(head) < len(places):
        raise TrainingError(
            "a pooling, after a max pooling a flattening, and dense layers must follow the last block. "
            f"Received: last_block={last_block!r}, behind it {names[cut:]}"
        )
    for layer, kinds in zip([*trunk, *head], [*[_TRUNK] * len(trunk), *places], strict=True):
        if type(layer) not in kinds:
            raise refusal(layer, "kind", type(layer).__name__, tuple(kind.__name__ for kind in kinds))
        for setting, allowed in kinds[type(layer)].items():
            if (value := getattr(layer, setting)) not in allowed:
                raise refusal(layer, setting, value, allowed)
    return trunk, head[0], head[len(start) :]


def _head(graph: onnx.GraphProto, dense: list[layers.Dense], x: str) -> tuple[str, str]:
    """Write the dense layers from `x`, `(batch, d)`, to the logit, and back to its gradient, `(batch or 1, d)`."""
    outputs = []
    for layer in dense:
        x = weighted(graph, layer, "Gemm", x, values(layer.kernel))
        outputs.append(x)
    logit = x
    gradient = weight(graph, "logit/own_gradient", [[1.0]])
    for layer, output in zip(reversed(dense), reversed(outputs), strict=True):
        if layer.activation is activations.relu:
            # The output of a ReLU is positive where its slope is 1, and 0 where its slope is 0.
            slope = node(graph, "Sign", f"{layer.name}/slope", output)
            gradient = node(graph, "Mul", f"{layer.name}/linear_gradient", gradient, slope)
        # The kernel itself, transposed in the node: a copy would double the head in the file and in memory.
        gradient = node(graph, "Gemm", f"{layer.name}/input_gradient", gradient, f"{layer.name}/kernel", transB=1)
    return logit, gradient


def _explain(graph: onnx.GraphProto, maps: str, gradient: str, *, positions: int, channels: int) -> tuple[str, str]:
    """Write Grad-CAM and features from the maps and the gradient of the logit to the flattened, pooled maps."""
    shape = weight(graph, "cam/shape", (0, -1, channels), np.int64)  # 0 keeps the batch, -1 is the pooled positions.
    by_position = node(graph, "Reshape", "cam/by_position", gradient, shape)
    second, sides = weight(graph, "cam/second", [1], np.int64), weight(graph, "cam/sides", [2, 3], np.int64)
    total = node(graph, "ReduceSum", "cam/total", by_position, second, keepdims=0)
    mean = node(graph, "Div", "cam/mean", total, weight(graph, "cam/positions", positions))
    weighted = node(graph, "Mul", "cam/weighted", maps, node(graph, "Unsqueeze", "cam/weights", mean, sides))
    cam = node(graph, "ReduceSum", "cam/map", weighted, second, keepdims=0)
    return cam, node(graph, "ReduceMean", "features/mean", maps, sides, keepdims=0)
