"""A document as values; `html` and `pdf` render it, and `tables` extracts its files."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pneumo_core.errors import DataError
from pneumo_core.records import Estimate, NotApplicable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float | None
"""A value of a CSV file; None is an empty one."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading.

    Attributes:
        text: The text.
        level: 1 for a section, 2 for one inside it, 3 inside that; the document's title is above them.
    """

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of text.

    Attributes:
        text: The text.
        lead: Whether it is the main message and emphasized.
    """

    text: str
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """An unordered list.

    Attributes:
        items: Its texts.
        addresses: The web address of each item's source, shown and linked after it; empty if they have none.
    """

    items: tuple[str, ...]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """The numbers behind a table, in full precision, for its CSV file."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; the first column names the row.

    Attributes:
        name: Name of its file, without ending; unique in the document.
        caption: Caption.
        columns: Heading of each column.
        rows: Texts, as many in each row as there are columns.
        notes: Notes below the table.
        data: Its numbers, if its texts are rounded or hold several in one cell.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    data: Data | None = None

    def __post_init__(self) -> None:
        for part in (self, *((self.data,) if self.data else ())):
            if odd := next((row for row in part.rows if len(row) != len(part.columns)), None):
                raise DataError(
                    f"each row of a table requires {len(part.columns)} cells. "
                    f"Received: table={self.name!r}, a row of {len(odd)}"
                )


@dataclass(frozen=True, slots=True)
class KeyValues:
    """Facts by name; as a file, a table of two columns.

    Attributes:
        name: Name of its file, without ending; unique in the document.
        caption: Caption.
        items: Names with values.
    """

    name: str
    caption: str
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, drawn when it is rendered.

    Attributes:
        name: Name of its file, without ending; unique in the document.
        caption: Caption.
        alt: Description for readers who cannot see it.
        draw: Function that draws it.
    """

    name: str
    caption: str
    alt: str
    draw: "Callable[[], Figure]" = field(compare=False)


@dataclass(frozen=True, slots=True)
class Row:
    """Pictures that are read together: beside each other where there is room, else one below the other."""

    pictures: tuple[Picture, ...]


Block = Heading | Paragraph | Bullets | Table | KeyValues | Picture | Row

Labels = Mapping["Table | KeyValues | Picture", str]
"""``Table 1``, ``Figure 1``, of each table and picture of a document."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document.

    Attributes:
        title: Its title.
        subtitle: One line below it.
        blocks: Its content, top to bottom.
        links: Pages of the app that show more, each with its address.

    Raises:
        DataError: Two tables or two pictures have one name, a heading skips a level, or an address is none of the web.
    """

    title: str
    subtitle: str
    blocks: tuple[Block, ...]
    links: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for names in ([table.name for table in tables(self)], [picture.name for picture in pictures(self)]):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise DataError(f"tables and pictures require names of their own. Received: twice={', '.join(twice)}")
        level = 0
        for heading in (block for block in self.blocks if isinstance(block, Heading)):
            if not 1 <= heading.level <= min(level + 1, 3):
                raise DataError(
                    f"a heading requires a level from 1 to {min(level + 1, 3)} here. "
                    f"Received: level={heading.level}, text={heading.text!r}"
                )
            level = heading.level
        cited = [block for block in self.blocks if isinstance(block, Bullets)]
        addresses = [*(address for _, address in self.links), *(one for block in cited for one in block.addresses)]
        if odd := [address for address in addresses if not address.startswith(("http://", "https://"))]:
            raise DataError(f"a link requires an address that starts with http:// or https://. Received: {odd[0]!r}")


def tables(document: Document) -> Iterator[Table]:
    """The tables of a document, facts by name among them."""
    for block in document.blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, KeyValues):
            yield Table(block.name, block.caption, ("name", "value"), block.items)


_NUMBER: Final = re.compile(r"([<>]?\s?[-+\N{MINUS SIGN}]?[\d.,]+(\s?(%|s|min|h|[kMG]?B))?|)")


def numeric_columns(table: Table) -> tuple[bool, ...]:
    """Whether each column of a table holds only numbers, with or without a unit."""
    return tuple(
        any(row[at] for row in table.rows) and all(_NUMBER.fullmatch(row[at]) for row in table.rows)
        for at in range(len(table.columns))
    )


def estimate_cells(estimate: Estimate | NotApplicable) -> tuple[Cell, ...]:
    """An estimate for a CSV file: value, ends of its interval, n; or the reason why there is none, and empty cells."""
    if isinstance(estimate, NotApplicable):
        return f"n/a: {estimate.reason}", None, None, None
    return estimate.value, estimate.low, estimate.high, estimate.n


def estimate_columns(names: Iterable[str]) -> list[str]:
    """Names of the columns that `estimate_cells` fills, for each estimate."""
    return [f"{name}{end}" for name in names for end in ("", "_low", "_high", "_n")]


def numbered(
    name: str,
    caption: str,
    columns: Sequence[str],
    data_columns: Sequence[str],
    rows: Iterable[tuple[Sequence[str], Sequence[Cell]]],
    notes: tuple[str, ...] = (),
) -> Table:
    """A table whose rows hold texts for people and the numbers behind them for its CSV file.

    Args:
        name: See `Table`.
        caption: See `Table`.
        columns: Heading of each text.
        data_columns: Heading of each number.
        rows: Texts and numbers of each row.
        notes: See `Table`.
    """
    both = [(tuple(texts), tuple(numbers)) for texts, numbers in rows]
    data = Data(tuple(data_columns), tuple(numbers for _, numbers in both))
    return Table(name, caption, tuple(columns), tuple(texts for texts, _ in both), notes, data)


_FORMULA: Final = re.compile(r"[=@\t\r]|[-+](?!(\d|to|[\s.,%()+\N{MINUS SIGN}-])*$)")
"""A cell that a spreadsheet would execute; signed numbers and their intervals are excluded, but not ``-1+cmd|...``."""


def table_csv(table: Table) -> str:
    """A table as CSV (RFC 4180), with numbers in full precision if it has them."""
    source = table.data or table
    rows: list[tuple[Cell, ...]] = [source.columns, *source.rows]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([[_safe(cell) for cell in row] for row in rows])
    return file.getvalue()


def _safe(cell: Cell) -> Cell:
    """A cell that no spreadsheet interprets as a formula; a run's name may begin like one."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def pictures(document: Document) -> Iterator[Picture]:
    """The pictures of a document."""
    for block in document.blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Row):
            yield from block.pictures


def labels(document: Document) -> Labels:
    """The label of each table and picture, numbered in their order; every format uses these."""
    shown = [block for block in document.blocks if isinstance(block, Table | KeyValues)]
    numbered_tables = {block: f"Table {number}" for number, block in enumerate(shown, start=1)}
    return numbered_tables | {block: f"Figure {number}" for number, block in enumerate(pictures(document), start=1)}


_MOST_LISTED: Final = 60
"""Entries of a table of contents that are still read, in two columns of a third of a page."""


def contents_depth(document: Document) -> int:
    """Lowest level of the headings in the table of contents; 0 where there are too few for one."""
    levels = [block.level for block in document.blocks if isinstance(block, Heading)]
    if len(levels) < 4:
        return 0
    return 2 if sum(level <= 2 for level in levels) <= _MOST_LISTED else 1
