"""A document as PDF on A4: page numbers, the title as header, tables over several pages with repeated column headings."""

import io
import re
from html import escape
from typing import Any, Final

from reportlab.lib.fonts import addMapping
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader, simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Image, SimpleDocTemplate, Spacer
from reportlab.platypus import PageBreak as NewPage
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid
from reportlab.platypus.flowables import CallerMacro

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
from pneumo_core.reporting.drawing import BOLD, DPI, LOCK, REGULAR, drawable, font_path, png

_FONT: Final = "DejaVuSans"
_BOLD: Final = "DejaVuSans-Bold"
_MARGIN: Final = 48.0
"""Points around the text: 17 mm."""
_WIDTH: Final = 595.27 - 2 * _MARGIN
"""Points, of A4's width."""
_HEIGHT: Final = 841.89 - 2 * _MARGIN - 24.0
"""Points, of A4's height, less the head's and the foot's lines."""
_SMALLEST: Final = 6.0
"""Smallest font size in points, for tables with many columns."""
_PADDING: Final = 6.0
_LONG: Final = 1000
"""Characters of a cell that may be higher than a page, in the narrowest column."""
_ACCENT: Final = "#0B6B64"
_BREAK: Final = re.compile(r"[ \t\r\n]+")
"""Positions of line breaks; `str.split` would also split at a no-break space."""
_INSIDE: Final = re.compile(r"(?<=[<>]) (?=[.\d])|(?<=\d) (?=(%|s|min|h|[kMG]?B)(\W|$))")
"""Spaces inside a number: between its sign or its unit and its digits."""
_TOTAL: Final = "pages"
"""Name of the placeholder for the number of pages, which is known only at the end."""


def to_pdf(document: Document) -> bytes:
    """A document as PDF; the same content gives the same bytes."""
    file = io.BytesIO()
    with LOCK:
        _register_fonts()
        template = SimpleDocTemplate(
            file,
            pagesize=(595.27, 841.89),
            leftMargin=_MARGIN - 6,  # A frame has 6 points of padding.
            rightMargin=_MARGIN - 6,
            topMargin=_MARGIN + 6,
            bottomMargin=_MARGIN + 6,
            title=drawable(document.title),
            author="",
            creator="",
            lang="en",
            invariant=1,  # No date and no random ids.
        )
        frame = _frame_of(drawable(document.title))
        template.build(_story(document), onFirstPage=frame, onLaterPages=frame)
    return file.getvalue()


def _register_fonts() -> None:
    for name, file, bold in ((_FONT, REGULAR, 0), (_BOLD, BOLD, 1)):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(font_path(file))))
            for italic in (0, 1):
                addMapping(_FONT, bold, italic, name)


def _frame_of(title: str) -> Any:
    def frame(canvas: Any, _: Any) -> None:
        canvas.saveState()
        canvas.setFont(_FONT, 7.5)
        canvas.setFillColor("#4B5563")
        top, bottom = 841.89 - _MARGIN + 6, _MARGIN - 8
        lines = simpleSplit(title, _FONT, 7.5, _WIDTH - 12)
        canvas.drawString(_MARGIN, top, lines[0] + (" …" if len(lines) > 1 else "") if lines else "")
        canvas.drawString(_MARGIN, bottom, "Research and education only. Not a medical device.")
        canvas.drawRightString(_MARGIN + _WIDTH - 18, bottom, f"page {canvas.getPageNumber()} of")
        canvas.translate(_MARGIN + _WIDTH - 15, bottom)
        canvas.doForm(_TOTAL)
        canvas.translate(-_MARGIN - _WIDTH + 15, -bottom)
        canvas.setStrokeColor("#D1D5DB")
        canvas.setLineWidth(0.5)
        canvas.line(_MARGIN, top - 5, _MARGIN + _WIDTH, top - 5)
        canvas.restoreState()

    return frame


