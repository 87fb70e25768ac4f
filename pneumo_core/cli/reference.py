"""The reference of the command line, from the commands' own help: ``python -m pneumo_core.cli.reference``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from pneumo_core.cli.main import app

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"

_PROGRAM: Final = "python -m pneumo_core"
_HEAD: Final = """# Command line

Every command with its options, as its `-h` prints them; [commands.md](commands.md) has examples, presets and balancing arms.
This page is made by `python -m pneumo_core.cli.reference`.
"""


def reference() -> str:
    """The page in Markdown."""
    parts = [
        f"## `{path.removeprefix(_PROGRAM).strip() or path}`\n\n```text\n{text}\n```\n"
        for path, text in _helps(get_command(app), _PROGRAM)
    ]
    return "\n".join([_HEAD, *parts])


def _helps(command: Any, name: str, above: typer.Context | None = None) -> Iterator[tuple[str, str]]:
    """Path and help of a command and of those below it, as a terminal of 80 columns shows it."""
    context = typer.Context(command, parent=above, info_name=name, terminal_width=78)
    context.help_option_names = ["-h", "--help"]
    yield context.command_path, command.get_help(context).rstrip()
    if isinstance(command, TyperGroup):
        for below, found in command.commands.items():
            yield from _helps(found, below, context)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
