"""The app as a visitor meets it: cold start, upload to answer, and memory that must not grow.

    python -m benchmarks.app --image XRAY.jpeg [--predictions 20] [--before CHECKOUT] [--json FILE]

Starts a server of its own, drives it with the system's Chromium, and uploads the same X-ray again and again under new names.
`answer_cpu_s` is what the server computes for one. With the checkout of another commit, servers of both are asked in turn, and
`_ratio` is ours to its.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page

from benchmarks.browser import PROJECT, chromium, served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="X-ray to upload")
    parser.add_argument("--predictions", type=int, default=20)
    parser.add_argument("--starts", type=int, default=3, help="cold starts to measure")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="another commit, to compare answers with")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    with chromium() as browser:
        # The first start compiles bytecode and fills the disk's cache; it is shown, but apart.
        starts = []
        for number in range(arguments.starts + 1):
            with cold_start(browser) as (page, server, seconds):
                starts.append(seconds)
                if number == arguments.starts:
                    answers, cpu, memory = predictions(page, server, arguments.image, arguments.predictions)
        ratios = compared(browser, arguments.image, arguments.before.resolve()) if arguments.before else {}

    figures = {
        "first_start_s": starts[0],
        "cold_start_s": statistics.median(starts[1:]),
        "first_answer_s": answers[0],
        "warm_answer_s": statistics.median(answers[1:]),
        "warm_answer_worst_s": max(answers[1:]),
        "answer_cpu_s": statistics.median(cpu[1:]),
        **{f"resident_after_{count}_mib": memory[count - 1] for count in (5, 20, 50, 100) if count <= len(memory)},
        **ratios,
        "cores": os.cpu_count(),
    }
    print("\n".join(f"{name:<28} {value:8.2f}" for name, value in figures.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def compared(browser: Browser, image: Path, before: Path, rounds: int = 4, count: int = 6) -> dict[str, float]:
    """Medians of answers by a server of this checkout and one of another, asked in turn, and ours to theirs."""
    roots = {"": PROJECT, "_before": before}
    answers: dict[str, list[float]] = {side: [] for side in roots}
    cpu: dict[str, list[float]] = {side: [] for side in roots}
    for _ in range(rounds):
        for side, root in roots.items():
            with cold_start(browser, root) as (page, server, _):
                seconds, computed, _ = predictions(page, server, image, count)
                answers[side] += seconds[1:]  # The first loads the model.
                cpu[side] += computed[1:]
    figures = {}
    for name, found in (("answer_s", answers), ("answer_cpu_s", cpu)):
        ours, theirs = (statistics.median(found[side]) for side in roots)
        figures |= {f"compared_{name}": ours, f"compared_{name}_before": theirs, f"{name}_ratio": ours / theirs}
    return figures


@contextmanager
def cold_start(browser: Browser, root: Path = PROJECT) -> Iterator[tuple[Page, subprocess.Popen[bytes], float]]:
    """A fresh server's front page, its process, and the seconds from its command to the page's heading."""
    started = time.perf_counter()
    with served(root=root) as (address, server):
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("heading", level=1).wait_for()
        yield page, server, time.perf_counter() - started
        page.close()


def predictions(
    page: Page, server: subprocess.Popen[bytes], image: Path, count: int
) -> tuple[list[float], list[float], list[float]]:
    """Upload again and again: seconds from the file's choice to the overlay, those the server computed, and resident MiB."""
    page.get_by_role("link", name="Predict", exact=True).first.click()
    chooser = page.locator("input[type=file]").first
    chooser.wait_for(state="attached")
    process = psutil.Process(server.pid)
    seconds, cpu, memory = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            copy = Path(folder) / f"upload-{number}{image.suffix}"
            shutil.copy(image, copy)
            started, computed = time.perf_counter(), sum(process.cpu_times()[:2])
            chooser.set_input_files(copy)
            page.get_by_text(f"{copy.name}, Grad-CAM").first.wait_for()
            page.wait_for_function(
                "[...document.querySelectorAll('[data-testid=stImage] img')].every(img => img.complete)"
            )
            seconds.append(time.perf_counter() - started)
            time.sleep(0.3)
            cpu.append(sum(process.cpu_times()[:2]) - computed)
            memory.append(process.memory_info().rss / 2**20)
    return seconds, cpu, memory


if __name__ == "__main__":
    main()
