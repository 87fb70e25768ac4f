"""Tables of a data set's audit, and its checks as plain data."""

from collections.abc import Iterable
from typing import Any

from pneumo_core.data.audit import Check, Outcome
from pneumo_core.reporting.document import Table


def plain_check(check: Check) -> dict[str, Any]:
    """A check as plain data, as `data audit --json` prints it."""
    return {
        "code": check.code,
        "outcome": check.outcome.value,
        "severity": check.severity.value,
        "n": check.n,
        "sentence": in_words(check),
        "examples": list(check.examples),
    }


def in_words(check: Check) -> str:
    """What a check found, and what follows."""
    return f"{check.sentence} {check.consequence}".strip()


def check_tables(data_id: str, checks: Iterable[Check]) -> list[Table]:
    """What was found, the most severe first; then what passed, and what could not be looked at."""
    every = list(checks)
    found = [check for check in every if check.outcome in {Outcome.ISSUE, Outcome.TIP}]
    columns = ("severity", "check", "images", "in words")
    rows = tuple((check.severity.value, check.code, f"{check.n:,}", in_words(check)) for check in found)
    tables = [Table("found", f"What the audit of the data set {data_id} found", columns, rows)] if found else []
    others = (
        ("passed", "What it looked for and did not find", Outcome.PASSED),
        ("not_applicable", "What it could not look for", Outcome.NOT_APPLICABLE),
    )
    for name, caption, outcome in others:
        if chosen := [check for check in every if check.outcome is outcome]:
            lines = tuple((check.code, in_words(check)) for check in chosen)
            tables.append(Table(name, caption, ("check", "in words"), lines))
    return tables
