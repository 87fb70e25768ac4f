from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from pneumo_core.models.dcgan import SpectralConv2D, build_discriminator, build_generator

# Maps that each block gives, by hand from Radford 2016, figure 1: widths halve as sides double, at most 8 times the filters.
WIDTHS = {64: (8, 4, 2, 1), 128: (8, 8, 4, 2, 1)}
SIZES = tuple(WIDTHS)


def array(tensor: object) -> NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def size(variables: list[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize("image_size", SIZES)
def test_generator_s_shapes_range_and_parameters(image_size: int) -> None:
    generator = build_generator(image_size=image_size, latent_dim=7, filters=4, seed=0)
    widths = [4 * multiple for multiple in WIDTHS[image_size]]
    trainable, fixed = 7 * 16 * widths[0], 0
    for incoming, outgoing in pairwise(widths):
        trainable += 16 * incoming * outgoing
    trainable += 16 * widths[-1] * 1 + 1  # The last convolution alone has a bias.
    trainable, fixed = trainable + 2 * sum(widths), 2 * sum(widths)  # Each block is normalized.
    assert size(generator.trainable_variables) == trainable
    assert size(generator.non_trainable_variables) == fixed

    latents = 1e8 * np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)
    image = array(generator(latents, training=False))
    assert image.shape == (3, image_size, image_size, 1)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert image.max() <= 255
    assert image.min() < 20
    assert image.max() > 235
    sides = [layer.output.shape[1] for layer in generator.layers if isinstance(layer, keras.layers.Conv2DTranspose)]
    assert sides == [8 * 2**block for block in range(len(WIDTHS[image_size]))]


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("image_size", SIZES)
def test_discriminator_s_shapes_and_parameters(image_size: int, spectral_norm: bool) -> None:
    discriminator = build_discriminator(image_size=image_size, filters=4, spectral_norm=spectral_norm, seed=0)
    widths = [4 * multiple for multiple in reversed(WIDTHS[image_size])]
    kernels = sum(16 * a * b for a, b in zip([1, *widths], [*widths, 1], strict=True))
    biases = sum(widths) + 1 if spectral_norm else widths[0] + 1  # A normalization has an offset of its own.
    norms = 0 if spectral_norm else 2 * sum(widths[1:])
    assert size(discriminator.trainable_variables) == kernels + biases + norms
    # Besides what is learned: a direction a kernel, or moving statistics.
    assert size(discriminator.non_trainable_variables) == (sum(widths) + 1 if spectral_norm else norms)

    image = np.random.default_rng(0).uniform(0, 255, (3, image_size, image_size, 1)).astype(np.float32)
    logit = array(discriminator(image, training=False))
    assert logit.shape == (3, 1)
    assert logit.dtype == np.float32
    assert len(set(logit.ravel().tolist())) == 3
    assert len([layer for layer in discriminator.layers if isinstance(layer, SpectralConv2D)]) == (
        len(widths) + 1 if spectral_norm else 0
    )


@pytest.mark.bfloat16
def test_images_and_logits_are_float32_under_mixed_precision() -> None:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = build_generator(image_size=64, latent_dim=7, filters=4, seed=0)
        discriminator = build_discriminator(image_size=64, filters=4, spectral_norm=True, seed=0)
        image = generator(np.zeros((1, 7), np.float32), training=False)
        logit = discriminator(image, training=True)
    finally:
        keras.config.set_dtype_policy(previous)
    assert (generator.output.dtype, discriminator.output.dtype) == ("float32", "float32")
    assert np.isfinite(array(image)).all()
    assert np.isfinite(array(logit)).all()
    assert generator.get_layer("block1_conv").compute_dtype == "bfloat16"
    assert {variable.dtype for variable in generator.trainable_variables} == {"float32"}


# --- Initial weights --------------------------------------------------------------------------------------------------


def kernels(model: keras.Model) -> list[NDArray[np.float32]]:
    return [array(variable) for variable in model.trainable_variables if variable.path.endswith("/kernel")]


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_initial_weights_are_radford_s(network: str) -> None:
    model = (
        build_generator(image_size=64, latent_dim=32, filters=16, seed=5)
        if network == "generator"
        else build_discriminator(image_size=64, filters=16, spectral_norm=False, seed=5)
    )
    found = kernels(model)
    assert len(found) == 5
    for kernel in found:
        # Five standard errors of a normal distribution's mean and of its standard deviation.
        assert abs(kernel.mean()) < 5 * 0.02 / np.sqrt(kernel.size)
        assert abs(kernel.std() - 0.02) < 5 * 0.02 / np.sqrt(2 * kernel.size)
    gammas = np.concatenate([array(v) for v in model.trainable_variables if v.path.endswith("/gamma")])
    assert abs(gammas.mean() - 1) < 5 * 0.02 / np.sqrt(gammas.size)
    assert abs(gammas.std() - 0.02) < 5 * 0.02 / np.sqrt(2 * gammas.size)
    assert not any(array(v).any() for v in model.trainable_variables if v.path.endswith(("/beta", "/bias")))


def test_seed_decides_the_weights_and_no_two_layers_share_them() -> None:
    first, again, other = (
        [
            *kernels(build_generator(image_size=128, latent_dim=8, filters=4, seed=seed)),
            *kernels(build_discriminator(image_size=128, filters=4, spectral_norm=True, seed=seed)),
        ]
        for seed in (3, 3, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    starts = [tuple(kernel.ravel()[:8]) for kernel in [*first, *other]]
    assert len(starts) == len(set(starts)) == 24


# --- Spectral normalization -------------------------------------------------------------------------------------------


@pytest.fixture
def conv() -> SpectralConv2D:
    """A built layer of 12 filters and a kernel of no particular scale."""
    keras.utils.set_random_seed(0)
    layer = SpectralConv2D(12, 4, 2, "same", bias_initializer="normal")
    layer.build((None, 8, 8, 3))
    layer.kernel.assign(np.random.default_rng(2).normal(0, 0.5, (4, 4, 3, 12)))
    return layer


def picture() -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(size=(2, 8, 8, 3)).astype(np.float32)


def largest(kernel: NDArray[np.float32]) -> float:
    return float(np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]).astype(np.float64), compute_uv=False)[0])


