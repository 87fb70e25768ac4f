"""The built-in data set: phantoms, synthetic chest radiographs of children, so that everything works without real data.

Anatomy, exposure faults, sizes and compression have the same distributions in every class, so that only the findings
distinguish the classes (`radiograph` draws them).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from pneumo_core.config.limits import require_whole, require_within
from pneumo_core.data.radiograph import draw_phantom
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Split, Subtype
from pneumo_core.runs.files import make_directory, store_errors

PHANTOM_COUNT: Final = 600
"""Number of images of the built-in data set."""

_SEED: Final = 0
_DIFFICULTY: Final = 0.5
"""Parameters of the built-in data set."""

_COUNTS: Final = (40, 20_000)

_WORTH_A_PROCESS: Final = 150
"""Number of images below which another process takes longer to start than it saves."""

_SIZES: Final = ((200, 150), (224, 180), (240, 200), (256, 176), (288, 224), (200, 200), (320, 240), (180, 160))
"""Width and height of the "machines" in pixels; each image varies one of them a little."""

_SHARES: Final[dict[Subtype, dict[Split, float]]] = {
    Subtype.NONE: {Split.TRAIN: 0.1976, Split.TEST: 0.0750, Split.VAL: 0.0200},
    Subtype.BACTERIA: {Split.TRAIN: 0.3749, Split.TEST: 0.0833, Split.VAL: 0.0133},
    Subtype.VIRUS: {Split.TRAIN: 0.1875, Split.TEST: 0.0417, Split.VAL: 0.0067},
}
"""Fractions of all images. 76/4/20 % are train, val and test; 74 %, 50 % and 62.5 % of those show pneumonia, two
thirds of it bacterial. That is near the Kaggle set (5,216/16/624 images; 74.3 %, 50 % and 62.5 %), with a larger val."""

_IMAGES_A_PATIENT: Final = (0.50, 0.28, 0.14, 0.08)
"""Probability that a patient has 1, 2, 3 or 4 images."""

_FOR_NUMBER: Final = 0
_FOR_BODY: Final = 1
"""Stream of a patient's random numbers: for the number of images, for the body, and (1 + n) for the nth image."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One image to write: its path and the key of its patient's random numbers."""

    split: Split
    subtype: Subtype
    patient: int
    number: int

    @property
    def label(self) -> Label:
        """Its class."""
        return Label.NORMAL if self.subtype is Subtype.NONE else Label.PNEUMONIA

    @property
    def file(self) -> Path:
        """Path below the data set's root."""
        cause = "NORMAL" if self.subtype is Subtype.NONE else self.subtype.name
        return Path(self.split, self.label.name, f"PHANTOM-{cause}-{self.patient:04d}-{self.number:04d}.jpeg")


