"""Types that all packages share: frozen values without behavior."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class Split(StrEnum):
    """Part of the data set an image belongs to; ``stress`` holds degraded copies of a run's validation images."""

    TRAIN = "train"
    VAL = "val"
    STRESS = "stress"
    TEST = "test"


FOLDERS: Final = (Split.TRAIN, Split.VAL, Split.TEST)
"""The splits that a data set has folders of."""


def split_words(split: Split, *, selected: bool) -> str:
    """A split as it stands beside figures: ``test``, or ``test (epoch chosen on it)`` where it selected the run's epoch."""
    return f"{split.value} (epoch chosen on it)" if selected and split is Split.TEST else split.value


def split_name(split: Split) -> str:
    """A split in a sentence: ``validation``, ``stress``, ``test``, ``train``."""
    return "validation" if split is Split.VAL else split.value


class Label(IntEnum):
    """Class of an image; the value is the entry of `y_true`."""

    NORMAL = 0
    PNEUMONIA = 1


class Subtype(StrEnum):
    """Cause of the pneumonia, from the file name."""

    NONE = "none"
    BACTERIA = "bacteria"
    VIRUS = "virus"
    UNKNOWN = "unknown"


class Architecture(StrEnum):
    """Model a run trains, or makes of finished ones."""

    BASELINE = "baseline"
    COMPACT = "compact"
    VGG16 = "vgg16"
    ENSEMBLE = "ensemble"
    DCGAN = "dcgan"


class Metric(StrEnum):
    """A performance metric of a classifier; precision, recall and F1 as in the classification table of the 2020 report."""

    ACCURACY = "accuracy"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    PPV = "ppv"
    NPV = "npv"
    F1_NORMAL = "f1_normal"
    F1_PNEUMONIA = "f1_pneumonia"
    MACRO_PRECISION = "macro_precision"
    MACRO_RECALL = "macro_recall"
    MACRO_F1 = "macro_f1"
    WEIGHTED_PRECISION = "weighted_precision"
    WEIGHTED_RECALL = "weighted_recall"
    WEIGHTED_F1 = "weighted_f1"
    AUROC = "auroc"
    AUPRC = "auprc"
    BRIER = "brier"
    LOG_LOSS = "log_loss"


class RunState(StrEnum):
    """State of a run, derived from its files (see `runs.status.run_state`)."""

    QUEUED = "queued"
    RUNNING = "running"
    EXPORTING = "exporting"
    TRAINED = "trained"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_live(self) -> bool:
        """Whether a worker holds the run."""
        return self in {RunState.QUEUED, RunState.RUNNING, RunState.EXPORTING}


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One readable image of a data set.

    Attributes:
        image_id: Path below the data set's root with forward slashes; unique.
        split: Split of its folder.
        label: Class of its folder.
        subtype: Cause of the pneumonia from the file name; ``none`` for NORMAL.
        patient_id: Patient key with the file name's prefix: bacteria, virus, IM and NORMAL2-IM have separate numbers.
        pooled_id: Patient number without the prefix, the pessimistic reading of the same names.
        width: Pixels, as stored (before EXIF rotation).
        height: Pixels, as stored (before EXIF rotation).
        mode: Pillow's mode of the file, such as ``"L"`` or ``"RGB"``.
        size_bytes: Size of the file.
        sha256: Hash of the file's bytes, hexadecimal.
    """

    image_id: str
    split: Split
    label: Label
    subtype: Subtype
    patient_id: str
    pooled_id: str
    width: int
    height: int
    mode: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file in a class folder that is not a usable image.

    Attributes:
        image_id: Path below the data set's root with forward slashes.
        reason: Code of `ImageError.reason`.
        message: What was expected and what was found.
    """

    image_id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class SharedPatients:
    """Patients of a data set's test split that are in train as well, in both readings of the file names' numbers.

    Attributes:
        patients: How many, with the numbers' prefix.
        of_patients: Patients of test, with the prefix.
        pooled: How many, with the prefix dropped.
        of_pooled: Patients of test, with the prefix dropped.
    """

    patients: int
    of_patients: int
    pooled: int
    of_pooled: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval.

    Attributes:
        value: Point estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Number of images that the estimate is based on.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """Reason why a value cannot be computed; never replaced by 0 or NaN."""

    reason: str
