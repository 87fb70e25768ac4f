"""Which images a run is wrong about, and how far."""

import numpy as np
import pandas as pd

from pneumo_core.evaluation.probability import probability
from pneumo_core.records import Label


def with_probability(predictions: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Predictions with each image's probability and what it is called at the threshold."""
    values = probability(predictions["logit"].to_numpy())
    called = np.where(values >= threshold, Label.PNEUMONIA.name, Label.NORMAL.name)
    return predictions.assign(probability=values, called=called)


def by_error(predicted: pd.DataFrame) -> pd.DataFrame:
    """Images of `with_probability` for people: the misclassified first, then by the distance of probability and label."""
    labels = predicted["label"].map(lambda label: Label(label).name)
    verdicts = {("NORMAL", "PNEUMONIA"): "false alarm", ("PNEUMONIA", "NORMAL"): "missed"}
    table = pd.DataFrame(
        {
            "verdict": [verdicts.get(pair, "right") for pair in zip(labels, predicted["called"], strict=True)],
            "image": predicted["image_id"],
            "patient": predicted["patient_id"],
            "subtype": predicted["subtype"],
            "label": labels,
            "probability": predicted["probability"],
            "error": (predicted["probability"] - predicted["label"]).abs(),
        }
    )
    keyed = table.assign(right=table["verdict"] == "right")
    ranked = keyed.sort_values(["right", "error", "image"], ascending=[True, False, True], ignore_index=True)
    return ranked.drop(columns="right")
