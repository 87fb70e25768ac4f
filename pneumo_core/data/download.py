"""Download of the Kaggle data set: it is downloaded, unpacked and counted before it is moved to its final folder.

Content of the destination folder, also after a kill at any instant:

    partial/                     the archive while the `kaggle` client writes it; the next attempt resumes it
    chest-xray-pneumonia.zip     the complete archive, until its images are in place; the next attempt skips the download
    chest_xray.unpacking/        images while they are unpacked and counted; the next attempt removes it
    chest_xray/                  the data set; it appears in one step, so it is complete as soon as it exists
    download.json                progress, for pages; `download_status` reads it
    download.lock                held while a download is running: this is liveness, never a process id
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
from pneumo_core.data.formats import is_image_file
from pneumo_core.errors import CorruptError, DownloadError, PneumoError, StoreError
from pneumo_core.records import FOLDERS, Label, Split
from pneumo_core.reference import OFFICIAL_COUNTS
from pneumo_core.runs.files import (
    PathIn,
    lock_is_held,
    make_directory,
    read_json,
    store_errors,
    takes_lock,
    write_atomic,
    write_json,
)

_MAX_ARCHIVE_BYTES: Final = 8 * 10**9
"""Maximum download size in bytes: three times the official 2.5 GB, so that a faulty server cannot fill the disk."""

_RESERVE_BYTES: Final = 256 * 2**20  # Left free on the disk for other programs.
_REPORT_S: Final = 0.5  # Seconds between two reports of one stage.


class DownloadStage(StrEnum):
    """Stage of a download."""

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
    """Progress of a download.

    Attributes:
        stage: Current stage.
        done: Bytes downloaded or unpacked; images counted while verifying and when done.
        total: Final value of `done`, or 0 if it is unknown.
    """

    stage: DownloadStage
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class DownloadStatus:
    """Status of a folder's latest download.

    Attributes:
        state: Running, failed (`error` gives the reason), done, or interrupted (stopped on request or killed; another
            download resumes it).
        progress: Last reported progress.
        error: Reason of a failure in one line, or "".
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
    path: Path

    root = PathIn("chest_xray")
    unpacking = PathIn("chest_xray.unpacking")
    archive = PathIn(ARCHIVE_NAME)
    partial = PathIn("partial")
    status = PathIn("download.json")
    lock = PathIn("download.lock")
    cancel = PathIn("cancel")


# --- Public functions -------------------------------------------------------------------------------------------------


def download_kaggle(
    dest: Path,
    *,
    progress: Callable[[DownloadProgress], None] | None = None,
    expected_counts: Mapping[tuple[Split, Label], int] = OFFICIAL_COUNTS,
    stall_timeout_s: float = 120.0,
) -> Path:
    """Download the Kaggle data set ``paultimothymooney/chest-xray-pneumonia`` into a folder, unless it is already there.

    An attempt that failed or was killed is resumed. An archive that was downloaded with a browser and saved in `dest` as
    ``chest-xray-pneumonia.zip`` is used as well. The archive is removed once its images are in place. `cancel_download` stops
    the download.

    Args:
        dest: Folder to work in; created if missing.
        progress: Called about twice a second and at each new stage.
        expected_counts: Images per split and class that the data set must have.
        stall_timeout_s: Seconds without a new byte after which the download fails.

    Returns:
        The data set's root, ``dest/chest_xray``, with ``train``, ``val`` and ``test`` in it.

    Raises:
        DownloadError: Kaggle refuses or cannot be reached, the disk is full, the archive is damaged or unsafe, its
            counts differ, another download works in `dest`, or this one was cancelled.
        StoreError: `dest` cannot be read or written.
    """
    places = _Places(make_directory(dest).resolve())
    total = sum(expected_counts.values())
    if _is_whole(places, expected_counts) and not (places.archive.exists() or places.partial.exists()):
        if progress:
            progress(DownloadProgress(DownloadStage.DONE, total, total))
        return places.root
    with ExitStack() as held:
        if not takes_lock(held, places.lock, timeout_s=1.0):
            raise DownloadError(
                f"only one download at a time may work in a folder. Received: {str(places.path)!r}, where one is running; "
                "wait for it, or cancel it"
            )
        report = held.enter_context(_recorded(places, progress))
        if places.root.exists() and not _is_whole(places, expected_counts):
            raise DownloadError(
                f"the folder must be free for the data set. Received: {str(places.root)!r} with "
                f"{_differences(count_images(places.root), expected_counts)}; move it away and download again"
            )
        if not places.root.exists():
            if not places.archive.is_file():
                _fetch(places, report, stall_timeout_s)
            _unpack(places, report, expected_counts)
        with store_errors(places.path):
            places.archive.unlink(missing_ok=True)
            shutil.rmtree(places.partial, ignore_errors=True)
        report.report(DownloadStage.DONE, total, total)
    return places.root


