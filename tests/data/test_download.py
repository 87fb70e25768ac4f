"""The download from a stand-in for Kaggle, by way of `fetch` and `kaggle_client`."""

import functools
import importlib.util
import io
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from pneumo_core.data import download as download_module
from pneumo_core.data import fetch as fetch_module
from pneumo_core.data.download import (
    DownloadProgress,
    DownloadStage,
    DownloadState,
    cancel_download,
    count_images,
    download_kaggle,
    download_status,
)
from pneumo_core.data.fetch import credentials_hint
from pneumo_core.errors import CorruptError, DownloadError, StoreError
from pneumo_core.records import FOLDERS, Label, Split
from tests.waiting import wait_for


def _load_server() -> Any:
    spec = importlib.util.spec_from_file_location("kaggle_server", Path(__file__).with_name("kaggle_server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kaggle_server"] = module  # Dataclasses look their module up.
    spec.loader.exec_module(module)
    return module


kaggle_server = _load_server()

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {(split, label): 1 + 2 * label + (split is Split.TRAIN) for split in FOLDERS for label in Label}
TOTAL = sum(COUNTS.values())
ARCHIVE = "chest-xray-pneumonia.zip"
CHUNK = 2**20  # Bytes that the package writes at a time.


def make_archive(size_bytes: int = 3000, extra: dict[str, bytes] | None = None) -> bytes:
    """A small archive with everything that Kaggle's has: two copies and what macOS leaves behind."""
    noise = random.Random(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for copy in ("chest_xray/chest_xray", "chest_xray"):
            for (split, label), count in COUNTS.items():
                folder = f"{copy}/{split.value}/{label.name}"
                bundle.writestr(f"{folder}/.DS_Store", b"mac")
                for number in range(count):
                    bundle.writestr(f"{folder}/IM-{number:04}-0001.jpeg", noise.randbytes(size_bytes))
                    bundle.writestr(f"chest_xray/__MACOSX/{folder}/._IM-{number:04}-0001.jpeg", b"mac")
        for name, data in (extra or {}).items():
            bundle.writestr(name, data)
    return buffer.getvalue()


@functools.cache
def large_archive() -> bytes:
    """One that the package writes in several chunks."""
    return make_archive(120_000)


def images_of(archive: bytes) -> dict[str, bytes]:
    """What must be in the data set's folder: the outer copy of `make_archive`."""
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        return {
            name.removeprefix("chest_xray/"): bundle.read(name)
            for name in bundle.namelist()
            if name.startswith(("chest_xray/train", "chest_xray/val", "chest_xray/test")) and name.endswith(".jpeg")
        }


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fetch(dest: Path, **changes: Any) -> Path:
    return download_kaggle(dest, **{"expected_counts": COUNTS, **changes})


def put_archive(dest: Path, data: bytes) -> Path:
    dest.mkdir(parents=True, exist_ok=True)
    (dest / ARCHIVE).write_bytes(data)
    return dest / ARCHIVE


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("KAGGLE_") or name.lower().endswith("_proxy") or name in {"XDG_CONFIG_HOME", "VERBOSE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def server() -> Iterator[Any]:
    with kaggle_server.KaggleServer(archive=make_archive()) as running:
        yield running


@pytest.fixture
def connect(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    def choose(credentials: str) -> None:
        for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in server.environment(tmp_path / "home", credentials=credentials).items():
            monkeypatch.setenv(name, value)

    choose("key")
    return choose


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "kaggle"


@pytest.fixture
def a_minute_a_look(server: Any, dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still until all that a silent server has sent is on the disk, and then runs fast."""
    part, minutes = dest / "partial" / ARCHIVE, itertools.count(60, 60)

    def now() -> float:
        is_silent = server.hang_after is not None and part.exists() and part.stat().st_size == CHUNK
        return float(next(minutes)) if is_silent else 0.0

    monkeypatch.setattr(fetch_module, "time", SimpleNamespace(monotonic=now))


# --- All goes well ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("connect")
def test_download(server: Any, dest: Path, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[DownloadProgress] = []
    before = time.time()
    root = fetch(dest, progress=heard.append)
    assert root == dest / "chest_xray"
    assert files_in(root) == images_of(server.archive)
    assert count_images(root) == COUNTS
    assert {path.name for path in dest.iterdir()} <= {"chest_xray", "download.json", "download.lock"}

    stages = [progress.stage for progress in heard]
    assert sorted(set(stages), key=stages.index) == list(DownloadStage)
    assert heard[-1] == DownloadProgress(DownloadStage.DONE, TOTAL, TOTAL)
    assert next(p.total for p in heard if p.stage is DownloadStage.DOWNLOADING) == len(server.archive)
    status = download_status(dest)
    assert status is not None
    assert (status.state, status.progress, status.error) == (DownloadState.DONE, heard[-1], "")
    assert before <= status.updated_at <= time.time()

    assert "kaggle" not in sys.modules
    assert capfd.readouterr() == ("", "")
    assert server.authorizations[0].startswith("Basic ")

    seen = len(server.paths)
    assert fetch(dest, progress=heard.append) == root
    assert heard[-1] == DownloadProgress(DownloadStage.DONE, TOTAL, TOTAL)
    assert len(server.paths) == seen


def test_download_with_a_token(server: Any, connect: Callable[[str], None], dest: Path) -> None:
    connect("token")
    assert files_in(fetch(dest)) == images_of(server.archive)
    assert any(header.startswith("Bearer ") for header in server.authorizations)


@pytest.mark.usefixtures("connect")
def test_a_length_that_is_not_announced(server: Any, dest: Path) -> None:
    server.archive = large_archive()
    server.says_length = False
    server.bytes_per_s = 3_000_000
    heard: list[DownloadProgress] = []
    assert files_in(fetch(dest, progress=heard.append)) == images_of(server.archive)
    assert {p.total for p in heard if p.stage is DownloadStage.DOWNLOADING} == {0}


def test_an_archive_from_the_browser_needs_no_credentials(dest: Path) -> None:
    data = make_archive()
    put_archive(dest, data)
    assert files_in(fetch(dest)) == images_of(data)
    assert not (dest / ARCHIVE).exists()


def test_leftovers_are_cleared_away(dest: Path) -> None:
    put_archive(dest, make_archive())
    fetch(dest)
    put_archive(dest, make_archive())  # As a kill between the last two steps leaves it.
    (dest / "partial").mkdir()
    fetch(dest)
    assert {path.name for path in dest.iterdir()} <= {"chest_xray", "download.json", "download.lock"}


# --- Kaggle refuses ---------------------------------------------------------------------------------------------------


def test_missing_credentials(server: Any, connect: Callable[[str], None], dest: Path, tmp_path: Path) -> None:
    connect("none")
    with pytest.raises(DownloadError) as caught:
        fetch(dest)
    assert str(caught.value) == credentials_hint()
    for needed in (
        "https://www.kaggle.com/settings",
        "KAGGLE_API_TOKEN",
        "KAGGLE_USERNAME and KAGGLE_KEY",
        "kaggle.json",
        str(tmp_path / "home/.kaggle/access_token"),
        "https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia",
        ARCHIVE,
    ):
        assert needed in str(caught.value)
    assert "\n" not in str(caught.value)
    assert server.paths == []
    status = download_status(dest)
    assert status is not None
    assert (status.state, status.error) == (DownloadState.FAILED, str(caught.value))
    # The same folder serves as soon as there are credentials.
    connect("key")
    fetch(dest)
    status = download_status(dest)
    assert status is not None
    assert (status.state, status.error) == (DownloadState.DONE, "")


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "create new ones at https://www.kaggle.com/settings"),
        (403, "accept its terms"),
        (404, "pip install --upgrade kaggle"),
        (429, "wait some minutes"),
        (500, "download again later"),
    ],
)
@pytest.mark.usefixtures("connect")
def test_refusals(server: Any, dest: Path, status: int, advice: str) -> None:
    server.api_status = status
    with pytest.raises(DownloadError, match=rf"Received: HTTP status {status} \(No way\); .*{advice}"):
        fetch(dest)
    assert not (dest / "chest_xray").exists()


@pytest.mark.usefixtures("connect")
def test_a_wrong_key(monkeypatch: pytest.MonkeyPatch, dest: Path) -> None:
    monkeypatch.setenv("KAGGLE_KEY", "wrong")
    with pytest.raises(DownloadError, match=r"HTTP status 401 .*does not know these credentials"):
        fetch(dest)


def test_a_refused_token(connect: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, dest: Path) -> None:
    connect("token")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "expired")
    with pytest.raises(DownloadError, match="refusal of the ones set up; create new ones at https://www"):
        fetch(dest)


def test_no_connection(monkeypatch: pytest.MonkeyPatch, dest: Path, tmp_path: Path) -> None:
    with kaggle_server.KaggleServer() as gone:
        environment = gone.environment(tmp_path / "home")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DownloadError, match="Kaggle must be reachable"):
        fetch(dest)


@pytest.mark.usefixtures("connect")
def test_a_broken_kaggle_package(monkeypatch: pytest.MonkeyPatch, dest: Path, tmp_path: Path) -> None:
    package = tmp_path / "broken" / "kaggle"
    package.mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    (package / "__init__.py").write_text("raise KeyError('surprise')")
    with pytest.raises(DownloadError, match=r"the kaggle package must work\. Received: KeyError: 'surprise'"):
        fetch(dest)
    (package / "__init__.py").write_text("")
    with pytest.raises(DownloadError, match=r"must be installed\. Received: No module named 'kaggle\.api'"):
        fetch(dest)
    # Versions before 2 ended the process while they were imported.
    (package / "__init__.py").write_text("print('who are you?'); exit(1)")
    with pytest.raises(DownloadError, match="must accept the credentials"):
        fetch(dest)


# --- The connection fails ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("connect")
def test_a_broken_connection_is_taken_up_again(server: Any, dest: Path) -> None:
    server.archive = large_archive()
    server.cuts = [CHUNK + 20_000]
    assert files_in(fetch(dest)) == images_of(server.archive)
    assert server.ranges == ["", f"bytes={CHUNK}-"]


@pytest.mark.usefixtures("connect", "a_minute_a_look")
def test_silence_is_given_up_and_taken_up_again(server: Any, dest: Path) -> None:
    server.archive = large_archive()
    server.hang_after = CHUNK + 32_768
    with pytest.raises(DownloadError, match=rf"nothing for 120 s after {CHUNK} of \d+ bytes; check the connection"):
        fetch(dest)
    assert (dest / "partial" / ARCHIVE).read_bytes() == server.archive[:CHUNK]
    assert not (dest / ARCHIVE).exists()
    server.hang_after = None
    assert files_in(fetch(dest)) == images_of(server.archive)
    # The package always asks for the whole first, learns who it is, and then for what it lacks.
    assert server.ranges == ["", "", f"bytes={CHUNK}-"]


@pytest.mark.usefixtures("connect", "a_minute_a_look")
def test_parts_of_another_version_are_not_mixed(server: Any, dest: Path) -> None:
    server.archive = large_archive()
    server.hang_after = CHUNK + 32_768
    with pytest.raises(DownloadError, match=f"nothing for 120 s after {CHUNK} of"):
        fetch(dest)
    assert (dest / "partial" / ARCHIVE).stat().st_size == CHUNK
    server.hang_after = None
    server.etag = '"two"'
    server.archive = make_archive(130_000)
    assert files_in(fetch(dest)) == images_of(server.archive)
    assert server.ranges == ["", ""]


@pytest.mark.usefixtures("connect")
def test_a_part_that_passes_for_the_whole_is_found_out(server: Any, dest: Path) -> None:
    # The package takes a file that is newer and not smaller than Kaggle's for Kaggle's.
    part = put_archive(dest / "partial", large_archive()[:-1])
    assert part.stat().st_size > len(server.archive)
    with pytest.raises(DownloadError, match="has been removed: download again"):
        fetch(dest)
    assert files_in(fetch(dest)) == images_of(server.archive)


@pytest.mark.usefixtures("connect")
def test_a_truncated_body_without_a_length(server: Any, dest: Path) -> None:
    server.says_length = False
    server.cuts = [30_000]
    with pytest.raises(DownloadError, match=r"whole zip file.*Received: .*; it has been removed: download again"):
        fetch(dest)
    assert {path.name for path in dest.iterdir()} <= {"download.json", "download.lock"}
    assert files_in(fetch(dest)) == images_of(server.archive)


@pytest.mark.usefixtures("connect")
def test_an_empty_body(server: Any, dest: Path) -> None:
    server.archive = b""
    with pytest.raises(DownloadError, match=r"must arrive complete\. Received: 0 of"):
        fetch(dest)
    assert not (dest / ARCHIVE).exists()


# --- The archive is not what it should be -----------------------------------------------------------------------------


def test_a_corrupt_archive_is_removed(dest: Path) -> None:
    data = bytearray(make_archive())
    data[len(data) - 20_000] ^= 0xFF  # In the outer copy.
    archive = put_archive(dest, bytes(data))
    with pytest.raises(DownloadError, match="it has been removed: download again"):
        fetch(dest)
    assert not archive.exists()
    assert {path.name for path in dest.iterdir()} <= {"download.json", "download.lock"}


@pytest.mark.usefixtures("connect")
def test_a_traversal_entry_writes_nothing(server: Any, dest: Path, tmp_path: Path) -> None:
    server.archive = make_archive(extra={"chest_xray/train/NORMAL/../../../../evil.jpeg": b"evil"})
    with pytest.raises(DownloadError, match="unsafe entry"):
        fetch(dest)
    assert not list(tmp_path.rglob("evil*"))
    assert {path.name for path in dest.iterdir()} <= {"download.json", "download.lock"}


def test_wrong_counts_keep_the_archive(dest: Path) -> None:
    archive = put_archive(dest, make_archive())
    expected = {**COUNTS, (Split.TRAIN, Label.NORMAL): 7, (Split.TEST, Label.PNEUMONIA): 1}
    with pytest.raises(DownloadError) as caught:
        fetch(dest, expected_counts=expected)
    assert f"train/NORMAL={COUNTS[Split.TRAIN, Label.NORMAL]} (expected 7), " in str(caught.value)
    assert f"test/PNEUMONIA={COUNTS[Split.TEST, Label.PNEUMONIA]} (expected 1);" in str(caught.value)
    assert "val/" not in str(caught.value)
    assert str(archive) in str(caught.value)
    assert archive.exists()
    assert not (dest / "chest_xray").exists()
    assert not (dest / "chest_xray.unpacking").exists()
    fetch(dest)  # The official counts by default: with the right expectation the kept archive serves.


def test_the_default_expectation_is_the_official_one(dest: Path) -> None:
    put_archive(dest, make_archive())
    with pytest.raises(DownloadError, match=r"train/NORMAL=2 \(expected 1341\), train/PNEUMONIA=4 \(expected 3875\)"):
        download_kaggle(dest)


def test_a_folder_of_somebody_else_is_left_alone(dest: Path) -> None:
    mine = dest / "chest_xray/train/NORMAL/mine.jpeg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    archive = put_archive(dest, make_archive())
    with pytest.raises(DownloadError, match=r"must be free for the data set.*move it away"):
        fetch(dest)
    assert mine.read_bytes() == b"mine"
    assert archive.exists()


# --- The disk ---------------------------------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


@pytest.mark.usefixtures("connect")
def test_too_little_room_is_said_before_the_first_byte(
    server: Any, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = download_module._RESERVE_BYTES
    needed = len(server.archive) + len(server.archive) // 2 + reserve
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, needed - 1))
    with pytest.raises(
        DownloadError, match=r"must have 0\.27 GB free to continue\. Received: 0\.27 GB free in .*kaggle"
    ):
        fetch(dest)
    assert not (dest / "partial" / ARCHIVE).exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, needed))
    fetch(dest)


def test_too_little_room_to_unpack(dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = put_archive(dest, make_archive())
    needed = sum(map(len, images_of(archive.read_bytes()).values())) + download_module._RESERVE_BYTES
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, needed - 1))
    with pytest.raises(DownloadError, match="GB free to continue"):
        fetch(dest)
    assert archive.exists()
    assert not (dest / "chest_xray.unpacking").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, needed))
    fetch(dest)


@pytest.mark.usefixtures("connect")
def test_too_large_an_archive(server: Any, dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "_MAX_ARCHIVE_BYTES", len(server.archive) - 1)
    with pytest.raises(DownloadError, match="must have at most"):
        fetch(dest)
    assert not (dest / "partial" / ARCHIVE).exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="file"):
        fetch(tmp_path / "file" / "dest")


# --- Stops ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("connect")
def test_cancelled_while_downloading_and_taken_up_again(server: Any, dest: Path) -> None:
    server.archive = large_archive()
    server.bytes_per_s = 1_000_000

    def stop(progress: DownloadProgress) -> None:
        if progress.stage is DownloadStage.DOWNLOADING and progress.done:
            cancel_download(dest)

    with pytest.raises(DownloadError, match=r"stopped on request\. Received: stage=downloading"):
        fetch(dest, progress=stop)
    assert not (dest / "cancel").exists()
    status = download_status(dest)
    assert status is not None
    assert (status.state, status.error) == (DownloadState.INTERRUPTED, "")
    part = (dest / "partial" / ARCHIVE).stat().st_size
    assert 0 < part < len(server.archive)
    wait_for("the orphan's end", lambda: server.deserted == 1)  # The child process is gone.

    server.bytes_per_s = float("inf")
    assert files_in(fetch(dest)) == images_of(server.archive)
    assert server.ranges == ["", "", f"bytes={part}-"]


@pytest.mark.parametrize("stage", [DownloadStage.UNPACKING, DownloadStage.VERIFYING])
def test_cancelled_while_unpacking(dest: Path, stage: DownloadStage, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = put_archive(dest, make_archive())
    stages: list[DownloadStage] = []
    monkeypatch.setattr(download_module, "_REPORT_S", 0.0)

    def stop(progress: DownloadProgress) -> None:
        stages.append(progress.stage)
        # The next report finds the request: of another image, or that all are unpacked.
        last = 0 if stage is DownloadStage.UNPACKING else progress.total
        if progress.stage is DownloadStage.UNPACKING and progress.done == last:
            cancel_download(dest)

    with pytest.raises(DownloadError, match=rf"stopped on request\. Received: stage={stage}"):
        fetch(dest, progress=stop)
    assert DownloadStage.DONE not in stages
    assert archive.exists()
    assert not (dest / "chest_xray").exists()
    assert not (dest / "chest_xray.unpacking").exists()
    fetch(dest)


def test_an_old_request_to_stop_does_not_stop_the_next_download(dest: Path) -> None:
    put_archive(dest, make_archive())
    cancel_download(dest)
    fetch(dest)


_KILLED = """
import json, signal, sys
from pathlib import Path
from pneumo_core.data.download import download_kaggle
from pneumo_core.records import Label, Split

counts = {(Split(split), Label(label)): count for split, label, count in json.loads(sys.argv[3])}

def wait(progress):
    if progress.stage == sys.argv[2] and (progress.done or progress.stage == "unpacking"):
        sys.stdout.write("now\\n")
        sys.stdout.flush()
        signal.pause()

download_kaggle(Path(sys.argv[1]), progress=wait, expected_counts=counts)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("stage", ["downloading", "unpacking", "verifying"])
@pytest.mark.usefixtures("connect")
def test_killed_and_taken_up_again(server: Any, dest: Path, stage: str) -> None:
    if stage == "downloading":
        server.archive = large_archive()
        server.bytes_per_s = 1_000_000
    counts = json.dumps([(split.value, label.value, count) for (split, label), count in COUNTS.items()])
    command = [sys.executable, "-c", _KILLED, str(dest), stage, counts]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        running = download_status(dest)
        if stage == "verifying":
            with pytest.raises(DownloadError, match="only one download at a time"):
                fetch(dest)
        process.send_signal(signal.SIGKILL)
    assert running is not None
    assert (running.state, running.progress.stage) == (DownloadState.RUNNING, stage)
    assert not (dest / "chest_xray").exists()
    status = download_status(dest)
    assert status is not None
    assert status.state is DownloadState.INTERRUPTED
    if stage == "downloading":
        wait_for("the orphan's end", lambda: server.deserted == 1)  # The orphan has noticed.
        part = (dest / "partial" / ARCHIVE).stat().st_size
        assert 0 < part < len(server.archive)

    server.bytes_per_s = float("inf")
    requests = len(server.ranges)
    assert files_in(fetch(dest)) == images_of(server.archive)
    assert server.ranges[requests:] == (["", f"bytes={part}-"] if stage == "downloading" else [])
    assert {path.name for path in dest.iterdir()} <= {"chest_xray", "download.json", "download.lock"}


def test_only_one_at_a_time(dest: Path) -> None:
    put_archive(dest, make_archive())
    with FileLock(dest / "download.lock"), pytest.raises(DownloadError, match=r"where one is running; wait for it"):
        fetch(dest)
    fetch(dest)


def test_other_errors_leave_an_interrupted_download(dest: Path) -> None:
    put_archive(dest, make_archive())

    def surprise(progress: DownloadProgress) -> None:
        if progress.stage is DownloadStage.UNPACKING:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch(dest, progress=surprise)
    status = download_status(dest)
    assert status is not None
    assert status.state is DownloadState.INTERRUPTED
    fetch(dest)


# --- Status and credentials -------------------------------------------------------------------------------------------


def test_no_status(dest: Path) -> None:
    assert download_status(dest) is None
    put_archive(dest, make_archive())
    fetch(dest)
    shutil.rmtree(dest / "chest_xray")
    assert download_status(dest) is None  # The folder was taken away since.


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"stage": "later", "done": 0, "total": 0, "error": "", "updated_at": 0}']
)
def test_a_damaged_status(dest: Path, text: str) -> None:
    dest.mkdir()
    (dest / "download.json").write_text(text)
    with pytest.raises(CorruptError, match=r"download\.json must hold"):
        download_status(dest)
    put_archive(dest, make_archive())
    fetch(dest)
    assert download_status(dest) is not None


@pytest.mark.parametrize(
    "place", [".kaggle/kaggle.json", ".config/kaggle/kaggle.json", ".kaggle/access_token", ".kaggle/credentials.json"]
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="~/.config is a place on Linux only")
def test_credential_files_are_seen(tmp_path: Path, place: str) -> None:
    assert credentials_hint() is not None
    file = tmp_path / "home" / place
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert credentials_hint() is None


def test_credentials_in_the_environment_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    assert credentials_hint() is not None
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    assert credentials_hint() is None
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret")
    assert credentials_hint() is None
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "config"))
    assert str(tmp_path / "config" / "kaggle.json") in (credentials_hint() or "")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "kaggle.json").write_text("{}")
    assert credentials_hint() is None


@pytest.mark.parametrize("place", [".kaggle/kaggle.json", ".config/kaggle/kaggle.json", ".kaggle/access_token"])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="~/.config is a place on Linux only")
def test_the_package_reads_the_places_the_hint_looks_at(
    server: Any, connect: Callable[[str], None], dest: Path, tmp_path: Path, place: str
) -> None:
    connect("none")
    file = tmp_path / "home" / place
    file.parent.mkdir(parents=True)
    key = json.dumps({"username": kaggle_server.USERNAME, "key": kaggle_server.KEY})
    file.write_text(kaggle_server.TOKEN if file.name == "access_token" else key)
    file.chmod(0o600)
    assert files_in(fetch(dest)) == images_of(server.archive)
