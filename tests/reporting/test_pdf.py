"""PDF files read back with pypdf."""

import io
import re
from collections.abc import Callable

import pytest
from pypdf import PdfReader

from pneumo_core.evaluation.wording import NAMES, estimate_text
from pneumo_core.records import Metric
from pneumo_core.reporting.comparison_document import comparison_document
from pneumo_core.reporting.document import Bullets, Document, Heading, KeyValues, PageBreak, Paragraph, Table
from pneumo_core.reporting.pdf import to_pdf
from pneumo_core.reporting.study_document import Compared
from tests.reporting.conftest import HOSTILE

A4 = (595.27, 841.89)


def read(pdf: bytes) -> list[str]:
    """Text of each page, white space as one space."""
    return [re.sub(r"\s+", " ", page.extract_text()) for page in PdfReader(io.BytesIO(pdf)).pages]


def placed(pdf: bytes) -> list[tuple[float, float, str]]:
    """Where each piece of text begins, in points from the lower left."""
    found: list[tuple[float, float, str]] = []

    def visit(text: str, matrix: list[float], own: list[float], *_: object) -> None:
        if text.strip() and own[4] + matrix[4]:  # The number of pages is a drawing with its own origin.
            found.append((own[4] * matrix[0] + matrix[4], own[5] * matrix[3] + matrix[5], text))

    for page in PdfReader(io.BytesIO(pdf)).pages:
        page.extract_text(visitor_text=visit)
    return found


def document_of(compared: Compared) -> Document:
    return comparison_document(compared.comparison, compared.facts_a, compared.facts_b)


def test_pdf_holds_every_figure_and_picture(three_runs: Compared) -> None:
    pdf = to_pdf(document_of(three_runs))
    pages = read(pdf)
    text = " ".join(pages)
    comparison = three_runs.comparison
    assert comparison.verdict.sentence.replace("\N{NO-BREAK SPACE}", " ") in pages[0].replace("\N{NO-BREAK SPACE}", " ")
    for metric in Metric:
        for side in (comparison.a, comparison.b):
            assert f"{NAMES[metric]}" in text
            assert estimate_text(metric, side.figures[metric]) in text
    assert sum(len(page.images) for page in PdfReader(io.BytesIO(pdf)).pages) == 10
    for number, page in enumerate(pages, start=1):
        assert f"page {number} of {len(pages)}" in page
        assert "Comparison of chest X-ray classifiers" in page
        assert "Not a medical device" in page


def test_pages_are_a4_with_pictures_sharp_and_inside(one_run: Compared) -> None:
    reader = PdfReader(io.BytesIO(to_pdf(document_of(one_run))))
    for page in reader.pages:
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx(A4, abs=0.1)
        content = page.get_contents()
        assert content is not None
        drawn = re.findall(rb"([\d.]+) 0 0 ([\d.]+) 0 0 cm\s*/FormXob\.\w+ Do", content.get_data())
        for (width, height), image in zip(drawn, page.images, strict=True):
            assert float(width) <= A4[0] - 96
            assert float(height) <= A4[1] - 96
            assert image.image is not None
            assert image.image.width / float(width) * 72 >= 199


def test_same_content_gives_the_same_bytes(one_run: Compared) -> None:
    assert to_pdf(document_of(one_run)) == to_pdf(document_of(one_run))


def test_long_table_breaks_over_pages_under_its_headings() -> None:
    rows = tuple((f"row-{number}", "x") for number in range(200))
    pages = read(to_pdf(Document("T", "", (Table("t", "caption", ("first column", "second"), rows),))))
    assert len(pages) > 3
    assert all("first column second" in page for page in pages)
    found = re.findall(r"row-(\d+)", " ".join(pages))
    assert found == [str(number) for number in range(200)]


def test_cell_higher_than_a_page_and_word_wider_than_it_are_broken() -> None:
    rows = (("a", " ".join(f"w{number}" for number in range(4000))), ("b", "x" * 400))
    pdf = to_pdf(
        Document("T " + "very long title " * 40, "", (Table("t", "c", ("k", "v"), rows), Paragraph("y" * 900)))
    )
    text = " ".join(read(pdf))
    assert re.findall(r"w(\d+)", text) == [str(number) for number in range(4000)]
    assert text.count("x") == 400
    assert text.count("y") - (text.count("very long")) >= 900
    assert all(40 <= x < A4[0] - 40 for x, _, _ in placed(pdf))


def test_many_columns_stay_on_the_page() -> None:
    columns = tuple(f"column {number}" for number in range(14))
    pdf = to_pdf(Document("T", "", (Table("t", "c", columns, (tuple(f"value-{n:09d}" for n in range(14)),)),)))
    assert all(x < A4[0] - 45 for x, _, _ in placed(pdf))
    assert "000000013" in "".join(read(pdf)).replace(" ", "")


def test_numbers_stay_on_one_line_with_their_signs_and_units() -> None:
    row = ("a long reason " * 12, "<\N{NO-BREAK SPACE}.001", "1.85 GB", "90.3 %", "< .001")
    pdf = to_pdf(Document("T", "", (Table("t", "c", ("k", "p", "memory", "share", "q"), (row,)),)))
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for _, _, text in placed(pdf) for line in text.splitlines()]
    assert {"< .001", "1.85 GB", "90.3 %"} <= set(lines)
    assert lines.count("< .001") == 2


def test_hostile_names_are_text(make_compared: Callable[..., Compared]) -> None:
    compared = make_compared(1, (HOSTILE, "=cmd()"))
    pdf = to_pdf(document_of(compared))
    assert "<script>alert(1)</script>" in read(pdf)[0]
    outside_streams = re.sub(
        rb"\bstream\b.*?\bendstream\b", b"", pdf, flags=re.DOTALL
    )  # Compressed bytes may spell anything.
    for forbidden in (b"/JavaScript", b"/JS", b"/Launch", b"/URI"):
        assert forbidden not in outside_streams


def test_signs_of_the_font_are_shown_and_others_marked() -> None:
    (page,) = read(to_pdf(Document("Ärzte", "Δ ≤ ½ → ± ·", (Paragraph("肺炎 \U0001f600 end"),))))
    assert "Ärzte" in page
    assert "Δ ≤ ½ → ± ·" in page
    assert "\ufffd\ufffd \ufffd end" in page


def test_headings_are_bookmarks() -> None:
    blocks = (Heading("One"), Heading("Inside", 2), PageBreak(), Heading("Two"), Bullets(("a", "b")))
    reader = PdfReader(io.BytesIO(to_pdf(Document("T", "", blocks))))
    one, inside, two = reader.outline
    assert (one.title, inside[0].title, two.title) == ("One", "Inside", "Two")
    assert [reader.get_destination_page_number(entry) for entry in (one, two)] == [0, 1]


def test_heading_does_not_stand_alone_at_the_foot() -> None:
    for count in range(30, 50):
        blocks = (*(Paragraph(f"line {n}") for n in range(count)), Heading("HEAD"), Paragraph("its text " * 30))
        for page in read(to_pdf(Document("T", "", blocks))):
            assert ("HEAD" in page) == ("HEAD its text" in page)


def test_empty_parts() -> None:
    blocks = (Table("t", "empty", ("a", "b"), ()), KeyValues("k", "none", ()), Bullets(()), Paragraph(""))
    (page,) = read(to_pdf(Document("", "", blocks)))
    assert page.count("nothing to list") == 2
