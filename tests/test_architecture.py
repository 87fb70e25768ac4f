"""The import contracts have teeth, cover every room, and hold in a running process."""

import ast
import os
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pneumo_core"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["id"]: contract for contract in CONFIG["tool"]["importlinter"]["contracts"]}

FRAMEWORK_ROOMS = {"models", "training", "worker"}
FORBIDDEN_AT_RUN_TIME = {"jax", "kaggle", "keras", "streamlit", "tensorflow"}


def rooms(package: Path) -> set[str]:
    """Names of the modules and packages right below a package."""
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in package.glob("*/__init__.py")}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Result of the import linter, with our own contracts, on the package in a folder."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    command += ["--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    """A folder with a package of the same modules as ours, all of them empty."""
    for path in PACKAGE.rglob("*.py"):
        empty = tmp_path / path.relative_to(ROOT)
        empty.parent.mkdir(parents=True, exist_ok=True)
        empty.touch()
    return tmp_path


def write(folder: Path, module: str, source: str) -> None:
    path = folder / "pneumo_core" / f"{module}.py"
    package = folder / "pneumo_core" / module / "__init__.py"
    (package if package.exists() else path).write_text(source, encoding="utf-8")


def test_rooms_without_imports_keep_every_contract(replica: Path) -> None:
    result = lint_imports(replica)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "5 kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("room", "source", "contract"),
    [
        ("runs", "import pneumo_core.data", "layers"),
        ("records", "from pneumo_core import config", "layers"),
        ("errors", "from pneumo_core import records", "layers"),
        ("config/limits", "from pneumo_core.config import classifier", "config"),
        ("runs/files", "from pneumo_core.runs import store", "runs"),
        ("evaluation", "from pneumo_core import inference", "layers"),
        ("jobs", "from pneumo_core import inference", "layers"),
        ("inference", "def late():\n    from pneumo_core import training", "layers"),
        ("jobs", "import pneumo_core.worker", "layers"),
        ("cli", "import pneumo_core.worker", "layers"),
        ("helpers", "", "layers"),
        ("evaluation", "import streamlit", "interface"),
        ("settings", "def late():\n    import streamlit.config", "interface"),
        ("jobs", "import keras", "frameworks"),
        ("data", "from tensorflow import data", "frameworks"),
        ("inference", "def late():\n    import tensorflow", "frameworks"),
        ("__main__", "import jax.numpy", "frameworks"),
    ],
)
def test_forbidden_import_breaks_its_contract(replica: Path, room: str, source: str, contract: str) -> None:
    write(replica, room, source)
    result = lint_imports(replica)
    assert result.returncode != 0
    assert f"{CONTRACTS[contract]['name']} BROKEN" in result.stdout, result.stdout + result.stderr


def test_framework_is_not_reached_through_another_room(replica: Path) -> None:
    write(replica, "models", "import keras")
    write(replica, "__main__", "from pneumo_core import models")
    result = lint_imports(replica)
    assert f"{CONTRACTS['frameworks']['name']} BROKEN" in result.stdout, result.stdout + result.stderr


def test_every_room_but_three_is_kept_from_the_frameworks() -> None:
    sources = {name.removeprefix("pneumo_core.") for name in CONTRACTS["frameworks"]["source_modules"]}
    assert sources == rooms(PACKAGE) - FRAMEWORK_ROOMS


def test_modules_outside_the_framework_rooms_load_no_framework() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).with_suffix("").parts[0] not in FRAMEWORK_ROOMS
    ]
    assert "pneumo_core.runs.store" in modules
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        f"sys.stdout.write(' '.join(sorted({FORBIDDEN_AT_RUN_TIME!r} & set(sys.modules))))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(("folder", "limit"), [("pneumo_core", 400), ("pages", 400)])
def test_files_stay_readable(folder: str, limit: int) -> None:
    long = {
        str(path.relative_to(ROOT)): length
        for path in (ROOT / folder).rglob("*.py")
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > limit
    }
    assert long == {}


def test_pages_are_thin() -> None:
    long = {
        path.name: length
        for path in (ROOT / "pages").glob("*.py")
        if (length := len(path.read_text(encoding="utf-8").splitlines())) > 120
    }
    assert long == {}


@cache
def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


MODULES = sorted(PACKAGE.rglob("[a-z]*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_has_a_test_file_or_is_named_in_a_neighbours(path: Path) -> None:
    folder = ROOT / "tests" / path.relative_to(PACKAGE).parent
    own = folder / f"test_{path.stem}.py"
    assert own.is_file() or any(f"`{path.stem}`" in docstring(file) for file in folder.glob("test_*.py"))