def plain(kernel: NDArray[np.float64], bias: NDArray[np.float32]) -> NDArray[np.float64]:
    """The layer's convolution, written out: stride 2, an edge of one zero."""
    padded = np.pad(picture().astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((2, 4, 4, kernel.shape[-1]))
    for row in range(4):
        for column in range(4):
            window = padded[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4]
            out[:, row, column] = np.einsum("nijc,ijcf->nf", window, kernel) + bias
    return out


def test_kernel_is_divided_by_its_largest_singular_value_and_stays_itself(conv: SpectralConv2D) -> None:
    before = array(conv.kernel).copy()
    for _ in range(200):
        conv(picture(), training=True)
    np.testing.assert_array_equal(array(conv.kernel), before)
    expected = plain(before / largest(before), array(conv.bias))
    np.testing.assert_allclose(array(conv(picture(), training=False)), expected, atol=1e-5)
    # The direction is that singular value's own, up to its sign.
    right = np.linalg.svd(before.reshape(-1, 12).astype(np.float64))[2][0]
    assert abs(array(conv.direction) @ right) == pytest.approx(1, abs=1e-5)


def test_a_training_call_takes_one_step_of_power_iteration_and_another_none(conv: SpectralConv2D) -> None:
    matrix = array(conv.kernel).reshape(-1, 12).astype(np.float64)
    start = array(conv.direction).astype(np.float64)
    conv(picture(), training=False)
    np.testing.assert_array_equal(array(conv.direction), start.astype(np.float32))
    conv(picture(), training=True)
    step = matrix.T @ (matrix @ start)
    np.testing.assert_allclose(array(conv.direction), step / np.linalg.norm(step), atol=1e-6)


def test_gradients_flow_through_the_division(conv: SpectralConv2D) -> None:
    for _ in range(200):
        conv(picture(), training=True)
    kernel, bias = array(conv.kernel).astype(np.float64), array(conv.bias)
    ahead = np.random.default_rng(4).normal(size=(2, 4, 4, 12))

    def loss(kernel: NDArray[np.float64]) -> float:
        return float((ahead * plain(kernel / largest(kernel), bias)).sum())

    with tf.GradientTape() as tape:
        value = tf.reduce_sum(conv(picture(), training=False) * tf.constant(ahead, tf.float32))
    received = tape.gradient(value, conv.kernel.value).numpy()
    assert float(value) == pytest.approx(loss(kernel), rel=1e-4)
    for place in [(0, 0, 0, 0), (1, 2, 0, 5), (3, 3, 2, 11), (2, 1, 1, 7)]:
        step = np.zeros_like(kernel)
        step[place] = 1e-4
        slope = (loss(kernel + step) - loss(kernel - step)) / 2e-4
        assert received[place] == pytest.approx(slope, rel=1e-3, abs=1e-3)
    # The output does not depend on the kernel's length, so no gradient points along it.
    assert abs((received * kernel).sum()) < 1e-3 * np.linalg.norm(received) * np.linalg.norm(kernel)
