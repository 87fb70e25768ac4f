"""File formats: which files count as images by their names, and what a file really is by its first bytes."""

from enum import StrEnum
from pathlib import Path, PurePath
from typing import Final

IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"}
)
"""Suffixes of image files, in lower case."""

UNREAD_SUFFIXES: Final = frozenset({".gif", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".nii", ".mha", ".nrrd"})
"""Suffixes of images in formats that are not read."""

UPLOAD_SUFFIXES: Final = tuple(sorted(IMAGE_SUFFIXES | {".zip"}))
"""Suffixes of files that can be uploaded."""

FORMATS: Final = "PNG, JPEG, WebP, TIFF, BMP or DICOM"
"""The formats that are read, for a sentence."""


class Format(StrEnum):
    """A format that is read; those of pictures have Pillow's name."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"
    TIFF = "TIFF"
    BMP = "BMP"
    DICOM = "DICOM"


def is_image_name(path: PurePath) -> bool:
    """Whether a file counts as an image by its path below a folder or an archive: by its suffix, and not hidden.

    The page, `predict` and `data index` share this filter. Of files without a suffix only the bytes tell: `is_image_file`.
    """
    return not is_hidden(path) and path.suffix.lower() in IMAGE_SUFFIXES


def is_image_file(path: Path, root: Path) -> bool:
    """Whether a file below a folder counts as an image: by its name below it, or without a suffix by its first bytes."""
    name = path.relative_to(root)
    if is_image_name(name):
        return True
    if not may_be_dicom(name) or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return format_of(file.read(DICOM_START)) is not None
    except OSError:
        return False


def is_hidden(path: PurePath) -> bool:
    """Whether a file or a folder above it is hidden, or one that macOS adds to archives (``._name``, ``__MACOSX``)."""
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in path.parts)


def may_be_dicom(path: PurePath) -> bool:
    """Whether a file may be DICOM though its name does not say so: scanners write ``IM000001`` and ``1.2.840.113619``.

    Only its bytes can tell (`is_dicom`). The directory of a medium, ``DICOMDIR``, holds no image.
    """
    suffix = path.suffix[1:]
    return not is_hidden(path) and path.name.upper() != "DICOMDIR" and (not suffix or suffix.isdecimal())


DICOM_START: Final = 132
"""Bytes of a DICOM file's preamble and prefix (PS3.10, section 7.1)."""


def is_dicom(start: bytes) -> bool:
    """Whether a file's first bytes are those of DICOM."""
    return start[DICOM_START - 4 : DICOM_START] == b"DICM"


def format_of(data: bytes) -> Format | None:
    """The format of a file's bytes, or None if it is none that is read."""
    if is_dicom(data[:DICOM_START]):
        return Format.DICOM
    if data[8:12] == b"WEBP" and data.startswith(b"RIFF"):
        return Format.WEBP
    if data.startswith(b"BM") and data[14:18] in _BMP_HEADERS:
        return Format.BMP
    return next((found for start, found in _STARTS.items() if data.startswith(start)), None)


def is_zip(data: bytes) -> bool:
    """Whether a file's bytes are those of a ZIP archive, maybe an empty one."""
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


_STARTS: Final = {
    b"\x89PNG\r\n\x1a\n": Format.PNG,
    b"\xff\xd8\xff": Format.JPEG,
    b"II*\0": Format.TIFF,
    b"MM\0*": Format.TIFF,
}

# Sizes of the headers of its versions, as many texts begin with "BM" too.
_BMP_HEADERS: Final = frozenset(size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124))

_AS_PNG: Final = "save it as PNG or JPEG"
_UNPACK: Final = "unpack it and choose an image in it"
_EXPORT: Final = "export it as DICOM, PNG or JPEG"

# First bytes, what they say, and what to do. From each format's specification.
_OTHERS: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"GIF8", "a GIF picture", _AS_PNG),
    (b"8BPS", "a Photoshop file", _AS_PNG),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture", _AS_PNG),
    (b"\xffO\xffQ", "a JPEG 2000 picture", _AS_PNG),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", _AS_PNG),
    (b"\xff\n", "a JPEG XL picture", _AS_PNG),
    (b"II+\0", "a BigTIFF picture", _AS_PNG),
    (b"MM\0+", "a BigTIFF picture", _AS_PNG),
    (b"\0\0\x01\0", "an icon", _AS_PNG),
    (b"%PDF", "a PDF document", "export its image as PNG or JPEG"),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x93NUMPY", "a NumPy array", _AS_PNG),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (b"NRRD", "an NRRD volume", _EXPORT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of Microsoft Office", "export its image as PNG or JPEG"),
    # Older files begin with the first element, of group 2 or 8, where the preamble should be (PS3.10, section 7.1).
    (b"\x02\0\0\0", "a DICOM file without its preamble", _EXPORT),
    (b"\x08\0\0\0", "a DICOM file without its preamble", _EXPORT),
    (b"\x08\0\x05\0", "a DICOM file without its preamble", _EXPORT),
    (b"\x08\0\x08\0", "a DICOM file without its preamble", _EXPORT),
)

# ISO base media files name their kind after "ftyp" (ISO/IEC 14496-12, section 4.3).
_BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "a HEIC picture"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF picture"),
}


def other_format(data: bytes) -> tuple[str, str]:
    """What a file is that is not read, with its article, and what to do about it, in the imperative."""
    if is_zip(data):
        return "a ZIP archive", _UNPACK
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a video"), _AS_PNG
    if data[344:348] in {b"n+1\0", b"ni1\0"}:
        return "a NIfTI volume", _EXPORT
    for start, what, advice in _OTHERS:
        if data.startswith(start):
            return what, advice
    if (text := _text(data[:1024])) is not None:
        return f"{'an SVG drawing' if '<svg' in text else 'a web page' if '<html' in text else 'text'}", (
            "choose an image file"
        )
    return "of an unknown format", f"choose a {FORMATS} file"


def _text(start: bytes) -> str | None:
    """The first bytes as text in lower case, or None if they are none."""
    # A cut may split a character of up to four bytes.
    for end in range(len(start), max(len(start) - 4, 0), -1):
        try:
            text = start[:end].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return text.lower() if all(letter.isprintable() or letter in "\t\r\n\f\ufeff" for letter in text) else None
    return None
