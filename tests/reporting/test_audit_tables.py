"""An audit's tables and plain data."""

from pneumo_core.data.audit import Evidence, Severity, found, not_applicable, passed
from pneumo_core.reporting.audit_tables import check_tables, plain_check

CHECKS = (
    found(
        "leak",
        Severity.MISLEADING,
        1200,
        "Files leak.",
        Evidence.LEAKS,
        consequence="Remove them.",
        examples=["a", "b"],
    ),
    passed("blank", "No image is blank.", Evidence.QUALITY),
    not_applicable("shift", "Too few images.", Evidence.SHIFT),
)


def test_what_was_found_comes_first_and_what_passed_apart() -> None:
    tables = {table.name: table for table in check_tables("0" * 12, CHECKS)}
    assert list(tables) == ["found", "passed", "not_applicable"]
    assert tables["found"].rows == (("misleading", "leak", "1,200", "Files leak. Remove them."),)
    assert tables["passed"].rows == (("blank", "No image is blank."),)
    assert tables["not_applicable"].rows == (("shift", "Too few images."),)


def test_a_kind_without_checks_has_no_table() -> None:
    assert [table.name for table in check_tables("0" * 12, CHECKS[1:2])] == ["passed"]


def test_plain_data_has_what_the_contract_says() -> None:
    assert plain_check(CHECKS[0]) == {
        "code": "leak",
        "outcome": "issue",
        "severity": "misleading",
        "n": 1200,
        "sentence": "Files leak. Remove them.",
        "examples": ["a", "b"],
    }
