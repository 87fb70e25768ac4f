"""The documentation's pictures: every page in both themes, and a walk through the app.

They show phantoms and samples of the published DCGAN, so that no X-ray of a person is in them.

    python -m benchmarks.screenshots

Trains a quick run on the phantoms if there is none, starts a server of its own, and drives the system's Chromium.
"""

import io
import json
import os
import subprocess
import sys

from PIL import Image
from playwright.sync_api import Browser, Page

from benchmarks.browser import PROJECT, chromium, served

PAGES = {
    "overview": "?",
    "dataset": "dataset?",
    "augmentation": "augmentation?zoom=0.3&vertical_flip=true&",
    "train": "train?show=New+run&",
    "runs": "train?show=Runs&",
    "gan": "gan?",
    "gan-measures": "gan?show=Measures&",
    "evaluate": "evaluate?",
    "compare": "compare?",
    "report": "report?",
    "predict": "predict?",
}
"""Each page's picture, and where it is."""

WALK = (
    "",
    "report",
    "compare",
    "gan?samples=New+samples",
    "dataset?view=Images",
    "predict?source=Sample+from+the+data+set",
)
"""The animated walk: pages of the app with nothing but phantoms and what is published."""
_WALK_SIZE = (1280, 800)
_STEP_MS = 2500


def main() -> None:
    environment = {**os.environ, "PNEUMO_ARTIFACTS": str(PROJECT / "artifacts" / "screenshots")}
    environment.pop("PNEUMO_DATA", None)
    train = [sys.executable, "-m", "pneumo_core", "train", "--preset", "quick", "--wait", "--json"]
    run_id = json.loads(subprocess.run(train, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE).stdout)[
        "run_id"
    ]
    gan_id = min((PROJECT / "artifacts" / "published").glob("dcgan-*")).name
    with chromium() as browser, served(environment) as (address, _):
        for theme in ("light", "dark"):
            page = browser.new_context(color_scheme=theme, viewport={"width": 1280, "height": 900}).new_page()
            for name, place in PAGES.items():
                shoot(page, f"{address}/{place}run={gan_id if name.startswith('gan') else run_id}", name, theme)
        film(browser, address)


def shoot(page: Page, address: str, name: str, theme: str) -> None:
    """One page, once it has stopped working."""
    page.goto(address)
    if name == "predict":
        page.get_by_role("tab", name="Sample from the data set").click()
    finish(page)
    page.screenshot(path=PROJECT / "docs" / "screenshots" / f"{name}-{theme}.png")


def film(browser: Browser, address: str) -> None:
    """The walk as one animated picture."""
    width, height = _WALK_SIZE
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    frames = []
    for place in WALK:
        page.goto(f"{address}/{place}")
        finish(page)
        frame = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        frames.append(frame.resize((width * 3 // 4, height * 3 // 4), Image.Resampling.LANCZOS))
    path = PROJECT / "docs" / "screenshots" / "walk.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=_STEP_MS, loop=0, quality=80, method=6)


def finish(page: Page) -> None:
    """Wait until a page shows all it has: the script has ended, no skeleton is left, and each chart and picture is drawn."""
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_function(
        """() => {
            const all = (selector) => [...document.querySelectorAll(selector)];
            const app = document.querySelector('[data-testid=stApp]');
            const now = `${document.body.innerHTML.length} ${all('canvas, img, svg').length}`;
            const same = window.lastLook === now;
            window.lastLook = now;
            return same && app.dataset.testScriptState === 'notRunning'
                && !document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner], [data-testid=stStatusWidget]')
                && all('[data-testid=stImage] img').every((image) => image.complete)
                && all('[data-testid=stPlotlyChart]').every((chart) => chart.querySelector('.main-svg'));
        }""",
        polling=1000,
    )


if __name__ == "__main__":
    main()
