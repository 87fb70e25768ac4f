"""How good predictions are, and whether two sets of them differ: 95 % intervals over the patients of the same images.

An interval says what other patients would have changed; it says nothing of other seeds.
"""

import numpy as np
import pandas as pd

from benchmarks.table import Figure
from pneumo_core.evaluation.intervals import area_estimates, clustered_wilson, mean_estimates
from pneumo_core.evaluation.metrics import area_influence, areas, rank
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.resampling import bca_estimates, resample
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.records import Estimate, Split
from pneumo_core.runs.store import RunDirectory

THRESHOLD = 0.5  # The report's.


def on_test(run: RunDirectory) -> pd.DataFrame:
    """A finished run's test images: `image_id`, `patient_id`, `label` and `probability`."""
    table = read_predictions(run)
    table = table[table["split"] == Split.TEST.value]
    return table[["image_id", "patient_id", "label"]].assign(probability=probability(table["logit"].to_numpy()))


def estimates(name: str, predictions: pd.DataFrame) -> dict[str, Figure]:
    """Accuracy and AUROC of one set of predictions."""
    label, patients = predictions["label"].to_numpy(), predictions["patient_id"].to_numpy()
    score = predictions["probability"].to_numpy()
    return {
        f"{name}_accuracy": clustered_wilson((score >= THRESHOLD) == label, patients),
        f"{name}_auroc": area_estimates(label, score, patients).auroc,
    }


def differences(name: str, first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Figure]:
    """Accuracy and AUROC of the second less the first, paired on the same images, and whether the interval holds 0."""
    both = first.merge(second, on=["image_id", "patient_id", "label"], suffixes=("_1", "_2"), validate="one_to_one")
    if not len(both) == len(first) == len(second):
        raise SystemExit(f"predictions must be of the same images. Received: {len(first)} and {len(second)}")
    label, patients = both["label"].to_numpy(), both["patient_id"].to_numpy()
    scores = [both[column].to_numpy() for column in ("probability_1", "probability_2")]
    correct = [((score >= THRESHOLD) == label).astype(np.float64) for score in scores]
    first_rank, second_rank = (rank(label, score) for score in scores)
    drawn = resample(
        lambda weights: (areas(second_rank, weights)[0] - areas(first_rank, weights)[0])[:, np.newaxis],
        (area_influence(second_rank) - area_influence(first_rank))[:, :1],
        patients,
    )
    found = {
        f"{name}_accuracy_difference": mean_estimates((correct[1] - correct[0])[:, np.newaxis], patients)[0],
        f"{name}_auroc_difference": bca_estimates(drawn, len(both))[0][0],
    }
    verdicts = {
        f"{measure}_holds_0": "yes" if estimate.low <= 0 <= estimate.high else "no"
        for measure, estimate in found.items()
        if isinstance(estimate, Estimate)
    }
    return {**found, **verdicts}
