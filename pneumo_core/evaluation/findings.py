"""Values of the study's findings: what the published runs say about the report of 2020."""

from dataclasses import dataclass
from typing import Final

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.evaluation.comparison import SCHEMA as COMPARISON
from pneumo_core.evaluation.comparison import Direction
from pneumo_core.records import Architecture, Estimate, Metric, NotApplicable

SCHEMA: Final = 100 * COMPARISON + 1
"""Increased whenever the fields or the meaning of the findings' numbers change, or those of a comparison."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Runs of one network that differ only in their seed.

    Attributes:
        selected_on_test: Whether their epochs were selected on test images.
        run_ids: The runs, by seed.
        n_patients: Number of test patients.
        figures: Mean over the runs of accuracy, sensitivity, specificity and AUROC on test, with intervals over patients.
    """

    architecture: Architecture
    preset: Preset
    balance: Balance
    selected_on_test: bool
    run_ids: tuple[str, ...]
    n_patients: int
    figures: dict[Metric, Estimate | NotApplicable]

    @property
    def is_original(self) -> bool:
        """Whether they were trained on original images alone, weighted or not."""
        return not self.balance.adds_images


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two arms on the same test images, compared as the Compare page does.

    Attributes:
        accuracy: Accuracy of B minus A, with its interval over patients.
        claimed: Whether every applicable interval and test shows a difference in accuracy.
        direction: Direction of that difference.
    """

    a: Arm
    b: Arm
    accuracy: Estimate | NotApplicable
    claimed: bool
    direction: Direction


@dataclass(frozen=True, slots=True)
class Transfer:
    """A run's threshold, chosen on validation: its specificity on validation patients and on test."""

    run_id: str
    architecture: Architecture
    seed: int
    val: Estimate | NotApplicable
    test: Estimate | NotApplicable


@dataclass(frozen=True, slots=True)
class Source:
    """The evidence of one run: the hash of its manifest, which has the hashes of all its files."""

    run_id: str
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Findings of the published runs.

    Attributes:
        schema: `SCHEMA` of the code that computed them.
        arms: Every network, procedure and balancing arm.
        balancing: Original images (A) against original and generated images (B).
        networks: The baseline CNN (A) against VGG16 (B), under the report's procedure, on original images.
        transfers: Thresholds of the runs that chose theirs on ordinary validation, on original images.
        sources: The runs' evidence.
    """

    schema: int
    arms: tuple[Arm, ...]
    balancing: tuple[Contrast, ...]
    networks: tuple[Contrast, ...]
    transfers: tuple[Transfer, ...]
    sources: tuple[Source, ...]
