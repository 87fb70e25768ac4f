"""Shift between the training and the test images of a class, in measures that need no model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.data.audit import Check, Evidence, Severity, found, not_applicable, passed
from pneumo_core.data.measures import name_of, value_of
from pneumo_core.evaluation.fitted import held_out_scores
from pneumo_core.evaluation.intervals import area_estimates
from pneumo_core.evaluation.significance import holm
from pneumo_core.evaluation.wording import score_text
from pneumo_core.records import Estimate, Label, NotApplicable, Split

TELLING: Final = 0.6
"""AUROC from which a shift or a giveaway is an issue, where its whole interval is above: chosen."""

LEAST: Final = 20
"""Fewest patients of a class in train and in test: of fewer, nothing can be shown."""


@dataclass(frozen=True, slots=True)
class MeasureShift:
    """How the training and test images of a class differ in one measure; one image a patient, the first by name.

    Attributes:
        measure: Name of the measure.
        train: Mean over the training images.
        test: Mean over the test images.
        distance: Kolmogorov-Smirnov statistic, the largest difference between the two distribution functions, in [0, 1].
        p: Its p value, adjusted for all measures of both classes (Holm 1979).
    """

    measure: str
    train: float
    test: float
    distance: float
    p: float


@dataclass(frozen=True, slots=True)
class ClassShift:
    """How the training and test images of a class differ.

    Attributes:
        label: The class.
        n_train: Training images.
        n_test: Test images.
        auroc: How well a classifier that was not trained on a patient tells test from train by all measures together
            (classifier two-sample test, Lopez-Paz and Oquab 2017, ICLR); .5 where nothing differs.
        measures: By measure, the largest distance first.
    """

    label: Label
    n_train: int
    n_test: int
    auroc: Estimate | NotApplicable
    measures: tuple[MeasureShift, ...]


def shift(rows: pd.DataFrame, measures: Sequence[str]) -> tuple[ClassShift | NotApplicable, ...]:
    """Shift of each class from train to test, in the order of `Label`.

    Args:
        rows: An image each: `patient_id`, `split`, `label`, and the measures as finite numbers.
        measures: Names of the measures.
    """
    both = rows[rows["split"].isin([Split.TRAIN.value, Split.TEST.value])]
    parts = [both[both["label"] == label.value] for label in Label]
    few = [_too_few(part, label) for part, label in zip(parts, Label, strict=True)]
    tests = [
        [] if reason else [_measured(part, name) for name in measures] for part, reason in zip(parts, few, strict=True)
    ]
    adjusted = iter(holm([test.p for of_class in tests for test in of_class]))
    shifts: list[ClassShift | NotApplicable] = []
    for label, part, reason, of_class in zip(Label, parts, few, tests, strict=True):
        if reason is not None:
            shifts.append(reason)
            continue
        named = [MeasureShift(test.measure, test.train, test.test, test.distance, next(adjusted)) for test in of_class]
        is_test = (part["split"] == Split.TEST.value).to_numpy()
        shifts.append(
            ClassShift(
                label,
                int((~is_test).sum()),
                int(is_test.sum()),
                _told_apart(part, measures, is_test.astype(np.int64)),
                tuple(sorted(named, key=lambda test: -test.distance)),
            )
        )
    return tuple(shifts)


def _too_few(part: pd.DataFrame, label: Label) -> NotApplicable | None:
    patients = {
        split: part.loc[part["split"] == split.value, "patient_id"].nunique() for split in (Split.TRAIN, Split.TEST)
    }
    if min(patients.values()) >= LEAST:
        return None
    return NotApplicable(
        f"it requires {LEAST} patients of {label.name} in train and in test, and there are {patients[Split.TRAIN]} and "
        f"{patients[Split.TEST]}"
    )


def _measured(part: pd.DataFrame, name: str) -> MeasureShift:
    from scipy.stats import ks_2samp  # noqa: PLC0415  It takes half a second, and pages show stored results.

    first = part.sort_values("image_id").drop_duplicates(["split", "patient_id"])
    train, test = (
        first.loc[first["split"] == split.value, name].to_numpy(np.float64) for split in (Split.TRAIN, Split.TEST)
    )
    result = ks_2samp(train, test)
    return MeasureShift(name, float(train.mean()), float(test.mean()), float(result.statistic), float(result.pvalue))


def _told_apart(part: pd.DataFrame, measures: Sequence[str], is_test: NDArray[np.int64]) -> Estimate | NotApplicable:
    patients = part["patient_id"].to_numpy()
    scores = held_out_scores(part[list(measures)].to_numpy(np.float64), is_test, patients)
    return area_estimates(is_test, scores, patients).auroc


def shift_checks(shifts: Sequence[ClassShift | NotApplicable]) -> Iterator[Check]:
    """A check for each class, in the order of `Label`."""
    for label, found_shift in zip(Label, shifts, strict=True):
        code = f"shift-{label.name.lower()}"
        if isinstance(found_shift, NotApplicable):
            words = f"Whether {label.name} images of train and test differ is not known: {found_shift.reason}."
            yield not_applicable(code, words, Evidence.SHIFT)
            continue
        area = found_shift.auroc
        shifted = [test for test in found_shift.measures if test.p < 0.05]
        together = not isinstance(area, NotApplicable) and area.low > 0.5
        told = f"by gray levels, sharpness and borders together they are told apart with an AUROC of {score_text(area)}"
        if not together and not shifted:
            words = f"No difference between the {label.name} images of train and test is shown; {told}."
            yield passed(code, words, Evidence.SHIFT)
            continue
        differ = ", ".join(
            f"{name_of(name)} (mean {value_of(name, test.train)} in train, {value_of(name, test.test)} in test)"
            for test in shifted[:3]
            if (name := test.measure)
        )
        measured = f"most in {differ}" if differ else "in no single measure that is shown"
        yield found(
            code,
            Severity.CAUTION if shifted or (isinstance(area, Estimate) and area.low > TELLING) else Severity.NOTE,
            found_shift.n_train + found_shift.n_test,
            f"{label.name} images of train and test differ, {measured}; {told}.",
            Evidence.SHIFT,
            consequence="A threshold that was chosen on patients of train may be wrong on test.",
        )
