"""What the command line says of time."""

import pytest

from pneumo_core.cli.terminal import left
from pneumo_core.jobs.speed import Span


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (None, ""),
        (Span(0.0, 0.0), ""),
        (Span(20.4, 2880.0), ", 20 s to 48 min left"),
        (Span(0.0, 90_000.0), ", up to 25.0 h left"),
    ],
)
def test_time_left_is_a_range(span: Span | None, words: str) -> None:
    assert left(span) == words
