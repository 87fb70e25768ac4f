"""Batches from the memory-mapped array cache: gather, augment, cast."""

import keras
import numpy as np
from numpy.typing import NDArray

from pneumo_core.augmentation import augment
from pneumo_core.config import AugmentConfig

__all__ = ["TrainingBatches", "eval_batches"]


class TrainingBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches whose content depends on seed, epoch and batch number alone.

    So a resumed run sees exactly the batches that an uninterrupted one would have, whatever thread makes them.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int8],
        rows: NDArray[np.int64],
        *,
        augment_config: AugmentConfig,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
    ) -> None:
        """Prepare the batches.

        Args:
            images: `(count, size, size)` uint8 array of the whole data set, usually memory-mapped.
            labels: `(count,)` int8 array in {0, 1}.
            rows: `(n,)` row numbers that train.
            augment_config: Changes made to each image.
            batch_size: Images a batch; the last batch of an epoch may be smaller.
            seed: Seed of order and augmentation.
            first_epoch: Epoch the first pass stands for, when a run is resumed.
        """
        super().__init__(workers=1, use_multiprocessing=False)
        self._images = images
        self._labels = labels
        self._rows = rows
        self._augment_config = augment_config
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = first_epoch
        self._order = self._shuffled()

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One batch: `(batch, size, size, 1)` float32 in [0, 255] and `(batch, 1)` float32 in {0, 1}."""
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        rng = np.random.default_rng([self._seed, self._epoch, index])
        images = augment(self._images[rows], self._augment_config, rng)
        return images[..., None].astype(np.float32), self._labels[rows, None].astype(np.float32)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch. Keras calls it once before the first as well, in a resumed run as in any other."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, self._epoch]).permutation(self._rows)


class _EvalBatches(keras.utils.PyDataset):
    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.int8], rows: NDArray[np.int64], batch_size: int
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._images, self._labels, self._rows, self._batch_size = images, labels, rows, batch_size

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        rows = self._rows[index * self._batch_size : (index + 1) * self._batch_size]
        return self._images[rows, ..., None].astype(np.float32), self._labels[rows, None].astype(np.float32)


def eval_batches(
    images: NDArray[np.uint8], labels: NDArray[np.int8], rows: NDArray[np.int64], *, batch_size: int
) -> keras.utils.PyDataset:
    """Batches in order and unchanged, for validation; arguments and batches as in `TrainingBatches`."""
    return _EvalBatches(images, labels, rows, batch_size)
