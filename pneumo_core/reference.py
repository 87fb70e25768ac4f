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


EXPECTED: Final[dict[tuple[Architecture, Preset], Expected]] = {
    (Architecture.BASELINE, Preset.REPORT): Expected(
        accuracy=Estimate(0.827, 0.777, 0.868, 318),
        auroc=Estimate(0.938, 0.906, 0.963, 318),
        epochs=11,
        duration_s=527,
        machine="two CPU cores with bfloat16, one seed",
    ),
    (Architecture.BASELINE, Preset.SOUND): Expected(
        accuracy=Estimate(0.821, 0.764, 0.866, 318),
        auroc=Estimate(0.969, 0.951, 0.982, 318),
        epochs=19,
        duration_s=1409,
        machine="two CPU cores with bfloat16, one seed",
    ),
}
"""Runs with seed 0 on the X-rays that README's results are from; what was not run is not there."""
