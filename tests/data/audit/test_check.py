"""How checks are made: an outcome follows from the severity, and examples have a limit."""

import pytest

from pneumo_core.data.audit.check import EXAMPLES, Evidence, Outcome, Severity, counted, found, not_applicable, passed


@pytest.mark.parametrize(
    ("severity", "outcome"),
    [(Severity.MISLEADING, Outcome.ISSUE), (Severity.CAUTION, Outcome.ISSUE), (Severity.NOTE, Outcome.TIP)],
)
def test_what_is_only_noted_is_a_tip(severity: Severity, outcome: Outcome) -> None:
    assert found("code", severity, 3, "Three.", Evidence.FILES).outcome is outcome


def test_what_was_not_found_has_no_severity() -> None:
    assert passed("code", "None.", Evidence.FILES).severity is Severity.NONE
    assert not_applicable("code", "None.", Evidence.FILES).severity is Severity.NONE


def test_examples_have_a_limit() -> None:
    check = found("code", Severity.NOTE, 500, "Many.", Evidence.FILES, examples=map(str, range(500)))
    assert check.examples == tuple(map(str, range(EXAMPLES)))


def test_numbers_agree_with_their_nouns() -> None:
    assert [counted(n, "image is", "images are") for n in (0, 1, 2000)] == [
        "0 images are",
        "1 image is",
        "2,000 images are",
    ]
    assert counted(2, "group") == "2 groups"
