"""HTML read back with the standard library's parser."""

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise

from matplotlib.figure import Figure

from pneumo_core.evaluation.wording import estimate_text
from pneumo_core.records import Estimate, Metric
from pneumo_core.reference import FINDINGS, PUBLISHED
from pneumo_core.reporting.comparison_document import comparison_document
from pneumo_core.reporting.document import Bullets, Document, Heading, KeyValues, Paragraph, Picture, Row, Table
from pneumo_core.reporting.html import to_html
from pneumo_core.reporting.study_document import Compared
from tests.reporting.conftest import HOSTILE

VOID = {"meta", "img", "br"}


class Read(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(compared: Compared) -> str:
    return to_html(comparison_document(compared.comparison, compared.facts_a, compared.facts_b))


def test_page_needs_nothing_else_and_runs_nothing(three_runs: Compared) -> None:
    page = page_of(three_runs)
    read = Read(page)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in read.tags}
    inside = [attributes["href"] for attributes in read.of("a")]
    assert {address for address in inside if not (address or "").startswith("#")} == {
        one.url for one in (*PUBLISHED, *FINDINGS)
    }
    addresses = [value for _, attributes in read.tags for name, value in attributes.items() if name == "src"]
    assert len(addresses) == len(read.of("img")) == 10
    assert all(address and address.startswith("data:image/svg+xml;base64,") for address in addresses)
    assert not re.search(r"url\(|@import", page)
    for address in filter(None, addresses):
        drawing = base64.b64decode(address.partition(",")[2]).decode()
        assert "<svg" in drawing
        assert not re.search(r"""(href|src)="(?!#)|<script""", drawing)


def test_page_is_accessible(three_runs: Compared) -> None:
    read = Read(page_of(three_runs))
    assert read.of("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(attributes["aria-label"] for attributes in read.of("table"))
    assert all(attributes["scope"] in {"col", "row"} for attributes in read.of("th"))
    assert all(attributes["alt"] for attributes in read.of("img"))


def test_page_holds_every_figure_and_the_verdict(three_runs: Compared) -> None:
    words = " ".join(Read(page_of(three_runs)).words)
    comparison = three_runs.comparison
    assert comparison.verdict.sentence in words
    for side in (comparison.a, comparison.b):
        for metric in Metric:
            assert isinstance(side.figures[metric], Estimate)
            assert estimate_text(metric, side.figures[metric]) in words
    assert all(run.run_id in words for run in (*three_runs.facts_a, *three_runs.facts_b))


def test_hostile_names_are_text(make_compared: Callable[..., Compared]) -> None:
    page = page_of(make_compared(1, (HOSTILE, "B")))
    read = Read(page)
    assert "script" not in {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert "\x00" not in page
    assert "\x1b" not in page
    assert "肺炎 ü" in "".join(read.words)
    assert "<script>alert(1)</script>" in "".join(read.words)


def test_each_block_is_its_elements() -> None:
    blocks = (
        Heading("H"),
        Paragraph("P", lead=True),
        Bullets(("1", "2")),
        Bullets(("<3>",), ("https://x.org/?a&b",)),
        Table("t", "C", ("a", "n"), (("x", "0.5"), ("y", "0.25")), notes=("N",)),
        KeyValues("k", "K", (("b", "c"),)),
        Row((Picture("p", "PC", "PA", Figure), Picture("q", "QC", "QA", Figure))),
        Heading("H2"),
        Heading("Inside", 2),
        Heading("H3"),
    )
    body = to_html(Document("T", "S", blocks, (("Compare", "https://h/compare?a=1&b=2"),))).partition("<main>\n")[2]
    body = re.sub(r"base64,[^\"]+", "…", body)
    assert body.splitlines() == [
        "<h1>T</h1>",
        '<p class="subtitle">S</p>',
        '<p>In the app: <a href="https://h/compare?a=1&amp;b=2">Compare</a></p>',
        '<nav aria-label="Contents"><ol>',
        '<li><a href="#section-0">H</a></li>',
        '<li><a href="#section-1">H2</a></li>',
        '<li><a class="inside" href="#section-2">Inside</a></li>',
        '<li><a href="#section-3">H3</a></li>',
        "</ol></nav>",
        '<h2 id="section-0">H</h2>',
        '<p class="lead">P</p>',
        "<ul><li>1</li><li>2</li></ul>",
        '<ul><li>&lt;3&gt; <a href="https://x.org/?a&amp;b">https://x.org/?a&amp;b</a></li></ul>',
        '<div class="table"><p class="caption">Table 1. C</p>',
        '<div class="scroll" tabindex="0" role="region" aria-label="Table 1. C"><table aria-label="Table 1. C">',
        '<thead><tr><th scope="col">a</th><th scope="col" class="number">n</th></tr></thead>',
        '<tbody><tr><th scope="row">x</th><td class="number">0.5</td></tr>',
        '<tr><th scope="row">y</th><td class="number">0.25</td></tr>',
        '</tbody></table></div><p class="notes">N</p></div>',
        '<div class="table"><p class="caption">Table 2. K</p>',
        '<div class="scroll" tabindex="0" role="region" aria-label="Table 2. K"><table aria-label="Table 2. K">',
        '<tbody><tr><th scope="row">b</th><td>c</td></tr>',
        "</tbody></table></div></div>",
        (
            '<div class="row"><figure><img alt="PA" src="data:image/svg+xml;…"><figcaption>Figure 1. PC</figcaption></figure>'
            '<figure><img alt="QA" src="data:image/svg+xml;…"><figcaption>Figure 2. QC</figcaption></figure></div>'
        ),
        '<h2 id="section-1">H2</h2>',
        '<h3 id="section-2">Inside</h3>',
        '<h2 id="section-3">H3</h2>',
        "</main>",
        "</body>",
        "</html>",
    ]


def test_every_block_escapes() -> None:
    blocks = (
        Heading("<b>1"),
        Paragraph("<b>2", lead=True),
        KeyValues("k", '<b>3"', (("<b>4", "<b>5"),)),
        Table("t", '<b>6"', ("<b>7",), (("<b>8",),), notes=("<b>9",)),
        Table("empty", "none", ("a", "b"), ()),
    )
    read = Read(to_html(Document("<b>a", "<b>b", blocks)))
    assert "b" not in {tag for tag, _ in read.tags}
    text = "".join(read.words)
    assert all(f"<b>{sign}" in text for sign in "123456789ab")
    assert "nothing to list" in text


def test_same_content_gives_the_same_page(one_run: Compared) -> None:
    assert page_of(one_run) == page_of(one_run)
