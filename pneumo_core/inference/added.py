"""The samples that a DCGAN adds to a training set: generated once for a seed and a number, and shared between runs."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pneumo_core.data.images import content_id, load_array
from pneumo_core.inference.samples import sample_to_folder
from pneumo_core.runs.store import RunDirectory, datasets_root, read_manifest


def added_samples(
    gan: RunDirectory,
    *,
    count: int,
    seed: int,
    size: int,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> NDArray[np.uint8]:
    """The first samples of a seed as a classifier's input: PNG files, decoded and resized by the same code as real images.

    Returns:
        `(count, size, size)` uint8 array, memory-mapped; `size` is the side of the classifier's images, in pixels.

    Raises:
        ConfigError: `count` or `seed` is out of its range.
        RunError: The run is not finished, or a classifier's.
        CorruptError: The model or the manifest of the samples does not match its hash.
        DataError: A sample's file holds another image, or the folder holds other files.
        StoreError: The files cannot be written.
    """
    if count == 0:  # The classes are balanced.
        return np.empty((0, size, size), np.uint8)
    model = read_manifest(gan)["files"][gan.model.name][:12]
    folder = datasets_root() / "synthetic" / f"{gan.run_id}-{model}-seed{seed}-{count}"
    files = sample_to_folder(gan, folder, count=count, seed=seed, progress=progress)["files"]
    names, hashes = [file["name"] for file in files], [file["sha256"] for file in files]
    return load_array(folder, names, data_id=content_id(names, hashes), size=size)
