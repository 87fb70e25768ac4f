"""Handling of class imbalance: by weights, by repeating images, or by adding augmented copies or a DCGAN's samples.

The arms that add images add the same number of them to the same class, so that runs compare the kind of added images and not
their number (Pink and Sykes 2026, PMLR 318, compare a GAN's images with as many duplicates). Validation and test images stay
as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumo_core.augmentation.transform import augment
from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import Balance
from pneumo_core.data.splits import gap, smaller_class
from pneumo_core.errors import TrainingError
from pneumo_core.records import Label


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Training images of a run, with labels, rows and class weights.

    Attributes:
        parts: The data set's images, then those that were added: arrays `(count, size, size)` uint8.
        labels: `(total,)` int8 labels of all parts, concatenated.
        rows: `(n,)` int64 row numbers, over all parts, of the training images; a repeated image occurs more than once.
        class_weight: Factor of each class's loss, or None for 1.
        added: Number of training images that were repeated or added.
    """

    parts: Sequence[NDArray[np.uint8]]
    labels: NDArray[np.int8]
    rows: NDArray[np.int64]
    class_weight: dict[int, float] | None
    added: int


def balanced(
    balance: Balance,
    images: NDArray[np.uint8],
    labels: NDArray[np.int8],
    rows: NDArray[np.int64],
    *,
    seed: int,
    percent: int = 100,
    generated: NDArray[np.uint8] | None = None,
) -> TrainingSet:
    """Training set of a balancing arm.

    Args:
        balance: The arm.
        images: `(count, size, size)` uint8 array of the whole data set, usually memory-mapped.
        labels: `(count,)` int8 array in {0, 1}.
        rows: `(n,)` row numbers of the training images, of both classes.
        seed: Seed of the choice of repeated images and of the augmentation of copies.
        percent: Percentage of the gap between the class sizes that added images close.
        generated: `(gap, size, size)` uint8 samples of the smaller class, which the arm ``gan`` adds.

    Raises:
        TrainingError: The number of samples does not close the gap.
    """
    if balance is Balance.CLASS_WEIGHT:
        # Inverse frequencies with a mean of 1 over the images (King and Zeng 2001, doi:10.1093/oxfordjournals.pan.a004868).
        counts = np.bincount(labels[rows], minlength=len(Label))
        weights = {int(label): float(len(rows) / (len(Label) * counts[label])) for label in Label}
        return TrainingSet((images,), labels, rows, weights, 0)
    if balance is Balance.NONE:
        return TrainingSet((images,), labels, rows, None, 0)

    smaller = smaller_class(labels[rows])
    rng = np.random.default_rng([seed, len(rows)])
    count = gap(labels[rows], percent)
    if balance is Balance.GAN:
        if generated is None or len(generated) != count:
            raise TrainingError(
                f"a DCGAN must add the {count} images that close the gap. Received: "
                f"{0 if generated is None else len(generated)} images"
            )
        return _with(images, labels, rows, generated, smaller)
    repeated = _repeat(rows[labels[rows] == smaller], count, rng)
    if balance is Balance.OVERSAMPLE:
        return TrainingSet((images,), labels, np.concatenate([rows, repeated]), None, len(repeated))
    copies = np.empty((len(repeated), *images.shape[1:]), np.uint8)
    for start in range(0, len(repeated), 256):  # In chunks: augmentation works in float32.
        chunk = repeated[start : start + 256]
        copies[start : start + 256] = augment(images[chunk], AUGMENTATIONS["sound"], rng).round().astype(np.uint8)
    return _with(images, labels, rows, copies, smaller)


def _with(
    images: NDArray[np.uint8],
    labels: NDArray[np.int8],
    rows: NDArray[np.int64],
    added: NDArray[np.uint8],
    label: int,
) -> TrainingSet:
    """The training set with a second part of one label, all of it training images."""
    return TrainingSet(
        parts=(images, added),
        labels=np.concatenate([labels, np.full(len(added), label, labels.dtype)]),
        rows=np.concatenate([rows, len(images) + np.arange(len(added))]),
        class_weight=None,
        added=len(added),
    )


def _repeat(rows: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` rows, drawn so that their frequencies differ by at most one."""
    rounds, rest = divmod(count, len(rows))
    return np.concatenate([np.tile(rows, rounds), rng.choice(rows, size=rest, replace=False)])
