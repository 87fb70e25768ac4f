"""PDF files, made by `typesetting` too, read back with pypdf."""

import io
import re
import sys
from collections.abc import Callable

import pytest
from pypdf import PdfReader

from pneumo_core.evaluation.wording import NAMES, estimate_text
from pneumo_core.records import Metric
from pneumo_core.reference import FINDINGS, PUBLISHED
from pneumo_core.reporting.comparison_document import comparison_document
from pneumo_core.reporting.document import Bullets, Document, Heading, KeyValues, Paragraph, Table, labels, pictures
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


@pytest.fixture(scope="module")
def of_one_run(one_run: Compared) -> tuple[Document, bytes]:
    document = document_of(one_run)
    return document, to_pdf(document)


@pytest.fixture(scope="module")
def of_three_runs(three_runs: Compared) -> tuple[Document, bytes]:
    document = document_of(three_runs)
    return document, to_pdf(document)


def test_pdf_holds_every_figure_and_picture(three_runs: Compared, of_three_runs: tuple[Document, bytes]) -> None:
    document, pdf = of_three_runs
    pages = read(pdf)
    text = " ".join(pages)
    comparison = three_runs.comparison
    assert comparison.verdict.sentence.replace("\N{NO-BREAK SPACE}", " ") in pages[0].replace("\N{NO-BREAK SPACE}", " ")
    for metric in Metric:
        for side in (comparison.a, comparison.b):
            assert f"{NAMES[metric]}" in text
            assert estimate_text(metric, side.figures[metric]) in text
    for block, label in labels(document).items():
        assert f"{label}. {block.caption}".replace("\N{NO-BREAK SPACE}", " ")[:50] in text.replace(
            "\N{NO-BREAK SPACE}", " "
        )
    for number, page in enumerate(pages, start=1):
        assert f"page {number} of {len(pages)}" in page
        assert "Comparison of chest X-ray classifiers" in page
        assert " ".join(page.split()).count("Comparison of chest X-ray classifiers") == 1
        assert "Not a medical device" in page


def test_pages_are_a4_and_figures_are_drawn_in_lines_with_a_description(of_one_run: tuple[Document, bytes]) -> None:
    document, pdf = of_one_run
    reader = PdfReader(io.BytesIO(pdf))
    for page in reader.pages:
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx(A4, abs=0.1)
        assert list(page.images) == []
    described = [value["/Alt"] for value in map(reader.get_object, range(1, reader.trailer["/Size"])) if has_alt(value)]
    assert [picture.alt for picture in pictures(document)] == described


def has_alt(value: object) -> bool:
    return isinstance(value, dict) and value.get("/S") == "/Figure"


def filled(pdf: bytes) -> list[float]:
    """Share of each page's height, from the head on, that its text reaches down to; the foot's line is left out."""
    found = []
    for page in PdfReader(io.BytesIO(pdf)).pages:
        lowest = A4[1]

        def visit(text: str, matrix: list[float], own: list[float], *_: object) -> None:
            nonlocal lowest
            y = own[5] * matrix[3] + matrix[5]
            if text.strip() and y > 60:
                lowest = min(lowest, y)

        page.extract_text(visitor_text=visit)
        found.append((A4[1] - lowest) / (A4[1] - 60))
    return found


def test_no_page_but_the_last_is_half_empty(
    of_one_run: tuple[Document, bytes], of_three_runs: tuple[Document, bytes]
) -> None:
    for _, pdf in (of_one_run, of_three_runs):
        shares = filled(pdf)
        assert len(shares) > 5
        assert min(shares[:-1]) > 0.5


def test_contents_lead_to_each_section(of_one_run: tuple[Document, bytes]) -> None:
    document, pdf = of_one_run
    reader = PdfReader(io.BytesIO(pdf))
    sections = [block.text for block in document.blocks if isinstance(block, Heading)]
    assert [entry.title for entry in reader.outline] == sections
    targets = {str(annotation.get_object()["/Dest"]) for annotation in reader.pages[0]["/Annots"]}
    assert len(targets) == len(sections)
    first = read(pdf)[0]
    for entry in reader.outline:
        page = reader.get_destination_page_number(entry) + 1
        assert re.search(rf"{re.escape(entry.title)}\W*{page}\b", first), entry.title


