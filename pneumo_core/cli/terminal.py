"""Output of the command line: results on standard output, progress on standard error."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from pneumo_core.evaluation.wording import duration_range, percent
from pneumo_core.jobs.speed import Span


def left(span: Span | None) -> str:
    """Range of the remaining time as the end of a message; empty if it is unknown, or nothing is left."""
    if span is None or not span.high_s:
        return ""
    return f", {duration_range(span.low_s, span.high_s)} left"


@contextmanager
def detachable(again: str) -> Iterator[None]:
    """An interrupt ends the waiting, not the work: it prints the command that shows the state, and exits with 130."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\ndetached; the work continues: {again}", err=True)
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
        if now - last < (0.2 if interactive else 10.0):
            return
        last, drawn = now, True
        count = "" if total == 1 else f"{done:,} of {total:,}, "
        line = f"{message or what}: {count}{percent(done / max(1, total), 0)}"
        typer.echo(f"\r{line:<78}" if interactive else line, err=True, nl=not interactive)

    yield show
    if drawn and interactive:
        typer.echo("", err=True)


def print_result(value: Any, *, as_json: bool) -> None:
    """Plain data on standard output: one JSON document, or indented lines for people."""
    typer.echo(json.dumps(value, indent=2) if as_json else "\n".join(_lines(value)))


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """Plain data as indented lines, for people."""
    pairs = value.items() if isinstance(value, dict) else ((f"[{index}]", item) for index, item in enumerate(value))
    for name, item in pairs:
        if isinstance(item, dict | list) and item and not (isinstance(item, list) and len(item) > 20):
            yield f"{indent}{name}:"
            yield from _lines(item, f"{indent}  ")
        else:
            yield f"{indent}{name}: {f'{len(item)} entries' if isinstance(item, list) and len(item) > 20 else item}"
