"""The metadata opponent: a classifier that sees no pixel's place, only the file's header and its sharpness.

A network that is no better than this may have learned how the files were made.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from pneumo_core.data.audit import Check, Evidence, Severity, found, not_applicable, passed
from pneumo_core.evaluation.fitted import fitted, held_out_scores
from pneumo_core.evaluation.intervals import area_estimates
from pneumo_core.evaluation.metrics import FloatArray
from pneumo_core.evaluation.shift import TELLING
from pneumo_core.evaluation.wording import score_text
from pneumo_core.records import Estimate, Label, NotApplicable, Split

LEAST: Final = 30
"""Fewest patients of a class in train: a model of six measures, their squares and products has 27 terms."""

SEES: Final = "bytes, width, height, aspect, mode and sharpness"


@dataclass(frozen=True, slots=True)
class Opponent:
    """How well the files alone tell the classes apart.

    Attributes:
        held_out: AUROC on the patients of train, each scored by a model that was fitted without it.
        test: AUROC on test, of a model fitted on train.
        one_size: Whether all files have one width and height: resized copies, whose originals may tell more.
    """

    held_out: Estimate | NotApplicable
    test: Estimate | NotApplicable
    one_size: bool


def opponent(rows: pd.DataFrame) -> Opponent | NotApplicable:
    """The opponent's figures on a data set.

    Args:
        rows: An image each: `patient_id`, `split`, `label`, `size_bytes`, `width`, `height`, `mode` and `sharpness`.
    """
    train, test = (rows[rows["split"] == split.value] for split in (Split.TRAIN, Split.TEST))
    patients = [train.loc[train["label"] == label.value, "patient_id"].nunique() for label in Label]
    if min(patients) < LEAST:
        return NotApplicable(
            f"it requires {LEAST} patients of each class in train, and there are {patients[0]} of NORMAL and {patients[1]} of "
            "PNEUMONIA"
        )
    features = _features(rows)
    is_train, is_test = (rows["split"].to_numpy() == split.value for split in (Split.TRAIN, Split.TEST))
    labels, groups = rows["label"].to_numpy(), rows["patient_id"].to_numpy()
    held_out = area_estimates(
        labels[is_train], held_out_scores(features[is_train], labels[is_train], groups[is_train]), groups[is_train]
    ).auroc
    on_test: Estimate | NotApplicable = NotApplicable("test has no image")
    if len(test):
        scores = fitted(features[is_train], labels[is_train]).decision_function(features[is_test])
        on_test = area_estimates(labels[is_test], scores, groups[is_test]).auroc
    return Opponent(held_out, on_test, one_size=len(rows[["width", "height"]].drop_duplicates()) == 1)


def _features(rows: pd.DataFrame) -> FloatArray:
    """`(n, features)`: logarithms of sizes and of the aspect, the sharpness, and modes as 0 or 1."""
    width, height = rows["width"].to_numpy(np.float64), rows["height"].to_numpy(np.float64)
    size = rows["size_bytes"].to_numpy(np.float64)
    modes = pd.get_dummies(rows["mode"]).to_numpy(np.float64)
    features: FloatArray = np.column_stack(
        [np.log(size), np.log(width), np.log(height), np.log(width / height), rows["sharpness"], modes]
    )
    return features


def opponent_check(figures: Opponent | NotApplicable) -> Check:
    """Whether the files alone tell the classes apart."""
    code = "metadata-tells-class"
    if isinstance(figures, NotApplicable):
        return not_applicable(code, f"Whether files reveal their class is not known: {figures.reason}.", Evidence.SHIFT)
    copies = " They are copies of one size: the originals may tell more." if figures.one_size else ""
    shown = (
        f"AUROC on held-out patients {score_text(figures.held_out)}, on test {score_text(figures.test)}; .5 is chance"
    )
    shown_areas = [area for area in (figures.held_out, figures.test) if isinstance(area, Estimate)]
    least = max((area.low for area in shown_areas), default=0.0)
    if least <= 0.5:
        return passed(
            code,
            f"{SEES.capitalize()} alone are not shown to tell the classes apart ({shown}).{copies}",
            Evidence.SHIFT,
        )
    return found(
        code,
        Severity.CAUTION if least > TELLING else Severity.NOTE,
        sum(area.n for area in shown_areas),
        f"A model that sees no picture, only {SEES}, tells the classes apart: {shown}.{copies}",
        Evidence.SHIFT,
        consequence="A network with such figures may have learned how the files were made.",
    )
