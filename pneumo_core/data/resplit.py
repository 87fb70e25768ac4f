"""Four ways to choose validation images, to be saved as splits (`saved_splits`): whole patients, and never one of test."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.config.limits import require_whole
from pneumo_core.data.anatomy import SERIES, series_and_number
from pneumo_core.data.audit.near import near_duplicates
from pneumo_core.data.index import DataIndex, require_real, require_trainable
from pneumo_core.data.measures import measure
from pneumo_core.data.patients import linked
from pneumo_core.data.saved_splits import SavedSplit, SplitKind
from pneumo_core.data.splits import hold_out_patients, with_official_val
from pneumo_core.errors import ConfigError, DataError
from pneumo_core.records import Label, Split

Progress = Callable[[int, int], None]

WORDS: Final = {
    SplitKind.PATIENTS: "Patients at random, with the shares of classes and subtypes kept.",
    SplitKind.DEDUPLICATED: (
        "Patients at random, as above, after copies are left out: of images that are the same but for encoding, size or gray "
        "levels the first is kept, and none where a copy is in test or the classes contradict each other. Patients who share a "
        "copy count as one, and those of test are left out."
    ),
    SplitKind.BLOCKS: (
        "Patients with consecutive case numbers, a block of each series, as in the official test split: what changed with time "
        "differs between training and validation."
    ),
    SplitKind.SHARPNESS: (
        "Patients at random, but so that both classes are about equally sharp: in validation, sharpness then says little about "
        "the class."
    ),
}
"""How each kind of split chooses its validation images."""

NEEDS_MEASURES: Final = frozenset({SplitKind.DEDUPLICATED, SplitKind.SHARPNESS})
"""Kinds that need every image to be measured once."""

FRACTIONS: Final = (0.02, 0.5)
"""Smallest and largest fraction of the training images that a split can hold out."""

USUAL_FRACTION: Final = 0.15

_BINS: Final = 10


def usual_name(kind: SplitKind, seed: int, fraction: float) -> str:
    """Name of a split that is given none: ``blocks-0``, with another share than the usual one ``blocks-0-30``."""
    share = "" if fraction == USUAL_FRACTION else f"-{round(100 * fraction)}"
    return f"{kind.value}-{seed}{share}"


def make_split(
    index: DataIndex,
    kind: SplitKind,
    name: str = "",
    *,
    seed: int = 0,
    fraction: float = USUAL_FRACTION,
    progress: Progress | None = None,
) -> SavedSplit:
    """Choose the validation images of a data set, without storing the split.

    Args:
        index: The data set.
        kind: How to choose; see `WORDS`.
        name: Name of the split, or "" for `usual_name`.
        seed: Seed of the choice.
        fraction: Fraction of the training images to hold out, in `FRACTIONS`.
        progress: Called with images done and their total while images are measured; may raise to stop.

    Raises:
        ConfigError: The fraction or the seed is out of range.
        DataError: The data set has generated images, lacks a class, or has too few patients, or none that fit.
        StoreError: Measures cannot be stored.
    """
    require_whole("seed", seed, 0, 2**31 - 1)
    if not FRACTIONS[0] <= fraction <= FRACTIONS[1]:
        raise ConfigError(
            f"the fraction to hold out must be from {FRACTIONS[0]:g} to {FRACTIONS[1]:g}. Received: fraction={fraction!r}"
        )
    require_real(index)
    require_trainable(index)
    table, left_out = index.table, np.zeros(len(index.table), dtype=bool)
    if kind in NEEDS_MEASURES:
        measures = measure(index, progress)
        table = table.assign(sharpness=measures["sharpness"].to_numpy())
        if kind is SplitKind.DEDUPLICATED:
            table, left_out = _without_copies(table, near_duplicates(index, measures))
    train = np.flatnonzero((table["split"] == Split.TRAIN.value).to_numpy() & ~left_out)
    held_out = _CHOOSE[kind](table.iloc[train], fraction, seed)
    labels = table["label"].to_numpy()
    kept, chosen = train[~held_out], train[held_out]
    if any(len(np.unique(labels[rows])) < len(Label) for rows in (kept, chosen)):
        raise DataError(
            f"a split must leave both classes on both sides. Received: kind={kind.value!r}, fraction={fraction:g}, "
            f"{len(kept):,} images trained on, {len(chosen):,} held out; use another fraction, or more images"
        )
    val = with_official_val(table, kept, chosen)
    ids = table["image_id"]
    return SavedSplit(
        name=name or usual_name(kind, seed, fraction),
        kind=kind,
        data_id=index.data_id,
        seed=seed,
        fraction=fraction,
        val=tuple(sorted(ids.iloc[val[~left_out[val]]])),
        left_out=tuple(sorted(ids[left_out])),
    )


def _without_copies(table: pd.DataFrame, near: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """The table with one patient for all who share a copy, and which rows outside test are left out."""
    names = table["image_id"].to_numpy()
    same = linked([*zip(names[near["first"]], names[near["second"]], strict=True), *_pairs(table, "sha256")])
    groups = table["image_id"].map(lambda name: same.get(name, name))
    patients = linked(_pairs(table.assign(group=groups), "group", "patient_id"))
    table = table.assign(patient_id=table["patient_id"].map(lambda name: patients.get(name, name)))
    is_test = (table["split"] == Split.TEST.value).to_numpy()
    contradicts = table.groupby(groups)["label"].transform("nunique").to_numpy() > 1
    in_test = groups.isin(set(groups[is_test])) | table["patient_id"].isin(set(table["patient_id"][is_test]))
    # Train before val, so that a copy between them stays where most images are.
    order = (table["split"] != Split.TRAIN.value).argsort(kind="stable")
    repeated = groups.iloc[order].duplicated().reindex(table.index)
    return table, (contradicts | in_test.to_numpy() | repeated.to_numpy()) & ~is_test


def _pairs(table: pd.DataFrame, column: str, of: str = "image_id") -> list[tuple[str, str]]:
    """What has one value of a column: each with the first."""
    repeated = table[table[column].duplicated(keep=False)]
    first = repeated.groupby(column)[of].transform("first")
    return [(one, other) for one, other in zip(first, repeated[of], strict=True) if one != other]


def _at_random(part: pd.DataFrame, fraction: float, seed: int) -> NDArray[np.bool_]:
    return hold_out_patients(part, fraction=fraction, seed=seed)


def _in_blocks(part: pd.DataFrame, fraction: float, seed: int) -> NDArray[np.bool_]:
    """One block of consecutive numbers of each series, which has about the fraction of the series' images."""
    rng = np.random.default_rng(seed)
    known = series_and_number(part["patient_id"])
    known = known[known["series"].isin(list(SERIES))]
    if known.empty:
        raise DataError(
            "blocks need patients with case numbers, as in IM-0115-0001.jpeg or person23_bacteria_78.jpeg. Received: "
            f"{len(part):,} images of patients without one, such as {part['patient_id'].iloc[0]!r}; choose another kind"
        )
    held_out: set[str] = set()
    for _, of_series in known.groupby("series"):
        counts = of_series.groupby(["number", "patient"]).size()
        images = np.cumsum(counts.to_numpy())
        wanted = fraction * images[-1]
        last_start = int(np.searchsorted(images, images[-1] - wanted, side="right"))
        start = int(rng.integers(0, last_start + 1))
        before = images[start - 1] if start else 0
        end = int(np.searchsorted(images, before + wanted)) + 1
        held_out.update(counts.index.get_level_values("patient")[start:end])
    return part["patient_id"].isin(held_out).to_numpy()


