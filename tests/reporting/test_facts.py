"""Facts of runs as texts."""

from dataclasses import replace

from pneumo_core.reporting.facts import epochs, fact, facts_text
from pneumo_core.reporting.study_document import Compared


def test_records_that_do_not_say() -> None:
    assert fact({"a": {"b": 1}}, "a", "b") == 1
    assert fact({"a": 1}, "a", "b") is None
    assert [facts_text(value, ",") for value in (None, True, 1234, "x")] == ["not recorded", "yes", "1,234", "x"]


def test_epoch_that_was_run_again_counts_once(one_run: Compared) -> None:
    again = [{"kind": "epoch", "epoch": 1, "loss": 5.0}, {"kind": "batch", "epoch": 9}]
    run = replace(one_run.facts_a[0], events=[*one_run.facts_a[0].events, *again])
    assert [event["epoch"] for event in epochs(run)] == [0, 1, 2]
    assert epochs(run)[1]["loss"] == 5.0
