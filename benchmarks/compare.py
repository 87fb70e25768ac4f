"""What a comparison costs: two runs, and two groups of runs over seeds, from disk to figures, and the page that shows them.

    python -m benchmarks.compare [--runs 20] [--images 624] [--repeats 3] [--json FILE]

Finished runs are written by hand into artifacts that are thrown away: real files, random predictions. `compare` is
`inference.compared.compare_runs`, reading from disk included, in a process that has compared before; medians. `page` is Compare
opened by its link in the system's Chromium, until the verdict is drawn and the page is idle: the first time, on a server that
has shown the front page alone, and again, medians. Each number of runs has a server of its own; its resident memory comes last.
"""

import argparse
import os
import statistics
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import psutil
from playwright.sync_api import Browser, Page

from benchmarks.app import cold_start
from benchmarks.browser import CHROMIUM, chromium, find_chromium
from benchmarks.generative import seconds
from benchmarks.runs import own_artifacts
from benchmarks.table import Figure, tell
from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_to_dict, run_id
from pneumo_core.evaluation.report import evaluate, report_to_dict
from pneumo_core.evaluation.resampling import REPLICATES
from pneumo_core.inference.compared import compare_runs
from pneumo_core.records import Architecture, NotApplicable, Split
from pneumo_core.runs.files import write_atomic, write_json
from pneumo_core.runs.status import append_event
from pneumo_core.runs.store import run_directory, write_manifest

DATA_ID = "0" * 12
TIMEOUT_MS = 120_000
SKILL = {Balance.NONE: 1.0, Balance.OVERSAMPLE: 1.1}
"""How far the classes of each side lie apart, in standard deviations to either side of 0."""

IDLE = """
document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
&& !document.querySelector('[data-testid=stSkeleton], [data-testid=stStatusWidget]')
"""


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: run ids of A and of B."""

    a: tuple[str, ...]
    b: tuple[str, ...]

    @property
    def count(self) -> int:
        """Runs of both sides."""
        return len(self.a) + len(self.b)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="runs of a side, one a seed")
    parser.add_argument("--images", type=int, default=624, help="images of a split")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, Figure] = {
        "images": arguments.images,
        "replicates": REPLICATES,
        "cores": os.cpu_count() or 1,
    }
    with own_artifacts(None):
        a, b = (written_runs(balance, arguments.runs, arguments.images) for balance in SKILL)
        cases = (Sides(a[:1], b[:1]), Sides(a, b))
        verdicts = []
        for sides in cases:
            verdicts.append(compare_runs(sides.a, sides.b).verdict.sentence)
            times = [seconds(partial(compare_runs, sides.a, sides.b)) for _ in range(arguments.repeats)]
            figures[f"compare_{sides.count}_runs_s"] = statistics.median(times)
        if find_chromium() is None:
            figures["page"] = NotApplicable(f"none of {', '.join(CHROMIUM)} is on the PATH")
        else:
            with chromium() as browser:
                for sides, verdict in zip(cases, verdicts, strict=True):
                    figures |= page_figures(browser, sides, verdict, arguments.repeats)
    tell(figures, arguments.json)


def written_runs(balance: Balance, runs: int, images: int) -> tuple[str, ...]:
    """Finished runs of one side, one a seed: their ids. Every file is as a worker writes it, but for the model."""
    ids = []
    for seed in range(runs):
        config = replace(preset_config(Architecture.BASELINE, Preset.SOUND, seed=seed), balance=balance)
        ids.append(write_run(config, predictions(images, SKILL[balance], seed)))
    return tuple(ids)


def predictions(images: int, skill: float, seed: int) -> pd.DataFrame:
    """Random predictions of the same images and patients of both splits, whatever the skill and the seed.

    Five of eight images are PNEUMONIA and three images are of two patients on average, as in the official test images.
    """
    parts = []
    for place, split in enumerate((Split.VAL, Split.TEST)):
        label = (np.arange(images) % 8 < 5).astype(int)
        patients = np.random.default_rng(place).integers(0, images * 2 // 3, images)
        rng = np.random.default_rng([seed, place, round(100 * skill)])
        parts.append(
            pd.DataFrame(
                {
                    "image_id": [f"{split.value}/{number:05d}.jpeg" for number in range(images)],
                    "patient_id": [f"{split.value}-{patient}" for patient in patients],
                    "split": split.value,
                    "label": label,
                    "subtype": np.where(label == 1, "bacteria", "none"),
                    "logit": rng.normal(skill * (2 * label - 1), 1).astype(np.float32),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def write_run(config: TrainConfig, predicted: pd.DataFrame) -> str:
    """Write what a run leaves as evidence: its id."""
    run = run_directory(run_id(config, DATA_ID))
    data = {"data_id": DATA_ID, "root": "/nowhere", "is_phantom": False}
    asked = {"run_id": run.run_id, "config": config_to_dict(config), "data": data, "submitted_at": time.time()}
    write_json(run.config, asked)
    logs = {"loss": 0.4, "accuracy": 0.8, "val_loss": 0.5, "val_accuracy": 0.8, "learning_rate": 1e-3}
    append_event(run, {"kind": "epoch", "epoch": 0, **logs, "duration_s": 1.0})
    write_atomic(run.predictions, predicted.to_parquet(index=False))
    report = evaluate(
        predicted, run_id=run.run_id, rule=config.operating_rule, selected_on_test=config.selected_on_test
    )
    write_json(run.report, report_to_dict(report))
    write_manifest(run, {"parameters": 1, "trainable_parameters": 1, "seed": config.seed})
    return run.run_id


def page_figures(browser: Browser, sides: Sides, verdict: str, repeats: int) -> dict[str, Figure]:
    """Seconds of the Compare page, first and again, and the resident memory of its server."""
    with cold_start(browser) as (page, server, _):
        page.wait_for_function(IDLE, timeout=TIMEOUT_MS)
        address = f"{page.url}compare?{urlencode({'a': ','.join(sides.a), 'b': ','.join(sides.b)}, safe=',')}"
        first, *again = (seconds(lambda: open_page(page, address, verdict)) for _ in range(1 + repeats))
        resident = psutil.Process(server.pid).memory_info().rss / 2**20
    name = f"page_{sides.count}_runs"
    return {
        f"{name}_first_s": first,
        f"{name}_again_s": statistics.median(again),
        f"{name}_resident_mib": resident,
    }


def open_page(page: Page, address: str, verdict: str) -> None:
    """Open the Compare page and wait until it shows this verdict and works no more."""
    page.goto(address)
    page.get_by_test_id("stAlertContentInfo").get_by_text(verdict).wait_for(timeout=TIMEOUT_MS)
    page.wait_for_function(IDLE, timeout=TIMEOUT_MS)


if __name__ == "__main__":
    main()
