"""Opening of picture files by Pillow: what is acceptable is decided on the header, before pixels are decoded."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from pneumo_core.data.bounded import BoundedBytes
from pneumo_core.data.formats import FORMATS, Format, format_of, other_format
from pneumo_core.errors import ImageError

MIN_SIDE: Final = 32
"""Minimum side, in pixels, at which lungs are still recognizable; the data set's own minimum is 127."""

MAX_PIXELS: Final = 50_000_000
"""Maximum number of pixels: five times the data set's largest image, a fifth of what would take 1 GB as RGB."""

# Pillow warns above its own limit and raises above twice that. The warning becomes an error once for the process, because
# temporary warning filters are not thread-safe. The limit here is checked on the header, before pixels are decoded.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# Of damage in what it then reads all the same, such as EXIF; nothing of an upload belongs into the server's log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@contextmanager
def opened_picture(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open a picture whose header is acceptable; every failure, also later in the block, becomes an `ImageError`.

    Raises:
        ImageError: It is empty, of another format, damaged, animated, of several pages, too small or too large.
    """
    kind = format_of(data)
    if not data:
        raise _refused("empty", "hold bytes", name, ", which has none", "choose the file again")
    if kind is None:
        what, advice = other_format(data)
        raise _refused("not_an_image", f"be a {FORMATS} file", name, f", which is {what}", advice)
    if kind is Format.PNG:
        data = _without_long_texts(data)
    try:
        with Image.open(BoundedBytes(data, name), formats=(kind.value,)) as image:
            require_size(*image.size, name)
            _require_single(image, name)
            if kind is Format.JPEG or image.info.get("compression") == "jpeg":
                require_few_scans(data, name)
            yield image
    except UnidentifiedImageError as error:
        raise _refused("damaged", "be complete", name, f", whose {kind} header cannot be read", _AGAIN) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _too_large(name, "more") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow's decoders raise all four on damaged files.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _refused("damaged", "be complete", name, f", which cannot be decoded: {reason}", _AGAIN) from error


_AGAIN: Final = "save it again"


def _refused(reason: str, must: str, name: str, received: str, advice: str) -> ImageError:
    return ImageError(reason, f"an image must {must}. Received: {name!r}{received}", advice)


def _too_large(name: str, received: str) -> ImageError:
    most = f"have at most {MAX_PIXELS:,} pixels"
    return _refused("too_large", most, name, f", which declares {received}", "save it smaller")


def require_size(width: int, height: int, name: str) -> None:
    """Check the size of an image before its pixels are decoded.

    Raises:
        ImageError: It is too small or too large.
    """
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} x {height}")
    if min(width, height) < MIN_SIDE:
        must = f"be at least {MIN_SIDE} pixels on each side"
        raise _refused("too_small", must, name, f" with {width} x {height}", "choose the original image")


_MAX_SCANS: Final = 100
"""Maximum number of scans of a JPEG file; progressive ones have about ten, and each is decoded over the whole image."""


def require_few_scans(data: bytes, name: str) -> None:
    """Check how often a JPEG stream says each pixel: a small file can keep a decoder busy for hours.

    Raises:
        ImageError: Too often.
    """
    if (scans := data.count(b"\xff\xda")) > _MAX_SCANS:
        must = f"have at most {_MAX_SCANS} scans"
        raise _refused("too_large", must, name, f", a JPEG file with {scans:,}", _AGAIN)


_TIFF_COMPRESSIONS: Final = frozenset({"raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "jpeg"})
"""Those of gray and color images; fax and the rarer ones only add code that strangers' files could reach."""


def _require_single(image: Image.Image, name: str) -> None:
    """Refuse animations and documents of several pages; of the pictures that a phone stores together, the first is taken."""
    if image.format == "MPO":
        return
    # Pillow counts a hostile file's pages for hours, as it looks each up in the list of those before.
    if isinstance(image, TiffImageFile):
        if (how := image.info.get("compression")) not in _TIFF_COMPRESSIONS:
            raise _refused(
                "unsupported", "be compressed in a usual way", name, f", a TIFF with {how}", "save it as PNG"
            )
        if image.tag_v2.next:  # The place of the next page in the file.
            raise _refused(
                "several_pages", "be a single page", name, ", a TIFF with several", "save the one with the X-ray"
            )
        return
    if (frames := int(getattr(image, "n_frames", 1))) > 1:
        raise _refused("animated", "be a single frame", name, f" with {frames} frames", "save one frame")


def _without_long_texts(data: bytes) -> bytes:
    """A PNG file without its long comments and color profiles, which serve no pixel and which Pillow reads into memory.

    Chunks (PNG, third edition, section 5.3): length, type, data, checksum.
    """
    kept, start, is_shorter = [data[:8]], 8, False
    while start + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        chunk = data[start : start + 12 + length]
        if kind in _TEXTS and length > (_MAX_PACKED_BYTES if _is_packed(kind, chunk[8:]) else _MAX_TEXT_BYTES):
            is_shorter = True
        else:
            kept.append(chunk)
        start += 12 + length
    return b"".join(kept) if is_shorter else data


def _is_packed(kind: bytes, content: bytes) -> bool:
    """Whether a chunk's text is compressed; an iTXt chunk says so after its keyword (section 11.3.3.4)."""
    return kind in {b"zTXt", b"iCCP"} or (kind == b"iTXt" and content.partition(b"\0")[2][:1] != b"\0")


_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP"})
_MAX_TEXT_BYTES: Final = 8192
"""Shorter ones may hold the orientation."""

_MAX_PACKED_BYTES: Final = 1000
"""Compressed ones inflate at most 1,032-fold, so to less than the 1 MiB above which Pillow refuses the file."""
