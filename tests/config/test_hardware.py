"""What a training would run on, against machines that are made up: a program on the PATH, a file of CPU facts."""

import os
import platform
import sys
from pathlib import Path

import pytest

from pneumo_core.config import hardware
from pneumo_core.config.hardware import Hardware, training_hardware
from pneumo_core.errors import ConfigError
from tests.waiting import BRIEFLY_S, PATIENCE_S

H100 = "NVIDIA H100 80GB HBM3, 81559 MiB"
ANSWER = f"{H100}, 9.0"
"""What the driver's program says of it."""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with one known CPU and no GPU; the folder is all of its PATH."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t: fpu avx512f\n")
    monkeypatch.setattr(hardware, "_CPUINFO", cpuinfo)
    monkeypatch.setattr(hardware, "_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hardware, "installed_version", lambda package: package == "jax-cuda12-plugin")
    return tmp_path


def nvidia_smi(folder: Path, body: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_without_the_driver_s_program_it_is_the_cpu() -> None:
    assert training_hardware() == Hardware("tensorflow", "cpu", "Some CPU @ 2 GHz", "float32")


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
@pytest.mark.parametrize(("backend", "precision"), [("tensorflow", "mixed_bfloat16"), ("jax", "float32")])
def test_a_cpu_that_computes_in_bfloat16_trains_in_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch, flag: str, backend: str, precision: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    (machine / "cpuinfo").write_text(f"model name\t: Other\nflags\t: fpu {flag}\n")
    assert training_hardware() == Hardware(backend, "cpu", "Other", precision)


def test_where_linux_does_not_tell_the_cpu_s_name_python_does(machine: Path) -> None:
    (machine / "cpuinfo").unlink()
    assert training_hardware().name == (platform.processor() or platform.machine())


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_gpu_by_name_and_memory(machine: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    nvidia_smi(
        machine, f'[ "$*" = "--query-gpu=name,memory.total,compute_cap --format=csv,noheader" ] && echo "{ANSWER}"'
    )
    assert training_hardware() == Hardware(backend, "gpu", H100, "mixed_bfloat16")


@pytest.mark.parametrize(
    ("capability", "precision"), [("7.5", "float32"), ("8.0", "mixed_bfloat16"), ("12.0", "mixed_bfloat16")]
)
def test_a_gpu_older_than_bfloat16_trains_in_float32(machine: Path, capability: str, precision: str) -> None:
    nvidia_smi(machine, f'echo "Some GPU, 16384 MiB, {capability}"')
    assert training_hardware().precision == precision


def test_of_several_gpus_a_run_takes_one(machine: Path) -> None:
    nvidia_smi(machine, f'echo "{ANSWER}"; echo "Other, 1 MiB, 7.5"')
    assert training_hardware().name == f"{H100}, one of 2"


@pytest.mark.parametrize(
    "body",
    [
        "echo No devices were found",
        f"echo '{ANSWER}'; exit 9",
        f"echo '{H100}, [N/A]'",
        f"echo '{H100}'",
        "printf '\\377\\376, 1 MiB, 9.0'",
        "exit 0",
    ],
)
def test_an_answer_that_names_no_gpu(machine: Path, body: str) -> None:
    nvidia_smi(machine, body)
    assert (training_hardware().kind, training_hardware().note) == ("cpu", "")


def test_a_program_that_cannot_be_run(machine: Path) -> None:
    (machine / "nvidia-smi").write_text("no program")
    (machine / "nvidia-smi").chmod(0o755)
    assert training_hardware().kind == "cpu"


def test_a_driver_that_hangs_is_not_waited_for(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_TIMEOUT_S", BRIEFLY_S)
    # It names a GPU five minutes later.
    late = f"import time; time.sleep({PATIENCE_S}); print({ANSWER!r})"
    nvidia_smi(machine, f"exec {sys.executable} -c '{late}'".replace(repr(ANSWER), f'"{ANSWER}"'))
    found = training_hardware()
    assert (found.kind, found.note) == ("cpu", "")


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu_is_not_used_and_said(machine: Path, monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    nvidia_smi(machine, f'echo "{ANSWER}"')
    found = training_hardware()
    assert (found.kind, found.name) == ("cpu", "Some CPU @ 2 GHz")
    assert H100 in found.note
    assert "CUDA_VISIBLE_DEVICES" in found.note


@pytest.mark.parametrize(
    ("backend", "installed", "advice"),
    [("tensorflow", {"tensorflow-cpu"}, "requirements-gpu.txt"), ("jax", set(), "jax[cuda12]")],
)
def test_a_framework_without_cuda_is_said(
    machine: Path, monkeypatch: pytest.MonkeyPatch, backend: str, installed: set[str], advice: str
) -> None:
    monkeypatch.setattr(hardware, "installed_version", installed.__contains__)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    nvidia_smi(machine, f'echo "{ANSWER}"')
    found = training_hardware()
    assert found.kind == "cpu"
    assert advice in found.note


def test_an_unknown_backend_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch2")
    with pytest.raises(ConfigError, match="KERAS_BACKEND"):
        training_hardware()


def test_the_real_machine_is_the_one_that_training_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("the CPU is read from /proc/cpuinfo, which this system has not")
    monkeypatch.undo()
    from pneumo_core.training.device import detect

    theirs, ours = detect(), training_hardware()
    assert (ours.backend, ours.kind, ours.precision) == (theirs.backend, theirs.kind, theirs.precision)
    assert theirs.kind == "gpu" or ours.name == theirs.name
    assert os.environ.get("KERAS_BACKEND", "tensorflow") == ours.backend
