"""Facts of runs as texts."""

from pneumo_core.reporting.facts import fact, facts_text


def test_records_that_do_not_say() -> None:
    assert fact({"a": {"b": 1}}, "a", "b") == 1
    assert fact({"a": 1}, "a", "b") is None
    assert [facts_text(value, ",") for value in (None, True, 1234, "x")] == ["not recorded", "yes", "1,234", "x"]