def download_status(dest: Path) -> DownloadStatus | None:
    """Status of a folder's latest download, or None if there was none or its result is gone.

    Raises:
        CorruptError: ``download.json`` is damaged.
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
    """Request that the download in a folder stops; its data is kept for the next one.

    Raises:
        StoreError: The request cannot be written.
    """
    write_atomic(_Places(dest).cancel, b"")


def count_images(root: Path) -> dict[tuple[Split, Label], int]:
    """Image files per split and class of a data set, counted by their names, zeros included.

    Raises:
        StoreError: A folder cannot be read.
    """
    counts = {}
    with store_errors(root):
        for split in FOLDERS:
            for label in Label:
                folder = root / split.value / label.name
                files = folder.iterdir() if folder.is_dir() else ()
                counts[split, label] = sum(is_image_file(path, folder) for path in files)
    return counts


# --- Reports ----------------------------------------------------------------------------------------------------------


class _Report:
    """Reports progress to the caller and to the status file, and stops the work on request."""

    def __init__(self, places: _Places, progress: Callable[[DownloadProgress], None] | None) -> None:
        self._places = places
        self._progress = progress
        self._latest = DownloadProgress(DownloadStage.CREDENTIALS, 0, 0)
        self._reported_at = float("-inf")

    def report(self, stage: DownloadStage, done: int, total: int) -> None:
        """Report, at most every `_REPORT_S` within a stage; raises `_CancelledError` on a request to stop."""
        if stage is not DownloadStage.DONE and self._places.cancel.exists():
            raise _CancelledError(
                f"the download was stopped on request. Received: stage={stage.value}, {done} of {total or 'unknown'}; "
                "download again to resume it"
            )
        is_new = stage is not self._latest.stage
        self._latest = DownloadProgress(stage, done, total)
        if is_new or time.monotonic() - self._reported_at >= _REPORT_S:
            self._reported_at = time.monotonic()
            self.write()
            if self._progress:
                self._progress(self._latest)

    def write(self, error: str = "") -> None:
        """Replace the status file."""
        write_json(self._places.status, {**asdict(self._latest), "error": error, "updated_at": time.time()})


@contextmanager
def _recorded(places: _Places, progress: Callable[[DownloadProgress], None] | None) -> Iterator[_Report]:
    """A report that is written to the status file at the end, however the download ends."""
    report = _Report(places, progress)
    with store_errors(places.cancel):
        places.cancel.unlink(missing_ok=True)  # A request to an earlier download.
    try:
        report.report(DownloadStage.CREDENTIALS, 0, 0)
        yield report
    except _CancelledError:
        report.write()
        raise
    except PneumoError as error:
        with suppress(StoreError):  # The disk itself may have failed; the first error is the one to show.
            report.write(str(error))
        raise
    finally:
        with suppress(OSError):
            places.cancel.unlink(missing_ok=True)


# --- Work -------------------------------------------------------------------------------------------------------------


def _fetch(places: _Places, report: _Report, stall_timeout_s: float) -> None:
    """Download the archive to its path."""

    def watch(size: int, total: int) -> None:
        if max(size, total) > _MAX_ARCHIVE_BYTES:
            raise DownloadError(
                f"the archive must have at most {_MAX_ARCHIVE_BYTES} bytes. Received: {max(size, total)} bytes; "
                f"check at {DATASET_PAGE} whether it is still the same data set"
            )
        # One of the archive's two copies will be unpacked, and JPEG files do not get smaller in a zip file.
        _require_free(places.path, max(total - size, 0) + total // 2)
        report.report(DownloadStage.DOWNLOADING if size or total else DownloadStage.CREDENTIALS, size, total)

    fetch_archive(places.partial, places.archive, watch, stall_timeout_s=stall_timeout_s)


def _require_free(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _RESERVE_BYTES:
        raise DownloadError(
            f"the disk must have {(needed + _RESERVE_BYTES) / 1e9:.2f} GB free to continue. Received: {free / 1e9:.2f} GB "
            f"free in {str(folder)!r}; free some space and download again, or choose a folder on another disk"
        )


def _unpack(places: _Places, report: _Report, expected_counts: Mapping[tuple[Split, Label], int]) -> None:
    """Unpack and count the archive's images, then move them to their folder in one step."""

    def watch(done: int, total: int) -> None:
        if done == 0:
            _require_free(places.path, total)
        report.report(DownloadStage.UNPACKING, done, total)

    with store_errors(places.unpacking), suppress(FileNotFoundError):
        shutil.rmtree(places.unpacking)
    try:
        unpack_images(places.archive, places.unpacking, watch)
        counts = count_images(places.unpacking)
        report.report(DownloadStage.VERIFYING, sum(counts.values()), sum(expected_counts.values()))
        if counts != dict(expected_counts):
            raise DownloadError(
                "the data set must have the official numbers of images. Received: "
                f"{_differences(counts, expected_counts)}; the archive is kept: delete {str(places.archive)!r} to "
                "download it again, or unpack it yourself and use that folder"
            )
        with store_errors(places.root):
            if hasattr(os, "sync"):
                os.sync()  # Otherwise a power cut could leave a folder of empty files.
            places.unpacking.replace(places.root)
    except CorruptError as error:
        with store_errors(places.archive):
            places.archive.unlink()
        raise DownloadError(f"{error}; it has been removed: download again") from error
    finally:
        shutil.rmtree(places.unpacking, ignore_errors=True)


def _is_whole(places: _Places, expected_counts: Mapping[tuple[Split, Label], int]) -> bool:
    return places.root.is_dir() and count_images(places.root) == dict(expected_counts)


def _differences(counts: Mapping[tuple[Split, Label], int], expected_counts: Mapping[tuple[Split, Label], int]) -> str:
    return ", ".join(
        f"{split.value}/{label.name}={counts.get((split, label), 0)} (expected {expected})"
        for (split, label), expected in expected_counts.items()
        if counts.get((split, label), 0) != expected
    )
