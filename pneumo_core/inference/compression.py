"""A model's file in fewer bytes: large weights as float16, or as integers of 12 and 8 bits where that is still too large.

Only the file is small. Its weights become float32 again while ONNX Runtime loads it, and it computes as the original does.
"""

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pneumo_core.errors import CorruptError, RunError

MOST_BYTES: Final = 33_000_000
"""Maximum size of a published model: with its evidence, a run takes at most 34 MB of the checkout."""

_SMALL: Final = 1024
"""Smaller tensors stay float32: they take little space, and batch normalization's are sensitive."""

_MATRIX: Final = 1 << 20
"""Smaller matrices stay float16: they take little space."""

_KERNEL_LEVELS: Final = 2047
"""Largest integer of 12 bits."""

_MATRIX_LEVELS: Final = 127
"""Largest integer of 8 bits."""

_NIBBLE: Final = 16
"""Values of 4 bits."""

_MADE: Final = ("make ", "cast_")
"""Beginnings of the names of the nodes that turn stored weights back into float32."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """A model's file in fewer bytes, and how its weights are stored in it, for the manifest."""

    model: bytes
    stored_as: str


def compressed(model: bytes, most_bytes: int = MOST_BYTES) -> Compressed:
    """The first of two forms that fits: all large weights as float16, or as integers (`to_integers`).

    Raises:
        CorruptError: The bytes are not an ONNX file.
        RunError: Neither fits.
    """
    half = to_float16(model)
    if len(half) <= most_bytes:
        return Compressed(half, "float16")
    integers = to_float16(to_integers(model))
    if len(integers) <= most_bytes:
        return Compressed(integers, "integers of 12 and 8 bits")
    raise RunError(
        f"a published model must take at most {most_bytes:,} bytes. Received: {len(half):,} bytes in float16 and "
        f"{len(integers):,} in integers; publish its evidence alone"
    )


def to_float16(model: bytes) -> bytes:
    """An ONNX file with its large float32 weights as float16, cast back to float32 when it is loaded.

    Halves the file; computation stays in float32.

    Raises:
        CorruptError: The bytes are not an ONNX file.
    """
    graph = _opened(model)
    casts = []
    for index, tensor in enumerate(graph.graph.initializer):
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < _SMALL:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), f"{name}_float16"))
        casts.append(helper.make_node("Cast", [f"{name}_float16"], [name], f"cast_{index}", to=onnx.TensorProto.FLOAT))
    return _written(graph, casts)


def to_integers(model: bytes) -> bytes:
    """An ONNX file with the large kernels of its convolutions in 12 bits, and very large matrices of its dense layers in 8.

    Each output channel of a kernel, and each row of a matrix, has a float32 scale, by which its largest weight is the largest
    integer (symmetric, per channel: Krishnamoorthi 2018, arXiv:1806.08342, section 2.1). Convolutions follow one another,
    so that their errors add up: they need the finer steps. The integers become float32 weights when the file is loaded.

    Raises:
        CorruptError: The bytes are not an ONNX file.
    """
    opened = _opened(model)
    made = onnx.GraphProto()  # New constants and nodes, to be put before the model's own.
    _constant(made, "nibble", _NIBBLE)
    _constant(made, "four", 4, np.uint8)
    for tensor in opened.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < _SMALL:
            continue
        match array.shape:
            case (_, inputs, _, _) if inputs % 2 == 0:  # A byte holds what two inputs have beyond 8 bits.
                kept = _kernel(made, tensor.name, array)
            case (_, _) if array.size >= _MATRIX:
                kept = _matrix(made, tensor.name, array)
            case _:
                continue
        tensor.CopyFrom(kept)
    opened.graph.initializer.extend(made.initializer)
    return _written(opened, list(made.node))


