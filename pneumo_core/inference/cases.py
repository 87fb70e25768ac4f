"""The training images that a model finds most like an image: the nearest in its own feature space.

A run stores its training images' features reduced to their first principal components, with how far its validation images
are from their nearest. Distances are of the model's own space, so those of different runs cannot be compared.
"""

import io
import zipfile
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.errors import CorruptError
from pneumo_core.evaluation.wording import percent
from pneumo_core.records import Label, NotApplicable, Subtype
from pneumo_core.runs.store import RunDirectory, read_manifest, verified_file

_COMPONENTS: Final = 64
_STEPS: Final = 40
"""Principal components that are stored, and steps of them in the usual distance of a training image to its nearest.

So the published baseline's file has 295 kB. Of the 5 nearest training cases of each of its 761 validation images by all 128
features, 97 % are among the 5 nearest as stored, and the distance to the nearest differs by 0.5 % in the median. Of VGG16's
512 features with ImageNet's weights, 86 % and 1.8 % (300 validation images, 1,500 training images). As float16, 32 components
took 336 kB, with 95 % and 77 % of the nearest.
"""

_NO_PATIENTS: Final = NotApplicable("the run has no validation images of its own to compare the distance with")


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """A run's training images in its feature space; as stored, every field is an array of the file.

    Attributes:
        image_id: `(n,)` text, paths below the data set's root.
        patient_id: `(n,)` text.
        label: `(n,)` int8, values of `Label`.
        subtype: `(n,)` text, values of `Subtype`.
        components: `(k, n)` int16 principal components of the features, in steps; so they compress best.
        step: `()` float32, above 0.
        beyond: `(n,)` float32 squared lengths of what the components leave out.
        center: `(d,)` float32 mean of the features.
        projection: `(d, k)` float16, from centered features to components.
        usual: `(m,)` float32, sorted distances of the run's validation images to their nearest case; empty if it has none.
    """

    image_id: NDArray[np.str_]
    patient_id: NDArray[np.str_]
    label: NDArray[np.int8]
    subtype: NDArray[np.str_]
    components: NDArray[np.int16]
    step: NDArray[np.float32]
    beyond: NDArray[np.float32]
    center: NDArray[np.float32]
    projection: NDArray[np.float16]
    usual: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Case:
    """A training image, and its distance to an image in the run's feature space."""

    image_id: str
    patient_id: str
    label: Label
    subtype: Subtype
    distance: float


@dataclass(frozen=True, slots=True)
class Neighbors:
    """The training images that are nearest to an image.

    Attributes:
        cases: The nearest first, one of each patient.
        searched: Number of training images among which they were found.
        farther_than: Share of the run's validation images that are nearer to their nearest case than the image is, in [0, 1].
        n: Number of those validation images.
    """

    cases: tuple[Case, ...]
    searched: int
    farther_than: float | NotApplicable
    n: int


def fit_cases(rows: pd.DataFrame, features: NDArray[np.float32], own: NDArray[np.float32] | None) -> Cases:
    """A run's training images, reduced for storing.

    Args:
        rows: Rows of the index, with `image_id`, `patient_id`, `label` and `subtype`.
        features: `(len(rows), d)` features of these images.
        own: `(m, d)` features of the run's validation images, or None if it has none of its own.
    """
    exact = features.astype(np.float64)
    center = exact.mean(axis=0)
    # Eigenvectors of the covariance are in increasing order of their variance.
    _, directions = np.linalg.eigh(np.cov(exact, rowvar=False, bias=True).reshape(len(center), len(center)))
    projection = directions[:, ::-1][:, :_COMPONENTS].astype(np.float16)
    center = center.astype(np.float32)
    components, beyond = _reduced(features, center, projection)
    step = np.float32(max(_usual_distance(components) / _STEPS, np.abs(components).max() / np.iinfo(np.int16).max) or 1)
    cases = Cases(
        image_id=rows["image_id"].to_numpy(dtype=str),
        patient_id=rows["patient_id"].to_numpy(dtype=str),
        label=rows["label"].to_numpy(dtype=np.int8),
        subtype=rows["subtype"].to_numpy(dtype=str),
        components=np.rint(components.T / step).astype(np.int16),
        step=np.asarray(step),
        beyond=beyond.astype(np.float32),
        center=center,
        projection=projection,
        usual=np.empty(0, np.float32),
    )
    if own is not None:
        usual = np.sort([_distances(cases, one).min() for one in own]).astype(np.float32)
        cases = replace(cases, usual=usual)
    return cases


