"""A model with its weights shuffled, which knows nothing any more: the control of the heat maps' first test."""

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from pneumo_core.inference.compression import restored

_WEIGHTED: Final = frozenset({"Conv", "Gemm", "MatMul", "BatchNormalization"})
"""Operations whose constants are a layer's weights; other constants prepare the image or shape the arrays."""


def shuffled(model: bytes, seed: int) -> bytes:
    """An exported classifier whose layers have their own weights in random order.

    Each kernel keeps its shape and values, so the sizes of signals stay about as they were (Adebayo 2018, arXiv:1810.03292,
    section 3, draws new values). Biases and the parameters of normalizations are shuffled too. Weights that the gradient of the
    logit uses are the layers' own, so Grad-CAM is that of the shuffled network.

    Args:
        model: ONNX file of a classifier, as exported or as published.
        seed: Seed of the order.
    """
    changed = restored(model)
    rng = np.random.default_rng(seed)
    for tensor in weights(changed):
        values = numpy_helper.to_array(tensor)
        order = rng.permutation(values.ravel()).reshape(values.shape)
        tensor.CopyFrom(numpy_helper.from_array(order, tensor.name))
    return bytes(changed.SerializeToString())


def weights(model: onnx.ModelProto) -> list[TensorProto]:
    """Constants of a model that are weights of its layers, in the order of the file."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    names: set[str] = set()
    for node in model.graph.node:
        if node.op_type not in _WEIGHTED:
            continue
        for tensor in node.input:
            name = tensor
            while (source := made_by.get(name)) is not None and source.op_type in {"Transpose", "Identity"}:
                name = source.input[0]
            names.add(name)
    return [tensor for tensor in model.graph.initializer if tensor.name in names]