def write_phantoms(
    out: Path,
    *,
    seed: int = _SEED,
    count: int = PHANTOM_COUNT,
    difficulty: float = _DIFFICULTY,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a data set of phantoms in the Kaggle layout, ``out/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg``.

    The same arguments give the same bytes with the same versions of NumPy, OpenCV and Pillow. Each image has random
    numbers of its own, and a larger `count` only adds images. Patients have one to four images and never span splits.

    Args:
        out: Folder to create; it may exist if it is empty. It appears in one step, complete.
        seed: Seed of everything random, at least 0.
        count: Number of images, in [40, 20000].
        difficulty: How faint and small the findings are, in [0, 1].
        progress: Called in this thread with (images done, total images), after each image.

    Raises:
        ConfigError: `seed`, `count` or `difficulty` is out of its range.
        DataError: `out` is a file or a folder with something in it.
        StoreError: The images cannot be written; nothing is left behind.
    """
    require_whole("seed", seed, 0, 2**31 - 1)
    require_whole("count", count, *_COUNTS)
    require_within("difficulty", difficulty, 0, 1)
    with store_errors(out):
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise DataError(
                f"phantoms need a new or empty folder. Received: out={str(out)!r}; name another or remove it"
            )
    make_directory(out.parent)
    with store_errors(out):
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            partial.chmod(0o755)  # mkdtemp makes the folder private, but artifacts may be shared between users.
            _write_images(partial, seed, count, difficulty, progress)
            if out.exists():
                out.rmdir()  # Windows does not replace folders, not even empty ones.
            partial.rename(out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def first_phantoms(count: int) -> tuple[tuple[Label, ...], list[npt.NDArray[np.uint8]]]:
    """First training images of the built-in data set, alternating between the classes, drawn in memory.

    Returns:
        Their classes, and `(height, width)` uint8 gray levels of each, before compression.
    """
    train = [job for job in _jobs(_SEED, PHANTOM_COUNT) if job.split is Split.TRAIN]
    by_label = [[job for job in train if job.label is label] for label in Label]
    chosen = [job for jobs in zip(*by_label, strict=False) for job in jobs][:count]
    return tuple(job.label for job in chosen), [_drawn(job, _SEED, _DIFFICULTY)[0] for job in chosen]


def _write_images(
    root: Path, seed: int, count: int, difficulty: float, progress: Callable[[int, int], None] | None
) -> None:
    jobs = list(_jobs(seed, count))
    for folder in {job.file.parent for job in jobs}:
        (root / folder).mkdir(parents=True)
    helpers = max(1, min(os.cpu_count() or 1, count // _WORTH_A_PROCESS)) - 1
    with _one_thread(), _helpers(helpers, root, seed, count, difficulty) as processes:
        for done in _draw(jobs, root, seed, difficulty):
            if progress is not None:
                progress(done, count)
        while any(process.poll() is None for process in processes):
            time.sleep(0.02)
    # Helpers only save time: images that one left undone, because it was killed or could not write, are drawn here.
    for job in jobs:
        if not (root / job.file).exists():
            (root / job.file).write_bytes(_jpeg(job, seed, difficulty))
            _partial(root / job.file).unlink()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run OpenCV in one thread: on planes this small, its threads wait longer for each other than they save."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def _helpers(
    number: int, root: Path, seed: int, count: int, difficulty: float
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that share the images with this one; each image is drawn by the first that reaches it.

    Threads were not faster, since drawing consists of many short calls; a pool of `multiprocessing` would run the caller's
    script again and outlive a caller that is killed.
    """
    command = [sys.executable, "-m", "pneumo_core.data.phantom", *map(str, (root.resolve(), seed, count, difficulty))]
    null, place = subprocess.DEVNULL, Path(__file__).resolve().parents[2]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with suppress(OSError):  # No more processes or memory: fewer processes draw.
            for _ in range(number):
                # Nothing is written into the pipe. It closes when this process ends, however it ends.
                helper = subprocess.Popen(command, cwd=place, stdin=subprocess.PIPE, stdout=null, stderr=null)
                processes.append(helper)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _draw(jobs: Sequence[_Job], root: Path, seed: int, difficulty: float) -> Iterator[int]:
    """Draw the images that no other process has started, in order; yields the number started by all, after each."""
    for begun, job in enumerate(jobs, start=1):
        file = root / job.file
        if not file.exists():
            # The process that creates the partial file draws the image.
            with suppress(FileExistsError), _partial(file).open("xb") as partial:
                partial.write(_jpeg(job, seed, difficulty))
                partial.close()
                _partial(file).replace(file)
        yield begun


def _partial(file: Path) -> Path:
    return file.with_suffix(".part")


def _jobs(seed: int, count: int) -> Iterator[_Job]:
    """Images of the data set; those of a smaller count are the first patients of each subtype."""
    wanted = dict.fromkeys(_SHARES, 0)
    for _ in range(count):  # One by one, so that no subtype loses an image at a larger count.
        wanted[min(_SHARES, key=lambda subtype: wanted[subtype] / sum(_SHARES[subtype].values()))] += 1
    for subtype, shares in _SHARES.items():
        filled = dict.fromkeys(shares, 0)
        patient = 0
        while (left := wanted[subtype] - sum(filled.values())) > 0:
            patient += 1
            # The split furthest below its fraction gets the patient, so each split has one of the first three.
            split = min(shares, key=lambda name: filled[name] / shares[name])
            rng = _rng(seed, subtype, patient, _FOR_NUMBER)
            images = min(left, 1 + int(rng.choice(len(_IMAGES_A_PATIENT), p=_IMAGES_A_PATIENT)))
            filled[split] += images
            yield from (_Job(split, subtype, patient, number) for number in range(1, images + 1))


def _rng(seed: int, subtype: Subtype, patient: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, list(_SHARES).index(subtype), patient, purpose])


def _drawn(job: _Job, seed: int, difficulty: float) -> tuple[npt.NDArray[np.uint8], int, bool]:
    """Gray levels of an image, its JPEG quality, and whether it is stored with three channels."""
    rng = _rng(seed, job.subtype, job.patient, _FOR_BODY + job.number)
    width, height = _SIZES[rng.integers(len(_SIZES))]
    width, height = width + int(rng.integers(-12, 13)), height + int(rng.integers(-10, 11))
    # Wide enough to hide the effect of a finding on the file's size.
    quality, is_rgb = int(rng.integers(55, 96)), rng.random() < 0.05
    pixels = draw_phantom(
        rng,
        subtype=job.subtype,
        height=height,
        width=width,
        difficulty=difficulty,
        patient_rng=_rng(seed, job.subtype, job.patient, _FOR_BODY),
    )
    return pixels, quality, is_rgb


def _jpeg(job: _Job, seed: int, difficulty: float) -> bytes:
    pixels, quality, is_rgb = _drawn(job, seed, difficulty)
    image = Image.fromarray(pixels)
    buffer = BytesIO()
    # A few files of the real set are gray images stored with three channels.
    (image.convert("RGB") if is_rgb else image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _help(root: str, seed: str, count: str, difficulty: str) -> None:
    """Main function of a helper, with the arguments of `_helpers`; it ends when its caller ends."""

    def end_with_caller() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=end_with_caller, daemon=True).start()
    with _one_thread():
        for _ in _draw(list(_jobs(int(seed), int(count))), Path(root), int(seed), float(difficulty)):
            pass


if __name__ == "__main__":
    _help(*sys.argv[1:])
