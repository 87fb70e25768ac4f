"""The Augmentation page's address in a real browser: it holds what the page shows, whatever changed it."""

from collections.abc import Callable
from dataclasses import asdict

import pytest
from playwright.sync_api import Page, expect

from pages.ui.augmentation.settings import GROUPS
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig, augmentation_name
from pneumo_core.config.augment_file import write_augmentation
from tests.browser.conftest import Server
from tests.browser.test_server import opened, settled

pytestmark = pytest.mark.browser
OPENED = AugmentConfig(zoom=0.1234, rotation_deg=33.0, vertical_flip=True, blur_sigma=0.123)
WORDS = "[...document.querySelectorAll('img[alt^=Image]')].map(image => image.alt)"


def address(page: Page) -> str:
    """What stands after the path now; Playwright's `page.url` is as of the last event it has looked at."""
    return page.evaluate("location.search")


def assert_address(page: Page, config: AugmentConfig) -> None:
    """The address comes to hold this setting and nothing else."""
    page.wait_for_function(
        """wanted => {
            const query = new URLSearchParams(location.search);
            return query.size === Object.values(wanted).filter(Boolean).length && [...query].every(
                ([name, text]) => wanted[name] === (text === "true" ? true : Number(text)));
        }""",
        arg=asdict(config),
    )
    settled(page)


def test_the_address_holds_what_the_page_shows(server: Server, new_page: Callable[..., Page]) -> None:
    page, copied = opened(new_page(), server, "/augmentation"), new_page()

    def assert_copy_shows_the_same() -> None:
        opened(copied, server, f"/augmentation{address(page)}")
        expect(copied.locator("img[alt^=Image]")).to_have_count(4 * (1 + 3))
        # What was drawn for each picture, in words.
        page.wait_for_function(
            f"wanted => JSON.stringify({WORDS}) === wanted", arg=copied.evaluate(f"JSON.stringify({WORDS})")
        )

    sound, report = AUGMENTATIONS["sound"], AUGMENTATIONS["report"]
    for button, config in (
        ("Use sound ones", sound),
        ("Use the report's", report),
        ("Undo", sound),
        ("Redo", report),
        ("Undo", sound),
    ):
        page.get_by_role("button", name=button).first.click()
        assert_address(page, config)
        expect(page.get_by_role("heading", name=f"Your settings ({augmentation_name(config)})")).to_be_visible()
    page.get_by_text("Save and share").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "augmentation.json", "mimeType": "application/json", "buffer": write_augmentation(OPENED)}
    )
    assert_address(page, OPENED)
    assert_copy_shows_the_same()
    page.get_by_text("Flip half the images vertically").click()
    changed = AugmentConfig(zoom=0.1234, rotation_deg=33.0, blur_sigma=0.123)
    assert_address(page, changed)
    page.go_back()
    assert_copy_shows_the_same()
    page.go_forward()
    assert_address(page, changed)


def test_a_value_of_the_address_that_is_refused_is_told(server: Server, page: Page) -> None:
    opened(page, server, "/augmentation?zoom=9&contrast=0.2")
    expect(page.get_by_test_id("stAlertContentWarning")).to_contain_text("There is no zoom '9'. It goes from 0 to 0.9.")
    assert_address(page, AugmentConfig(contrast=0.2))


def test_undo_and_redo_by_keys_and_the_setting_is_kept_while_another_tab_is_open(server: Server, page: Page) -> None:
    opened(page, server, "/augmentation")
    sound, report = AUGMENTATIONS["sound"], AUGMENTATIONS["report"]
    for name, config in (("Use sound ones", sound), ("Use the report's", report)):
        page.get_by_role("button", name=name).first.click()
        assert_address(page, config)
    for keys, config in (("Undo", sound), ("Undo", AugmentConfig()), ("Redo", sound)):
        page.keyboard.press("Control+z" if keys == "Undo" else "Control+Shift+z")
        assert_address(page, config)
    page.get_by_role("tab", name="Report").click()
    expect(page.get_by_role("heading", name="As the report did")).to_be_visible()
    page.get_by_role("tab", name="My own").click()
    expect(page.get_by_role("heading", name="Your settings (sound)")).to_be_visible()


@pytest.mark.parametrize("width", [820, 1280, 1920])
def test_the_preview_is_in_view_beside_every_control(server: Server, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, server, "/augmentation")
    expect(page.locator("img[alt^=Image]")).to_have_count(4 * (1 + 3))
    boxes = {
        kind: [item.bounding_box() for item in page.locator(of).all()]
        for kind, of in {
            # Those of the open group: the other groups are folded.
            "controls": "details[open] :is([data-testid=stSlider], [data-testid=stCheckbox])",
            "pictures": "img[alt^=Image]",
        }.items()
    }
    ends = {
        kind: (min(box["y"] for box in found), max(box["y"] + box["height"] for box in found))
        for kind, found in boxes.items()
    }
    assert max(ends["controls"][1], ends["pictures"][1]) - min(ends["controls"][0], ends["pictures"][0]) < 850
    assert len(boxes["controls"]) == len(GROUPS["Geometry"])
    right_of_controls = max(box["x"] + box["width"] for box in boxes["controls"])
    assert min(box["x"] for box in boxes["pictures"]) >= right_of_controls - 1
    rows = {round(box["y"]) for box in boxes["pictures"]}
    assert len(rows) == 4, "the fourth column stays beside the others"
