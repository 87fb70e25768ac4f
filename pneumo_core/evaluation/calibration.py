"""Calibration of probabilities: none, temperature scaling, or Platt scaling with slope and intercept.

Arguments of all functions:

* `y_true`: classes, (n,), integers 0 (NORMAL) and 1 (PNEUMONIA).
* `logit`: raw outputs of a model, (n,), finite.
* `patients`: patient of each image, (n,), of any type that sorts.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit as log_odds

from pneumo_core.errors import DataError
from pneumo_core.evaluation import metrics
from pneumo_core.evaluation.logistic import inverse_temperature, line
from pneumo_core.evaluation.metrics import FloatArray, IntArray
from pneumo_core.evaluation.plain import decode, encode, expect
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.reliability import Reliability, checked, measure
from pneumo_core.evaluation.wording import line_text
from pneumo_core.records import Label, NotApplicable, Split, split_name

Array = NDArray[Any]

SCHEMA: Final = 2
"""Increased whenever the fields of a stored calibration or the meaning of its numbers change."""

FOLDS: Final = 5
"""Number of cross-validation folds of the validation patients; each fold is calibrated by a fit to the others."""

_SEED: Final = 0
"""Seed of the folds, so that a calibration can be recomputed to the last digit."""


class CalibrationKind(StrEnum):
    """Method of calibration."""

    IDENTITY = "identity"
    TEMPERATURE = "temperature"
    PLATT = "platt"


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A line that maps a logit to a calibrated one; it is increasing, so the order of images is kept.

    Attributes:
        kind: ``identity``: nothing is fitted, and the logit stays what it is; ``temperature``: the intercept is 0 and the slope
            1 / T (Guo et al. 2017, arXiv:1706.04599, section 4.2); ``platt``: both are fitted (Platt 1999, Advances in Large
            Margin Classifiers, 61-74).
        slope: Above 0.
        intercept: In logits.
        split: Split of the fit.
        n: Number of images of the fit.
        n_patients: Number of their patients.
    """

    kind: CalibrationKind
    slope: float
    intercept: float
    split: Split
    n: int
    n_patients: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """A run's calibration on its validation images, or on degraded copies of them.

    Attributes:
        chosen: The method with the lowest log loss in cross-validation; in a tie, the one that fits fewer numbers. A
            calibration that does not help is left out in this way: ``identity`` is one of them.
        calibrators: Each method, fitted on all validation images.
        cross_validated: Log loss of each method on validation images it was not fitted on.
        folds: Number of folds; all images of a patient are in one.
        before: Reliability of the raw probabilities on validation.
        after: Reliability of the chosen kind in cross-validation.
    """

    chosen: CalibrationKind
    calibrators: dict[CalibrationKind, Calibrator | NotApplicable]
    cross_validated: dict[CalibrationKind, float | NotApplicable]
    folds: int
    before: Reliability
    after: Reliability

    @property
    def calibrator(self) -> Calibrator:
        """The calibrator of the chosen method.

        Raises:
            DataError: It is not applicable, which `calibrate` never gives.
        """
        chosen = self.calibrators[self.chosen]
        if isinstance(chosen, NotApplicable):
            raise DataError(
                "the chosen calibrator must exist. "
                f"Received: {self.chosen.value}, not applicable: {chosen.reason}; calibrate again"
            )
        return chosen


def fit(
    kind: CalibrationKind, y_true: Array, logit: Array, patients: Array, split: Split = Split.VAL
) -> Calibrator | NotApplicable:
    """The calibrator with the lowest log loss on these images, of the split, which is ``val`` or ``stress``.

    Platt's targets are smoothed as he proposes, (n1 + 1) / (n1 + 2) for PNEUMONIA and 1 / (n0 + 2) for NORMAL, so that
    the line stays finite if the logits separate the classes.

    Returns:
        The calibrator; not applicable if a class is missing, if the best line does not rise, or if a temperature has no
        bound because each image is on the correct side of logit 0.

    Raises:
        DataError: The arrays do not match or hold other values.
    """
    labels, values, codes = checked(y_true, logit, patients)
    if missing := metrics.missing_class(labels):
        return missing
    if kind is CalibrationKind.IDENTITY:
        slope, intercept = 1.0, 0.0
    elif kind is CalibrationKind.TEMPERATURE:
        found = inverse_temperature(labels, values)
        if isinstance(found, NotApplicable):
            return found
        slope, intercept = found, 0.0
    else:
        if np.ptp(values) == 0:
            return NotApplicable("all logits are equal")
        sick = int(labels.sum())
        target = np.where(labels == Label.PNEUMONIA, (sick + 1) / (sick + 2), 1 / (labels.size - sick + 2))
        best = line(values, target)
        slope, intercept = best.slope, best.intercept
    if not 0 < slope < np.inf:
        return NotApplicable("the logits do not increase with PNEUMONIA, so a calibration would reverse their order")
    return Calibrator(kind, slope, intercept, split, labels.size, int(codes.max()) + 1)


def apply(calibrator: Calibrator, logit: Array) -> FloatArray:
    """Calibrated logits, of the shape of `logit`, float64."""
    return np.asarray(calibrator.slope * np.asarray(logit, dtype=np.float64) + calibrator.intercept)


def calibrated_threshold(calibrator: Calibrator, threshold: float) -> float:
    """Threshold on calibrated probabilities that gives the same decisions as `threshold`, in [0, 1], on raw ones."""
    return float(probability(apply(calibrator, np.array(log_odds(threshold)))))


