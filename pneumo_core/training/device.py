"""What the training runs on, and the precision that suits it."""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import keras

from pneumo_core.config.hardware import BFLOAT16_CAPABILITY, cpu_has_bfloat16, cpu_name
from pneumo_core.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Device:
    """Where Keras runs.

    Attributes:
        backend: Keras' backend, such as ``"tensorflow"``.
        kind: ``"cpu"`` or ``"gpu"``.
        name: The device in words.
        precision: Keras' dtype policy that is fastest there without loss of accuracy.
        jit_compile: Value of `compile`'s argument of that name.
        threads: Threads that make batches; an accelerator would wait for one.
    """

    backend: str
    kind: str
    name: str
    precision: str
    jit_compile: str | bool
    threads: int


def detect() -> Device:
    """The device that Keras will use.

    Mixed bfloat16 is 1.4 times as fast as float32 where a CPU computes in it, up to 7 times with its matrix units, and slower
    elsewhere; GPUs compute in it from compute capability 8.0 on (NVIDIA's Ampere). XLA is slower than TensorFlow's own
    kernels on a CPU, and gains nothing from bfloat16 there.
    """
    backend = keras.backend.backend()
    gpus = _gpus(backend)
    if gpus:
        names = ", ".join(name for name, _ in gpus)
        precision = "mixed_bfloat16" if min(capability for _, capability in gpus) >= BFLOAT16_CAPABILITY else "float32"
        return Device(backend, "gpu", names, precision, "auto", min(8, os.cpu_count() or 1))
    precision = "mixed_bfloat16" if cpu_has_bfloat16() and backend == "tensorflow" else "float32"
    return Device(backend, "cpu", cpu_name(), precision, False if backend == "tensorflow" else "auto", 1)


def describe(device: Device) -> dict[str, Any]:
    """The device and every version that a manifest records, as plain data."""
    # TensorFlow comes under two names; a version that cannot be told must not end a run.
    packages = ("keras", device.backend, f"{device.backend}-cpu", "numpy", "onnx", "onnxruntime")
    return {
        **asdict(device),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: found for name in packages if (found := _version(name))},
    }


def adam(device: Device, learning_rate: float, model: keras.Model, *, beta_1: float = 0.9) -> keras.optimizers.Adam:
    """Adam with Keras' defaults, but for its first momentum where that is given, for a model's trainable variables.

    On a CPU TensorFlow runs its update as a dozen passes over all parameters; XLA makes one of them, which on VGG16's head of
    9 million parameters is 1.7 times as fast for the whole step.
    """
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=beta_1)
    if device.backend == "tensorflow" and device.kind == "cpu":
        import tensorflow as tf  # noqa: PLC0415  Only there.

        optimizer.build(model.trainable_variables)
        update = optimizer.apply
        fused = tf.function(lambda *gradients: update(list(gradients)), jit_compile=True, autograph=False)
        # Keras gives the variables too, always those that the optimizer was built for.
        optimizer.apply = lambda gradients, _=None: fused(*gradients)
    return optimizer


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's memory is exhausted, in the words of Python, TensorFlow or JAX."""
    return isinstance(error, MemoryError) or any(
        word in f"{type(error).__name__}: {error}" for word in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM when")
    )


def peak_memory_bytes() -> int:
    """Most memory this process has had resident so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux kilobytes.


@contextmanager
def within_memory(device: Device, settings: str) -> Iterator[None]:
    """A training that may need more memory than there is.

    Args:
        device: What it runs on.
        settings: What its need depends on, such as ``batch_size=32``.

    Raises:
        TrainingError: Memory ran out.
    """
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise TrainingError(
            f"the training must fit into the memory of {device.name}. Received: {settings}, {type(error).__name__}; close "
            "what else uses the device, or train on another"
        ) from error


def session_facts(device: Device, first_epoch: int, started: float) -> dict[str, Any]:
    """What a training that has ended records of its last session.

    Args:
        device: What it ran on.
        first_epoch: The epoch it started at.
        started: When, by `time.monotonic`.
    """
    return {
        "first_epoch_of_last_session": first_epoch,
        "resume": resume_promise(device, first_epoch),
        "training_duration_s": time.monotonic() - started,
        "peak_memory_bytes": peak_memory_bytes(),
        "device": describe(device),
    }


def resume_promise(device: Device, first_epoch: int) -> str:
    """What may be said of a run that was resumed."""
    if first_epoch == 0:
        return "trained in one session"
    if device.backend == "tensorflow" and device.kind == "cpu":
        return (
            "resumed: weights, optimizer, data order, augmentation and all that is drawn or counted as in one session"
        )
    return "resumed: as in one session but for rounding, because this device does not add in a fixed order"


def _gpus(backend: str) -> list[tuple[str, float]]:
    """Name and CUDA compute capability of each GPU that the backend sees; a GPU of another maker counts as 0."""
    if backend == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415  Only there.

        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        capabilities = [".".join(map(str, entry.get("compute_capability", (0, 0)))) for entry in details]
        return [(entry.get("device_name", "GPU"), float(c)) for entry, c in zip(details, capabilities, strict=True)]
    if backend == "jax":
        import jax  # noqa: PLC0415  Only there.

        gpus = [device for device in jax.devices() if device.platform == "gpu"]
        return [(gpu.device_kind, float(getattr(gpu, "compute_capability", 0))) for gpu in gpus]
    return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
