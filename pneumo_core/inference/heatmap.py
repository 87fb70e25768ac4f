"""Heat maps on one scale per run, so that a weak map looks weak."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.images import Decoded
from pneumo_core.data.padding import inside
from pneumo_core.errors import CorruptError, DataError
from pneumo_core.evaluation.plain import decode, encode, expect
from pneumo_core.records import NotApplicable, Split, split_name
from pneumo_core.runs.store import RunDirectory, read_manifest, verified_json

SCHEMA: Final = 1
"""Increased whenever the fields of a stored scale or the meaning of its numbers change."""

QUANTILE: Final = 0.95
"""Quantile of the validation images' peaks that is drawn in full color.

Peaks are skewed: over 761 validation images of the published baseline the median is .020, the 95th percentile .055, the 99th
.083, the maximum .130. A higher quantile rests on few images (over resampled patients the 99th varies from .071 to .106, the
95th from .051 to .061) and leaves most maps dark (half of the test images of PNEUMONIA peak below 28 % of the 99th, 43 % of
the 95th); a lower one draws more maps alike. One image in twenty reaches full color.
"""


@dataclass(frozen=True, slots=True)
class HeatScale:
    """Scale of a run's heat maps.

    Attributes:
        full: Grad-CAM drawn in full color, above 0, in the units of the run's `cam`; those of another run may differ.
        quantile: Quantile of the images' peaks that it is, in (0, 1).
        split: Split of the images.
        n: Number of images.
    """

    full: float
    quantile: float
    split: Split
    n: int


NO_PATIENTS: Final = NotApplicable(
    "the run has no validation images of its own, and test images must not set its scale"
)
"""Scale of a run that selected on test."""


def fit_scale(peaks: NDArray[np.float32]) -> HeatScale | NotApplicable:
    """Scale of a run from the largest Grad-CAM of each of its validation images, `(n,)`, of any sign."""
    full = float(np.quantile(peaks.astype(np.float64), QUANTILE))
    if full <= 0:
        return NotApplicable("in nearly all validation images no region contributes to PNEUMONIA")
    return HeatScale(full, QUANTILE, Split.VAL, len(peaks))


def scale_to_dict(scale: HeatScale | NotApplicable) -> dict[str, Any]:
    """Plain data of a scale, for JSON; one that is not applicable is ``{"not_applicable": reason}``."""
    return {"schema": SCHEMA, **encode(scale)}


def scale_from_dict(data: Any) -> HeatScale | NotApplicable:
    """Scale from `scale_to_dict`'s plain data.

    Raises:
        DataError: The data has another schema, or a key or value that a scale does not have.
    """
    expect(isinstance(data, dict) and data.get("schema") == SCHEMA, "heatmap", f"be of schema {SCHEMA}", data)
    fields_only = {key: value for key, value in data.items() if key != "schema"}
    scale: HeatScale | NotApplicable = decode(HeatScale | NotApplicable, fields_only, "heatmap")
    if isinstance(scale, HeatScale):
        expect(scale.full > 0 and 0 < scale.quantile < 1 and scale.n > 0, "heatmap", "be a scale", data)
    return scale


def read_scale(run: RunDirectory) -> HeatScale | NotApplicable:
    """Scale of a finished run's heat maps; not applicable for older runs, which have none stored.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file does not match its hash.
    """
    if run.heatmap_scale.name not in read_manifest(run)["files"]:
        return NotApplicable(f"the run is older than this scale; the command 'runs refresh {run.run_id}' adds it")
    try:
        return scale_from_dict(verified_json(run, run.heatmap_scale))
    except DataError as error:
        raise CorruptError(str(error)) from error


def of_image(values: NDArray[np.float32], image: Decoded) -> NDArray[np.float32]:
    """A map `(h, w)` of the square that a model took, as a map of the image in it: without the padding, if there is one."""
    if image.content is None:
        return values
    side = max(image.content.shape)
    every = Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(every, np.float32)[inside(image.content.shape)]


def heatmap(cam: NDArray[np.float32], scale: HeatScale | NotApplicable, width: int, height: int) -> NDArray[np.float32]:
    """Turn a raw Grad-CAM into a heat map of an image's size (Selvaraju 2017, section 3: ReLU, then upsampling).

    Args:
        cam: `(h, w)` float32, of any sign.
        scale: Scale of the run; without one, the map is drawn on its own maximum.
        width: Width of the result, in pixels.
        height: Height of the result, in pixels.

    Returns:
        `(height, width)` float32 in [0, 1], 1 in full color; all zeros if no region contributes to PNEUMONIA.
    """
    positive = np.maximum(cam, 0)
    full = float(positive.max()) if isinstance(scale, NotApplicable) else scale.full
    if full <= 0:
        return np.zeros((height, width), np.float32)
    scaled = Image.fromarray((positive / full).astype(np.float32))
    resized = np.asarray(scaled.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)
    # Resizing flattens a peak; on its own scale a map reaches 1 all the same.
    top = max(float(resized.max()), 1e-12) if isinstance(scale, NotApplicable) else 1.0
    heat: NDArray[np.float32] = np.clip(resized / top, 0, 1)
    return heat


def share_of_full(cam: NDArray[np.float32], scale: HeatScale) -> float:
    """Strongest spot of an image as a share of full color, 0 or more."""
    return max(0.0, float(cam.max())) / scale.full


def described(scale: HeatScale | NotApplicable) -> str:
    """What full color means, for people."""
    if isinstance(scale, NotApplicable):
        return f"each image's own strongest spot, since {scale.reason}"
    images = f"{scale.n:,} {split_name(scale.split)} images of this run"
    return f"the {100 * scale.quantile:g}th percentile of the strongest spot over {images}"
