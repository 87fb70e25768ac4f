"""The app as visitors meet it: a fresh server, deep links, uploads, and what the process has loaded by then."""

import re
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, started
from tests.conftest import ROOT, FinishedRun
from tests.data.image_files import BAD, encode, png_chunks
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.browser

WATCH = ROOT / "tests" / "watch"

MENU = ("Overview", "Dataset", "Augmentation", "Train", "GAN lab", "Evaluate", "Compare", "The report", "Predict")
OVERVIEW = "Can a small network tell pneumonia from a normal chest X-ray?"
TITLES = {"Overview": OVERVIEW, "The report": "The report of 2020"}


def settled(page: Page) -> None:
    """Wait until the script has run to its end, and see that it did not end in a traceback."""
    expect(page.get_by_test_id("stAppViewContainer")).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def opened(page: Page, server: Server, path: str) -> Page:
    page.goto(f"{server.url}{path}")
    settled(page)
    return page


def assert_framed(page: Page, title: str) -> None:
    """The page stands in the app's frame: its heading, the whole menu, the app's name in the tab."""
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    links = page.get_by_test_id("stSidebarNavLink")
    expect(links).to_contain_text(list(MENU))


@pytest.fixture
def radiograph(server: Server) -> Path:
    return min((server.run.data / "test" / "PNEUMONIA").iterdir())


def upload(page: Page, name: str, content: bytes) -> None:
    kinds = {".png": "image/png"}
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": kinds.get(Path(name).suffix, "image/jpeg"), "buffer": content}
    )


def test_answers_for_its_health(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=PATIENCE_S) as answer:
        assert (answer.status, answer.read()) == (200, b"ok")


@pytest.mark.parametrize("path", ["evaluate", "predict"])
def test_a_deep_link_is_a_fresh_server_s_first_request(fresh_server: Server, page: Page, path: str) -> None:
    """Streamlit would run the page without app.py here, for everyone, until somebody opens `/`."""
    opened(page, fresh_server, f"/{path}?run={fresh_server.run.run_id}")
    assert_framed(page, path.capitalize())
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    assert f"run={fresh_server.run.run_id}" in page.url


def test_a_second_visitor_of_a_deep_link_is_framed_too(fresh_server: Server, new_page: Callable[..., Page]) -> None:
    for path, title in (("/train", "Train"), ("/dataset", "Dataset"), ("/", OVERVIEW)):
        assert_framed(opened(new_page(), fresh_server, path), title)


def test_every_page_by_its_link_in_the_menu(server: Server, page: Page) -> None:
    opened(page, server, "/")
    for name in (*MENU[1:], MENU[0]):
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(TITLES.get(name, name))
        settled(page)


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/evaluate?run=../../etc", "Evaluate"),
        ("/predict?run=baseline-000000000000", "Predict"),
        ("/dataset?view=Images&image=../x", "Dataset"),
        ("/gan?run=../../etc", "GAN lab"),
    ],
)
def test_addresses_that_name_nothing_are_told(server: Server, page: Page, path: str, title: str) -> None:
    opened(page, server, path)
    assert_framed(page, title)
    expect(page.get_by_test_id("stAlert").first).to_be_visible()


def test_an_address_that_names_no_page_is_answered_like_any_other(server: Server, page: Page) -> None:
    opened(page, server, "/nosuch")
    page.keyboard.press("Escape")  # Streamlit's own dialog, which has no setting.
    answer = page.get_by_text("There is no page 'nosuch'. The pages are in the menu; this is the Overview.")
    expect(answer).to_be_visible()
    page.get_by_role("button", name="Go on with the Overview").click()
    expect(answer).to_have_count(0)
    assert_framed(page, OVERVIEW)


