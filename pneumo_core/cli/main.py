"""The command line: ``python -m pneumo_core``; a module for each group of commands.

Results go to standard output (one JSON document with ``--json``), progress and notes to standard error. Exit status 0 is
success, 1 an expected error reported in one line, 2 wrong usage, 130 an interrupt.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from pneumo_core import __version__
from pneumo_core.cli.compare import compare_app
from pneumo_core.cli.data import data_app
from pneumo_core.cli.evaluate import evaluate_app
from pneumo_core.cli.gan import gan_app
from pneumo_core.cli.runs import runs_app
from pneumo_core.cli.terminal import print_in_any_encoding, quiet, say
from pneumo_core.cli.train import train_app
from pneumo_core.errors import PneumoError


class _Interruptible(TyperGroup):
    """The program; an interrupt ends it with a line, where Typer would say nothing."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            start = "\n" if sys.stderr.isatty() else ""  # A terminal shows ^C in this line.
            say(f"{start}interrupted; the command did not finish, and the files that it wrote are whole", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Interruptible,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for ungrouped in (train_app, evaluate_app, compare_app):
    app.add_typer(ungrouped)
for name, grouped in {"data": data_app, "gan": gan_app, "runs": runs_app}.items():
    app.add_typer(grouped, name=name)


def _version(is_wanted: bool) -> None:
    if is_wanted:
        say(f"pneumo-study {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[  # noqa: ARG001  Its callback answers.
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    quiet_please: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no notes; before the command's name.")
    ] = False,
) -> None:
    """Train, evaluate, compare and use chest X-ray classifiers.

    Results go to standard output, with --json as one JSON document; progress and notes go to standard error. Exit status 0
    is success, 1 an error reported in one line, 2 wrong usage. A run may be named by the beginning of its id.
    """
    quiet.set(quiet_please)


def _drop_output() -> None:
    """Drop what cannot be written to standard output: Python would try once more when it ends, with a traceback."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run the command line."""
    if sys.stderr is None:  # Closed by the shell.
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  It stays open to the end.
    if sys.stdout is None:
        _fail("standard output must be open. Received: a closed one")
    print_in_any_encoding()
    try:
        # A shell completes one word, the program ./pneumo, and asks it by this variable.
        installs = any(word in {"--install-completion", "--show-completion"} for word in sys.argv[1:])
        app(prog_name="pneumo" if installs else "python -m pneumo_core", complete_var="_PNEUMO_COMPLETE")
    except PneumoError as error:
        _fail(" ".join(str(error).split()))
    except OSError as error:
        if error.filename is not None:  # A file's, which should have been a PneumoError.
            raise
        _drop_output()
        _fail(f"standard output must be writable. Received: {error.strerror}")


def _fail(message: str) -> NoReturn:
    say(f"error: {message}", err=True)
    sys.exit(1)
