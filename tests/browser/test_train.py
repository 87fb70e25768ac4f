"""The Train page in a real browser: what is asked in a dialog is done, and the page says so."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_server import opened, settled

pytestmark = pytest.mark.browser


def test_a_run_is_deleted_by_the_dialog_and_the_page_says_so(page: Page, fresh_server: Server) -> None:
    run = fresh_server.run
    opened(page, fresh_server, f"/train?run={run.run_id}")
    page.get_by_role("button", name="Delete this run…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(run.run_id)
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    assert run.path.exists()
    page.get_by_role("button", name="Delete this run…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("Deleted: baseline")).to_be_visible()
    settled(page)
    assert not run.path.exists()
    assert "run=" not in page.url
