"""Tests wait for conditions, and hold no clock: the suite's own sources are read for what breaks on a busy machine."""

import ast
from collections.abc import Iterator

import pytest

from tests.hostile import ROOT
from tests.waiting import PATIENCE_S

ALLOWED = {
    "tests/waiting.py": "where all waiting is",
    "tests/test_waiting.py": "what is looked for",
    "tests/fuzz.py": "a campaign for a set time, which also says what takes long; the suite's own has the common limit",
    "tests/data/kaggle_server.py": "a stand-in that sends slowly, or falls silent, because it is told to",
}
CLOCKS = {"sleep", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"}
WAITS = {"wait", "communicate", "join", "acquire"}


def called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def is_made_up(value: ast.expr) -> bool:
    """Whether a limit is a number that was typed in, other than 0, which waits for nothing."""
    numbers = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    return not any(isinstance(node, ast.Name) for node in ast.walk(value)) and any(
        isinstance(number, int | float) and number for number in numbers
    )


def clocks(tree: ast.AST) -> Iterator[str]:
    """Each fixed sleep, look at a clock and limit of its own, in programs for child processes too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = called(node)
            if name in CLOCKS:
                yield f"line {node.lineno}: {name}; wait for a condition with tests.waiting.wait_for"
            if name in {"from_file", "from_function", "from_string"} and "AppTest" in ast.unparse(node.func):
                yield f"line {node.lineno}: AppTest.{name}; tests.waiting.app_test sets the limit"
            limits = [keyword.value for keyword in node.keywords if "timeout" in (keyword.arg or "")]
            if any(map(is_made_up, limits + (node.args if name in WAITS else []))):
                yield f"line {node.lineno}: {ast.unparse(node)}; the limit is tests.waiting.PATIENCE_S"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" in node.value:
            try:
                program = ast.parse(node.value)
            except SyntaxError:
                continue  # A text.
            yield from (f"line {node.lineno}, in a program: {found}" for found in clocks(program))


def test_no_clock_in_a_test() -> None:
    files = {path.relative_to(ROOT).as_posix(): path for path in ROOT.glob("tests/**/*.py")}
    assert set(ALLOWED) < set(files)
    found = {name: list(clocks(ast.parse(path.read_text()))) for name, path in files.items() if name not in ALLOWED}
    assert not {name: lines for name, lines in found.items() if lines}


@pytest.mark.parametrize(
    "code",
    [
        "time.sleep(1)",
        "sleep(pause)",
        "started = time.monotonic()",
        "process.wait(20)",
        "process.communicate(timeout=2 * 30)",
        "hold_lock(path, timeout_s=0.1)",
        "expect(page).to_be_visible(timeout=60_000)",
        "AppTest.from_file(str(path))",
        "CHILD = '''\nimport time\ntime.sleep(3)\n'''",
    ],
)
def test_a_clock_is_found(code: str) -> None:
    assert list(clocks(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "process.wait()",
        "process.wait(PATIENCE_S)",
        "run(command, timeout=1000 * PATIENCE_S)",
        "hold_lock(path, timeout_s=0)",
        "','.join(['1', '2'])",
        "'''\nIn time. sleep(3) was here\n'''",
    ],
)
def test_what_no_clock_is_passes(code: str) -> None:
    assert not list(clocks(ast.parse(code)))


def test_the_limit_is_generous() -> None:
    assert PATIENCE_S >= 60
