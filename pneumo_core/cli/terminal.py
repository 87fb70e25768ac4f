"""Output of the command line: results on standard output, progress and notes on standard error."""

import codecs
import io
import json
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import typer

from pneumo_core.evaluation.wording import duration_range, percent, three_digits
from pneumo_core.jobs.speed import Span

quiet: Final = ContextVar("quiet", default=False)
"""Whether progress and notes are left out; ``--quiet`` sets it."""

_PLAIN: Final = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{NO-BREAK SPACE}": " ",
        "\N{MIDDLE DOT}": "-",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{PLUS-MINUS SIGN}": "+/-",
        "\N{RIGHTWARDS ARROW}": "->",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{GREATER-THAN OR EQUAL TO}": ">=",
        "\N{LESS-THAN OR EQUAL TO}": "<=",
    }
)
"""Plain characters for what a console's encoding may lack."""


def left(span: Span | None) -> str:
    """Range of the remaining time as the end of a message; empty if it is unknown, or nothing is left."""
    if span is None or not span.high_s:
        return ""
    return f", {duration_range(span.low_s, span.high_s)} left"


def say(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print to the stream as it is: by itself, `typer.echo` writes UTF-8 where a console is set to ASCII."""
    typer.echo(text, file=sys.stderr if err else sys.stdout, nl=nl)


def width() -> int:
    """Width of the terminal in characters; 80 where there is none. ``COLUMNS`` sets another."""
    return shutil.get_terminal_size().columns


def say_prose(text: str, *, indent: str = "") -> None:
    """Sentences on standard output: wrapped at words on a terminal, each paragraph one line where a program reads them."""
    if not sys.stdout.isatty():
        say(text)
        return
    # At spaces alone: the hyphen of a run's id is no place to break it.
    wrapper = textwrap.TextWrapper(width(), break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent = wrapper.subsequent_indent = indent
    say("\n".join(wrapper.fill(paragraph) for paragraph in text.split("\n")))


@contextmanager
def detachable(again: str) -> Iterator[None]:
    """An interrupt ends the waiting, not the work: it prints the command that shows the state, and exits with 130."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"\ndetached; the work continues: {again}", err=True)
        raise typer.Exit(130) from None


@contextmanager
def progress_line(what: str) -> Iterator[Callable[..., None]]:
    """A progress line on standard error, redrawn in place on a terminal and printed now and then elsewhere.

    Yields:
        Function of the amount done, the total (1 for a fraction) and a message.
    """
    interactive = sys.stderr.isatty()
    last = time.monotonic()
    drawn = False

    def show(done: float, total: float, message: str = "") -> None:
        nonlocal last, drawn
        now = time.monotonic()
        if quiet.get() or now - last < (0.2 if interactive else 10.0):
            return
        last, drawn = now, True
        count = "" if total == 1 else f"{done:,} of {total:,}, "
        amount = f": {count}{percent(done / max(1, total), 0)}"
        words = message or what
        if not interactive:
            say(words + amount, err=True)
            return
        room = width() - 1  # A full line would wrap, and the next one could not be written over it.
        kept = room - len(amount)
        line = (words if len(words) <= kept else f"{words[: max(0, kept - 3)]}...") + amount
        say(f"\r{line[:room]:<{room}}", err=True, nl=False)

    try:
        yield show
    finally:
        if drawn and interactive:
            say("", err=True)


def note(text: str) -> None:
    """What is good to know, on standard error; nothing with ``--quiet``."""
    if not quiet.get():
        say(f"note: {text}", err=True)


def print_result(value: Any, *, as_json: bool) -> None:
    """Plain data on standard output: one JSON document, or indented lines for people."""
    say(json.dumps(value, indent=2) if as_json else "\n".join(_lines(value)))


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """Plain data as indented lines, for people."""
    pairs = value.items() if isinstance(value, dict) else ((f"[{index}]", item) for index, item in enumerate(value))
    for name, item in pairs:
        if isinstance(item, dict | list) and item:
            yield f"{indent}{name}:"
            yield from _lines(item, f"{indent}  ")
        else:
            yield f"{indent}{name}: {_text(item)}"


def _text(item: Any) -> str:
    if item is None or isinstance(item, dict | list):
        return "none"
    if isinstance(item, bool):
        return "yes" if item else "no"
    return three_digits(item) if isinstance(item, float) else str(item)


def print_in_any_encoding() -> None:
    """Let standard output and error replace what their encoding lacks, instead of failing in the middle of a table."""
    codecs.register_error("plain", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end].translate(_PLAIN)
    return lacking.encode("ascii", "replace").decode(), error.end
