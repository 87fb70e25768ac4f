"""The sources' images as one array of small squares, so that training reads no files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gate import INPUT_SIZE
from pneumo_core.config.presets import preset_config
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import build_index
from pneumo_core.data.phantom import write_phantoms
from pneumo_core.data.splits import assign
from pneumo_core.errors import CorruptError, ImageError
from pneumo_core.records import Architecture
from pneumo_core.training.gate.sources import Kind, each

OWN = "children of Guangzhou"
"""Name of the data set's own images; those of its held-out patients have `VALIDATION` added."""

PHANTOMS = "phantoms"
"""Name of the drawn ones."""

_PHANTOM_SEED, _PHANTOM_COUNT = 17, 400

VALIDATION = f"{OWN}, validation"

_TUNING = 8
"""One in so many of the images that are not held out is left for choosing the limits."""

_SIMILAR = 0.995
"""Correlation of two thumbnails from which an image counts as a copy of another."""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Images of all sources.

    Attributes:
        pixels: `(n, size, size)` uint8.
        source: `(n,)` names.
        kind: `(n,)` values of `Kind`.
        held_out: `(n,)` bool: for measuring alone.
    """

    pixels: NDArray[np.uint8]
    source: NDArray[np.str_]
    kind: NDArray[np.str_]
    held_out: NDArray[np.bool_]

    @property
    def tuning(self) -> NDArray[np.bool_]:
        """`(n,)` bool: images that are neither trained on nor held out, on which the limits are chosen."""
        chosen: NDArray[np.bool_] = np.arange(len(self.held_out)) % _TUNING == 0
        return ~self.held_out & chosen

    @property
    def trained(self) -> NDArray[np.bool_]:
        """`(n,)` bool: images that are trained on."""
        return ~self.held_out & ~self.tuning


def gather(root: Path, data: Path, progress: Callable[[str, int], None] = lambda _name, _count: None) -> Gathered:
    """Read all images.

    Args:
        root: Folder of the sources.
        data: The data set's folder.
        progress: Called with each source's name and number of images.
    """
    pixels: list[NDArray[np.uint8]] = []
    facts: list[tuple[str, str, bool]] = []
    index = build_index(data)
    rows = assign(index.table, preset_config(Architecture.BASELINE, Preset.SOUND))
    for name, chosen in ((OWN, rows.train), (VALIDATION, rows.val)):
        for image_id in index.table["image_id"].iloc[chosen]:
            pixels.append(decode_gray((index.root / image_id).read_bytes(), image_id, size=INPUT_SIZE))
            facts.append((name, Kind.FRONTAL.value, name == VALIDATION))
        progress(name, len(chosen))
    for image in _phantoms():
        pixels.append(image)
        facts.append((PHANTOMS, Kind.FRONTAL.value, False))
    for source, paths in each(root):
        for path in paths:
            if (read := _read(path)) is not None:
                pixels.append(read)
                facts.append((source.name, source.kind.value, source.held_out))
        progress(source.name, len(paths))
    names, kinds, held_out = (np.array(column) for column in zip(*facts, strict=True))
    everything = Gathered(np.stack(pixels), names, kinds, held_out)
    kept = ~_copies(everything)
    return Gathered(everything.pixels[kept], names[kept], kinds[kept], held_out[kept])


def _phantoms() -> Iterator[NDArray[np.uint8]]:
    """The built-in data set must pass, too. Its seed is another than that of the phantoms that the app draws."""
    with TemporaryDirectory() as folder:
        write_phantoms(Path(folder), seed=_PHANTOM_SEED, count=_PHANTOM_COUNT)
        for path in sorted(Path(folder).rglob("*.jpeg")):
            yield decode_gray(path.read_bytes(), path.name, size=INPUT_SIZE)


def _read(path: Path) -> NDArray[np.uint8] | None:
    """Pixels of a file, or None of one that is damaged, too small or animated; other formats than uploads' by Pillow."""
    try:
        if path.suffix.lower() == ".webp":
            with Image.open(path) as image:
                gray = image.convert("L").resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR)
                return np.asarray(gray, np.uint8)
        return decode_gray(path.read_bytes(), path.name, size=INPUT_SIZE)
    except (ImageError, OSError):
        return None


def _copies(images: Gathered) -> NDArray[np.bool_]:
    """Which images for measuring are copies of training images, and which of others' are copies of the data set's own."""
    side = INPUT_SIZE // 16
    small = images.pixels.reshape(-1, 16, side, 16, side).mean((2, 4)).reshape(-1, 256).astype(np.float32)
    small -= small.mean(1, keepdims=True)
    small /= np.linalg.norm(small, axis=1, keepdims=True) + 1e-6
    own = np.isin(images.source, [OWN, VALIDATION])
    copied = np.zeros(len(small), bool)
    for candidates, originals in ((images.held_out & ~own, ~images.held_out), (~own, own)):
        known = small[originals]
        for rows in np.array_split(np.flatnonzero(candidates), max(1, int(candidates.sum()) // 500)):
            copied[rows] |= (small[rows] @ known.T > _SIMILAR).any(1)
    return copied


def save(images: Gathered, path: Path) -> None:
    """Write the images as one NPZ file, which is never committed."""
    np.savez(path, pixels=images.pixels, source=images.source, kind=images.kind, held_out=images.held_out)


def load(path: Path) -> Gathered:
    """Read what `save` wrote.

    Raises:
        CorruptError: It was not written by `save`.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Gathered(*(arrays[name] for name in ("pixels", "source", "kind", "held_out")))
    except (OSError, ValueError, KeyError) as error:
        raise CorruptError(f"the gathered images must be a file of 'gather'. Received: {path}: {error}") from error
