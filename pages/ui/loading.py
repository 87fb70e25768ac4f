"""What the server does once, before the first visitor comes: it loads what pages need, and keeps uploads in memory."""

import ast
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import streamlit as st
from starlette.formparsers import MultiPartParser

_PAGES = Path(__file__).resolve().parent.parent
# Streamlit loads these with the first table.
_TABLES = ("pandas", "pyarrow")


@asynccontextmanager
async def pages_loaded(_: st.App) -> AsyncIterator[None]:
    """Import what the pages import first, while the server starts: the first visitor would wait a second or two for it."""
    keep_uploads_in_memory()
    for name in (*_TABLES, *first_imports()):
        import_module(name)
    # What is loaded stays. Streamlit collects garbage after every run of a page (streamlit/streamlit#8977) and would look
    # through all of it: 75 ms of a core, now 1 ms.
    gc.collect()
    gc.freeze()
    yield


def keep_uploads_in_memory() -> None:
    """Let no part of an upload touch the disk: Starlette writes those over 1 MB to a temporary file while they arrive."""
    MultiPartParser.spool_max_size = st.get_option("server.maxUploadSize") * 2**20 + 1


def first_imports() -> list[str]:
    """Modules that the pages import at their top; what a tab imports is left until it is opened."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(_PAGES.glob("*.py"))]
    found = [node.module for tree in trees for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    return sorted(set(found))
