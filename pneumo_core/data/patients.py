"""Patient, in both readings of the numbers, and subtype from a file's name."""

import re
from pathlib import PurePosixPath
from typing import Final

from pneumo_core.records import Label, Subtype

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
    match = _PERSON.fullmatch(stem) or _IM.fullmatch(stem) or _MENDELEY.fullmatch(stem)
    if match is None:
        return f"file:{image_id}", f"file:{image_id}", _subtype(label, "")
    cause = match.groupdict().get("cause", "im").lower()
    number = str(int(match["number"]))
    return f"{(match['series'] or '').lower()}{cause}-{number}", number, _subtype(label, cause)


def _subtype(label: Label, cause: str) -> Subtype:
    if label is Label.NORMAL:
        return Subtype.NONE
    return Subtype(cause) if cause in {Subtype.BACTERIA, Subtype.VIRUS} else Subtype.UNKNOWN
