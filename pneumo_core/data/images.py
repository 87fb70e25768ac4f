"""Decoding of image files to gray pixels, and of a data set to one memory-mapped array.

`decode` is the only way an image enters the project: training, the array cache and uploads share it.
"""

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from pneumo_core.errors import CorruptError, DataError, ImageError, StoreError
from pneumo_core.runs.files import hold_lock, make_directory, read_json, store_errors, write_json
from pneumo_core.runs.store import datasets_root

IMAGE_SUFFIXES: Final = frozenset({".jpeg", ".jpg", ".png"})
"""Suffixes of image files, in lower case."""

MIN_SIDE: Final = 32
"""Minimum side, in pixels, at which lungs are still recognizable; the data set's own minimum is 127."""

MAX_PIXELS: Final = 50_000_000
"""Maximum number of pixels: five times the data set's largest image, a fifth of what would take 1 GB as RGB."""

# Pillow warns above its own limit and raises above twice that. The warning becomes an error once for the process, because
# temporary warning filters are not thread-safe. The limit here is checked on the header, before pixels are decoded.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_CHUNK: Final = 64
_ARRAY_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Facts from a file's header: its size in pixels, as stored, and Pillow's mode."""

    width: int
    height: int
    mode: str


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open an image whose header is acceptable; every failure, also later in the block, becomes an `ImageError`."""

    def refused(reason: str, must: str, received: str) -> ImageError:
        return ImageError(reason, f"an image must {must}. Received: {name!r}{received}")

    if not data:
        raise refused("empty", "hold bytes", ", which has none")
    most = f"have at most {MAX_PIXELS:,} pixels"
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise refused("too large", most, f" with {width} x {height}")
            if min(width, height) < MIN_SIDE:
                raise refused("too small", f"be at least {MIN_SIDE} pixels on each side", f" with {width} x {height}")
            if (frames := int(getattr(image, "n_frames", 1))) > 1:
                raise refused("animated", "be a single frame", f" with {frames} frames")
            yield image
    except UnidentifiedImageError as error:
        raise refused("not an image", "be a PNG or JPEG file", ", which is neither") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise refused("too large", most, ", which declares more") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's decoders raise all four on damaged files.
        raise refused("damaged", "be complete", f", which cannot be decoded: {error}; save it again") from error


def read_facts(data: bytes, name: str) -> ImageFacts:
    """Header of a PNG or JPEG file, without decoding its pixels.

    Raises:
        ImageError: The file is not an acceptable image; see `decode`.
    """
    with _opened(data, name) as image:
        return ImageFacts(width=image.width, height=image.height, mode=image.mode)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """An image's gray pixels, and its tint.

    Attributes:
        gray: `(height, width)` or `(size, size)` uint8 array in [0, 255].
        tint: Mean difference between the highest and the lowest color channel, in gray levels; 0 for a gray file.
    """

    gray: NDArray[np.uint8]
    tint: float


def decode(data: bytes, name: str, *, size: int | None = None) -> Decoded:
    """Decode a PNG or JPEG file to gray, upright, opaque 8-bit pixels.

    Color is weighted by ITU-R BT.601 (Pillow's ``L``); 16-bit images keep their high byte; transparency is laid on black,
    as the air around a patient is; EXIF rotation is applied.

    Args:
        data: The file's bytes.
        name: Name in an error message.
        size: Side of the square to resize to, in pixels (the report's 150 x 150, aspect not kept), or None to keep the size.

    Raises:
        ImageError: The file is empty, not PNG or JPEG, damaged, animated, too small (`MIN_SIDE`) or too large
            (`MAX_PIXELS`); `reason` is the code.
    """
    with _opened(data, name) as image:
        shown = _shown(image, size)
        return Decoded(_squashed(shown, size), _tint(shown))


def decode_gray(data: bytes, name: str, *, size: int | None = None) -> NDArray[np.uint8]:
    """Gray pixels as of `decode`, without the tint, which takes as long again to compute."""
    with _opened(data, name) as image:
        return _squashed(_shown(image, size), size)


