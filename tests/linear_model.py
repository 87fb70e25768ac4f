"""An exported classifier so small that its maps can be computed by hand: one weight for each pixel."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["linear_model"]


def linear_model(weights: np.ndarray, *, base: np.ndarray | None = None) -> bytes:
    """A model whose logit is the sum of weights times pixels.

    Its map is each pixel's product, or `base` for every image: a map that owes nothing to the weights.

    Args:
        weights: `(side, side)`.
        base: `(side, side)` or None.
    """
    side = weights.shape[0]
    constants = {
        "kernel": np.asarray(weights, np.float32).reshape(-1, 1),
        "one": np.ones((1, 1), np.float32),
        "flat": np.array([0, side * side]),
        "grid": np.array([0, side, side]),
        "share": np.array(base is None, np.float32),
        "base": np.zeros((side, side), np.float32) if base is None else np.asarray(base, np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["pixels"]),
        helper.make_node("Gemm", ["pixels", "kernel"], ["logit"]),
        helper.make_node("Gemm", ["one", "kernel"], ["gradient"], transB=1),  # As in an export, the kernel itself.
        helper.make_node("Mul", ["pixels", "gradient"], ["products"]),
        helper.make_node("Reshape", ["products", "grid"], ["map"]),
        helper.make_node("Mul", ["map", "share"], ["scaled"]),
        helper.make_node("Add", ["scaled", "base"], ["cam"]),
        helper.make_node("Identity", ["pixels"], ["features"]),
    ]
    shapes = {"logit": (1,), "cam": (side, side), "features": (side * side,)}
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", side, side, 1))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", *shape)) for name, shape in shapes.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
