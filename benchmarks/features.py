"""What the feature cache gains: VGG16 with it off, on from an empty cache, and a second seed on the warm one.

    python -m benchmarks.features [--images 1000] [--epochs 10] [--views 2] [--artifacts DIR] [--json FILE]

Three runs of preset `report`, trained by the real worker one after the other, early stopping off. Seconds are those of the
training (Keras' import not included) and of the wall (from `submit` until the training is whole). The array cache is built
before. ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 in the environment measures a CPU without AMX.

How it scales. With n training and v validation images, E epochs and k views a run takes

    off:          s + E (n + v) a
    on:           s + (k n + v) x + E (n + v) h
    second seed:  s + E (n + v) h

where a and h are the seconds of an image and epoch without and with the cache, x those of an image's features, and s what is
left: reading, building and tracing the model, each run's own. All are measured here (a and h from the median epoch after the
first), and the predicted ratios put other n, v and E into the formula. As E grows, both ratios tend to a / h.

Accuracy and AUROC are those of the test images at the threshold .5, differences are paired on the same images, and intervals
are over their patients: they hold what other patients would have changed, not what other seeds would.
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import accuracy
from benchmarks.runs import IMAGE_SIZE, FinishedRun, finished, own_artifacts, parser, sample
from benchmarks.table import Figure, tell
from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import load_array
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.layout import find_root
from pneumo_core.data.source import default_data
from pneumo_core.records import Architecture, Split
from pneumo_core.runs.status import read_events
from pneumo_core.runs.store import datasets_root


def main() -> None:
    options = parser(__doc__, images=1000)
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--views", type=int, default=2, help="augmented views in the cache")
    arguments = options.parse_args()
    with own_artifacts(arguments.artifacts) as artifacts:
        index = build_index(sample(arguments.images, artifacts))
        whole = find_root(default_data())
        load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=IMAGE_SIZE)
        off = train(index, arguments.epochs, views=0, seed=0)
        on = train(index, arguments.epochs, views=arguments.views, seed=0, empty_cache=True)
        second = train(index, arguments.epochs, views=arguments.views, seed=1)
        runs = {"off": off, "on": on, "second_seed": second}
        costs = {name: cost(run) for name, run in runs.items()}
        tested = {name: accuracy.on_test(run.run) for name, run in runs.items()}
        figures: dict[str, Figure] = {
            "device": f"{on.trained['device']['name']}, {os.cpu_count()} cores, {on.trained['device']['precision']}",
            "training_images": on.trained["images"]["train"],
            "validation_images": on.trained["images"]["val"],
            "epochs": arguments.epochs,
            "views": arguments.views,
            **{f"{name}_training_s": run.training_s for name, run in runs.items()},
            **{f"{name}_wall_s": run.wall_s for name, run in runs.items()},
            "extraction_s": extraction(on)[1],
            "off_images_per_s": 1 / costs["off"].epoch_s,
            "extraction_images_per_s": 1 / costs["on"].features_s,
            "head_images_per_s": 1 / costs["on"].epoch_s,
            "ratio_off_on_training": off.training_s / on.training_s,
            "ratio_off_on_wall": off.wall_s / on.wall_s,
            "ratio_off_second_seed_training": off.training_s / second.training_s,
            "ratio_off_second_seed_wall": off.wall_s / second.wall_s,
            **predicted_ratios(costs, on.trained["images"], whole, arguments.epochs, arguments.views),
        }
        for name, table in tested.items():
            figures |= accuracy.estimates(name, table)
        for name in ("on", "second_seed"):
            figures |= accuracy.differences(f"{name}_less_off", tested["off"], tested[name])
    tell(figures, arguments.json)


def train(index: DataIndex, epochs: int, *, views: int, seed: int, empty_cache: bool = False) -> FinishedRun:
    """A run of the report's VGG16 through all of its epochs."""
    config = replace(
        preset_config(Architecture.VGG16, Preset.REPORT, seed=seed, epochs=epochs, feature_views=views),
        early_stopping_patience=epochs,
    )
    if empty_cache:
        shutil.rmtree(datasets_root() / index.data_id / "features", ignore_errors=True)
    return finished(config, index)


# --- How it scales ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run's seconds are made of.

    Attributes:
        fixed_s: s of the formula.
        features_s: x, seconds of an image's features; 0 where none were computed.
        epoch_s: a or h, seconds of an image and epoch.
    """

    fixed_s: float
    features_s: float
    epoch_s: float

    def training_s(self, train: int, val: int, *, epochs: int, views: int) -> float:
        """Seconds of a training of other size."""
        return self.fixed_s + (views * train + val) * self.features_s + epochs * (train + val) * self.epoch_s


def cost(run: FinishedRun) -> Cost:
    """A finished run's seconds, taken apart."""
    images = run.trained["images"]["train"] + run.trained["images"]["val"]
    extracted, extraction_s = extraction(run)
    fixed_s = run.training_s - extraction_s - len(run.epochs_s) * run.epoch_s
    return Cost(fixed_s, extraction_s / max(extracted, 1), run.epoch_s / images)


def extraction(run: FinishedRun) -> tuple[int, float]:
    """Images whose features a run computed, over all views, and the seconds that took."""
    last = [event for event in read_events(run.run) if event["kind"] == "features" and event["done"] == event["total"]]
    return sum(event["total"] for event in last), sum(event["total"] / event["images_per_s"] for event in last)


def predicted_ratios(
    costs: dict[str, Cost], images: dict[str, int], whole: Path, epochs: int, views: int
) -> dict[str, Figure]:
    """Ratios by the formula for other numbers of epochs, for these images and for the whole data set."""
    everything = {name: len(list((whole / split.value).glob("*/*"))) for name, split in _WHOLE.items()}
    found: dict[str, Figure] = {}
    for what, counts in (("these", images), ("all", everything)):
        for number in sorted({5, epochs, 20}):
            off, on, second = (
                cost.training_s(counts["train"], counts["val"], epochs=number, views=views) for cost in costs.values()
            )
            found[f"predicted_off_on_{what}_images_{number}_epochs"] = off / on
            found[f"predicted_off_second_{what}_images_{number}_epochs"] = off / second
    return found


_WHOLE = {"train": Split.TRAIN, "val": Split.TEST}  # Preset `report` validates on test.


if __name__ == "__main__":
    main()
