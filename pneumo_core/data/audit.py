"""What to know about a data set before believing a figure from it."""

from dataclasses import dataclass

from pneumo_core.data.index import DataIndex
from pneumo_core.records import Label, Split
from pneumo_core.reference import OFFICIAL_COUNTS


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know.

    Attributes:
        code: Short code that tests and tables can rely on.
        message: One sentence for people.
        severe: Whether figures from this data set mislead unless it is dealt with.
    """

    code: str
    message: str
    severe: bool = False


def audit(index: DataIndex) -> tuple[Finding, ...]:
    """Look for differences from the official data set, empty parts, duplicates and patients on both sides of a split."""
    return (
        *_phantoms(index),
        *_generated(index),
        *_counts(index),
        *_missing(index),
        *_unreadable(index),
        *_duplicates(index),
        *_shared_patients(index),
    )


def _phantoms(index: DataIndex) -> list[Finding]:
    if not index.is_phantom:
        return []
    return [
        Finding(
            "phantoms", "These are synthetic phantoms, drawn by this project: no figure from them is about patients."
        )
    ]


def _generated(index: DataIndex) -> list[Finding]:
    generated = index.generated()
    if not generated:
        return []
    message = f"{len(generated):,} images have been made by a DCGAN; nothing can be trained while they are among the real ones."
    return [Finding("generated", message, severe=True)]


def _counts(index: DataIndex) -> list[Finding]:
    if index.is_phantom:
        return []
    counts = index.counts()
    findings = []
    for split in Split:
        received = [counts[split, label] for label in Label]
        official = [OFFICIAL_COUNTS[split, label] for label in Label]
        if received != official:
            findings.append(
                Finding(
                    "counts-differ",
                    f"{split.value} differs from the official data set: NORMAL/PNEUMONIA {received[0]:,}/{received[1]:,}, "
                    f"official {official[0]:,}/{official[1]:,}.",
                )
            )
    return findings


def _missing(index: DataIndex) -> list[Finding]:
    counts = index.counts()
    return [
        Finding("empty", f"{split.value} has no {label.name} image.", severe=split is not Split.VAL)
        for split in Split
        for label in Label
        if counts[split, label] == 0
    ]


def _unreadable(index: DataIndex) -> list[Finding]:
    if not index.unreadable:
        return []
    return [
        Finding(
            "unreadable",
            f"{len(index.unreadable)} files cannot be read and are left out; each is listed with its reason.",
        )
    ]


def _duplicates(index: DataIndex) -> list[Finding]:
    groups = index.table.groupby("sha256").agg(
        size=("image_id", "size"), splits=("split", "nunique"), labels=("label", "nunique")
    )
    groups = groups[groups["size"] > 1]
    if groups.empty:
        return []
    findings = [
        Finding(
            "duplicates", f"{int(groups['size'].sum())} files are byte-identical to another, in {len(groups)} groups."
        )
    ]
    if spans := int((groups["splits"] > 1).sum()):
        findings.append(Finding("duplicates-span-splits", f"{spans} of these groups span splits.", severe=True))
    if spans := int((groups["labels"] > 1).sum()):
        findings.append(Finding("duplicates-span-labels", f"{spans} of these groups carry both labels.", severe=True))
    return findings


def _shared_patients(index: DataIndex) -> list[Finding]:
    findings = []
    for column, words in (("patient_id", "with its prefix"), ("pooled_id", "with the prefix dropped")):
        patients = {split: set(index.table.loc[index.table["split"] == split.value, column]) for split in Split}
        shared = len(patients[Split.TRAIN] & patients[Split.TEST])
        if shared and column == "patient_id":
            findings.append(
                Finding("patients-span-splits", f"{shared} patients ({words}) are in train and in test.", severe=True)
            )
        elif shared:
            findings.append(
                Finding(
                    "pooled-patients-span-splits",
                    f"{shared} patient numbers ({words}) are in train and in test; the prefixes are almost certainly numbered "
                    "apart, so this is the pessimistic reading.",
                )
            )
    return findings
