"""Patient, in both readings of the numbers, and subtype from a file's name; patients that test shares with train."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

import pandas as pd

from pneumo_core.records import Label, NotApplicable, SharedPatients, Split, Subtype

# Kaggle (Mendeley versions 1 and 2): person23_bacteria_78.jpeg, person447_virus_921_1.jpeg, IM-0115-0001.jpeg,
# IM-0011-0001-0002.jpeg, NORMAL2-IM-1427-0001.jpeg, NORMAL2-person12_virus_3.jpeg.
_PERSON: Final = re.compile(
    r"(?P<series>NORMAL2-)?person(?P<number>\d+)_(?P<cause>bacteria|virus)_\d+(?:_\d+)*", re.IGNORECASE
)
_IM: Final = re.compile(r"(?P<series>NORMAL2-)?IM-(?P<number>\d+)(?:-\d+)+", re.IGNORECASE)
# Mendeley version 3 and the phantoms, which follow it: BACTERIA-1008087-0001.jpeg, PHANTOM-VIRUS-0031-0002.jpeg.
_MENDELEY: Final = re.compile(
    r"(?P<series>PHANTOM-)?(?P<cause>NORMAL|BACTERIA|VIRUS)-(?P<number>\d+)(?:-\d+)+", re.IGNORECASE
)


# What Windows and browsers add to the name of a second copy: "a (1).jpeg", "a - Copy.jpeg", "a - Copy (2).jpeg".
_COPY: Final = re.compile(r"(?: - Copy)?(?: ?\(\d+\))?", re.IGNORECASE)

UNKNOWN: Final = "file:"
"""Beginning of the patient key of an image whose name says nothing of its patient."""


def parse_name(image_id: str, label: Label) -> tuple[str, str, Subtype]:
    """Patient keys and subtype from a file's name.

    The prefixes (bacteria, virus, IM, NORMAL2-IM) almost certainly have separate numbers, so `patient_id` keeps the prefix;
    `pooled_id` drops it, which is the pessimistic reading. A name of no known scheme counts as a patient of its own under
    both keys.

    Args:
        image_id: Path of the image below the data set's root.
        label: Class of its folder.

    Returns:
        `(patient_id, pooled_id, subtype)`.
    """
    stem = PurePosixPath(image_id).stem
    match = next((match for scheme in (_PERSON, _IM, _MENDELEY) if (match := scheme.match(stem))), None)
    if match is None or not _COPY.fullmatch(stem, match.end()):
        return f"{UNKNOWN}{image_id}", f"{UNKNOWN}{image_id}", _subtype(label, "")
    cause = match.groupdict().get("cause", "im").lower()
    number = str(int(match["number"]))
    return f"{(match['series'] or '').lower()}{cause}-{number}", number, _subtype(label, cause)


def has_official_name(image_id: str) -> bool:
    """Whether a file is named as Kaggle's or Mendeley's copy names its files."""
    stem = PurePosixPath(image_id).stem
    return any(scheme.match(stem) for scheme in (_PERSON, _IM, _MENDELEY))


def class_in_name(image_id: str) -> Label | None:
    """The class that a file's name says in a known scheme, or None; of IM-0001-0001, as scanners write too, none."""
    stem = PurePosixPath(image_id).stem
    if (match := _IM.match(stem)) and match["series"]:
        return Label.NORMAL
    match = _PERSON.match(stem) or _MENDELEY.match(stem)
    if match is None or (match["series"] or "").upper() == "NORMAL2-":  # As in NORMAL2-person12_virus_3: it says both.
        return None
    return Label.NORMAL if match["cause"].upper() == "NORMAL" else Label.PNEUMONIA


def same_bytes_same_patient(table: pd.DataFrame) -> pd.DataFrame:
    """An index's table in which byte-identical files have one patient, whatever their names.

    The patient of a group of files, and of all files of the patients that it links, is the first by name; one that a name or a
    CSV file gives comes before a file of its own.

    Args:
        table: Rows with `sha256`, `patient_id` and `pooled_id`.
    """
    repeated = table[table["sha256"].duplicated(keep=False)]
    joined = {column: _one_patient(repeated["sha256"], repeated[column]) for column in ("patient_id", "pooled_id")}
    # `Series.replace` takes a second for a thousand names.
    return table.assign(
        **{column: table[column].map(names).fillna(table[column]) for column, names in joined.items() if names}
    )


def _one_patient(hashes: "pd.Series[str]", patients: "pd.Series[str]") -> dict[str, str]:
    """The name that each patient takes who shares bytes with another."""
    return linked(patients.groupby(hashes).agg(list))


def linked(groups: Iterable[Iterable[str]]) -> dict[str, str]:
    """The name that each of several names takes where groups of them are one, also by way of others.

    It is the first by name, one of `UNKNOWN` last; names that keep theirs are not in the result.
    """
    first: dict[str, str] = {}

    def found(name: str) -> str:
        while (above := first.get(name, name)) != name:
            name = above
        return name

    for group in groups:
        names = {found(name) for name in group}
        kept = min(names, key=lambda name: (name.startswith(UNKNOWN), name))
        first |= dict.fromkeys(names - {kept}, kept)
    return {name: found(name) for name in first}


def _subtype(label: Label, cause: str) -> Subtype:
    if label is Label.NORMAL:
        return Subtype.NONE
    return Subtype(cause) if cause in {Subtype.BACTERIA, Subtype.VIRUS} else Subtype.UNKNOWN


def shared_patients(table: pd.DataFrame) -> SharedPatients:
    """How many patients of test are in train too: the one rule of pages and documents.

    The validation folder does not count: its images are never trained on beside a patient's own (`splits.assign`).

    Args:
        table: An index's table, or rows with `split`, `patient_id` and `pooled_id`.
    """

    def count(column: str) -> tuple[int, int]:
        train, test = (set(table.loc[table["split"] == split.value, column]) for split in (Split.TRAIN, Split.TEST))
        return len(train & test), len(test)

    return SharedPatients(*count("patient_id"), *count("pooled_id"))


def shared_by_prefix(found: SharedPatients) -> str:
    """Patients of test that are in train, as one sentence: by their numbers with the prefix, which the study goes by."""
    if not found.patients:
        return f"None of the {found.of_patients:,} patients of test is in train (numbers with their prefix)."
    return (
        f"{found.patients:,} of {found.of_patients:,} patients of test {_be(found.patients)} also in train (numbers with their "
        "prefix)."
    )


def shared_without_prefix(found: SharedPatients) -> str:
    """The same with the prefix dropped, the pessimistic reading."""
    if not found.pooled:
        return f"With the prefix dropped, none of the {found.of_pooled:,} patient numbers of test is in train either."
    return (
        f"With the prefix dropped, {found.pooled:,} of {found.of_pooled:,} patient numbers of test {_be(found.pooled)} in "
        "train: the "
        "pessimistic reading, since the prefixes almost certainly have separate numbers."
    )


def _be(count: int) -> str:
    return "is" if count == 1 else "are"


def shared_words(found: SharedPatients | NotApplicable) -> str:
    """Both readings, or why they are not known."""
    if isinstance(found, NotApplicable):
        return f"Whether patients of test are in train too is not known: {found.reason}."
    return f"{shared_by_prefix(found)} {shared_without_prefix(found)}"