def _equally_sharp(part: pd.DataFrame, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Patients of both classes with about the same distribution of sharpness: that which both classes can give."""
    rng = np.random.default_rng(seed)
    patients = part.groupby(["patient_id", "label"]).agg(sharpness=("sharpness", "mean"), images=("sharpness", "size"))
    patients = patients.reset_index()
    edges = np.unique(np.quantile(patients["sharpness"], np.linspace(0, 1, _BINS + 1)[1:-1]))
    patients["bin"] = np.searchsorted(edges, patients["sharpness"])
    images = patients.pivot_table(index="bin", columns="label", values="images", aggfunc="sum", fill_value=0)
    if images.shape[1] < len(Label):
        raise DataError(f"both classes must have training images. Received: classes={list(images.columns)}")
    shares = images / images.sum()
    target = shares.min(axis=1)
    if target.sum() == 0:
        raise DataError("both classes must have images that are equally sharp. Received: none; choose another kind")
    wanted = np.outer(target / target.sum(), fraction * images.sum())
    # Of no bin more than half, so that training sees it too.
    wanted = np.minimum(wanted, images.to_numpy() / 2)
    held_out: set[str] = set()
    for row, (_, in_bin) in enumerate(patients.sample(frac=1, random_state=rng).groupby("bin")):
        for column, label in enumerate(images.columns):
            chosen = in_bin[in_bin["label"] == label]
            before = np.cumsum(chosen["images"].to_numpy()) - chosen["images"].to_numpy()
            held_out.update(chosen["patient_id"][before + 0.5 < wanted[row, column]])
    return part["patient_id"].isin(held_out).to_numpy()


_CHOOSE: Final[dict[SplitKind, Callable[[pd.DataFrame, float, int], NDArray[np.bool_]]]] = {
    SplitKind.PATIENTS: _at_random,
    SplitKind.DEDUPLICATED: _at_random,
    SplitKind.BLOCKS: _in_blocks,
    SplitKind.SHARPNESS: _equally_sharp,
}
