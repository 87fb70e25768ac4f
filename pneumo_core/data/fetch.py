"""Download of the Kaggle data set's archive by `kaggle_client` in a child process."""

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from pneumo_core.errors import DownloadError
from pneumo_core.runs.files import make_directory, store_errors

_DATASET: Final = "paultimothymooney/chest-xray-pneumonia"
SETTINGS_PAGE: Final = "https://www.kaggle.com/settings"
"""Web page where a token is created, in its section API."""

_POLL_S: Final = 0.2
"""Seconds between two checks of the growing file."""

DATASET_PAGE: Final = f"https://www.kaggle.com/datasets/{_DATASET}"
"""Web page of the data set, with a download link."""

ARCHIVE_NAME: Final = "chest-xray-pneumonia.zip"
"""File name that the `kaggle` package gives the data set's archive."""

_BROWSER_WAY: Final = (
    f"download {DATASET_PAGE} in a browser, save the file in the download folder as {ARCHIVE_NAME}, and start again"
)


def credentials_hint() -> str | None:
    """Instructions for setting up Kaggle credentials, or None if there are some.

    Fast: it only checks that they exist, without the `kaggle` package and without a request to Kaggle.
    """
    home = Path.home() / ".kaggle"
    # The package's own order: an existing ~/.kaggle takes precedence over the XDG folder.
    xdg = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kaggle"
    default = xdg if sys.platform.startswith("linux") and not home.exists() else home
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or default)
    files = [
        *(home / name for name in ("access_token", "access_token.txt", "credentials.json")),
        folder / "kaggle.json",
    ]
    if os.environ.get("KAGGLE_API_TOKEN") or (os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY")):
        return None
    if any(os.access(file, os.R_OK) for file in files):
        return None
    return (
        f"Kaggle requires credentials. Received: none; create a token at {SETTINGS_PAGE} (section API), "
        f"then set KAGGLE_API_TOKEN to it, or save it as {home / 'access_token'}, or use a legacy key: save it as "
        f"{folder / 'kaggle.json'}, or set KAGGLE_USERNAME and KAGGLE_KEY. Without any of these: {_BROWSER_WAY}"
    )


def fetch_archive(partial: Path, archive: Path, watch: Callable[[int, int], None], *, stall_timeout_s: float) -> None:
    """Download the archive, resuming from what an earlier attempt left in `partial`.

    Args:
        partial: Folder for the unfinished archive; removed when it is finished, else kept if it can be resumed.
        archive: Path of the archive, where it appears in one step once it is complete.
        watch: Called several times a second with the bytes received and their total (0: unknown), and with the total
            before the first byte is written. An exception from it stops the download.
        stall_timeout_s: Seconds without a new byte after which the download is given up.

    Raises:
        DownloadError: Kaggle refuses, cannot be reached or stops sending, or the archive arrives incomplete.
        StoreError: A folder cannot be written.
    """
    make_directory(partial)
    with (
        # Not in the folder, because the package can be configured to log its requests with their credentials.
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-m", "pneumo_core.data.kaggle_client", _DATASET, str(partial.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=Path(__file__).resolve().parents[2],
            encoding="utf-8",
        ) as client,
    ):
        events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        listener = threading.Thread(target=_listen, args=(client.stdout, events))
        listener.start()
        try:
            size, total = _follow(client, events, log, partial / ARCHIVE_NAME, watch, stall_timeout_s)
        except _UselessPartError:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        finally:
            client.kill()
            listener.join()
    if size == 0 or (total and size != total):
        shutil.rmtree(partial, ignore_errors=True)
        raise DownloadError(f"the archive must arrive complete. Received: {size} of {total} bytes; download again")
    with store_errors(archive):
        (partial / ARCHIVE_NAME).replace(archive)
        shutil.rmtree(partial, ignore_errors=True)


class _UselessPartError(DownloadError):
    """The received part must not be resumed."""


def _follow(
    client: subprocess.Popen[str],
    events: queue.Queue[dict[str, Any] | None],
    log: IO[bytes],
    file: Path,
    watch: Callable[[int, int], None],
    stall_timeout_s: float,
) -> tuple[int, int]:
    """Watch the client until it is done; returns the bytes received and the bytes announced."""
    total, size, changed_at = 0, -1, time.monotonic()
    while True:
        try:
            event = events.get(timeout=_POLL_S)
        except queue.Empty:
            event = {"event": "nothing"}
        if event is None:
            client.wait()
            raise DownloadError(f"the kaggle package must work. Received: {_last_line(log)}; {_BROWSER_WAY}")
        if event["event"] == "failed":
            raise _refusal(event["kind"], event["status"], event["reason"])
        if event["event"] == "size":
            total = event["size_bytes"]
        present = file.stat().st_size if file.exists() else 0
        if present != size or event["event"] == "size":
            size, changed_at = present, time.monotonic()
        if event["event"] == "done":
            return size, total
        if time.monotonic() - changed_at > stall_timeout_s:
            raise DownloadError(
                f"Kaggle must send data. Received: nothing for {stall_timeout_s:g} s after {size} of "
                f"{total or 'unknown'} bytes; check the connection and download again, which resumes the download"
            )
        watch(size, total)
        if event["event"] == "size":
            assert client.stdin is not None
            with suppress(BrokenPipeError):  # It has already ended; the next event gives the reason.
                client.stdin.write("go\n")
                client.stdin.flush()


def _listen(stream: IO[str], events: queue.Queue[dict[str, Any] | None]) -> None:
    for line in stream:
        with suppress(ValueError):  # Not an event: something else in the child wrote to its standard output.
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                events.put(event)
    events.put(None)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "an early end without an error message"


def _refusal(kind: str, status: int, reason: str) -> DownloadError:
    """The error for a failure of the client, with advice."""
    if kind == "credentials":
        return DownloadError(
            credentials_hint()
            or "Kaggle must accept the credentials. Received: a refusal of the ones set up; create new ones at "
            f"{SETTINGS_PAGE}, or {_BROWSER_WAY}"
        )
    if kind == "package":
        return DownloadError(f"the kaggle package must be installed. Received: {reason}; run 'pip install kaggle'")
    if kind == "http":
        advice = {
            401: f"Kaggle does not know these credentials: create new ones at {SETTINGS_PAGE}, or {_BROWSER_WAY}",
            403: f"sign in, open {DATASET_PAGE} and accept its terms, or create new ones at {SETTINGS_PAGE}",
            404: f"update the client with 'pip install --upgrade kaggle', or {_BROWSER_WAY}",
            429: "Kaggle limits the rate of requests: wait some minutes and download again",
        }.get(status, "download again later")
        return DownloadError(f"Kaggle must serve the data set. Received: HTTP status {status} ({reason}); {advice}")
    if kind == "network":
        return DownloadError(
            f"Kaggle must be reachable. Received: {reason}; check the connection and download again, which resumes "
            "the download"
        )
    if kind == "disk":
        return DownloadError(f"the archive must be writable. Received: {reason}; fix that and download again")
    return _UselessPartError(f"the archive must arrive complete. Received: {reason}; download again")
