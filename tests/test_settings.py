from pathlib import Path

import pytest

from pneumo_core.settings import settings

ROOT = Path(__file__).resolve().parent.parent


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PNEUMO_ARTIFACTS", "PNEUMO_DATA", "PNEUMO_ALLOW_TRAINING"):
        monkeypatch.delenv(name, raising=False)
    found = settings()
    assert (found.artifacts, found.data, found.allow_training) == (ROOT / "artifacts", None, True)


def test_paths_are_absolute_because_workers_run_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PNEUMO_ARTIFACTS", "mine")
    monkeypatch.setenv("PNEUMO_DATA", "~/x-rays")
    assert settings().artifacts == tmp_path / "mine"
    assert settings().data == Path.home() / "x-rays"


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", "")
    monkeypatch.setenv("PNEUMO_DATA", "")
    assert settings().artifacts == ROOT / "artifacts"
    assert settings().data is None


@pytest.mark.parametrize(
    ("value", "allowed"), [("1", True), ("yes", True), ("0", False), ("False", False), ("no", False), ("OFF", False)]
)
def test_training_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, value: str, allowed: bool) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", value)
    assert settings().allow_training is allowed
