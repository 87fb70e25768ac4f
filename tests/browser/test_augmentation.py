"""The Augmentation page's address in a real browser: it holds what the page shows, whatever changed it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from pneumo_core.augment_file import write_augmentation
from pneumo_core.config import AUGMENTATIONS, AugmentConfig
from tests.browser.conftest import Server
from tests.browser.test_server import opened, settled

pytestmark = pytest.mark.browser
OPENED = AugmentConfig(zoom=0.1234, rotation_deg=33.0, vertical_flip=True, blur_sigma=0.123)


def assert_address(page: Page, config: AugmentConfig) -> None:
    """The address that the browser shows now holds this setting and nothing else.

    Asked of the document: after a wait of its own, Playwright's `page.url` may still be that of an event before.
    """
    settled(page)
    page.wait_for_function(
        """wanted => {
            const query = new URLSearchParams(location.search);
            return query.size === Object.values(wanted).filter(Boolean).length && [...query].every(
                ([name, text]) => wanted[name] === (text === "true" ? true : Number(text)));
        }""",
        arg={name: getattr(config, name) for name in AugmentConfig.__dataclass_fields__},
        timeout=10_000,
    )


def test_the_address_holds_what_the_page_shows(server: Server, new_page: Callable[..., Page]) -> None:
    page = opened(new_page(), server, "/augmentation")
    sound, report = AUGMENTATIONS["sound"], AUGMENTATIONS["report"]
    for button, config in (("sound", sound), ("report", report), ("Undo", sound), ("Undo", report)):
        page.get_by_role("button", name=button, exact=True).click()
        assert_address(page, config)
    page.locator("input[type=file]").set_input_files(
        {"name": "augmentation.json", "mimeType": "application/json", "buffer": write_augmentation(OPENED)}
    )
    assert_address(page, OPENED)
    page.get_by_text("Vertical flip of one in two").click()
    assert_address(page, AugmentConfig(zoom=0.1234, rotation_deg=33.0, blur_sigma=0.123))
    page.go_back()
    assert_address(page, OPENED)
    page.go_forward()
    page.go_back()
    assert_address(page, OPENED)

    copied = opened(new_page(), server, "/augmentation" + page.evaluate("location.search"))
    assert_address(copied, OPENED)
    expect(copied.get_by_role("heading", name="As you set it (custom)")).to_be_visible()
    expect(copied.get_by_role("img", name="Image 1")).to_have_count(page.get_by_role("img", name="Image 1").count())
    assert [image.get_attribute("alt") for image in copied.locator("img[alt^='Image']").all()] == [
        image.get_attribute("alt") for image in page.locator("img[alt^='Image']").all()
    ]


def test_a_value_of_the_address_that_is_refused_is_told(server: Server, page: Page) -> None:
    opened(page, server, "/augmentation?zoom=9&contrast=0.2")
    expect(page.get_by_test_id("stAlertContentWarning")).to_contain_text("zoom='9' (0 to 0.9)")
    assert_address(page, AugmentConfig(contrast=0.2))