def described(calibration: Calibration | NotApplicable) -> str:
    """Description of a calibration for people, or the reason why there is none."""
    if isinstance(calibration, NotApplicable):
        return calibration.reason
    found = calibration.calibrator
    of = f"{found.n:,} {found.split.value} images of {found.n_patients:,} patient{'s' if found.n_patients > 1 else ''}"
    if found.kind is CalibrationKind.IDENTITY:
        tried = [loss for kind, loss in calibration.cross_validated.items() if kind is not CalibrationKind.IDENTITY]
        if all(isinstance(loss, NotApplicable) for loss in tried):
            return f"no calibration, since none can be fitted and cross-validated on {of}"
        return f"no calibration, since none lowers the cross-validated log loss of the raw probabilities on {of}"
    return f"{line_text(found)}, fitted on {of}"


def calibrate(predictions: pd.DataFrame, choose_on: Split = Split.VAL) -> Calibration | NotApplicable:
    """Calibrate a run on its validation images, or their degraded copies, by the method with the best cross-validation.

    Args:
        predictions: The run's predictions: `image_id`, `patient_id`, `label`, `split`, `logit`.
        choose_on: Split of the images, ``val`` or ``stress``.

    Returns:
        The calibration; not applicable if there are no such images or a class has none.

    Raises:
        DataError: The predictions hold other values.
    """
    rows = predictions[predictions["split"] == choose_on.value].sort_values("image_id")
    if rows.empty:
        return NotApplicable("the run has no validation images of its own, and test images must not calibrate it")
    labels, values, codes = checked(rows["label"].to_numpy(), rows["logit"].to_numpy(), rows["patient_id"].to_numpy())
    if missing := metrics.missing_class(labels):
        return NotApplicable(f"on {split_name(choose_on)}, {missing.reason}")
    folds = _folds(labels, codes)
    fitted = {kind: fit(kind, labels, values, codes, choose_on) for kind in CalibrationKind}
    tried = {kind: _held_out(kind, labels, values, codes, folds) for kind in CalibrationKind}
    losses = {
        kind: logits if isinstance(logits, NotApplicable) else float(metrics.log_loss_terms(labels, logits).mean())
        for kind, logits in tried.items()
    }
    held_out = {
        kind: logits
        for kind, logits in tried.items()
        if not isinstance(logits, NotApplicable) and isinstance(fitted[kind], Calibrator)
    }
    # In a tie the first, which fits fewer numbers. The raw logits are always there.
    chosen = min(held_out, key=lambda kind: float(metrics.log_loss_terms(labels, held_out[kind]).mean()))
    return Calibration(
        chosen=chosen,
        calibrators=fitted,
        cross_validated=losses,
        folds=FOLDS,
        before=measure(labels, values, codes),
        after=measure(labels, held_out[chosen], codes),
    )


def calibration_to_dict(calibration: Calibration | NotApplicable) -> dict[str, Any]:
    """Plain data of a calibration, for JSON; one that is not applicable is ``{"not_applicable": reason}``."""
    return {"schema": SCHEMA, **encode(calibration)}


def calibration_from_dict(data: dict[str, Any]) -> Calibration | NotApplicable:
    """Calibration from `calibration_to_dict`'s plain data.

    Raises:
        DataError: The data has another schema, or a key or value that a calibration does not have.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        schema = data.get("schema") if isinstance(data, dict) else data
        raise DataError(f"a calibration must be of schema {SCHEMA}. Received: schema={schema!r:.80}; calibrate again")
    fields_only = {key: value for key, value in data.items() if key != "schema"}
    calibration: Calibration | NotApplicable = decode(Calibration | NotApplicable, fields_only, "calibration")
    if isinstance(calibration, Calibration):
        for kind, found in calibration.calibrators.items():
            fits = isinstance(found, NotApplicable) or (found.kind is kind and found.slope > 0)
            expect(fits, f"calibration.{kind}", "be of its method and increase", found)
        there = isinstance(calibration.calibrators.get(calibration.chosen), Calibrator)
        expect(there, "calibration.chosen", "exist", calibration.chosen)
    return calibration


def _folds(labels: IntArray, codes: NDArray[np.intp]) -> NDArray[np.int64]:
    """Fold of each image; patients are shuffled and assigned in turn, those with PNEUMONIA after those without."""
    sick = np.bincount(codes, weights=labels) > 0
    order = np.lexsort((np.random.default_rng(_SEED).random(sick.size), sick))
    fold = np.empty(sick.size, dtype=np.int64)
    fold[order] = np.arange(sick.size) % FOLDS
    return fold[codes]


def _held_out(
    kind: CalibrationKind, labels: IntArray, values: FloatArray, codes: NDArray[np.intp], folds: NDArray[np.int64]
) -> FloatArray | NotApplicable:
    """Cross-validated calibrated logits: each calibrator is fitted without the image's patient."""
    if kind is CalibrationKind.IDENTITY:
        return values
    calibrated = np.empty_like(values)
    for fold in np.unique(folds):
        inside = folds == fold
        calibrator = fit(kind, labels[~inside], values[~inside], codes[~inside])
        if isinstance(calibrator, NotApplicable):
            return NotApplicable(f"without a part of the patients, {calibrator.reason}")
        calibrated[inside] = apply(calibrator, values[inside])
    return calibrated
