"""Help, version, quiet, short run ids and consoles of any encoding, of every command."""

import io
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from pneumo_core import __version__
from pneumo_core.cli import terminal
from pneumo_core.cli.main import app
from pneumo_core.cli.run_rows import runs_table
from pneumo_core.cli.tables import whole_width
from pneumo_core.jobs import runs as jobs
from pneumo_core.records import RunState
from pneumo_core.runs.store import complete_id, published_root
from tests.cli.conftest import Invoke, assert_refused, screen_of
from tests.hostile import ROOT, assert_one_line


def commands(group: TyperGroup, *above: str) -> Iterator[tuple[str, ...]]:
    """Names of all groups and commands."""
    yield above
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *above, name)
        else:
            yield (*above, name)


def every_command() -> list[tuple[str, ...]]:
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return list(commands(root))


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_help_fits_a_terminal_of_80_columns(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = invoke(*command, "-h")
    assert (shown.status, shown.errors) == (0, "")
    assert shown == invoke(*command, "--help")
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80
    assert f"{' '.join(['pneumo_core', *command])} " in shown.output
    # Of arguments, an ellipsis says that there may be several.
    assert "..." not in re.sub(
        r"(?s)^Usage: .*?\n\n|^[A-Z]+\.\.\. ", "", shown.output.replace("\n  ", "\n"), flags=re.MULTILINE
    )


def test_every_option_and_its_values_are_in_the_help(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    group = get_command(app)
    for command in every_command():
        found = group
        for name in command:
            assert isinstance(found, TyperGroup)
            found = found.commands[name]
        shown = invoke(*command, "-h").output
        for parameter in found.params:
            assert all(option in shown for option in (*parameter.opts, *parameter.secondary_opts) if option[0] == "-")


def test_the_version(invoke: Invoke) -> None:
    assert invoke("--version").output == f"pneumo-study {__version__}\n"


def as_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command, env = [sys.executable, "-m", "pneumo_core", *arguments], {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, check=False)


def test_a_shell_completes_the_program() -> None:
    given = as_process("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").stdout.decode()
    assert "_PNEUMO_COMPLETE=complete_bash" in given
    assert " _pneumo_completion pneumo" in given
    requested = {"_PNEUMO_COMPLETE": "complete_bash", "COMP_WORDS": "pneumo runs re", "COMP_CWORD": "2"}
    assert as_process(**requested).stdout.split() == [b"resume", b"refresh"]
    assert os.access(ROOT / "pneumo", os.X_OK)


def test_waiting_can_be_turned_on_and_off(invoke: Invoke) -> None:
    for command in (("train",), ("study",), ("gan", "train"), ("runs", "resume"), ("runs", "export")):
        assert "--wait / --no-wait" in invoke(*command, "-h").output


def test_quiet_leaves_out_progress_and_notes(invoke: Invoke, capfd: pytest.CaptureFixture[str]) -> None:
    loud = invoke("evaluate", "--split", "val")
    silent = invoke("--quiet", "evaluate", "--split", "val")
    assert loud.errors.startswith("note: figures on val are optimistic")
    assert (silent.status, silent.errors, silent.output) == (0, "", loud.output)
    token = terminal.quiet.set(True)
    try:
        with terminal.progress_line("Reading") as show:
            show(1, 2)
        terminal.note("of little importance")
    finally:
        terminal.quiet.reset(token)
    assert capfd.readouterr() == ("", "")


# --- Beginnings of run ids --------------------------------------------------------------------------------------------

RUN = "baseline-ecf6ed585dfd"


@pytest.mark.parametrize("beginning", ["baseline-ecf", "ecf6", RUN, RUN.partition("-")[2]])
def test_the_beginning_of_one_run_s_id_is_enough(invoke: Invoke, beginning: str) -> None:
    assert complete_id(beginning) == RUN
    assert invoke("runs", "show", beginning, "--json").document["run_id"] == RUN
    assert invoke("runs", "delete", beginning, "--json").errors.startswith("error: ")  # A published run stays.
    assert invoke("evaluate", beginning, "--json").document["run_id"] == RUN


def test_an_ambiguous_beginning_is_answered_with_the_candidates(invoke: Invoke) -> None:
    known = sorted(path.name for path in published_root().glob("vgg16-*"))
    for command in (["runs", "show", "vgg16-"], ["evaluate", "vgg16-"], ["compare", RUN, "vgg16-"]):
        assert_refused(invoke(*command), "run_id='vgg16-'", ", ".join(known))


@pytest.mark.parametrize("unknown", ["baseline-x", "zz", "baseline-0123456789ab"])
def test_an_unknown_beginning_says_what_was_expected(invoke: Invoke, unknown: str) -> None:
    for command in (["runs", "show", unknown], ["evaluate", unknown], ["compare", RUN, unknown], ["gan", "sample"]):
        more = [unknown, "--out", "x"] if command[0] == "gan" else []
        assert_refused(invoke(*command, *more), repr(unknown), "run", "runs list")


# --- Terminals --------------------------------------------------------------------------------------------------------


def test_the_list_of_runs_fits_80_columns(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(80, monkeypatch)
    assert invoke("runs", "list").status == 0
    lines = re.sub(r"\x1b\[\d*m", "", screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80
    header, _, *rows = lines
    known = jobs.views()
    assert len(known) > 10
    assert [line.split()[0] for line in rows[: len(known)]] == [view.run_id for view in known]
    shown = header.split()
    assert {"run", "network", "arm", "seed", "accuracy"} <= set(shown)
    missing = {"state", "data", "epochs", "age"} - set(shown)
    words = " ".join(rows[len(known) :])
    assert all(name in words for name in missing), words
    (line,) = (line for line in rows if line.startswith(RUN))
    assert "Baseline, sound" in line
    assert re.search(r"\d\d\.\d %", line)


@pytest.mark.parametrize("room", [60, 100, 400])
def test_what_there_is_no_room_for_is_named(room: int) -> None:
    known = jobs.views()
    states = itertools.cycle(RunState)
    table = runs_table([replace(view, state=next(states)) for view in known], room)
    assert whole_width(table, 1) <= room
    named = f"{' '.join(table.columns)} {table.notes[0]}"
    assert all(
        name in named for name in ("run", "state", "network", "arm", "data", "seed", "epochs", "accuracy", "age")
    )
    assert ("n = " in str(table.rows)) == (room == 400)


# --- The end ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_standard_output_is_an_error_of_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        end = subprocess.run(
            [sys.executable, "-m", "pneumo_core", "--version"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert end.returncode == 1
    assert_one_line(end.stderr.decode().removeprefix("error: ").removesuffix("\n"), "standard output", "No space left")


def test_a_closed_standard_output_is_an_error_of_one_line(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert_refused(invoke("runs", "list"), "standard output must be open")


def test_an_interrupt_is_answered(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pneumo_core.jobs.views.list_runs", interrupt)
    status, output, errors = invoke("runs", "list")
    assert (status, output, errors.count("\n")) == (130, "", 1)
    assert errors.startswith("interrupted; ")


def test_a_published_run_has_no_log(invoke: Invoke) -> None:
    shown = invoke("runs", "logs", RUN)
    assert (shown.status, shown.output) == (0, "")
    assert shown.errors == f"note: {RUN} is a published run, which ships without its log\n"


def test_a_report_of_a_dcgan_is_refused_by_what_it_is(invoke: Invoke, tmp_path: Path) -> None:
    assert_refused(invoke("report", "dcgan-68e3", "--out", tmp_path / "out"), "must be a classifier's", "dcgan-68e3")


# --- Encodings --------------------------------------------------------------------------------------------------------

PRINTING = {
    "evaluate": ("evaluate", RUN, "--split", "val"),
    "compare": ("compare", "vgg16-97d3cb5e2e15", "vgg16-2c202b9aa5d5"),
    "runs list": ("runs", "list"),
    "runs show": ("runs", "show", RUN),
    "gan evaluate": ("gan", "evaluate"),
}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
@pytest.mark.parametrize("name", PRINTING)
def test_every_console_is_printed_to(monkeypatch: pytest.MonkeyPatch, invoke: Invoke, name: str, encoding: str) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert invoke(*PRINTING[name]).status == 0
    for stream in streams:
        stream.flush()
    printed = streams[0].buffer.getvalue().decode(encoding)
    assert len(printed.splitlines()) > 5
    assert "?" not in printed.replace("?\n", "")
    if name == "compare" and encoding == "ascii":
        assert "B - A" in printed


def test_a_process_with_another_encoding_ends_well() -> None:
    result = as_process(*PRINTING["compare"], PYTHONIOENCODING="cp1252")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"B - A" in result.stdout
    assert "95 % interval" in result.stdout.decode("cp1252").replace("\N{NO-BREAK SPACE}", " ")


def test_a_path_that_is_no_text_is_printed() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        terminal.print_in_any_encoding()
        terminal.print_result({"path": os.fsdecode(b"odd-\xff.png")}, as_json=False)
        stream.flush()
    assert stream.buffer.getvalue() == b"path: odd-?.png\n"
