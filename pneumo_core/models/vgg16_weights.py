"""VGG16's ImageNet weights as published by keras.applications: located, read and checked without Keras."""

from pathlib import Path
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pneumo_core.config.architecture import VGG16_BLOCKS
from pneumo_core.errors import CorruptError
from pneumo_core.settings import keras_home, named_vgg16_weights

# keras.applications.vgg16 of Keras 3.15: its own file and checksum.
FILE: Final = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL: Final = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{FILE}"
MD5: Final = "6d6bbae143d832006294945121d1f1fc"

MEANS: Final = (103.939, 116.779, 123.68)
"""Means of ImageNet's blue, green and red (Simonyan and Zisserman 2015, arXiv:1409.1556, section 2.1; values of
keras.applications). The order of the channels does not matter, because all three have the same gray values."""

Weights = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Kernel (3, 3, channels, filters) and bias (filters,) of each convolution, by its name, in the network's order."""


def found_file() -> Path | None:
    """Path of the weights on this machine: `$PNEUMO_VGG16_WEIGHTS`, else Keras' earlier download, else None.

    Raises:
        ConfigError: The setting does not name a file.
    """
    found = named_vgg16_weights() or keras_home() / "models" / FILE
    return found if found.is_file() else None


def read_weights(path: Path) -> Weights:
    """Weights in a file, which has a group with a kernel and a bias for each layer.

    Raises:
        CorruptError: The file is not an HDF5 file, lacks a layer, or holds a layer of another shape or non-finite weights.
    """
    try:
        with h5py.File(path) as file:
            return _read(file)
    except (OSError, KeyError, ValueError, RuntimeError) as error:  # HDF5's, depending on where the damage is.
        reason = " ".join(str(error).split())
        raise CorruptError(
            f"PNEUMO_VGG16_WEIGHTS must name {FILE} of keras.applications. Received: path={str(path)!r}: {reason}"
        ) from error


def _read(file: h5py.File) -> Weights:
    weights = {}
    channels = 3
    for block, (convolutions, filters) in enumerate(VGG16_BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            name = f"block{block}_conv{number}"
            group = file[name]
            items = group.values() if isinstance(group, h5py.Group) else ()
            numbers = [item for item in items if isinstance(item, h5py.Dataset) and item.dtype.kind == "f"]
            # Identified by their axes, because the names of the arrays differ between files.
            found = sorted((item[()].astype(np.float32) for item in numbers), key=lambda array: -array.ndim)
            shapes = [array.shape for array in found]
            if shapes != [(3, 3, channels, filters), (filters,)]:
                raise ValueError(f"{name} has the shapes {shapes}")
            if not all(np.isfinite(array).all() for array in found):
                raise ValueError(f"{name} has weights that are not finite")
            weights[name] = found[0], found[1]
            channels = filters
    return weights
