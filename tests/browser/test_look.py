"""Every page in both themes and at four widths: accessible by axe-core's rules, nothing cut off, nothing scrolls sideways."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from tests.browser.conftest import Server
from tests.browser.test_server import opened, settled
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.browser

PAGES: Final = ("", "dataset", "augmentation", "train", "gan", "evaluate", "compare", "report", "predict")
WIDTHS: Final = (390, 820, 1280, 1920)
AXE: Final = Path(axe_playwright_python.__file__).with_name("axe.min.js")

STREAMLITS_OWN: Final = {
    "list": ('data-testid="stSidebarNavItems"',),  # The menu's groups are boxes inside its list.
    "listitem": ('<li class="st-emotion-cache',),
}
"""Violations in what Streamlit draws by itself and no setting changes, by rule, with a part of each element's HTML."""

CUT_OFF: Final = """
() => {
    const main = document.querySelector('[data-testid=stMain]');
    const found = [];
    const shown = (element) => element.checkVisibility() && element.getClientRects().length > 0;
    const name = (element) => `${element.dataset.testid || element.tagName}: ${element.innerText.slice(0, 60)}`;
    for (const whole of [document.documentElement, main]) {
        const by = whole.scrollWidth - whole.clientWidth;
        if (by > 1) found.push(`scrolls sideways by ${by} px`);
    }
    for (const figure of main.querySelectorAll('[data-testid=stMetricValue], [data-testid=stMetricLabel]')) {
        for (const element of [figure, ...figure.querySelectorAll('*')]) {
            const cut = element.clientWidth && element.scrollWidth > element.clientWidth + 1;
            if (shown(element) && cut) found.push(`cut off: ${name(element)}`);
        }
    }
    for (const button of main.querySelectorAll('button[data-testid^=stBaseButton], a[data-testid^=stPageLink]')) {
        if (!shown(button) || !button.innerText.trim()) continue;
        const outer = button.getBoundingClientRect();
        for (const text of button.querySelectorAll('p, span')) {
            if (!shown(text) || !text.innerText.trim()) continue;
            const inner = text.getBoundingClientRect();
            const outside = inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.width < 2;
            const cut = text.scrollWidth > text.clientWidth + 1 && getComputedStyle(text).overflowX !== 'visible';
            if (outside || cut) found.push(`clipped: ${name(button)}`);
        }
    }
    return [...new Set(found)];
}
"""
"""What scrolls sideways, figures that are cut off, and buttons whose text is."""