def _story(document: Document) -> list[Any]:
    story: list[Any] = [_text(document.title, "title"), _text(document.subtitle, "subtitle"), Spacer(0, 8)]
    made = [_flowables(block, f"block-{place}") for place, block in enumerate(document.blocks)]
    for place, (block, flowables) in enumerate(zip(document.blocks, made, strict=True)):
        if isinstance(block, Heading):
            # A heading is kept with the start of its content, so that it is not alone at the foot of a page.
            needed, following = _room(flowables), place + 1
            while following < len(made):
                needed += _start(document.blocks[following], made[following])
                if not isinstance(document.blocks[following], Heading):
                    break
                following += 1
            story.append(CondPageBreak(min(needed, _HEIGHT - 1)))
        elif isinstance(block, Table | KeyValues | Picture):
            story.append(CondPageBreak(min(_start(block, flowables), _HEIGHT - 1)))
        story += flowables

    def total(flowable: Any) -> None:
        canvas = flowable.canv
        pages = str(canvas.getPageNumber())
        canvas.beginForm(_TOTAL, 0, -2, 15, 8)
        canvas.setFont(_FONT, 7.5)
        canvas.setFillColor("#4B5563")
        canvas.drawString(0, 0, pages)
        canvas.endForm()

    return [*story, CallerMacro(drawCallable=total)]


def _room(flowables: list[Any]) -> float:
    """Total height of flowables, in points."""
    return sum(
        float(flowable.wrap(_WIDTH, _HEIGHT)[1] + flowable.getSpaceBefore() + flowable.getSpaceAfter())
        for flowable in flowables
    )


def _start(block: Block, flowables: list[Any]) -> float:
    """Minimum height at which a block may start: a table's caption and first rows, a whole picture."""
    if isinstance(block, PageBreak):
        return 0.0
    whole = _room(flowables)
    return min(whole, 130.0) if isinstance(block, Table | KeyValues | Paragraph | Bullets) else whole


def _flowables(block: Block, key: str) -> list[Any]:
    match block:
        case Heading():
            return [_bookmark(block, key), _text(block.text, f"heading{block.level}")]
        case Paragraph():
            return [_lead(block.text) if block.lead else _text(block.text, "body")]
        case Bullets():
            return [_text(item, "item", bullet="•") for item in block.items]
        case Table():
            body = _table(block.columns, block.rows, numeric_columns(block))
            return [_text(block.caption, "caption"), body, *(_text(note, "note") for note in block.notes), _space()]
        case KeyValues():
            return [_text(block.caption, "caption"), _table((), block.items, (False, False)), _space()]
        case Picture():
            return [_image(block), _text(block.caption, "note"), _space()]
        case PageBreak():
            return [NewPage()]


def _space() -> Any:
    return Spacer(0, 8)


def _styles() -> dict[str, Any]:
    def style(name: str, size: float, *, bold: bool = False, color: str = "#111827", **settings: Any) -> Any:
        font = _BOLD if bold else _FONT
        return ParagraphStyle(name, fontName=font, fontSize=size, leading=1.35 * size, textColor=color, **settings)

    made = (
        style("title", 18, bold=True, spaceAfter=3),
        style("subtitle", 9.5, color="#4B5563"),
        style("heading1", 13.5, bold=True, spaceBefore=12, spaceAfter=4, color=_ACCENT),
        style("heading2", 11, bold=True, spaceBefore=9, spaceAfter=3),
        style("heading3", 9.5, bold=True, spaceBefore=7, spaceAfter=2),
        style("body", 9, spaceAfter=5),
        style("lead", 10.5),
        style("item", 9, leftIndent=12, bulletIndent=2, spaceAfter=2),
        style("caption", 8.5, bold=True, spaceBefore=5, spaceAfter=2),
        style("note", 7.5, color="#4B5563", spaceBefore=2),
    )
    return {one.name: one for one in made}


def _text(text: str, style: str, bullet: str | None = None) -> Any:
    return Text(escape(drawable(text)), _styles()[style], bulletText=bullet)


