"""DICOM: an X-ray's gray pixels as a viewer shows them, and what its tags say about the picture.

Only the tags listed here and in `dicom_facts` are read, none of which names a person, a date or a place. Errors never repeat
what pydicom says, since that may hold values.
"""

import io
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.bounded import BoundedBytes
from pneumo_core.data.dicom_facts import TAGS, Note, about, term
from pneumo_core.data.jpeg_lossless import MAX_PIXELS, decode_lossless
from pneumo_core.data.levels import used_range
from pneumo_core.data.picture import require_few_scans, require_size
from pneumo_core.errors import ImageError

if TYPE_CHECKING:
    from pydicom import Dataset

# pydicom is imported where a DICOM file comes: it takes half a second and 50 MB. Its warnings and log lines quote values.
logging.getLogger("pydicom").disabled = True
warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a DICOM file before its pixels are read.

    Attributes:
        width: Pixels a row.
        height: Rows.
        photometric: What the numbers mean, such as ``MONOCHROME2``.
        facts: Pairs of name and value for people: modality, view, age and body part, each where the file says so.
        notes: What its tags warn of.
    """

    width: int
    height: int
    photometric: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]


_LAYOUT: Final = (
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
_LEVELS: Final = (
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "PixelPaddingValue"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
)

# Transfer syntaxes (PS3.6, table A-1): pydicom decodes them with NumPy and Pillow, but for JPEG Lossless.
_NATIVE: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})
_RLE: Final = "1.2.840.10008.1.2.5"
_JPEG: Final = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_LOSSLESS: Final = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
_JPEG_2000: Final = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"

_MAX_RLE_BYTES: Final = 8 * 10**6
"""Run lengths grow at most by 64 (PS3.5, annex G.3.1), so that half a gigabyte is what they can become."""

_MAX_VALUE_BYTES: Final = 2**20
"""Maximum size of an element other than the pixels; the longest, lookup tables, have 128 KiB each."""

_PIXEL_DATA: Final = 0x7FE00010

_MAX_ITEMS: Final = 10_000
_ITEM: Final = b"\xfe\xff\x00\xe0"
"""Start of an item of a sequence or a fragment of a compressed frame (PS3.5, section 7.5)."""

_UNCOMPRESSED: Final = "export it uncompressed (Explicit VR Little Endian), or as PNG"
_EXPORT: Final = "export it again, or as PNG"


def read_header(data: bytes, name: str) -> Header:
    """What a DICOM file's tags say, without its pixels.

    Raises:
        ImageError: It is damaged, or not one gray or color picture in a form that is read; `reason` is the code.
    """
    with _reading(name):
        return _header(_dataset(data, name, stop_before_pixels=True), name)


def read_image(data: bytes, name: str) -> tuple[Image.Image, Header]:
    """A DICOM file's picture as a viewer shows it, 8-bit gray or color, and what its tags say.

    Gray levels go through the modality LUT (or rescaling), then the VOI LUT or the first window (PS3.3, sections C.11.1
    and C.11.2); without either the used range is shown. MONOCHROME1 is inverted.

    Args:
        data: The file's bytes.
        name: Name in an error message.

    Raises:
        ImageError: As of `read_header`, or its pixels are damaged.
    """
    header = read_header(data, name)
    with _reading(name):
        dataset = _dataset(data, name, stop_before_pixels=False)
        pixels = _pixels(dataset, name, header)
        if pixels.shape[:2] != (header.height, header.width):
            raise ValueError("another size than declared")
        if header.photometric.startswith("MONOCHROME"):
            return Image.fromarray(_gray(pixels, dataset)), header
        if pixels.dtype.itemsize > 1:
            pixels = pixels >> max(dataset.BitsStored - 8, 0)
        return Image.fromarray(pixels.astype(np.uint8)), header


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Whatever pydicom raises on a damaged file becomes an `ImageError` that repeats none of it."""
    from pydicom.errors import BytesLengthException, InvalidDicomError  # noqa: PLC0415

    try:
        yield
    except ImageError:
        raise
    except (
        *(BytesLengthException, InvalidDicomError, Image.DecompressionBombError, Image.DecompressionBombWarning),
        *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, OSError),
        *(RuntimeError, TypeError, ValueError, struct.error),
    ):
        raise ImageError(
            "damaged", f"a DICOM file must be whole. Received: {name!r}, which cannot be read", _EXPORT
        ) from None


