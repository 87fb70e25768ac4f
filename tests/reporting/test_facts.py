"""Facts of runs as texts."""

from pneumo_core.reporting.facts import fact, facts_text


def test_records_that_do_not_say() -> None:
    assert fact({"a": {"b": 1}}, "a", "b") == 1
    assert fact({"a": 1}, "a", "b") is None
    values = (None, True, False, 1234, "x")
    assert [facts_text(value, ",") for value in values] == ["not recorded", "yes", "no", "1,234", "x"]
    assert (facts_text(1234), facts_text(0.5, ".2f")) == ("1234", "0.50")
