import json
import sys
from importlib.metadata import version

import keras
import numpy as np
import psutil
import pytest

from pneumo_core.training.device import Device, describe, detect, peak_memory_bytes


def test_this_machine() -> None:
    device = detect()
    assert device.backend == keras.backend.backend()
    assert device.kind == ("gpu" if any("gpu" in name.lower() for name in keras.distribution.list_devices()) else "cpu")
    assert device.name
    # A policy that Keras knows: anything else would fail when the run starts.
    assert keras.DTypePolicy(device.precision).variable_dtype == "float32"


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("fpu sse avx512f avx512_bf16", "mixed_bfloat16"),
        ("fpu amx_bf16", "mixed_bfloat16"),
        ("fpu sse avx2 avx512f", "float32"),
        ("", "float32"),
    ],
)
def test_bfloat16_only_where_the_cpu_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, flags: str, precision: str
) -> None:
    monkeypatch.setattr(
        "pneumo_core.training.device._cpu_facts", lambda: f"model name\t: Some CPU @ 2 GHz\nflags\t: {flags}\n"
    )
    monkeypatch.setattr("pneumo_core.training.device._gpus", lambda _: [])
    device = detect()
    assert (device.kind, device.precision, device.name) == ("cpu", precision, "Some CPU @ 2 GHz")
    assert device.jit_compile is (False if device.backend == "tensorflow" else "auto")


@pytest.mark.parametrize(
    ("gpus", "name", "precision"),
    [
        ([("NVIDIA H100", 9.0)], "NVIDIA H100", "mixed_bfloat16"),
        ([("NVIDIA A100", 8.0), ("NVIDIA A100", 8.0)], "NVIDIA A100, NVIDIA A100", "mixed_bfloat16"),
        ([("Tesla T4", 7.5)], "Tesla T4", "float32"),
        ([("GPU", 0.0)], "GPU", "float32"),
    ],
)
def test_a_gpu_is_taken(
    monkeypatch: pytest.MonkeyPatch, gpus: list[tuple[str, float]], name: str, precision: str
) -> None:
    monkeypatch.setattr("pneumo_core.training.device._gpus", lambda _: gpus)
    device = detect()
    assert (device.kind, device.name, device.precision) == ("gpu", name, precision)
    assert 1 <= device.threads <= 8


def test_description_names_what_is_installed() -> None:
    facts = describe(detect())
    assert json.loads(json.dumps(facts)) == facts
    assert facts["versions"]["keras"] == keras.__version__
    assert facts["python"] == sys.version.split()[0]
    assert facts["versions"] == {name: version(name) for name in facts["versions"]}
    assert {"numpy", "onnx", "onnxruntime"} < set(facts["versions"])
    assert any("tensorflow" in name for name in facts["versions"])


def test_description_of_another_backend_names_its_package() -> None:
    # "numpy" stands for a backend that is installed here under its own name.
    assert "numpy" in describe(Device("numpy", "cpu", "x", "float32", "auto", 1))["versions"]


def test_peak_memory_is_the_most_there_ever_was() -> None:
    before = peak_memory_bytes()
    current = psutil.Process().memory_info().rss
    assert before >= 0.9 * current
    block = np.ones(before + 2**28 - current, np.uint8)
    assert psutil.Process().memory_info().rss > before
    del block
    assert before + 2**27 < peak_memory_bytes() < before + 2**29
