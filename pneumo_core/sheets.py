"""What people take away of single images: a sheet of one, a table of several. In memory only, as the images are."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.naming import network_name
from pneumo_core.config.run import setting_name
from pneumo_core.data.images import decode_gray
from pneumo_core.errors import ImageError
from pneumo_core.evaluation.calibration import described
from pneumo_core.inference import agreement as agreeing
from pneumo_core.inference import gate
from pneumo_core.inference.agreement import Agreement
from pneumo_core.inference.classify import Classifier, Prediction
from pneumo_core.inference.heatmap import described as scale_described
from pneumo_core.inference.heatmap import heatmap
from pneumo_core.inference.overlay import overlay
from pneumo_core.reporting.case_sheet import SHOWN, OtherModel, SheetContent, case_sheet
from pneumo_core.reporting.case_table import CaseRow, case_table
from pneumo_core.reporting.document import Document, Table
from pneumo_core.runs.store import find_run, read_manifest
from pneumo_core.runs.submission import classifier_config

_OPACITY: Final = 0.4
"""Of a heat map's full color over the image, as `predict --heatmaps` draws it."""


def sheet(
    classifier: Classifier,
    prediction: Prediction,
    data: bytes,
    name: str,
    *,
    verdict: str,
    day: date,
    facts: tuple[tuple[str, str], ...] = (),
    together: Agreement | None = None,
) -> Document:
    """A sheet of an image that has an answer; `reporting.html` and `reporting.pdf` render it.

    Args:
        classifier: The model.
        prediction: Its answer.
        data: The image's file.
        name: Name of the file.
        verdict: What the model reads in the image, in one line.
        day: Date on the sheet.
        facts: Further facts of the image, by name.
        together: Answers of several models for the image, this one's among them, or None.

    Raises:
        ImageError: The image was refused, so there is nothing to write on a sheet.
        RunError, CorruptError: The model's run is not as it was when it was loaded.
    """
    if prediction.probability is None or prediction.cam is None:
        raise ImageError("refused", f"a sheet is of an image with an answer. Received: {name!r}, which was refused")
    pixels = _bounded(decode_gray(data, name))
    heat = heatmap(prediction.cam, classifier.heat_scale, pixels.shape[1], pixels.shape[0])
    return case_sheet(
        SheetContent(
            file=name,
            date=day.isoformat(),
            verdict=verdict,
            warning=_warning(prediction),
            probability=prediction.probability,
            calibrated=prediction.calibrated,
            pixels=pixels,
            overlay=overlay(pixels, heat, opacity=_OPACITY),
            scale=scale_described(classifier.heat_scale),
            report=classifier.report,
            facts=(*facts, *_facts(classifier, prediction)),
            others=() if together is None else _others(classifier, together),
            agreement="" if together is None else agreeing.described(together),
        )
    )


def answers(classifier: Classifier, found: Sequence[tuple[str, Prediction]]) -> Table:
    """A model's answers for several images, named and in this order; `reporting.document.table_csv` makes the CSV file."""
    how = described(classifier.calibration)
    rows = [
        CaseRow(
            file=name,
            run_id=classifier.run_id,
            status=prediction.answer.value,
            code=prediction.code,
            reason=prediction.reason,
            advice=prediction.advice,
            label=prediction.label,
            probability=prediction.probability,
            calibrated=prediction.calibrated,
            threshold=classifier.operating_point.threshold,
            calibration=how,
        )
        for name, prediction in found
    ]
    return case_table(classifier.run_id, rows)


def _warning(prediction: Prediction) -> str:
    if not prediction.reason:
        return ""
    return f"{prediction.reason}. What to do: {prediction.advice}."


def _facts(classifier: Classifier, prediction: Prediction) -> tuple[tuple[str, str], ...]:
    run = find_run(classifier.run_id)
    config = classifier_config(run)
    point = classifier.operating_point
    hashes = read_manifest(run)["files"]
    shipped = gate.read_manifest(gate.GATE_FOLDER)["sha256"]
    seed = f", seed {config.seed}" if isinstance(config, TrainConfig) else ""  # An ensemble's chose its patients alone.
    return (
        ("model", f"{classifier.run_id}: {network_name(config)}, {setting_name(config)}{seed}"),
        ("SHA-256 of model.onnx", str(hashes[run.model.name])),
        ("threshold", f"{point.threshold:.3f}, by the rule '{point.rule.value}' on {point.split.value}"),
        ("gate", f"{prediction.answer.value}{f', {prediction.code}' if prediction.code else ''}; SHA-256 {shipped}"),
    )


def _others(classifier: Classifier, together: Agreement) -> tuple[OtherModel, ...]:
    return tuple(
        OtherModel(reading.run_id, prediction.probability, reading.threshold, prediction.label)
        for reading in together.readings
        if reading.run_id != classifier.run_id
        and (prediction := reading.prediction).probability is not None
        and prediction.label is not None
    )


def _bounded(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image of at most `SHOWN` pixels a side."""
    image = Image.fromarray(pixels)
    image.thumbnail((SHOWN, SHOWN), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)
