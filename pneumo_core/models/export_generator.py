"""A trained DCGAN's generator as ONNX, written node by node like a classifier (see `models.export`)."""

from pathlib import Path
from typing import Final

import keras
import numpy as np
import onnx
from keras import activations, layers
from onnx import TensorProto, helper

from pneumo_core.errors import TrainingError
from pneumo_core.models.onnx_graph import IR_VERSION, OPSET, Kinds, image_layer, node, refusal, values, weight
from pneumo_core.runs.files import write_atomic

_DENSE: Final[Kinds] = {layers.Dense: {"use_bias": (False,), "activation": (activations.linear,)}}
_MAPS: Final[Kinds] = {layers.Reshape: {}}
_IMAGES: Final[Kinds] = {
    layers.BatchNormalization: {"axis": (-1, 3), "center": (True,), "scale": (True,)},
    layers.ReLU: {"max_value": (None,), "negative_slope": (0,), "threshold": (0,)},
    layers.Conv2DTranspose: {
        "kernel_size": ((4, 4),),
        "strides": ((2, 2),),
        "padding": ("same",),
        "output_padding": (None,),
        "dilation_rate": ((1, 1),),
        "data_format": ("channels_last",),
        "activation": (activations.linear,),
    },
    layers.Activation: {"activation": (activations.tanh,)},
    layers.Rescaling: {},
}


def export_generator(generator: keras.Model, path: Path) -> None:
    """Write a generator as ONNX, in one step.

    The file maps `latents` `(batch, latent_dim)` to `image` `(batch, size, size)`, both float32, the second gray in
    [0, 255] up to rounding. Normalizations use their moving statistics.

    Args:
        generator: Functional model whose layers form a sequence: a dense layer without bias, a reshaping to maps, then batch
            normalizations, ReLUs, 4 x 4 transposed convolutions that double the side, tanh and rescalings, down to one
            channel.
        path: File to write.

    Raises:
        TrainingError: A layer is of another kind, has other settings or another position.
        StoreError: The file cannot be written.
    """
    dense, reshaping, *rest = _checked(generator)
    written = helper.make_model(
        onnx.GraphProto(
            name=generator.name,
            input=[helper.make_tensor_value_info("latents", TensorProto.FLOAT, ("batch", generator.input.shape[1]))],
            output=[helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", *generator.output.shape[1:3]))],
        ),
        producer_name="pneumo_core",
        doc_string="Latents of the standard normal distribution to synthetic X-rays, gray pixels in [0, 255].",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    graph = written.graph  # Filled in place: a graph that is built first would be copied with its weights.
    kernel = weight(graph, f"{dense.name}/kernel", values(dense.kernel))
    flat = node(graph, "MatMul", f"{dense.name}/linear", "latents", kernel)
    shape = weight(graph, f"{reshaping.name}/shape", (-1, *reshaping.output.shape[1:]), np.int64)
    # Keras' maps have their channels last, ONNX's first.
    maps = node(graph, "Reshape", f"{reshaping.name}/channels_last", flat, shape)
    maps = node(graph, "Transpose", f"{reshaping.name}/channels_first", maps, perm=(0, 3, 1, 2))
    for layer in rest:
        maps = _layer(graph, layer, maps)
    node(graph, "Squeeze", "image", maps, weight(graph, "image/channel", [1], np.int64))

    data = written.SerializeToString()
    onnx.checker.check_model(data)
    write_atomic(path, data)


def _checked(generator: keras.Model) -> list[layers.Layer]:
    """The generator's layers without its input, after checking their sequence and kinds."""
    chain = [layer for layer in generator.layers if not isinstance(layer, layers.InputLayer)]
    places = [_DENSE, _MAPS, *[_IMAGES] * (len(chain) - 2)]
    source = generator.inputs[0]
    for layer, kinds in zip(chain, places, strict=False):
        if layer.input is not source:
            raise refusal(layer, "input", getattr(layer.input, "name", "several"), (source.name,))
        source = layer.output
        if type(layer) not in kinds:
            raise refusal(layer, "kind", type(layer).__name__, tuple(kind.__name__ for kind in kinds))
        for setting, allowed in kinds[type(layer)].items():
            if (value := getattr(layer, setting)) not in allowed:
                raise refusal(layer, setting, value, allowed)
    match generator.inputs[0].shape, source.shape:
        case (None, int()), (None, int(height), int(width), 1) if height == width and source is generator.output:
            return chain
    raise TrainingError(
        "a generator must map latents to square images of one channel. "
        f"Received: inputs={[tensor.shape for tensor in generator.inputs]}, last layer's shape={source.shape}"
    )


def _layer(graph: onnx.GraphProto, layer: layers.Layer, x: str) -> str:
    """Write a layer that maps images, channels first, to images."""
    name = layer.name
    match layer:
        case layers.Conv2DTranspose():
            weights = [weight(graph, f"{name}/kernel", values(layer.kernel).transpose(3, 2, 0, 1))]
            if layer.use_bias:
                weights.append(weight(graph, f"{name}/bias", values(layer.bias)))
            # A doubled side is (side - 1) * 2 + 4 less one pixel at each edge.
            return node(graph, "ConvTranspose", f"{name}/linear", x, *weights, strides=(2, 2), pads=(1, 1, 1, 1))
        case layers.ReLU():
            return node(graph, "Relu", f"{name}/relu", x)
        case layers.Activation():
            return node(graph, "Tanh", f"{name}/tanh", x)
        case _:
            return image_layer(graph, layer, x)