@pytest.fixture(scope="module", params=["light", "dark"])
def themed(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(1000 * PATIENCE_S)
    yield context.new_page()
    context.close()


def violations(page: Page) -> list[str]:
    """Serious and critical violations of axe-core's rules, and headings that skip a level, without Streamlit's own."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in result["violations"]
        if rule["impact"] in {"serious", "critical"} or rule["id"] == "heading-order"
        for node in rule["nodes"]
        if not any(part in node["html"] for part in STREAMLITS_OWN.get(rule["id"], ()))
    ]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_serious_barrier_or_cuts_anything_off(server: Server, themed: Page, name: str) -> None:
    page = opened(themed, server, f"/{name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert violations(page) == []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        settled(page)
        try:  # Charts follow a new width a moment later.
            page.wait_for_function(f"({CUT_OFF})().length === 0")
        except TimeoutError:
            assert page.evaluate(CUT_OFF) == [], f"{width} px"
    page.set_viewport_size({"width": 1280, "height": 900})


def test_figures_stand_on_the_first_screen_and_no_link_looks_selected(server: Server, page: Page) -> None:
    opened(page, server, f"/evaluate?run={server.run.run_id}")
    tile = page.get_by_test_id("stMain").get_by_test_id("stMetric").first.bounding_box()
    assert tile is not None
    assert tile["y"] < 480
    opened(page, server, "/report")
    links = page.get_by_test_id("stMain").get_by_test_id("stPageLink-NavLink")
    expect(links.first).to_be_visible()
    grounds = {link.evaluate("link => getComputedStyle(link).backgroundColor") for link in links.all()}
    assert grounds == {"rgba(0, 0, 0, 0)"}


def test_cards_stand_beside_each_other_as_far_as_they_fit(server: Server, page: Page) -> None:
    for width, in_first_row in ((390, 1), (820, 2), (1280, 3)):
        page.set_viewport_size({"width": width, "height": 900})
        opened(page, server, "/")
        tiles = page.get_by_test_id("stMain").get_by_test_id("stMetric").all()[:3]
        assert len({tile.evaluate("tile => tile.getBoundingClientRect().x") for tile in tiles}) == in_first_row, width


def test_each_page_has_its_title_and_icon_and_asks_no_other_host(server: Server, page: Page) -> None:
    """Streamlit would have the browser fetch a page's icon from another host, for the tab."""
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    titles = {"": "Pneumo Study", "gan": "GAN lab · Pneumo Study", "report": "The report · Pneumo Study"}
    for name in PAGES:
        opened(page, server, f"/{name}")
        expect(page).to_have_title(titles.get(name, f"{name.capitalize()} · Pneumo Study"))
        expect(page.locator("link[rel='shortcut icon']")).to_have_attribute("href", re.compile("^data:image/svg"))
    links = page.get_by_test_id("stSidebarNavLink")
    icons = [link.get_by_test_id("stIconMaterial").inner_text() for link in links.all()]
    assert len(set(icons)) == len(PAGES)
    assert hosts - {""} == {urlsplit(server.url).netloc}


def test_the_menu_closes_on_a_phone_and_marks_the_open_page(server: Server, new_page: Callable[..., Page]) -> None:
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
    page = new_page(user_agent=phone)
    page.set_viewport_size({"width": 390, "height": 900})
    opened(page, server, "/")
    page.get_by_test_id("stExpandSidebarButton").click()
    link = page.get_by_test_id("stSidebarNavLink").filter(has_text="Compare")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    expect(link).not_to_be_in_viewport()
    expect(link).to_have_attribute("aria-current", "page")


def test_every_link_of_the_overview_leads_somewhere(server: Server, page: Page) -> None:
    opened(page, server, "/")
    links = page.get_by_test_id("stMain").get_by_test_id("stPageLink-NavLink")
    expect(links.first).to_be_visible()
    places = {link.get_attribute("href") for link in links.all()}
    assert len(places) >= 5
    for place in places:
        page.goto(page_url(server, place))
        settled(page)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
        expect(page.get_by_test_id("stAlertContentWarning").filter(has_text="There is no")).to_have_count(0)


def page_url(server: Server, place: str | None) -> str:
    """Address of a link, which may be relative."""
    return f"{server.url}/{(place or '').removeprefix(server.url).lstrip('/')}"


def test_about_names_license_source_and_uploads(server: Server, page: Page) -> None:
    opened(page, server, "/compare")
    page.get_by_role("button", name="About").click()
    dialog = page.get_by_role("dialog")
    for words in (
        "CC BY 4.0",
        "10.17632/rscbjbr9sj.2",
        "never written to disk",
        "Apache License 2.0",
        "folder",
        "Version",
    ):
        expect(dialog).to_contain_text(words)


def test_a_walk_through_all_pages_tabs_and_choices_leaves_the_log_clean(server: Server, page: Page) -> None:
    """Streamlit warns in its log of widgets with a default and a state, of unknown options, and of slow caches."""
    for name in PAGES:
        opened(page, server, f"/{name}?run={server.run.run_id}" if name in {"evaluate", "predict"} else f"/{name}")
        main = page.get_by_test_id("stMain")
        for tab in [tab.inner_text() for tab in main.get_by_role("tab").all()] or [""]:
            if tab:
                main.get_by_role("tab", name=tab, exact=True).first.click()
                settled(page)
            for group in range(main.get_by_role("radiogroup").filter(visible=True).count()):
                options = main.get_by_role("radiogroup").filter(visible=True).nth(group).locator("label")
                if options.count() > 1:
                    options.last.click()
                    settled(page)
    said = [line for line in server.log.read_text(errors="replace").splitlines() if line.strip()]
    expected = re.compile(
        r"You can now view|URL:|^\s*$|open your browser|Stopping|For better performance|\$ (xcode|pip)"
    )
    assert [line for line in said if not expected.search(line)] == []
