"""What a comparison is made of and says, as values: evidence, two sides, differences, tests of their runs, the verdict."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.evaluation.metrics import Confusion, FloatArray, IntArray, PrCurve, RocCurve
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.reliability import Reliability
from pneumo_core.evaluation.significance import DeLong, McNemar, SeedDifference, Spread
from pneumo_core.records import Estimate, Label, Metric, NotApplicable, Split

SCHEMA: Final = 2
"""Raised whenever a comparison's fields or the meaning of its numbers change."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run said about the images of one split.

    Attributes:
        run_id: The run.
        seed: Its seed.
        threshold: Images with at least this probability are classified as PNEUMONIA; in [0, 1].
        selected_on_test: Whether test images chose its epoch or rates.
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
        """Whether each image is called what it is, (n,)."""
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
class Verdict:
    """What can be said of the accuracy.

    Attributes:
        claimed: Whether a difference is claimed: every interval and test that applies shows it.
        direction: Which way the measured difference points, claimed or not; neither where there is none.
        sentence: The same in one sentence.
        notes: What limits that sentence, and what else changed.
    """

    claimed: bool
    direction: Direction
    sentence: str
    notes: tuple[str, ...] = ()


_UNDECIDED: Final = Verdict(claimed=False, direction=Direction.NEITHER, sentence="")


@dataclass(frozen=True, slots=True)
class Side:
    """One run, or one group of runs that differ in their seed alone.

    Attributes:
        name: What it is, in words.
        run_ids: Its runs, by seed.
        seeds: Their seeds.
        thresholds: Their decision thresholds.
        selected_on_test: Whether test images chose an epoch or a rate of any of them.
        n: Images.
        n_patients: Patients.
        n_pneumonia: Images of PNEUMONIA.
        values: Each figure of each run.
        figures: Mean over the runs of each figure; the interval says how it varies with the patients.
        spread: How each figure varies over the runs, which differ in their seed.
        confusions: Counts of each run.
        roc: ROC curve of each run.
        pr: Precision-recall curve of each run.
        reliability: Calibration of each run's probabilities.
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


@dataclass(frozen=True, slots=True)
class Difference:
    """What a figure gains from A to B.

    Attributes:
        estimate: B minus A, with its interval over patients and the number of images it is about; unpaired, of B's.
        p: Two-sided. Of two runs on the same images the larger of the exact and the clustered test of McNemar (accuracy;
            sensitivity and specificity on the images of their class) or of DeLong (AUROC); else the level at which the
            interval touches 0.
    """

    estimate: Estimate | NotApplicable
    p: float | NotApplicable


@dataclass(frozen=True, slots=True)
class Pair:
    """A run of A beside a run of B.

    Attributes:
        a: Run of A.
        b: Run of B, of the same seed where there is one.
        mcnemar: Their calls on the same images.
        delong: Their AUROC.
        mcnemar_holm: McNemar's p, adjusted for looking at several pairs (Holm).
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
    """A beside B; every difference is B minus A.

    Attributes:
        split: Split of all figures.
        a: The one side.
        b: The other.
        paired: Whether both were asked about the same images, so that each image is its own control.
        pairing: Why, or why not, in words.
        n_both: Images that both were asked about.
        differences: Of each figure, over patients.
        seeds: Of each figure, over seeds.
        pairs: Runs side by side, those of equal seed.
        mcnemar: Of the one pair; of several, each pair has its own.
        delong: Of the one pair; of several, each pair has its own.
        methods: How the numbers were made, for people.
        verdict: What can be said of the accuracy; made last, from all of the above.
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
