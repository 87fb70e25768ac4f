"""The Kaggle download as a background job.

It is started here, followed with `data.download.download_status` and stopped with `data.download.cancel_download`. Like a
run, it outlives the page that started it and is alive as long as its lock is held.
"""

from pathlib import Path

from pneumo_core.data.download import DownloadState, DownloadStatus, download_status
from pneumo_core.data.source import kaggle_folder
from pneumo_core.errors import CorruptError, DownloadError
from pneumo_core.jobs.local import START_TIMEOUT_S, start_and_wait
from pneumo_core.runs.files import hold_lock, make_directory


def start_download() -> None:
    """Start downloading into `kaggle_folder()`, unless a download is already running there.

    Returns as soon as the download has written its first status, which may be an error; `download_status` reads it.

    Raises:
        DownloadError: The process did not start, or ended without an error message.
        RunError: Another process has been starting a download for three minutes.
        StoreError: The folder cannot be written.
    """
    # The process has another working directory, where a relative path would name another place.
    dest = make_directory(kaggle_folder()).resolve()
    with hold_lock(dest / "start.lock", timeout_s=START_TIMEOUT_S):
        before = _status(dest)
        if before is not None and before.state is DownloadState.RUNNING:
            return
        start_and_wait(
            ["pneumo_core", "data", "download", "--dest", str(dest)],
            dest / "download.log",
            name="download",
            error=DownloadError,
            has_started=lambda: _status(dest) != before,
        )


def _status(dest: Path) -> DownloadStatus | None:
    try:
        return download_status(dest)
    except CorruptError:
        return None  # The next download replaces the damaged file.
