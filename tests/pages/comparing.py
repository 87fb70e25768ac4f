"""Two finished runs with predictions of our own, and the Compare page opened on them."""

import os
from dataclasses import replace
from zlib import crc32

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import run_id
from pneumo_core.evaluation.report import report_to_dict
from pneumo_core.inference.evidence import evaluated
from pneumo_core.records import Architecture
from pneumo_core.runs.files import write_atomic, write_json
from pneumo_core.runs.store import RunDirectory, run_directory, write_manifest
from pneumo_core.runs.submission import RunData, Submission, write_submission
from tests.pages.opening import opened


def predictions(splits: tuple[str, ...], seed: int, count: int = 60) -> pd.DataFrame:
    """Images of both classes, patients of one to four images, bacteria and virus, logits that tell them apart somewhat."""
    places = np.arange(count)
    y_true = (places % 3 > 0).astype(int)
    fixed = {
        "patient_id": [f"p{place // (1 + place % 4)}" for place in places],
        "label": y_true,
        "subtype": np.where(y_true == 0, "none", np.where(places % 3 == 1, "bacteria", "virus")),
    }
    frames = []
    for split in splits:
        names = [f"{split}/{place:03}.jpeg" for place in places]
        frames.append(pd.DataFrame({"image_id": names, **fixed, "split": split}))
    return answered(pd.concat(frames, ignore_index=True), seed)


def answered(images: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Images with logits that tell the classes apart somewhat."""
    noise = np.random.default_rng(seed).normal(size=len(images))
    return images.assign(logit=(noise + 2 * images["label"] - 1).astype(np.float32))


def pair_of_runs(
    preset: Preset, splits: tuple[str, ...], images: pd.DataFrame | None = None, data_id: str = "0" * 12
) -> tuple[str, str]:
    """Two finished runs of different seeds, their files written as the worker writes them.

    Args:
        preset: Their preset.
        splits: Splits that they have predictions of, where there are no `images`.
        images: Images of a data set to have predictions of, all but their logits.
        data_id: The data set they were trained on.
    """
    ids = []
    for seed in (0, 1):
        config = replace(preset_config(Architecture.BASELINE, preset), seed=seed)
        run = run_directory(run_id(config, data_id))
        write_submission(run, Submission(config, RunData(data_id, "/nowhere"), 1.7e9))
        rows = predictions(splits, seed) if images is None else answered(images, seed)
        write_atomic(run.predictions, rows.to_parquet(index=False))
        write_json(run.report, report_to_dict(evaluated(run.run_id, config, rows)))
        write_manifest(run, {"seed": seed})
        ids.append(dated_by_content(run).run_id)
    return ids[0], ids[1]


def dated_by_content(run: RunDirectory) -> RunDirectory:
    """The run, whose manifest's time follows from its predictions: with `kept_caches`, equal runs are compared once."""
    content = crc32(run.predictions.read_bytes())
    os.utime(run.manifest, ns=(content, content))
    return run


def compared(a: str, b: str, show: str, **query: str) -> AppTest:
    """The Compare page on two runs, one of its tabs open."""
    return opened("compare", a=a, b=b, show=show, **query)
