"""A document as one self-contained HTML file: styles and pictures inside, no scripts, no network access."""

import base64
import re
from html import escape
from typing import Final

from pneumo_core.reporting.document import (
    Block,
    Bullets,
    Document,
    Heading,
    KeyValues,
    PageBreak,
    Paragraph,
    Picture,
    Table,
    numeric_columns,
)
from pneumo_core.reporting.drawing import svg

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2937; --paper: #ffffff; --soft: #4b5563; --line: #d1d5db; --tint: #f3f4f6;
  --accent: #0b6b64; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --paper: #111827; --soft: #b6bfcc; --line: #374151;
  --tint: #1f2937; --accent: #5eead4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 1.75rem 0 .25rem; }
h4 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
.subtitle, .notes, figcaption { color: var(--soft); }
.lead { font-size: 1.15rem; padding: .9rem 1.1rem; background: var(--tint); border-left: .3rem solid var(--accent); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums;
  overflow-wrap: break-word; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.notes { font-size: .85rem; margin: .3rem 0 0; }
figure { margin: 1.25rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line);
  border-radius: .4rem; padding: .5rem; }
figcaption { font-size: .9rem; margin-top: .4rem; }
@media print { :root { --ink: #000; --paper: #fff; --soft: #333; --line: #bbb; --tint: #f3f4f6; --accent: #0b6b64; }
  @page { size: A4; margin: 18mm 16mm; } body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3, h4, caption { break-after: avoid; } figure, tr { break-inside: avoid; } thead { display: table-header-group; }
  .scroll { overflow: visible; } table { font-size: 8pt; overflow-wrap: anywhere; } .page-break { break-before: page; } }
"""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that are not allowed in HTML."""


def to_html(document: Document) -> str:
    """A document as HTML for light and dark themes and for print.

    Pictures are SVG in data URLs, so their content cannot affect the page, whatever the names of the runs.
    """
    title = _text(document.title)
    body = "\n".join(_block(block) for block in document.blocks)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f'<p class="subtitle">{_text(document.subtitle)}</p>\n{body}\n</main>\n</body>\n</html>\n'
    )


def _text(text: str) -> str:
    return escape(_CONTROL.sub("\ufffd", text), quote=True)


def _block(block: Block) -> str:
    match block:
        case Heading():
            level = block.level + 1
            return f"<h{level}>{_text(block.text)}</h{level}>"
        case Paragraph():
            kind = ' class="lead"' if block.lead else ""
            return f"<p{kind}>{_text(block.text)}</p>"
        case Bullets():
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"
        case Table():
            return _table(block)
        case KeyValues():
            return _facts(block)
        case Picture():
            return _picture(block)
        case PageBreak():
            return '<div class="page-break"></div>'


def _table(table: Table) -> str:
    numeric = numeric_columns(table)

    def mark(at: int) -> str:
        return ' class="number"' if numeric[at] else ""

    head = "".join(f'<th scope="col"{mark(at)}>{_text(name)}</th>' for at, name in enumerate(table.columns))
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{mark(at)}>{_text(cell)}</td>" if at else f'<th scope="row"{mark(at)}>{_text(cell)}</th>'
            for at, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in table.rows
    )
    empty = "" if table.rows else f'<tr><td colspan="{len(table.columns)}">nothing to list</td></tr>'
    notes = "".join(f'<p class="notes">{_text(note)}</p>' for note in table.notes)
    caption = f"<caption>{_text(table.caption)}</caption>"
    body = f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}{empty}</tbody>"
    # A table too wide for a small screen can be scrolled, also with the keyboard.
    region = f'class="scroll" tabindex="0" role="region" aria-label="{_text(table.caption)}"'
    return f"<div {region}><table>{caption}\n{body}</table></div>{notes}"


def _facts(block: KeyValues) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>\n' for name, value in block.items
    )
    return f'<div class="scroll"><table><caption>{_text(block.caption)}</caption>\n<tbody>{rows}</tbody></table></div>'


def _picture(picture: Picture) -> str:
    data = base64.b64encode(svg(picture.draw)).decode("ascii")
    return (
        f'<figure><img alt="{_text(picture.alt)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{_text(picture.caption)}</figcaption></figure>"
    )
