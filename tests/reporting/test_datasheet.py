"""A data set's datasheet: what it is made of, where it is from as far as that is known, and its audit."""

import re
from pathlib import Path

import pytest

from pneumo_core.data.anatomy import blocks, cases
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.inference.audited import all_checks, measured
from pneumo_core.reporting.datasheet import datasheet
from pneumo_core.reporting.document import Document, KeyValues, Table
from pneumo_core.reporting.html import to_html
from tests.data.image_files import write_data_set


def sheet(index: DataIndex) -> Document:
    found = measured(index)
    return datasheet(index, all_checks(index, found), found.shift, found.opponent)


def tables(document: Document) -> dict[str, Table]:
    return {block.name: block for block in document.blocks if isinstance(block, Table)}


@pytest.fixture
def index(tmp_path: Path) -> DataIndex:
    root = write_data_set(tmp_path / "set")
    (root / "train/COVID").mkdir()
    (root / "train/COVID/a.png").write_bytes((root / "test/NORMAL/IM-0003-0001.png").read_bytes())
    return build_index(root)


def test_it_counts_what_is_there(index: DataIndex) -> None:
    document = sheet(index)
    found = tables(document)
    assert found["counts"].rows[0] == ("train", "4", "5", "3", "2", "0", "8")
    assert len(found["blocks"].rows) == len(blocks(cases(index.table)))
    assert found["left_out"].rows[0][:3] == ("train/COVID/", "1", "'COVID' is no split and no class")
    facts = next(dict(block.items) for block in document.blocks if isinstance(block, KeyValues))
    assert (facts["images"], facts["labels from"]) == (str(len(index.table)), "folders")
    assert int(facts["bytes"].replace(",", "")) == sum(
        path.stat().st_size for path in index.root.glob("t*/[NP]*/*")
    ) + sum(path.stat().st_size for path in index.root.glob("val/*/*"))


def test_where_other_images_are_from_is_not_known(index: DataIndex) -> None:
    text = to_html(sheet(index))
    assert "Not recorded in the files" in text
    assert "Guangzhou" not in text


def test_phantoms_are_drawn_by_a_program(tiny_data: Path) -> None:
    text = re.sub(r"\s+", " ", to_html(sheet(build_index(tiny_data))))
    assert "Drawn by a program. No person is shown" in text
    assert "Guangzhou" not in text
    assert "synthetic phantoms" in text


def test_every_check_is_in_it(tiny_data: Path) -> None:
    index = build_index(tiny_data)
    document = sheet(index)
    shown = {row[1] if name == "found" else row[0] for name, table in tables(document).items() for row in table.rows}
    assert {check.code for check in all_checks(index, measured(index))} <= shown
    assert "Shift from train to test" in to_html(document)


def test_the_official_images_have_their_source(measured_real_index: DataIndex) -> None:
    text = to_html(sheet(measured_real_index))
    assert "Guangzhou" in text
    assert "CC BY 4.0" in text
    assert {"shift_normal", "shift_pneumonia", "opponent"} <= set(tables(sheet(measured_real_index)))
