"""Files of a document: the document itself, each table, each figure."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pneumo_core.reporting.document import Document, pictures, table_csv, tables
from pneumo_core.reporting.drawing import font_folder, png_page, svg
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.pdf import pdf_pages
from pneumo_core.reporting.typesetting import typeset

Step = Callable[[str], None]
"""Called with its name before each step that takes time; it may raise, to stop the work."""


def files(document: Document, stem: str, data: Any = None, *, step: Step = lambda _: None) -> dict[str, bytes]:
    """All files of a document, for a ZIP file.

    Args:
        document: The document.
        stem: Beginning of all their names.
        data: Its source as plain data (`evaluation.plain.encode`), or None.
        step: See `Step`; called `step_count` times.

    Returns:
        Bytes by path: the stem as HTML, PDF and JSON, ``tables/*.csv``, ``figures/*.svg`` and ``figures/*.png``.
    """
    drawn = list(pictures(document))
    for picture in drawn:
        step(f"drawing {picture.name.replace('-', ' ')}")
        svg(picture.draw)
    step("typesetting the document")
    pdf, *pngs = typeset([pdf_pages(document), *(png_page(picture.draw) for picture in drawn)], font_folder())
    made = {f"{stem}.html": to_html(document).encode(), f"{stem}.pdf": pdf}
    if data is not None:
        made[f"{stem}.json"] = (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    made |= {f"tables/{stem}-{table.name}.csv": table_csv(table).encode() for table in tables(document)}
    for picture, png in zip(drawn, pngs, strict=True):
        made |= {f"figures/{stem}-{picture.name}.svg": svg(picture.draw), f"figures/{stem}-{picture.name}.png": png}
    return made


def readable(documents: Mapping[str, Document], *, step: Step = lambda _: None) -> dict[str, bytes]:
    """Model cards and checklists, which have no figures, as HTML and PDF, in one step.

    Args:
        documents: Documents by the beginning of their names.
        step: See `Step`.
    """
    step(f"typesetting model cards and checklists, {len(documents)} documents")
    pdfs = typeset([pdf_pages(document) for document in documents.values()], font_folder())
    made: dict[str, bytes] = {}
    for (stem, document), pdf in zip(documents.items(), pdfs, strict=True):
        made |= {f"{stem}.html": to_html(document).encode(), f"{stem}.pdf": pdf}
    return made


def step_count(document: Document) -> int:
    """Number of steps of `files`."""
    return sum(1 for _ in pictures(document)) + 1
