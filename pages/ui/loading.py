"""Loading what pages need before the first visitor comes."""

import ast
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import streamlit as st

_PAGES = Path(__file__).resolve().parent.parent
# Streamlit loads these with the first table.
_TABLES = ("pandas", "pyarrow")


@asynccontextmanager
async def pages_loaded(_: st.App) -> AsyncIterator[None]:
    """Import what the pages import first, while the server starts: the first visitor would wait a second or two for it."""
    for name in (*_TABLES, *first_imports()):
        import_module(name)
    yield


def first_imports() -> list[str]:
    """Modules that the pages import at their top; what a tab imports is left until it is opened."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(_PAGES.glob("*.py"))]
    found = [node.module for tree in trees for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    return sorted(set(found))
