"""The page of the command line is made from the commands' own help."""

import pytest

from pneumo_core.cli.reference import PAGE, reference
from tests.cli.conftest import Invoke


def test_the_page_is_current() -> None:
    """If it is not: `python -m pneumo_core.cli.reference` makes it again."""
    assert PAGE.read_text(encoding="utf-8") == reference()


def test_its_help_is_what_is_printed(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("train", "runs show", "gan"):
        assert f"## `{command}`\n\n```text\n{invoke(*command.split(), '-h').output}```\n" in reference()
