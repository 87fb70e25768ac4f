"""Brings the Kaggle data set's archive to this machine, by way of `kaggle_client` in a child process."""

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
_SETTINGS_PAGE: Final = "https://www.kaggle.com/settings"
_POLL_S: Final = 0.2
"""Seconds between two looks at the growing file."""

DATASET_PAGE: Final = f"https://www.kaggle.com/datasets/{_DATASET}"
"""Where people see, and can download, the data set."""

ARCHIVE_NAME: Final = "chest-xray-pneumonia.zip"
"""What the `kaggle` package calls the data set's archive."""

_BROWSER_WAY: Final = (
    f"download {DATASET_PAGE} in a browser, put the file into the download folder as {ARCHIVE_NAME}, and start again"
)


def credentials_hint() -> str | None:
    """What to do before Kaggle will serve the data set, or None where credentials are in one of their places.

    Quick: it looks whether they are there, without the `kaggle` package and without asking Kaggle to accept them.
    """
    home = Path.home() / ".kaggle"
    # The package's own order: an old ~/.kaggle goes before the folder that Linux desktops prescribe.
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
        f"Kaggle must know who downloads. Received: no credentials; create a token at {_SETTINGS_PAGE} (section API), "
        f"then set KAGGLE_API_TOKEN to it, or save it as {home / 'access_token'}, or use a legacy key: save it as "
        f"{folder / 'kaggle.json'}, or set KAGGLE_USERNAME and KAGGLE_KEY. Without any of these: {_BROWSER_WAY}"
    )


def fetch_archive(partial: Path, archive: Path, watch: Callable[[int, int], None], *, stall_timeout_s: float) -> None:
    """Download the archive, going on from what an earlier attempt left in `partial`.

    Args:
        partial: Folder for the unfinished archive; removed when it is finished, and kept when not, if it is of use.
        archive: Where the archive appears, in one step, once it is whole.
        watch: Called several times a second with the bytes that are there and their total (0: not known), and with the
            total before the first byte is written. What it raises stops the download.
        stall_timeout_s: Seconds without a new byte after which the download is given up.

    Raises:
        DownloadError: Kaggle refuses, cannot be reached or falls silent, or the archive does not arrive whole.
        StoreError: A folder cannot be written.
    """
    make_directory(partial)
    with (
        # Not in the folder, because the package can be told to log its requests with their credentials.
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
        raise DownloadError(f"the archive must arrive whole. Received: {size} of {total} bytes; download again")
    with store_errors(archive):
        (partial / ARCHIVE_NAME).replace(archive)
        shutil.rmtree(partial, ignore_errors=True)


class _UselessPartError(DownloadError):
    """What has arrived must not be gone on from."""


def _follow(
    client: subprocess.Popen[str],
    events: queue.Queue[dict[str, Any] | None],
    log: IO[bytes],
    file: Path,
    watch: Callable[[int, int], None],
    stall_timeout_s: float,
) -> tuple[int, int]:
    """Watch over the client until it is done; bytes that are there and bytes that were announced."""
    total, size, changed_at = 0, -1, time.monotonic()
    while True:
        try:
            event = events.get(timeout=_POLL_S)
        except queue.Empty:
            event = {"event": "nothing"}
        if event is None:
            client.wait()
            raise DownloadError(f"the kaggle package must do its work. Received: {_last_line(log)}; {_BROWSER_WAY}")
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
                f"{total or 'unknown'} bytes; check the connection and download again, which goes on from there"
            )
        watch(size, total)
        if event["event"] == "size":
            assert client.stdin is not None
            with suppress(BrokenPipeError):  # It has ended already; the next event says why.
                client.stdin.write("go\n")
                client.stdin.flush()


def _listen(stream: IO[str], events: queue.Queue[dict[str, Any] | None]) -> None:
    for line in stream:
        with suppress(ValueError):  # Not ours: something else in the child wrote to its standard output.
            event = json.loads(line)
            if isinstance(event, dict) and "event" in event:
                events.put(event)
    events.put(None)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "an early end without a word"


def _refusal(kind: str, status: int, reason: str) -> DownloadError:
    """What the client's failure means and what to do about it."""
    if kind == "credentials":
        return DownloadError(
            credentials_hint()
            or "Kaggle must accept the credentials. Received: a refusal of those that are set up; create new ones at "
            f"{_SETTINGS_PAGE}, or {_BROWSER_WAY}"
        )
    if kind == "package":
        return DownloadError(f"the kaggle package must be installed. Received: {reason}; run 'pip install kaggle'")
    if kind == "http":
        advice = {
            401: f"Kaggle does not know these credentials: create new ones at {_SETTINGS_PAGE}, or {_BROWSER_WAY}",
            403: f"sign in, open {DATASET_PAGE} and accept what it asks for, or create new ones at {_SETTINGS_PAGE}",
            404: f"update the client with 'pip install --upgrade kaggle', or {_BROWSER_WAY}",
            429: "Kaggle asks to slow down: wait some minutes and download again",
        }.get(status, "download again later")
        return DownloadError(f"Kaggle must serve the data set. Received: HTTP status {status} ({reason}); {advice}")
    if kind == "network":
        return DownloadError(
            f"Kaggle must be reachable. Received: {reason}; check the connection and download again, which goes on "
            "from what has arrived"
        )
    if kind == "disk":
        return DownloadError(f"the archive must be writable. Received: {reason}; see to that and download again")
    return _UselessPartError(f"the archive must arrive whole. Received: {reason}; download again")
