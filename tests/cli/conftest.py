"""The command line in this process: what it prints, and how it ends."""

import io
import json
import sys
from typing import Any, NamedTuple, Protocol

import pytest

from pneumo_core.cli.main import main
from tests.hostile import assert_one_line


class Result(NamedTuple):
    """What a command left.

    Attributes:
        status: Exit status.
        output: Standard output.
        errors: Standard error.
    """

    status: int
    output: str
    errors: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output; NaN and Infinity are no JSON."""

        def refuse(name: str) -> None:
            raise ValueError(f"{name} is no JSON")

        return json.loads(self.output, parse_constant=refuse)


class Invoke(Protocol):
    """Runs a command."""

    def __call__(self, *arguments: object) -> Result: ...


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Invoke:
    def invoke(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["python -m pneumo_core", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
        except SystemExit as end:
            status = end.code
        else:
            status = 0
        output, errors = capfd.readouterr()
        assert isinstance(status, int)
        return Result(status, output, errors)

    return invoke


def screen_of(columns: int, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed from now on, to a terminal of this width. Not a fixture: pytest sets standard output after those."""
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", screen)
    for name, value in {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    return screen


def assert_refused(result: Result, *parts: str) -> None:
    """Exit 1, nothing on standard output, one line on standard error."""
    assert (result.status, result.output) == (1, "")
    assert result.errors.startswith("error: ")
    assert result.errors.count("\n") == 1
    assert result.errors.endswith("\n")
    assert_one_line(result.errors.removeprefix("error: ").removesuffix("\n"), *parts)
