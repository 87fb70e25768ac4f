"""Layout of a data set: the split and the class of every image below its folder, by the folders' names, or why it has none.

Nothing disappears: an image below the root is placed, or counted as left out with the reason and what to do.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from zipfile import BadZipFile, ZipFile

from pneumo_core.data.formats import FORMATS, UNREAD_SUFFIXES, is_hidden, is_image_file, is_image_name, is_zip
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Split, Subtype

_SPLITS: Final = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "val": Split.VAL,
    "valid": Split.VAL,
    "validation": Split.VAL,
    "test": Split.TEST,
    "testing": Split.TEST,
}
_CLASSES: Final[dict[str, tuple[Label, Subtype | None]]] = {
    "normal": (Label.NORMAL, None),
    "pneumonia": (Label.PNEUMONIA, None),
    **dict.fromkeys(
        ("bacteria", "bacterial", "bacterial pneumonia", "pneumonia bacteria"), (Label.PNEUMONIA, Subtype.BACTERIA)
    ),
    **dict.fromkeys(("virus", "viral", "viral pneumonia", "pneumonia virus"), (Label.PNEUMONIA, Subtype.VIRUS)),
}
_NO_MEANING: Final = frozenset({"image", "images", "img", "imgs"})
"""Folders between a class and its images that say nothing of them."""

_MAX_DEPTH: Final = 2
"""Folders between the named one and the root: archives are unpacked into a folder of their name, or two."""

SPLIT_WORDS: Final = "train, val and test"
WANTED: Final = f"a folder with {SPLIT_WORDS}, each with NORMAL and PNEUMONIA, or a CSV file of labels"
"""What a data set is, for a sentence."""

_CSV: Final = "list them in a CSV file of labels"


@dataclass(frozen=True, slots=True)
class Place:
    """An image file and what its place says of it.

    Attributes:
        image_id: Path below the root with forward slashes.
        split: Split.
        label: Class.
        subtype: Cause of the pneumonia if a folder names it, or None.
        patient: Patient if a CSV file names one, or None.
    """

    image_id: str
    split: Split
    label: Label
    subtype: Subtype | None = None
    patient: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files that are not part of the data set.

    Attributes:
        place: Folder below the root, or a kind of files.
        files: Number of files.
        reason: Why they are left out, without a full stop.
        advice: What to do if they belong to the data set, in the imperative; "" if they are left out on purpose.
    """

    place: str
    files: int
    reason: str
    advice: str = ""


def split_of(name: str) -> Split | None:
    """The split that a folder's name or a word of a CSV file means, whatever its case."""
    return _SPLITS.get(_word(name))


def class_of(name: str) -> tuple[Label, Subtype | None] | None:
    """The class that a folder's name or a word of a CSV file means, with the cause if it names one."""
    return _CLASSES.get(_word(name))


def find_root(folder: Path) -> Path:
    """The folder that holds the splits: `folder` itself, or the only one in it, as archives are unpacked.

    Raises:
        DataError: There is none, there are several, or they may not be read.
    """
    with folder_errors(folder):
        level = [folder]
        _folders(folder)  # It must be readable itself.
        for _ in range(_MAX_DEPTH + 1):
            found = [candidate for candidate in level if _has_splits(candidate)]
            if len(found) > 1:
                names = [path.relative_to(folder).as_posix() for path in found[:5]]
                raise DataError(
                    f"a data set is {WANTED}. Received: folder={str(folder)!r} with {len(found)} of them: {names}; name one"
                )
            if found:
                return found[0].resolve()
            level = [
                child for parent in level for child in _readable_folders(parent) if not is_hidden(Path(child.name))
            ]
        raise DataError(f"a data set is {WANTED}. Received: folder={str(folder)!r}{_what_is(folder)}")


