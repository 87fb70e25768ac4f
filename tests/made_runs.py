"""Finished classifiers made by hand: predictions as asked for, every file as a worker writes it, but for the model.

And a trained one's heat maps made positive, since what a toy run learned differs between processors.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pandas as pd

from pneumo_core.augmentation.stress import copy_ids
from pneumo_core.config.classifier import Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import run_id
from pneumo_core.evaluation.report import report_to_dict
from pneumo_core.inference.evidence import evaluated
from pneumo_core.inference.heatmap import QUANTILE, HeatScale, scale_to_dict
from pneumo_core.records import Architecture, Split
from pneumo_core.runs.files import write_atomic, write_json
from pneumo_core.runs.status import append_event
from pneumo_core.runs.store import RunDirectory, read_manifest, run_directory, write_manifest
from pneumo_core.runs.submission import RunData, Submission, write_submission

__all__ = ["DATA_ID", "change_output", "made_predictions", "made_run", "make_maps_positive", "vouch_for", "with_stress"]

DATA_ID = "0" * 12


def made_predictions(
    *, skill: float = 1.2, seed: int = 0, n: int = 90, splits: Sequence[str] = ("val", "test"), prefix: str = ""
) -> pd.DataFrame:
    """Predictions of n images a split, two of a patient, two thirds PNEUMONIA; `skill` moves the classes apart."""
    parts = []
    for place, split in enumerate(splits):
        rng = np.random.default_rng([seed, place, round(1000 * skill)])
        labels = (np.arange(n) % 3 > 0).astype(int)
        ids = [f"{prefix}{split}/{number:04d}.jpeg" for number in range(n)]
        parts.append(
            pd.DataFrame(
                {
                    "image_id": ids,
                    "patient_id": [f"{prefix}{split}-{number // 2}" for number in range(n)],
                    "split": split,
                    "label": labels,
                    "subtype": np.where(labels == 1, np.where(np.arange(n) % 2, "virus", "bacteria"), "none"),
                    "logit": rng.normal(skill * (2 * labels - 1), 1.0).astype(np.float32),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def with_stress(predictions: pd.DataFrame, *, copies: int = 2) -> pd.DataFrame:
    """Predictions as this version makes them: with degraded copies of the validation images, and the images' sharpness."""
    rng = np.random.default_rng(len(predictions))
    val = predictions[predictions["split"] == "val"]
    stress = val.loc[val.index.repeat(copies)].assign(
        split="stress", image_id=copy_ids(val["image_id"].tolist(), copies)
    )
    stress["logit"] += rng.normal(0, 0.5, len(stress)).astype(np.float32)
    sharpness = rng.lognormal(5 - 0.4 * predictions["label"], 0.4).astype(np.float32)
    known = predictions.assign(sharpness=sharpness)
    return pd.concat([known, stress.assign(sharpness=np.float32(np.nan))], ignore_index=True)


def made_run(
    predictions: pd.DataFrame,
    *,
    preset: Preset = Preset.SOUND,
    architecture: Architecture = Architecture.BASELINE,
    seed: int = 0,
    data_id: str = DATA_ID,
    is_phantom: bool = False,
    **changes: Any,
) -> RunDirectory:
    """Write a finished run with these predictions under PNEUMO_ARTIFACTS."""
    config: TrainConfig = replace(preset_config(architecture, preset, seed=seed), **changes)
    run = run_directory(run_id(config, data_id))
    data = RunData(data_id, "/nowhere", is_phantom)
    write_submission(run, Submission(config, data, 1.7e9 + seed))
    for epoch in range(3):
        logs = {"loss": 0.6 - epoch / 10, "accuracy": 0.7, "val_loss": 0.5, "val_accuracy": 0.8, "learning_rate": 1e-3}
        append_event(run, {"kind": "epoch", "epoch": epoch, **logs, "duration_s": 1.0})
    write_atomic(run.predictions, predictions.to_parquet(index=False))
    report = evaluated(run.run_id, config, predictions)
    write_json(run.report, report_to_dict(report))
    write_manifest(run, {"parameters": 10, "trainable_parameters": 9, "seed": seed})
    return run


def vouch_for(run: RunDirectory) -> None:
    """Write the manifest again, of the files that are there."""
    write_manifest(run, {name: value for name, value in read_manifest(run).items() if name != "files"})


def change_output(model: onnx.ModelProto, name: str, operation: str) -> None:
    """Put an ONNX operation of one input behind an output of a model."""
    (last,) = [node for node in model.graph.node if name in node.output]
    last.output[:] = [f"{name}/before"]
    model.graph.node.append(onnx.helper.make_node(operation, [f"{name}/before"], [name]))


def make_maps_positive(run: RunDirectory) -> None:
    """Give a copy of a trained run heat maps that are positive on every image, and a scale for them."""
    model = onnx.load(run.model)
    change_output(model, "cam", "Abs")
    onnx.save(model, run.model)
    write_json(run.heatmap_scale, scale_to_dict(HeatScale(full=0.5, quantile=QUANTILE, split=Split.VAL, n=19)))
    vouch_for(run)
