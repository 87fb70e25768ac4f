"""Tables for a terminal: ruled and wrapped by `rich` where people read them, aligned text where a program does."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from unicodedata import category

from pneumo_core.cli.terminal import say, say_prose, width
from pneumo_core.reporting.document import Table, numeric_columns

_LONGEST_ID: Final = 24
"""A word of up to so many characters is kept in one line, so that the id of a run can be copied."""


def print_tables(*tables: Table) -> None:
    """Tables on standard output, each with its caption and notes, an empty line between them."""
    for number, table in enumerate(map(_printable, tables)):
        if number:
            say()
        if table.caption:
            say_prose(table.caption)
        if sys.stdout.isatty():
            _print_ruled(table)
        else:
            say("\n".join(aligned(table)))
        for text in table.notes:
            say_prose(text)


def _printable(table: Table) -> Table:
    """The table with control characters escaped, which move a terminal's cursor or break its rows: file names have them."""

    def escaped(text: str) -> str:
        return "".join(ascii(letter)[1:-1] if category(letter) == "Cc" else letter for letter in text)

    return replace(table, rows=tuple(tuple(map(escaped, row)) for row in table.rows))


def whole_width(table: Table, gap: int) -> int:
    """Width of a table with each cell in one line, and `gap` spaces between columns."""
    columns = zip(table.columns, *table.rows, strict=True)
    return sum(gap + max(map(len, column)) for column in columns) - gap


def aligned(table: Table) -> Iterator[str]:
    """A line of headings and a line for each row; columns of numbers are set to the right."""
    rows = (table.columns, *table.rows)
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    columns = list(zip(widths, numeric_columns(table), strict=True))
    for row in rows:
        cells = zip(row, columns, strict=True)
        yield "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, (width, right) in cells).rstrip()


def _print_ruled(table: Table) -> None:
    """A ruled table; or, where words would be broken to fit it into the terminal, a paragraph for each row."""
    from rich import box  # noqa: PLC0415  It is loaded where there is a terminal.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as Ruled  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(width=width())
    gap = 1 if whole_width(table, 1) <= console.width < whole_width(table, 2) else 2
    if _narrowest(table, gap) > console.width:
        for row in table.rows:
            say(row[0])
            cells = (f"{name} {cell}" for name, cell in zip(table.columns[1:], row[1:], strict=True) if cell)
            say_prose("; ".join(cells), indent="  ")
        return
    ruled = Ruled(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, gap - 1, 0, 0), pad_edge=False)
    for at, (name, right) in enumerate(zip(table.columns, numeric_columns(table), strict=True)):
        whole = all(" " not in row[at] and len(row[at]) <= _LONGEST_ID for row in table.rows)
        ruled.add_column(Text(name), justify="right" if right else "left", overflow="fold", no_wrap=whole)
    for row in table.rows:
        ruled.add_row(*map(Text, row))  # As texts: a path may hold what rich takes for markup.
    console.print(ruled)


def _narrowest(table: Table, gap: int) -> int:
    """Width of the table with every word of it whole, and `gap` spaces between columns."""
    columns = zip(table.columns, *table.rows, strict=True)
    return sum(gap + max(len(word) for cell in column for word in ("", *cell.split())) for column in columns) - gap
