"""Labels from a CSV file: the general way in for images that lie in no folders of splits and classes."""

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path, PurePosixPath
from typing import Final

from pneumo_core.data.formats import is_image_name
from pneumo_core.data.layout import LeftOut, Place, class_of, counted, folder_errors, split_of, walk
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Subtype

REQUIRED: Final = ("path", "label", "split")
"""Columns that the file must have; `patient` and others may follow."""

_CODES: Final[dict[str, tuple[Label, Subtype | None]]] = {
    text: (label, None) for label in Label for text in (str(label.value), f"{label.value}.0")
}
_MOST_WORDS: Final = 20
"""Words that are no label or split which are counted one by one."""
_MAX_BYTES: Final = 256 * 2**20


def is_listing(path: Path) -> bool:
    """Whether a path names a CSV file of labels."""
    return path.suffix.lower() == ".csv" and path.is_file()


def read_listing(path: Path) -> tuple[list[Place], tuple[LeftOut, ...]]:
    """The images that a CSV file lists, sorted by their path, and what it leaves out.

    Its first line names the columns, in any order and case: `path` below the file's own folder, `label` (NORMAL or PNEUMONIA,
    BACTERIA or VIRUS, 0 or 1), `split` (train, val or test) and, if known, `patient`. Commas, semicolons or tabs separate them.

    Raises:
        DataError: It cannot be read, a column is missing, a path leads out of its folder, an image is listed twice with
            different labels, or no row can be used.
    """
    rows = _rows(path)
    places: dict[str, tuple[int, Place]] = {}
    left_out: Counter[tuple[str, str, str]] = Counter()
    listed = set()
    for line, row in rows:
        image_id = _image_id(path, line, row["path"])
        listed.add(image_id)
        split, found = split_of(row["split"]), class_of(row["label"]) or _CODES.get(row["label"].strip())
        if split is None or found is None:
            what, words = ("split", "train, val or test") if split is None else ("label", "NORMAL or PNEUMONIA")
            found_word = row[what].strip()
            place_of = f"{what} {found_word!r}" if found_word else f"no {what}"
            reason = f"not {words}"
            if (place_of, reason) not in {key[:2] for key in left_out} and len(left_out) >= _MOST_WORDS:
                place_of = "other words"
            left_out[place_of, reason, f"write {words} in {path.name}"] += 1
            continue
        place = Place(image_id, split, *found, patient=row.get("patient", "").strip() or None)
        first, known = places.setdefault(image_id, (line, place))
        if known != place:
            raise DataError(
                f"an image must be listed once. Received: {image_id!r} in lines {first} and {line} of {path.name!r} with "
                "different values; remove one"
            )
    if not places:
        raise DataError(
            f"a CSV file of labels must list an image with a label and a split. Received: {str(path)!r} with {len(rows)} rows"
            + "".join(f", {row.files:,} of them with {row.place}; {row.advice}" for row in counted(left_out)[:1])
        )
    if unlisted := _unlisted(path.parent, listed, left_out):
        left_out["images beside the CSV file", "not listed in it", ""] = unlisted
    return sorted((place for _, place in places.values()), key=lambda place: place.image_id), counted(left_out)


def _rows(path: Path) -> list[tuple[int, Mapping[str, str]]]:
    """Rows with the numbers of their lines, by the columns' names in lower case."""
    with folder_errors(path):
        if path.stat().st_size > _MAX_BYTES:
            raise DataError(f"a CSV file of labels must have at most {_MAX_BYTES} bytes. Received: {str(path)!r}")
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(
                f"a CSV file of labels must be text in UTF-8. Received: {str(path)!r}; save it as UTF-8"
            ) from error
    head = text.partition("\n")[0]
    if head.casefold().startswith("sep="):  # Excel's own line.
        text = text.partition("\n")[2]
        head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restval="", strict=True)
    try:
        names = [name.strip().casefold() for name in reader.fieldnames or ()]
        if repeated := sorted({name for name in names if name and names.count(name) > 1}):
            raise DataError(
                f"a column of a CSV file of labels must be there once. Received: {str(path)!r} with {repeated} several times; "
                "remove one"
            )
        if missing := [name for name in REQUIRED if name not in names]:
            raise DataError(
                f"a CSV file of labels must have the columns {', '.join(REQUIRED)} and may have patient. Received: "
                f"{str(path)!r} with {names}, without {missing}; name the columns in its first line"
            )
        reader.fieldnames = names
        rows: list[tuple[int, Mapping[str, str]]] = []
        for row in reader:
            if any("\n" in value for value in row.values() if isinstance(value, str)):
                raise DataError(
                    f"a row of a CSV file of labels must be one line. Received: {str(path)!r}, a quoted field that ends in "
                    f"line {reader.line_num}; remove the quote that has no other"
                )
            if any(row.values()):
                rows.append((reader.line_num, row))
        return rows
    except csv.Error as error:
        raise DataError(
            f"a CSV file of labels must be readable. Received: {str(path)!r}, line {reader.line_num}: {error}; a quote may "
            "lack its other"
        ) from error


def _image_id(path: Path, line: int, named: str) -> str:
    """The path of a row below the file's folder.

    Raises:
        DataError: It leads out of it.
    """
    text = named.strip().replace("\\", "/")
    parts = PurePosixPath(os.path.relpath(text, path.parent.as_posix()) if text.startswith("/") else text).parts
    if not text or "\0" in text:
        raise DataError(
            f"each row of a CSV file of labels must have a path. Received: {named!r} in line {line} of {path.name!r}; write "
            "the image's path below the file's folder"
        )
    if not parts or ".." in parts or ":" in parts[0]:
        raise DataError(
            f"the paths of a CSV file of labels must lie below its folder. Received: {named!r} in line {line} of "
            f"{path.name!r}; move the file to the images, or the images to it"
        )
    return "/".join(parts)


def _unlisted(folder: Path, listed: Set[str], left_out: "Counter[tuple[str, str, str]]") -> int:
    """Images below a folder that a file does not list; folders that may not be read are counted in `left_out`."""
    with folder_errors(folder):
        found = ((parent / name) for parent, names in walk(folder, left_out) for name in names)
        return sum(path.as_posix() not in listed for path in found if is_image_name(path))
