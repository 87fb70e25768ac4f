"""Hardware that a training would use on this machine, detected without importing a training framework."""

import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from pneumo_core.settings import keras_backend

BFLOAT16_CAPABILITY: Final = 8.0
"""CUDA compute capability from which GPUs compute in bfloat16 (NVIDIA's CUDA C++ Programming Guide, "Arithmetic
Instructions": Ampere)."""

_TIMEOUT_S: Final = 15.0  # A sleeping GPU takes seconds to answer; a hanging driver must not block the page for long.
_CPUINFO: Final = Path("/proc/cpuinfo")
# Beginnings of the values of ONEDNN_MAX_CPU_ISA that leave bfloat16 in (oneDNN's developer guide, "CPU Dispatcher Control").
_ISA_WITH_BFLOAT16: Final = ("DEFAULT", "ALL", "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10")


@dataclass(frozen=True, slots=True)
class Hardware:
    """Hardware that a training would use.

    Attributes:
        backend: Keras' backend, ``"tensorflow"`` or ``"jax"``.
        kind: ``"gpu"`` or ``"cpu"``.
        name: Name of the device.
        precision: Keras' dtype policy there (see `training.device`).
        note: Why an existing GPU is not used, or "".
    """

    backend: str
    kind: str
    name: str
    precision: str
    note: str = ""


def training_hardware() -> Hardware:
    """Device that a worker started from this process would use; the detection takes a moment, so keep the result.

    Raises:
        ConfigError: `KERAS_BACKEND` names an unknown backend.
    """
    backend = keras_backend()
    found = _gpus()
    hindrance = _hindrance(backend)
    if found and not hindrance:
        first, capability = found[0]
        name = first if len(found) == 1 else f"{first}, one of {len(found)}"
        return Hardware(backend, "gpu", name, "mixed_bfloat16" if capability >= BFLOAT16_CAPABILITY else "float32")
    # XLA, which JAX always uses, gains nothing from bfloat16 on a CPU.
    precision = "mixed_bfloat16" if cpu_has_bfloat16() and backend == "tensorflow" else "float32"
    note = f"{found[0][0]} is not used: {hindrance}" if found else ""
    return Hardware(backend, "cpu", cpu_name(), precision, note)


def cpu_has_bfloat16() -> bool:
    """Whether the CPU supports bfloat16, by the flags that Linux lists (x86-64 only), and TensorFlow may use it.

    TensorFlow 2.21 asks the CPU and not oneDNN, and crashes at its first product in bfloat16 where `ONEDNN_MAX_CPU_ISA`
    holds oneDNN to instructions without it.
    """
    facts = _cpu_facts()
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    return ("avx512_bf16" in facts or "amx_bf16" in facts) and limit.startswith(_ISA_WITH_BFLOAT16)


def cpu_name() -> str:
    """Name of the CPU."""
    for line in _cpu_facts().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cpu_facts() -> str:
    return _CPUINFO.read_text() if _CPUINFO.exists() else ""


def _gpus() -> list[tuple[str, float]]:
    """Name with memory, and compute capability, of each NVIDIA GPU; empty if the driver's program fails or hangs."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    rows = [[part.strip() for part in line.split(",")] for line in answer.stdout.splitlines()]
    try:
        return [(f"{name}, {memory}", float(capability)) for name, memory, capability in rows]
    except ValueError:
        return []  # Output that is no table, such as "No devices were found".


def _hindrance(backend: str) -> str:
    """Why Keras would not use an NVIDIA GPU, or ""."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in {"", "-1"}:
        return "CUDA_VISIBLE_DEVICES hides it"
    if backend == "tensorflow" and installed_version("tensorflow-cpu"):
        return "tensorflow-cpu is installed; requirements-gpu.txt installs TensorFlow for GPUs"
    if backend == "jax" and not any(installed_version(f"jax-cuda{number}-plugin") for number in (12, 13)):
        return "JAX is installed without CUDA; 'pip install jax[cuda12]' brings it"
    return ""


def installed_version(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def software(packages: Iterable[str]) -> dict[str, Any]:
    """Python, system and versions of packages for a manifest, as plain data; a package that is not installed is left out."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: found for name in packages if (found := installed_version(name))},
    }


def peak_memory_bytes() -> int:
    """Peak resident memory of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes.
