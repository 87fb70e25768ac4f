"""Decoding of image files to gray pixels, and of a data set to one memory-mapped array.

`decode` is the only way an image enters the project: training, the array cache and uploads share it.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from pneumo_core.config.classifier import Preparation
from pneumo_core.data import dicom
from pneumo_core.data.dicom_facts import Note
from pneumo_core.data.formats import Format, format_of
from pneumo_core.data.levels import eight_bits
from pneumo_core.data.padding import padded
from pneumo_core.data.picture import opened_picture
from pneumo_core.errors import CorruptError, DataError, ImageError, StoreError
from pneumo_core.runs.files import hold_lock, make_directory, read_json, store_errors, write_json
from pneumo_core.runs.store import datasets_root

_CHUNK: Final = 64
_ARRAY_SCHEMA: Final = 2  # 1 scaled images deeper than 8 bits in another way.


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Facts from a file's header: its size in pixels, as stored, and Pillow's mode, or DICOM's photometric interpretation."""

    width: int
    height: int
    mode: str


@dataclass(frozen=True, slots=True)
class _Opened:
    """An image whose header is acceptable, and what its tags say."""

    image: Image.Image
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[Note, ...] = ()


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[_Opened]:
    """Open an image whose header is acceptable; every failure, also later in the block, becomes an `ImageError`."""
    if format_of(data) is Format.DICOM:
        image, header = dicom.read_image(data, name)
        yield _Opened(image, header.facts, header.notes)
        return
    with opened_picture(data, name) as picture:
        yield _Opened(picture)


