"""Images a second: our batches beside the report's generator on the same files, and with the model that takes them.

    python -m benchmarks.inputs [--images 2000] [--batch-size 32] [--threads N] [--repeats 5] [--json FILE]

Alone: both make the same augmentation (zoom .3, vertical flip) in one thread, turn by turn; each pass makes every training
image once, as its own model takes it. Medians, per second of wall time and per second of CPU time: the latter is "per core".
Ours reads the array cache, whose cost of once is shown (all cores); the report's generator decodes the files each time.

With the model: the baseline is trained as a run trains it (precision, Adam, `fit`), turn by turn on our pipeline ("fed"), on
one batch made beforehand ("alone"), and fed with the loss looked at after each batch, as a run does ("checked"). The
pipeline's share is 1 - fed / alone. On an accelerator, or with --vgg16, also VGG16's forward pass.

The model's share of the device's peak is its arithmetic by its images a second. Arithmetic: 2 k k c_in c_out h w a convolution
and 2 n_in n_out a dense layer forward, three times that in training (the gradients of inputs and of weights cost a forward
pass each). Peak: the best of several products of two square matrices of normal numbers, of three sizes, in the precision of
the training; a share above 1 says that the framework's convolutions use the device better than its matrix product does.

KERAS_BACKEND=jax measures JAX, for which TensorFlow need not be installed. The generator needs SciPy.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import prod
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.report_way import EpochTimes, training_batches
from benchmarks.runs import IMAGE_SIZE, own_artifacts, parser, sample
from benchmarks.table import Figure, tell
from pneumo_core.config.architecture import LayerSpec, baseline_layers, vgg16_layers
from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.data.images import array_path, load_array
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.models.baseline import build_baseline
from pneumo_core.models.vgg16 import build_vgg16, feature_trunk, features_of
from pneumo_core.records import Split
from pneumo_core.training.batches import TrainingBatches, pixels
from pneumo_core.training.callbacks import StopOnNaN
from pneumo_core.training.device import Device, adam, detect

CPU_SIDES = (1024, 2048, 4096)


def main() -> None:
    options = parser(__doc__, images=2000)
    options.add_argument("--batch-size", type=int, default=32)
    options.add_argument("--threads", type=int, help="threads of our pipeline beside the model (default: as a run)")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--vgg16", action="store_true", help="VGG16's forward pass on a CPU, too")
    arguments = options.parse_args()
    keras.utils.disable_interactive_logging()
    device = detect()
    threads = arguments.threads or device.threads
    with own_artifacts(arguments.artifacts) as artifacts:
        folder = sample(arguments.images, artifacts)
        index = build_index(folder)
        images, building_s = array_cache(index)
        labels = index.table["label"].to_numpy(dtype=np.int8)
        rows = np.flatnonzero(index.table["split"].to_numpy() == Split.TRAIN.value)
        rows = rows[: len(rows) // arguments.batch_size * arguments.batch_size]  # Whole batches, all alike.
        if not len(rows):
            sys.exit(f"a batch must fit into the training images. Received: --batch-size {arguments.batch_size}")

        def ours(threads: int) -> TrainingBatches:
            source = pixels([images], AUGMENTATIONS["report"])
            return TrainingBatches(source, labels, rows, batch_size=arguments.batch_size, seed=0, threads=threads)

        theirs = training_batches(index.root / Split.TRAIN.value, IMAGE_SIZE, arguments.batch_size)
        figures: dict[str, Figure] = {
            "device": f"{device.name}, {os.cpu_count()} cores, {device.backend}, {device.precision}",
            "training_images": len(rows),
            "array_cache_built_images_per_s": len(images) / building_s,
            **alone(ours(1), theirs, threads, arguments),
            **with_model(ours(threads), device, arguments),
        }
    tell(figures, arguments.json)


def array_cache(index: DataIndex) -> tuple[NDArray[np.uint8], float]:
    """The array cache, built anew, and the seconds that took."""
    array_path(index.data_id, IMAGE_SIZE).unlink(missing_ok=True)
    started = time.perf_counter()
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=IMAGE_SIZE)
    return images, time.perf_counter() - started


# --- The pipeline alone -----------------------------------------------------------------------------------------------


def alone(
    ours: TrainingBatches, theirs: keras.utils.PyDataset, threads: int, arguments: argparse.Namespace
) -> dict[str, Figure]:
    """Images a second of both, one thread each."""
    cv2.setNumThreads(1)
    found: dict[str, list[tuple[float, float]]] = {"ours": [], "report": []}
    for repeat in range(1 + arguments.repeats):
        passes = {"ours": speed(ours, passes=5), "report": speed(theirs)}
        if repeat:  # The first pass warms caches up.
            for name, pair in passes.items():
                found[name].append(pair)
    wall, cpu = ({name: statistics.median(pair[k] for pair in pairs) for name, pairs in found.items()} for k in (0, 1))
    figures: dict[str, Figure] = {
        "input_ours_images_per_s": wall["ours"],
        "input_report_images_per_s": wall["report"],
        "input_ratio": wall["ours"] / wall["report"],
        "input_ours_images_per_cpu_s": cpu["ours"],
        "input_report_images_per_cpu_s": cpu["report"],
        "input_ratio_per_core": cpu["ours"] / cpu["report"],
    }
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        made = sum(len(labels) for _, labels in pool.map(ours.__getitem__, range(len(ours))))
        figures["pipeline_threads"] = threads
        figures["input_ours_all_threads_images_per_s"] = made / (time.perf_counter() - started)
    return figures


def speed(batches: keras.utils.PyDataset, *, passes: int = 1) -> tuple[float, float]:
    """Images a second of wall time and of CPU time."""
    wall, cpu, made = time.perf_counter(), time.process_time(), 0
    for _ in range(passes):
        for number in range(len(batches)):
            made += len(batches[number][1])
        batches.on_epoch_end()
    return made / (time.perf_counter() - wall), made / (time.process_time() - cpu)


# --- With the model ---------------------------------------------------------------------------------------------------


class OneBatch(keras.utils.PyDataset):
    """The same batch again and again: what a pipeline that costs nothing would give."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__(workers=1)
        self._batch, self._count = batches[0], len(batches)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, _: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self._batch


