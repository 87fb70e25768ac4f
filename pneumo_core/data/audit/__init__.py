"""Audit of a data set: checks whose results affect how far its figures can be trusted, one file a subject."""

from pneumo_core.data.audit.check import Check, Evidence, Outcome, Severity, found, not_applicable, passed
from pneumo_core.data.audit.files import files
from pneumo_core.data.audit.leaks import leaks
from pneumo_core.data.audit.origin import origin
from pneumo_core.data.index import DataIndex

__all__ = [
    "Check",
    "Evidence",
    "Outcome",
    "Severity",
    "audit",
    "found",
    "not_applicable",
    "passed",
    "worst_first",
]


def audit(index: DataIndex) -> tuple[Check, ...]:
    """The checks that need no pixels, the most severe first."""
    return worst_first((*origin(index), *files(index), *leaks(index)))


def worst_first(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Checks by severity and outcome; those of one kind in their own order."""
    severities, outcomes = list(Severity), list(Outcome)
    return tuple(sorted(checks, key=lambda check: (severities.index(check.severity), outcomes.index(check.outcome))))
