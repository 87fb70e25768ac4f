"""What a DICOM file's tags say about its picture: modality, view, age and body part, and what they warn of.

What is shown is one of our own words: a value that is none of the standard's is left out, as people write anything into any
tag.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, slots=True)
class Note:
    """What a file's tags warn of.

    Attributes:
        code: Short code.
        reason: In words, without a full stop.
        advice: What to do about it, in the imperative.
    """

    code: str
    reason: str
    advice: str


TAGS: Final = ("Modality", "ViewPosition", "PatientAge", "BodyPartExamined")
"""The tags that are read: none of them names a person, a date or a place."""

_ADULT_YEARS: Final = 18
_OLDEST_YEARS: Final = 89
"""Higher ages may identify a person (45 CFR 164.514(b)(2)(i)(C)), so they are shown as one."""

# Defined terms of Modality (PS3.3, section C.7.3.1.1.1).
_MODALITIES: Final = {
    "CR": "computed radiography",
    "DX": "digital radiography",
    "CT": "computed tomography",
    "IO": "intra-oral radiography",
    "MG": "mammography",
    "MR": "magnetic resonance",
    "NM": "nuclear medicine",
    "OT": "another modality",
    "PT": "positron emission tomography",
    "PX": "panoramic radiography",
    "RF": "fluoroscopy",
    "RG": "a film",
    "SC": "a secondary capture",
    "US": "ultrasound",
    "XA": "angiography",
    "XC": "a photograph",
}
_RADIOGRAPHS: Final = frozenset({"CR", "DX"})

# Defined terms of View Position (PS3.3, section C.8.7.1.1.3), and two that are common beside them.
_VIEWS: Final = {"AP": "AP", "PA": "PA", **dict.fromkeys(("LL", "RL", "LAT", "LATERAL"), "lateral")}

# Of the defined terms of Body Part Examined (PS3.16, annex L), those that radiographs are taken of.
_CHEST: Final = frozenset({"CHEST", "THORAX", "LUNG"})
_BODY_PARTS: Final = frozenset(
    {
        *_CHEST,
        *(
            "ABDOMEN",
            "ANKLE",
            "ARM",
            "BREAST",
            "CALCANEUS",
            "CLAVICLE",
            "COCCYX",
            "CSPINE",
            "ELBOW",
            "EXTREMITY",
            "FEMUR",
        ),
        *(
            "FINGER",
            "FOOT",
            "FOREARM",
            "HAND",
            "HEAD",
            "HEART",
            "HIP",
            "HUMERUS",
            "JAW",
            "KNEE",
            "LEG",
            "LSPINE",
            "NECK",
        ),
        *(
            "PELVIS",
            "RIB",
            "SACRUM",
            "SCAPULA",
            "SHOULDER",
            "SKULL",
            "SPINE",
            "SSPINE",
            "STERNUM",
            "THUMB",
            "TOE",
            "TSPINE",
        ),
        *("WRIST", "WHOLEBODY"),
    }
)


def about(dataset: "Dataset") -> tuple[tuple[tuple[str, str], ...], tuple[Note, ...]]:
    """Facts for people, and what they warn of, in the standard's terms or not at all."""
    facts, notes = [], []
    modality = term(dataset, "Modality")
    if modality in _MODALITIES:
        facts.append(("Modality", f"{_MODALITIES[modality]} ({modality})"))
        if modality not in _RADIOGRAPHS:
            what = f"by its tags, this comes from {_MODALITIES[modality]} ({modality})"
            notes.append(Note("modality", what, "choose a chest X-ray taken as CR or DX"))
    view = _VIEWS.get(term(dataset, "ViewPosition"))
    if view:
        facts.append(("View", view))
        if view == "lateral":
            notes.append(Note("lateral", "by its tags, this is a lateral view", "choose the frontal view"))
    age = re.fullmatch(r"(\d{3})([DWMY])", term(dataset, "PatientAge"))
    if age:
        count, unit = int(age[1]), {"D": "day", "W": "week", "M": "month", "Y": "year"}[age[2]]
        old = unit == "year" and count > _OLDEST_YEARS
        words = f"{_OLDEST_YEARS + 1} years or more" if old else f"{count} {unit}{'' if count == 1 else 's'}"
        facts.append(("Age", words))
        if count >= {"D": 365, "W": 52, "M": 12, "Y": 1}[age[2]] * _ADULT_YEARS:
            what = f"by its tags, the patient is an adult ({words})"
            notes.append(Note("adult", what, "choose a child's X-ray, as the models were trained on"))
    part = term(dataset, "BodyPartExamined")
    if part in _BODY_PARTS:
        facts.append(("Body part", part.lower()))
        if part not in _CHEST:
            what = f"by its tags, this shows another body part ({part.lower()})"
            notes.append(Note("body_part", what, "choose a frontal chest X-ray"))
    return tuple(facts), tuple(notes)


def term(dataset: "Dataset", keyword: str) -> str:
    """A tag's one word, in upper case, "" if there is none."""
    value = dataset.get(keyword)
    return value.strip().upper() if isinstance(value, str) else ""
