"""The app as a visitor meets it: cold start, upload to answer, and memory that must not grow.

    python -m benchmarks.app --image XRAY.jpeg [--predictions 20] [--json FILE]

Starts a server of its own, drives it with the system's Chromium, and uploads the same X-ray again and again under new names.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="X-ray to upload")
    parser.add_argument("--predictions", type=int, default=20)
    parser.add_argument("--starts", type=int, default=3, help="cold starts to measure")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    chromium = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if chromium is None:
        sys.exit("a Chromium must be installed; Received: none of chromium, chromium-browser, google-chrome")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        # The first start compiles bytecode and fills the disk's cache; it is shown, but apart.
        starts = []
        for number in range(arguments.starts + 1):
            server, seconds, page = cold_start(browser.new_page())
            starts.append(seconds)
            if number < arguments.starts:
                page.close()
                stop(server)
        answers, memory = predictions(page, server, arguments.image, arguments.predictions)
        stop(server)
        browser.close()

    figures = {
        "first_start_s": starts[0],
        "cold_start_s": statistics.median(starts[1:]),
        "first_answer_s": answers[0],
        "warm_answer_s": statistics.median(answers[1:]),
        "warm_answer_worst_s": max(answers[1:]),
        **{f"resident_after_{count}_mib": memory[count - 1] for count in (5, 20, 50, 100) if count <= len(memory)},
        "cores": os.cpu_count(),
    }
    print("\n".join(f"{name:<28} {value:8.2f}" for name, value in figures.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def cold_start(page: Page) -> tuple[subprocess.Popen[bytes], float, Page]:
    """Start a server and open its front page: seconds from the command to the page's heading."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    server = subprocess.Popen(
        [*command, f"--server.port={port}", "--server.address=127.0.0.1"],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
            break
        except OSError:
            if server.poll() is not None:
                sys.exit(f"the server must start. Received: exit status {server.returncode}")
            time.sleep(0.02)
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_role("heading", name="Pneumo Study").wait_for()
    return server, time.perf_counter() - started, page


def predictions(
    page: Page, server: subprocess.Popen[bytes], image: Path, count: int
) -> tuple[list[float], list[float]]:
    """Upload again and again: seconds from the file's choice to the overlay, and resident MiB after each."""
    page.get_by_role("link", name="Predict", exact=True).first.click()
    chooser = page.locator("input[type=file]").first
    chooser.wait_for(state="attached")
    process = psutil.Process(server.pid)
    seconds, memory = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            copy = Path(folder) / f"upload-{number}{image.suffix}"
            shutil.copy(image, copy)
            started = time.perf_counter()
            chooser.set_input_files(copy)
            page.get_by_text(f"{copy.name}, Grad-CAM").first.wait_for()
            page.wait_for_function(
                "[...document.querySelectorAll('[data-testid=stImage] img')].every(img => img.complete)"
            )
            seconds.append(time.perf_counter() - started)
            time.sleep(0.3)
            memory.append(process.memory_info().rss / 2**20)
    return seconds, memory


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait(timeout=10)


if __name__ == "__main__":
    main()
