"""The documentation's pictures: every page in both themes, on phantoms and the published DCGAN's samples, so that no X-ray
of a person is in them.

    python -m benchmarks.screenshots

Trains a quick run on the phantoms if there is none, starts a server of its own, and drives the system's Chromium.
"""

import json
import os
import subprocess
import sys

from playwright.sync_api import Page

from benchmarks.browser import PROJECT, chromium, served

PAGES = {
    "overview": "?",
    "dataset": "dataset?",
    "augmentation": "augmentation?zoom=0.3&vertical_flip=true&",
    "train": "train?show=New+run&",
    "runs": "train?show=Runs&",
    "gan": "gan?",
    "gan-measures": "gan?show=Measures&",
    "compare": "compare?",
    "evaluate": "evaluate?",
    "predict": "predict?",
}
"""Each page's picture, and where it is."""


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


def shoot(page: Page, address: str, name: str, theme: str) -> None:
    """One page, once it has stopped working."""
    page.goto(address)
    page.get_by_role("heading", level=1).wait_for()
    if name == "predict":
        page.get_by_role("tab", name="Sample from the data set").click()
        page.get_by_text("Grad-CAM at").first.wait_for()
    page.wait_for_timeout(1500)  # A skeleton may come and go, and a chart grows.
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner]')")
    page.wait_for_timeout(1000)
    page.screenshot(path=PROJECT / "docs" / "screenshots" / f"{name}-{theme}.png")


if __name__ == "__main__":
    main()
