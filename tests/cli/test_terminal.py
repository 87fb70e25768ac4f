"""What the command line says of time, and plain data for people."""

import pytest

from pneumo_core.cli.terminal import left, print_result
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


def test_plain_data_is_printed_whole_with_the_digits_that_mean_something(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"seconds": 123.456789, "done": True, "rest": None, "files": [f"{number}.csv" for number in range(30)]}
    print_result(value, as_json=False)
    shown = capsys.readouterr().out.splitlines()
    assert shown[:4] == ["seconds: 123", "done: yes", "rest: none", "files:"]
    assert shown[4:] == [f"  [{number}]: {number}.csv" for number in range(30)]
