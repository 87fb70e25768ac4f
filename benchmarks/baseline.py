"""The baseline CNN from files to a trained model: the report's way beside ours, on the same images and cores.

    python -m benchmarks.baseline [--epochs 5] [--images 0] [--seed 0] [--artifacts DIR] [--json FILE]

One process after the other. The report's way is `benchmarks.report_way`: its generator, float32, Keras' `fit`. Ours is preset
`report`, trained by the real worker. Both run every epoch, validate on the test images as the report did, and keep the epoch
of the lowest validation loss, whose accuracy (threshold .5) and AUROC on the same test images are shown. Seconds are those of
the training, Keras' import not included; an epoch's hold its validation. Ours begins with a warm array cache; what building
it costs, once for a data set, is shown beside, and counted in `ratio_first_training`.

Intervals and differences hold what other patients would have changed, not what other seeds would.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks import accuracy
from benchmarks.runs import IMAGE_SIZE, finished, own_artifacts, parser, sample
from benchmarks.table import Figure, tell
from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import array_path, load_array
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.records import Architecture

PROJECT = Path(__file__).resolve().parent.parent


def main() -> None:
    options = parser(__doc__, images=None)
    options.add_argument("--epochs", type=int, default=5)
    options.add_argument("--seed", type=int, default=0)
    arguments = options.parse_args()
    with own_artifacts(arguments.artifacts) as artifacts:
        index = build_index(sample(arguments.images, artifacts))
        array_path(index.data_id, IMAGE_SIZE).unlink(missing_ok=True)
        started = time.perf_counter()
        load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=IMAGE_SIZE)
        array_s = time.perf_counter() - started
        theirs, their_predictions = report_way(index, artifacts, arguments.epochs, arguments.seed)
        config = preset_config(Architecture.BASELINE, Preset.REPORT, seed=arguments.seed, epochs=arguments.epochs)
        ours = finished(replace(config, early_stopping_patience=arguments.epochs), index)
        our_predictions = accuracy.on_test(ours.run)
        figures: dict[str, Figure] = {
            "device": f"{ours.trained['device']['name']}, {os.cpu_count()} cores, {ours.trained['device']['precision']}",
            "training_images": ours.trained["images"]["train"],
            "epochs": arguments.epochs,
            "report_epoch_s": theirs["epoch_s"],
            "ours_epoch_s": ours.epoch_s,
            "ratio_epoch": theirs["epoch_s"] / ours.epoch_s,
            "report_training_s": theirs["training_s"],
            "ours_training_s": ours.training_s,
            "ratio_training": theirs["training_s"] / ours.training_s,
            "ours_array_cache_once_s": array_s,
            "ratio_first_training": theirs["training_s"] / (ours.training_s + array_s),
            "report_peak_memory_mib": theirs["peak_memory_mib"],
            "ours_peak_memory_mib": ours.trained["peak_memory_bytes"] / 2**20,
            **accuracy.estimates("report", their_predictions),
            **accuracy.estimates("ours", our_predictions),
            **accuracy.differences("ours_less_report", their_predictions, our_predictions),
        }
    tell(figures, arguments.json)


def report_way(index: DataIndex, artifacts: Path, epochs: int, seed: int) -> tuple[dict[str, float], pd.DataFrame]:
    """Train the report's way in a process of its own: its figures, and its predictions with each image's patient."""
    print(f"the report's way: {epochs} epochs", file=sys.stderr)
    figures, predictions = artifacts / "report-way.json", artifacts / "report-way.parquet"
    command = [sys.executable, "-m", "benchmarks.report_way", str(index.root), f"--epochs={epochs}", f"--seed={seed}"]
    subprocess.run(
        [*command, f"--image-size={IMAGE_SIZE}", f"--json={figures}", f"--predictions={predictions}"],
        cwd=PROJECT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    patients = index.table[["image_id", "patient_id"]]
    return json.loads(figures.read_text()), pd.read_parquet(predictions).merge(patients, on="image_id")


if __name__ == "__main__":
    main()
