"""How near a probability is to the decision threshold, and what a verdict there is worth."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import logit as log_odds

from pneumo_core.evaluation.intervals import clustered_share
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import OperatingPoint
from pneumo_core.records import Estimate, Label, NotApplicable, Split

SHARE: Final = 0.05
"""Share of the images that the threshold was chosen on which count as near it: those with the nearest logits.

With the recommended run, 49 of 318 test images are near, and 26 of those are read wrongly, against 31 of the other 269: there a
verdict is worth no more than a coin. Twice the share would call 80 images near, 35 of them read wrongly.
"""

_CLOSE: Final = "Close to the threshold"


@dataclass(frozen=True, slots=True)
class Near:
    """The band around a run's threshold in which a verdict is worth little.

    Attributes:
        low: Lower end, a raw probability of PNEUMONIA in (0, 1).
        high: Upper end.
        split: Split whose images set the band: the one that the threshold was chosen on.
        n: Its images.
        inside: Share of test images in the band that are read wrongly.
        outside: The same of the other test images.
    """

    low: float
    high: float
    split: Split
    n: int
    inside: Estimate | NotApplicable
    outside: Estimate | NotApplicable


def near(predictions: pd.DataFrame, point: OperatingPoint) -> Near | NotApplicable:
    """The band around a run's threshold.

    Args:
        predictions: The run's predictions: `patient_id`, `split`, `label` and `logit`.
        point: Its threshold, and the split that it was chosen on.
    """
    threshold = float(log_odds(point.threshold))
    distance = np.abs(predictions["logit"].to_numpy(dtype=np.float64) - threshold)
    chosen_on, test = (predictions["split"].to_numpy() == split.value for split in (point.split, Split.TEST))
    if not np.isfinite(threshold) or not chosen_on.any():
        return NotApplicable(f"the run has no threshold that was chosen on images of {point.split.value}")
    width = float(np.quantile(distance[chosen_on], SHARE))
    called = predictions["logit"].to_numpy(dtype=np.float64) >= threshold
    wrong = called != (predictions["label"].to_numpy() == Label.PNEUMONIA)
    patients = predictions["patient_id"].to_numpy(dtype=str)
    low, high = probability(np.array([threshold - width, threshold + width])).tolist()
    return Near(
        low,
        high,
        point.split,
        int(chosen_on.sum()),
        clustered_share(wrong, test & (distance <= width), patients, "no test image is so near the threshold"),
        clustered_share(wrong, test & (distance > width), patients, "every test image is so near the threshold"),
    )


def is_near(likelihood: float, band: Near | NotApplicable) -> bool:
    """Whether a raw probability of PNEUMONIA is within the band."""
    return isinstance(band, Near) and band.low <= likelihood <= band.high


def verdict(likelihood: float, label: Label, band: Near | NotApplicable) -> str:
    """What a model reads in an image, in one line.

    Args:
        likelihood: Raw probability of PNEUMONIA, in [0, 1].
        label: Class at the threshold.
        band: Around the threshold; without one, every image is read as its class.
    """
    return _CLOSE if is_near(likelihood, band) else f"Reads as {label.name}"