def _shown(image: Image.Image, size: int | None) -> Image.Image:
    """Rotate the image upright and remove transparency."""
    if size is not None:
        # Lets the JPEG decoder drop detail that resizing averages away. At least twice the target size is decoded, or images
        # just above and just below a step of the decoder would differ in sharpness.
        image.draft(None, (2 * size, 2 * size))
    return _opaque(_upright(image))


def _squashed(shown: Image.Image, size: int | None) -> NDArray[np.uint8]:
    gray = _to_gray(shown)
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
    if image.mode.startswith("I"):
        # 16-bit PNGs open as "I;16" or "I"; Pillow's own conversion to "L" clips them to white.
        return Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    return image.convert("L")


def _tint(image: Image.Image) -> float:
    if image.mode not in {"RGB", "RGBA", "P", "CMYK"}:
        return 0.0
    # A mean needs no detail; `reducing_gap` lets a box filter do most of the resizing, which is several times as fast.
    small = image.convert("RGB").resize((64, 64), reducing_gap=2.0)
    channels = np.asarray(small, dtype=np.int16)
    return float(np.mean(channels.max(axis=2) - channels.min(axis=2)))


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


def array_path(data_id: str, size: int) -> Path:
    """Path of a data set's cached array of resized images."""
    return datasets_root() / data_id / f"gray-{size}.npy"


def open_array(data_id: str, size: int, count: int) -> NDArray[np.uint8] | None:
    """The cached array of a data set's images, memory-mapped read-only, or None if it is missing, damaged or of another.

    Returns:
        `(count, size, size)` uint8 array in the order of the index's table, or None.
    """
    path = array_path(data_id, size)
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
    root: Path, image_ids: list[str], *, data_id: str, size: int, progress: Callable[[int, int], None] | None = None
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

    Returns:
        `(len(image_ids), size, size)` uint8 array, read-only.

    Raises:
        DataError: The images have changed since they were indexed: one cannot be read, or `data_id` does not match.
        StoreError: The cache cannot be written.
    """
    path = array_path(data_id, size)
    make_directory(path.parent)
    # Two runs may need it at once: the second waits and then finds the array.
    with hold_lock(path.with_suffix(".lock"), timeout_s=3600):
        array = open_array(data_id, size, len(image_ids))
        if array is None:
            _build_array(path, root, image_ids, data_id, size, progress)
            facts = _array_facts(data_id, size, len(image_ids), path.stat().st_size)
            write_json(path.with_suffix(".json"), facts)
            array = open_array(data_id, size, len(image_ids))
    if array is None:
        raise CorruptError(f"the array cache must be readable once built. Received: path={str(path)!r}; check the disk")
    return array


def _build_array(
    path: Path, root: Path, image_ids: list[str], data_id: str, size: int, progress: Callable[[int, int], None] | None
) -> None:
    def decode(image_id: str) -> tuple[NDArray[np.uint8], str]:
        try:
            data = (root / image_id).read_bytes()
            return decode_gray(data, image_id, size=size), hashlib.sha256(data).hexdigest()
        except (OSError, ImageError) as error:
            raise DataError(
                f"an indexed image must not change. Received: {image_id!r}: {error}; index the data set again"
            ) from error

    partial = path.with_suffix(".partial")
    workers = min(8, os.cpu_count() or 1)
    hashes = []
    with store_errors(path):
        path.with_suffix(".json").unlink(missing_ok=True)
        try:
            with partial.open("wb") as file, ThreadPoolExecutor(workers) as pool:
                file.write(_array_header((len(image_ids), size, size)))
                for start in range(0, len(image_ids), _CHUNK):
                    for image, sha256 in pool.map(decode, image_ids[start : start + _CHUNK]):
                        file.write(image.tobytes())
                        hashes.append(sha256)
                    if progress:
                        progress(len(hashes), len(image_ids))
                file.flush()
                os.fsync(file.fileno())
            if (received := content_id(image_ids, hashes)) != data_id:
                raise DataError(
                    f"indexed images must not change. Received: content of {str(root)!r} with the id {received}, "
                    f"not {data_id}; index the data set again"
                )
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)  # A partial array on a full disk would block the next attempt.
