"""Fetches the Kaggle data set: downloaded, unpacked, counted, and only then in its place.

What lies in the destination folder, and what a kill at any instant leaves of it:

    partial/                     the archive while the `kaggle` client writes it; the next attempt goes on from there
    chest-xray-pneumonia.zip     the whole archive, until its images are in place; the next attempt does not download
    chest_xray.unpacking/        images while they are unpacked and counted; the next attempt removes it
    chest_xray/                  the data set; it appears in one step, so it is whole as soon as it exists
    download.json                how far it is, for pages; `download_status` reads it
    download.lock                held while a download is going on: this is liveness, never a process id
    cancel                       empty file: a request to stop
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pneumo_core.data.archive import unpack_images
from pneumo_core.data.fetch import ARCHIVE_NAME, DATASET_PAGE, fetch_archive
from pneumo_core.data.images import IMAGE_SUFFIXES
from pneumo_core.errors import CorruptError, DownloadError, PneumoError, RunError, StoreError
from pneumo_core.records import Label, Split
from pneumo_core.reference import OFFICIAL_COUNTS
from pneumo_core.runs.files import (
    hold_lock,
    lock_is_held,
    make_directory,
    read_json,
    store_errors,
    write_atomic,
    write_json,
)

_MAX_ARCHIVE_BYTES: Final = 8 * 10**9
"""Most bytes that are downloaded: three times the official 2.5 GB, so that a server gone wrong cannot fill the disk."""

_RESERVE_BYTES: Final = 256 * 2**20  # Left free on the disk for everybody else.
_REPORT_S: Final = 0.5  # Between two reports of one stage.


class DownloadStage(StrEnum):
    """What a download is doing."""

    CREDENTIALS = "credentials"
    DOWNLOADING = "downloading"
    UNPACKING = "unpacking"
    VERIFYING = "verifying"
    DONE = "done"


class DownloadState(StrEnum):
    """State of a download, from its files and its lock."""

    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is.

    Attributes:
        stage: What is being done.
        done: Bytes downloaded or unpacked; images counted while verifying and when done.
        total: What `done` will reach, or 0 where that is not known.
    """

    stage: DownloadStage
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DownloadStatus:
    """What is known of a folder's latest download.

    Attributes:
        state: Running, failed (`error` says why), done, or interrupted (stopped on request or killed; running it again
            goes on from there).
        progress: How far it came.
        error: One line on why it failed, or "".
        updated_at: Unix time of the latest report, in seconds.
    """

    state: DownloadState
    progress: DownloadProgress
    error: str
    updated_at: float


class _CancelledError(DownloadError):
    """The download was stopped on request."""


@dataclass(frozen=True, slots=True)
class _Places:
    dest: Path

    @property
    def root(self) -> Path:
        return self.dest / "chest_xray"

    @property
    def unpacking(self) -> Path:
        return self.dest / "chest_xray.unpacking"

    @property
    def archive(self) -> Path:
        return self.dest / ARCHIVE_NAME

    @property
    def partial(self) -> Path:
        return self.dest / "partial"

    @property
    def status(self) -> Path:
        return self.dest / "download.json"

    @property
    def lock(self) -> Path:
        return self.dest / "download.lock"

    @property
    def cancel(self) -> Path:
        return self.dest / "cancel"


# --- For everybody ----------------------------------------------------------------------------------------------------


