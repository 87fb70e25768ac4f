"""Mutated uploads, each answered by the whole way of an upload: ``python -m tests.fuzz [--count N | --minutes M] [--seed N]``.

Small valid files of every kind that people have are changed by flips, cuts, splices and wrong lengths, unpacked, judged by the
gate and classified by the recommended model. Each must be answered, with a warning, or refused with a reason; whatever else
is raised is a failure, as is an answer that takes longer than `LIMIT_S`. Input number N of seed S is always the same: it is
kept under ``--keep`` where it fails. What is printed at the end: outcomes by kind, and the growth of memory, threads and
open files after the first tenth.
"""

import argparse
import faulthandler
import gc
import io
import json
import random
import struct
import sys
import time
import traceback
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, RLELossless

from pages.ui.memory import give_back_memory
from pneumo_core.errors import ImageError
from pneumo_core.inference.classify import Classifier, Prediction, classify
from pneumo_core.inference.gate import Answer
from pneumo_core.inference.uploads import unpacked
from tests.data.dicom_files import dicom, lookup_table
from tests.data.image_files import encode, oriented

LIMIT_S = 20
"""An answer that takes longer is a failure, and three times as long ends the campaign with the stack that hangs."""


# --- Inputs -----------------------------------------------------------------------------------------------------------


