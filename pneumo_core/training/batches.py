"""Batches: the choice and order of rows, and the conversion of rows to a network's input."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_core.augmentation.mixup import draw_mix, mixed
from pneumo_core.augmentation.transform import augment
from pneumo_core.config.augment import AugmentConfig
from pneumo_core.records import Label

Source: TypeAlias = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.float32]]
"""Returns a network's input for row numbers `(n,)`; all random numbers come from the given generator."""

_Batch: TypeAlias = tuple[NDArray[np.float32], ...]


def gather(parts: Sequence[NDArray[Any]], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Rows `(n,)` of several arrays `(count, ...)` as if they were concatenated, without joining them in memory."""
    if len(parts) == 1:
        return parts[0][rows]
    gathered = np.empty((len(rows), *parts[0].shape[1:]), parts[0].dtype)
    start = 0
    for part in parts:
        inside = (rows >= start) & (rows < start + len(part))
        gathered[inside] = part[rows[inside] - start]
        start += len(part)
    return gathered


def pixels(parts: Sequence[NDArray[np.uint8]], augment_config: AugmentConfig) -> Source:
    """Augmented images: arrays `(count, size, size)` uint8 -> `(n, size, size, 1)` float32 in [0, 255]."""
    return lambda rows, rng: augment(gather(parts, rows), augment_config, rng)[..., None]


def views(parts: Sequence[Sequence[NDArray[np.float16]]]) -> Source:
    """For each row one of its stored views, drawn at each call: a sequence of parts per view -> `(n, ...)` float32."""

    def draw(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        chosen = rng.integers(len(parts), size=len(rows))
        batch = np.empty((len(rows), *parts[0][0].shape[1:]), np.float32)
        for view, arrays in enumerate(parts):
            batch[chosen == view] = gather(arrays, rows[chosen == view])
        return batch

    return draw


def plain(array: NDArray[Any]) -> Source:
    """Unchanged rows: images get a channel axis, features only the type."""
    if array.dtype == np.uint8:
        return lambda rows, _: array[rows, ..., None].astype(np.float32)
    return lambda rows, _: array[rows].astype(np.float32)


class EvalBatches(keras.utils.PyDataset):
    """Batches in order, the same at each pass, for validation; the last one may be smaller.

    Labels are `(count,)` int8 in {0, 1}; a row `(n,)` may occur more than once.
    """

    def __init__(self, source: Source, labels: NDArray[np.int8], rows: NDArray[np.int64], *, batch_size: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._source = source
        self._labels = labels
        self._order = rows
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches."""
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> _Batch:
        """One batch: the source's input, and labels `(batch, 1)` float32 in {0, 1}."""
        return self._batch(index, np.random.default_rng(0))

    def _batch(self, index: int, rng: np.random.Generator) -> _Batch:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._source(rows, rng), self._labels[rows, None].astype(np.float32)


class TrainingBatches(EvalBatches):
    """Shuffled batches whose content depends on seed, epoch and batch number alone.

    A resumed run, whose first pass has the number `first_epoch`, therefore gets exactly the batches of an uninterrupted one,
    whichever thread makes them. OpenCV and NumPy release Python's lock, so `threads` keep an accelerator busy.

    A batch is the source's input, labels `(batch, 1)` float32 in [0, 1], and with a class weight the weight `(batch,)` of each
    image's loss. With `mixup` each image, its label and its weight are mixed with those of another image of the batch;
    `label_smoothing` comes after.
    """

    def __init__(
        self,
        source: Source,
        labels: NDArray[np.int8],
        rows: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
        threads: int = 1,
        mixup: float = 0.0,
        label_smoothing: float = 0.0,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        super().__init__(source, labels, rows, batch_size=batch_size)
        # Keras' own threads do not work here: on JAX, Keras fetches a batch before the first epoch, and batches that the
        # threads had made by then appeared in that epoch.
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._ahead_by = 2 * threads
        self._ahead: dict[int, Future[_Batch]] = {}
        self._rows = rows
        self._mixup = mixup
        self._label_smoothing = label_smoothing
        self._class_weight = class_weight
        self._seed = seed
        self._epoch = first_epoch
        self._order = self._shuffled()

    def __getitem__(self, index: int) -> _Batch:
        """One batch of the current epoch."""
        if self._pool is None:
            return self._drawn(index)
        for number in range(index, min(index + self._ahead_by, len(self))):
            if number not in self._ahead:
                self._ahead[number] = self._pool.submit(self._drawn, number)
        return self._ahead.pop(index).result()

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch. Keras also calls it once before the first epoch, in every run."""
        self._epoch += 1
        self._order = self._shuffled()
        self._ahead.clear()

    def _drawn(self, index: int) -> _Batch:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        images, labels = self._batch(index, rng)
        if self._mixup:
            share, order = draw_mix(self._mixup, len(images), rng)
            images, labels = mixed(images, share, order), mixed(labels, share, order)
        weights = []
        if self._class_weight is not None:
            normal, pneumonia = (self._class_weight[int(label)] for label in Label)
            weights.append((normal + (pneumonia - normal) * labels[:, 0]).astype(np.float32))
        labels = labels * (1 - self._label_smoothing) + self._label_smoothing / len(Label)
        return images, labels, *weights

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, self._epoch]).permutation(self._rows)
