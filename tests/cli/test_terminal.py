"""What the command line says of time."""

import pytest

from pneumo_core.cli.terminal import left
from pneumo_core.jobs.speed import Span


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (None, ""),
        (Span(0.0, 0.0), ""),
        (Span(20.4, 2880.0), ", 0:00:20 to 0:48:00 left"),
        (Span(0.0, 90_000.0), ", 0:00:00 to 1 day, 1:00:00 left"),
    ],
)
def test_time_left_is_a_range(span: Span | None, words: str) -> None:
    assert left(span) == words
