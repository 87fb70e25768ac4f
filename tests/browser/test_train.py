"""The Train page in a real browser: what is asked in a dialog is done, and the page says so."""

import pytest
from playwright.sync_api import Page, expect

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import build_index
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.status import update_status
from tests.browser.conftest import Server
from tests.browser.test_server import opened, settled
from tests.conftest import ask_for_run

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


def test_the_foot_of_the_sidebar_follows_the_run_that_works_on_every_page(
    page: Page, fresh_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(fresh_server.run.artifacts))
    run = ask_for_run(preset_config(Architecture.BASELINE, Preset.QUICK, seed=9), build_index(fresh_server.run.data))
    foot = page.get_by_test_id("stSidebar")
    with hold_lock(run.run_lock):
        update_status(run, state=RunState.RUNNING, message="loading Keras")
        opened(page, fresh_server, "/report")
        expect(foot.get_by_test_id("stProgress")).to_contain_text("loading Keras · ")
        expect(foot.get_by_test_id("stProgress")).to_contain_text("of training left")
        # It goes on without a click.
        update_status(run, state=RunState.RUNNING, epoch=2, epochs=6, steps=9, message="training")
        expect(foot.get_by_test_id("stProgress")).to_contain_text("training: epoch 3 of 6")
        foot.get_by_role("link", name="Open it").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Train")
        expect(page.get_by_role("tab", name="Runs", exact=True)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_test_id("stMain").get_by_test_id("stProgress")).to_contain_text("training: epoch 3 of 6")
        settled(page)
    # Its worker has gone: so does its bar.
    expect(foot.get_by_test_id("stProgress")).to_have_count(0)
    expect(page.get_by_test_id("stMain").get_by_text("interrupted").first).to_be_visible()