def read_layout(root: Path) -> tuple[list[Place], tuple[LeftOut, ...]]:
    """Every image below a `find_root` with its place, sorted by its path, and what is left out.

    Raises:
        DataError: No image has a place, or a folder of a split or class may not be read.
    """
    places: list[Place] = []
    left_out: Counter[tuple[str, str, str]] = Counter()
    with folder_errors(root):
        for folder, names in walk(root, left_out):
            found = _placed(root, folder.parts)
            for name in names:
                path = folder / name
                if is_hidden(path):
                    what = "__MACOSX/" if "__MACOSX" in path.parts else "hidden files"
                    left_out[what, "made by the system", ""] += 1
                elif path.suffix.lower() in UNREAD_SUFFIXES:
                    left_out[
                        f"{folder}/", f"{path.suffix.lower()[1:].upper()}, which is not read", "save them as PNG"
                    ] += 1
                elif isinstance(found, LeftOut):
                    # Only images matter where none are expected, but an unwanted copy is counted as a whole.
                    is_copy = is_copy_of_above(root, path)
                    if is_copy or is_image_file(root / path, root):
                        row = _copy(path) if is_copy else found
                        left_out[row.place, row.reason, row.advice] += 1
                elif is_image_file(root / path, root):
                    places.append(Place(path.as_posix(), *found))
                elif path.suffix.lower() != ".zip":
                    left_out[f"{folder}/", "not named as images", ""] += 1
                if path.suffix.lower() == ".zip" and not is_hidden(path):
                    left_out[path.as_posix(), "an archive", "unpack it, if its images belong to the data set"] += 1
    if not places:
        raise DataError(
            f"a data set needs {FORMATS} files in {SPLIT_WORDS}, each with NORMAL and PNEUMONIA. "
            f"Received: folder={str(root)!r}, which holds none{_named(left_out)}"
        )
    return sorted(places, key=lambda place: place.image_id), counted(left_out)


def counted(left_out: "Counter[tuple[str, str, str]]") -> tuple[LeftOut, ...]:
    """Counts by place, reason and advice as values: first what may belong to the data set, the most files first."""
    rows = (LeftOut(place, files, reason, advice) for (place, reason, advice), files in left_out.items() if files)
    return tuple(sorted(rows, key=lambda row: (not row.advice, -row.files, row.place)))


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Errors of the system while a data set is read, as `DataError`."""
    try:
        yield
    except OSError as error:
        raise DataError(
            "the folder of a data set must be readable. Received: "
            f"folder={str(error.filename or folder)!r}: {error.strerror or error}; check its path and permissions"
        ) from error


def _word(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip().casefold())


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []


def _readable_folders(folder: Path) -> list[Path]:
    """The same, none where it may not be read: a folder beside the data set is no part of it."""
    try:
        return _folders(folder)
    except OSError:
        return []


def _has_splits(folder: Path) -> bool:
    """Whether folders of splits lie in a folder, or in folders of classes in it."""
    children = _readable_folders(folder)
    inside = (grandchild for child in children if class_of(child.name) for grandchild in _readable_folders(child))
    return any(split_of(child.name) for child in (*children, *inside))


def walk(root: Path, left_out: "Counter[tuple[str, str, str]]") -> Iterator[tuple[PurePosixPath, list[str]]]:
    """Each folder below the root, by its path, and the names of what is in it but folders, sorted.

    A link to a folder elsewhere is followed, once, as classes often lie on another disk. One into the root is not: its images
    have a place already.
    """
    here, elsewhere, waiting = root.resolve(), set[Path](), [PurePosixPath()]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError:
            if all(split_of(part) or class_of(part) for part in folder.parts):
                raise
            left_out[f"{folder}/", "a folder that may not be read", "check its permissions"] += 1
            continue
        names = []
        for entry in entries:
            path = folder / entry.name
            if not entry.is_dir():
                is_lost = entry.is_symlink() and not entry.is_file() and (split_of(entry.name) or class_of(entry.name))
                if is_lost:
                    left_out[f"{path}/", "a link that leads nowhere", "mend the link"] += 1
                else:
                    names.append(entry.name)
                continue
            if entry.is_symlink():
                target = Path(entry.path).resolve()
                if target.is_relative_to(here) or here.is_relative_to(target) or target in elsewhere:
                    advice = "make it a folder of its own" if split_of(entry.name) or class_of(entry.name) else ""
                    left_out[f"{path}/", "a link to images that have a place already", advice] += 1
                    continue
                elsewhere.add(target)
            waiting.append(path)
        yield folder, names


def is_copy_of_above(root: Path, path: PurePosixPath) -> bool:
    """Whether a file in a folder of another name is there again without that folder, as Kaggle's archive has the data set."""
    parts = path.parts
    unknown = len(parts) > 2 and not split_of(parts[0]) and not class_of(parts[0])
    return unknown and (root / PurePosixPath(*parts[1:])).exists()


