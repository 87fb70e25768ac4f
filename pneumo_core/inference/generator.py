"""A finished DCGAN's generator, run without a training framework, and its latents."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from pneumo_core.config.limits import require_whole, require_within
from pneumo_core.errors import ConfigError, CorruptError
from pneumo_core.inference.session import load_runtime
from pneumo_core.runs.store import RunDirectory, verified_file
from pneumo_core.runs.submission import gan_run_config

MAX_SAMPLES: Final = 100_000
"""Maximum number of samples in one request: 40 times the gap between the classes of the full data set."""

MAX_NUMBER: Final = 9_999_999
"""Largest index of a sample: file names have seven digits for it."""

_TRUNCATIONS: Final = (0.1, 4.0)
"""Limits of the truncation, in standard deviations: below 0.1 all samples are nearly equal; 6 in 100,000 draws exceed 4."""

_BLOCK: Final = 256
"""Number of latents per random stream: changing it changes every sample of every seed."""


@dataclass(frozen=True, slots=True)
class Generator:
    """A finished run's generator, loaded for sampling; `image_size` is the side of its images, in pixels.

    Its ONNX session is safe to share between threads.
    """

    runtime: onnxruntime.InferenceSession
    latent_dim: int
    image_size: int


def load_generator(run: RunDirectory) -> Generator:
    """Load a finished run's generator, after checking it against the manifest.

    Raises:
        RunError: It is a classifier's run, or not finished.
        CorruptError: The model does not match its hash, or is not a generator exported by this project.
        ConfigError, StoreError: The run's files cannot be read.
    """
    gan_run_config(run)  # Refuses a classifier's run before its model is read.
    return open_generator(verified_file(run, run.model))


def open_generator(model: bytes | Path) -> Generator:
    """Open an exported generator; see `load_runtime` for the argument.

    Raises:
        CorruptError: It is not a generator exported by this project.
    """
    options = onnxruntime.SessionOptions()
    # It gives no speed, and would keep the memory of the largest maps.
    options.enable_cpu_mem_arena = False
    runtime = load_runtime(model, options)
    inputs = {entry.name: entry.shape for entry in runtime.get_inputs()}
    outputs = {entry.name: entry.shape for entry in runtime.get_outputs()}
    match inputs, outputs:
        case {"latents": [_, int(latent_dim)]}, {"image": [_, int(height), int(width)]} if height == width:
            return Generator(runtime, latent_dim, height)
    raise CorruptError(
        f"model.onnx must map latents to square gray images. Received: inputs={inputs}, outputs={outputs}"
    )


def generate(
    generator: Generator,
    latents: NDArray[np.float32],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> NDArray[np.uint8]:
    """Generate an image from each latent: `(n, latent_dim)` float32 -> `(n, size, size)` uint8.

    Before each, `progress` is called with images done and their total; it may raise to stop.

    Raises:
        ConfigError: The latents have another shape, or are not finite.
    """
    if latents.ndim != 2 or latents.shape[1] != generator.latent_dim or not np.isfinite(latents).all():
        raise ConfigError(
            f"latents of this generator must be finite numbers of shape (n, {generator.latent_dim}). "
            f"Received: shape={latents.shape}, finite={bool(np.isfinite(latents).all())}"
        )
    count, size = len(latents), generator.image_size
    images = np.empty((count, size, size), np.uint8)
    # One at a time: rounding may depend on the batch size, and a sample must not depend on the others in its batch.
    # Batches of 8 are a tenth faster.
    for index in range(count):
        progress(index, count)
        (image,) = generator.runtime.run(["image"], {"latents": latents[index : index + 1].astype(np.float32)})
        images[index] = np.clip(np.rint(image[0]), 0, 255)
    return images


def require_draw(seed: int, first: int, count: int, truncation: float | None) -> None:
    """Check the arguments of `latents`.

    Raises:
        ConfigError: `seed`, `first`, `count` or `truncation` is out of its range.
    """
    require_whole("seed", seed, 0, 2**31 - 1)
    require_whole("count", count, 1, MAX_SAMPLES)
    require_whole("first", first, 0, MAX_NUMBER + 1 - count)
    if truncation is not None:
        require_within("truncation", truncation, *_TRUNCATIONS)


def latents(latent_dim: int, seed: int, first: int, count: int, truncation: float | None = None) -> NDArray[np.float32]:
    """Draw latents from the standard normal distribution; seed and index determine a latent.

    A truncation cuts the distribution off on both sides, which trades diversity for fidelity (Brock 2019, arXiv:1809.11096,
    section 3.1). Values beyond are not redrawn, as there, but uniform numbers are mapped by the inverse of the truncated
    distribution function (Devroye 1986, doi:10.1007/978-1-4613-8643-8, section II.2): the distribution is the same, and a
    latent changes continuously with the truncation.

    Args:
        latent_dim: Length of a latent vector.
        seed: Seed, from 0 to 2**31 - 1.
        first: Index of the first latent, from 0; the last index is `MAX_NUMBER` at most.
        count: Number of latents, from 1 to `MAX_SAMPLES`.
        truncation: Largest absolute value, in standard deviations from 0.1 to 4, or None for no limit.

    Returns:
        `(count, latent_dim)` float32.

    Raises:
        ConfigError: A value is out of its range.
    """
    require_whole("latent_dim", latent_dim, 1, 2**16)
    require_draw(seed, first, count, truncation)
    low, high = (0.0, 1.0) if truncation is None else (ndtr(-truncation), ndtr(truncation))
    drawn = np.empty((count, latent_dim), np.float32)
    for block in range(first // _BLOCK, (first + count - 1) // _BLOCK + 1):
        start, stop = max(first, block * _BLOCK), min(first + count, (block + 1) * _BLOCK)
        uniform = np.random.default_rng([seed, block]).random((_BLOCK, latent_dim))
        # Random numbers are multiples of 2**-53, and the normal quantile of 0 is infinite.
        uniform = np.maximum(uniform[start - block * _BLOCK : stop - block * _BLOCK], 2.0**-54)
        drawn[start - first : stop - first] = ndtri(low + (high - low) * uniform)
    return drawn


def interpolate(a: NDArray[np.float32], b: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Latents between two others, along a great circle (Shoemake 1985, doi:10.1145/325334.325242, section 3.3).

    Linear interpolation would give lengths that no drawn latent has (White 2016, arXiv:1609.04468, section 2.1). From
    `a` to `b`, both `(latent_dim,)` float32 and included, in 2 to 1,000 `steps`: `(steps, latent_dim)` float32.

    Raises:
        ConfigError: `steps` is out of its range, or the great circle is not unique.
    """
    require_whole("steps", steps, 2, 1000)
    if a.ndim != 1 or a.shape != b.shape:
        raise ConfigError(f"two latents must have the same length. Received: shapes={a.shape} and {b.shape}")
    lengths = np.linalg.norm(a.astype(np.float64)), np.linalg.norm(b.astype(np.float64))
    if not (np.isfinite(lengths).all() and min(lengths) > 0):
        raise ConfigError(f"two latents must be finite and not 0. Received: lengths={lengths[0]:g} and {lengths[1]:g}")
    p, q = a / lengths[0], b / lengths[1]
    # Kahan's angle: the arc cosine of a product is inexact near 0 and pi.
    angle = 2 * np.arctan2(np.linalg.norm(p - q), np.linalg.norm(p + q))
    if np.pi - angle < 1e-5:
        raise ConfigError("two latents must not be opposite, as no path is the shortest. Received: angle=180 degrees")
    t = np.linspace(0, 1, steps)[:, None]
    # sin(t angle) / sin(angle) by quotients that are 1, not 0 / 0, where the angle is 0; NumPy's sinc(x) is of pi x.
    to_a, to_b = ((part * np.sinc(part * angle / np.pi) / np.sinc(angle / np.pi)) for part in (1 - t, t))
    way: NDArray[np.float32] = (to_a * a + to_b * b).astype(np.float32)
    return way
