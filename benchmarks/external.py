"""A published model on labeled X-rays of another hospital: AUROC, and rates at the run's own threshold.

    python -m benchmarks.external --images DIR --data chest_xray --run RUN [--color-map viridis] [--json FILE] [--no-store]
    python -m benchmarks.external --images labels.csv --data chest_xray --run RUN

The images are a folder per class, anywhere below DIR (`CLASSES` names them; other folders are passed over), or the rows of a
CSV file with the columns `path`, from the file's own folder, and `label`. Each is read, judged by the gate and classified as an
upload is; refused ones are counted and left out of the figures, and so are copies of the data set's own images (`COPY`), which
collections of this kind hold. Where a collection was saved in false colors, `--color-map` names the color map of Matplotlib
from which each pixel's gray level is read back. Intervals treat images as independent. The result goes into
artifacts/published/external.json, where pages read it. No image is stored.

The collection at hand is described by `COLLECTION`; for another, change it.
"""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.table import tell
from pneumo_core.data.formats import IMAGE_SUFFIXES
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import build_index
from pneumo_core.errors import DataError
from pneumo_core.evaluation.intervals import area_estimates, wilson
from pneumo_core.evaluation.operating import rates
from pneumo_core.evaluation.probability import probability
from pneumo_core.inference.classify import Classifier, classify, load_classifier
from pneumo_core.inference.external import Collection, ExternalResult, store_external
from pneumo_core.inference.gate import Answer
from pneumo_core.records import Label
from pneumo_core.runs.store import find_run, read_manifest

COLLECTION: Final = Collection(
    name="RSNA Pneumonia Detection Challenge",
    patients="NIH Clinical Center in Bethesda, mostly adults",
    labels="lung opacity as radiologists of the RSNA labeled it",
    source="darwin757/ThoraxScanAI, commit af023f88e060, folders Normal and Lung_Opacity",
    date="2024-03-29",
    url="https://github.com/darwin757/ThoraxScanAI",
    reference="https://doi.org/10.1148/ryai.2019180041",
    license="none in the repository; of the COVID-19 Radiography Database and the RSNA challenge, research use",
    notes=(
        "The copies have 299 x 299 pixels and were saved in false colors, from which their gray levels were read back.",
        "The repository's viral pneumonias are the data set's own children, and are not used.",
        "Of the challenge's 26,684 training images, 5 % show patients under 18 years, .3 % under 6.",
        "Of those with lung opacity 78 % are anterior-posterior views, of the others 36 %.",
        "The gate, not the classifier, has seen some of the normal ones in training.",
    ),
)

CLASSES: Final = {
    "normal": Label.NORMAL,
    "no finding": Label.NORMAL,
    "pneumonia": Label.PNEUMONIA,
    "lung opacity": Label.PNEUMONIA,
}
"""Classes by the name of a folder or the label of a row, in lower case and with spaces for underscores."""

COPY: Final = 0.995
"""Correlation of two thumbnails from which an image is a copy of another, as in the gate's sources."""

