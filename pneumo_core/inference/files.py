"""Prediction of files and folders for the command line."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pneumo_core.data.images import IMAGE_SUFFIXES, decode_gray
from pneumo_core.errors import DataError
from pneumo_core.evaluation.calibration import described
from pneumo_core.inference.classify import Prediction, classify, load_classifier
from pneumo_core.inference.gate import Answer
from pneumo_core.inference.heatmap import HeatScale, heatmap
from pneumo_core.inference.heatmap import described as scale_described
from pneumo_core.inference.overlay import overlay
from pneumo_core.records import NotApplicable
from pneumo_core.runs.files import write_atomic
from pneumo_core.runs.store import RunDirectory


def predict_files(
    run: RunDirectory,
    paths: list[Path],
    *,
    heatmaps: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[dict[str, Any]]:
    """Classify files, and the PNG and JPEG files below folders, with one result per image.

    Args:
        run: A finished run.
        paths: Files or folders; a file named explicitly is tried whatever its suffix.
        heatmaps: Folder that gets a Grad-CAM overlay of each image that was not refused, or None.
        progress: Called with images done and their total.

    Returns:
        Plain data: `path`, `status`, `reason` with its `code` and `advice`, `probability`, `calibrated_probability` (None where
        there is none), `calibration` (description, or why there is none), `label`, `threshold` (of `probability`), and
        `heatmap` (file, or None if refused) and `heatmap_scale` (what full color means) if requested.

    Raises:
        DataError: A path does not exist, or there is no image below them.
        RunError: The run is not finished.
        StoreError: A heat map cannot be written.
    """
    files = _files(paths)
    classifier = load_classifier(run)
    how = described(classifier.calibration)
    results = []
    written: set[Path] = set()
    for done, path in enumerate(files, start=1):
        try:
            if path.exists() and not path.is_file():
                raise OSError("it is not a regular file")  # Reading a pipe would wait forever.
            data = path.read_bytes()
        except OSError as error:
            reason = f"a file must be readable. Received: {path.name!r}: {error.strerror or error}"
            data, prediction = (
                b"",
                Prediction(Answer.REFUSED, reason, "unreadable", "check the file and its permissions"),
            )
        else:
            prediction = classify(classifier, data, path.name)
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
        }
        if heatmaps is not None:
            target = _overlay_path(heatmaps, path, written)
            result["heatmap"] = _write_overlay(target, path, data, prediction, classifier.heat_scale)
            result["heatmap_scale"] = scale_described(classifier.heat_scale)
        results.append(result)
        progress(done, len(files))
    return results


def _files(paths: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(
                file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and not file.is_dir()
            )
        elif path.exists():
            files.append(path)
        else:
            raise DataError(f"a path must exist. Received: path={str(path)!r}")
    if not files:
        raise DataError(f"there must be a PNG or JPEG file to predict. Received: paths={[str(path) for path in paths]}")
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
