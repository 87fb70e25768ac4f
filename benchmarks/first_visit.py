"""The first visit: seconds from a page's link to its first content, each page on a fresh server with empty artifacts.

    python -m benchmarks.first_visit [--repeats 3] [--json FILE]

Content is a table, a chart, a figure or a picture that is drawn, not a title, a skeleton or a spinner. `_ready_s` is until no
progress bar is left, where the page waits for the phantoms. The server answers for its health before it is asked; the first
page of all is asked once before, unmeasured, so that bytecode is there and the disk's cache is warm. `bare` is an app of one
table: what Streamlit and the browser take by themselves. `_ratio` is a page's time to that.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.browser import chromium, served
from benchmarks.table import Figure, tell

PAGES = ("", "dataset", "augmentation", "train", "gan", "compare", "evaluate", "report", "predict")
WAITING = {"dataset", "augmentation", "train"}
"""Those that are about images, and wait for the phantoms below what they show."""

_CONTENT = """() => {
    const drawn = element => element.getClientRects().length > 0 && element.clientHeight > 20;
    const whole = image => drawn(image) && image.complete && image.naturalWidth > 0;
    const chart = [...document.querySelectorAll('[data-testid=stPlotlyChart] .main-svg')].some(drawn);
    const table = [...document.querySelectorAll('[data-testid=stTable] td, [data-testid=stDataFrame] canvas')].some(drawn);
    const picture = [...document.querySelectorAll('[data-testid=stImage] img')].some(whole);
    const metric = [...document.querySelectorAll("[data-testid=stMetricValue]")].some(drawn);
    return chart || table || metric || picture;
}"""
_BAR = "[...document.querySelectorAll('[data-testid=stProgress]')].length > 0"
_PATIENCE_MS = 180_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    arguments = parser.parse_args()
    os.environ.pop("PNEUMO_DATA", None)
    figures: dict[str, Figure] = {"cores": os.cpu_count() or 1}
    with chromium() as browser:
        visit(browser, "")
        with tempfile.TemporaryDirectory() as folder:
            bare = Path(folder) / "bare.py"
            bare.write_text("import streamlit as st\n\nst.table({'a': [1]})\n")
            alone = statistics.median(visit(browser, "", bare)[0] for _ in range(arguments.repeats))
        figures["bare_first_content_s"] = alone
        for path in PAGES:
            visits = [visit(browser, path) for _ in range(arguments.repeats)]
            name = path or "overview"
            figures[f"{name}_first_content_s"] = statistics.median(first for first, _ in visits)
            figures[f"{name}_first_content_ratio"] = figures[f"{name}_first_content_s"] / alone
            figures[f"{name}_first_content_worst_s"] = max(first for first, _ in visits)
            if waits := [ready for _, ready in visits if ready is not None]:
                figures[f"{name}_ready_s"] = statistics.median(waits)
    tell(figures, arguments.json)


def visit(browser: Browser, path: str, script: str | Path = "app.py") -> tuple[float, float | None]:
    """Seconds from a page's link to its first content, and to its data where it waits for them."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as artifacts,
        served({"PNEUMO_ARTIFACTS": artifacts}, script) as (address, _),
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page: Page = context.new_page()
        started = time.perf_counter()
        page.goto(f"{address}/{path}")
        page.wait_for_function(_CONTENT, timeout=_PATIENCE_MS, polling=20)
        first = time.perf_counter() - started
        ready = None
        if path in WAITING:
            page.wait_for_function(_BAR, timeout=_PATIENCE_MS, polling=20)
            page.wait_for_function(f"!({_BAR})", timeout=_PATIENCE_MS, polling=50)
            ready = time.perf_counter() - started
            assert not page.locator("[data-testid=stAlertContentError]").count(), "the preparation failed"
        context.close()
        return first, ready


if __name__ == "__main__":
    main()
