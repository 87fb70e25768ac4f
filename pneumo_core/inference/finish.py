"""What a finished run stores besides its model and predictions, made here alone: by the worker and by `runs refresh`.

A later version's fact of a classifier is one more entry of `FACTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pneumo_core.config.classifier import Preset
from pneumo_core.config.ensemble import ClassifierConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.data.index import DataIndex
from pneumo_core.data.splits import case_rows
from pneumo_core.evaluation import calibration, report, trust
from pneumo_core.evaluation.plain import encode
from pneumo_core.inference import cases, gan_measures, heatmap, map_tests
from pneumo_core.inference.evidence import calibrated, evaluated
from pneumo_core.inference.generator import Generator
from pneumo_core.inference.session import Outputs, Session, run_batches
from pneumo_core.inference.trust import NO_PATIENTS
from pneumo_core.records import NotApplicable
from pneumo_core.runs.files import json_bytes


@dataclass(frozen=True, slots=True)
class Material:
    """What the facts of a classifier are made from; its parts are functions, so that only what is needed is computed.

    `own` are the model's outputs for the run's own images: validation, or test if it selected on test. `trained` are those for
    its training images, with their rows of the index, see `splits.case_rows`. `model` is its file's content, and `pixels` gives
    the images of these ids as the model takes them, `(n, size, size)` uint8. `progress` is called with the amount done, its
    total and the stage; it may raise to stop.
    """

    run_id: str
    config: ClassifierConfig
    predictions: Callable[[], pd.DataFrame]
    own: Callable[[], Outputs]
    trained: Callable[[], tuple[pd.DataFrame, Outputs]]
    model: Callable[[], bytes]
    pixels: Callable[["pd.Series[str]"], NDArray[np.uint8]]
    progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None


def outputs_for_training(
    session: Session, config: ClassifierConfig, index: DataIndex, progress: Callable[[int, int, str], None]
) -> tuple[pd.DataFrame, Outputs]:
    """Rows of a run's training images that are stored as its cases, and the model's outputs for them.

    Raises:
        DataError: The images have changed, or cannot be assigned.
    """
    rows = case_rows(index.table, config)
    images = index.pixels(
        session.image_size, lambda done, total: progress(done, total, "reading images"), session.preparation
    )
    outputs = run_batches(session, images, rows, lambda done, total: progress(done, total, "finding the cases"))
    return index.table.iloc[rows], outputs


@dataclass(frozen=True, slots=True)
class Fact:
    """A file of a finished classifier: `schema` is that of its content, or None if there is only one.

    One that needs the run's model is of no use without it.
    """

    name: str
    schema: int | None
    make: Callable[[Material], bytes]
    needs_model: bool = False


def _report(material: Material) -> bytes:
    return json_bytes(report.report_to_dict(evaluated(material.run_id, material.config, material.predictions())))


def _calibration(material: Material) -> bytes:
    return json_bytes(calibration.calibration_to_dict(calibrated(material.config, material.predictions())))


def _heat_scale(material: Material) -> bytes:
    scale = heatmap.NO_PATIENTS if material.config.selected_on_test else heatmap.fit_scale(material.own().peak)
    return json_bytes(heatmap.scale_to_dict(scale))


def _trust(material: Material) -> bytes:
    if material.config.selected_on_test:
        return json_bytes(trust.trust_to_dict(NO_PATIENTS))
    is_quick = material.config.preset is Preset.QUICK
    chosen = map_tests.chosen_images(material.predictions(), is_quick=is_quick)
    if isinstance(chosen, NotApplicable):
        return json_bytes(trust.trust_to_dict(chosen))
    tested = map_tests.run_tests(
        material.model(),
        material.pixels(chosen["image_id"]),
        lambda done, total: material.progress(done, total, "testing heat maps"),
    )
    return json_bytes(trust.trust_to_dict(tested))


def _cases(material: Material) -> bytes:
    rows, outputs = material.trained()
    own = None if material.config.selected_on_test else material.own().features
    return cases.cases_to_bytes(cases.fit_cases(rows, outputs.features, own))


FACTS: Final = (
    Fact("report.json", report.SCHEMA, _report),
    Fact("calibration.json", calibration.SCHEMA, _calibration),
    Fact("heatmap.json", heatmap.SCHEMA, _heat_scale, needs_model=True),
    Fact("trust.json", trust.SCHEMA, _trust, needs_model=True),
    Fact("cases.npz", None, _cases, needs_model=True),
)
"""Every fact of a finished classifier, trained or an ensemble."""


def gan_facts(
    run_id: str,
    config: GanConfig,
    generator: Generator,
    index: DataIndex,
    learned: pd.DataFrame,
    *,
    classifier: str | None = None,
    progress: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Facts of a finished DCGAN: its files by name, and what its manifest says of them.

    For the arguments see `gan_measures.measure_gan`; the preset decides how many samples are measured.

    Raises:
        ConfigError, DataError, RunError, CorruptError: See `gan_measures.measure_gan`.
    """
    count = gan_measures.SAMPLES[config.preset]
    measures = gan_measures.measure_gan(
        run_id, generator, index, learned, count=count, classifier=classifier, progress=progress
    )
    collapse = measures.report.collapse
    files = {"measures.json": json_bytes(encode(measures))}
    return files, {"collapse": "" if collapse.passes else collapse.reason}
