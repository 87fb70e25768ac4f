"""Anatomy of the splits: which case numbers lie in which split, and how many images a patient has."""

import re
from typing import Final

import numpy as np
import pandas as pd

from pneumo_core.records import FOLDERS, Label

_KEY: Final = re.compile(r"(?P<series>.+)-(?P<number>\d+)")
SERIES: Final = {
    "im": "NORMAL, IM",
    "normal2-im": "NORMAL, NORMAL2-IM",
    "normal": "NORMAL",
    "bacteria": "PNEUMONIA, bacteria",
    "virus": "PNEUMONIA, virus",
    "phantom-normal": "NORMAL, phantoms",
    "phantom-bacteria": "PNEUMONIA, bacteria, phantoms",
    "phantom-virus": "PNEUMONIA, virus, phantoms",
}
"""Prefixes of patient keys and what they number, in the order that they are shown in."""

MOST_TICKS: Final = 2_500
"""Places on the axis of a strip chart: more than a screen shows, and far fewer than a browser draws at once."""

BINS: Final = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 10**9))
"""Classes of the number of a patient's images."""


def cases(table: pd.DataFrame) -> pd.DataFrame:
    """The patients whose keys have a series and a number, by these.

    Args:
        table: An index's table.

    Returns:
        Rows of `series`, `number`, `split` and `images`, one for each patient of a split, sorted.
    """
    known = table.groupby(["patient_id", "split"]).size().rename("images").reset_index()
    known = known.join(series_and_number(known["patient_id"])[["series", "number"]])
    known = known[known["series"].isin(list(SERIES))].astype({"number": "int64"})
    order = {name: place for place, name in enumerate(SERIES)}
    known = known.sort_values(["number", "split"]).sort_values(
        "series", key=lambda names: names.map(order), kind="stable"
    )
    return known[["series", "number", "split", "images"]].reset_index(drop=True)


def ticks(found: pd.DataFrame, most: int = MOST_TICKS) -> tuple[pd.DataFrame, int]:
    """The patients of a strip chart, put together where a chart could not show them apart.

    Args:
        found: Rows of `cases`.
        most: Most places on the axis of the numbers.

    Returns:
        Rows of `series`, `split`, `number`, the first of its place, and `images`; and how many numbers a place has.
    """
    span = int(found["number"].max() - found["number"].min()) + 1 if len(found) else 1
    width = -(-span // most)
    if width == 1:
        return found, 1
    together = found.groupby(["series", "split", found["number"] // width], sort=False)
    return together.agg(number=("number", "min"), images=("images", "sum")).reset_index(["series", "split"]), width


def series_and_number(patients: "pd.Series[str]") -> pd.DataFrame:
    """What patient keys number: rows of `patient`, `series` and `number` with the index of the keys, NaN where they do not."""
    parts = patients.str.extract(_KEY)
    return pd.DataFrame(
        {"patient": patients, "series": parts["series"], "number": pd.to_numeric(parts["number"])}, index=patients.index
    )


def blocks(found: pd.DataFrame) -> pd.DataFrame:
    """Runs of case numbers that are all in one split.

    Args:
        found: Rows of `cases`.

    Returns:
        Rows of `series`, `split`, `first`, `last`, `patients` and `images`, in the order of the numbers.
    """
    columns = ["series", "split", "first", "last", "patients", "images"]
    if found.empty:
        return pd.DataFrame(columns=columns)
    changes = (found["series"] != found["series"].shift()) | (found["split"] != found["split"].shift())
    groups = found.groupby(changes.cumsum())
    runs = groups.agg(
        series=("series", "first"),
        split=("split", "first"),
        first=("number", "min"),
        last=("number", "max"),
        patients=("number", "size"),
        images=("images", "sum"),
    )
    return runs.reset_index(drop=True)[columns]


def images_per_patient(table: pd.DataFrame) -> pd.DataFrame:
    """How many patients have how many images, by split and class.

    Args:
        table: An index's table.

    Returns:
        Rows of `split`, `class`, the number of patients in each of `BINS`, and `most`, the most images of one patient.
    """
    rows = []
    for split in FOLDERS:
        for label in Label:
            part = table[(table["split"] == split.value) & (table["label"] == label.value)]
            if part.empty:
                continue
            numbers = part["patient_id"].value_counts().to_numpy()
            row: dict[str, object] = {"split": split.value, "class": label.name}
            for low, high in BINS:
                row[bin_name(low, high)] = int(np.count_nonzero((numbers >= low) & (numbers <= high)))
            rows.append(row | {"most": int(numbers.max())})
    return pd.DataFrame(rows)


def bin_name(low: int, high: int) -> str:
    """A class of numbers of images, for people."""
    if low == high:
        return f"{low} image" if low == 1 else f"{low} images"
    return f"more than {low - 1}" if high >= 10**9 else f"{low} to {high}"
