"""The compact network: its size, its layers, and that exposure does not reach it."""

import keras
import numpy as np
import pytest

from pneumo_core.config.architecture import LAST_BLOCK, compact_layers
from pneumo_core.models.compact import build_compact
from pneumo_core.records import Architecture
from tests.models.test_baseline import sizes


@pytest.fixture(scope="module")
def compact() -> keras.Model:
    return build_compact()


@pytest.mark.parametrize("size", [32, 96, 150])
def test_about_a_million_parameters_at_any_size(size: int) -> None:
    model = build_compact(image_size=size)
    assert model.count_params() == 976_025
    assert sizes(model.trainable_variables) == 976_025 - 2 * 2 * (24 + 48 + 96 + 128 + 192)


@pytest.mark.parametrize("size", [33, 96])
def test_layers_are_the_ones_that_pages_draw(size: int) -> None:
    model = build_compact(image_size=size)
    drawn = compact_layers(size)
    assert [layer.name for layer in drawn] == [layer.name for layer in model.layers]
    for spec, layer in zip(drawn, model.layers, strict=True):
        assert spec.kind == type(layer).__name__, spec.name
        assert spec.output_shape == layer.output.shape[1:], spec.name
        assert spec.trainable == sizes(layer.trainable_variables), spec.name
        assert spec.trainable + spec.fixed == layer.count_params(), spec.name


def test_the_layer_of_grad_cam_is_the_last_before_pooling(compact: keras.Model) -> None:
    names = [layer.name for layer in compact.layers]
    assert names[names.index(LAST_BLOCK[Architecture.COMPACT]) + 1] == "pool"


def test_exposure_does_not_matter(compact: keras.Model) -> None:
    pixels = np.random.default_rng(0).uniform(60, 180, (3, 96, 96, 1)).astype(np.float32)
    logits = keras.ops.convert_to_numpy(compact(pixels))
    brighter = keras.ops.convert_to_numpy(compact(pixels * 1.2 + 10))
    np.testing.assert_allclose(brighter, logits, atol=1e-4)


def test_a_blank_image_has_a_logit(compact: keras.Model) -> None:
    assert np.isfinite(keras.ops.convert_to_numpy(compact(np.zeros((1, 96, 96, 1), np.float32)))).all()


def test_seed_decides_the_weights() -> None:
    first, again, other = (build_compact(image_size=32, seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
