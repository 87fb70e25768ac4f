"""HTML documents on a phone."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, ViewportSize

from pneumo_core.inference.compared import compare_runs
from pneumo_core.reporting.comparison_tables import figures
from pneumo_core.reporting.document import Document, Table
from pneumo_core.reporting.html import to_html

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 390, "height": 844}


def shown(new_page: Callable[..., Page], table: Table) -> Locator:
    """The frame of a document's only table, as a phone shows it."""
    page = new_page(color_scheme="light")
    page.set_viewport_size(PHONE)
    page.set_content(to_html(Document("title", "subtitle", (table,))))
    return page.locator(".scroll")


def test_a_comparison_s_figures_are_in_sight_with_difference_and_p(new_page: Callable[..., Page]) -> None:
    table = figures(compare_runs(("vgg16-97d3cb5e2e15",), ("vgg16-2c202b9aa5d5",)))
    frame = shown(new_page, table)
    assert frame.locator("thead th").all_inner_texts()[-2:] == ["B \N{MINUS SIGN} A", "p"]
    assert frame.evaluate("frame => frame.scrollWidth - frame.clientWidth") <= 0


def test_a_table_that_scrolls_has_a_shadow_where_there_is_more(new_page: Callable[..., Page]) -> None:
    names = tuple(f"column {number}" for number in range(9))
    frame = shown(new_page, Table("t", "caption", names, (names,) * 3))
    assert ends(frame) == (False, True)
    frame.evaluate("frame => frame.scrollLeft = frame.scrollWidth")
    assert ends(frame) == (True, False)


def ends(frame: Locator) -> tuple[bool, bool]:
    """Whether the left and the right end of a frame are darker than paper, its text aside."""
    with Image.open(io.BytesIO(frame.screenshot())) as picture:
        gray = np.asarray(picture.convert("L"))
    return bool(np.median(gray[:, 1:4]) < 235), bool(np.median(gray[:, -4:-1]) < 235)
