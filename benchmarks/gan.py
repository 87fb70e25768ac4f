"""What a DCGAN's training costs: seconds a step and images a second, for the presets' networks at both sizes.

    python -m benchmarks.gan [--steps 20] [--presets report,sound] [--sizes 64,128] [--json FILE]

A step is the discriminator's turn and the generator's, on a batch of the preset's size, made and read as the training does,
but from random images: what they show costs nothing. The first step compiles and is told apart. Set KERAS_BACKEND=jax for
JAX. On a device that others use too, the figures are theirs as well.
"""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Figure, tell
from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import GAN_SIZES, GanConfig, gan_config
from pneumo_core.config.hardware import peak_memory_bytes
from pneumo_core.training.device import Device, detect
from pneumo_core.training.diff_augment import draw_changes
from pneumo_core.training.gan import build_networks
from pneumo_core.training.gradients import make_step

WARM_UP = 2  # Steps after the compiling one.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed")
    parser.add_argument("--presets", default=",".join(Preset), help="of them, with commas between")
    parser.add_argument("--sizes", default=",".join(map(str, GAN_SIZES)), help="sides in pixels, with commas between")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    device = detect()
    keras.config.set_dtype_policy(device.precision)
    figures: dict[str, Figure] = {
        "device": device.name,
        "cores": os.cpu_count() or 1,
        "backend": device.backend,
        "precision": device.precision,
        "steps": arguments.steps,
    }
    for preset in map(Preset, arguments.presets.split(",")):
        for size in map(int, arguments.sizes.split(",")):
            config = gan_config(preset, image_size=size)
            first_s, step_s = seconds(config, device, arguments.steps)
            name = f"{preset}_{size}px"
            figures |= {
                f"{name}_batch_size": config.batch_size,
                f"{name}_filters": config.filters,
                f"{name}_first_step_s": first_s,
                f"{name}_step_s": step_s,
                f"{name}_images_per_s": config.batch_size / step_s,
            }
    tell({**figures, "peak_memory_mib": peak_memory_bytes() / 2**20}, arguments.json)


def seconds(config: GanConfig, device: Device, steps: int) -> tuple[float, float]:
    """Seconds of the first step, and of one of those that follow, on average."""
    step = make_step(build_networks(config, device), device)
    given = inputs(config)

    def run(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            losses = step.run(*next(given))
        [float(loss) for loss in losses]  # An accelerator has not ended before it is asked.
        return time.perf_counter() - started

    first_s = run(1)
    run(WARM_UP)
    return first_s, run(steps) / steps


def inputs(config: GanConfig) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Random real images, latents and changes of one step after the other."""
    rng = np.random.default_rng(config.seed)
    count, size = config.batch_size, config.image_size
    images = rng.integers(0, 256, (count, size, size, 1), dtype=np.uint8)
    while True:
        latents = rng.standard_normal((count, config.latent_dim), dtype=np.float32)
        changes = np.stack([draw_changes(rng, count, size) for _ in range(3)])
        yield images[rng.permutation(count)].astype(np.float32), latents, changes


if __name__ == "__main__":
    main()