def test_a_new_visitor_drops_a_file_reads_the_verdict_and_takes_the_sheet(
    server: Server, page: Page, radiograph: Path
) -> None:
    """Open, read what the model is, drop a file, read; drop another, which is refused: nothing of the first is left."""
    opened(page, server, f"/predict?run={server.run.run_id}")
    expect(page.get_by_text("It learned from")).to_be_visible()
    expect(page.get_by_role("button", name="Phantom 1", exact=True)).to_be_visible()
    upload(page, "my-x-ray.jpeg", radiograph.read_bytes())
    panel = page.get_by_role("tabpanel").filter(visible=True)
    expect(panel.get_by_test_id("stMetricValue")).to_contain_text(re.compile("Reads as|Close to the threshold"))
    expect(panel.get_by_text("Probability of PNEUMONIA")).to_be_visible()
    picture = panel.get_by_test_id("stImage").locator("img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
    expect(panel.get_by_text("my-x-ray.jpeg, Grad-CAM at 75 %")).to_be_visible()
    settled(page)

    verdict = panel.get_by_test_id("stMetricValue").inner_text().strip()
    for kind, start in (("HTML", b"<!doctype html>"), ("PDF", b"%PDF-")):
        with page.expect_download() as sheet:
            panel.get_by_role("button", name=f"Sheet ({kind})").click()
        content = Path(sheet.value.path()).read_bytes()
        assert content[:15].lower().startswith(start.lower())
        assert kind == "PDF" or (verdict.encode() in content and b"my-x-ray.jpeg" in content)

    upload(
        page, "letter.jpeg", b"a letter" * 3_000_000
    )  # Larger than any X-ray, and yet it is the server that refuses it.
    expect(panel.get_by_text("Refused:")).to_be_visible()
    settled(page)
    expect(panel.get_by_test_id("stMetric")).to_have_count(0)
    expect(page.get_by_text("my-x-ray.jpeg")).to_have_count(0)
    assert panel.locator("img").count() == 0

    page.get_by_test_id("stSidebarNavLink").filter(has_text="Evaluate").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Evaluate")
    settled(page)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Predict").click()
    expect(page.get_by_role("button", name="Phantom 1", exact=True)).to_be_visible()
    expect(page.get_by_text("Refused:")).to_have_count(0)


def test_of_many_files_a_click_opens_one_and_what_is_chosen_stays_its_own(
    server: Server, page: Page, radiograph: Path
) -> None:
    """A click means the file that stands there: not the one that comes to stand there once its neighbor is mended."""
    upright = Image.open(radiograph).convert("L")
    gray = np.asarray(upright)
    files = {"down.png": np.rot90(gray, 2), "negative.png": 255 - gray, "plain.png": gray}
    opened(page, server, f"/predict?run={server.run.run_id}")
    page.locator("input[type=file]").set_input_files(
        [
            {"name": name, "mimeType": "image/png", "buffer": encode(np.ascontiguousarray(pixels))}
            for name, pixels in files.items()
        ]
    )
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.get_by_test_id("stRadio").get_by_text("Refused").click()
    settled(page)
    # The grid's own count, with its head: a click before the two have replaced the three would be one on those.
    expect(panel.get_by_test_id("stDataFrame").locator("[aria-rowcount]").first).to_have_attribute("aria-rowcount", "3")
    settled(page)
    panel.get_by_test_id("stDataFrame").click(position={"x": 160, "y": 40 + 56 + 28})  # The second of two.
    expect(panel.get_by_role("heading", name="negative.png")).to_be_visible()
    panel.get_by_role("button", name="Invert it").click()
    expect(panel.get_by_role("heading", name="negative.png, inverted")).to_be_visible()
    settled(page)
    expect(panel.get_by_role("radio", checked=True)).to_have_count(1)
    expect(panel.get_by_test_id("stMetricValue")).to_contain_text(re.compile("Reads as|Close to the threshold"))


@pytest.mark.parametrize("kind", ["text", "zero bytes", "JPEG, half", "declares 60,000 x 60,000", "colour", "blank"])
def test_what_is_no_x_ray_is_refused_with_a_reason(server: Server, page: Page, tmp_path: Path, kind: str) -> None:
    if kind == "colour":
        y, x = np.mgrid[0:200, 0:300]
        Image.fromarray(np.stack([x % 256, (255 - x) % 256, y], axis=2).astype(np.uint8)).save(tmp_path / "x.png")
        content = (tmp_path / "x.png").read_bytes()
    elif kind == "blank":
        Image.new("L", (300, 300), 90).save(tmp_path / "x.png")
        content = (tmp_path / "x.png").read_bytes()
    else:
        content = BAD[kind][1]
    opened(page, server, f"/predict?run={server.run.run_id}")
    upload(page, "upload.png", content)
    panel = page.get_by_role("tabpanel").filter(visible=True)
    expect(panel.get_by_text("Refused:")).to_be_visible()
    expect(panel.get_by_text("Received:")).to_be_visible()
    expect(panel.get_by_test_id("stMetric")).to_have_count(0)
    settled(page)


def large(data: bytes, size_bytes: int) -> bytes:
    """The same PNG file with a comment that makes it as large."""
    comment = (b"tEXt", b"Comment\0" + b"x" * (size_bytes - len(data)))
    return data[:33] + png_chunks(comment)[8:] + data[33:]  # After the header.


def descriptors(server: Server) -> set[str]:
    """Files that the server has open, those without a name included, which a temporary file has not."""
    found = set()
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(OSError):  # Closed meanwhile.
            found.add(str(link.readlink()))
    return {path for path in found if path.startswith("/")}


def test_nothing_of_an_upload_is_written(finished_run: FinishedRun, page: Page, tmp_path: Path) -> None:
    """Every opening for writing in the server's process is noted while it answers, the largest upload's too."""
    watched = tmp_path / "watched"
    with started(finished_run, tmp_path, PYTHONPATH=str(WATCH), WATCHED=str(watched)) as server:
        radiograph = Image.open(min((server.run.data / "test" / "PNEUMONIA").iterdir())).convert("L")
        content = encode(radiograph)
        opened(page, server, f"/predict?run={server.run.run_id}")
        upload(page, "first.png", content)  # What any answer needs is loaded by then.
        expect(page.get_by_text("Probability of PNEUMONIA").first).to_be_visible()
        settled(page)
        watched.write_bytes(b"")
        before = descriptors(server)
        for name, data in (("secret-large.png", large(content, 15 * 2**20)), ("secret-text.png", b"a secret letter")):
            upload(page, name, data)
            expect(page.get_by_role("heading", level=2, name=name)).to_be_visible()
            settled(page)
        expect(page.get_by_text("Refused:")).to_be_visible()
        assert watched.read_text() == ""
        assert descriptors(server) <= before
        assert "secret" not in server.log.read_text()


def test_the_server_has_loaded_no_training_framework(server: Server, page: Page, radiograph: Path) -> None:
    """After all pages and an answer, nothing of a framework is mapped into the process, not even by another library."""
    maps = Path(f"/proc/{server.pid}/maps")
    if not maps.exists():
        pytest.skip("memory maps are read from /proc, which this system has not")
    opened(page, server, "/")
    for name in MENU[1:]:
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(TITLES.get(name, name))
        settled(page)
    upload(page, "x.jpeg", radiograph.read_bytes())
    expect(page.get_by_text("Probability of PNEUMONIA").first).to_be_visible()

    mapped = {line.split()[-1] for line in maps.read_text().splitlines() if "/" in line}
    assert any("onnxruntime" in path for path in mapped), "the answer must have come from ONNX Runtime"
    for library in ("tensorflow", "jaxlib", "/torch/", "sklearn", "keras"):
        assert not [path for path in mapped if library in path], library
    memory = psutil.Process(server.pid).memory_info().rss
    assert memory < 700 * 2**20, f"{memory / 2**20:.0f} MiB"
