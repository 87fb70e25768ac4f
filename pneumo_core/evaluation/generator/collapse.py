"""Check for mode collapse: samples that are nearly equal, or few different images."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator.neighbours import nearest_apart
from pneumo_core.evaluation.generator.ssim import diversity
from pneumo_core.evaluation.intervals import wilson
from pneumo_core.evaluation.metrics import FloatArray
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import Estimate, NotApplicable

_HALF: Final = 0.5
"""This project's rule for all limits of the check: halfway to the worst possible value."""


@dataclass(frozen=True, slots=True)
class Collapse:
    """A check for collapse.

    Attributes:
        passes: Whether the samples vary enough.
        reason: Reason why it passes or fails, for people.
        ms_ssim: Mean similarity of pairs of samples; lower is more diverse.
        real_ms_ssim: Mean similarity of pairs of real images of different patients.
        ms_ssim_limit: Largest `ms_ssim` that passes.
        twin_distance: Samples at most this far from another sample have a twin; root-mean-square difference of pixels in
            [0, 1].
        twins: Fraction of samples with a twin.
    """

    passes: bool
    reason: str
    ms_ssim: Estimate
    real_ms_ssim: Estimate
    ms_ssim_limit: float
    twin_distance: float
    twins: Estimate | NotApplicable


def collapse(
    generated: NDArray[Any],
    real: NDArray[Any],
    patients: NDArray[Any],
    *,
    seed: int = 0,
    real_distances: FloatArray | None = None,
) -> Collapse:
    """Compare the variation of samples with that of real images.

    The rules and their limits are this project's. It fails if

    * the samples' mean MS-SSIM lies more than halfway from the real images' to 1, as for nearly equal samples, or
    * more than half of the samples have a twin: another sample no farther away than half of the median distance of real
      images to the nearest one of another patient. This detects few different images, for which most pairs still differ.
      At most as many samples are checked as there are real images, since more samples lie closer.

    Args:
        generated: Samples, (m, size, size) uint8, size at least 11, m at least 4.
        real: Real images, (n, size, size) uint8.
        patients: Patient of each real image, (n,), several of them.
        seed: Seed of the pairs.
        real_distances: Distance of each real image to the nearest one of another patient, (n,), if known.

    Raises:
        DataError: The images are not as described.
    """
    if len(generated) < 4 or generated.shape[1:] != real.shape[1:]:
        raise DataError(
            "the check for collapse requires 4 samples, two pairs, of the real images' size. "
            f"Received: samples={generated.shape}, real={real.shape}; generate more samples"
        )
    if real_distances is None:
        real_distances = nearest_apart(real, patients)[1]
    own = diversity(generated, np.arange(len(generated)), seed)
    theirs = diversity(real, patients, seed)
    limit = theirs.value + _HALF * (1 - theirs.value)
    twin_distance = _HALF * float(np.median(real_distances))
    some = generated[: len(real)]
    has_twin = nearest_apart(some, np.arange(len(some)))[1] <= twin_distance
    alike, repeated = own.value > limit, has_twin.mean() > _HALF
    similarity = (
        f"MS-SSIM of pairs is {own.value:.3f}, {'above' if alike else 'not above'} {limit:.3f}, halfway from the "
        f"real images' {theirs.value:.3f} to 1"
    )
    repetition = f"{percent(float(has_twin.mean()))} of samples nearly equal another; the limit is {percent(_HALF, 0)}"
    return Collapse(
        passes=not (alike or repeated),
        reason=f"{similarity}; {repetition}",
        ms_ssim=own,
        real_ms_ssim=theirs,
        ms_ssim_limit=limit,
        twin_distance=twin_distance,
        twins=wilson(int(has_twin.sum()), has_twin.size),
    )
