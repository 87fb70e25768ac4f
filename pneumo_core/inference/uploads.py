"""What an uploaded file holds: itself, or, of a ZIP archive, the images in it. Nothing is written; nothing is trusted."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from pneumo_core.data.archive import is_unsafe, require_safe
from pneumo_core.data.formats import DICOM_START, is_dicom, is_hidden, is_image_name, is_zip, may_be_dicom
from pneumo_core.errors import ImageError

MAX_IMAGES: Final = 200
"""Maximum number of images in one archive: about a minute's answers."""

MAX_BYTES: Final = 256 * 2**20
"""Maximum unpacked size of an archive's images; they are unpacked one by one, so that memory holds the largest alone."""

MAX_IMAGE_BYTES: Final = 64 * 2**20
"""Maximum unpacked size of one of them."""

MAX_RATIO: Final = 200
"""Maximum unpacked size by packed size. Uncompressed X-rays shrink two- to fivefold; a bomb of zeros a thousandfold."""

_MAX_ENTRIES: Final = 5_000
"""Maximum number of entries: each takes memory as soon as the archive is opened."""

_ENTRY: Final = b"PK\x01\x02"
"""Start of an entry in an archive's directory (APPNOTE.TXT, section 4.3.12)."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One image to classify.

    Attributes:
        name: Name of the file, with its folders if it came in an archive: text to show, never a path to open.
        data: Its bytes.
    """

    name: str
    data: bytes


def unpacked(name: str, data: bytes) -> Iterator[Upload]:
    """The images of one uploaded file: the file itself, or those in a ZIP archive, in its order.

    Hidden files and folders, those that macOS adds, a DICOM medium's directory and files that are no images by their name
    are passed over. An archive in the archive is given as it is, for the classifier to refuse.

    Raises:
        ImageError: The archive is damaged, encrypted, unsafe, too large, or holds no image. Damage to one image shows only
            when its turn comes.
    """
    if not is_zip(data):
        yield Upload(name, data)
        return
    with _reading(name), zipfile.ZipFile(io.BytesIO(_bounded(name, data))) as archive:
        entries = _images(name, archive)
        for entry in entries:
            with _reading(name):
                content = archive.read(entry)
            yield Upload(entry.filename, content)


def _refused(name: str, reason: str, received: str, advice: str) -> ImageError:
    must = "a ZIP archive must hold images and be safe to unpack"
    return ImageError(reason, f"{must}. Received: {name!r} {received}", advice)


_PLAIN_FILES: Final = "pack the images themselves, without links or paths that begin with / or have .. in them"


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    # RuntimeError: a wrong password; its child NotImplementedError: a newer format.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, LookupError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _refused(name, "damaged", f"that cannot be read: {reason}", "pack it again") from error


def _bounded(name: str, data: bytes) -> bytes:
    if (entries := data.count(_ENTRY)) > _MAX_ENTRIES:
        raise _refused(name, "too_large", f"with {entries:,} entries", f"pack at most {MAX_IMAGES} images")
    return data


def _images(name: str, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The entries to unpack, after all have been checked."""
    found = []
    for entry in archive.infolist():
        if entry.filename == "[Content_Types].xml":
            what = "that is a document of an office program"
            raise _refused(name, "not_an_image", what, "export its image as PNG or JPEG")
        if is_unsafe(entry):
            what = f"with the entry {entry.orig_filename!r}, whose name leads out of the archive or which is a link"
            raise _refused(name, "unsafe", what, _PLAIN_FILES)
        require_safe(entry)
        if entry.is_dir() or not _may_be_wanted(PurePosixPath(entry.filename)):
            continue
        if entry.flag_bits & 1:
            raise _refused(name, "encrypted", "with a password", "pack it without")
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise zipfile.BadZipFile("it is packed in an unusual way")
        if _is_named(PurePosixPath(entry.filename)) or _is_dicom(archive, entry):
            found.append(entry)
    if not found:
        raise _refused(name, "empty", "with none", "pack the X-rays into it")
    if len(found) > MAX_IMAGES:
        raise _refused(name, "too_large", f"with {len(found):,} images", f"pack at most {MAX_IMAGES}")
    total, packed = sum(entry.file_size for entry in found), sum(entry.compress_size for entry in found)
    largest = max(entry.file_size for entry in found)
    if total > MAX_BYTES or largest > MAX_IMAGE_BYTES or total > MAX_RATIO * max(packed, 1):
        what = f"with images of {total:,} bytes, packed into {packed:,}"
        raise _refused(name, "too_large", what, "upload the images themselves")
    return found


def _may_be_wanted(path: PurePosixPath) -> bool:
    return _is_named(path) or may_be_dicom(path)


def _is_named(path: PurePosixPath) -> bool:
    return is_image_name(path) or (path.suffix.lower() == ".zip" and not is_hidden(path))


def _is_dicom(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    with archive.open(entry) as file:
        return is_dicom(file.read(DICOM_START))
