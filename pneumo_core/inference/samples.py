"""Samples of a DCGAN as files that are marked as synthetic: in a folder, or in a ZIP to download."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from pneumo_core.config.limits import require_whole
from pneumo_core.data.synthetic import LICENSE, synthetic_name, synthetic_png
from pneumo_core.errors import DataError
from pneumo_core.inference.generator import Generator, generate, latents, load_generator, require_draw
from pneumo_core.runs.files import (
    file_sha256,
    is_there,
    make_directory,
    read_json,
    store_errors,
    write_atomic,
    write_json,
)
from pneumo_core.runs.store import RunDirectory, read_manifest
from pneumo_core.runs.submission import gan_run_config

MAX_ZIP: Final = 2_600
"""Maximum number of samples in a ZIP, which is made in memory: enough for the gap of 2,534 in the full data set."""

_MANIFEST: Final = "manifest.json"

# Images in memory at a time; a block of latents is drawn once if the indices start at a multiple of it.
_BATCH: Final = 256

_Progress = Callable[[int, int], None]


def sample_to_folder(
    run: RunDirectory,
    out: Path,
    count: int,
    seed: int = 0,
    truncation: float | None = None,
    first: int = 0,
    progress: _Progress = lambda _done, _total: None,
) -> dict[str, Any]:
    """Write samples as PNG files, and their manifest last.

    The same request gives the same bytes. A folder that holds the complete request is left as it is, and one that holds a part
    of it is completed. Apart from the hashes, memory does not grow with the number of samples.

    Args:
        run: A DCGAN's finished run.
        out: Folder to write to; created if missing.
        count: Number of samples, from 1 to `MAX_SAMPLES`.
        seed: Seed of the latents.
        truncation: See `generator.latents`.
        first: Index of the first sample; seed and index determine a sample.
        progress: Called with samples done and their total before each sample; may raise to stop.

    Returns:
        The manifest: `run_id`, `model_sha256`, `seed`, `truncation`, `first`, `count`, `image_size`, `license` and `files`,
        each with `name`, `number` and `sha256`.

    Raises:
        ConfigError: `count`, `seed`, `truncation` or `first` is out of its range.
        DataError: The folder holds other files.
        RunError: It is a classifier's run, or not finished.
        CorruptError: The model or the folder's manifest is damaged.
        StoreError: A file cannot be read or written.
    """
    require_draw(seed, first, count, truncation)
    generator = load_generator(run)
    facts = _facts(run, generator, count, seed, truncation, first)
    names = {synthetic_name(run.run_id, seed, number) for number in range(first, first + count)}
    if (written := _written(out, facts, names)) is not None:
        return written
    hashes = []
    for name, png in _pngs(run, generator, facts, progress):
        path, sha256 = out / name, hashlib.sha256(png).hexdigest()
        if not is_there(path):
            write_atomic(path, png)
        elif file_sha256(path) != sha256:
            # File names hold seed and index, but not the truncation.
            raise DataError(
                f"a folder of samples must hold one request's. Received: out={str(out)!r}, whose {name} is another image; "
                "name another folder or remove it"
            )
        hashes.append((name, sha256))
    manifest = {**facts, "files": _list(first, hashes)}
    write_json(out / _MANIFEST, manifest)
    return manifest


def sample_zip(
    run: RunDirectory,
    count: int,
    seed: int = 0,
    truncation: float | None = None,
    first: int = 0,
) -> bytes:
    """Samples as a ZIP of the files of `sample_to_folder`, which describes the arguments, and a `LICENSE.txt`.

    At most `MAX_ZIP` samples; the same request gives the same bytes.

    Raises:
        ConfigError: `count`, `seed`, `truncation` or `first` is out of its range.
        RunError: It is a classifier's run, or not finished.
        CorruptError: The model does not match its hash.
        StoreError: A file cannot be read.
    """
    require_whole("count", count, 1, MAX_ZIP)
    require_draw(seed, first, count, truncation)
    generator = load_generator(run)
    facts = _facts(run, generator, count, seed, truncation, first)
    hashes, buffer = [], io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:  # PNGs are compressed already.
        for name, png in _pngs(run, generator, facts):
            bundle.writestr(_entry(name), png)
            hashes.append((name, hashlib.sha256(png).hexdigest()))
        bundle.writestr(_entry("LICENSE.txt"), f"{LICENSE}\n")
        bundle.writestr(_entry(_MANIFEST), json.dumps({**facts, "files": _list(first, hashes)}, indent=1) + "\n")
    return buffer.getvalue()


def _facts(
    run: RunDirectory, generator: Generator, count: int, seed: int, truncation: float | None, first: int
) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "model_sha256": read_manifest(run)["files"][run.model.name],
        "seed": seed,
        "truncation": None if truncation is None else float(truncation),  # 1 and 1.0 are the same request.
        "first": first,
        "count": count,
        "image_size": generator.image_size,
        "license": LICENSE,
    }


def _written(out: Path, facts: dict[str, Any], names: set[str]) -> dict[str, Any] | None:
    """The manifest of a folder that holds the complete request; None if it must be written or completed.

    Raises:
        DataError: The folder holds other files.
    """
    make_directory(out)
    with store_errors(out):
        # Hidden files are the system's, or left by interrupted writes.
        there = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    if others := sorted(there - names - {_MANIFEST}):
        raise DataError(
            f"samples need a folder without other files. Received: out={str(out)!r}, which holds {others[0]!r}; "
            "name another folder"
        )
    if _MANIFEST not in there:
        return None
    manifest = read_json(out / _MANIFEST)
    if not isinstance(manifest, dict) or {**manifest, "files": None} != {**facts, "files": None}:
        raise DataError(
            f"samples need a folder without another request's. Received: out={str(out)!r}, whose manifest.json is of "
            "another run, model or draw; name another folder"
        )
    listed = [(name, file_sha256(out / name)) for name in sorted(names & there)]
    is_whole = names <= there and manifest.get("files") == _list(facts["first"], listed)
    return manifest if is_whole else None  # Missing or damaged files are written again.


def _list(first: int, hashes: list[tuple[str, str]]) -> list[dict[str, str | int]]:
    """A manifest's list of files, from names and hashes in the order of their indices."""
    return [{"name": name, "number": number, "sha256": sha256} for number, (name, sha256) in enumerate(hashes, first)]


def _pngs(
    run: RunDirectory, generator: Generator, facts: dict[str, Any], progress: _Progress = lambda _done, _total: None
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, generated in batches."""
    epochs = gan_run_config(run).epochs
    seed, truncation, first, count = (facts[name] for name in ("seed", "truncation", "first", "count"))
    for start in range(0, count, _BATCH):
        drawn = latents(generator.latent_dim, seed, first + start, min(_BATCH, count - start), truncation)
        images = generate(generator, drawn, partial(_further, progress, start, count))
        for number, image in enumerate(images, first + start):
            known = {
                "Run": run.run_id,
                "Seed": seed,
                "Number": number,
                "Truncation": "none" if truncation is None else truncation,
                "Epochs": epochs,
            }
            yield synthetic_name(run.run_id, seed, number), synthetic_png(image, known)


def _further(progress: _Progress, start: int, total: int, done: int, _: int) -> None:
    progress(start + done, total)


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry of a ZIP file without date and system."""
    entry = zipfile.ZipInfo(name)  # Dated 1980-01-01, the format's first day.
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    return entry
