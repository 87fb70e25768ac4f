"""A document's own rules."""

import pytest
from matplotlib.figure import Figure

from pneumo_core.errors import DataError
from pneumo_core.reporting.document import (
    Bullets,
    Data,
    Document,
    Heading,
    KeyValues,
    Picture,
    Row,
    Table,
    contents_depth,
    labels,
    numeric_columns,
    pictures,
    tables,
)


def table(name: str, *rows: tuple[str, ...]) -> Table:
    return Table(name, "caption", ("a", "b"), rows)


def test_row_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match=r"requires 2 cells.*table='t', a row of 1"):
        table("t", ("only",))
    with pytest.raises(DataError, match="requires 1 cells"):
        Table("t", "caption", ("a",), (("x",),), data=Data(("a",), ((1, 2),)))


def test_two_tables_of_one_name_are_refused_facts_among_them() -> None:
    blocks = (table("t"), KeyValues("t", "caption", ()), *[table("s")] * 2)
    with pytest.raises(DataError, match=r"twice=s, t$"):
        Document("title", "", blocks)


@pytest.mark.parametrize("levels", [(2,), (1, 3), (1, 2, 4), (0,)])
def test_heading_that_skips_a_level_is_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="a heading requires a level from 1 to"):
        Document("title", "", tuple(Heading("x", level) for level in levels))


def test_headings_may_rise_by_any_number_of_levels() -> None:
    assert Document("title", "", tuple(Heading("x", level) for level in (1, 2, 3, 1, 2)))


def test_facts_by_name_are_a_table_too() -> None:
    (found,) = tables(Document("title", "", (KeyValues("k", "caption", (("a", "1"),)),)))
    assert found == Table("k", "caption", ("name", "value"), (("a", "1"),))


def test_columns_of_numbers_are_told_from_texts() -> None:
    mixed = Table(
        "t", "c", ("run", "n", "p", "empty", "words"), (("a", "1,234", "<\N{NO-BREAK SPACE}.001", "", "1 of 2"),) * 2
    )
    assert numeric_columns(mixed) == (False, True, True, False, False)


def test_tables_and_figures_are_numbered_each_in_their_order() -> None:
    one, two, three = (Picture(name, "caption", "alt", Figure) for name in "abc")
    facts = KeyValues("k", "caption", ())
    document = Document("title", "", (table("t"), one, Row((two, three)), facts))
    assert list(pictures(document)) == [one, two, three]
    assert labels(document) == {
        table("t"): "Table 1",
        facts: "Table 2",
        one: "Figure 1",
        two: "Figure 2",
        three: "Figure 3",
    }


def test_two_pictures_of_one_name_are_refused_those_in_rows_among_them() -> None:
    one, other = (Picture("p", caption, "alt", Figure) for caption in "ab")
    with pytest.raises(DataError, match="twice=p"):
        Document("title", "", (one, Row((other,))))


@pytest.mark.parametrize(("sections", "inside", "depth"), [(3, 0, 0), (4, 0, 2), (4, 14, 2), (4, 15, 1)])
def test_a_table_of_contents_is_there_for_several_sections_and_stays_short(
    sections: int, inside: int, depth: int
) -> None:
    blocks = [Heading("x", level) for _ in range(sections) for level in (1, *[2] * inside)]
    assert contents_depth(Document("title", "", tuple(blocks))) == depth


def test_a_link_leads_to_the_web() -> None:
    with pytest.raises(DataError, match="javascript"):
        Document("title", "", (), (("x", "javascript:alert(1)"),))
    with pytest.raises(DataError, match="javascript"):
        Document("title", "", (Bullets(("x",), ("javascript:alert(1)",)),))
