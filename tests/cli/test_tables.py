"""Tables on a terminal, and as text for programs."""

import io
import re
import sys

import pytest

from pneumo_core.cli.tables import aligned, print_tables
from pneumo_core.reporting.document import Table
from tests.cli.conftest import screen_of

TABLE = Table(
    "runs",
    "What there is",
    ("run", "images", "reason"),
    (("baseline-01", "1,318", ""), ("a", "9", "[bold]no markup, and long enough to be wrapped on a terminal[/bold]")),
    ("A note.",),
)


def test_columns_are_aligned_and_numbers_are_to_the_right() -> None:
    assert list(aligned(TABLE)) == [
        "run          images  reason",
        "baseline-01   1,318",
        "a                 9  [bold]no markup, and long enough to be wrapped on a terminal[/bold]",
    ]


def test_tables_are_plain_where_a_program_reads_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(TABLE, Table("empty", "", ("one",), ()))
    assert capsys.readouterr().out == "\n".join(["What there is", *aligned(TABLE), "A note.", "", "one", ""])


def test_sentences_around_a_table_are_wrapped_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = screen_of(80, monkeypatch)
    caption, note = ("many words of baseline-ecf6ed585dfd " * 9).strip(), ("p < .05. " * 30).strip()
    table = Table("runs", caption, ("run",), (("a",),), (note,))
    print_tables(table)
    lines = re.sub(r"\x1b\[\d*m", "", screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) > 10
    assert caption in " ".join(lines)
    monkeypatch.setattr(screen, "isatty", lambda: False)
    print_tables(table)
    assert screen.getvalue().splitlines()[-4:] == [caption, "run", "a", note]


def test_a_terminal_too_narrow_for_whole_words_is_given_paragraphs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = screen_of(40, monkeypatch)
    print_tables(Table("runs", "", ("run", "state", "arm"), (("baseline-ecf6ed585dfd", "succeeded", "oversampled"),)))
    assert screen.getvalue() == "baseline-ecf6ed585dfd\n  state succeeded; arm oversampled\n"


@pytest.mark.parametrize(("encoding", "rule"), [("utf-8", "─"), ("ascii", "-")])
def test_a_terminal_is_given_a_ruled_table_that_fits(monkeypatch: pytest.MonkeyPatch, encoding: str, rule: str) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    print_tables(TABLE)
    print_tables(Table("ids", "", ("run", "why"), (("baseline-ecf6ed585dfd", ("long " * 40).strip()),)))
    screen.flush()
    lines = screen.buffer.getvalue().decode(encoding)
    lines = re.sub(r"\x1b\[\d*m", "", lines).splitlines()
    assert max(map(len, lines)) <= 50
    assert 5 * rule in "".join(lines)
    words = " ".join(" ".join(lines).split())
    assert "What there is" in words
    assert "A note." in words
    for cell in ("baseline-01", "baseline-ecf6ed585dfd", "1,318", "[bold]no", "terminal[/bold]"):
        assert cell in words


def test_names_cannot_move_a_terminal_s_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(Table("t", "", ("file",), (("a\nb\x1b[31m.png",), ("é.png",))))
    assert capsys.readouterr().out.splitlines() == ["file", r"a\nb\x1b[31m.png", "é.png"]
