"""Values of a comparison: evidence, two sides, differences, tests of their runs, the verdict."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.evaluation.histogram import Histogram
from pneumo_core.evaluation.metrics import Confusion, FloatArray, IntArray, PrCurve, RocCurve
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.reliability import Reliability
from pneumo_core.evaluation.significance import DeLong, McNemar, SeedDifference, Spread
from pneumo_core.records import Estimate, Label, Metric, NotApplicable, Split

SCHEMA: Final = 4
"""Increased whenever a comparison's fields or the meaning of its numbers change."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A run's predictions for the images of one split.

    Attributes:
        threshold: Images with at least this probability are classified as PNEUMONIA; in [0, 1].
        selected_on_test: Whether the run's epoch or learning rates were selected on test images.
        predictions: One row per image: `image_id`, `patient_id`, `label`, `subtype`, `logit`, in the order of `image_id`.
    """

    run_id: str
    seed: int
    threshold: float
    selected_on_test: bool
    predictions: pd.DataFrame

    @property
    def y_true(self) -> IntArray:
        """Classes, (n,), int64."""
        return self.predictions["label"].to_numpy(dtype=np.int64)

    @property
    def logit(self) -> FloatArray:
        """Logits, (n,), float64."""
        return self.predictions["logit"].to_numpy(dtype=np.float64)

    @property
    def probability(self) -> FloatArray:
        """Raw probabilities of PNEUMONIA, (n,), float64."""
        return probability(self.logit)

    @property
    def y_pred(self) -> NDArray[np.bool_]:
        """Whether each image is called PNEUMONIA, (n,)."""
        return np.asarray(self.probability >= self.threshold)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image is classified correctly, (n,), bool."""
        return np.asarray(self.y_pred == (self.y_true == Label.PNEUMONIA))

    @property
    def patients(self) -> NDArray[np.str_]:
        """Patient of each image, (n,)."""
        return self.predictions["patient_id"].to_numpy(dtype=str)


class Direction(StrEnum):
    """Whether B's accuracy is higher or lower than A's."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Finding:
    """Conclusion on one figure.

    Attributes:
        claimed: Whether a difference is claimed: every applicable interval and test shows it.
        p: Its one p value, the largest of the tests that apply; of figures besides accuracy adjusted for their number.
        test: The test that it is of.
    """

    metric: Metric
    claimed: bool
    p: float | NotApplicable
    test: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Conclusion on the accuracy, and on the figures beside it.

    Attributes:
        claimed: Whether a difference in accuracy is claimed: every applicable interval and test shows it.
        direction: Direction of the measured difference, claimed or not; neither if there is none.
        sentence: The conclusion in one sentence.
        notes: Limitations of that sentence, and other changes.
        findings: Conclusions on the main figures, accuracy first.
    """

    claimed: bool
    direction: Direction
    sentence: str
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


_UNDECIDED: Final = Verdict(claimed=False, direction=Direction.NEITHER, sentence="")


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """A setting that differs between A and B, and its value in the runs of both, for people."""

    name: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Contrast:
    """In what the runs of A and B were made differently; `inference.contrast` has the rule.

    Attributes:
        compared: What is compared: ``network``, ``preset`` or ``balancing arm``; "" for seeds of the same settings, and where
            no single difference is.
        further: What differs besides, or, without one that is compared, everything that differs.
        warning: The further differences in a sentence or two, with both values, or "" if there is none.
    """

    compared: str = ""
    further: tuple[SettingDifference, ...] = ()
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One run, or one group of runs that differ only in their seed; each tuple has an entry for each run, by seed.

    Attributes:
        name: Name for people.
        selected_on_test: Whether an epoch or learning rate of any run was selected on test images.
        n: Number of images.
        figures: Mean over the runs of each figure, with its interval over patients.
        spread: Variation of each figure over the runs, which differ in their seed.
    """

    name: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    thresholds: tuple[float, ...]
    selected_on_test: bool
    n: int
    n_patients: int
    n_pneumonia: int
    values: dict[Metric, tuple[float | NotApplicable, ...]]
    figures: dict[Metric, Estimate | NotApplicable]
    spread: dict[Metric, Spread | NotApplicable]
    confusions: tuple[Confusion, ...]
    roc: tuple[RocCurve | NotApplicable, ...]
    pr: tuple[PrCurve | NotApplicable, ...]
    reliability: tuple[Reliability | NotApplicable, ...]
    histograms: tuple[Histogram, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of a figure between A and B.

    Attributes:
        estimate: B minus A, with its interval over patients and its number of images; if unpaired, B's.
        p: Two-sided. For two runs on the same images the larger of the exact and the clustered test of McNemar (accuracy;
            sensitivity and specificity on the images of their class) or of DeLong (AUROC); else the level at which the
            interval touches 0.
    """

    estimate: Estimate | NotApplicable
    p: float | NotApplicable


@dataclass(frozen=True, slots=True)
class Pair:
    """A run of A and a run of B.

    Attributes:
        b: Run of B, of the same seed as A's if there is one.
        mcnemar_holm: McNemar's larger p, adjusted for several pairs (Holm).
        delong_holm: DeLong's p, adjusted likewise.
    """

    a: str
    b: str
    mcnemar: McNemar | NotApplicable
    delong: DeLong | NotApplicable
    mcnemar_holm: float | NotApplicable
    delong_holm: float | NotApplicable


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of sides A and B; every difference is B minus A.

    Attributes:
        split: Split of all figures.
        paired: Whether both were tested on the same images, so that the statistics are paired.
        pairing: The reason, for people.
        n_both: Number of common images.
        differences: Difference of each figure, over patients.
        seeds: Difference of each figure, over seeds.
        pairs: Pairs of runs, with equal seeds.
        mcnemar: Test of a single pair, like `delong`; several pairs have their own.
        methods: Description of the methods, for people.
        verdict: Conclusion on the accuracy, from all of the above.
        contrast: In what the runs of both sides were made differently.
    """

    split: Split
    a: Side
    b: Side
    paired: bool
    pairing: str
    n_both: int
    differences: dict[Metric, Difference]
    seeds: dict[Metric, SeedDifference | NotApplicable]
    pairs: tuple[Pair, ...]
    mcnemar: McNemar | NotApplicable
    delong: DeLong | NotApplicable
    methods: str
    verdict: Verdict = _UNDECIDED
    contrast: Contrast = Contrast()
