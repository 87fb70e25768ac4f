"""The requirements files against the imports, against each other and against the constraints."""

import ast
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "requirements-gpu.txt", "requirements-dev.txt", "requirements-mutants.txt")
OWN = {"app", "benchmarks", "install", "pages", "pneumo_core", "tests"}

# Needed without being imported by us, and by whom.
IMPORTED_BY_OTHERS = {
    "h5py": "Keras' weights files",
    "pyarrow": "pandas' Parquet files",
    "tensorflow": "Keras' backend",
    "tensorflow-cpu": "Keras' backend",
}

# Imported only where somebody has chosen it.
CHOSEN = {"jax": "Keras' other backend"}


def lines(name: str) -> list[str]:
    """Lines of a requirements file that ask for something."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def requirement(line: str) -> Requirement:
    """What a line asks for, its comment left out."""
    return Requirement(line.partition(" #")[0].strip())


def requirements(*files: str) -> list[Requirement]:
    return [requirement(line) for name in files for line in lines(name)]


def names(items: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(item.name) for item in items}


def constraints() -> dict[str, Requirement]:
    return {canonicalize_name(item.name): item for item in requirements("constraints.txt")}


def imported_modules(source: str) -> set[str]:
    """Top-level names of all modules that a source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def third_party(*places: str) -> set[str]:
    """Top-level names of the third-party modules that the sources below some places import."""
    found: set[str] = set()
    for place in places:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            found |= imported_modules(file.read_text(encoding="utf-8"))
    return found - OWN - sys.stdlib_module_names


@cache
def distributions(module: str) -> set[str]:
    """Names of the installed distributions that bring a module."""
    return {canonicalize_name(name) for name in installed().get(module, [])}


@cache
def installed() -> dict[str, list[str]]:
    """Distributions of each importable module; reading them all takes a second."""
    return dict(packages_distributions())


def not_required(modules: set[str], required: set[str]) -> dict[str, list[str]]:
    """Modules that no required distribution brings, each with the distributions that would."""
    return {module: sorted(distributions(module)) for module in sorted(modules) if not required & distributions(module)}


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b as c, d\nfrom e.f import g\nfrom . import h\ndef late():\n    import i\n    from j import k\n"
    assert imported_modules(source) == {"a", "d", "e", "i", "j"}


def test_program_imports_only_what_requirements_name() -> None:
    modules = third_party("app.py", "pages", "pneumo_core")
    assert "numpy" in modules
    assert not_required(modules - CHOSEN.keys(), names(requirements("requirements.txt"))) == {}


def test_tests_and_benchmarks_import_only_what_requirements_name() -> None:
    modules = third_party("tests", "benchmarks")
    assert "pytest" in modules
    required = names(requirements("requirements.txt", "requirements-dev.txt"))
    assert not_required(modules - {"mutmut"}, required) == {}  # That one is needed where somebody runs `make mutants`.


def test_module_that_no_requirement_brings_is_reported() -> None:
    assert not_required({"numpy", "pip", "nowhere"}, {"numpy"}) == {"nowhere": [], "pip": ["pip"]}


def test_each_requirement_is_imported_by_us_or_by_one_that_we_name() -> None:
    modules = third_party("app.py", "pages", "pneumo_core")
    imported = {name for module in modules for name in distributions(module)}
    assert names(requirements("requirements.txt")) - imported - IMPORTED_BY_OTHERS.keys() == set()


@pytest.mark.parametrize("name", FILES)
def test_each_line_has_a_range_and_a_reason(name: str) -> None:
    for line in lines(name):
        _, mark, reason = line.partition(" # ")
        assert mark, f"{name}: no reason after ' # ': {line}"
        assert reason.strip(), f"{name}: an empty reason: {line}"
        operators = {part.operator for part in requirement(line).specifier}
        assert ">=" in operators, f"{name}: no lowest version: {line}"
        assert "==" not in operators, f"{name}: the exact version belongs in constraints.txt: {line}"


def test_gpu_requirements_differ_in_tensorflow_only() -> None:
    def is_tensorflow(line: str) -> bool:
        return requirement(line).name in {"tensorflow", "tensorflow-cpu"}

    plain, gpu = lines("requirements.txt"), lines("requirements-gpu.txt")
    assert [line for line in plain if not is_tensorflow(line)] == [line for line in gpu if not is_tensorflow(line)]
    (with_cuda,) = (requirement(line) for line in gpu if is_tensorflow(line))
    assert with_cuda.name == "tensorflow"
    assert with_cuda.extras == {"and-cuda"}
    assert {with_cuda.specifier} == {requirement(line).specifier for line in plain if is_tensorflow(line)}


@pytest.mark.parametrize(
    ("platform", "machine", "expected"),
    [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
        ("win32", "AMD64", "tensorflow"),
    ],
)
def test_each_platform_gets_one_tensorflow(platform: str, machine: str, expected: str) -> None:
    environment = {"sys_platform": platform, "platform_machine": machine}
    chosen = [
        item.name
        for item in requirements("requirements.txt")
        if item.name.startswith("tensorflow") and item.marker and item.marker.evaluate(environment)
    ]
    assert chosen == [expected]


def test_constraints_are_exact_and_name_each_distribution_once() -> None:
    pinned = requirements("constraints.txt")
    assert len(names(pinned)) == len(pinned)
    for item in pinned:
        assert [part.operator for part in item.specifier] == ["=="], f"not exact: {item}"
        assert item.marker is None, f"not the same on each Python: {item}"


def test_constraints_satisfy_the_ranges() -> None:
    pinned = constraints()
    for item in requirements(*FILES):
        if item.name == "kaggle":
            continue
        (exact,) = pinned[canonicalize_name(item.name)].specifier
        assert item.specifier.contains(exact.version), f"{exact.version} is outside of {item}"


def test_constraints_hold_both_kinds_of_tensorflow_at_one_version() -> None:
    pinned = constraints()
    assert pinned["tensorflow"].specifier == pinned["tensorflow-cpu"].specifier


def test_kaggle_is_free_to_follow_its_server() -> None:
    assert constraints().keys().isdisjoint({"kaggle", "kagglesdk"})
    (kaggle,) = (item for item in requirements("requirements.txt") if item.name == "kaggle")
    assert {part.operator for part in kaggle.specifier} == {">="}


@pytest.mark.parametrize(
    ("readme", "platform"),
    [
        ("Linux (x86-64", "x86_64-manylinux_2_28"),
        ("or ARM, glibc 2.28", "aarch64-manylinux_2_28"),
        ("macOS 14 or later (Apple silicon)", "aarch64-apple-darwin"),
        ("On Windows, use WSL: the packages install on Windows itself", "x86_64-pc-windows-msvc"),
    ],
)
def test_each_platform_of_readme_is_resolved_for(readme: str, platform: str) -> None:
    assert readme in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (platforms,) = re.findall(r"^PLATFORMS := (.*)$", makefile, flags=re.MULTILINE)
    assert platform in platforms.split()
    assert "MACOSX_DEPLOYMENT_TARGET=14.0" in makefile


def test_the_installer_needs_the_standard_library_alone() -> None:
    modules = imported_modules((ROOT / "install.py").read_text(encoding="utf-8"))
    assert "subprocess" in modules
    assert modules <= sys.stdlib_module_names


def test_the_installer_is_pinned() -> None:
    assert "uv" in constraints()