def _bookmark(heading: Heading, key: str) -> Any:
    """An entry of the outline, without height."""

    def mark(flowable: Any) -> None:
        flowable.canv.bookmarkPage(key)
        flowable.canv.addOutlineEntry(drawable(heading.text), key, level=heading.level - 1)

    return CallerMacro(drawCallable=mark)


def _lead(text: str) -> Any:
    style = [
        ("BACKGROUND", (0, 0), (-1, -1), "#F3F4F6"),
        ("LINEBEFORE", (0, 0), (0, -1), 3, _ACCENT),
        ("TOPPADDING", (0, 0), (-1, -1), 7),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
        ("LEFTPADDING", (0, 0), (-1, -1), 10),
    ]
    return Grid([[_text(text, "lead")]], colWidths=[_WIDTH], style=style, spaceAfter=6, splitInRow=1)


def _table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], numeric: tuple[bool, ...]) -> Any:
    count = len(columns) or 2
    shown = [tuple(map(_unbroken, map(drawable, row))) for row in rows] or [("nothing to list", *[""] * (count - 1))]
    head = [tuple(map(drawable, columns))] if columns else []
    size, widths = _fitted([*head, *shown])

    def cells(row: tuple[str, ...], font: str) -> list[Any]:
        def style(right: bool) -> Any:
            return ParagraphStyle(
                "cell", fontName=font, fontSize=size, leading=1.25 * size, alignment=2 if right else 0
            )

        return [Text(escape(text), style(right)) for text, right in zip(row, numeric, strict=True)]

    body = [*(cells(row, _BOLD) for row in head), *(cells(row, _FONT) for row in shown)]
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, "#D1D5DB"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ]
    if head:
        style.append(("LINEBELOW", (0, 0), (-1, 0), 1.0, "#6B7280"))
    # Rows are split only if they may not fit a page, because the parts of such a table lose their position.
    long = any(len(text) > _LONG for row in shown for text in row)
    return Grid(body, colWidths=widths, repeatRows=len(head), style=style, splitInRow=int(long), hAlign="LEFT")


def _unbroken(text: str) -> str:
    """A cell whose numbers stay with their signs and units on one line."""
    return _INSIDE.sub("\N{NO-BREAK SPACE}", text)


def _fitted(rows: list[tuple[str, ...]]) -> tuple[float, list[float]]:
    """Font size and widths of the columns, in points, so that all columns fit the page.

    A column gets the width of its longest word, if possible, and a part of the remaining width by its longest text.
    """

    def widths(size: float, split: bool) -> list[float]:
        def width(text: str) -> float:
            parts = _BREAK.split(text) if split else [text]
            return max((float(pdfmetrics.stringWidth(part, _BOLD, size)) for part in parts), default=0.0)

        return [max(map(width, column)) + _PADDING + 1 for column in zip(*rows, strict=True)]

    size = 8.0
    while sum(widths(size, split=True)) > _WIDTH and size > _SMALLEST:
        size -= 0.5
    whole, words = widths(size, split=False), widths(size, split=True)
    if sum(whole) <= _WIDTH:
        return size, whole
    share = _WIDTH / len(whole)
    if sum(words) > _WIDTH:  # Words must be split: no column takes more than the narrow columns leave.
        narrow = sum(word for word in words if word <= share)
        broad = sum(1 for word in words if word > share)
        return size, [word if word <= share else (_WIDTH - narrow) / broad for word in words]
    free = _WIDTH - sum(words)
    wants = [min(text, 0.6 * _WIDTH) - min(word, 0.6 * _WIDTH) for text, word in zip(whole, words, strict=True)]
    return size, [word + free * want / (sum(wants) or 1.0) for word, want in zip(words, wants, strict=True)]


def _image(picture: Picture) -> Any:
    data = png(picture.draw)
    pixels = ImageReader(io.BytesIO(data)).getSize()
    width, height = (72.0 * side / DPI for side in pixels)
    scale = min(1.0, _WIDTH / width, 0.8 * _HEIGHT / height)
    return Image(io.BytesIO(data), width=scale * width, height=scale * height, hAlign="LEFT")
