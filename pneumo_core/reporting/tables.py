"""Files of a document: the document itself, each table, each figure."""

import json
from typing import Any

from pneumo_core.reporting.document import Document, pictures, table_csv, tables
from pneumo_core.reporting.drawing import png, svg
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.pdf import to_pdf


def files(document: Document, data: Any = None) -> dict[str, bytes]:
    """All files of a document, for a ZIP file.

    Args:
        document: The document.
        data: Its source as plain data (`evaluation.plain.encode`), or None.

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
