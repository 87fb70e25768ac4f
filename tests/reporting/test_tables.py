"""A document's files."""

import csv
import io
import json
from xml.etree import ElementTree

import pytest

from pneumo_core.evaluation.plain import encode
from pneumo_core.evaluation.verdict import figure_p
from pneumo_core.records import Estimate, Metric
from pneumo_core.reporting.comparison_document import comparison_document
from pneumo_core.reporting.document import Data, Table, pictures, table_csv, tables
from pneumo_core.reporting.study_document import Compared
from pneumo_core.reporting.tables import files


@pytest.fixture(scope="module")
def made(one_run: Compared) -> dict[str, bytes]:
    document = comparison_document(one_run.comparison, one_run.facts_a, one_run.facts_b)
    return files(document, "stem", encode(one_run.comparison))


def test_there_is_a_file_for_each_part(made: dict[str, bytes], one_run: Compared) -> None:
    document = comparison_document(one_run.comparison, one_run.facts_a, one_run.facts_b)
    expected = {"stem.html", "stem.pdf", "stem.json"}
    expected |= {f"tables/stem-{table.name}.csv" for table in tables(document)}
    expected |= {f"figures/stem-{picture.name}.{kind}" for picture in pictures(document) for kind in ("svg", "png")}
    assert made.keys() == expected
    assert made["stem.pdf"].startswith(b"%PDF")
    for name, data in made.items():
        if name.endswith(".svg"):
            ElementTree.fromstring(data)
        elif name.endswith(".png"):
            assert data.startswith(b"\x89PNG")


def test_table_of_figures_has_the_numbers_in_full(made: dict[str, bytes], one_run: Compared) -> None:
    rows = list(csv.DictReader(io.StringIO(made["tables/stem-figures.csv"].decode(), newline="")))
    assert [row["figure"] for row in rows] == [metric.value for metric in Metric]
    for metric, row in zip(Metric, rows, strict=True):
        difference = one_run.comparison.differences[metric]
        for name, estimate in (("a", one_run.comparison.a.figures[metric]), ("difference", difference.estimate)):
            assert isinstance(estimate, Estimate)
            told = (float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]), int(row[f"{name}_n"]))
            assert told == (estimate.value, estimate.low, estimate.high, estimate.n)
        assert float(row["p"]) == figure_p(one_run.comparison, metric)


def test_json_is_the_comparison(made: dict[str, bytes], one_run: Compared) -> None:
    assert json.loads(made["stem.json"]) == json.loads(json.dumps(encode(one_run.comparison)))
    assert {"mcnemar", "delong"} <= json.loads(made["stem.json"]).keys()


def test_without_numbers_behind_it_a_table_is_its_texts() -> None:
    assert table_csv(Table("t", "c", ("a", "b"), (('say "x", y', "2"),))) == 'a,b\r\n"say ""x"", y",2\r\n'


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("+cmd", "'+cmd"),
        ("-x", "'-x"),
        ("\t=1", "'\t=1"),
        ("-0.5", "-0.5"),
        ("+.3 (-.1 to .5)", "+.3 (-.1 to .5)"),
        ("+1.3 (\N{MINUS SIGN}3.4 to +0.8)", "+1.3 (\N{MINUS SIGN}3.4 to +0.8)"),
        ("+12 %", "+12 %"),
        ("-1+cmd|' /C calc'!A0.png", "'-1+cmd|' /C calc'!A0.png"),
        ('+1.5*HYPERLINK("http://a/b")', '\'+1.5*HYPERLINK("http://a/b")'),
        (-0.5, "-0.5"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula(cell: str | float | None, written: str) -> None:
    text = table_csv(Table("t", "c", ("a", "b"), (), data=Data(("a", "b"), ((cell, "x"),))))
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [written, "x"]
