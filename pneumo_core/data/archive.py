"""Unpacking of a data set's zip archive; names, sizes and bytes are not trusted."""

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from pneumo_core.data.formats import is_image_name
from pneumo_core.errors import CorruptError
from pneumo_core.records import Label, Split
from pneumo_core.runs.files import make_directory, store_errors

_MAX_MEMBERS: Final = 100_000
"""Maximum number of entries in an archive: eight times the official one's, which has two copies and macOS' files."""

_MAX_BYTES: Final = 8 * 10**9
"""Maximum unpacked size in bytes: six times the official 1.2 GB, as a protection against zip bombs."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()-]*")
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def unpack_images(archive: Path, folder: Path, watch: Callable[[int, int], None]) -> None:
    """Write one copy of the archive's data set to a folder.

    Only images in ``train|val|test / NORMAL|PNEUMONIA`` are written. Kaggle's archive holds the whole data set twice
    (``chest_xray/`` and ``chest_xray/chest_xray/``): the shallowest copy is taken. Each file's CRC-32 is checked.
    Memory use does not depend on the archive's size.

    Args:
        archive: Zip file.
        folder: Folder that receives ``train``, ``val`` and ``test``; created, and left as it is if something fails.
        watch: Called with the bytes written so far and their total, before the first file (with 0) and after each.
            An exception from it stops the work.

    Raises:
        CorruptError: The archive is damaged, unsafe, too large, or holds no such images.
        StoreError: The archive cannot be read or the folder cannot be written.
    """
    with store_errors(archive), _reading(archive):
        bundle = zipfile.ZipFile(archive)
    with bundle:
        with _reading(archive):
            images = _images(bundle)
        total = sum(entry.file_size for entry, _ in images)
        if total > _MAX_BYTES:
            raise _corrupt(archive, f"images of {total} bytes, where {_MAX_BYTES} are the most")
        done = 0
        watch(done, total)
        for entry, place in images:
            path = folder / place
            make_directory(path.parent)
            with _reading(archive), store_errors(path), bundle.open(entry) as source, path.open("xb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            if path.stat().st_size != entry.file_size:
                raise _corrupt(archive, f"{entry.filename!r}, which is shorter than declared")
            done += entry.file_size
            watch(done, total)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    # RuntimeError: encrypted; its child NotImplementedError: a newer format. ValueError: refused by `_images`.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise _corrupt(archive, " ".join(str(error).split()) or type(error).__name__) from error


def _corrupt(archive: Path, received: str) -> CorruptError:
    return CorruptError(
        f"the archive must be a whole zip file of the data set. Received: {archive.name} with {received}"
    )


def _images(bundle: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Entries to unpack with their paths below the folder; ValueError if the archive is not acceptable."""
    entries = bundle.infolist()
    if len(entries) > _MAX_MEMBERS:
        raise ValueError(f"{len(entries)} entries, where {_MAX_MEMBERS} are the most")
    copies: dict[tuple[str, ...], list[tuple[zipfile.ZipInfo, PurePosixPath]]] = {}
    for entry in entries:
        require_safe(entry)
        if not is_image_name(PurePosixPath(entry.filename)):
            continue
        *parents, name = entry.filename.split("/")
        *root, split, label = ["", "", *parents]
        if split in set(Split) and label in Label.__members__:
            if not _NAME.fullmatch(name) or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ValueError(f"the unusual entry {entry.filename!r}")
            copies.setdefault(tuple(root), []).append((entry, PurePosixPath(split, label, name)))
    if not copies:
        raise ValueError("no images in train, val or test, each with NORMAL and PNEUMONIA")
    images = copies[min(copies, key=len)]
    # Some file systems treat names that differ only in case as the same.
    if len({str(place).casefold() for _, place in images}) < len(images):
        raise ValueError("two entries of the same name")
    return images


def require_safe(entry: zipfile.ZipInfo) -> None:
    """Check an entry's name and kind. No valid archive has such entries, so the whole is refused, even if they are skipped.

    Raises:
        ValueError: Its name leads out of the archive's folder, or it is no plain file.
    """
    if is_unsafe(entry):
        raise ValueError(f"the unsafe entry {entry.orig_filename!r}")
    if entry.header_offset < 0:  # A damaged directory; reading there would look like a disk failure.
        raise ValueError(f"the entry {entry.orig_filename!r} before its start")


def is_unsafe(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry's name leads out of the archive's folder, or it is no plain file or folder."""
    name = entry.orig_filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or _DRIVE.match(name) is not None
        or ".." in name.split("/")
        or kind not in {0, stat.S_IFREG, stat.S_IFDIR}
    )
