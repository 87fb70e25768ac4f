"""README's commands, settings and pictures are those of the project."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pneumo_core.__main__ import app
from pneumo_core.config import Preset
from pneumo_core.inference.evidence import read_report
from pneumo_core.records import Split
from pneumo_core.settings import Settings
from pneumo_core.store import RunDirectory

PROJECT = Path(__file__).resolve().parent.parent
PUBLISHED = [RunDirectory(path) for path in sorted((PROJECT / "artifacts" / "published").glob("*-*"))]
README = (PROJECT / "README.md").read_text()
COMMANDS = re.findall(r"^python -m pneumo_core (.*?)(?:\s+#.*)?$", README, flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_exists_with_its_options(command: str) -> None:
    words = shlex.split(command)
    names = []
    for word in words:
        if word.startswith("-") or not re.fullmatch("[a-z]+", word):
            break
        names.append(word)
        if word not in {"data", "runs", "gan"}:
            break
    result = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    for option in (word for word in words if word.startswith("--")):
        assert option in result.output


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 10


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`(PNEUMO_[A-Z0-9_]+)` \|", README))
    assert documented == {f"PNEUMO_{field.name.upper()}" for field in fields(Settings)}


def test_every_preset_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", README, flags=re.MULTILINE)) == {
        preset.value for preset in Preset
    }


@pytest.mark.parametrize("split", [Split.VAL, Split.TEST])
def test_the_published_runs_figures_are_the_tables(split: Split) -> None:
    (row,) = re.findall(
        rf"^\| baseline `sound`, published \| {split.value} \| (\d+) \| (.*) \|$", README, flags=re.MULTILINE
    )
    (run,) = PUBLISHED
    part = read_report(run).splits[split]
    estimates = [part.accuracy, part.sensitivity, part.specificity, part.auroc]
    assert row == (str(part.n), " | ".join(f"{e.value:.1%} ({e.low:.1%} to {e.high:.1%})" for e in estimates))


def test_make_targets_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("name", re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README))
def test_pictures_exist(name: str) -> None:
    assert (PROJECT / name).is_file()
