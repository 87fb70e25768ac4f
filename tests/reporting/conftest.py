"""Comparisons of made-up predictions, as documents get them: small, seeded, and with names that mean harm."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_to_dict
from pneumo_core.documents import split_facts
from pneumo_core.evaluation.calibration import calibrate
from pneumo_core.evaluation.compare import compare
from pneumo_core.evaluation.comparison import Evidence
from pneumo_core.records import Architecture, SharedPatients, Split
from pneumo_core.reporting.facts import RunFacts
from pneumo_core.reporting.study_document import Compared

HOSTILE = '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)> $x^2$ & \x00\x1b 肺炎 ü'


def predictions(seed: int, n: int = 60, *, quality: float = 1.5, pneumonia: float = 0.6) -> pd.DataFrame:
    """Predictions of both splits; images and classes are the same for every seed, two images a patient."""
    parts = []
    for place, split in enumerate(("val", "test")):
        label = (np.random.default_rng(place).random(n) < pneumonia).astype(np.int64)
        noise = np.random.default_rng([seed, place]).normal(size=n)
        parts.append(
            pd.DataFrame(
                {
                    "image_id": [f"{split}/{number:04d}.jpeg" for number in range(n)],
                    "patient_id": [f"{split}-{number // 2}" for number in range(n)],
                    "split": split,
                    "label": label,
                    "subtype": np.where(label == 1, "bacteria", "none"),
                    "logit": quality * (2 * label - 1) + 1.5 * noise,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def facts(run_id: str, seed: int, table: pd.DataFrame, **data: Any) -> RunFacts:
    config = preset_config(Architecture.VGG16, Preset.SOUND, seed=seed)
    events = [
        {
            "kind": "epoch",
            "epoch": epoch,
            "loss": 1 / (epoch + 1),
            "val_loss": 0.9,
            "accuracy": 0.8,
            "val_accuracy": 0.7,
        }
        for epoch in range(3)
    ]
    device = {"kind": "cpu", "name": "processor", "versions": {"keras": "3.15.1"}}
    manifest = {"parameters": 23_760_705, "trainable_parameters": 9_046_017, "device": device, "images": {"test": 60}}
    data = {"data_id": "0123456789ab", "name": "made up", "is_phantom": False, **data}
    shared = SharedPatients(patients=0, of_patients=60, pooled=11, of_pooled=54)
    return RunFacts(run_id, config_to_dict(config), manifest, data, events, calibrate(table), shared)


@pytest.fixture(scope="session")
def make_compared() -> Callable[..., Compared]:
    def make(
        runs: int = 1,
        names: tuple[str, str] = ("VGG16 · original", "VGG16 · gan"),
        *,
        n: int = 60,
        pneumonia: float = 0.6,
    ) -> Compared:
        sides: list[list[tuple[Evidence, RunFacts]]] = [[], []]
        for place in range(2):
            for seed in range(runs):
                table = predictions(10 * place + seed, n, quality=1.5 - 0.5 * place, pneumonia=pneumonia)
                run_id = f"vgg16-{place}{seed:011d}"
                test = table[table["split"] == "test"].reset_index(drop=True)
                evidence, told = Evidence(run_id, seed, 0.5, False, test), facts(run_id, seed, table)
                measured = split_facts(evidence, Split.TEST, told.calibration, None)
                sides[place].append((evidence, replace(told, on_split=measured)))
        a, b = sides
        comparison = compare(
            [one for one, _ in a], [one for one, _ in b], split=Split.TEST, names=names, replicates=200
        )
        return Compared(comparison, tuple(told for _, told in a), tuple(told for _, told in b))

    return make


@pytest.fixture(scope="session")
def one_run(make_compared: Callable[..., Compared]) -> Compared:
    return make_compared()


@pytest.fixture(scope="session")
def three_runs(make_compared: Callable[..., Compared]) -> Compared:
    return make_compared(3)
