"""What the installer says of a pip that failed, and that nothing is taken for whole that is not."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import install

ROOT = Path(__file__).resolve().parent.parent
RETRY = (
    "WARNING: Retrying (Retry(total={left}, connect=None)) after connection broken by "
    "'NewConnectionError('<HTTPConnection object at 0x7f>: Failed to establish: [Errno 111] Connection refused')': "
    "/simple/{name}/"
)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            RETRY.format(left=0, name="keras") + "\nERROR: ResolutionImpossible: for help visit https://pip.pypa.io",
            "no answer for /simple/keras/ ([Errno 111] Connection refused)",
        ),
        (
            RETRY.format(left=1, name="keras") + "\nERROR: No matching distribution found for uv==9",
            "No matching distribution found for uv==9",
        ),
        (
            "Collecting scipy\n  Downloading scipy-1.whl (33 MB)\nERROR: Exception:\nTraceback\nTimeoutError: timed out\n",
            "TimeoutError: timed out (at scipy-1.whl)",
        ),
        ("", "pip said nothing"),
    ],
)
def test_a_failure_is_named(output: str, expected: str) -> None:
    assert install.reason(output) == expected


@pytest.mark.slow
def test_an_index_that_refuses_is_named_and_the_install_stays_unfinished(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    # Nothing listens on port 9, and no configuration or cache of this machine may help.
    refusing = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    found = subprocess.run(
        [python, "install.py", "--size=1 MB", "filelock"],
        cwd=ROOT,
        env=ours | refusing,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert found.returncode == 1, found.stdout
    assert "uv cannot be had, so pip takes over: no answer for /simple/uv/" in found.stdout
    assert found.stdout.count("no answer for /simple/filelock/") == 1
    assert (tmp_path / "venv" / ".installing").exists()


def test_output_is_copied_and_the_status_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert install.watched([sys.executable, "-c", "print('one'); raise SystemExit(3)"]) == (3, "one\n")
    assert capsys.readouterr().err == "one\n"
