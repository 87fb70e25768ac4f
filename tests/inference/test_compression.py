"""Compressed weights: which form fits, what becomes of them, and that nothing is left to do at an image."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pneumo_core.errors import CorruptError, RunError
from pneumo_core.inference import compression
from pneumo_core.inference.compression import compressed, restored, to_float16, to_integers
from pneumo_core.inference.session import load_runtime

_CHANNELS, _FEATURES = 32, 40


@pytest.fixture(autouse=True)
def small_matrices_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_MATRIX", 1024)


@pytest.fixture(scope="module")
def weights() -> dict[str, NDArray[np.float32]]:
    """A kernel whose channels differ in size by a factor of a hundred, one of them 0, and a dense layer's matrix."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(0, 1, (_CHANNELS, 8, 3, 3)) * np.geomspace(0.01, 1, _CHANNELS)[:, None, None, None]
    kernel[3] = 0
    dense = rng.normal(0, 1, (_CHANNELS, _FEATURES))
    bias = rng.normal(0, 1, _CHANNELS)
    return {name: one.astype(np.float32) for name, one in (("kernel", kernel), ("dense", dense), ("bias", bias))}


@pytest.fixture(scope="module")
def model(weights: dict[str, NDArray[np.float32]]) -> bytes:
    """A convolution, the means of its maps, and a dense layer."""
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel", "bias"], ["maps"], "conv"),
            helper.make_node("GlobalAveragePool", ["maps"], ["means"], "means"),
            helper.make_node("Flatten", ["means"], ["flat"], "flat"),
            helper.make_node("MatMul", ["flat", "dense"], ["out"], "dense"),
        ],
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", 8, 6, 6))],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ("batch", _FEATURES))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(whole.SerializeToString())


def kinds(model: bytes) -> dict[str, str]:
    """Types of the stored tensors by name."""
    stored = onnx.load_from_string(model).graph.initializer
    return {tensor.name: numpy_helper.to_array(tensor).dtype.name for tensor in stored}


def test_the_first_form_that_fits_is_taken(model: bytes) -> None:
    half, integers = to_float16(model), to_float16(to_integers(model))
    assert len(integers) < len(half) < len(model)
    assert compressed(model, len(half)).stored_as == "float16"
    assert compressed(model, len(half)).model == half
    assert compressed(model, len(half) - 1).stored_as == "integers of 12 and 8 bits"
    assert compressed(model, len(half) - 1).model == integers
    with pytest.raises(RunError, match=rf"at most {len(integers) - 1:,} bytes\. Received: {len(half):,} bytes"):
        compressed(model, len(integers) - 1)


def test_large_weights_are_bytes_with_their_scales_and_small_ones_stay(model: bytes) -> None:
    assert kinds(to_float16(to_integers(model))) == {
        "kernel/upper": "int8",
        "kernel/pairs": "uint8",
        "kernel/scale": "float32",
        "dense/levels": "int8",
        "dense/scale": "float32",
        "bias": "float32",
        "nibble": "float32",
        "four": "uint8",
    }


def test_a_matrix_that_takes_little_space_is_left_to_float16(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_MATRIX", _CHANNELS * _FEATURES + 1)
    assert kinds(to_float16(to_integers(model)))["dense_float16"] == "float16"


@pytest.mark.parametrize(("name", "axes", "largest"), [("kernel", (1, 2, 3), 2047), ("dense", (1,), 127)])
def test_each_weight_is_within_half_a_step_when_it_is_loaded(
    model: bytes,
    weights: dict[str, NDArray[np.float32]],
    name: str,
    axes: tuple[int, ...],
    largest: int,
) -> None:
    small = onnx.load_from_string(to_integers(model))
    small.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, weights[name].shape))
    runtime = load_runtime(small.SerializeToString(), onnxruntime.SessionOptions())
    (loaded,) = runtime.run([name], {"image": np.zeros((1, 8, 6, 6), np.float32)})
    step = np.abs(weights[name]).max(axis=axes, keepdims=True) / largest
    difference = np.abs(loaded - weights[name])
    assert (difference <= step * (0.5 + 1e-4)).all()
    assert (difference.max(axis=axes, keepdims=True) > step / 4)[step > 0].all()


@pytest.mark.parametrize("form", [to_float16, to_integers])
def test_restored_it_is_the_model_that_is_loaded(model: bytes, form: Callable[[bytes], bytes]) -> None:
    whole = restored(form(model))
    assert kinds(whole.SerializeToString()) == dict.fromkeys(("kernel", "dense", "bias"), "float32")
    assert [node.op_type for node in whole.graph.node] == ["Conv", "GlobalAveragePool", "Flatten", "MatMul"]
    images = np.random.default_rng(1).normal(0, 1, (4, 8, 6, 6)).astype(np.float32)
    both = [load_runtime(one, onnxruntime.SessionOptions()) for one in (form(model), whole.SerializeToString())]
    loaded, again = (runtime.run(None, {"image": images})[0] for runtime in both)
    np.testing.assert_allclose(again, loaded, rtol=1e-5, atol=1e-5)  # Sums of 72 float32 products.


def test_a_kernel_of_an_odd_number_of_inputs_is_left_to_float16() -> None:
    kernel = np.random.default_rng(0).normal(0, 1, (64, 3, 3, 3)).astype(np.float32)
    image, out = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", channels, 6, 6))
        for name, channels in (("image", 3), ("out", 64))
    )
    conv = helper.make_node("Conv", ["image", "kernel"], ["out"], pads=[1, 1, 1, 1])
    graph = helper.make_graph([conv], "odd", [image], [out], [numpy_helper.from_array(kernel, "kernel")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert kinds(to_float16(to_integers(model.SerializeToString())))["kernel_float16"] == "float16"


def test_answers_are_float32_and_close(model: bytes) -> None:
    images = np.random.default_rng(1).normal(0, 1, (4, 8, 6, 6)).astype(np.float32)
    runtimes = [load_runtime(one, onnxruntime.SessionOptions()) for one in (model, to_float16(to_integers(model)))]
    full, small = (runtime.run(None, {"image": images})[0] for runtime in runtimes)
    assert small.dtype == np.float32
    difference = np.abs(small - full).max()
    assert 0 < difference < 0.02 * np.abs(full).max()


@pytest.mark.parametrize("form", [to_float16, to_integers])
def test_nothing_is_converted_at_an_image(model: bytes, form: Callable[[bytes], bytes], tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    load_runtime(form(model), options)
    loaded = onnx.load(tmp_path / "loaded.onnx").graph
    assert {node.op_type for node in loaded.node} <= {"Conv", "GlobalAveragePool", "Flatten", "MatMul"}
    assert {numpy_helper.to_array(one).dtype.name for one in loaded.initializer} <= {"float32", "int64"}


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(CorruptError, match="must be an ONNX model"):
        to_integers(b"not a model")
