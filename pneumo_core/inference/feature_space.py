"""Feature spaces in which samples are compared with real images: VGG16's ImageNet features, or a trained classifier's.

Distances in different spaces cannot be compared, so a space's name accompanies its numbers.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from pneumo_core.config.architecture import LAST_BLOCK
from pneumo_core.inference.session import load_session, run_batches
from pneumo_core.models.vgg16_weights import MEANS, Weights, read_weights
from pneumo_core.runs.store import RunDirectory, verified_file

_SCALE: Final = 8.0
"""Divisor of VGG16's features, about their root mean square on chest X-rays at 64 pixels (8.1): KID's kernel (x.y/d + 1)^3
suits numbers near 1, and would otherwise be dominated by third moments."""

_BATCH: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpace:
    """A network truncated at its last convolution block, whose maps are averaged over positions.

    Attributes:
        name: Network, weights, layer and size of the images; numbers are comparable only if the names are equal.
        extract: Maps `(batch, size, size)` uint8 images to `(batch, d)` float32 features.
    """

    name: str
    extract: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def imagenet_space(weights: Path, size: int) -> FeatureSpace:
    """VGG16's features of images at their own size, `size` pixels a side: 512 numbers each.

    Raises:
        CorruptError: The file does not hold the weights.
    """
    arrays = read_weights(weights)
    digest = hashlib.sha256(b"".join(array.tobytes() for pair in arrays.values() for array in pair)).hexdigest()[:8]
    runtime = onnxruntime.InferenceSession(_vgg16(arrays), providers=["CPUExecutionProvider"])

    def extract(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        (found,) = runtime.run(["features"], {"image": images[:, None].astype(np.float32)})
        return np.asarray(found, np.float32) / np.float32(_SCALE)

    return FeatureSpace(f"VGG16 ImageNet {digest}, mean of block5_conv3 / {_SCALE:g} at {size} px", extract)


def classifier_space(run: RunDirectory, size: int) -> FeatureSpace:
    """A finished classifier's features of images enlarged from `size` pixels a side to its own size.

    Raises:
        RunError: The run is not finished.
        CorruptError: The model does not match its hash.
    """
    session = load_session(verified_file(run, run.model))
    layer = LAST_BLOCK[run.architecture]

    def extract(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return run_batches(session, enlarged(images, session.image_size), np.arange(len(images))).features

    return FeatureSpace(f"{run.run_id}, mean of {layer} at {session.image_size} px from {size}", extract)


def features(
    space: FeatureSpace, images: NDArray[np.uint8], progress: Callable[[int, int], None] = lambda _done, _total: None
) -> NDArray[np.float32]:
    """Features `(n, d)` float32 of images `(n, size, size)` uint8, computed in batches.

    Before each, `progress` is called with images done and their total; it may raise to stop.
    """
    found = []
    for start in range(0, len(images), _BATCH):
        progress(start, len(images))
        found.append(space.extract(images[start : start + _BATCH]))
    return np.concatenate(found)


def enlarged(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Images `(n, side, side)` uint8 resized to `size` pixels like every image of the project (`data.images.decode_gray`)."""
    if images.shape[1] == size:
        return images
    return np.stack([np.asarray(Image.fromarray(i).resize((size, size), Image.Resampling.BILINEAR)) for i in images])


def _vgg16(arrays: Weights) -> bytes:
    """ONNX of the convolutions on gray pixels: for three equal channels, the first kernels are summed into one channel."""
    nodes, weights = [], []
    x = "image"
    for name, (kernel, bias) in arrays.items():
        if name == "block1_conv1":
            # Padding is 0 after the means are subtracted, so each channel keeps its own mean: three channels.
            mean = numpy_helper.from_array(np.asarray(MEANS, np.float32).reshape(1, 3, 1, 1), "mean")
            weights.append(mean)
            nodes.append(helper.make_node("Sub", [x, "mean"], ["centered"]))
            x = "centered"
        elif name.endswith("conv1"):
            nodes.append(helper.make_node("MaxPool", [x], [f"{name}/pooled"], kernel_shape=(2, 2), strides=(2, 2)))
            x = f"{name}/pooled"
        weights.append(numpy_helper.from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), f"{name}/kernel"))
        weights.append(numpy_helper.from_array(bias, f"{name}/bias"))
        inputs = [x, f"{name}/kernel", f"{name}/bias"]
        nodes.append(helper.make_node("Conv", inputs, [f"{name}/linear"], pads=(1, 1, 1, 1)))
        nodes.append(helper.make_node("Relu", [f"{name}/linear"], [name]))
        x = name
    weights.append(numpy_helper.from_array(np.array([2, 3], np.int64), "sides"))
    nodes.append(helper.make_node("ReduceMean", [x, "sides"], ["features"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "vgg16_features",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", 1, "height", "width"))],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ("batch", 512))],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())