def download_kaggle(
    dest: Path,
    *,
    progress: Callable[[DownloadProgress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    expected_counts: Mapping[tuple[Split, Label], int] = OFFICIAL_COUNTS,
    stall_timeout_s: float = 120.0,
) -> Path:
    """Fetch the Kaggle data set ``paultimothymooney/chest-xray-pneumonia`` into a folder, or return what is there.

    An attempt that failed or was killed is taken up where it stopped. An archive that was fetched with a browser and
    put into `dest` as ``chest-xray-pneumonia.zip`` serves as well. The archive is removed once its images are in place.

    Args:
        dest: Folder to work in; created where missing.
        progress: Called about twice a second and at each new stage.
        cancelled: Asked several times a second; True stops the download, as does a file ``cancel`` in `dest`.
        expected_counts: Images per split and class that the data set must have.
        stall_timeout_s: Seconds without a new byte after which the download is given up.

    Returns:
        The data set's root, ``dest/chest_xray``, with ``train``, ``val`` and ``test`` in it.

    Raises:
        DownloadError: Kaggle refuses or cannot be reached, the disk has no room, the archive is damaged or unsafe, its
            counts differ, another download works in `dest`, or this one was cancelled.
        StoreError: `dest` cannot be read or written.
    """
    places = _Places(make_directory(dest).resolve())
    total = sum(expected_counts.values())
    if _is_whole(places, expected_counts) and not (places.archive.exists() or places.partial.exists()):
        if progress:
            progress(DownloadProgress(DownloadStage.DONE, total, total))
        return places.root
    with _only_one(places), _recorded(places, progress, cancelled) as report:
        if places.root.exists() and not _is_whole(places, expected_counts):
            raise DownloadError(
                f"the folder must be free for the data set. Received: {str(places.root)!r} with "
                f"{_differences(count_images(places.root), expected_counts)}; move it away and download again"
            )
        if not places.root.exists():
            if not places.archive.is_file():
                _fetch(places, report, stall_timeout_s)
            _unpack(places, report, expected_counts)
        with store_errors(places.dest):
            places.archive.unlink(missing_ok=True)
            shutil.rmtree(places.partial, ignore_errors=True)
        report.say(DownloadStage.DONE, total, total)
    return places.root


def download_status(dest: Path) -> DownloadStatus | None:
    """What is known of a folder's latest download, or None where there was none or its result is gone.

    Raises:
        CorruptError: ``download.json`` is not what was written.
        StoreError: It cannot be read.
    """
    places = _Places(dest)
    running = lock_is_held(places.lock)
    if not places.status.exists():
        return None
    data = read_json(places.status)
    try:
        progress = DownloadProgress(DownloadStage(data["stage"]), int(data["done"]), int(data["total"]))
        error, updated_at = str(data["error"]), float(data["updated_at"])
    except (TypeError, KeyError, ValueError) as problem:
        raise CorruptError(
            "download.json must hold stage, done, total, error and updated_at. "
            f"Received: path={str(places.status)!r}: {problem}; delete it and download again"
        ) from problem
    if progress.stage is DownloadStage.DONE:
        return DownloadStatus(DownloadState.DONE, progress, "", updated_at) if places.root.is_dir() else None
    if running:
        return DownloadStatus(DownloadState.RUNNING, progress, "", updated_at)
    state = DownloadState.FAILED if error else DownloadState.INTERRUPTED
    return DownloadStatus(state, progress, error, updated_at)


def cancel_download(dest: Path) -> None:
    """Ask the download that works in a folder to stop; what it has is kept for the next one.

    Raises:
        StoreError: The request cannot be written.
    """
    write_atomic(_Places(dest).cancel, b"")


def count_images(root: Path) -> dict[tuple[Split, Label], int]:
    """Image files per split and class of a data set, by their names alone, zeros included.

    Raises:
        StoreError: A folder cannot be read.
    """
    counts = {}
    with store_errors(root):
        for split in Split:
            for label in Label:
                folder = root / split.value / label.name
                files = folder.iterdir() if folder.is_dir() else ()
                counts[split, label] = sum(
                    path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") for path in files
                )
    return counts


# --- Reports ----------------------------------------------------------------------------------------------------------


class _Report:
    """Tells the caller and the status file how far the download is, and passes requests to stop on to the work."""

    def __init__(
        self, places: _Places, progress: Callable[[DownloadProgress], None] | None, cancelled: Callable[[], bool]
    ) -> None:
        self._places = places
        self._progress = progress
        self._cancelled = cancelled
        self._latest = DownloadProgress(DownloadStage.CREDENTIALS, 0, 0)
        self._said_at = float("-inf")

    def say(self, stage: DownloadStage, done: int, total: int) -> None:
        """Report, at most every `_REPORT_S` within a stage; raises `_CancelledError` where that was asked for."""
        if stage is not DownloadStage.DONE and (self._places.cancel.exists() or self._cancelled()):
            raise _CancelledError(
                f"the download was stopped on request. Received: stage={stage.value}, {done} of {total or 'unknown'}; "
                "download again to go on from there"
            )
        is_new = stage is not self._latest.stage
        self._latest = DownloadProgress(stage, done, total)
        if is_new or time.monotonic() - self._said_at >= _REPORT_S:
            self._said_at = time.monotonic()
            self.write()
            if self._progress:
                self._progress(self._latest)

    def write(self, error: str = "") -> None:
        """Replace the status file."""
        write_json(self._places.status, {**asdict(self._latest), "error": error, "updated_at": time.time()})


@contextmanager
def _only_one(places: _Places) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(places.lock, timeout_s=1.0))
        except RunError as error:
            raise DownloadError(
                f"only one download at a time may work in a folder. Received: {str(places.dest)!r}, where one is going "
                "on; wait for it, or cancel it"
            ) from error
        yield


@contextmanager
def _recorded(
    places: _Places, progress: Callable[[DownloadProgress], None] | None, cancelled: Callable[[], bool]
) -> Iterator[_Report]:
    """A report whose last word is in the status file, whatever ends the download."""
    report = _Report(places, progress, cancelled)
    with store_errors(places.cancel):
        places.cancel.unlink(missing_ok=True)  # A request to an earlier download.
    try:
        report.say(DownloadStage.CREDENTIALS, 0, 0)
        yield report
    except _CancelledError:
        report.write()
        raise
    except PneumoError as error:
        with suppress(StoreError):  # The disk may be what failed; the first error is the one to show.
            report.write(str(error))
        raise
    finally:
        with suppress(OSError):
            places.cancel.unlink(missing_ok=True)


# --- Work -------------------------------------------------------------------------------------------------------------


def _fetch(places: _Places, report: _Report, stall_timeout_s: float) -> None:
    """Bring the archive to its place."""

    def watch(size: int, total: int) -> None:
        if max(size, total) > _MAX_ARCHIVE_BYTES:
            raise DownloadError(
                f"the archive must have at most {_MAX_ARCHIVE_BYTES} bytes. Received: {max(size, total)} bytes; "
                f"see {DATASET_PAGE} whether it is still the same data set"
            )
        # One of the archive's two copies will be unpacked, and JPEG files do not get smaller in a zip file.
        _require_free(places.dest, max(total - size, 0) + total // 2)
        report.say(DownloadStage.DOWNLOADING if size or total else DownloadStage.CREDENTIALS, size, total)

    fetch_archive(places.partial, places.archive, watch, stall_timeout_s=stall_timeout_s)


def _require_free(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _RESERVE_BYTES:
        raise DownloadError(
            f"the disk must have {(needed + _RESERVE_BYTES) / 1e9:.2f} GB free to go on. Received: {free / 1e9:.2f} GB "
            f"free in {str(folder)!r}; free some space and download again, or choose a folder on another disk"
        )


def _unpack(places: _Places, report: _Report, expected_counts: Mapping[tuple[Split, Label], int]) -> None:
    """Bring the archive's images to their place, all of them at once."""

    def watch(done: int, total: int) -> None:
        if done == 0:
            _require_free(places.dest, total)
        report.say(DownloadStage.UNPACKING, done, total)

    _remove(places.unpacking)
    try:
        unpack_images(places.archive, places.unpacking, watch)
        counts = count_images(places.unpacking)
        report.say(DownloadStage.VERIFYING, sum(counts.values()), sum(expected_counts.values()))
        if counts != dict(expected_counts):
            raise DownloadError(
                "the data set must have the official numbers of images. Received: "
                f"{_differences(counts, expected_counts)}; the archive is kept: delete {str(places.archive)!r} to "
                "download it anew, or unpack it yourself and name that folder"
            )
        with store_errors(places.root):
            if hasattr(os, "sync"):
                os.sync()  # Or a power cut could leave the new name with empty files behind it.
            places.unpacking.replace(places.root)
    except CorruptError as error:
        with store_errors(places.archive):
            places.archive.unlink()
        raise DownloadError(f"{error}; it has been removed: download again") from error
    finally:
        shutil.rmtree(places.unpacking, ignore_errors=True)


def _remove(folder: Path) -> None:
    with store_errors(folder), suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _is_whole(places: _Places, expected_counts: Mapping[tuple[Split, Label], int]) -> bool:
    return places.root.is_dir() and count_images(places.root) == dict(expected_counts)


def _differences(counts: Mapping[tuple[Split, Label], int], expected_counts: Mapping[tuple[Split, Label], int]) -> str:
    return ", ".join(
        f"{split.value}/{label.name}={counts.get((split, label), 0)} (expected {expected})"
        for (split, label), expected in expected_counts.items()
        if counts.get((split, label), 0) != expected
    )
