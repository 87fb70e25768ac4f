"""What the command line says of time, and plain data for people."""

import itertools
import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest

from pneumo_core.cli import terminal
from pneumo_core.cli.terminal import left, print_result, progress_line
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


@pytest.mark.parametrize("columns", [80, 40, 12])
def test_progress_stays_in_one_line_of_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: next(hours)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    with suppress(KeyboardInterrupt), progress_line("Reading") as show:
        show(0.25, 1, "a caption of many words " * 6)
        show(0.5, 1, "short")
        raise KeyboardInterrupt
    before, first, second = capsys.readouterr().err.split("\r")
    assert before == ""
    assert len(first) == columns - 1  # As long as the next, which is written over it.
    assert len(second) == columns
    assert first.endswith(": 25 %")
    assert second.rstrip(" \n") == "short: 50 %"
    assert second.endswith("\n")  # What follows, an error, has a line of its own.


def test_plain_data_is_printed_whole_with_the_digits_that_mean_something(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"seconds": 123.456789, "done": True, "rest": None, "files": [f"{number}.csv" for number in range(30)]}
    print_result(value, as_json=False)
    shown = capsys.readouterr().out.splitlines()
    assert shown[:4] == ["seconds: 123", "done: yes", "rest: none", "files:"]
    assert shown[4:] == [f"  [{number}]: {number}.csv" for number in range(30)]