def valid_files(gray: NDArray[np.uint8]) -> dict[str, list[bytes]]:
    """Files of each kind that hold an X-ray, `(height, width)` uint8."""
    deep = gray.astype(np.uint16) << 4
    picture = Image.fromarray(gray)
    rgb = picture.convert("RGB")
    files = {
        "PNG": [
            encode(gray),
            encode(deep),
            encode(rgb.convert("P"), transparency=bytes(range(256))),
            encode(rgb.convert("RGBA"), exif=oriented(6)),
            encode(picture.convert("1")),
        ],
        "JPEG": [
            encode(gray, "JPEG", quality=90, exif=oriented(3)),
            encode(rgb, "JPEG", progressive=True),
            encode(rgb.convert("CMYK"), "JPEG"),
            encode(rgb, "MPO", save_all=True, append_images=[rgb]),
        ],
        "WebP": [encode(gray, "WEBP"), encode(rgb.convert("RGBA"), "WEBP", lossless=True)],
        "TIFF": [
            encode(gray, "TIFF"),
            encode(deep, "TIFF", compression="tiff_lzw"),
            encode(gray, "TIFF", compression="tiff_adobe_deflate", tiffinfo={274: 6}),
            encode(rgb, "TIFF", compression="jpeg"),
            encode(picture.convert("1"), "TIFF", compression="group4"),
            encode(Image.fromarray(gray.astype(np.float32)), "TIFF"),
        ],
        "BMP": [encode(gray, "BMP"), encode(rgb, "BMP")],
        "DICOM": [
            dicom(gray),
            dicom(gray, syntax=ImplicitVRLittleEndian, RescaleSlope=2, RescaleIntercept=-9, WindowCenter=200, WindowWidth=400),
            dicom(deep, BitsStored=12, WindowCenter=[2048, 1], WindowWidth=[4096, 1], PhotometricInterpretation="MONOCHROME1"),
            dicom(deep.astype(np.int16) - 1000, PixelPaddingValue=-1000),
            dicom(gray, VOILUTSequence=lookup_table(np.arange(256, dtype=np.uint16) * 257, 0)),
            dicom(np.asarray(rgb)),
            *(dicom(gray, syntax=syntax) for syntax in (JPEGBaseline8Bit, JPEG2000Lossless, JPEGLosslessSV1, RLELossless)),
            dicom(deep, BitsStored=12, syntax=JPEG2000Lossless),
        ],
    }  # fmt: skip
    members = [
        ("a/b.png", files["PNG"][0]),
        ("c.jpg", files["JPEG"][0]),
        ("IM1", files["DICOM"][0]),
        ("__MACOSX/._c", b"x"),
    ]
    files["ZIP"] = [zipped(members, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    return files


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A file with one to four changes, mostly near its start, where headers are."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if len(changed) < 8:
            break
        rng.choice(_CHANGES)(changed, other, rng)
    return mended(changed) if rng.random() < 0.5 else bytes(changed)


def _place(data: bytearray, rng: random.Random) -> int:
    limit = len(data) if rng.random() < 0.4 else min(len(data), rng.choice((64, 512, 2048)))
    return rng.randrange(limit)


def _flip(data: bytearray, _other: bytes, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, _other: bytes, rng: random.Random) -> None:
    place, size = _place(data, rng), rng.choice((1, 4, 32))
    data[place : place + size] = rng.randbytes(size)


def _number(data: bytearray, _other: bytes, rng: random.Random) -> None:
    """A length or an offset that lies."""
    place, size = _place(data, rng), rng.choice((2, 4))
    value = rng.choice((*_NUMBERS, len(data), rng.randrange(len(data)))) & (256**size - 1)
    data[place : place + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _cut(data: bytearray, _other: bytes, rng: random.Random) -> None:
    del data[rng.randrange(1, len(data)) :]


def _drop(data: bytearray, _other: bytes, rng: random.Random) -> None:
    place = _place(data, rng)
    del data[place : place + rng.choice((1, 2, 16, 256))]


def _repeat(data: bytearray, _other: bytes, rng: random.Random) -> None:
    place, size = _place(data, rng), rng.choice((4, 32, 512))
    data[place:place] = data[place : place + size] * rng.choice((1, 2, 50))


def _splice(data: bytearray, other: bytes, rng: random.Random) -> None:
    start = rng.randrange(len(other))
    part, place = other[start : start + rng.choice((8, 128, 4096))], _place(data, rng)
    data[place : place + rng.choice((0, len(part)))] = part


def _append(data: bytearray, other: bytes, rng: random.Random) -> None:
    data += other[: rng.randrange(len(other))]


_CHANGES: tuple[Callable[[bytearray, bytes, random.Random], None], ...] = (
    *(_flip, _flip, _overwrite, _number, _number, _cut, _drop, _repeat, _splice, _append),
)  # fmt: skip


def mended(data: bytearray) -> bytes:
    """A PNG file whose changed chunks pass for whole, so that damage gets past the first door; others as they are."""
    start = 8
    while data.startswith(b"\x89PNG") and start + 12 <= len(data):
        (length,) = struct.unpack(">I", data[start : start + 4])
        end = start + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[start + 4 : end]))
        start = end + 4
    return bytes(data)


def inputs(files: dict[str, list[bytes]], seed: int) -> Iterator[tuple[str, bytes]]:
    """Endless kinds and mutated files; the one at a place is always the same for a seed."""
    kinds, every = list(files), [data for kind in files.values() for data in kind]
    number = 0
    while True:
        rng = random.Random(f"{seed}-{number}")
        kind = kinds[number % len(kinds)]
        if kind == "ZIP" and rng.random() < 0.5:  # A whole archive of mutated files.
            chosen = (rng.choice(every) for _ in range(rng.randint(1, 3)))
            members = [mutated(data, rng.choice(every), rng) for data in chosen]
            yield kind, zipped([(f"{place}.dcm", data) for place, data in enumerate(members)])
        else:
            yield kind, mutated(rng.choice(files[kind]), rng.choice(every), rng)
        number += 1


# --- Answers ----------------------------------------------------------------------------------------------------------


def answers(classifier: Classifier, data: bytes) -> list[str]:
    """Outcomes of the images in an upload; what is raised besides is a bug."""
    found = []
    try:
        for upload in unpacked("upload", data):  # Not at once: what came before damage counts.
            found += [checked(classify(classifier, upload.data, upload.name))]
    except ImageError as error:
        if not (error.problem and error.advice and "\n" not in str(error)):
            raise AssertionError("a refusal without words") from error
        found.append(f"refused: archive {error.reason}")
    return found


def checked(prediction: Prediction) -> str:
    """The outcome, after a look at whether it is a whole answer.

    Raises:
        AssertionError: It is not.
    """
    words = bool(prediction.reason and prediction.advice and prediction.code)
    is_refused = prediction.answer is Answer.REFUSED
    number = prediction.probability
    if words is (prediction.answer is Answer.OK) or "\n" in prediction.reason + prediction.advice:
        raise AssertionError(f"an answer without its words, or words without need: {prediction}")
    if is_refused is not (number is None) or not (number is None or 0 <= number <= 1):
        raise AssertionError(f"no probability, or one too many: {prediction}")
    return f"refused: {prediction.code}" if is_refused else prediction.answer.value


@dataclass
class Campaign:
    """What a campaign found.

    Attributes:
        outcomes: Numbers by kind of file, then by outcome.
        failures: Numbers of the inputs that failed, with what was raised.
        tried: Number of inputs.
        slowest_s: Longest answer, in seconds.
        duration_s: Of the whole, in seconds.
        before: Memory in MiB, threads and open files after the first tenth.
        after: The same at the end.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    tried: int = 0
    slowest_s: float = 0.0
    duration_s: float = 0.0
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)


def resources() -> dict[str, float]:
    """Resident memory in MiB, threads and open files of this process."""
    gc.collect()
    give_back_memory()
    process = psutil.Process()
    return {
        "memory_mib": round(process.memory_info().rss / 2**20, 1),
        "threads": process.num_threads(),
        "open_files": process.num_fds(),
    }


def campaign(
    classifier: Classifier,
    files: dict[str, list[bytes]],
    *,
    seed: int,
    count: int,
    minutes: float | None = None,
    limit_s: float = LIMIT_S,
    keep: Path | None = None,
) -> Campaign:
    """Answer mutated files, `count` of them or for some minutes, and note what comes of each."""
    found = Campaign()
    start = time.monotonic()
    end = start + 60 * minutes if minutes is not None else None
    for number, (kind, data) in enumerate(inputs(files, seed)):
        if time.monotonic() >= end if end is not None else number >= count:
            break
        if not found.before and (time.monotonic() - start > (end - start) / 10 if end else number >= count / 10):
            found.before = resources()
        faulthandler.dump_traceback_later(3 * limit_s, exit=True)
        began = time.monotonic()
        try:
            outcomes = answers(classifier, data)
            if (took := time.monotonic() - began) > limit_s:
                raise AssertionError(f"an answer after {took:.0f} s")
        except Exception:  # noqa: BLE001 - what else is raised is what is looked for.
            outcomes = ["failed"]
            found.failures[number] = traceback.format_exc()
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{seed}-{number}.bin").write_bytes(data)
        finally:
            faulthandler.cancel_dump_traceback_later()
        found.outcomes.setdefault(kind, Counter()).update(outcomes)
        found.slowest_s = max(found.slowest_s, time.monotonic() - began)
        found.tried += 1
    found.duration_s = time.monotonic() - start
    found.after = resources()
    return found


def summary(found: Campaign) -> dict[str, Any]:
    """A campaign's figures as plain data."""
    totals: Counter[str] = sum(found.outcomes.values(), Counter())
    return {
        "tried": found.tried,
        "failed": len(found.failures),
        "duration_s": round(found.duration_s, 1),
        "slowest_s": round(found.slowest_s, 2),
        "before": found.before,
        "after": found.after,
        "images": dict(totals.most_common()),
        "by_kind": {kind: dict(counts.most_common()) for kind, counts in found.outcomes.items()},
    }


def main() -> None:
    """Run a campaign against the recommended model on a phantom."""
    from pneumo_core.cli.command import or_recommended
    from pneumo_core.data.phantom import first_phantoms
    from pneumo_core.inference.classify import load_classifier
    from pneumo_core.runs.store import find_run

    parser = argparse.ArgumentParser(description="Answer mutated uploads, and print what came of them.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, help="instead of a number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzzed"), help="folder of the inputs that fail")
    given = parser.parse_args()
    _, (gray, *_) = first_phantoms(1)
    small = np.asarray(Image.fromarray(gray).resize((72, 96)), np.uint8)
    classifier = load_classifier(find_run(or_recommended(None)))
    found = campaign(
        classifier, valid_files(small), seed=given.seed, count=given.count, minutes=given.minutes, keep=given.keep
    )
    sys.stdout.write(json.dumps(summary(found), indent=2) + "\n")
    for number, raised in found.failures.items():
        sys.stdout.write(f"\nInput {number} of seed {given.seed}, kept in {given.keep}:\n{raised}")
    sys.exit(bool(found.failures))


if __name__ == "__main__":
    main()
