"""What the server does before its first visitor: it loads what pages need, spares them its collection, and keeps uploads off
the disk."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from pages.ui.loading import first_imports, keep_uploads_in_memory
from tests.conftest import ROOT
from tests.waiting import PATIENCE_S

T = TypeVar("T")

SERVE = """
import asyncio, gc, sys
from starlette.formparsers import MultiPartParser
from pages.ui.loading import first_imports, pages_loaded

async def serve():
    async with pages_loaded(None):
        missing = {*first_imports(), "pandas", "pyarrow"} - set(sys.modules)
        frameworks = {"tensorflow", "keras", "jax", "sklearn", "scipy.stats"} & set(sys.modules)
        spared = gc.get_freeze_count() > 10 * len(gc.get_objects())
        print(missing, frameworks, MultiPartParser.spool_max_size > 20 * 2**20, spared)

asyncio.run(serve())
"""


def test_what_pages_begin_with_is_loaded_and_no_training_framework() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SERVE], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert result.stdout.splitlines()[-1] == "set() set() True True"


def apart(function: Callable[[], T]) -> T:
    """What a function returns in a thread of its own: in the main one, browser tests may have left a loop and its greenlets,
    beside which none can be run, and in which CPython 3.11 counts recursions wrongly."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_what_a_tab_needs_is_left_until_it_is_opened() -> None:
    found = apart(first_imports)
    assert {"pages.ui.compare.figures", "pages.ui.evaluate.figures", "pages.ui.state"} <= set(found)
    assert "pages.ui.compare.curves" not in found


def test_a_large_upload_never_touches_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 15 MB in a form, as the browser sends it, in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(15):
            yield bytes(2**20)
        yield b"\r\n--x--\r\n"

    def is_on_disk() -> bool:
        headers = Headers({"content-type": "multipart/form-data; boundary=x"})
        upload = asyncio.run(MultiPartParser(headers, pieces()).parse())["file"]
        assert isinstance(upload, UploadFile)
        assert upload.size == 15 * 2**20
        with upload.file:
            return bool(upload.file._rolled)  # Of `tempfile.SpooledTemporaryFile`.

    monkeypatch.setattr(MultiPartParser, "spool_max_size", 2**20)
    assert apart(is_on_disk), "else this test shows nothing"
    keep_uploads_in_memory()
    assert not apart(is_on_disk)
