"""The feature cache: a frozen network's features of each image, computed once and shared between seeds and runs.

A cache is an array on disk and a map of the finished rows. Rows are computed when a run first needs them and marked after
they are written, so a kill loses at most the last few seconds and a run on a sample computes only its sample.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_core.augmentation.transform import apply, draw_parameters
from pneumo_core.config.augment import AugmentConfig
from pneumo_core.config.run import SCHEMA
from pneumo_core.errors import CorruptError, TrainingError
from pneumo_core.runs.files import make_directory, store_errors, takes_lock, write_atomic, write_json

_SAVE_EVERY_S: Final = 10.0
_FEATURES: Final = "features.npy"
_DONE: Final = "done.bin"
_LARGEST: Final = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureCache:
    """Source of the features and folder of their cache.

    Attributes:
        trunk: Frozen model `(batch, size, size, 1)` float32 in [0, 255] -> `(batch, h, w, channels)`.
        folder: Folder of the caches.
        facts: Plain data that identifies the trunk: weights, scaling, image size, precision.
        batch_size: Images per call of the trunk.
        progress: Called with images done, their total and images per second; may raise to stop.
    """

    trunk: keras.Model
    folder: Path
    facts: dict[str, Any]
    batch_size: int
    progress: Callable[[int, int, float], None]


def cached_features(
    cache: FeatureCache,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    name: str,
    augment_config: AugmentConfig | None = None,
    view: int = 0,
) -> NDArray[np.float16]:
    """Features of some images; missing ones are computed and stored.

    Args:
        cache: The cache.
        images: `(count, size, size)` uint8 array.
        rows: Row numbers whose features are needed.
        name: Id of the images' content, such as a data set's id; row numbers mean the same under one name.
        augment_config: Augmentation of each image, or None for none.
        view: Number of the view; its random changes depend only on view and row.

    Returns:
        `(count, h, w, channels)` float16 array, memory-mapped and read-only; only `rows` are to be read.

    Raises:
        TrainingError: A feature is too large for float16.
        CorruptError: The cache is damaged.
        StoreError: It cannot be written.
    """
    shape = (len(images), *cache.trunk.output.shape[1:])
    changes = {"augment": None if augment_config is None else asdict(augment_config), "view": view}
    # The schema too: after a change of the code, a run would compute other features.
    facts = {**cache.facts, **changes, "images": name, "shape": list(shape), "schema": SCHEMA}
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
    folder = make_directory(cache.folder / key)
    with ExitStack() as held:
        # If two runs need the same features, the second finds them computed.
        while not takes_lock(held, folder / "lock", timeout_s=1.0):
            cache.progress(0, len(rows), 0.0)
        array, done = _open(folder, facts, shape)
        missing = np.unique(rows[~done[rows]])
        if len(missing):
            _compute(cache, images, missing, array, done, folder, augment_config, view)
    return array


def _compute(
    cache: FeatureCache,
    images: NDArray[np.uint8],
    missing: NDArray[np.int64],
    array: np.memmap[Any, np.dtype[np.float16]],
    done: NDArray[np.bool_],
    folder: Path,
    augment_config: AugmentConfig | None,
    view: int,
) -> None:
    started = saved = time.monotonic()
    for start in range(0, len(missing), cache.batch_size):
        chunk = missing[start : start + cache.batch_size]
        batch = _changed(images, chunk, augment_config, view)
        # A smaller last batch would be traced again: pad it and drop the padding's output.
        filled = np.pad(batch, [(0, cache.batch_size - len(batch)), (0, 0), (0, 0)])
        features = keras.ops.convert_to_numpy(cache.trunk.predict_on_batch(filled[..., None]))[: len(chunk)]
        largest = float(np.abs(features.astype(np.float32)).max(initial=0))
        if not largest < _LARGEST:
            raise TrainingError(
                f"features must be below {_LARGEST:.0f}, the limit of float16. Received: {largest}; "
                "check the images and the weights, or train with 0 feature views"
            )
        _write(folder, array, chunk, features.astype(np.float16))
        done[chunk] = True
        now = time.monotonic()
        if now - saved > _SAVE_EVERY_S:
            _save(done, folder)
            saved = now
        finished = start + len(chunk)
        cache.progress(finished, len(missing), finished / max(now - started, 1e-9))
    _save(done, folder)


def _changed(
    images: NDArray[np.uint8], rows: NDArray[np.int64], augment_config: AugmentConfig | None, view: int
) -> NDArray[np.float32]:
    if augment_config is None:
        return images[rows].astype(np.float32)
    # One generator per row: an image's changes must not depend on which other rows were missing.
    drawn = [
        apply(images[row : row + 1], draw_parameters(augment_config, 1, np.random.default_rng([view, int(row)])))
        for row in rows
    ]
    return np.concatenate(drawn)


def _write(
    folder: Path,
    array: np.memmap[Any, np.dtype[np.float16]],
    rows: NDArray[np.int64],
    features: NDArray[np.float16],
) -> None:
    """Write rows through the file: on a full disk, a memory map would kill the process, while the file raises an error."""
    with store_errors(folder), (folder / _FEATURES).open("r+b") as file:
        for row, values in zip(rows, features, strict=True):
            file.seek(array.offset + int(row) * values.nbytes)
            file.write(values.tobytes())


def _save(done: NDArray[np.bool_], folder: Path) -> None:
    """Mark the finished rows, after they are on disk."""
    with store_errors(folder), (folder / _FEATURES).open("r+b") as file:
        os.fsync(file.fileno())
    write_atomic(folder / _DONE, np.packbits(done).tobytes())


def _open(
    folder: Path, facts: dict[str, Any], shape: Sequence[int]
) -> tuple[np.memmap[Any, np.dtype[np.float16]], NDArray[np.bool_]]:
    """The array and the map of its finished rows; both are created if missing."""
    path, map_path = folder / _FEATURES, folder / _DONE
    with store_errors(folder):
        if not map_path.exists() or not path.exists():
            write_json(folder / "facts.json", facts)
            # Sparse: the file takes only the disk space of its finished rows.
            np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=tuple(shape))
            write_atomic(map_path, np.packbits(np.zeros(shape[0], bool)).tobytes())
        bits = np.frombuffer(map_path.read_bytes(), np.uint8)
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise _damaged(folder, str(error)) from error
    with store_errors(map_path):
        os.utime(map_path)  # `runs clean` removes caches that are unused for long.
    if array.shape != tuple(shape) or array.dtype != np.float16 or len(bits) != -(-shape[0] // 8):
        raise _damaged(folder, f"shape={array.shape}, dtype={array.dtype}, {len(bits)} bytes of map")
    return array, np.unpackbits(bits, count=shape[0]).astype(bool)


def _damaged(folder: Path, reason: str) -> CorruptError:
    return CorruptError(
        f"a feature cache must be intact. Received: path={str(folder)!r}: {reason}; delete that folder and "
        "resume the run, which computes it again"
    )