def _copy(path: PurePosixPath) -> LeftOut:
    return LeftOut(f"nested second copy {path.parts[0]}/", 0, "there already, under the same names")


def _placed(root: Path, parts: tuple[str, ...]) -> tuple[Split, Label, Subtype | None] | LeftOut:
    """What the folders above a file say of it, or why it is left out."""
    folder = f"{'/'.join(parts)}/" if parts else "the data set's own folder"
    if parts and not split_of(parts[0]) and not class_of(parts[0]) and _has_splits(root / parts[0]):
        advice = f"name {parts[0]}, if that is the data set"
        return LeftOut(f"{parts[0]}/", 0, "another data set, which is not the same", advice)
    splits = {split for part in parts if (split := split_of(part))}
    classes = {found for part in parts if (found := class_of(part))}
    others = [part for part in parts if not (split_of(part) or class_of(part) or _word(part) in _NO_MEANING)]
    labels = {label for label, _ in classes}
    if others:
        advice = f"if its images are NORMAL or PNEUMONIA, rename the folder, or {_CSV}; other classes have no place"
        return LeftOut(folder, 0, f"{others[0]!r} is no split and no class", advice)
    if len(splits) != 1:
        advice = f"move them into {SPLIT_WORDS}, or {_CSV}"
        return LeftOut(folder, 0, "in several splits" if splits else "in no split", advice)
    if len(labels) != 1:
        advice = f"move them into NORMAL and PNEUMONIA, or {_CSV}"
        return LeftOut(folder, 0, "in both classes" if labels else "in no class", advice)
    causes = {cause for _, cause in classes if cause}
    return splits.pop(), labels.pop(), causes.pop() if len(causes) == 1 else None


def number_of(images: int) -> str:
    """A number of images, for a sentence."""
    return f"{images:,} image{'' if images == 1 else 's'}"


def _named(left_out: "Counter[tuple[str, str, str]]") -> str:
    """What is left out, for the end of an error."""
    rows = [row for row in counted(left_out) if row.advice]
    return "".join(f"; {number_of(row.files)} in {row.place!r}: {row.reason}; {row.advice}" for row in rows[:1])


def _images_in(archive: Path) -> str:
    try:
        with ZipFile(archive) as opened:
            count = sum(is_image_name(PurePosixPath(name)) for name in opened.namelist())
    except (BadZipFile, NotImplementedError, ValueError):  # Also of a newer format, or with names that are no text.
        return " that is damaged"
    return f" with {number_of(count)}"


def _what_is(folder: Path) -> str:
    """What is there instead of a data set, for the end of an error."""
    if folder.is_file():
        with folder.open("rb") as file:
            start = file.read(4)
        if is_zip(start):
            return f", a ZIP archive{_images_in(folder)}; unpack it and name the folder"
        return ", a file; name a folder, or a CSV file of labels"
    if not folder.is_dir():
        if folder.suffix.lower() == ".csv":
            return ", no such file; check its path"
        return ", no such folder; 'data phantom' or 'data download' creates one"
    if _has_splits(folder.parent) and (split_of(folder.name) or class_of(folder.name)):
        return f", a part of one; name the folder above it, {str(folder.parent)!r}"
    images = Counter(
        path.relative_to(folder).parts[0] if len(path.relative_to(folder).parts) > 1 else "the folder itself"
        for path in folder.rglob("*")
        if is_image_name(path.relative_to(folder))
    )
    if not images:
        found = sorted(path.name for path in folder.iterdir())[:5]
        archive = next((path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".zip"), None)
        if archive is not None:
            return f" with the ZIP archive {archive.name!r}{_images_in(archive)}; unpack it there"
        what = f"with {found} and no image" if found else "which is empty"
        return f", {what}; 'data phantom' or 'data download' creates a data set"
    where = ", ".join(f"{count:,} in {name!r}" for name, count in images.most_common(5))
    return f" with {number_of(images.total())} in no split: {where}; move them into {SPLIT_WORDS}, or {_CSV}"