def read_facts(data: bytes, name: str) -> ImageFacts:
    """Header of an image file, without decoding its pixels.

    Raises:
        ImageError: The file is not an acceptable image; see `decode`.
    """
    if format_of(data) is Format.DICOM:
        header = dicom.read_header(data, name)
        return ImageFacts(header.width, header.height, header.photometric)
    with opened_picture(data, name) as image:
        return ImageFacts(width=image.width, height=image.height, mode=image.mode)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An image's gray pixels, its color, and what its tags say.

    Attributes:
        gray: `(height, width)` or `(size, size)` uint8 array in [0, 255].
        width: Pixels a row of the file, as stored.
        height: Rows of the file, as stored.
        tint: Mean difference between the highest and the lowest color channel, in gray levels; 0 for a gray file.
        hue_spread: How far the colors of equally bright pixels differ, in gray levels: small for a gray image with a tint,
            as of a film, large for a photograph, and 0 where there is hardly a tint.
        facts: Pairs of name and value from DICOM tags, for people; never who, when or where.
        notes: What DICOM tags warn of.
        content: For a model that pads, the image reduced with its aspect, `(h, w)` uint8, whose longer side is that of `gray`;
            None for one that squashes.
    """

    gray: NDArray[np.uint8]
    width: int
    height: int
    tint: float
    hue_spread: float
    facts: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    content: NDArray[np.uint8] | None = None

    @property
    def square(self) -> NDArray[np.uint8]:
        """The image as a model takes it, `(size, size)` uint8: squashed or padded."""
        return self.gray if self.content is None else padded(self.content)


def decode(
    data: bytes, name: str, *, size: int | None = None, preparation: Preparation = Preparation.SQUASH
) -> Decoded:
    """Decode an image file (PNG, JPEG, WebP, TIFF, BMP or DICOM) to gray, upright, opaque 8-bit pixels.

    Color is weighted by ITU-R BT.601 (Pillow's ``L``); deeper images are scaled by the range that they use (`eight_bits`);
    transparency is laid on black, as the air around a patient is; EXIF rotation is applied. For DICOM see `dicom.read_image`.

    Args:
        data: The file's bytes.
        name: Name in an error message.
        size: Side of the square to resize to, in pixels (the report's 150 x 150, aspect not kept), or None to keep the size.
        preparation: How a model that takes this size makes a square of it; `gray` is squashed whatever it is, as the gate takes
            it.

    Raises:
        ImageError: The file is empty, of another format, damaged, animated, of several pages, too small or too large
            (see `picture`); `reason` is the code.
    """
    with _opened(data, name) as opened:
        sides = opened.image.size  # Before the decoder of JPEG leaves out detail.
        shown = _shown(opened.image, size)
        gray = _to_gray(shown)
        content = _reduced(gray, size) if size is not None and preparation is Preparation.PAD else None
        return Decoded(_squashed(gray, size), *sides, *_color(shown), opened.facts, opened.notes, content)


def decode_gray(
    data: bytes, name: str, *, size: int | None = None, preparation: Preparation = Preparation.SQUASH
) -> NDArray[np.uint8]:
    """Gray pixels as a model takes them (`Decoded.square`), without the color, which takes as long again to compute."""
    with _opened(data, name) as opened:
        gray = _to_gray(_shown(opened.image, size))
        if size is not None and preparation is Preparation.PAD:
            return padded(_reduced(gray, size))
        return _squashed(gray, size)


def _shown(image: Image.Image, size: int | None) -> Image.Image:
    """Rotate the image upright and remove transparency."""
    if image.format == "TIFF":
        image.load()  # Pillow itself turns these upright, and forgets the orientation, once they are loaded.
    if size is not None:
        # Lets the JPEG decoder drop detail that resizing averages away. At least twice the target size is decoded, or images
        # just above and just below a step of the decoder would differ in sharpness.
        image.draft(None, (2 * size, 2 * size))
    return _opaque(_upright(image))


def _reduced(gray: Image.Image, size: int) -> NDArray[np.uint8]:
    """An image whose longer side is `size`; resized before it is padded, as a long strip would make a square of gigabytes."""
    width, height = (max(1, round(size * side / max(gray.size))) for side in gray.size)
    return np.asarray(gray.resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)


def _squashed(gray: Image.Image, size: int | None) -> NDArray[np.uint8]:
    if size is not None and gray.size != (size, size):
        gray = gray.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(gray, dtype=np.uint8)


# EXIF 2.32, section 4.6.4, tag 274: the operation that rotates an image upright, by stored orientation (1 is upright).
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image) -> Image.Image:
    # `ImageOps.exif_transpose` also rewrites the other tags, which fails in many ways on damaged ones.
    turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or not (image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info):
        return image
    clear = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, (0, 0, 0, 255)), clear)


def _to_gray(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        return Image.fromarray(eight_bits(np.nan_to_num(np.asarray(image), posinf=0, neginf=0)))
    if image.mode.startswith("I"):
        # Pillow's own conversion to "L" clips them to white. Detectors of 10 to 15 bits fill a part of the 16 bits.
        return Image.fromarray(eight_bits(np.asarray(image)))
    return image.convert("L")


_LUMA: Final = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601, section 2.5.1."""

_BINS: Final = 16


def _color(image: Image.Image) -> tuple[float, float]:
    """Tint and spread of hues; see `Decoded`."""
    if image.mode not in {"RGB", "RGBA", "P", "CMYK"}:
        return 0.0, 0.0
    # A mean needs no detail; `reducing_gap` lets a box filter do most of the resizing, which is several times as fast.
    small = np.asarray(image.convert("RGB").resize((64, 64), reducing_gap=2.0), np.int16).reshape(-1, 3)
    tint = float(np.mean(small.max(axis=1) - small.min(axis=1)))
    return tint, _hue_spread(small) if tint >= 1 else 0.0


def _hue_spread(pixels: NDArray[np.int16]) -> float:
    """Of `(pixels, 3)` colors: the root mean square distance from the mean color of the equally bright ones."""
    luma = pixels @ _LUMA
    brightness = (luma * (_BINS / 256)).astype(np.intp)
    hues = pixels - luma[:, None]
    counts = np.bincount(brightness, minlength=_BINS).clip(1)[:, None]
    means = np.stack([np.bincount(brightness, hues[:, one], _BINS) for one in range(3)], axis=1) / counts
    return float(np.sqrt(np.mean(np.sum((hues - means[brightness]) ** 2, axis=1))))


def read_indexed(root: Path, image_id: str, sha256: str) -> bytes:
    """Bytes of an indexed file, after checking that it has not changed.

    Raises:
        DataError: The file is missing or has changed.
    """
    try:
        data = (root / image_id).read_bytes()
    except OSError as error:
        raise DataError(
            f"an indexed file must not be removed. Received: {image_id!r}: {error.strerror}; connect the folder again"
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(
            f"an indexed file must not change. Received: {image_id!r}, changed since; connect the folder again"
        )
    return data


# --- The array cache --------------------------------------------------------------------------------------------------


def content_id(image_ids: Iterable[str], hashes: Iterable[str]) -> str:
    """Id of a data set by its content: first 12 hexadecimal digits of a SHA-256.

    Args:
        image_ids: Paths below the data set's root, sorted.
        hashes: SHA-256 of each file, hexadecimal.
    """
    digest = hashlib.sha256()
    for image_id, sha256 in zip(image_ids, hashes, strict=True):
        digest.update(f"{image_id}\0{sha256}\n".encode())
    return digest.hexdigest()[:12]


def array_path(data_id: str, size: int, preparation: Preparation = Preparation.SQUASH) -> Path:
    """Path of a data set's cached array of resized images."""
    way = "" if preparation is Preparation.SQUASH else f"-{preparation}"
    return datasets_root() / data_id / f"gray-{size}{way}.npy"


def open_array(
    data_id: str, size: int, count: int, preparation: Preparation = Preparation.SQUASH
) -> NDArray[np.uint8] | None:
    """The cached array of a data set's images, memory-mapped read-only, or None if it is missing, damaged or of another.

    Returns:
        `(count, size, size)` uint8 array in the order of the index's table, or None.
    """
    path = array_path(data_id, size, preparation)
    shape = (count, size, size)
    # NumPy's own reader raises many errors on a damaged header, so the header is compared with the expected one.
    header = _array_header(shape)
    try:
        if read_json(path.with_suffix(".json")) != _array_facts(data_id, size, count, path.stat().st_size):
            return None
        with path.open("rb") as file:
            if file.read(len(header)) != header:
                return None
        return np.memmap(path, np.uint8, "r", len(header), shape)
    except (StoreError, OSError, ValueError):
        return None  # It is a cache: whatever is wrong, it is built again.


def _array_header(shape: tuple[int, int, int]) -> bytes:
    """Header of a NumPy file of that shape."""
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, 0, 0), np.uint8))
    header["shape"] = shape
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def _array_facts(data_id: str, size: int, count: int, size_bytes: int) -> dict[str, object]:
    return {"data_id": data_id, "size": size, "count": count, "size_bytes": size_bytes, "schema": _ARRAY_SCHEMA}