def nearest(cases: Cases, features: NDArray[np.float32], count: int = 5) -> Neighbors:
    """The training images nearest to an image.

    Args:
        cases: Those of the run.
        features: `(d,)` features of the image by the run's model.
        count: How many, each of another patient; fewer if there are fewer patients.
    """
    distances = _distances(cases, features)
    found: dict[str, Case] = {}
    for row in np.argsort(distances, kind="stable"):
        if len(found) == count:
            break
        patient = str(cases.patient_id[row])
        if patient not in found:
            label, subtype = Label(int(cases.label[row])), Subtype(str(cases.subtype[row]))
            found[patient] = Case(str(cases.image_id[row]), patient, label, subtype, float(distances[row]))
    n = len(cases.usual)
    nearer = np.searchsorted(cases.usual, np.float32(distances.min()))
    return Neighbors(tuple(found.values()), len(distances), float(nearer) / n if n else _NO_PATIENTS, n)


def described(found: Neighbors) -> str:
    """Neighbors in two sentences: their classes, and how usual the distance is."""
    count = len(found.cases)
    sick = sum(case.label is Label.PNEUMONIA for case in found.cases)
    classes = (
        f"Labels of the {count} nearest of {found.searched:,} training images, each of another patient: "
        f"{sick} {Label.PNEUMONIA.name}, {count - sick} {Label.NORMAL.name}."
    )
    if isinstance(found.farther_than, NotApplicable):
        return f"{classes} How unusual their distance is, is unknown: {found.farther_than.reason}."
    return (
        f"{classes} The image is farther from the nearest than {percent(found.farther_than)} of the {found.n:,} validation "
        "images are from theirs."
    )


def cases_to_bytes(cases: Cases) -> bytes:
    """A run's training images as an NPZ file."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {field.name: getattr(cases, field.name) for field in fields(cases)}
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def read_cases(run: RunDirectory) -> Cases | NotApplicable:
    """Training images of a finished run; not applicable for older runs, which have none stored.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file does not match its hash, or is not what `cases_to_bytes` writes.
    """
    if run.cases.name not in read_manifest(run)["files"]:
        return NotApplicable(f"the run is older than this list; the command 'runs refresh {run.run_id}' adds it")
    data = verified_file(run, run.cases)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return Cases(**{field.name: arrays[field.name] for field in fields(Cases)})
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CorruptError(
            f"{run.cases.name} must hold a run's training images. Received: run_id={run.run_id!r}: {error}"
        ) from error


def _usual_distance(components: NDArray[np.float64]) -> float:
    """Median distance of some two hundred training images, `(n, k)`, to the nearest other one; 0 if there is only one."""
    distances = []
    for row in range(0, len(components), len(components) // 200 + 1):
        others = np.delete(components, row, axis=0)
        distances.append(np.linalg.norm(others - components[row], axis=1).min(initial=np.inf))
    usual = float(np.median(distances))
    return usual if np.isfinite(usual) else 0.0


def _reduced(
    features: NDArray[np.float32], center: NDArray[np.float32], projection: NDArray[np.float16]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Components `(n, k)` of features `(n, d)`, and squared lengths `(n,)` of what they leave out."""
    centered = features.astype(np.float64) - center
    components: NDArray[np.float64] = centered @ projection.astype(np.float64)
    beyond = np.sum(centered**2, axis=1) - np.sum(components**2, axis=1)
    return components, np.maximum(beyond, 0)


def _distances(cases: Cases, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distances `(n,)` of an image's features `(d,)` to every case.

    What the components leave out is taken to be at right angles, so that an image far from all training images is far also
    where they do not vary.
    """
    components, beyond = _reduced(features[None], cases.center, cases.projection)
    squares = np.sum((cases.components * np.float64(cases.step) - components.T) ** 2, axis=0)
    distances: NDArray[np.float64] = np.sqrt(squares + cases.beyond + beyond)
    return distances