def _dataset(data: bytes, name: str, *, stop_before_pixels: bool) -> "Dataset":
    """Those of a file's elements that are listed here, and no other."""
    from pydicom import dcmread  # noqa: PLC0415

    # pydicom inflates such a file at once, however large it becomes.
    if _DEFLATED.encode() in data:
        raise _unread(name, "compressed as a whole (Deflated)", _UNCOMPRESSED)
    # Empty ones take pydicom minutes and gigabytes.
    if (items := data.count(_ITEM)) > _MAX_ITEMS:
        raise _unread(name, f"with {items:,} items", _EXPORT, reason="too_large")
    tags: list[Any] = [*TAGS, *_LAYOUT, *_LEVELS, *(() if stop_before_pixels else ("PixelData",))]
    dataset = dcmread(BoundedBytes(data, name), stop_before_pixels=stop_before_pixels, specific_tags=tags)
    for element in dataset.values():  # As bytes: they are parsed where they are used.
        if element.tag != _PIXEL_DATA and isinstance(element.value, bytes) and len(element.value) > _MAX_VALUE_BYTES:
            raise _unread(name, "with longer elements than an X-ray has", _EXPORT, reason="too_large")
    return dataset


def _unread(name: str, what: str, advice: str, *, reason: str = "unsupported") -> ImageError:
    return ImageError(
        reason, f"a DICOM file must hold one picture in a form that is read here. Received: {name!r}, {what}", advice
    )


def _header(dataset: "Dataset", name: str) -> Header:
    width, height = int(dataset.get("Columns", 0)), int(dataset.get("Rows", 0))
    if not width or not height:
        raise _unread(name, "which holds no picture", "choose the file with the X-ray")
    if (frames := int(dataset.get("NumberOfFrames") or 1)) > 1:
        raise _unread(name, f"with {frames} frames", "export one frame as a file of its own", reason="animated")
    require_size(width, height, name)
    syntax = dataset.file_meta.get("TransferSyntaxUID", "")
    bits, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    if syntax not in {*_NATIVE, _RLE, *_JPEG, *_LOSSLESS, *_JPEG_2000}:
        known = getattr(syntax, "name", syntax)
        what = f"compressed as {known}" if known != syntax else "in an unknown transfer syntax"
        raise _unread(name, what, _UNCOMPRESSED)
    if syntax in _JPEG and stored > 8:
        raise _unread(name, f"compressed as JPEG with {stored} bits", _UNCOMPRESSED)
    if syntax in _LOSSLESS and width * height > MAX_PIXELS:
        what = f"compressed as JPEG Lossless with {width} x {height} pixels"
        raise _unread(name, what, _UNCOMPRESSED, reason="too_large")
    if bits not in {8, 16} or not 1 <= stored <= bits:
        raise _unread(name, f"with {bits} bits a pixel", "export it with 8 to 16 bits a pixel")
    photometric = str(dataset.PhotometricInterpretation)
    gray, color = int(dataset.SamplesPerPixel) == 1, int(dataset.SamplesPerPixel) == 3
    if not ((photometric in {"MONOCHROME1", "MONOCHROME2"} and gray) or (photometric in _COLORS and color)):
        what = "PALETTE COLOR" if photometric == "PALETTE COLOR" else "an unknown kind"
        raise _unread(name, f"with pixels of {what}", "export it as gray pixels (MONOCHROME2)")
    return Header(width, height, photometric, *about(dataset))


