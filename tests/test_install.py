"""What the installer says of a pip that failed, and what it takes for installed."""

import os
import subprocess
import sys
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


def test_an_index_that_refuses_is_named() -> None:
    # Nothing listens on port 9, and no configuration or cache of this machine may help.
    refusing = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    refusing |= {"NO_PROXY": "*", "no_proxy": "*"}
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    found = subprocess.run(
        [sys.executable, "install.py", "--installer=pip", "--size=1 MB", "pneumo-study-is-on-no-index"],
        cwd=ROOT,
        env=ours | refusing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert found.returncode == 1, found.stderr
    assert "Trying once more" in found.stderr
    assert "Not installed: no answer for /simple/pneumo-study-is-on-no-index/" in found.stderr


def test_pip_takes_over_where_uv_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_uv = "import sys; sys.exit('ERROR: No matching distribution found for uv' if 'uv' in sys.argv else 0)"
    monkeypatch.setattr(install, "PIP", (sys.executable, "-c", without_uv))
    monkeypatch.setattr(install, "forget_halves", lambda site: None)
    monkeypatch.setattr(sys, "argv", ["install.py", "--size=1 MB", "filelock"])
    assert install.main() == 0
    said = capsys.readouterr().err
    assert "uv cannot be had, so pip takes over: No matching distribution found for uv" in said
    assert "Installing by pip" in said


def test_packages_that_are_there_by_half_are_forgotten(tmp_path: Path) -> None:
    for name, files in {"whole": ["INSTALLER", "RECORD"], "copied": ["RECORD"], "unrecorded": ["INSTALLER"]}.items():
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        for file in files:
            (folder / file).touch()
    install.forget_halves(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["whole-1.0.dist-info"]


def test_output_is_copied_and_the_status_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert install.watched([sys.executable, "-c", "print('one'); raise SystemExit(3)"]) == (3, "one\n")
    assert capsys.readouterr().err == "one\n"
