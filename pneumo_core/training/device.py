"""Device of the training, and the precision that suits it."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import keras

from pneumo_core.config.hardware import BFLOAT16_CAPABILITY, cpu_has_bfloat16, cpu_name, peak_memory_bytes, software
from pneumo_core.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Device:
    """Device that Keras runs on.

    Attributes:
        backend: Keras' backend, such as ``"tensorflow"``.
        kind: ``"cpu"`` or ``"gpu"``.
        name: Name of the device.
        precision: Keras' dtype policy that is fastest on it without loss of accuracy.
        jit_compile: Value of `compile`'s argument of that name.
        threads: Threads that make batches; a single one is too slow for an accelerator.
    """

    backend: str
    kind: str
    name: str
    precision: str
    jit_compile: str | bool
    threads: int


def detect() -> Device:
    """The device that Keras will use.

    Mixed bfloat16 is 1.4 times as fast as float32 on a CPU that supports it, up to 7 times with its matrix units, and slower
    on others; GPUs support it from compute capability 8.0 (NVIDIA's Ampere). XLA is slower than TensorFlow's own kernels on a
    CPU, and gains nothing from bfloat16 there.
    """
    backend = keras.backend.backend()
    gpus = _gpus(backend)
    if gpus:
        names = ", ".join(name for name, _ in gpus)
        precision = "mixed_bfloat16" if min(capability for _, capability in gpus) >= BFLOAT16_CAPABILITY else "float32"
        return Device(backend, "gpu", names, precision, "auto", min(8, os.cpu_count() or 1))
    precision = "mixed_bfloat16" if cpu_has_bfloat16() and backend == "tensorflow" else "float32"
    return Device(backend, "cpu", cpu_name(), precision, False if backend == "tensorflow" else "auto", 1)


def begin_session(seed: int) -> Device:
    """Detect the device, and set Keras' precision and all seeds for a training on it."""
    device = detect()
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(device.precision)
    return device


def describe(device: Device) -> dict[str, Any]:
    """Device and versions for a manifest, as plain data."""
    # TensorFlow has two package names.
    packages = ("keras", device.backend, f"{device.backend}-cpu", "numpy", "onnx", "onnxruntime")
    return {**asdict(device), **software(packages)}


def adam(
    device: Device,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    model: keras.Model,
    *,
    beta_1: float = 0.9,
    weight_decay: float = 0.0,
    averaging: float = 0.0,
) -> keras.optimizers.Adam:
    """Adam with Keras' defaults except for the arguments, built for a model's trainable variables.

    With `weight_decay` it is AdamW, which leaves biases and normalizations alone; with `averaging` it also keeps an average of
    each variable, whose past has that share in each step.

    On a CPU Keras has TensorFlow run its update as a dozen passes over all parameters. TensorFlow's own kernel makes one, which
    on VGG16's head of 9 million parameters makes the whole step 1.7 times as fast.
    """
    optimizer = keras.optimizers.Adam(
        learning_rate,
        beta_1=beta_1,
        weight_decay=weight_decay or None,
        use_ema=averaging > 0,
        ema_momentum=averaging,
    )
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(model.trainable_variables)
    if device.backend == "tensorflow" and device.kind == "cpu":
        # Keras passes the variables too, always those that the optimizer was built for.
        optimizer.apply = lambda gradients, _=None: _apply_in_one_pass(optimizer, gradients)
    return optimizer


def _apply_in_one_pass(optimizer: keras.optimizers.Adam, gradients: list[Any]) -> None:
    import tensorflow as tf  # noqa: PLC0415  Only with this backend.

    # As in Keras' own update: the decay first, the averages last.
    optimizer._apply_weight_decay(optimizer._trainable_variables)
    step = tf.cast(optimizer.iterations.value + 1, tf.float32)
    moments = zip(optimizer._momentums, optimizer._velocities, strict=True)
    for variable, (mean, square), gradient in zip(optimizer._trainable_variables, moments, gradients, strict=True):
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=mean.value.handle,
            v=square.value.handle,
            beta1_power=tf.pow(optimizer.beta_1, step),
            beta2_power=tf.pow(optimizer.beta_2, step),
            lr=optimizer.learning_rate,
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )
    optimizer._update_model_variables_moving_average(optimizer._trainable_variables)
    optimizer.iterations.assign_add(1)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, TensorFlow or JAX means that the device's memory is exhausted."""
    return isinstance(error, MemoryError) or any(
        word in f"{type(error).__name__}: {error}" for word in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM when")
    )


@contextmanager
def within_memory(device: Device, settings: str) -> Iterator[None]:
    """A training that may need more memory than there is, depending on settings such as ``batch_size=32``.

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


def parameter_counts(model: keras.Model) -> dict[str, int]:
    """Numbers of parameters of a network, for a manifest."""
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return {"parameters": model.count_params(), "trainable_parameters": trainable}


def session_facts(device: Device, first_epoch: int, started: float) -> dict[str, Any]:
    """What a training that has ended records of its last session, which started at an epoch and at a `time.monotonic`."""
    return {
        "first_epoch_of_last_session": first_epoch,
        "resume": resume_promise(device, first_epoch),
        "training_duration_s": time.monotonic() - started,
        "peak_memory_bytes": peak_memory_bytes(),
        "device": describe(device),
    }


def resume_promise(device: Device, first_epoch: int) -> str:
    """How closely a resumed run equals an uninterrupted one, as a sentence for the manifest."""
    if first_epoch == 0:
        return "trained in one session"
    if device.backend == "tensorflow" and device.kind == "cpu":
        return (
            "resumed: weights, optimizer, data order, augmentation and all that is drawn or counted as in one session"
        )
    return "resumed: as in one session but for rounding, because this device does not add in a fixed order"


def _gpus(backend: str) -> list[tuple[str, float]]:
    """Name and CUDA compute capability of each GPU that the backend sees; 0 for other makers' GPUs."""
    if backend == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415  Only with this backend.

        details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
        capabilities = [".".join(map(str, entry.get("compute_capability", (0, 0)))) for entry in details]
        return [(entry.get("device_name", "GPU"), float(c)) for entry, c in zip(details, capabilities, strict=True)]
    if backend == "jax":
        import jax  # noqa: PLC0415  Only with this backend.

        gpus = [device for device in jax.devices() if device.platform == "gpu"]
        return [(gpu.device_kind, float(getattr(gpu, "compute_capability", 0))) for gpu in gpus]
    return []
