"""What the splits share: patients and byte-identical files; and how many patients are unknown."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import pandas as pd

from pneumo_core.data.audit.check import Check, Evidence, Severity, counted, found, not_applicable, passed
from pneumo_core.data.index import DataIndex
from pneumo_core.data.patients import UNKNOWN
from pneumo_core.records import FOLDERS, Split

DEDUPLICATE = "A deduplicated split leaves copies out, and changes no file."
"""What to do about copies; pages and commands make such splits (`data.resplit`)."""


def optimistic(pairs: Iterable[tuple[Split, Split]]) -> str:
    """Which figures are optimistic where these pairs of splits share something, as a sentence."""
    shared = {tuple(sorted(pair, key=FOLDERS.index)) for pair in pairs}
    figures = ["test"] if any(Split.TEST in pair for pair in shared) else []
    figures += ["validation"] if (Split.TRAIN, Split.VAL) in shared else []
    words = [f"{' and '.join(figures)} figures are optimistic"]
    if shared == {(Split.VAL, Split.TEST)}:
        return f"What was chosen on validation was chosen on test images: {words[0]}."
    return f"A model is asked about what it was trained on: {words[0]}."


def leaks(index: DataIndex) -> Iterator[Check]:
    """Patients in several splits by both readings, patients that are unknown, and byte-identical files."""
    yield _patients(index.table)
    yield _pooled(index)
    yield _unknown(index.table)
    yield from _duplicates(index.table)


def _shared(table: pd.DataFrame, column: str) -> dict[tuple[Split, Split], set[str]]:
    """What each pair of splits has in common, where it has something."""
    sets = {split: set(table.loc[table["split"] == split.value, column]) for split in FOLDERS}
    pairs = {(one, other): sets[one] & sets[other] for one, other in combinations(FOLDERS, 2)}
    return {pair: shared for pair, shared in pairs.items() if shared}


def _pairs(shared: Mapping[tuple[Split, Split], set[str]], what: str) -> str:
    return "; ".join(
        f"{one.value} and {other.value} share {counted(len(both), what)}" for (one, other), both in shared.items()
    )


def _images(table: pd.DataFrame, column: str, shared: Mapping[tuple[Split, Split], set[str]]) -> list[str]:
    """Images of what is shared, those of one patient or content side by side."""
    rows = table[table[column].isin(set().union(*shared.values()))]
    ids: list[str] = rows.sort_values([column, "image_id"])["image_id"].tolist()
    return ids


def _patients(table: pd.DataFrame) -> Check:
    code = "patients-span-splits"
    known = ~table["patient_id"].str.startswith(UNKNOWN)
    if not known.any():
        return not_applicable(
            code, "No image's patient is known, so that no one can be found in two splits.", Evidence.LEAKS
        )
    shared = _shared(table[known], "patient_id")
    if not shared:
        of = "" if known.all() else f" among the {counted(int(known.sum()), 'image')} whose patients are known"
        return passed(code, f"No patient is in two splits{of} (numbers with their prefix).", Evidence.LEAKS)
    dropped = int(table.loc[table["split"] == Split.VAL.value, "patient_id"].isin(_of(shared, Split.VAL)).sum())
    leaves = f" Presets leave {counted(dropped, 'validation image')} of such patients out." if dropped else ""
    images = _images(table, "patient_id", shared)
    return found(
        code,
        Severity.MISLEADING,
        len(images),
        f"Patients are in several splits (numbers with their prefix): {_pairs(shared, 'patient')}.",
        Evidence.LEAKS,
        consequence=f"{optimistic(shared)}{leaves}",
        examples=images,
    )


def _of(shared: Mapping[tuple[Split, Split], set[str]], split: Split) -> set[str]:
    """What a split shares with train."""
    return set().union(*(both for pair, both in shared.items() if split in pair and Split.TRAIN in pair))


def _pooled(index: DataIndex) -> Check:
    code, table = "pooled-patients-span-splits", index.table
    if index.is_phantom:
        return not_applicable(code, "Phantoms of each kind have numbers of their own.", Evidence.LEAKS)
    if table["pooled_id"].equals(table["patient_id"]):
        return not_applicable(code, "The patients' names have no prefixes.", Evidence.LEAKS)
    shared = _shared(table, "pooled_id")
    if not shared:
        return passed(code, "With the prefix dropped, no patient number is in two splits either.", Evidence.LEAKS)
    images = _images(table, "pooled_id", shared)
    return found(
        code,
        Severity.CAUTION,
        len(images),
        f"With the prefix dropped, patient numbers are in several splits: {_pairs(shared, 'number')}. That is the pessimistic "
        "reading, since the prefixes almost certainly have separate numbers.",
        Evidence.LEAKS,
        examples=images,
    )


def _unknown(table: pd.DataFrame) -> Check:
    unknown = table.loc[table["patient_id"].str.startswith(UNKNOWN), "image_id"]
    if unknown.empty:
        return passed("patients-unknown", "The patient of every image is known.", Evidence.LEAKS)
    return found(
        "patients-unknown",
        Severity.CAUTION,
        len(unknown),
        f"Patients are unknown for {len(unknown):,} of {counted(len(table), 'image')}: the names follow no known scheme, so "
        "each counts as a patient of its own.",
        Evidence.LEAKS,
        consequence="Images of one child may be in training and in validation; a CSV file of labels can name the patients.",
        examples=unknown,
    )


def _duplicates(table: pd.DataFrame) -> Iterator[Check]:
    repeated = table[table["sha256"].duplicated(keep=False)].sort_values(["sha256", "image_id"])
    groups = repeated.groupby("sha256").agg(splits=("split", "nunique"), labels=("label", "nunique"))
    splits, labels = (set(groups.index[groups[name] > 1]) for name in ("splits", "labels"))
    if splits:
        shared = _shared(repeated, "sha256")
        yield found(
            "duplicates-span-splits",
            Severity.MISLEADING,
            int(repeated["sha256"].isin(splits).sum()),
            f"Byte-identical files are in several splits: {_pairs(shared, 'image')}.",
            Evidence.LEAKS,
            consequence=f"{optimistic(shared)} {DEDUPLICATE}",
            examples=repeated.loc[repeated["sha256"].isin(splits), "image_id"],
        )
    else:
        yield passed("duplicates-span-splits", "No byte-identical files are in two splits.", Evidence.LEAKS)
    if labels:
        yield found(
            "duplicates-span-labels",
            Severity.MISLEADING,
            int(repeated["sha256"].isin(labels).sum()),
            f"{counted(len(labels), 'image is', 'images are')} in both classes, byte for byte.",
            Evidence.LEAKS,
            consequence=f"One of the two labels is wrong. {DEDUPLICATE}",
            examples=repeated.loc[repeated["sha256"].isin(labels), "image_id"],
        )
    else:
        yield passed("duplicates-span-labels", "No byte-identical files are in both classes.", Evidence.LEAKS)
    if groups.empty:
        yield passed("duplicates", "No two files are byte-identical.", Evidence.LEAKS)
    else:
        yield found(
            "duplicates",
            Severity.NOTE,
            len(repeated),
            f"{len(repeated):,} files are byte-identical to another, in {counted(len(groups), 'group')}.",
            Evidence.LEAKS,
            consequence=DEDUPLICATE,
            examples=repeated["image_id"],
        )
