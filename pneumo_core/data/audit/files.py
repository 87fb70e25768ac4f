"""Files that are not in the data set, and names that contradict their folders."""

from collections.abc import Iterator
from typing import Final

from pneumo_core.data.audit.check import Check, Evidence, Severity, counted, found, passed
from pneumo_core.data.index import DataIndex
from pneumo_core.data.patients import class_in_name, parse_name
from pneumo_core.records import Label, Subtype

_BY_SYSTEM: Final = "made by the system"
"""Reason of hidden files and those that macOS adds to archives, of which nothing need be said."""

_CAUSES: Final = (Subtype.BACTERIA, Subtype.VIRUS)

_MOST_PLACES: Final = 3
"""Places of files that a sentence names."""


def files(index: DataIndex) -> Iterator[Check]:
    """Images that were left out, unreadable files, and classes in file names that the folders contradict."""
    yield _left_out(index)
    yield _unreadable(index)
    yield _named_otherwise(index)
    yield _cause_differs(index)


def _left_out(index: DataIndex) -> Check:
    rows = [row for row in index.left_out if row.reason != _BY_SYSTEM]
    if not rows:
        return passed("left-out", "Every image below the folder is part of the data set.", Evidence.FILES)
    wanted = [row for row in rows if row.advice]
    shown = wanted or rows
    n = sum(row.files for row in shown)
    places = "; ".join(f"{row.files:,} ({row.place}: {row.reason})" for row in shown[:_MOST_PLACES])
    more = f"; and {counted(len(shown) - _MOST_PLACES, 'more place')}" if len(shown) > _MOST_PLACES else ""
    return found(
        "left-out",
        Severity.CAUTION if wanted else Severity.NOTE,
        n,
        f"{counted(n, 'file is', 'files are')} no part of the data set: {places}{more}.",
        Evidence.FILES,
        consequence="The list of files says how to include them." if wanted else "",
        examples=[row.place for row in shown],
    )


def _unreadable(index: DataIndex) -> Check:
    n = len(index.unreadable)
    if not n:
        return passed("unreadable", "Every image file of the data set can be read.", Evidence.FILES)
    return found(
        "unreadable",
        Severity.CAUTION if n > len(index.table) / 100 else Severity.NOTE,
        n,
        f"{counted(n, 'file')} cannot be read and {'is' if n == 1 else 'are'} left out; the reasons are listed.",
        Evidence.FILES,
        examples=[file.image_id for file in index.unreadable],
    )


def _cause_differs(index: DataIndex) -> Check:
    """Causes of pneumonia that folders and names give differently; the folders' count."""
    named = [parse_name(image_id, Label.PNEUMONIA)[2] for image_id in index.table["image_id"]]
    wrong = [
        image_id
        for image_id, cause, name in zip(index.table["image_id"], index.table["subtype"], named, strict=True)
        if cause in _CAUSES and name in _CAUSES and cause != name
    ]
    if not wrong:
        return passed(
            "cause-differs", "No file's name says another cause of the pneumonia than its folder.", Evidence.FILES
        )
    return found(
        "cause-differs",
        Severity.CAUTION,
        len(wrong),
        f"{counted(len(wrong), 'file is', 'files are')} named after another cause, bacteria or virus, than the folder.",
        Evidence.FILES,
        consequence="The folder counts: figures by subtype are wrong if the names are right.",
        examples=wrong,
    )


def _named_otherwise(index: DataIndex) -> Check:
    wrong = [
        image_id
        for image_id, label in zip(index.table["image_id"], index.table["label"], strict=True)
        if (named := class_in_name(image_id)) is not None and named != Label(label)
    ]
    if not wrong:
        return passed("name-differs", "No file's name says another class than its folder.", Evidence.FILES)
    return found(
        "name-differs",
        Severity.MISLEADING,
        len(wrong),
        f"{counted(len(wrong), 'file is', 'files are')} named after the other class than that of the folder.",
        Evidence.FILES,
        consequence="One of the two is wrong: look at the images and move them.",
        examples=wrong,
    )
