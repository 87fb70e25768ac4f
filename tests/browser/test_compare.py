"""The Compare page in a real browser: the address follows the choice, and every tab opens by click and by key."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from pneumo_core.config.classifier import Balance
from tests.browser.conftest import Server, started
from tests.browser.test_server import opened, settled
from tests.conftest import FinishedRun
from tests.made_runs import made_predictions, made_run

pytestmark = pytest.mark.browser

TABS = (
    "Figures",
    "Curves",
    "Images",
    "Operating point",
    "Calibration",
    "Slices",
    "Take away",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_data) -> Iterator[tuple[Server, tuple[str, ...]]]:
    """A server with three finished runs that have left their evidence alone, and their ids."""
    folder = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(folder / "artifacts"))
        ids = tuple(
            made_run(made_predictions(skill=skill), **changes).run_id
            for skill, changes in ((1.2, {}), (1.6, {"balance": Balance.OVERSAMPLE}), (1.4, {"epochs": 3}))
        )
    with started(FinishedRun(folder / "artifacts", ids[0], tiny_data), tmp_path_factory.mktemp("server")) as server:
        yield server, ids


def assert_address(page: Page, **expected: str) -> None:
    """The address comes to hold these values."""
    page.wait_for_function(
        """wanted => {
            const query = new URLSearchParams(location.search);
            return Object.entries(wanted).every(([name, value]) => query.get(name) === value);
        }""",
        arg=expected,
    )
    settled(page)


def verdict(page: Page) -> Locator:
    return page.get_by_test_id("stAlertContentInfo").first


def test_the_address_follows_the_choice_and_a_reload_keeps_it(
    made: tuple[Server, tuple[str, ...]], new_page: Callable[..., Page]
) -> None:
    server, (a, b, other) = made
    page = opened(new_page(), server, f"/compare?a={a}&b={b}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    assert_address(page, a=a, b=b, split="test")
    before = verdict(page).inner_text()
    page.get_by_role("combobox", name=re.compile(r"\bB$")).click()
    page.get_by_role("option", name=re.compile(other[-6:])).click()
    # The address changes before the page is drawn again.
    assert_address(page, a=a, b=other, split="test")
    expect(verdict(page)).not_to_have_text(before, use_inner_text=True)
    settled(page)
    changed = verdict(page).inner_text()
    page.reload()
    settled(page)
    assert_address(page, a=a, b=other, split="test")
    expect(verdict(page)).to_have_text(changed, use_inner_text=True)
    page.get_by_role("button", name="Swap A and B").click()
    assert_address(page, a=other, b=a)
    expect(verdict(page)).not_to_have_text(changed, use_inner_text=True)
    copied = opened(new_page(), server, f"/compare{page.evaluate('location.search')}")
    expect(verdict(copied)).to_have_text(verdict(page).inner_text(), use_inner_text=True)


def test_every_tab_opens_and_asks_no_other_host(made: tuple[Server, tuple[str, ...]], page: Page) -> None:
    server, (a, b, _) = made
    hosts, problems = set(), []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: problems.append(str(error)))
    opened(page, server, f"/compare?a={a}&b={b}")
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_text(list(TABS))
    for name in TABS:
        tab = page.get_by_role("tab", name=name, exact=True)
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        settled(page)
        panel = page.get_by_role("tabpanel").filter(visible=True)
        expect(panel).to_have_count(1)
        expect(panel).to_contain_text(re.compile(r"\w{3}"))
    assert_address(page, show="Take away")
    assert hosts - {""} == {urlsplit(server.url).netloc}
    assert not problems


@pytest.mark.parametrize("width", [390, 820, 1280, 1920])
def test_no_tile_is_alone_in_a_row_and_nothing_is_cut_off(
    made: tuple[Server, tuple[str, ...]], new_page: Callable[..., Page], width: int
) -> None:
    server, (a, b, _) = made
    page = opened(new_page(), server, f"/compare?a={a}&b={b}")
    page.set_viewport_size({"width": width, "height": 900})
    settled(page)
    tiles = page.get_by_test_id("stMetric")
    expect(tiles).to_have_count(4)
    rows = Counter(round(tile["y"]) for tile in (tiles.nth(place).bounding_box() for place in range(4)) if tile)
    assert rows.total() == 4
    assert len(set(rows.values())) == 1, f"rows of {sorted(rows.values())} tiles"
    wide = "element => element.scrollWidth > element.clientWidth"
    labels = page.get_by_test_id("stMetricLabel")
    assert not any(labels.nth(place).evaluate(wide) for place in range(4))
    swap = page.get_by_role("button", name="Swap A and B")
    expect(swap).to_contain_text("Swap A and B")
    assert not swap.evaluate(wide)
    assert not page.get_by_test_id("stMain").evaluate(wide)


def test_tabs_are_reached_by_keyboard(made: tuple[Server, tuple[str, ...]], page: Page) -> None:
    server, (a, b, _) = made
    opened(page, server, f"/compare?a={a}&b={b}")
    page.evaluate(
        """() => {
            window.focused = [];
            document.addEventListener("focusin", event => window.focused.push(event.target.textContent), true);
        }"""
    )
    for before, name, shows in (("Figures", "Curves", "ROC curves"), ("Curves", "Images", "Agreement")):
        # Not the page's keyboard: Streamlit disables each tab of a new answer until its own message has come. A browser that
        # draws a frame in that moment, as on a busy machine, takes the focus away from the tab that had it.
        page.get_by_role("tab", name=before, exact=True).press("ArrowRight")
        expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
        # The browser selects a tab at once; a key pressed before the server has followed would meet the answer to the last one.
        expect(page).to_have_url(re.compile(f"show={name}"))
        expect(page.get_by_role("tabpanel").filter(visible=True)).to_contain_text(shows)
        settled(page)
    # A key moves the focus with the selection.
    assert list(dict.fromkeys(page.evaluate("window.focused"))) == ["Figures", "Curves", "Images"]


def test_documents_are_made_and_downloaded(made: tuple[Server, tuple[str, ...]], page: Page) -> None:
    server, (a, b, _) = made
    opened(page, server, f"/compare?a={a}&b={b}&show=Take+away")
    create = page.get_by_role("button", name="Create the documents")
    create.click()
    page.get_by_role("button", name="Cancel").click()
    create.click()
    every = page.get_by_role("button", name="Download all as ZIP")
    expect(every).to_be_visible()
    settled(page)
    with page.expect_download() as waiting:
        every.click()
    assert waiting.value.path().read_bytes().startswith(b"PK")
    assert waiting.value.suggested_filename == "pneumo-compare-baseline-sound-none-vs-oversample-seed0-test.zip"
