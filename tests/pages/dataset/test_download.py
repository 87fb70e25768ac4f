"""The download from Kaggle, step by step."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.dataset.download import progress_text
from pneumo_core.data.download import DownloadProgress, DownloadStage
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import connected_id, kaggle_folder
from pneumo_core.runs.files import hold_lock
from pneumo_core.runs.store import datasets_root
from tests.conftest import PHANTOMS
from tests.pages.dataset.page import button, page, said
from tests.pages.opening import texts, whole
from tests.waiting import wait_for


@pytest.fixture
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def credentials(no_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "made up")


def write_status(stage: str, done: int = 0, total: int = 0, error: str = "") -> None:
    kaggle_folder().mkdir(parents=True, exist_ok=True)
    facts = {"stage": stage, "done": done, "total": total, "error": error, "updated_at": 1.0}
    (kaggle_folder() / "download.json").write_text(json.dumps(facts))


@pytest.fixture
def running() -> Iterator[None]:
    """A download that is half done, as far as its files and its lock say."""
    write_status("downloading", 1_200_000_000, 2_400_000_000)
    with hold_lock(kaggle_folder() / "download.lock"):
        yield


def test_running_download_shows_progress_and_can_be_cancelled(
    index: DataIndex, credentials: None, running: None
) -> None:
    at = page("Connect data")
    bar = at.main.get("progress")[0]
    assert bar.value == 50
    assert bar.text == "Downloading: 1.20 GB of 2.40 GB (50 %)"
    whole(at.button("cancel_download").click().run())
    assert (kaggle_folder() / "cancel").exists()
    assert at.button("cancel_download").disabled


def test_download_that_ends_while_one_looks_is_connected(index: DataIndex, credentials: None, tiny_data: Path) -> None:
    write_status("downloading", 1, 2)
    with hold_lock(kaggle_folder() / "download.lock"):
        at = page("Connect data")
        assert at.main.get("progress")
    write_status("done", PHANTOMS, PHANTOMS)
    shutil.copytree(tiny_data, kaggle_folder() / "chest_xray")
    whole(at.run())
    # Another look finds it there, and offers it rather than take it without having been asked.
    whole(button(at, "Connect the downloaded copy").click().run())
    assert f"Connected: {PHANTOMS} images." in texts(at, "success")
    assert "Downloaded, and connected." in texts(page("Connect data"), "success")
    assert connected_id() == build_index(tiny_data).data_id  # Last, because the index's folder is now this one.


def test_failed_download_says_why_and_offers_another_try(index: DataIndex, credentials: None) -> None:
    write_status("downloading", 5, 10, error="The disk must have room. Received: none")
    at = page("Connect data")
    assert said(at.error[0]) == "The disk must have room. Received: none"
    assert button(at, "Try again").disabled is False


def test_stopped_download_can_be_gone_on_with(index: DataIndex, credentials: None) -> None:
    write_status("downloading", 600_000_000, 2_400_000_000)
    at = page("Connect data")
    assert "the received part is kept" in said(at.warning[0])
    assert "600 MB of 2.40 GB" in said(at.warning[0])
    assert button(at, "Resume the download").disabled is False


def test_damaged_status_is_told_and_can_be_replaced(index: DataIndex, credentials: None) -> None:
    write_status("downloading")
    (kaggle_folder() / "download.json").write_text('{"stage": 3}')
    at = page("Connect data")
    assert "download.json must hold" in said(at.error[0])
    assert button(at, "Download").disabled is False


def test_missing_credentials_are_explained_before_and_after_a_try(index: DataIndex, no_credentials: None) -> None:
    at = page("Connect data")
    assert "Create a token at [kaggle.com/settings]" in texts(at, "caption")
    assert "datasets/kaggle" in texts(at, "markdown")
    whole(button(at, "Download").click().run())
    wait_for("the end of the download", lambda: whole(at.run()).error)
    assert [said(error) for error in at.error] == ["The last try ended without a token: see step 1."]
    assert button(at, "Try again").disabled is False


def steps(at: AppTest) -> list[str]:
    """State of each of the three steps."""
    titles = [said(element) for element in at.markdown if re.match(r"\*\*\d · ", element.value)]
    return [re.search(r" (\w+)\]$", title)[1] for title in titles]  # type: ignore[index]


def test_the_steps_to_kaggles_data_say_how_far_they_are(
    index: DataIndex, no_credentials: None, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps(page("Connect data")) == ["now", "waiting", "waiting"]
    monkeypatch.setenv("KAGGLE_API_TOKEN", "made up")
    assert steps(page("Connect data")) == ["done", "now", "waiting"]
    shutil.copytree(tiny_data, kaggle_folder() / "chest_xray")
    at = page("Connect data")
    assert steps(at) == ["done", "done", "now"]
    whole(button(at, "Connect the downloaded copy").click().run())
    assert steps(page("Connect data")) == ["done", "done", "done"]
    build_index(tiny_data)  # Last, because the index's folder is now the other one.


@pytest.mark.parametrize("folder", ["artifacts", "home"])
def test_no_folder_of_the_server_is_shown(index: DataIndex, no_credentials: None, tmp_path: Path, folder: str) -> None:
    place = datasets_root() if folder == "artifacts" else tmp_path / "home/x"
    write_status("downloading", 5, 10, error=f"{place} must have room. Received: {str(place)!r}; free some")
    at = page("Connect data")
    named = "artifacts/datasets" if folder == "artifacts" else "~/x"
    assert said(at.error[0]) == f"{named} must have room. Received: '{named}'; free some"
    assert str(tmp_path) not in texts(at)
    assert not at.code


@pytest.mark.parametrize(
    ("progress", "fraction", "words"),
    [
        (DownloadProgress(DownloadStage.CREDENTIALS, 0, 0), 0.0, "Asking Kaggle"),
        (DownloadProgress(DownloadStage.DOWNLOADING, 3_000_000, 0), 0.0, "Downloading: 3.00 MB so far"),
        (DownloadProgress(DownloadStage.UNPACKING, 3, 2), 1.0, "Unpacking: 3 B of 2 B (100 %)"),
        (DownloadProgress(DownloadStage.VERIFYING, 2928, 5856), 0.5, "Counting the images: 2,928 of 5,856"),
    ],
)
def test_progress_in_words(progress: DownloadProgress, fraction: float, words: str) -> None:
    assert progress_text(progress) == (fraction, words)
