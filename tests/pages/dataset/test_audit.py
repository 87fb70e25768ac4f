"""Audit: measured from the page, cancelled, and shown with its images; not begun where the server starts no work."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from pneumo_core.data.audit import Outcome, audit
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import connect
from pneumo_core.data.work import audit_name, cancel_work, is_working, work_file
from pneumo_core.inference.audited import all_checks, measured, stored_measured
from pneumo_core.runs.files import hold_lock, write_json
from pneumo_core.runs.store import datasets_root
from tests.pages.dataset.page import button, page, said, shown_image
from tests.pages.opening import texts, whole
from tests.waiting import wait_for


def test_what_needs_no_pixels_is_there_at_once(index: DataIndex) -> None:
    at = page("Audit")
    found = [check for check in audit(index) if check.outcome in {Outcome.ISSUE, Outcome.TIP}]
    words = "\n".join(said(element) for element in at.markdown)
    for check in found:
        assert check.sentence in words
    assert "measure the images once" in texts(at, "info")


def test_it_is_measured_by_a_click(index: DataIndex) -> None:
    at = page("Audit")
    whole(button(at, "Measure the images").click().run())
    wait_for("the measures", lambda: stored_measured(index) is not None)
    wait_for("the end of the process", lambda: not is_working(audit_name(index.data_id)))
    whole(at.run())
    assert "Measure the images" not in [item.label for item in at.button]
    assert "measure the images once" not in texts(at, "info")


def test_while_it_works_its_progress_is_shown_and_it_can_be_cancelled(index: DataIndex) -> None:
    name = audit_name(index.data_id)
    with hold_lock(work_file(name, ".lock")):
        write_json(work_file(name, ".json"), {"stage": "Measuring the images", "done": 3, "total": 72, "error": ""})
        at = page("Audit")
        whole(button(at, "Cancel").click().run())
        assert work_file(name, ".cancel").exists()
    whole(at.run())
    assert "measure the images once" in texts(at, "info")


def test_a_failure_and_a_cancelled_try_are_said(index: DataIndex) -> None:
    name = audit_name(index.data_id)
    write_json(work_file(name, ".json"), {"stage": "Failed", "done": 0, "total": 0, "error": "The disk is full."})
    assert "disk is full" in " ".join(said(error) for error in page("Audit").error)
    write_json(work_file(name, ".json"), {"stage": "Cancelled", "done": 0, "total": 0, "error": ""})
    assert "was cancelled" in texts(page("Audit"), "info")
    cancel_work(name)  # One that came too late does not stop the next.
    whole(button(page("Audit"), "Measure the images").click().run())
    wait_for("the measures", lambda: stored_measured(index) is not None)
    wait_for("the end of the process", lambda: not is_working(name))


def test_work_that_was_killed_is_said(index: DataIndex) -> None:
    name = audit_name(index.data_id)
    write_json(work_file(name, ".json"), {"stage": "Measuring the images", "done": 30, "total": 72, "error": ""})
    assert "ended without a word at 30 of 72" in texts(page("Audit"), "info")


def test_three_copies_of_one_image_are_shown(index: DataIndex, odd: Path) -> None:
    """Each is a near duplicate of the first, which then stands there twice."""
    with Image.open(odd / "train/NORMAL/IM-0001-0001.jpeg") as image:
        large = image.resize((480, 400))
        for name in ("test/NORMAL/a = b.png", "train/NORMAL/copy.bmp", "val/NORMAL/copy.png"):
            large.save(odd / name)
    built = build_index(odd)
    connect(built)
    measured(built)
    at = page("Audit")
    shown = [str(item.key) for item in at.button if str(item.key).startswith("open_near-duplicates-span-splits_")]
    assert any("a = b.png" in key for key in shown)


def test_nothing_is_started_where_that_is_not_allowed(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    at = page("Audit")
    measuring = button(at, "Measure the images")
    assert measuring.disabled
    measuring.proto.disabled = False  # A forged click.
    whole(measuring.click().run())
    assert not work_file(audit_name(index.data_id), ".json").exists()


def test_the_images_of_a_finding_are_shown(index: DataIndex) -> None:
    measured(index)
    at = page("Audit")
    labels = [item.label for item in at.expander]
    (check,) = (check for check in audit(index) if check.code == "duplicates-span-splits")
    assert f"Images ({check.n})" in labels
    assert sum(check.outcome is Outcome.PASSED for check in all_checks(index, stored_measured(index))) > 5
    assert any(label.startswith("What it looked for and did not find (") for label in labels)


def test_an_image_of_a_finding_opens(index: DataIndex) -> None:
    at = page("Audit")
    opener = next(item for item in at.button if str(item.key).startswith("open_duplicates-span-splits_"))
    whole(opener.click().run())
    assert shown_image(at) in index.table["image_id"].tolist()
    assert at.session_state["view"] == "Images"


def test_summary_leads_to_it(index: DataIndex) -> None:
    at = page()
    whole(button(at, "Measure the images under Audit").click().run())
    assert at.session_state["view"] == "Audit"
    measured(index)
    assert button(page(), "All checks, and their images")


def test_a_damaged_audit_is_measured_again(index: DataIndex) -> None:
    measured(index)
    (datasets_root() / index.data_id / "audit.json").write_text("{")
    assert "measure the images once" in texts(page("Audit"), "info")


def test_a_folder_that_is_gone_keeps_its_checks(index: DataIndex, odd: Path) -> None:
    measured(index)
    shutil.move(odd, odd.with_name("moved"))
    at = page("Audit")
    assert "What the audit found" in texts(at, "header")
