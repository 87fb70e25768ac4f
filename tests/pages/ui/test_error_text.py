"""Errors in the browser: a capital first, no folder of the server, nothing read as Markdown."""

from pathlib import Path

import pytest

from pages.ui.error_text import error_text, without_folders
from pneumo_core.errors import DataError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("a run needs space", "A run needs space"),
        ("run_id must name an existing run", "Run id must name an existing run"),
        ("model.onnx must match", "The file model.onnx must match"),
        ("PNEUMO_DATA must name a folder", "PNEUMO_DATA must name a folder"),
        ("", ""),
    ],
)
def test_it_begins_with_a_capital(error: str, shown: str) -> None:
    assert error_text(DataError(error)).replace("\\", "") == shown


def test_the_servers_folders_have_short_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "kept"))
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "secret" / "chest_xray"))
    text = (
        f"Received: path='{tmp_path}/kept/runs/a', {tmp_path}/secret/chest_xray/test, '{ROOT}/docs', {Path.home()}/x."
    )
    assert without_folders(text) == "Received: path='artifacts/runs/a', chest_xray/test, './docs', ~/x."


def test_a_path_that_was_typed_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "kept"))
    assert without_folders("Received: path='/data/mine'; /keptothers") == "Received: path='/data/mine'; /keptothers"
    assert without_folders(f"{tmp_path}/kept2/a") == f"{tmp_path}/kept2/a"


def test_settings_that_cannot_be_used_are_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_PARALLEL_RUNS", "many")
    assert error_text("it failed") == "It failed"


def test_markdown_is_escaped() -> None:
    assert error_text("x *a*") == r"X \*a\*"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'/srv/app/artifacts/runs/x' is gone", "'artifacts/runs/x' is gone"),
        ("save it as /home/me/.kaggle/token.", "save it as ~/.kaggle/token."),
        ("Received: '/data/chest', which lacks 3", "Received: 'chest', which lacks 3"),
        ("/data/chest and /home/me", "chest and ~"),
        # Neither a folder whose name only begins alike nor a part of another path.
        ("/home/mean/x and /data/chest2", "/home/mean/x and /data/chest2"),
        ("/mnt/home/me/x", "/mnt/home/me/x"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_folders_become_names(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", "/srv/app/artifacts")
    monkeypatch.setenv("HOME", "/home/me")
    assert without_folders(text, Path("/data/chest")) == shown
