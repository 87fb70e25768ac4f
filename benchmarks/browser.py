"""A server of the app and the system's Chromium, for benchmarks that measure pages."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def served(
    settings: Mapping[str, str] | None = None, script: str | Path = "app.py", root: Path = PROJECT
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A checkout's fresh server that answers for its health: its address, without a slash at the end, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
    server = subprocess.Popen(
        [*command, f"--server.port={port}", "--server.address=127.0.0.1"],
        cwd=root,
        env={**os.environ, **(settings or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while not _is_healthy(address):
            if server.poll() is not None:
                sys.exit(f"the server must start. Received: exit status {server.returncode}")
            time.sleep(0.02)
        yield address, server
    finally:
        server.terminate()
        server.wait()


def _is_healthy(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
    except OSError:
        return False
    return True


def find_chromium() -> str | None:
    """The system's Chromium, or None."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    found = find_chromium()
    if found is None:
        sys.exit(f"a Chromium must be installed. Received: none of {', '.join(CHROMIUM)} on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()
