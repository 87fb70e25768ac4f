"""Documents as PDF, typeset by Typst from `document.typ`, which gets the content as JSON."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pneumo_core.reporting.document import (
    Block,
    Bullets,
    Document,
    Heading,
    KeyValues,
    Labels,
    Paragraph,
    Picture,
    Row,
    Table,
    contents_depth,
    labels,
    numeric_columns,
)
from pneumo_core.reporting.drawing import drawable, font_folder, svg
from pneumo_core.reporting.typesetting import Pages, typeset

_LAYOUT: Final = Path(__file__).with_name("document.typ")
_INSIDE: Final = re.compile(r"(?<=[<>]) (?=[.\d])|(?<=\d) (?=(%|s|min|h|[kMG]?B)(\W|$))|(?<=\bn) (?==)|(?<=n =) (?=\d)")
"""Spaces inside a number: between its sign or its unit and its digits, and around ``n =``."""
_LINE: Final = 120
"""Characters of a table that fit beside each other."""
_SHORT: Final = 24
"""Characters of a column that is as wide as its longest text, where the others share what is left."""
_LONG_FACTS: Final = 12
"""Facts by name that are set in one column; more are set in two."""


def to_pdf(document: Document) -> bytes:
    """A document as PDF; the same content gives the same bytes."""
    (made,) = typeset([pdf_pages(document)], font_folder())
    return made


def pdf_pages(document: Document) -> Pages:
    """The pages of a document, for `typesetting.typeset`."""
    label = labels(document)
    content = {
        "title": drawable(document.title),
        "subtitle": drawable(document.subtitle),
        "links": document.links,
        "depth": contents_depth(document),
        "blocks": [_plain(block, label) for block in document.blocks],
    }
    return Pages(_LAYOUT.read_text(encoding="utf-8"), {"document": json.dumps(content)})


def _plain(block: Block, label: Labels) -> dict[str, Any]:
    match block:
        case Heading():
            return {"kind": "heading", "text": drawable(block.text), "level": block.level}
        case Paragraph():
            return {"kind": "lead" if block.lead else "paragraph", "text": drawable(block.text)}
        case Bullets():
            addresses = block.addresses or ("",) * len(block.items)
            items = [(drawable(item), address) for item, address in zip(block.items, addresses, strict=True)]
            return {"kind": "bullets", "items": items}
        case Table():
            return _table(block, label[block], block.columns, block.rows, numeric_columns(block), block.notes)
        case KeyValues():
            return _facts(block, label[block])
        case Picture():
            return _picture(block, label)
        case Row():
            return {"kind": "row", "pictures": [_picture(one, label) for one in block.pictures]}


def _table(
    block: Table | KeyValues,
    label: str,
    columns: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
    numeric: tuple[bool, ...],
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    shown = rows or (("nothing to list", *[""] * (len(columns) - 1)),)
    widths = _widths((columns, *shown))
    return {
        "kind": "table",
        "label": label,
        "caption": drawable(block.caption),
        "columns": [_cell(name) for name in columns],
        "long": _LINE // len(columns) if all(widths) else _LINE // 4,
        "widths": widths,
        "head": any(columns),
        "numeric": numeric,
        "rows": [[_cell(text) for text in row] for row in shown],
        "notes": [drawable(note) for note in notes],
    }


def _facts(block: KeyValues, label: str) -> dict[str, Any]:
    """Facts by name: a table without headings, in two halves beside each other if there are many."""
    items = block.items
    if len(items) > _LONG_FACTS:
        half = -(-len(items) // 2)
        right = (*items[half:], *[("", "")] * (2 * half - len(items)))
        items = tuple((*one, *other) for one, other in zip(items[:half], right, strict=True))  # type: ignore[misc]
    width = len(items[0]) if items else 2
    return _table(block, label, ("",) * width, items, (False,) * width)


def _picture(picture: Picture, label: Labels) -> dict[str, Any]:
    return {
        "kind": "picture",
        "label": label[picture],
        "caption": drawable(picture.caption),
        "alt": drawable(picture.alt),
        "svg": svg(picture.draw).decode(),
    }


def _widths(rows: Sequence[tuple[str, ...]]) -> list[float]:
    """Width of each column: 0 for that of its longest text, else its share of what is left."""
    columns = list(zip(*rows, strict=True))
    longest = [max(map(len, column)) for column in columns]
    if sum(longest) <= _LINE:
        return [0.0] * len(longest)
    short = _SHORT if sum(length for length in longest if length <= _SHORT) < _LINE // 2 else 0
    return [0.0 if most <= short else _share(column) for most, column in zip(longest, columns, strict=True)]


def _share(column: Sequence[str]) -> float:
    """Less than in proportion to the mean length of the texts, so that short ones do not stand in a word a line."""
    word = max((len(word) for text in column for word in text.split()), default=1)
    return float(max(sum(map(len, column)) / len(column), min(word, _SHORT)) ** 0.6)


def _cell(text: str) -> str:
    """A cell whose numbers stay with their signs and units on one line."""
    return _INSIDE.sub("\N{NO-BREAK SPACE}", drawable(text))