def test_links_lead_to_the_app_and_to_sources_and_are_none_without_addresses() -> None:
    links = (("Compare A with B", "https://app.example/compare?a=1&b=2"), ("Evaluate 1", "http://h/evaluate?run=1"))
    found = addresses(to_pdf(Document("T", "S", (Paragraph("text"),), links)))
    assert found == [address for _, address in links]
    cited = Bullets(("one:", "two:"), ("https://doi.org/1", "https://doi.org/2"))
    assert addresses(to_pdf(Document("T", "S", (cited,)))) == list(cited.addresses)
    assert addresses(to_pdf(Document("T", "S", (Paragraph("text"),)))) == []


def addresses(pdf: bytes) -> list[str]:
    """Where links of a file lead outside of it."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    found = [annotation.get_object() for page in pages for annotation in page.get("/Annots", ())]
    return [action["/URI"] for one in found if (action := one.get("/A", {})).get("/S") == "/URI"]


def test_same_content_gives_the_same_bytes(of_one_run: tuple[Document, bytes]) -> None:
    document, pdf = of_one_run
    assert to_pdf(document) == pdf


def test_typst_keeps_what_it_has_laid_out_in_a_process_that_ends(of_one_run: tuple[Document, bytes]) -> None:
    assert of_one_run[1].startswith(b"%PDF")
    assert "typst" not in sys.modules


def test_long_table_breaks_over_pages_under_its_headings() -> None:
    rows = tuple((f"row-{number}", "x") for number in range(200))
    pages = read(to_pdf(Document("T", "", (Table("t", "caption", ("first column", "second"), rows),))))
    assert len(pages) == 3
    assert all("first column second" in page for page in pages)
    found = re.findall(r"row-(\d+)", " ".join(pages))
    assert found == [str(number) for number in range(200)]


def test_cell_higher_than_a_page_and_word_wider_than_it_are_broken() -> None:
    rows = (("a", " ".join(f"w{number}" for number in range(4000))), ("b", "x" * 400))
    pdf = to_pdf(
        Document("T " + "very long title " * 40, "", (Table("t", "c", ("k", "v"), rows), Paragraph("y" * 900)))
    )
    text = " ".join(read(pdf))
    assert "\N{ZERO WIDTH SPACE}" not in text
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
    lines = [
        line.replace("\N{NO-BREAK SPACE}", " ").strip() for _, _, text in placed(pdf) for line in text.splitlines()
    ]
    assert {"< .001", "1.85 GB", "90.3 %"} <= set(lines)
    assert lines.count("< .001") == 2


def test_hostile_names_are_text(make_compared: Callable[..., Compared]) -> None:
    compared = make_compared(1, (HOSTILE, "=cmd()"))
    pdf = to_pdf(document_of(compared))
    assert "<script>alert(1)</script>" in read(pdf)[0]
    assert set(addresses(pdf)) == {one.url for one in (*PUBLISHED, *FINDINGS)}
    reader = PdfReader(io.BytesIO(pdf))
    every = [str(reader.get_object(number)) for number in range(1, reader.trailer["/Size"])]
    assert any("/Link" in one for one in every)
    for forbidden in ("'/JavaScript'", "'/JS'", "'/Launch'"):
        assert not any(forbidden in one for one in every)


def test_signs_of_the_font_are_shown_and_others_marked() -> None:
    (page,) = read(to_pdf(Document("Ärzte", "Δ ≤ ½ → ± ·", (Paragraph("肺炎 \U0001f600 end"),))))
    assert "Ärzte" in page
    assert "Δ ≤ ½ → ± ·" in page
    assert "\ufffd\ufffd \U0001f600 end" in page


def test_headings_are_bookmarks() -> None:
    text = Paragraph("a line of text " * 600)
    blocks = (Heading("One"), Heading("Inside", 2), text, Heading("Two"), Bullets(("a", "b")))
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
