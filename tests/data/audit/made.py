"""Data sets without files, made to have a fault, and what an audit says of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pneumo_core.data.audit import Check, Outcome, Severity, audit
from pneumo_core.data.index import DataIndex
from pneumo_core.data.layout import LeftOut
from pneumo_core.records import Label, UnreadableFile

OFFICIAL = {
    ("train", "NORMAL"): 1341,
    ("train", "PNEUMONIA"): 3875,
    ("val", "NORMAL"): 8,
    ("val", "PNEUMONIA"): 8,
    ("test", "NORMAL"): 234,
    ("test", "PNEUMONIA"): 390,
}

ORDER = list(Severity)

_KINDS = {"NORMAL": "NORMAL", "PNEUMONIA": "VIRUS"}
"""Beginnings of names, as Mendeley's copy has them."""


def rows(counts: dict[tuple[str, str], int] | None = None) -> pd.DataFrame:
    """Images, each of a patient of its own, as many as the official data set has."""
    numbered = [(key, number) for key, count in (counts or OFFICIAL).items() for number in range(count)]
    return pd.DataFrame(
        {
            "image_id": [f"{split}/{name}/{_KINDS[name]}-{number}-1.jpeg" for (split, name), number in numbered],
            "split": [split for (split, _), _ in numbered],
            "label": [int(Label[name]) for (_, name), _ in numbered],
            "subtype": ["none" if name == "NORMAL" else "virus" for (_, name), _ in numbered],
            "sha256": [f"{place:064}" for place in range(len(numbered))],
            "patient_id": [f"a-{place}" for place in range(len(numbered))],
            "pooled_id": [str(place) for place in range(len(numbered))],
        }
    )


def index_of(
    table: pd.DataFrame, unreadable: Iterable[UnreadableFile] = (), left_out: Iterable[LeftOut] = ()
) -> DataIndex:
    return DataIndex("0" * 12, Path("/data"), table, tuple(unreadable), tuple(left_out))


def checked(table: pd.DataFrame, **more: Any) -> dict[str, Check]:
    """The checks by their codes, each of which there is once, well-formed and in order."""
    return by_code(audit(index_of(table, **more)))


def by_code(found: Iterable[Check]) -> dict[str, Check]:
    checks = {check.code: check for check in found}
    for check in checks.values():
        assert check.sentence == " ".join(check.sentence.split())
        assert check.sentence.endswith(".")
        assert (check.severity is Severity.NONE) == (check.outcome in {Outcome.PASSED, Outcome.NOT_APPLICABLE})
        assert (check.outcome is Outcome.TIP) == (check.severity is Severity.NOTE)
    return checks


def found_in(checks: dict[str, Check]) -> dict[str, Severity]:
    """The severities of what was found, by code."""
    return {code: check.severity for code, check in checks.items() if check.outcome in {Outcome.ISSUE, Outcome.TIP}}
