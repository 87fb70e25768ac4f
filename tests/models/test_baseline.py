from collections import Counter

import keras
import numpy as np
import pytest

from pneumo_core.config.architecture import LAST_BLOCK, baseline_layers
from pneumo_core.models.baseline import build_baseline
from pneumo_core.records import Architecture

# The report's section 3.1 and its figure 3.
TOTAL, TRAINABLE, FIXED = 5_677_329, 5_676_881, 448


def sizes(variables: list) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.fixture(scope="module")
def baseline() -> keras.Model:
    return build_baseline()


def test_parameters_are_the_report_s(baseline: keras.Model) -> None:
    assert baseline.count_params() == TOTAL
    assert sizes(baseline.trainable_variables) == TRAINABLE
    # Dropout's seed states are variables too, but no parameters.
    fixed = [variable for variable in baseline.non_trainable_variables if variable.dtype == "float32"]
    assert sizes(fixed) == FIXED


def test_layers_are_the_ones_that_pages_draw(baseline: keras.Model) -> None:
    drawn = baseline_layers()
    assert [layer.name for layer in drawn] == [layer.name for layer in baseline.layers]
    for spec, layer in zip(drawn, baseline.layers, strict=True):
        assert spec.kind == type(layer).__name__, spec.name
        assert spec.output_shape == layer.output.shape[1:], spec.name
        assert spec.trainable == sizes(layer.trainable_variables), spec.name
        assert spec.trainable + spec.fixed == layer.count_params(), spec.name


@pytest.mark.parametrize("size", [32, 64, 150, 227])
def test_drawn_shapes_follow_the_image_size(size: int) -> None:
    model = build_baseline(image_size=size)
    assert [layer.output_shape for layer in baseline_layers(size)] == [layer.output.shape[1:] for layer in model.layers]
    assert sum(layer.trainable + layer.fixed for layer in baseline_layers(size)) == model.count_params()


def test_order_within_blocks_and_rates(baseline: keras.Model) -> None:
    kinds = Counter(type(layer).__name__ for layer in baseline.layers)
    assert (kinds["Conv2D"], kinds["MaxPooling2D"], kinds["BatchNormalization"]) == (8, 4, 3)
    assert [layer.rate for layer in baseline.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.3, 0.2]
    names = [layer.name for layer in baseline.layers]
    last = names.index(LAST_BLOCK[Architecture.BASELINE])
    assert names[last - 1 : last + 2] == ["block4_conv2", "block4_bn", "block4_pool"]


def test_takes_gray_pixels_as_they_are_stored(baseline: keras.Model) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 1)).astype(np.float32)
    inside = keras.Model(baseline.input, baseline.get_layer("gray_to_rgb").output)
    expected = np.repeat(pixels / np.float32(255), 3, axis=-1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(inside(pixels)), expected, rtol=1e-6)


def test_logit_is_float32_and_unbounded_under_mixed_precision() -> None:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_baseline(image_size=32)
    finally:
        keras.config.set_dtype_policy(previous)
    assert model.output.dtype == "float32"
    assert model.get_layer("block1_conv1").compute_dtype == "bfloat16"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert model.get_layer("logit").activation is keras.activations.linear


def test_seed_decides_the_weights_and_no_two_layers_share_them() -> None:
    first, again, other = (build_baseline(image_size=32, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    # Kernels differ between seeds, and between the layers of one model whatever their shapes.
    kernels = [weights.ravel()[:9] for weights in first if weights.ndim > 1]
    assert all(
        not np.array_equal(a, b.ravel()[:9]) for a, b in zip(kernels, [w for w in other if w.ndim > 1], strict=True)
    )
    scaled = {tuple(np.round(kernel / np.abs(kernel).max(), 4)) for kernel in kernels}
    assert len(scaled) == len(kernels) == 12


def test_momentum_reaches_every_normalization() -> None:
    model = build_baseline(image_size=32, bn_momentum=0.7)
    found = [layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert found == [0.7, 0.7, 0.7]