def restored(model: bytes) -> onnx.ModelProto:
    """A model, compressed or not, with its weights as float32 constants, as they are once it is loaded.

    Raises:
        CorruptError: The bytes are not an ONNX file.
    """
    opened = _opened(model)
    made = [node for node in opened.graph.node if node.name.startswith(_MADE)]
    outputs = {name for node in made for name in node.output}
    read = {name for node in opened.graph.node if not node.name.startswith(_MADE) for name in node.input}
    inputs = {name for node in made for name in node.input} - outputs
    constants = [tensor for tensor in opened.graph.initializer if tensor.name in inputs]
    wanted = sorted(outputs & read)
    infos = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in wanted]
    graph = helper.make_graph(made, "weights", [], infos, constants)
    weights = ReferenceEvaluator(helper.make_model(graph, opset_imports=opened.opset_import)).run(None, {})
    for node in made:
        opened.graph.node.remove(node)
    for tensor in constants:
        if tensor.name not in read:
            opened.graph.initializer.remove(tensor)
    for name, weight in zip(wanted, weights, strict=True):
        _constant(opened.graph, name, weight)
    return opened


def _kernel(graph: onnx.GraphProto, name: str, kernel: NDArray[np.float32]) -> onnx.TensorProto:
    """Write nodes that make the kernel, `(out, in, h, w)`, and return its upper 8 bits; the lower 4 are a constant."""
    levels, scale = _levels(kernel, (1, 2, 3), _KERNEL_LEVELS)
    rest = (levels % _NIBBLE).astype(np.uint8)
    half = rest.shape[1] // 2
    _constant(graph, f"{name}/pairs", rest[:, :half] + _NIBBLE * rest[:, half:], np.uint8)
    pairs, four = f"{name}/pairs", "four"
    second = _node(graph, "BitShift", f"{name}/second", pairs, four, direction="RIGHT")
    raised = _node(graph, "BitShift", f"{name}/raised", pairs, four, direction="LEFT")
    first = _node(graph, "BitShift", f"{name}/first", raised, four, direction="RIGHT")
    both = _node(graph, "Concat", f"{name}/lower", first, second, axis=1)
    lower = _node(graph, "Cast", f"{name}/lower_float", both, to=onnx.TensorProto.FLOAT)
    upper = _node(graph, "Cast", f"{name}/upper_float", f"{name}/upper", to=onnx.TensorProto.FLOAT)
    shifted = _node(graph, "Mul", f"{name}/shifted", upper, "nibble")
    whole = _node(graph, "Add", f"{name}/levels", shifted, lower)
    _node(graph, "Mul", name, whole, _constant(graph, f"{name}/scale", scale))
    return numpy_helper.from_array((levels // _NIBBLE).astype(np.int8), f"{name}/upper")


def _matrix(graph: onnx.GraphProto, name: str, matrix: NDArray[np.float32]) -> onnx.TensorProto:
    """Write nodes that make the matrix, `(in, out)`, and return its integers."""
    levels, scale = _levels(matrix, (1,), _MATRIX_LEVELS)
    whole = _node(graph, "Cast", f"{name}/levels_float", f"{name}/levels", to=onnx.TensorProto.FLOAT)
    # Not DequantizeLinear: ONNX Runtime keeps that for integer arithmetic, and would multiply at each image.
    _node(graph, "Mul", name, whole, _constant(graph, f"{name}/scale", scale))
    return numpy_helper.from_array(levels.astype(np.int8), f"{name}/levels")


def _levels(
    weights: NDArray[np.float32], axes: tuple[int, ...], largest: int
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Integers from -largest to largest, and the scale of those that share the other axes, which broadcasts to them."""
    peak = np.abs(weights).max(axis=axes, keepdims=True)
    scale = (np.where(peak > 0, peak, 1) / largest).astype(np.float32)
    return np.clip(np.rint(weights / scale), -largest, largest).astype(np.int16), scale


def _node(graph: onnx.GraphProto, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
    """Write a node and return the name of its result, which may be that of a weight that other nodes read."""
    graph.node.append(helper.make_node(kind, inputs, [name], f"make {name}", **attributes))
    return name


def _constant(graph: onnx.GraphProto, name: str, value: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
    """Write a constant and return its name."""
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype), name))
    return name


def _opened(model: bytes) -> onnx.ModelProto:
    try:
        onnx.checker.check_model(model)
    except (ValueError, onnx.checker.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise CorruptError(f"model.onnx must be an ONNX model. Received: {len(model):,} bytes: {reason}") from error
    return onnx.load(io.BytesIO(model))


def _written(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> bytes:
    """The model with nodes, in their order, before its own."""
    for one in reversed(nodes):
        model.graph.node.insert(0, one)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
