"""The command line: ``python -m pneumo_core``; a module for each group of commands.

Results go to standard output (one JSON document with ``--json``), progress and notes to standard error. Exit status 0 is
success, 1 an expected error reported in one line, 2 wrong usage.
"""

import sys
from typing import Annotated

import typer

from pneumo_core import __version__
from pneumo_core.cli.compare import compare_app
from pneumo_core.cli.data import data_app
from pneumo_core.cli.evaluate import evaluate_app
from pneumo_core.cli.gan import gan_app
from pneumo_core.cli.runs import runs_app
from pneumo_core.cli.terminal import print_in_any_encoding, quiet, say
from pneumo_core.cli.train import train_app
from pneumo_core.errors import PneumoError

app = typer.Typer(
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


def main() -> None:
    """Run the command line."""
    print_in_any_encoding()
    try:
        # A shell completes one word, the program ./pneumo, and asks it by this variable.
        installs = any(word in {"--install-completion", "--show-completion"} for word in sys.argv[1:])
        app(prog_name="pneumo" if installs else "python -m pneumo_core", complete_var="_PNEUMO_COMPLETE")
    except PneumoError as error:
        say(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
