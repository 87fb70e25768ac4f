"""Assignment of images to training, validation and test."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.config.classifier import Validation
from pneumo_core.config.ensemble import ClassifierConfig
from pneumo_core.config.gan import LEAST_PATIENTS, GanConfig
from pneumo_core.config.run import RunConfig
from pneumo_core.config.split import NamedSplit
from pneumo_core.data.index import DataIndex, require_real
from pneumo_core.data.saved_splits import SavedSplit, find_split
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Split

MOST_CASES: Final = 5_000
"""Maximum number of training images that a run stores as cases: more than the Kaggle data set has beside its validation
patients, 4,471. To predict so many takes about as long as an epoch does."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Rows of the index's table that a run uses: for each split `(n,)` int64 row numbers, sorted.

    Where a run validates on test, `val` is `test`.
    """

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


def hold_out_patients(table: pd.DataFrame, *, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose whole patients for validation so that the fractions of classes and subtypes are preserved.

    Args:
        table: Rows with `patient_id`, `label` and `subtype`.
        fraction: Fraction of the images to hold out, in (0, 0.5]; rounded to one of 1/2, 1/3, 1/4 and so on.
        seed: Seed of the choice.

    Returns:
        `(len(table),)` bool array, True for held-out rows.

    Raises:
        DataError: There are too few patients for both classes on both sides.
    """
    # The import takes over a second, and only the worker needs it.
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    folds = max(2, round(1 / fraction))
    strata = table["label"].astype(str) + table["subtype"].astype(str)
    if table["patient_id"].nunique() < folds or strata.value_counts().min() < folds:
        # Small sets: at least the classes must be on both sides.
        strata = table["label"].astype(str)
    patients = table.groupby("label")["patient_id"].nunique()
    received = ", ".join(f"{Label(int(str(label))).name} {count:,}" for label, count in patients.items()) or "none"
    if len(patients) < 2 or patients.min() < folds:
        raise DataError(
            f"holding out {100 * fraction:.0f} % of the patients needs "
            f"at least {folds} patients of each class. Received: patients: {received}; use more images"
        )
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    labels = table["label"].to_numpy()
    for kept, held_out in splitter.split(np.zeros(len(table)), strata, groups=table["patient_id"]):
        # With few patients, or patients with images of both classes, a fold can lack a class.
        if len(np.unique(labels[kept])) == len(np.unique(labels[held_out])) == 2:
            mask = np.zeros(len(table), dtype=bool)
            mask[held_out] = True
            return mask
    raise DataError(
        f"holding out {100 * fraction:.0f} % of the patients must leave both classes on both sides. "
        f"Received: patients: {received}, which no choice achieves; use more patients"
    )


def assign(table: pd.DataFrame, config: ClassifierConfig) -> Assignment:
    """Rows of a config's training, validation and test images.

    With ``patients``, validation images are patients held out of train (patient keys with their prefix), and the official
    `val` folder's 16 images join them. With ``test``, as the report did, they are the test images and `val` is unused. A saved
    split says which they are.

    Raises:
        DataError: See `hold_out_patients`; or the config's saved split is missing, or of other images.
    """
    split = table["split"].to_numpy()
    train = np.flatnonzero(split == Split.TRAIN.value)
    test = np.flatnonzero(split == Split.TEST.value)
    if config.validation is Validation.TEST:
        train, test = _limit(table, train, config), _limit(table, test, config)
        return Assignment(train=train, val=test, test=test)
    if config.named_split is not None:
        train, val = _as_saved(table, train, find_split(config.named_split))
    else:
        seed = config.seed if config.split_seed is None else config.split_seed
        held_out = hold_out_patients(table.iloc[train], fraction=config.val_fraction, seed=seed)
        train, val = train[~held_out], with_official_val(table, train[~held_out], train[held_out])
    return Assignment(
        train=_limit(table, train, config), val=_limit(table, val, config), test=_limit(table, test, config)
    )


