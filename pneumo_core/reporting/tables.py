"""A document taken apart into files: the whole, each table, each figure."""

import csv
import io
import json
import re
from typing import Any, Final

from pneumo_core.reporting.document import Cell, Document, Table, pictures, tables
from pneumo_core.reporting.drawing import png, svg
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.pdf import to_pdf

__all__ = ["files", "table_csv"]

_FORMULA: Final = re.compile(r"[=@\t\r]|[-+](?![\d.])")
"""How a cell begins that a spreadsheet would run; a signed number is none."""


def files(document: Document, data: Any = None) -> dict[str, bytes]:
    """Everything a document gives, for a ZIP file.

    Args:
        document: The document.
        data: What it was made from, as plain data (`evaluation.plain.encode`), or None for none.

    Returns:
        Bytes by path: ``document.html``, ``document.pdf``, ``data.json``, ``tables/*.csv``, ``figures/*.svg`` and
        ``figures/*.png``.
    """
    made = {"document.html": to_html(document).encode(), "document.pdf": to_pdf(document)}
    if data is not None:
        made["data.json"] = (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    made |= {f"tables/{table.name}.csv": table_csv(table).encode() for table in tables(document)}
    for picture in pictures(document):
        made[f"figures/{picture.name}.svg"] = svg(picture.draw)
        made[f"figures/{picture.name}.png"] = png(picture.draw)
    return made


def table_csv(table: Table) -> str:
    """A table as CSV (RFC 4180), its numbers in full precision where it has them."""
    source = table.data or table
    rows: list[tuple[Cell, ...]] = [source.columns, *source.rows]
    file = io.StringIO(newline="")
    csv.writer(file).writerows([[_safe(cell) for cell in row] for row in rows])
    return file.getvalue()


def _safe(cell: Cell) -> Cell:
    """A cell that no spreadsheet takes for a formula: a run's name may begin like one."""
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
