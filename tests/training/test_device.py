"""The device: what is known of it, the precision that suits it, its Adam, and how it says that its memory is full."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf

from pneumo_core.config.hardware import peak_memory_bytes
from pneumo_core.errors import TrainingError
from pneumo_core.training.device import Device, adam, describe, detect, out_of_memory


def test_this_machine() -> None:
    device = detect()
    assert device.backend == keras.backend.backend()
    assert device.kind == ("gpu" if any("gpu" in name.lower() for name in keras.distribution.list_devices()) else "cpu")
    assert device.name
    # A policy that Keras knows: anything else would fail when the run starts.
    assert keras.DTypePolicy(device.precision).variable_dtype == "float32"


@pytest.mark.parametrize(
    ("flags", "limit", "precision"),
    [
        ("fpu sse avx512f avx512_bf16", None, "mixed_bfloat16"),
        ("fpu amx_bf16", None, "mixed_bfloat16"),
        ("fpu amx_bf16", "avx512_core_amx", "mixed_bfloat16"),
        ("fpu amx_bf16 avx512_bf16", "AVX2", "float32"),
        ("fpu amx_bf16 avx512_bf16", "AVX512_CORE", "float32"),
        ("fpu sse avx2 avx512f", None, "float32"),
        ("", None, "float32"),
    ],
)
def test_bfloat16_only_where_the_cpu_computes_in_it(
    monkeypatch: pytest.MonkeyPatch, flags: str, limit: str | None, precision: str
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    monkeypatch.setattr(
        "pneumo_core.config.hardware._cpu_facts", lambda: f"model name\t: Some CPU @ 2 GHz\nflags\t: {flags}\n"
    )
    monkeypatch.setattr("pneumo_core.training.device._gpus", lambda _: [])
    device = detect()
    assert (device.kind, device.precision, device.name) == ("cpu", precision, "Some CPU @ 2 GHz")
    assert device.threads == 1
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


def test_an_unknown_version_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU machine TensorFlow is installed under its own name, and there is no tensorflow-cpu."""

    def only_tensorflow(package: str) -> str:
        if package == "tensorflow-cpu":
            raise PackageNotFoundError(package)
        return "2.21.0" if package == "tensorflow" else version(package)

    monkeypatch.setattr("pneumo_core.config.hardware.version", only_tensorflow)
    names = set(describe(Device("tensorflow", "gpu", "x", "float32", "auto", 1))["versions"])
    assert names == {"keras", "tensorflow", "numpy", "onnx", "onnxruntime"}


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


# --- Adam -------------------------------------------------------------------------------------------------------------


def small_model() -> keras.Model:
    """Two layers and one that is frozen, as in VGG16."""

    def dense(units: int, seed: int) -> keras.layers.Dense:
        kernel = keras.initializers.GlorotUniform(seed)
        return keras.layers.Dense(units, "tanh", kernel_initializer=kernel, trainable=seed > 1, name=f"dense{seed}")

    image = keras.Input((6,))
    return keras.Model(image, dense(1, 3)(dense(4, 2)(dense(5, 1)(image))))


def trained_by(make: Callable[[keras.Model], keras.optimizers.Optimizer]) -> tuple[keras.Model, list[np.ndarray]]:
    """A model after five steps, the last two at a lowered rate, and its weights after each."""
    model = small_model()
    model.compile(make(model), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    rng = np.random.default_rng(0)
    history = []
    for step in range(5):
        if step == 3:
            model.optimizer.learning_rate = 0.004  # As ReduceLROnPlateau does.
        x = rng.normal(size=(8, 6)).astype(np.float32)
        model.train_on_batch(x, (x[:, :1] > 0).astype(np.float32))
        history.append(np.concatenate([weights.ravel() for weights in model.get_weights()]))
    return model, history


@pytest.mark.parametrize(
    ("own", "keras_own"),
    [({}, {}), ({"weight_decay": 0.5, "averaging": 0.8}, {"weight_decay": 0.5, "use_ema": True, "ema_momentum": 0.8})],
    ids=["plain", "decay and averages"],
)
def test_the_fused_update_is_adam_s(own: dict, keras_own: dict) -> None:
    def reference(_: keras.Model) -> keras.optimizers.Optimizer:
        optimizer = keras.optimizers.Adam(0.02, **keras_own)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer

    on_cpu = replace(detect(), backend="tensorflow", kind="cpu")
    ours, received = trained_by(lambda model: adam(on_cpu, 0.02, model, **own))
    theirs, expected = trained_by(reference)
    assert "apply" in vars(ours.optimizer)
    for a, b in zip(received, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    assert np.abs(expected[-1] - expected[0]).max() > 0.01
    # The state as well, which a backup keeps.
    assert len(ours.optimizer.variables) == len(theirs.optimizer.variables)
    for a, b in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        assert a.name == b.name
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_decay_leaves_biases_alone_and_averages_follow_the_weights() -> None:
    plain, _ = trained_by(lambda model: adam(detect(), 0.0, model, averaging=0.8))

    def decaying(model: keras.Model) -> keras.optimizers.Optimizer:
        for variable in model.trainable_variables:
            variable.assign(np.ones(variable.shape))
        return adam(detect(), 0.004, model, weight_decay=100.0)  # Each step leaves 60 % of what decays.

    decayed, _ = trained_by(decaying)
    for variable in decayed.trainable_variables:
        # Adam itself moves each by at most about its rate a step.
        remaining = 0.6**5 if variable.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(variable.numpy(), remaining, atol=0.03, err_msg=variable.path)
    for variable, average in zip(
        plain.optimizer._trainable_variables, plain.optimizer._model_variables_moving_average, strict=True
    ):
        # The rate was 0 for three steps; the averages began at the first weights, not at 0.
        np.testing.assert_allclose(average.numpy(), variable.numpy(), atol=0.02)


def test_elsewhere_it_is_keras_own() -> None:
    for device in (replace(detect(), kind="gpu"), replace(detect(), backend="jax", kind="cpu")):
        optimizer = adam(device, 0.02, small_model())
        assert type(optimizer) is keras.optimizers.Adam
        assert "apply" not in vars(optimizer)


# --- Memory -----------------------------------------------------------------------------------------------------------


def test_exhausted_memory_is_recognised() -> None:
    with pytest.raises(MemoryError) as caught:
        np.ones((2**30, 2**20))  # 8 PB
    assert out_of_memory(caught.value)
    # TensorFlow tries again for ten seconds before it raises this one.
    assert out_of_memory(tf.errors.ResourceExhaustedError(None, None, "failed to allocate memory"))
    assert out_of_memory(tf.errors.InternalError(None, None, "RESOURCE_EXHAUSTED: failed to allocate memory"))


def test_other_words_for_it_are_recognised() -> None:
    """What XLA says, where the type says nothing; tests/training/test_backends.py has JAX's own."""
    assert out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes."))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("shapes differ"),
        TrainingError("the loss must stay finite. Received: nan"),
        tf.errors.InvalidArgumentError(None, None, "shapes differ"),
    ],
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not out_of_memory(error)