_DECODED, _THUMBNAIL = 64, 16
"""Sides to which images are decoded, and averaged, to be compared."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=Path, required=True, help="folder with a folder per class, or a CSV file")
    options.add_argument("--data", type=Path, required=True, help="the data set, whose copies are left out")
    options.add_argument("--run", required=True, help="id of the run")
    options.add_argument("--color-map", help="Matplotlib's color map that the images were saved in")
    options.add_argument("--json", type=Path, help="file for the figures")
    options.add_argument("--no-store", action="store_true", help="leave artifacts/published/external.json as it is")
    arguments = options.parse_args()
    run = find_run(arguments.run)
    everything = labeled(arguments.images)
    grays = grays_of(arguments.color_map) if arguments.color_map else None
    read = partial(contents, grays=grays)
    copied = copies([read(path) for path, _ in everything], arguments.data)
    images = [(read(path), label) for (path, label), is_copy in zip(everything, copied, strict=True) if not is_copy]
    result = measured(load_classifier(run), images, int(copied.sum()), read_manifest(run)["files"][run.model.name])
    tell(
        {
            "normal": result.n_normal,
            "pneumonia": result.n_pneumonia,
            "warned": result.warned,
            "refused": result.refused,
            "copies_of_the_data_set": result.copies,
            **{metric.value: figure for metric, figure in result.figures.items()},
        },
        arguments.json,
    )
    if not arguments.no_store:
        store_external(COLLECTION, result)


def labeled(source: Path) -> list[tuple[Path, Label]]:
    """Files with their classes, sorted by path.

    Raises:
        DataError: There is no image of one of the classes.
    """
    if source.is_file():
        with source.open(newline="", encoding="utf-8") as table:
            named: Iterable[tuple[Path, str]] = [
                (source.parent / row["path"], row["label"]) for row in csv.DictReader(table)
            ]
    else:
        files = (path for path in source.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        named = [(path, path.parent.name) for path in files]
    by_name = [(path, CLASSES.get(name.lower().replace("_", " "))) for path, name in named]
    found = sorted((path, label) for path, label in by_name if label is not None)
    counts = Counter(label for _, label in found)
    if set(counts) != set(Label):
        raise DataError(f"there must be images of both classes. Received: {str(source)!r} with {dict(counts)}")
    return found


def grays_of(color_map: str) -> NDArray[np.uint8]:
    """Gray level of the color map's nearest color, for each color, `(64, 64, 64)` by a quarter of red, green and blue."""
    from matplotlib import colormaps  # noqa: PLC0415
    from scipy.spatial import KDTree  # noqa: PLC0415

    colors = 255 * colormaps[color_map](np.arange(256))[:, :3]
    steps = np.arange(64) * 4 + 1.5
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return KDTree(colors).query(cube)[1].astype(np.uint8)


def contents(path: Path, grays: NDArray[np.uint8] | None) -> bytes:
    """A file's bytes; of an image in false colors, those of a gray PNG."""
    if grays is None:
        return path.read_bytes()
    with Image.open(path) as image:
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")) >> 2, -1, 0)
    buffer = io.BytesIO()
    Image.fromarray(grays[red, green, blue]).save(buffer, "PNG")
    return buffer.getvalue()


def copies(files: list[bytes], data: Path) -> NDArray[np.bool_]:
    """Which files, `(n,)`, are copies of the data set's images."""
    index = build_index(data)
    own = _thumbnails((index.root / image_id).read_bytes() for image_id in index.table["image_id"])
    return np.concatenate(
        [(rows @ own.T).max(axis=1) > COPY for rows in np.array_split(_thumbnails(files), 1 + len(files) // 500)]
    )


def _thumbnails(files: Iterable[bytes]) -> NDArray[np.float32]:
    """Thumbnails of mean 0 and length 1, `(n, pixels)`."""
    large = np.stack([decode_gray(file, "an image", size=_DECODED) for file in files])
    step = _DECODED // _THUMBNAIL
    small = large.reshape(len(large), _THUMBNAIL, step, _THUMBNAIL, step).mean(axis=(2, 4))
    flat = small.reshape(len(small), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    thumbnails: NDArray[np.float32] = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return thumbnails


def measured(
    classifier: Classifier, images: list[tuple[bytes, Label]], copied: int, model_sha256: str
) -> ExternalResult:
    """Classify every image as an upload, and compute the figures."""
    answers = [(label, classify(classifier, file, "an image")) for file, label in images]
    answered = [(label, found) for label, found in answers if found.logit is not None]
    y_true = np.asarray([label for label, _ in answered])
    logit = np.asarray([found.logit for _, found in answered])
    alone = np.arange(len(answered))
    threshold = classifier.operating_point.threshold
    likelihood = probability(logit)
    at = rates(y_true, likelihood, alone, threshold)
    return ExternalResult(
        run_id=classifier.run_id,
        model_sha256=model_sha256,
        measured_on=datetime.now(UTC).date().isoformat(),
        threshold=threshold,
        n_normal=int((y_true == Label.NORMAL).sum()),
        n_pneumonia=int((y_true == Label.PNEUMONIA).sum()),
        warned=sum(found.answer is Answer.WARNED for _, found in answered),
        refused=len(answers) - len(answered),
        copies=copied,
        auroc=area_estimates(y_true, logit, alone).auroc,
        accuracy=wilson(int(((likelihood >= threshold) == y_true).sum()), len(y_true)),
        sensitivity=at.sensitivity,
        specificity=at.specificity,
    )


if __name__ == "__main__":
    main()