_COLORS: Final = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})


def _pixels(dataset: "Dataset", name: str, header: Header) -> NDArray[Any]:
    """Stored values; a compressed frame must be as large as the file declares, before it is decoded."""
    from pydicom.encaps import get_frame  # noqa: PLC0415
    from pydicom.pixels.utils import pixel_array  # noqa: PLC0415

    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in _NATIVE:
        return pixel_array(dataset)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if syntax in _LOSSLESS:
        samples = decode_lossless(frame, header.height, header.width)
        unused = 16 - int(dataset.BitsStored)
        return (samples << unused).view(np.int16) >> unused if dataset.PixelRepresentation else samples
    if syntax == _RLE:
        if len(frame) > _MAX_RLE_BYTES:
            raise _unread(name, f"with {len(frame):,} bytes of run lengths", _UNCOMPRESSED, reason="too_large")
        return pixel_array(dataset)
    with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as picture:
        if picture.size != (header.width, header.height):
            raise ValueError("another size than declared")
    require_few_scans(frame, name)
    return pixel_array(dataset)


# --- Gray levels ------------------------------------------------------------------------------------------------------


def _gray(pixels: NDArray[Any], dataset: "Dataset") -> NDArray[np.uint8]:
    """Stored values as 8-bit gray levels; each value has one, so that a table of at most 65,536 does for all pixels."""
    low, high = int(pixels.min()), int(pixels.max())
    shown = _levels(np.arange(low, high + 1), pixels, dataset)
    table = np.nan_to_num(shown * 255).clip(0, 255).round().astype(np.uint8)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        table = 255 - table
    gray: NDArray[np.uint8] = table[pixels.astype(np.int32) - low]
    return gray


def _levels(stored: NDArray[np.int64], pixels: NDArray[Any], dataset: "Dataset") -> NDArray[np.float64]:
    """Gray level of each stored value, where 0 is the darkest and 1 the brightest that is shown."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi  # noqa: PLC0415

    values: NDArray[np.float64] = apply_modality_lut(stored, dataset).astype(np.float64)
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return np.asarray(apply_voi(values.round().astype(np.int64), dataset) / (2.0**bits - 1), np.float64)
    center, width = _first(dataset, "WindowCenter"), _first(dataset, "WindowWidth")
    if center is not None and width is not None and width > 0:
        return _windowed(values, center, width, term(dataset, "VOILUTFunction"))
    if dataset.BitsStored <= 8 and np.array_equal(values, stored) and not dataset.PixelRepresentation:
        return values / float(2**dataset.BitsStored - 1)
    used = pixels[pixels != dataset.PixelPaddingValue] if "PixelPaddingValue" in dataset else pixels
    ends = values[[int(used.min()) - stored[0], int(used.max()) - stored[0]]] if used.size else values[[0, -1]]
    return used_range(values, ends)


def _first(dataset: "Dataset", keyword: str) -> float | None:
    """The first of a tag's numbers, or None if it has none that is finite."""
    value = dataset.get(keyword)
    if value is None or isinstance(value, str):
        return None
    numbers = [float(one) for one in (value if hasattr(value, "__iter__") else (value,))]
    return numbers[0] if numbers and np.isfinite(numbers[0]) else None


def _windowed(values: NDArray[np.float64], center: float, width: float, function: str) -> NDArray[np.float64]:
    """A window's gray levels (PS3.3, section C.11.2.1.2 and C.11.2.1.3), in [0, 1]."""
    if function == "SIGMOID":
        levels = 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -500, 500)))
    elif function == "LINEAR_EXACT":
        levels = (values - center) / width + 0.5
    elif width <= 1:
        levels = (values > center - 0.5).astype(np.float64)
    else:
        levels = (values - (center - 0.5)) / (width - 1) + 0.5
    return levels.clip(0, 1)
