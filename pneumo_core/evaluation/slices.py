"""Slices: a model's rates on parts of a split, by cause, size, sharpness, images per patient and kind of file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.augmentation.stress import original_id
from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import area_estimates, clustered_share
from pneumo_core.evaluation.metrics import FloatArray
from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Estimate, Label, NotApplicable, Subtype

FACTS: Final = ("image_id", "width", "height", "mode", "sharpness")
"""Columns of the facts about images."""

FEW: Final = 30
"""Number of patients, and so of images, below which a slice is uncertain: 90 % of 30 has a 95 % interval from 74 to 97 %."""

GROUPS: Final = ("subtype", "images of the patient", "image size", "sharpness", "color")
"""Criteria for the parts of a split; the last three need facts about the images."""

_QUARTERS: Final = ("lowest quarter", "second quarter", "third quarter", "highest quarter")

_Part = tuple[str, str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Slice:
    """A model's rates on a part of a split, at its threshold (see `report.SplitReport`).

    Attributes:
        group: One of `GROUPS`.
        name: Name of the part.
        auroc: Area under the ROC curve; in a subtype, of its images against all NORMAL ones.
        smallest: Whether no slice of its group has fewer images.
        few: Whether a class that it has comes from fewer than `FEW` patients.
    """

    group: str
    name: str
    n: int
    n_patients: int
    n_pneumonia: int
    sensitivity: Estimate | NotApplicable
    specificity: Estimate | NotApplicable
    accuracy: Estimate | NotApplicable
    auroc: Estimate | NotApplicable
    smallest: bool
    few: bool


def slices(
    predictions: pd.DataFrame, facts: pd.DataFrame | None, threshold: float
) -> tuple[tuple[Slice, ...], tuple[tuple[str, NotApplicable], ...]]:
    """Rates on the parts of one split, and the criteria that could not be applied.

    The intervals are not adjusted for the number of slices; some slices have low figures by chance.

    Args:
        predictions: Predictions of one split: `image_id`, `patient_id`, `split`, `label`, `subtype`, `logit`.
        facts: `FACTS` of at least these images, or None if the data set is not available.
        threshold: Images with at least this probability are classified as PNEUMONIA; in [0, 1].

    Returns:
        Slices in the order of `GROUPS`, and each group that is missing with its reason.

    Raises:
        DataError: There is no image, more than one split, or the facts lack a column or an image.
    """
    if (found := predictions["split"].nunique()) != 1:
        raise DataError(f"slices require one split. Received: splits={found}; choose one that has predictions")
    rows = predictions.sort_values("image_id").reset_index(drop=True)
    parts = [*_subtypes(rows), *_by_patient(rows)]
    missing: list[tuple[str, NotApplicable]] = []
    if facts is None:
        reason = NotApplicable("the data set of these predictions is not connected, and its images are required")
        missing = [(group, reason) for group in GROUPS[2:]]
    else:
        known = _facts_of(rows, facts)
        parts += _quarters("image size", (known["width"] * known["height"]).to_numpy(np.float64) / 1e6, "megapixels")
        parts += _quarters("sharpness", known["sharpness"].to_numpy(np.float64), "")
        parts += _colors(known)
    groups = {group for group, _, _ in parts}
    missing += [
        (group, NotApplicable("all images have the same value"))
        for group in GROUPS
        if group not in groups and group not in dict(missing)
    ]
    least = {group: min(int(part.sum()) for other, _, part in parts if other == group) for group in groups}
    made = tuple(_slice(rows, group, name, part, threshold, least[group]) for group, name, part in parts)
    return made, tuple(missing)


def _subtypes(rows: pd.DataFrame) -> Iterator[_Part]:
    for subtype in Subtype:
        part = (rows["subtype"] == subtype.value).to_numpy() & (rows["label"] == Label.PNEUMONIA).to_numpy()
        if part.any():
            yield "subtype", subtype.value, part


def _by_patient(rows: pd.DataFrame) -> Iterator[_Part]:
    # Degraded copies of an image are one image.
    images = rows["image_id"].map(original_id).groupby(rows["patient_id"]).transform("nunique").to_numpy()
    parts = [("1 image", images == 1), ("2 images", images == 2), ("3 or more images", images >= 3)]
    return _nonempty("images of the patient", parts)


def _quarters(group: str, values: FloatArray, unit: str) -> Iterator[_Part]:
    # A value on a boundary belongs to the lower quarter, so with ties the quarters may be uneven or empty.
    place = np.searchsorted(np.quantile(values, (0.25, 0.5, 0.75)), values, side="left")
    parts = []
    for number, name in enumerate(_QUARTERS):
        if (inside := place == number).any():
            ends = f"{values[inside].min():,.3g} to {values[inside].max():,.3g} {unit}".strip()
            parts.append((f"{name}, {ends}", inside))
    return _nonempty(group, parts)


def _colors(known: pd.DataFrame) -> Iterator[_Part]:
    gray = known["mode"].isin(["1", "L", "LA", "I", "I;16", "F"]).to_numpy()
    return _nonempty("color", [("gray file", gray), ("color file", ~gray)])


def _nonempty(group: str, parts: list[tuple[str, NDArray[np.bool_]]]) -> Iterator[_Part]:
    """The parts with images, if there are at least two; the whole split is not a slice."""
    there = [(group, name, part) for name, part in parts if part.any()]
    return iter(there if len(there) > 1 else [])


def _facts_of(rows: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    if lacking := [column for column in FACTS if column not in facts.columns]:
        raise DataError(
            f"facts require the columns {', '.join(FACTS)}. Received: missing={lacking}; compute them again"
        )
    known = facts.drop_duplicates("image_id").set_index("image_id").reindex(rows["image_id"])
    if absent := int(known["width"].isna().sum()):
        first = known.index[known["width"].isna()][0]
        raise DataError(
            f"facts require each image of the predictions. Received: missing={absent}, the first {first!r}; "
            "connect the data set that the run was trained on"
        )
    return known


def _slice(rows: pd.DataFrame, group: str, name: str, part: NDArray[np.bool_], threshold: float, least: int) -> Slice:
    sick = (rows["label"] == Label.PNEUMONIA).to_numpy()
    logits, patients = rows["logit"].to_numpy(np.float64), rows["patient_id"].to_numpy()
    called = probability(logits) >= threshold
    ranked = part | ~sick if group == "subtype" else part
    return Slice(
        group=group,
        name=name,
        n=int(part.sum()),
        n_patients=len(np.unique(patients[part])),
        n_pneumonia=int((part & sick).sum()),
        sensitivity=clustered_share(called, part & sick, patients, "no image of the slice is PNEUMONIA"),
        specificity=clustered_share(~called, part & ~sick, patients, "no image of the slice is NORMAL"),
        accuracy=clustered_share(called == sick, part, patients, "the slice has no image"),
        auroc=area_estimates(sick[ranked].astype(np.int64), logits[ranked], patients[ranked]).auroc,
        smallest=int(part.sum()) == least,
        few=min(len(np.unique(patients[part & of])) for of in (sick, ~sick) if (part & of).any()) < FEW,
    )
