"""Prediction of files and folders for the command line."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pneumo_core.data.formats import FORMATS, is_hidden, is_image_file, is_zip
from pneumo_core.data.images import decode_gray
from pneumo_core.errors import DataError, ImageError
from pneumo_core.evaluation.calibration import described
from pneumo_core.inference.classify import Classifier, Prediction, classify, load_classifier
from pneumo_core.inference.gate import Answer
from pneumo_core.inference.heatmap import HeatScale, heatmap
from pneumo_core.inference.heatmap import described as scale_described
from pneumo_core.inference.overlay import overlay
from pneumo_core.inference.uploads import unpacked
from pneumo_core.records import NotApplicable
from pneumo_core.runs.files import write_atomic
from pneumo_core.runs.store import RunDirectory


def predict_files(
    run: RunDirectory,
    paths: list[Path],
    *,
    heatmaps: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    say: Callable[[str], None] = lambda _words: None,
) -> list[dict[str, Any]]:
    """Classify files, and the image files below folders and in ZIP archives, with one result per image.

    Args:
        run: A finished run.
        paths: Files or folders; a file named explicitly is tried whatever its suffix.
        heatmaps: Folder that gets a Grad-CAM overlay of each image that was not refused, or None.
        progress: Called with files done and their total.
        say: Called with a sentence about files below the folders that are left out.

    Returns:
        Plain data: `path`, `status`, `reason` with its `code` and `advice`, `probability`, `calibrated_probability` (None where
        there is none), `calibration` (description, or why there is none), `label`, `threshold` (of `probability`),
        `facts` (of DICOM tags), and
        `heatmap` (file, or None if refused) and `heatmap_scale` (what full color means) if requested.

    Raises:
        DataError: A path does not exist, or there is no image below them.
        RunError: The run is not finished.
        StoreError: A heat map cannot be written.
    """
    files = _files(paths, say)
    classifier = load_classifier(run)
    how = described(classifier.calibration)
    results = []
    written: set[Path] = set()
    for path, data, prediction in _answers(classifier, files, progress):
        calibrated = prediction.calibrated
        result = {
            "path": str(path),
            "status": prediction.answer.value,
            "code": prediction.code,
            "reason": prediction.reason,
            "advice": prediction.advice,
            "probability": prediction.probability,
            "calibrated_probability": None if isinstance(calibrated, NotApplicable) else calibrated,
            "calibration": calibrated.reason if isinstance(calibrated, NotApplicable) else how,
            "label": prediction.label.name if prediction.label is not None else None,
            "threshold": classifier.operating_point.threshold,
            "facts": dict(prediction.facts),
        }
        if heatmaps is not None:
            target = _overlay_path(heatmaps, path, written)
            result["heatmap"] = _write_overlay(target, path, data, prediction, classifier.heat_scale)
            result["heatmap_scale"] = scale_described(classifier.heat_scale)
        results.append(result)
    return results


def _answers(
    classifier: Classifier, files: list[Path], progress: Callable[[int, int], None]
) -> Iterator[tuple[Path, bytes, Prediction]]:
    """Each image with its path, an archive's as if the archive were a folder, its bytes and its answer."""
    for done, path in enumerate(files, start=1):
        try:
            if path.exists() and not path.is_file():
                raise OSError("it is not a regular file")  # Reading a pipe would wait forever.
            data = path.read_bytes()
        except OSError as error:
            reason = f"a file must be readable. Received: {path.name!r}: {error.strerror or error}"
            advice = "check the file and its permissions"
            yield path, b"", Prediction(Answer.REFUSED, reason, "unreadable", advice)
        else:
            try:
                for upload in unpacked(path.name, data):
                    inner = path / upload.name if is_zip(data) else path
                    yield inner, upload.data, classify(classifier, upload.data, upload.name)
            except ImageError as error:
                yield path, b"", Prediction(Answer.REFUSED, error.problem, error.reason, error.advice)
        progress(done, len(files))


def _files(paths: list[Path], say: Callable[[str], None]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(
                file for file in path.rglob("*") if not file.is_dir() and not is_hidden(file.relative_to(path))
            )
            images = [file for file in below if is_image_file(file, path)]
            if others := sorted(set(below) - set(images)):
                first = others[0].relative_to(path).as_posix()
                what = "file" if len(others) == 1 else "files"
                say(f"{len(others):,} {what} below {path} left out, no image by name, such as {first!r}")
            files += images
        elif path.exists():
            files.append(path)
        else:
            raise DataError(f"a path must exist. Received: path={str(path)!r}")
    if not files:
        raise DataError(f"there must be a {FORMATS} file to predict. Received: paths={[str(path) for path in paths]}")
    return files


def _overlay_path(folder: Path, path: Path, written: set[Path]) -> Path:
    """Path of an image's overlay; files of equal names in folders of equal names must not replace each other."""
    target, number = folder / path.parent.name / f"{path.stem}-gradcam.png", 2
    while target in written:
        target, number = target.with_name(f"{path.stem}-{number}-gradcam.png"), number + 1
    written.add(target)
    return target


def _write_overlay(
    target: Path, path: Path, data: bytes, prediction: Prediction, scale: HeatScale | NotApplicable
) -> str | None:
    if prediction.cam is None:
        return None
    pixels = decode_gray(data, path.name)
    blended = overlay(pixels, heatmap(prediction.cam, scale, pixels.shape[1], pixels.shape[0]), opacity=0.4)
    file = io.BytesIO()
    Image.fromarray(np.asarray(blended)).save(file, "PNG")
    write_atomic(target, file.getvalue())
    return str(target)
