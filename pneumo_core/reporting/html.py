"""A document as one self-contained HTML file: styles and pictures inside, no scripts, no network access."""

import base64
import re
from collections.abc import Iterator
from html import escape
from typing import Final

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
from pneumo_core.reporting.drawing import svg

# Shadows at the ends of a table that scrolls (`.scroll`) stay with its frame. Two pieces of paper, which scroll with the table,
# cover them where there is no more to see.
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2937; --paper: #ffffff; --soft: #4b5563; --line: #d1d5db; --tint: #f3f4f6;
  --accent: #0b6b64; --edge: #6b728099; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --paper: #111827; --soft: #b6bfcc; --line: #374151;
  --tint: #1f2937; --accent: #5eead4; --edge: #9ca3af99; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 62rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
a { color: var(--accent); }
nav { margin: 1.5rem 0; padding: .75rem 0; border: solid var(--line); border-width: 1px 0; }
nav ol { list-style: none; margin: 0; padding: 0; columns: 16rem; }
nav a { display: block; padding: .2rem 0; text-decoration: none; break-inside: avoid; }
nav .inside { padding-left: 1rem; font-size: .9rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 1.75rem 0 .25rem; }
h4 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
.subtitle, .notes, figcaption { color: var(--soft); }
.lead { font-size: 1.15rem; padding: .9rem 1.1rem; background: var(--tint); border-left: .3rem solid var(--accent); }
.scroll { overflow-x: auto; background: linear-gradient(to right, var(--paper) 60%, transparent) left / 1rem 100% local,
  linear-gradient(to left, var(--paper) 60%, transparent) right / 1rem 100% local,
  linear-gradient(to right, var(--edge), transparent) left / .6rem 100%,
  linear-gradient(to left, var(--edge), transparent) right / .6rem 100%; background-repeat: no-repeat; }
.table { margin: 1.25rem 0; }
.caption { font-weight: 600; margin: 0 0 .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums;
  overflow-wrap: break-word; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.notes { font-size: .85rem; margin: .3rem 0 0; }
figure { margin: 1.25rem 0; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 1.25rem; }
.row img { width: 100%; }
figure img { display: block; max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line);
  border-radius: .4rem; padding: .5rem; }
figcaption { font-size: .9rem; margin-top: .4rem; }
@media (max-width: 40rem) { body { padding: 1rem .9rem 3rem; } h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; }
  .scroll td, .scroll thead th { min-width: 6.5rem; } .scroll .number { min-width: 0; }
  main > figure { overflow-x: auto; } main > figure img { max-width: none; width: 38rem; }
  ul { padding-left: 1.1rem; } }
@media (max-width: 31rem) { table { font-size: .75rem; } th, td { padding-right: .3rem; }
  tr > :last-child { padding-right: 0; } .scroll td, .scroll thead th { min-width: 3.9rem; } }
@media print { :root { --ink: #000; --paper: #fff; --soft: #333; --line: #bbb; --tint: #f3f4f6; --accent: #0b6b64; }
  @page { size: A4; margin: 18mm 16mm; } body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3, h4, .caption { break-after: avoid; } figure, tr, .row, .lead, nav a { break-inside: avoid; }
  p, li { orphans: 3; widows: 3; } thead { display: table-header-group; } .notes { break-before: avoid; }
  .row { grid-template-columns: 1fr 1fr; } figure img { border: 0; padding: 0; max-height: 150mm; }
  .scroll { overflow: visible; background: none; } table { font-size: 8pt; } a { color: inherit; } }
"""

_INNER: Final = ' class="inside"'
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that are not allowed in HTML."""


def to_html(document: Document) -> str:
    """A document as HTML for light and dark themes and for print.

    Pictures are SVG in data URLs, so their content cannot affect the page, whatever the names of the runs.
    """
    title = _text(document.title)
    label = labels(document)
    headings = iter(range(len(document.blocks)))
    body = "\n".join(_block(block, label, headings) for block in document.blocks)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f'<p class="subtitle">{_text(document.subtitle)}</p>\n{_links(document)}{_contents(document)}{body}\n'
        "</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape(_CONTROL.sub("\ufffd", text), quote=True)


def _links(document: Document) -> str:
    links = (f'<a href="{_text(address)}">{_text(name)}</a>' for name, address in document.links)
    return f"<p>In the app: {' · '.join(links)}</p>\n" if document.links else ""


def _contents(document: Document) -> str:
    """The table of contents; headings have their numbers as ids."""
    depth = contents_depth(document)
    found = enumerate(block for block in document.blocks if isinstance(block, Heading))
    entries = "\n".join(
        f'<li><a{_INNER if heading.level > 1 else ""} href="#section-{number}">{_text(heading.text)}</a></li>'
        for number, heading in found
        if heading.level <= depth
    )
    return f'<nav aria-label="Contents"><ol>\n{entries}\n</ol></nav>\n' if entries else ""


def _block(block: Block, label: Labels, headings: Iterator[int]) -> str:
    match block:
        case Heading():
            level = block.level + 1
            return f'<h{level} id="section-{next(headings)}">{_text(block.text)}</h{level}>'
        case Paragraph():
            kind = ' class="lead"' if block.lead else ""
            return f"<p{kind}>{_text(block.text)}</p>"
        case Bullets():
            return _bullets(block)
        case Table():
            return _table(block, label[block])
        case KeyValues():
            return _facts(block, label[block])
        case Picture():
            return _picture(block, label)
        case Row():
            return f'<div class="row">{"".join(_picture(one, label) for one in block.pictures)}</div>'


def _bullets(block: Bullets) -> str:
    items = [_text(item) for item in block.items]
    if block.addresses:
        links = (f'<a href="{_text(address)}">{_text(address)}</a>' for address in block.addresses)
        items = [f"{item} {link}" for item, link in zip(items, links, strict=True)]
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _table(table: Table, label: str) -> str:
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
    return _captioned(table, label, f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}{empty}</tbody>", notes)


def _facts(block: KeyValues, label: str) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_text(name)}</th><td>{_text(value)}</td></tr>\n' for name, value in block.items
    )
    return _captioned(block, label, f"<tbody>{rows}</tbody>")


def _captioned(block: Table | KeyValues, label: str, body: str, notes: str = "") -> str:
    """A table, its caption and its notes; it scrolls within itself, also with the keyboard, where a screen is too narrow."""
    name = f"{label}. {_text(block.caption)}"
    return (
        f'<div class="table"><p class="caption">{name}</p>\n<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        f'<table aria-label="{name}">\n{body}</table></div>{notes}</div>'
    )


def _picture(picture: Picture, label: Labels) -> str:
    data = base64.b64encode(svg(picture.draw)).decode("ascii")
    return (
        f'<figure><img alt="{_text(picture.alt)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{label[picture]}. {_text(picture.caption)}</figcaption></figure>"
    )
