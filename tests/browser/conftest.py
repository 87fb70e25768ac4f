"""A real server and a real browser."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.browser import CHROMIUM, chromium, find_chromium
from tests.conftest import FinishedRun
from tests.waiting import PATIENCE_S, wait_for

expect.set_options(timeout=1000 * PATIENCE_S)
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Server:
    """A running app.

    Attributes:
        url: Where it answers, without a slash at the end.
        pid: Its process.
        log: What it says.
        run: The finished run among its artifacts, which are its own.
    """

    url: str
    pid: int
    log: Path
    run: FinishedRun

    def explain(self) -> str:
        """What the server has said so far, for a failing test."""
        return self.log.read_text(errors="replace")[-4000:]


@contextmanager
def started(run: FinishedRun, folder: Path, **settings: str) -> Iterator[Server]:
    """A fresh server on a copy of the run's artifacts, with more environment variables."""
    artifacts = folder / "artifacts"
    shutil.copytree(run.artifacts, artifacts)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PNEUMO_", "STREAMLIT_"))}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--server.port={port}", "--server.address=127.0.0.1"],
            cwd=ROOT,
            env={**environment, "PNEUMO_ARTIFACTS": str(artifacts), "PNEUMO_DATA": str(run.data), **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    server = Server(url, process.pid, log, FinishedRun(artifacts, run.run_id, run.data))
    try:
        wait_for("the server's answer", lambda: _is_healthy(process, server), server.explain)
        yield server
        assert process.poll() is None, f"the server died with status {process.returncode}:\n{server.explain()}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(artifacts)


def _is_healthy(process: subprocess.Popen[bytes], server: Server) -> bool:
    if process.poll() is not None:
        pytest.fail(f"the server ended with status {process.returncode} before it answered:\n{server.explain()}")
    try:
        with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=PATIENCE_S) as answer:
            return bool(answer.read() == b"ok")
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def server(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests of one module."""
    with started(finished_run, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def fresh_server(finished_run: FinishedRun, tmp_path: Path) -> Iterator[Server]:
    """A server that nobody has asked for anything but its health."""
    with started(finished_run, tmp_path / "fresh") as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium of the system's."""
    if find_chromium() is None:
        pytest.skip(f"install Chromium (apt-get install chromium): none of {', '.join(CHROMIUM)} is on the PATH")
    with chromium() as browser:
        yield browser


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each of a visitor of its own; options are those of a browser context."""
    contexts = []

    def new_page(**options: object) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(1000 * PATIENCE_S)
        contexts.append(context)
        return context.new_page()

    yield new_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor for most tests: what a browser has fetched and compiled once, it need not again."""
    with closing(browser.new_context(viewport={"width": 1280, "height": 900})) as context:
        context.set_default_timeout(1000 * PATIENCE_S)
        yield context


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A page of the usual visitor's."""
    with closing(visitor.new_page()) as page:
        yield page
