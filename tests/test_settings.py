from dataclasses import fields
from pathlib import Path

import pytest

from pneumo_core.errors import ConfigError
from pneumo_core.settings import Settings, keras_backend, named_vgg16_weights, ray_token, settings
from tests.hostile import assert_one_line

ROOT = Path(__file__).resolve().parent.parent
NAMES = [f"PNEUMO_{field.name.upper()}" for field in fields(Settings)]


@pytest.mark.parametrize("unset", [True, False])
def test_defaults(monkeypatch: pytest.MonkeyPatch, unset: bool) -> None:
    for name in NAMES:
        if unset:
            monkeypatch.delenv(name, raising=False)
        else:  # Empty is unset.
            monkeypatch.setenv(name, "")
    expected = Settings(
        artifacts=ROOT / "artifacts",
        data=None,
        vgg16_weights=None,
        allow_training=True,
        parallel_runs=1,
        ray_address=None,
        ray_gpus=0,
        ray_allow_unauthenticated=False,
    )
    assert settings() == expected


def test_paths_are_absolute_because_workers_run_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PNEUMO_ARTIFACTS", "mine")
    monkeypatch.setenv("PNEUMO_DATA", "~/x-rays")
    assert settings().artifacts == tmp_path / "mine"
    assert settings().data == Path.home() / "x-rays"


@pytest.mark.parametrize(
    ("value", "allowed"), [("1", True), ("yes", True), ("0", False), ("False", False), ("no", False), ("OFF", False)]
)
def test_training_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, value: str, allowed: bool) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", value)
    assert settings().allow_training is allowed


@pytest.mark.parametrize(("value", "allowed"), [("1", True), ("True", True), ("0", False), ("no", False), ("y", False)])
def test_only_a_clear_yes_lets_runs_go_without_a_token(
    monkeypatch: pytest.MonkeyPatch, value: str, allowed: bool
) -> None:
    monkeypatch.setenv("PNEUMO_RAY_ALLOW_UNAUTHENTICATED", value)
    assert settings().ray_allow_unauthenticated is allowed


def test_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("1", " 3 ", "64"):
        monkeypatch.setenv("PNEUMO_PARALLEL_RUNS", value)
        assert settings().parallel_runs == int(value)
    for value in ("0", "0.25", "64"):
        monkeypatch.setenv("PNEUMO_RAY_GPUS", value)
        assert settings().ray_gpus == float(value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PNEUMO_PARALLEL_RUNS", ["0", "-1", "65", "two", "1.5", "1e1", "nan", "inf", "1\n2", "9" * 5000]),
        ("PNEUMO_RAY_GPUS", ["-0.5", "65", "all", "nan", "inf"]),
    ],
)
def test_numbers_that_are_none_or_out_of_range(monkeypatch: pytest.MonkeyPatch, name: str, values: list[str]) -> None:
    for value in values:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError) as caught:
            settings()
        assert_one_line(caught.value, name, repr(value), "to 64")


def test_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert keras_backend() == "tensorflow"
    for value, expected in (("", "tensorflow"), ("tensorflow", "tensorflow"), ("jax", "jax")):
        monkeypatch.setenv("KERAS_BACKEND", value)
        assert keras_backend() == expected
    for value in ("torch", "torch2", "JAX", " jax"):
        monkeypatch.setenv("KERAS_BACKEND", value)
        with pytest.raises(ConfigError) as caught:
            keras_backend()
        assert_one_line(caught.value, repr(value), "'tensorflow' or 'jax'")


def test_token_lies_where_ray_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert ray_token() is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("of the home\n")
    assert ray_token() == "of the home"
    (tmp_path / "token").write_text("of the file\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "~/token")
    assert ray_token() == "of the file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the variable")
    assert ray_token() == "of the variable"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_token_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        ray_token()
    assert_one_line(caught.value, str(tmp_path / "token"))


def test_a_named_file_of_weights_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PNEUMO_VGG16_WEIGHTS", raising=False)
    assert named_vgg16_weights() is None
    path = tmp_path / "mine.h5"
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(path))
    for make in (lambda: None, path.mkdir):
        make()
        with pytest.raises(ConfigError) as caught:
            named_vgg16_weights()
        assert_one_line(caught.value, f"PNEUMO_VGG16_WEIGHTS must name a file. Received: path={str(path)!r}")
    path.rmdir()
    path.touch()
    assert named_vgg16_weights() == path
