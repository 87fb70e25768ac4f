"""What the server loads before its first visitor."""

import subprocess
import sys

from pages.ui.loading import first_imports
from tests.conftest import ROOT
from tests.waiting import PATIENCE_S

SERVE = """
import asyncio, sys
from pages.ui.loading import first_imports, pages_loaded

async def serve():
    async with pages_loaded(None):
        missing = {*first_imports(), "pandas", "pyarrow"} - set(sys.modules)
        frameworks = {"tensorflow", "keras", "jax", "sklearn", "scipy.stats"} & set(sys.modules)
        print(missing, frameworks)

asyncio.run(serve())
"""


def test_what_pages_begin_with_is_loaded_and_no_training_framework() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SERVE], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert result.stdout.splitlines()[-1] == "set() set()"


def test_what_a_tab_needs_is_left_until_it_is_opened() -> None:
    found = first_imports()
    assert {"pages.ui.compare.figures", "pages.ui.evaluate.figures", "pages.ui.state"} <= set(found)
    assert "pages.ui.compare.curves" not in found
