"""A folder of X-rays as a table: what is in it, whose it is, and what could not be read.

The table is stored as Parquet under a content-based data id. A scan cache beside it remembers each file by path, size and
modification time, so unchanged files are not read again.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from pneumo_core.data.images import IMAGE_SUFFIXES, content_id, decode_gray, read_facts
from pneumo_core.data.patients import parse_name
from pneumo_core.data.synthetic import is_synthetic
from pneumo_core.errors import DataError, ImageError, StoreError
from pneumo_core.records import ImageRecord, Label, Split, UnreadableFile
from pneumo_core.runs.files import read_json, write_atomic, write_json
from pneumo_core.runs.store import datasets_root

_COLUMNS: Final = tuple(ImageRecord.__dataclass_fields__)
_DATA_ID: Final = re.compile(r"[0-9a-f]{12}")
_NOT_READABLE: Final = "not readable"
_SCAN_SCHEMA: Final = 2
_THUMBNAIL: Final = 64
"""Side that images are decoded to while indexing, in pixels: enough to read every byte of a file and find damage."""


@dataclass(frozen=True, slots=True)
class DataIndex:
    """A data set, indexed.

    Attributes:
        data_id: Id of the readable images' paths and contents (see `images.content_id`).
        root: Folder of the data set (with `train`, `val` and `test` in it).
        table: One row per readable image, the fields of `ImageRecord` as columns, sorted by `image_id`.
        unreadable: Files in class folders that are no usable images, with reasons.
        ignored: What was left out on purpose, by reason: count of files.
    """

    data_id: str
    root: Path
    table: pd.DataFrame
    unreadable: tuple[UnreadableFile, ...]
    ignored: dict[str, int]

    @property
    def is_phantom(self) -> bool:
        """Whether any image is a synthetic phantom, by its name."""
        return bool(self.table["image_id"].str.contains("/PHANTOM-").any())

    def generated(self) -> list[str]:
        """Ids of images whose files say that a DCGAN has made them."""
        return [name for name in self.table["image_id"] if is_synthetic(name.rpartition("/")[2])]

    def counts(self) -> dict[tuple[Split, Label], int]:
        """Number of images per split and class, zeros included."""
        sizes = self.table.groupby(["split", "label"]).size()
        return {(split, label): int(sizes.get((split.value, label.value), 0)) for split in Split for label in Label}


def find_root(folder: Path) -> Path:
    """The folder that holds `train`, `val` and `test`: `folder` itself or its `chest_xray`.

    Raises:
        DataError: There is no such folder.
    """
    with _folder_errors(folder):
        for candidate in (folder, folder / "chest_xray"):
            if any((candidate / split.value).is_dir() for split in Split):
                return candidate.resolve()
        found = sorted(path.name for path in folder.iterdir())[:5] if folder.is_dir() else "no such folder"
    raise DataError(
        "a data set is a folder with train, val and test, each with NORMAL and PNEUMONIA. "
        f"Received: folder={str(folder)!r} with {found}; 'data phantom' or 'data download' makes one"
    )


def build_index(folder: Path, *, progress: Callable[[int, int], None] | None = None) -> DataIndex:
    """Scan a data set and store its index.

    Every file is decoded once, in parallel, so that damage is found now and not in the middle of a training.

    Args:
        folder: The data set, or a folder with `chest_xray` in it.
        progress: Called with files done and their total.

    Raises:
        DataError: The folder is no data set, or holds no readable image.
        StoreError: The index cannot be stored.
    """
    root = find_root(folder)
    with _folder_errors(root):
        files, ignored = _candidates(root)
    cache_path = _scan_path(root)
    remembered = _read_scan(cache_path)
    scan: dict[str, dict[str, Any]] = {}

    def look(item: tuple[str, Split, Label]) -> tuple[str, dict[str, Any]]:
        image_id, split, label = item
        key = _file_key(root / image_id)
        known = remembered.get(image_id)
        if known is not None and known["key"] == key is not None:
            return image_id, known
        return image_id, {"key": key, **_inspect(root, image_id, split, label)}

    # Hashing and decoding both release Python's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for done, (image_id, entry) in enumerate(pool.map(look, files), start=1):
            scan[image_id] = entry
            if progress and (done % 50 == 0 or done == len(files)):
                progress(done, len(files))

    index = _assemble(root, scan, ignored)
    # What could not be opened is tried again next time: permissions change without a trace in size and time.
    sure = {
        image_id: {**entry, "key": None} if entry.get("unreadable", {}).get("reason") == _NOT_READABLE else entry
        for image_id, entry in scan.items()
    }
    if sure != remembered:
        write_json(cache_path, {"schema": _SCAN_SCHEMA, "sha256": _digest(sure), "files": sure})
    _store(index)
    return index


def unread_files(root: Path) -> int:
    """Number of images that no scan has read as they are now, so that `build_index` takes as long as that.

    Args:
        root: Folder of the data set, as `find_root` gives it.

    Raises:
        DataError: The folder is no data set, or may not be read.
    """
    with _folder_errors(root):
        files, _ = _candidates(root)
    remembered = _read_scan(_scan_path(root))
    # What could not be opened is tried each time, and costs nothing.
    keys = ((remembered.get(name, {"key": 0})["key"], root / name) for name, _, _ in files)
    return sum(key is not None and key != _file_key(path) for key, path in keys)


def load_index(data_id: str) -> DataIndex:
    """A stored index.

    Raises:
        DataError: It is missing or damaged; indexing the folder again makes it anew.
    """
    folder = datasets_root() / data_id
    try:
        if not _DATA_ID.fullmatch(data_id):
            raise ValueError("a data id is 12 hexadecimal digits")
        facts = read_json(folder / "index.json")
        data = (folder / "index.parquet").read_bytes()
        if facts["data_id"] != data_id or facts["table_sha256"] != hashlib.sha256(data).hexdigest():
            raise ValueError("index.parquet is not the one that was written")
        table = pd.read_parquet(io.BytesIO(data))
        if tuple(table.columns) != _COLUMNS:
            raise ValueError(f"columns {list(table.columns)}")
        return DataIndex(
            data_id=data_id,
            root=Path(facts["root"]),
            table=table,
            unreadable=tuple(UnreadableFile(**file) for file in facts["unreadable"]),
            ignored=facts["ignored"],
        )
    except (StoreError, OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"the index must be whole. Received: data_id={data_id!r}: {reason}; run 'data index FOLDER' to make it anew"
        ) from error


def index_changed_ns(data_id: str) -> int:
    """When the stored index last changed, in nanoseconds of Unix time; 0 where there is none."""
    try:
        return (datasets_root() / data_id / "index.json").stat().st_mtime_ns
    except (OSError, ValueError):  # The second for what can be no file's name.
        return 0


def require_real(index: DataIndex) -> None:
    """Check that a data set holds no generated images, by their names.

    Raises:
        DataError: It does.
    """
    generated = index.generated()
    if generated:
        raise DataError(
            "a data set must hold real images only, or generated ones would be validated and tested on. Received: "
            f"{len(generated):,} generated images in {str(index.root)!r}, such as {generated[0]!r}; take them out and train "
            "with --balance gan:RUN"
        )


def require_trainable(index: DataIndex) -> None:
    """Check that a data set has what training and testing need.

    Raises:
        DataError: `train` or `test` lacks a class, or there are generated images among the real ones.
    """
    require_real(index)
    counts = index.counts()
    for split in (Split.TRAIN, Split.TEST):
        for label in Label:
            if counts[split, label] == 0:
                received = {other.name: counts[split, other] for other in Label}
                raise DataError(
                    f"training needs images of both classes in train and in test. Received: {split.value}={received} in "
                    f"{str(index.root)!r}; add images to {split.value}/{label.name}"
                )


# --- Scanning ---------------------------------------------------------------------------------------------------------


@contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the folder of a data set must be readable. Received: folder={str(folder)!r}: {error.strerror or error}; "
            "check its path and permissions"
        ) from error


def _candidates(root: Path) -> tuple[list[tuple[str, Split, Label]], dict[str, int]]:
    """Image files by the layout, sorted, and counts of what lies beside them."""
    files: list[tuple[str, Split, Label]] = []
    ignored: dict[str, int] = {}

    def ignore(reason: str, count: int = 1) -> None:
        if count:
            ignored[reason] = ignored.get(reason, 0) + count

    # Kaggle's archive holds the whole data set a second time, and what macOS adds to archives.
    ignore("nested second copy chest_xray/", _count_files(root / "chest_xray"))
    ignore("__MACOSX/", _count_files(root / "__MACOSX"))
    for split in Split:
        for label in Label:
            folder = root / split.value / label.name
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                if path.name == ".DS_Store" or path.name.startswith("._"):
                    ignore("macOS files")
                elif path.is_dir() or path.suffix.lower() not in IMAGE_SUFFIXES:
                    ignore("not named as PNG or JPEG", 1 if path.is_file() else _count_files(path))
                else:
                    files.append((f"{split.value}/{label.name}/{path.name}", split, label))
    if not files:
        raise DataError(
            "a data set needs PNG or JPEG files in train, val and test, each with NORMAL and PNEUMONIA. "
            f"Received: folder={str(root)!r}, which holds none"
        )
    return files, ignored


def _count_files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*")) if folder.is_dir() else 0


def _file_key(path: Path) -> list[int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None  # Unreadable is found out, and said, by `_inspect`.
    return [facts.st_size, facts.st_mtime_ns]


def _inspect(root: Path, image_id: str, split: Split, label: Label) -> dict[str, Any]:
    """The `ImageRecord` of a file, or its `UnreadableFile`, as plain data."""
    try:
        image_id.encode()
        if (root / image_id).exists() and not (root / image_id).is_file():
            raise OSError("it is no regular file")  # Reading a pipe would wait for ever.
        data = (root / image_id).read_bytes()
        facts = read_facts(data, image_id)
        decode_gray(data, image_id, size=_THUMBNAIL)
    except ImageError as error:
        return {"unreadable": asdict(UnreadableFile(image_id, error.reason, str(error)))}
    except UnicodeEncodeError:
        shown = image_id.encode(errors="backslashreplace").decode()
        message = f"an image's name must be Unicode. Received: {shown!r}; rename the file"
        return {"unreadable": asdict(UnreadableFile(shown, "not Unicode", message))}
    except OSError as error:
        message = f"an image must be readable. Received: {image_id!r}: {error.strerror or error}"
        return {"unreadable": asdict(UnreadableFile(image_id, _NOT_READABLE, message))}
    patient_id, pooled_id, subtype = parse_name(image_id, label)
    record = ImageRecord(
        image_id=image_id,
        split=split,
        label=label,
        subtype=subtype,
        patient_id=patient_id,
        pooled_id=pooled_id,
        width=facts.width,
        height=facts.height,
        mode=facts.mode,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return {"record": asdict(record)}


def _scan_path(root: Path) -> Path:
    return datasets_root() / "scans" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"


def _read_scan(path: Path) -> dict[str, dict[str, Any]]:
    try:
        scan = read_json(path)
        if scan["schema"] != _SCAN_SCHEMA or scan["sha256"] != _digest(scan["files"]):
            return {}
        return dict(scan["files"])
    except (StoreError, ValueError, KeyError, TypeError):
        return {}  # It is a cache: without it the files are read again.


def _digest(scan: dict[str, dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(scan, sort_keys=True).encode()).hexdigest()


def _assemble(root: Path, scan: dict[str, dict[str, Any]], ignored: dict[str, int]) -> DataIndex:
    records = [entry["record"] for entry in scan.values() if "record" in entry]
    unreadable = tuple(UnreadableFile(**entry["unreadable"]) for entry in scan.values() if "unreadable" in entry)
    table = pd.DataFrame(records, columns=list(_COLUMNS)).sort_values("image_id", ignore_index=True)
    if table.empty:
        raise DataError(
            f"a data set needs at least one readable image. Received: folder={str(root)!r} with {len(unreadable)} unreadable "
            f"files, the first: {unreadable[0].message}"
        )
    table["label"] = table["label"].astype("int8")
    for column in ("width", "height", "size_bytes"):
        table[column] = table[column].astype("int64")
    return DataIndex(content_id(table["image_id"], table["sha256"]), root, table, unreadable, ignored)


def _store(index: DataIndex) -> None:
    folder = datasets_root() / index.data_id
    data = index.table.to_parquet(index=False)
    facts = {
        "data_id": index.data_id,
        "table_sha256": hashlib.sha256(data).hexdigest(),
        "root": str(index.root),
        "unreadable": [asdict(file) for file in index.unreadable],
        "ignored": index.ignored,
    }
    try:
        stored = load_index(index.data_id)
        same_facts = (stored.root, stored.unreadable, stored.ignored) == (index.root, index.unreadable, index.ignored)
        unchanged = same_facts and stored.table.equals(index.table)
    except DataError:
        unchanged = False
    if not unchanged:
        write_atomic(folder / "index.parquet", data)
        write_json(folder / "index.json", facts)
