"""What the training runs on, and the precision that suits it."""

import platform
import resource
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

__all__ = ["Device", "describe", "detect", "peak_memory_bytes"]


@dataclass(frozen=True, slots=True)
class Device:
    """Where Keras runs.

    Attributes:
        backend: Keras' backend, such as ``"tensorflow"``.
        kind: ``"cpu"`` or ``"gpu"``.
        name: The device in words.
        precision: Keras' dtype policy that is fastest there without loss of accuracy.
        jit_compile: Value of `compile`'s argument of that name.
    """

    backend: str
    kind: str
    name: str
    precision: str
    jit_compile: str | bool


def detect() -> Device:
    """The device that Keras will use.

    Mixed bfloat16 is 1.4 times as fast as float32 where a CPU computes in it and slower elsewhere; XLA is slower than
    TensorFlow's own kernels on a CPU.
    """
    backend = keras.backend.backend()
    gpus = [name for name in keras.distribution.list_devices() if name.lower().startswith(("gpu", "cuda"))]
    if gpus:
        return Device(backend, "gpu", f"{len(gpus)} GPU", "mixed_bfloat16", "auto")
    precision = "mixed_bfloat16" if _cpu_has_bf16() else "float32"
    return Device(backend, "cpu", _cpu_name(), precision, False if backend == "tensorflow" else "auto")


def describe(device: Device) -> dict[str, Any]:
    """The device and every version that a manifest records, as plain data."""
    packages = ("keras", device.backend.replace("tensorflow", _tensorflow_package()), "numpy", "onnxruntime", "tf2onnx")
    return {
        **asdict(device),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: version(name) for name in packages},
    }


def peak_memory_bytes() -> int:
    """Most memory this process has had resident so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes.


def _tensorflow_package() -> str:
    return "tensorflow-cpu" if sys.platform == "linux" and platform.machine() == "x86_64" else "tensorflow"


def _cpu_facts() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _cpu_has_bf16() -> bool:
    facts = _cpu_facts()
    return "avx512_bf16" in facts or "amx_bf16" in facts


def _cpu_name() -> str:
    for line in _cpu_facts().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