def load_array(
    root: Path,
    image_ids: list[str],
    *,
    data_id: str,
    size: int,
    progress: Callable[[int, int], None] | None = None,
    preparation: Preparation = Preparation.SQUASH,
    id_of: Callable[[Iterable[str]], str] | None = None,
) -> NDArray[np.uint8]:
    """All images of a data set as one memory-mapped array, built on first use.

    Images are decoded in parallel (Pillow releases Python's lock) and written in order, in chunks, so memory does not
    grow with their number. The finished file is renamed into place: after a kill the next call starts again.

    Args:
        root: Folder of the data set.
        image_ids: Paths below `root`, in the index's order.
        data_id: Content-based id of the data set.
        size: Side of the square, in pixels.
        progress: Called with images done and their total.
        preparation: How an image becomes a square; each way has a file of its own.
        id_of: The data set's id by the hashes of its files; `content_id` of `image_ids` unless given.

    Returns:
        `(len(image_ids), size, size)` uint8 array, read-only.

    Raises:
        DataError: The images have changed since they were indexed: one cannot be read, or `data_id` does not match.
        StoreError: The cache cannot be written.
    """
    path = array_path(data_id, size, preparation)
    make_directory(path.parent)
    # Two runs may need it at once: the second waits and then finds the array.
    with hold_lock(path.with_suffix(".lock"), timeout_s=3600):
        array = open_array(data_id, size, len(image_ids), preparation)
        if array is None:
            decoded = partial(decode_gray, size=size, preparation=preparation)
            _build_array(
                path, root, image_ids, size, decoded, progress, (data_id, id_of or partial(content_id, image_ids))
            )
            facts = _array_facts(data_id, size, len(image_ids), path.stat().st_size)
            write_json(path.with_suffix(".json"), facts)
            array = open_array(data_id, size, len(image_ids), preparation)
    if array is None:
        raise CorruptError(f"the array cache must be readable once built. Received: path={str(path)!r}; check the disk")
    return array


def _build_array(
    path: Path,
    root: Path,
    image_ids: list[str],
    size: int,
    decoded: Callable[[bytes, str], NDArray[np.uint8]],
    progress: Callable[[int, int], None] | None,
    identity: tuple[str, Callable[[Iterable[str]], str]],
) -> None:
    def decode(image_id: str) -> tuple[NDArray[np.uint8], str]:
        try:
            data = (root / image_id).read_bytes()
            return decoded(data, image_id), hashlib.sha256(data).hexdigest()
        except (OSError, ImageError) as error:
            raise DataError(
                f"an indexed image must not change. Received: {image_id!r}: {error}; index the data set again"
            ) from error

    unfinished = path.with_suffix(".partial")
    workers = min(8, os.cpu_count() or 1)
    hashes = []
    with store_errors(path):
        path.with_suffix(".json").unlink(missing_ok=True)
        try:
            with unfinished.open("wb") as file, ThreadPoolExecutor(workers) as pool:
                file.write(_array_header((len(image_ids), size, size)))
                for start in range(0, len(image_ids), _CHUNK):
                    for image, sha256 in pool.map(decode, image_ids[start : start + _CHUNK]):
                        file.write(image.tobytes())
                        hashes.append(sha256)
                    if progress:
                        progress(len(hashes), len(image_ids))
                file.flush()
                os.fsync(file.fileno())
            data_id, id_of = identity
            if (received := id_of(hashes)) != data_id:
                raise DataError(
                    f"indexed images must not change. Received: content of {str(root)!r} with the id {received}, "
                    f"not {data_id}; index the data set again"
                )
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)  # A partial array on a full disk would block the next attempt.
