"""Tables for a terminal: ruled and wrapped by `rich` where people read them, aligned text where a program does."""

import sys
from collections.abc import Iterator

from pneumo_core.cli.terminal import say
from pneumo_core.reporting.document import Table, numeric_columns


def print_tables(*tables: Table) -> None:
    """Tables on standard output, each with its caption and notes, an empty line between them."""
    for number, table in enumerate(tables):
        if number:
            say()
        if table.caption:
            say(table.caption)
        if sys.stdout.isatty():
            _print_ruled(table)
        else:
            say("\n".join(aligned(table)))
        for text in table.notes:
            say(text)


def aligned(table: Table) -> Iterator[str]:
    """A line of headings and a line for each row; columns of numbers are set to the right."""
    rows = (table.columns, *table.rows)
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    columns = list(zip(widths, numeric_columns(table), strict=True))
    for row in rows:
        cells = zip(row, columns, strict=True)
        yield "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, (width, right) in cells).rstrip()


def _print_ruled(table: Table) -> None:
    from rich import box  # noqa: PLC0415  It is loaded where there is a terminal.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as Ruled  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    ruled = Ruled(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, right in zip(table.columns, numeric_columns(table), strict=True):
        ruled.add_column(Text(name), justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        ruled.add_row(*map(Text, row))  # As texts: a path may hold what rich takes for markup.
    Console().print(ruled)
