"""A check of a data set: what was looked at, what was found, how much it matters, and on which images."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EXAMPLES: Final = 20
"""Most images that a check names."""


class Outcome(StrEnum):
    """Result of a check: something is wrong, something is good to know, nothing was found, or it cannot be looked at."""

    ISSUE = "issue"
    TIP = "tip"
    PASSED = "passed"
    NOT_APPLICABLE = "not applicable"


class Severity(StrEnum):
    """How much a finding matters, the worst first.

    MISLEADING: figures from this data set are misleading unless it is resolved. CAUTION: figures must be read with it.
    NOTE: good to know. NONE: nothing was found.
    """

    MISLEADING = "misleading"
    CAUTION = "caution"
    NOTE = "note"
    NONE = "none"


class Evidence(StrEnum):
    """The part of the Dataset page that shows what a check is about."""

    COUNTS = "counts"
    FILES = "files"
    LEAKS = "leaks"
    QUALITY = "quality"
    SHIFT = "shift"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check.

    Attributes:
        code: Short code that tests and tables can rely on; one check of an audit has it.
        outcome: Result.
        severity: How much it matters.
        n: Number of images that it is about; 0 where nothing was found.
        sentence: What was found, for people, understood without another check.
        consequence: What follows for figures or labels and what to do, as a sentence, or "".
        examples: Ids of images, or pairs of them joined by " = ", at most `EXAMPLES`.
        evidence: Where the page shows them.
    """

    code: str
    outcome: Outcome
    severity: Severity
    n: int
    sentence: str
    evidence: Evidence
    consequence: str = ""
    examples: tuple[str, ...] = ()


def found(
    code: str,
    severity: Severity,
    n: int,
    sentence: str,
    evidence: Evidence,
    *,
    consequence: str = "",
    examples: Iterable[str] = (),
) -> Check:
    """A check that found something: a tip where it is only noted, else an issue."""
    outcome = Outcome.TIP if severity is Severity.NOTE else Outcome.ISSUE
    return Check(code, outcome, severity, n, sentence, evidence, consequence, tuple(examples)[:EXAMPLES])


def passed(code: str, sentence: str, evidence: Evidence) -> Check:
    """A check that found nothing."""
    return Check(code, Outcome.PASSED, Severity.NONE, 0, sentence, evidence)


def not_applicable(code: str, reason: str, evidence: Evidence) -> Check:
    """A check that cannot be made on this data set, with the reason as a sentence."""
    return Check(code, Outcome.NOT_APPLICABLE, Severity.NONE, 0, reason, evidence)


def counted(n: int, what: str, many: str = "") -> str:
    """A number with its noun: ``1 image``, ``2,000 images``."""
    return f"{n:,} {what if n == 1 else many or what + 's'}"