def with_official_val(table: pd.DataFrame, train: NDArray[np.int64], held_out: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of the held-out images and of those in the official `val` folder, whose patients are not trained on, sorted."""
    official = np.flatnonzero(table["split"].to_numpy() == Split.VAL.value)
    # A patient of the official val folder must not be in training: none is today, but only this check would detect one.
    trains_too = table["patient_id"].isin(set(table["patient_id"].iloc[train])).to_numpy()
    return np.sort(np.concatenate([held_out, official[~trains_too[official]]]))


def require_split_fits(named: NamedSplit, index: DataIndex) -> SavedSplit:
    """The split of a config, after checking that the data set can be trained by it.

    Raises:
        DataError: It is nowhere, of another data set, or leaves a class on one side only.
    """
    split = find_split(named)
    if split.data_id != index.data_id:
        raise DataError(
            f"a split must be of the data set that is trained on, {index.data_id}. Received: split={named.name!r} of "
            f"{split.data_id}; make one for this data set"
        )
    sides = _as_saved(index.table, np.flatnonzero(index.table["split"].to_numpy() == Split.TRAIN.value), split)
    labels = index.table["label"].to_numpy()
    if any(len(np.unique(labels[rows])) < len(Label) for rows in sides):
        raise DataError(
            f"a split must leave both classes on both sides. Received: split={named.name!r}, {len(sides[0]):,} images trained "
            f"on, {len(sides[1]):,} held out; make another"
        )
    return split


def _as_saved(
    table: pd.DataFrame, train: NDArray[np.int64], split: SavedSplit
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that a saved split trains and validates on."""
    ids = table["image_id"]
    is_val, is_out = (ids.isin(set(part)).to_numpy() for part in (split.val, split.left_out))
    if (received := int(is_val.sum())) != len(split.val) or np.any(table["split"].to_numpy()[is_val] == Split.TEST):
        raise DataError(
            f"a split's {len(split.val):,} validation images must be in the data set, outside test. Received: "
            f"split={split.name!r}, {received:,} there; make one for this data set"
        )
    kept = train[~is_val[train] & ~is_out[train]]
    return kept, np.flatnonzero(is_val)


def case_rows(table: pd.DataFrame, config: ClassifierConfig) -> NDArray[np.int64]:
    """Rows of the training images that a finished run stores as cases (`inference.cases`): all, or `MOST_CASES` of its seed.

    Returns:
        `(n,)` int64 row numbers, sorted.

    Raises:
        DataError: See `assign`.
    """
    rows = assign(table, config).train
    if len(rows) <= MOST_CASES:
        return rows
    return np.sort(np.random.default_rng([config.seed, len(rows)]).choice(rows, MOST_CASES, replace=False))


def expected_held_out(images: int, config: RunConfig) -> int:
    """Approximate number of training images that a run holds out for validation; whole patients, so it may be a few more."""
    if config.named_split is not None:
        return len(find_split(config.named_split).val)
    return round(images * config.val_fraction) if config.validation is Validation.PATIENTS else 0


def expected_training(images: int, config: RunConfig) -> int:
    """Approximate number of training images that a run trains on; see `expected_held_out`."""
    left = images - expected_held_out(images, config)
    if config.named_split is not None:
        left -= len(find_split(config.named_split).left_out)
    return min(left, config.max_images or left)


def require_learnable(index: DataIndex, config: GanConfig) -> None:
    """Check that a data set has the images that a DCGAN's training needs.

    Raises:
        DataError: It has fewer training images of the class than a batch, too few patients for measuring samples or for
            holding some out, or generated images among the real ones.
    """
    require_real(index)
    counts = index.counts()
    other = Label(1 - config.label)
    if config.validation is Validation.PATIENTS and counts[Split.TRAIN, other] == 0:
        raise DataError(
            f"holding out patients needs both classes in train. Received: {other.name}=0 in {str(index.root)!r}; add images of "
            "it, or use the preset 'report', which holds no patients out"
        )
    # Approximate: whole patients are held out, and `gan_rows` counts them.
    kept = 1 - config.val_fraction if config.validation is Validation.PATIENTS else 1.0
    part = index.table[(index.table["split"] == Split.TRAIN.value) & (index.table["label"] == config.label.value)]
    images = expected_training(len(part), config)
    if images < config.batch_size:
        raise DataError(
            f"an epoch of a DCGAN needs at least one full batch. Received: about {images} training images of "
            f"{config.label.name} in {str(index.root)!r} that are not held out, batch_size={config.batch_size}; use more "
            "images, or a smaller batch"
        )
    _require_patients(part, kept)


def gan_rows(table: pd.DataFrame, config: GanConfig) -> NDArray[np.int64]:
    """Rows of an index's table that a DCGAN trains on: training images of its class, without held-out patients.

    Returns:
        `(n,)` int64 row numbers, sorted.

    Raises:
        DataError: There are fewer rows than a batch, or too few patients; see also `hold_out_patients`.
    """
    rows = np.flatnonzero(table["split"].to_numpy() == Split.TRAIN.value)
    if config.validation is Validation.PATIENTS:
        rows = rows[~hold_out_patients(table.iloc[rows], fraction=config.val_fraction, seed=config.seed)]
    rows = rows[table["label"].to_numpy()[rows] == config.label.value]
    if config.max_images is not None and len(rows) > config.max_images:
        rows = np.sort(np.random.default_rng([config.seed, len(rows)]).choice(rows, config.max_images, replace=False))
    if len(rows) < config.batch_size:
        raise DataError(
            f"an epoch of a DCGAN needs at least one full batch. Received: {len(rows)} training images of "
            f"{config.label.name}, batch_size={config.batch_size}; use more images"
        )
    _require_patients(table.iloc[rows], 1.0)
    return rows


def _require_patients(part: pd.DataFrame, kept: float) -> None:
    patients = int(part["patient_id"].nunique() * kept)
    if patients < LEAST_PATIENTS:
        raise DataError(
            f"a DCGAN must train on at least {LEAST_PATIENTS} patients, so that its samples can be measured. Received: "
            f"about {patients} patients with {len(part)} training images; use more"
        )


def smaller_class(labels: NDArray[np.integer[Any]]) -> Label:
    """The class with fewer of the `(n,)` labels; NORMAL if the numbers are equal."""
    return Label(int(np.argmin(np.bincount(labels, minlength=len(Label)))))


def gap(labels: NDArray[np.integer[Any]], percent: int = 100) -> int:
    """Number of images that the smaller class lacks, or a percentage of it.

    Args:
        labels: `(n,)` labels of the training images.
        percent: Percentage of the gap to close; the result is rounded, but at least 1.
    """
    counts = np.bincount(labels, minlength=len(Label))
    whole = int(counts.max() - counts.min())
    return min(whole, max(1, round(whole * percent / 100)))


def _limit(table: pd.DataFrame, rows: NDArray[np.int64], config: ClassifierConfig) -> NDArray[np.int64]:
    """At most `max_images` of the rows, with the same fraction of each class, chosen by the seed."""
    if config.max_images is None or len(rows) <= config.max_images:
        return rows
    rng = np.random.default_rng([config.seed, len(rows)])
    labels = table["label"].to_numpy()[rows]
    chosen = [
        rng.choice(rows[labels == label], size=max(1, int(count * config.max_images / len(rows))), replace=False)
        for label, count in zip(*np.unique(labels, return_counts=True), strict=True)
    ]
    return np.sort(np.concatenate(chosen))
