import importlib.util
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pneumo_core.data.download import DownloadState, DownloadStatus, cancel_download, count_images, download_status
from pneumo_core.data.source import kaggle_folder
from pneumo_core.errors import DownloadError, StoreError
from pneumo_core.jobs.downloads import start_download
from pneumo_core.reference import OFFICIAL_COUNTS
from pneumo_core.runs.files import hold_lock, lock_is_held
from tests.waiting import wait_for


def _load_server() -> Any:
    path = Path(__file__).resolve().parents[1] / "data" / "kaggle_server.py"
    spec = importlib.util.spec_from_file_location("kaggle_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kaggle_server"] = module  # Dataclasses look their module up.
    spec.loader.exec_module(module)
    return module


kaggle_server = _load_server()


def official_archive() -> bytes:
    """As many files as Kaggle's archive holds, each of a few bytes: a download counts, and does not decode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for (split, label), count in OFFICIAL_COUNTS.items():
            for number in range(count):
                bundle.writestr(f"chest_xray/{split.value}/{label.name}/IM-{number:04}-0001.jpeg", b"pixels")
    return buffer.getvalue()


def status() -> DownloadStatus:
    said = download_status(kaggle_folder())
    assert said is not None
    return said


def wait_for_its_end() -> None:
    wait_for("the download's end", lambda: status().state is not DownloadState.RUNNING, status)


def processes() -> list[str]:
    """Command lines of the downloads into this test's folder that are alive."""
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    wanted = str(kaggle_folder()).encode()
    return [line.decode() for line in lines if b"--dest" in line and wanted in line]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A stand-in for Kaggle that the child process reaches through its environment."""
    for name in list(os.environ):
        if name.startswith("KAGGLE_") or name.lower().endswith("_proxy") or name == "XDG_CONFIG_HOME":
            monkeypatch.delenv(name)
    with kaggle_server.KaggleServer(archive=official_archive()) as running:
        for name, value in running.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        yield running
        if kaggle_folder().is_dir():
            cancel_download(kaggle_folder())
        wait_for("the lock", lambda: not lock_is_held(kaggle_folder() / "download.lock"))


def test_download_goes_on_in_the_background_until_the_data_set_is_there(server: Any) -> None:
    start_download()
    wait_for_its_end()
    assert status().state is DownloadState.DONE, (kaggle_folder() / "download.log").read_text()
    assert count_images(kaggle_folder() / "chest_xray") == OFFICIAL_COUNTS
    requests = len(server.paths)
    start_download()
    assert status().state is DownloadState.DONE
    assert len(server.paths) == requests, "what is there must not be asked for again"


def test_running_download_is_joined_and_can_be_cancelled(server: Any) -> None:
    server.hang_after = 0
    with ThreadPoolExecutor(2) as pool:  # Two people, one click each.
        for done in [pool.submit(start_download) for _ in range(2)]:
            done.result()
    assert status().state is DownloadState.RUNNING
    if sys.platform == "linux":
        assert len(processes()) == 1, processes()
    log = (kaggle_folder() / "download.log").read_text()
    start_download()
    assert (kaggle_folder() / "download.log").read_text() == log
    cancel_download(kaggle_folder())
    wait_for_its_end()
    assert status().state is DownloadState.INTERRUPTED


def test_download_that_was_started_elsewhere_is_joined(server: Any) -> None:
    folder = kaggle_folder()
    folder.mkdir(parents=True)
    (folder / "download.json").write_text(
        '{"stage": "downloading", "done": 1, "total": 2, "error": "", "updated_at": 5.0}'
    )
    with hold_lock(folder / "download.lock"):
        start_download()
    assert not (folder / "download.log").exists()
    assert server.paths == []


def test_refusal_is_in_the_status_and_a_later_start_tries_anew(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    start_download()
    wait_for_its_end()
    assert status().state is DownloadState.FAILED
    assert "credentials" in status().error
    monkeypatch.setenv("KAGGLE_USERNAME", kaggle_server.USERNAME)
    start_download()
    wait_for_its_end()
    assert status().state is DownloadState.DONE


def test_damaged_status_is_replaced(server: Any) -> None:
    kaggle_folder().mkdir(parents=True)
    (kaggle_folder() / "download.json").write_text("{")
    start_download()
    wait_for_its_end()
    assert status().state is DownloadState.DONE


def test_relative_artifacts_folder_is_the_same_for_both_processes(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PNEUMO_ARTIFACTS", "here")
    server.api_status = 503
    start_download()
    wait_for_its_end()
    assert "503" in status().error
    assert (tmp_path / "here" / "datasets" / "kaggle" / "download.json").is_file()


def test_end_without_a_word_is_told_with_the_last_line_of_the_log(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text("import os\nprint('broken here', flush=True)\nos._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(DownloadError, match=r"^the download must start\. Received: exit status 3: broken here$"):
        start_download()


def test_artifacts_that_cannot_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "file"))
    with pytest.raises(StoreError, match="Received"):
        start_download()
