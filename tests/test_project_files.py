"""The changelog, the pre-commit hooks and the workflow of continuous integration against the rest of the project."""

import os
import re
import subprocess
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).resolve().parent.parent


def read(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_the_changelog_begins_with_what_is_unreleased_and_goes_back_in_time() -> None:
    headings = re.findall(r"^## (.*)$", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    found = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    releases = [(tuple(map(int, one.groups()[:3])), date.fromisoformat(one[4])) for one in found if one]
    assert len(releases) == len(found) >= 2
    versions, dates = zip(*releases, strict=True)
    assert sorted(set(versions), reverse=True) == list(versions)
    assert sorted(dates, reverse=True) == list(dates)


def test_the_changelog_s_newest_release_is_the_project_s_version() -> None:
    newest = re.findall(r"^## \[(\d.*?)\]", read("CHANGELOG.md"), flags=re.MULTILINE)[0]
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == newest


def test_the_changelog_s_groups_are_those_of_keep_a_changelog_each_once_a_release() -> None:
    for release in re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)[1:]:
        groups = re.findall(r"^### (.*)$", release, flags=re.MULTILINE)
        assert groups == [
            name for name in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security") if name in groups
        ]
        for group in re.split(r"^### ", release, flags=re.MULTILINE)[1:]:
            assert re.search(r"^- ", group, flags=re.MULTILINE), f"an empty group: {group}"


def makefile_checks() -> list[str]:
    """Commands of `make check`, without what only prints."""
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", read("Makefile"), flags=re.MULTILINE)
    lines = [line.strip().removeprefix("@").replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    return [line for line in lines if not line.startswith("echo ")]


def test_pre_commit_runs_the_commands_of_make_check() -> None:
    hooks = [hook for repo in yaml.safe_load(read(".pre-commit-config.yaml"))["repos"] for hook in repo["hooks"]]
    assert len(hooks) >= 4
    assert [hook["entry"] for hook in hooks] == makefile_checks()
    assert len({hook["id"] for hook in hooks}) == len(hooks)


def test_pre_commit_fetches_nothing_and_checks_the_whole_project() -> None:
    repos = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    for hook in repos[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["pass_filenames"] is False
        assert not hook.keys() & {"additional_dependencies", "files", "types", "types_or", "stages"}


def workflow() -> dict[str, Any]:
    # YAML 1.1 reads the key "on" as true.
    read_yaml = yaml.safe_load(read(".github/workflows/ci.yml"))
    assert isinstance(read_yaml, dict)
    return read_yaml


def test_the_workflow_runs_ci_s_script_on_each_supported_python() -> None:
    (job,) = workflow()["jobs"].values()
    supported = SpecifierSet(tomllib.loads(read("pyproject.toml"))["project"]["requires-python"])
    assert job["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported]
    assert job["runs-on"].startswith("ubuntu-")
    (python,) = (step for step in job["steps"] if step.get("uses", "").startswith("actions/setup-python@"))
    assert python["with"]["python-version"] == "${{ matrix.python }}"
    (script,) = (step for step in job["steps"] if "run" in step)
    assert script["run"] == ".ci/run"
    assert script["env"] == {"PYTHON": "python${{ matrix.python }}"}
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)


def test_the_workflow_s_actions_are_pinned_to_commits_and_may_only_read() -> None:
    (job,) = workflow()["jobs"].values()
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert len(actions) >= 2
    assert [action for action in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    assert workflow()["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_make_takes_the_python_of_the_environment(minor: int, tmp_path: Path) -> None:
    """As in the workflow, and alone: no other Python of the machine may stand in for it."""
    command = ["make", "--dry-run", f"VENV={tmp_path / 'venv'}", f"{tmp_path / 'venv'}/bin/pip"]
    environment = {**os.environ, "PYTHON": f"python3.{minor}"}
    found = subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True)
    assert f"for python in python3.{minor}; do" in found.stdout


def test_types_are_checked_of_all_code_that_people_run() -> None:
    config = tomllib.loads(read("pyproject.toml"))["tool"]["mypy"]
    assert config["files"] == ["pneumo_core", "pages", "app.py"]
    assert config["strict"] is True
    assert not any(override.get("ignore_errors") for override in config["overrides"])
