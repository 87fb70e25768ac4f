"""What predictions hold besides validation and test images: degraded copies of the former, and the images' sharpness."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.augmentation.stress import copy_ids, degraded
from pneumo_core.config.ensemble import ClassifierConfig
from pneumo_core.data.index import DataIndex
from pneumo_core.inference.image_facts import image_facts
from pneumo_core.inference.session import Session, run_batches
from pneumo_core.records import Split

Progress = Callable[[int, int, str], None]

_CHUNK: Final = 64
"""Images whose copies are in memory at once, 6 MB at 150 pixels."""


def stress_rows(
    session: Session,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    images: pd.DataFrame,
    copies: int,
    progress: Progress,
) -> pd.DataFrame:
    """Predict degraded copies of images.

    Args:
        session: The model.
        pixels: Images, `(count, size, size)` uint8, usually memory-mapped.
        rows: Those to degrade, `(n,)`.
        images: `image_id`, `patient_id`, `label`, `subtype` of these, in the same order.
        copies: Copies of each.
        progress: Called with copies done, their total and the stage; it may raise to stop.

    Returns:
        Their predictions; the copies have their original's facts, and ids of their own.
    """
    ids = images["image_id"].tolist()
    logits = []
    for start in range(0, len(ids), _CHUNK):
        made = degraded(pixels[rows[start : start + _CHUNK]], ids[start : start + _CHUNK], copies)
        report = _from(start * copies, len(ids) * copies, progress)
        logits.append(run_batches(session, made, np.arange(len(made)), report).logit)
    known = (
        images[["patient_id", "label", "subtype"]].iloc[np.repeat(np.arange(len(ids)), copies)].reset_index(drop=True)
    )
    known.insert(0, "image_id", copy_ids(ids, copies))
    return known.assign(split=Split.STRESS.value, logit=np.concatenate(logits).astype(np.float32))


def with_sharpness(predictions: pd.DataFrame, index: DataIndex, progress: Progress) -> pd.DataFrame:
    """Predictions with the column `sharpness`, float32; degraded copies have none.

    Raises:
        DataError, StoreError: See `image_facts`.
    """
    is_image = (predictions["split"] != Split.STRESS.value).to_numpy()
    facts = image_facts(
        index,
        predictions.loc[is_image, "image_id"].tolist(),
        lambda done, total: progress(done, total, "measuring the sharpness of images"),
    )
    sharpness = np.full(len(predictions), np.nan, np.float32)
    sharpness[is_image] = facts["sharpness"].to_numpy(np.float32)
    return predictions.assign(sharpness=sharpness)


def is_complete(predictions: pd.DataFrame, config: ClassifierConfig, *, with_model: bool) -> bool:
    """Whether a run's predictions have the sharpness, and degraded copies where the run can have them."""
    can_have = with_model and not config.selected_on_test
    return "sharpness" in predictions and (not can_have or has_stress(predictions))


def has_stress(predictions: pd.DataFrame) -> bool:
    """Whether predictions have rows of degraded copies."""
    return bool((predictions["split"] == Split.STRESS.value).any())


def _from(start: int, total: int, progress: Progress) -> Callable[[int, int], None]:
    """Progress of a part of the copies, in all of them."""
    return lambda done, _total: progress(start + done, total, f"predicting {Split.STRESS.value}")
