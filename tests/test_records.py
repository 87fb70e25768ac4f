"""The nouns that every room shares: their values stand in files and addresses, so they must not change."""

from enum import Enum

import pytest

from pneumo_core.records import Architecture, Label, Metric, RunState, Split, Subtype


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Split, ["train", "val", "stress", "test"]),
        (Label, [0, 1]),
        (Subtype, ["none", "bacteria", "virus", "unknown"]),
        (Architecture, ["baseline", "compact", "vgg16", "ensemble", "dcgan"]),
    ],
)
def test_values_that_files_hold(kind: type[Enum], values: list[object]) -> None:
    assert [member.value for member in kind] == values


def test_a_metric_is_called_as_it_is_stored() -> None:
    assert all(metric.value == metric.name.lower() for metric in Metric)
    assert len(Metric) == 17


def test_the_states_in_which_a_worker_holds_a_run() -> None:
    live = {RunState.QUEUED, RunState.RUNNING, RunState.EXPORTING}
    assert {state for state in RunState if state.is_live} == live
