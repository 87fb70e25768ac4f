"""The changelog, the pre-commit hooks and the workflow of continuous integration against the rest of the project."""

import re
import tomllib
from datetime import date
from pathlib import Path

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
