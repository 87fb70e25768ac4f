"""Published numbers that others are held against, as data with their source."""

from dataclasses import dataclass
from typing import Final

from pneumo_core.config import Preset
from pneumo_core.records import Architecture, Estimate, Label, Split

__all__ = ["EXPECTED", "OFFICIAL_COUNTS", "OFFICIAL_TOTAL", "Expected"]

OFFICIAL_COUNTS: Final[dict[tuple[Split, Label], int]] = {
    (Split.TRAIN, Label.NORMAL): 1341,
    (Split.TRAIN, Label.PNEUMONIA): 3875,
    (Split.VAL, Label.NORMAL): 8,
    (Split.VAL, Label.PNEUMONIA): 8,
    (Split.TEST, Label.NORMAL): 234,
    (Split.TEST, Label.PNEUMONIA): 390,
}
"""Images per split and class of the Kaggle data set ``paultimothymooney/chest-xray-pneumonia``, version 2.

Source: the files of https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia, made from Kermany, Zhang
and Goldbaum (2018), doi:10.17632/rscbjbr9sj.2. (That page's text says 5,863 images; its archive holds 5,856.)
"""

OFFICIAL_TOTAL: Final = sum(OFFICIAL_COUNTS.values())
"""Images of all splits and classes together: 5,856."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an unchanged preset gave and cost on the real X-rays, in a run that was made.

    Attributes:
        accuracy: On test, at the run's own threshold; the interval is clustered by patient.
        auroc: On test; the interval is clustered by patient.
        epochs: Epochs until training stopped.
        duration_s: Time from the start of the training to its end, without export, in seconds.
        machine: What it ran on, and with how many seeds, in words.
    """

    accuracy: Estimate
    auroc: Estimate
    epochs: int
    duration_s: float
    machine: str


_MACHINE: Final = "two CPU cores with bfloat16, busy with other work too, one seed"

EXPECTED: Final[dict[tuple[Architecture, Preset], Expected]] = {
    (Architecture.BASELINE, Preset.REPORT): Expected(
        accuracy=Estimate(0.906, 0.865, 0.935, 318),
        auroc=Estimate(0.949, 0.919, 0.972, 318),
        epochs=14,
        duration_s=793,
        machine=_MACHINE,
    ),
    (Architecture.BASELINE, Preset.SOUND): Expected(
        accuracy=Estimate(0.821, 0.764, 0.866, 318),
        auroc=Estimate(0.969, 0.951, 0.982, 318),
        epochs=19,
        duration_s=1409,
        machine=_MACHINE,
    ),
    (Architecture.BASELINE, Preset.QUICK): Expected(
        accuracy=Estimate(0.786, 0.730, 0.833, 318),
        auroc=Estimate(0.858, 0.814, 0.897, 318),
        epochs=6,
        duration_s=86,
        machine=_MACHINE,
    ),
    (Architecture.VGG16, Preset.REPORT): Expected(
        accuracy=Estimate(0.903, 0.865, 0.930, 318),
        auroc=Estimate(0.968, 0.949, 0.984, 318),
        epochs=7,
        duration_s=180,
        machine=_MACHINE,
    ),
    (Architecture.VGG16, Preset.SOUND): Expected(
        accuracy=Estimate(0.887, 0.843, 0.919, 318),
        auroc=Estimate(0.970, 0.952, 0.983, 318),
        epochs=14,
        duration_s=549,
        machine=_MACHINE,
    ),
    (Architecture.VGG16, Preset.QUICK): Expected(
        accuracy=Estimate(0.853, 0.800, 0.894, 299),
        auroc=Estimate(0.939, 0.907, 0.966, 299),
        epochs=6,
        duration_s=40,
        machine=_MACHINE,
    ),
}
"""Runs with seed 0 on the X-rays that README's results are from; what was not run is not there."""
