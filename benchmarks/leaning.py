"""What a classifier leans on: its held-out patients' images, changed in one way that is no sign of pneumonia.

    python -m benchmarks.leaning --run RUN --data chest_xray [--json FILE]

Every validation image of the run is changed alike, so that a model that does not look at what is changed answers as before.
Histograms are exchanged between the classes: each image gets the gray levels of a random image of the other class and, as a
control, of its own. Of each change: AUROC, and sensitivity and specificity at the run's own threshold, with intervals over
patients. Test images are not read.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.table import Figure, tell
from pneumo_core.augmentation.transform import apply, draw_parameters
from pneumo_core.config.augment import AugmentConfig
from pneumo_core.data.index import build_index
from pneumo_core.evaluation.intervals import area_estimates
from pneumo_core.evaluation.operating import rates
from pneumo_core.evaluation.probability import probability
from pneumo_core.inference.classify import Classifier, load_classifier
from pneumo_core.inference.evidence import read_predictions
from pneumo_core.inference.session import run_many
from pneumo_core.inference.shortcuts import CHANGES, NAMES
from pneumo_core.records import Label, Split
from pneumo_core.runs.store import find_run

Images = NDArray[np.uint8]

_STRETCHES: Final = (0.77, 0.87, 1.15, 1.3)
"""Factors on the ratio of width to height; the classes' files differ by 1.21 on average (`plausibility.LIMITS`)."""

_ZOOMS: Final = (0.8, 1.2, 1.35)
"""Factors on the size of what is shown."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--run", required=True, help="id of a finished classifier with validation patients")
    options.add_argument("--data", type=Path, required=True, help="the data set that it was trained on")
    options.add_argument("--json", type=Path, help="also write the figures here")
    arguments = options.parse_args()
    run = find_run(arguments.run)
    classifier, index = load_classifier(run), build_index(arguments.data)
    predictions = read_predictions(run)
    chosen = predictions[predictions["split"] == Split.VAL.value]
    pixels = index.pixels(classifier.session.image_size, preparation=classifier.session.preparation)
    images = np.asarray(pixels[index.rows_of(chosen["image_id"])])
    figures: dict[str, Figure] = {"run": run.run_id, "split": Split.VAL.value}
    for name, changed in changes(images, chosen["label"].to_numpy()):
        figures |= {f"{name}: {what}": figure for what, figure in measured(classifier, changed, chosen).items()}
    tell(figures, arguments.json)


def changes(images: Images, labels: NDArray[np.int64]) -> Iterator[tuple[str, Images]]:
    """Names of the changes, and the images `(n, size, size)` uint8 after each."""
    yield "as they are", images
    for factor in _STRETCHES:
        yield f"stretched by {factor}", _framed(images, aspect=1 / factor)
    for factor in _ZOOMS:
        yield f"enlarged by {factor}", _framed(images, zoom_x=1 / factor, zoom_y=1 / factor)
    for probe, change in CHANGES.items():
        yield NAMES[probe].lower(), _each(images, change)
    rng = np.random.default_rng(0)
    for name, other in (("histograms of its own class", False), ("histograms of the other class", True)):
        by_label = {int(label): images[labels == (1 - label if other else label)] for label in Label}
        drawn = [by_label[label][rng.integers(len(by_label[label]))] for label in labels.tolist()]
        yield name, np.stack([matched(one, like) for one, like in zip(images, drawn, strict=True)])


def matched(image: Images, like: Images) -> Images:
    """An image with the gray levels of another: equal ranks get equal levels."""
    _, place, counts = np.unique(image, return_inverse=True, return_counts=True)
    wanted, theirs = np.unique(like, return_counts=True)
    ranks = np.interp(np.cumsum(counts) / image.size, np.cumsum(theirs) / like.size, wanted)
    return np.rint(ranks[place]).astype(np.uint8).reshape(image.shape)


def measured(classifier: Classifier, images: Images, rows: pd.DataFrame) -> dict[str, Figure]:
    """Figures of the answers to images, whose labels and patients are those of `rows`."""
    logit = run_many(classifier.session, images, len(images)).logit
    y_true, patients = rows["label"].to_numpy(), rows["patient_id"].to_numpy()
    at = rates(y_true, probability(logit), patients, classifier.operating_point.threshold)
    auroc = area_estimates(y_true, logit.astype(np.float64), pd.factorize(patients, sort=True)[0]).auroc
    return {"auroc": auroc, "sensitivity": at.sensitivity, "specificity": at.specificity}


def _framed(images: Images, **factors: float) -> Images:
    """The images with their distances multiplied, as `augmentation.transform.AugmentParameters` names the factors."""
    unchanged = draw_parameters(AugmentConfig(), len(images), np.random.default_rng(0))
    parameters = replace(unchanged, **{name: np.full(len(images), factor) for name, factor in factors.items()})
    return np.rint(apply(images, parameters)).astype(np.uint8)


def _each(images: Images, change: Callable[[Images], Images]) -> Images:
    return np.stack([change(image) for image in images])


if __name__ == "__main__":
    main()