def with_model(ours: TrainingBatches, device: Device, arguments: argparse.Namespace) -> dict[str, Figure]:
    """Images a second of training, and what share of the device's peak that is."""
    keras.config.set_dtype_policy(device.precision)
    model = build_baseline(image_size=IMAGE_SIZE)
    model.compile(
        optimizer=adam(device, 1e-3, model),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
        jit_compile=device.jit_compile,
    )
    ways = {"fed": (ours, []), "alone": (OneBatch(ours), []), "checked": (ours, [StopOnNaN()])}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(1 + arguments.repeats):
        for name, (batches, callbacks) in ways.items():
            times = EpochTimes()
            model.fit(batches, callbacks=[*callbacks, times], shuffle=False, verbose=0)
            if repeat:  # The first epoch traces the model.
                found[name].append(len(ours) * arguments.batch_size / times.seconds[0])
    rates = {name: statistics.median(values) for name, values in found.items()}
    peak = peak_flops(device, arguments.repeats)
    training_flop = 3 * forward_flop(baseline_layers(IMAGE_SIZE))
    figures: dict[str, Figure] = {
        **{f"baseline_{name}_images_per_s": rate for name, rate in rates.items()},
        "pipeline_share": 1 - rates["fed"] / rates["alone"],
        "baseline_gflop_an_image": training_flop / 1e9,
        "peak_gflop_per_s": peak / 1e9,
        "baseline_fed_share_of_peak": rates["fed"] * training_flop / peak,
        "baseline_alone_share_of_peak": rates["alone"] * training_flop / peak,
    }
    if device.kind != "cpu" or arguments.vgg16:
        figures |= vgg16_forward(device, peak, arguments.repeats)
    return figures


def vgg16_forward(device: Device, peak: float, repeats: int) -> dict[str, Figure]:
    """Images a second of VGG16 up to its features, as the feature cache computes them, and with its head."""
    model = build_vgg16(image_size=IMAGE_SIZE)  # Random weights cost what trained ones do.
    count = 32 if device.kind == "cpu" else 256
    batch = np.random.default_rng(0).uniform(0, 255, (count, IMAGE_SIZE, IMAGE_SIZE, 1)).astype(np.float32)
    specs = vgg16_layers(IMAGE_SIZE)
    trunk = specs[: 1 + [spec.name for spec in specs].index(features_of(0))]
    figures: dict[str, Figure] = {}
    for name, part, layers in (("trunk", feature_trunk(model), trunk), ("trunk_and_head", model, specs)):
        rate = count / best_of(partial(part.predict_on_batch, batch), repeats)
        figures[f"vgg16_{name}_images_per_s"] = rate
        figures[f"vgg16_{name}_share_of_peak"] = rate * forward_flop(layers) / peak
    return figures


def forward_flop(layers: Sequence[LayerSpec]) -> float:
    """Multiplications and additions of one image's forward pass: each weight twice, at each position of the output."""
    return sum(
        2.0 * (layer.trainable + layer.fixed - layer.output_shape[-1]) * prod(layer.output_shape[:-1])
        for layer in layers
        if layer.kind in {"Conv2D", "Dense"}
    )


def peak_flops(device: Device, repeats: int) -> float:
    """Most operations a second of large matrix products in the precision of the training."""
    sides, enough = (CPU_SIDES, 5e10) if device.kind == "cpu" else ((4096, 8192, 16384), 2e13)
    dtype = "bfloat16" if "bfloat16" in device.precision else "float32"
    speeds = []
    for side in sides:
        first, second = (keras.random.normal((side, side), dtype=dtype, seed=seed) for seed in (0, 1))
        flop = 2.0 * side**3
        products = max(1, int(enough / flop))

        speeds.append(flop * products / best_of(partial(multiply, first, second, products), repeats))
    return max(speeds)


def multiply(first: Any, second: Any, products: int) -> None:
    """Multiply two matrices several times, and wait until it is done."""
    for _ in range(products):
        result = keras.ops.matmul(first, second)
    keras.ops.convert_to_numpy(keras.ops.cast(result[0, 0], "float32"))


def best_of(work: Callable[[], object], repeats: int) -> float:
    """Least seconds of several, after one to warm up."""
    seconds = []
    for _ in range(1 + repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


if __name__ == "__main__":
    main()
