"""The Dataset page in a real browser: the audit measured on a click, its evidence opened, and a lasso on the map."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_server import opened, settled

pytestmark = pytest.mark.browser


def test_the_audit_is_measured_on_a_click_and_leads_to_its_evidence(
    server: Server, new_page: Callable[..., Page]
) -> None:
    page = opened(new_page(), server, "/dataset?view=Audit")
    page.get_by_role("button", name="Measure the images").click()
    expect(page.get_by_role("button", name="Datasheet (HTML)")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="See Quality").first.click()
    expect(page.get_by_role("tab", name="Quality")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("standard deviations").first).to_be_visible()


def test_a_lasso_on_the_map_shows_its_images_and_one_opens(server: Server, new_page: Callable[..., Page]) -> None:
    page = opened(new_page(), server, f"/dataset?view=Map&run={server.run.run_id}")
    page.get_by_role("button", name="Make the map").click()
    chart = page.locator(".js-plotly-plot .nsewdrag").first
    expect(chart).to_be_visible()
    settled(page)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.02)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    expect(page.get_by_text(re.compile(r"^\d+ images"))).to_be_visible()
    tiles = page.locator("img[alt^='X-ray ']")
    expect(tiles.nth(11)).to_be_visible()
    name = str(tiles.first.get_attribute("alt")).removeprefix("X-ray ")
    page.locator("[class*=st-key-open_map] button").first.click()
    expect(page.get_by_role("tab", name="Images")).to_have_attribute("aria-selected", "true")
    page.wait_for_function("name => new URLSearchParams(location.search).get('image') === name", arg=name)
