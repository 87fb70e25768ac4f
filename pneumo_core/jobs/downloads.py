"""The Kaggle download as a background job.

Started here, followed with `data.download.download_status`, stopped with `data.download.cancel_download`; like a run it
outlives the page that started it, and is alive as long as its lock is held.
"""

import time
from pathlib import Path
from typing import Final

from pneumo_core.data.download import DownloadState, DownloadStatus, download_status
from pneumo_core.data.source import kaggle_folder
from pneumo_core.errors import CorruptError, DownloadError
from pneumo_core.files import hold_lock, make_directory, store_errors
from pneumo_core.jobs.local import start_process

__all__ = ["start_download"]

_START_TIMEOUT_S: Final = 180.0  # Libraries are imported first, from a cold disk and beside other work.


def start_download() -> None:
    """Start downloading into `kaggle_folder()`, unless a download works there already.

    Returns as soon as the download has said its first word, which `download_status` then gives; it may be why it failed.

    Raises:
        DownloadError: The process did not start, or ended without having said why.
        RunError: Another process has been starting a download for a minute.
        StoreError: The folder cannot be written.
    """
    # The process works in another folder than this one may, so a relative path would name two places.
    dest = make_directory(kaggle_folder()).resolve()
    with hold_lock(dest / "start.lock", timeout_s=_START_TIMEOUT_S):
        before = _status(dest)
        if before is not None and before.state is DownloadState.RUNNING:
            return
        log = dest / "download.log"
        process = start_process(["pneumo_core", "data", "download", "--dest", str(dest)], log)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            has_ended = process.poll() is not None  # Asked first: its last word is then there to be read.
            if _status(dest) != before or (has_ended and process.returncode == 0):
                return
            if has_ended:
                raise DownloadError(
                    f"the download must start. Received: exit status {process.returncode}: {_last_line(log)}"
                )
            time.sleep(0.05)
        process.kill()
        raise DownloadError(f"the download must start within {_START_TIMEOUT_S:.0f} s. Received: nothing; see {log}")


def _status(dest: Path) -> DownloadStatus | None:
    try:
        return download_status(dest)
    except CorruptError:
        return None  # The next download replaces the damaged file.


def _last_line(log: Path) -> str:
    with store_errors(log):
        lines = log.read_text(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
