"""The DCGAN's two networks (Radford 2016, arXiv:1511.06434, section 3), for one-channel X-rays."""

from itertools import count
from math import log2
from typing import Any, Final

import keras
from keras import layers, ops

_SMALLEST: Final = 4
"""Side of the first maps (Radford 2016, figure 1)."""

_WIDEST: Final = 8
"""Maximum multiple of the base filters in a block: 512 of 64, as between 4 and 64 pixels."""


def build_generator(*, image_size: int, latent_dim: int, filters: int, seed: int) -> keras.Model:
    """Build the generator: a dense layer to 4 x 4 maps, then doublings by transposed convolutions down to one channel.

    Kernels are 4 x 4, not the paper's 5 x 5: a kernel whose side the stride divides draws no checkerboard (Odena 2016,
    doi:10.23915/distill.00003). The last hidden block has `filters`; the side is 4 times a power of 2, in pixels.

    Returns:
        Model from `(batch, latent_dim)` float32 latents to `(batch, image_size, image_size, 1)` float32 gray pixels in
        [0, 255].
    """
    seeds = count(seed * 1000)  # One seed per layer: equal seeds would give equal kernels.
    doublings = int(log2(image_size // _SMALLEST))
    widths = [filters * min(_WIDEST, 2**step) for step in range(doublings - 1, -1, -1)]
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(
        _SMALLEST * _SMALLEST * widths[0], use_bias=False, kernel_initializer=_normal(next(seeds)), name="dense"
    )(latents)
    x = layers.Reshape((_SMALLEST, _SMALLEST, widths[0]), name="maps")(x)
    x = _normalized(x, "block0", next(seeds))
    for block, width in enumerate(widths[1:], start=1):
        conv = layers.Conv2DTranspose(
            width, 4, 2, "same", use_bias=False, kernel_initializer=_normal(next(seeds)), name=f"block{block}_conv"
        )
        x = _normalized(conv(x), f"block{block}", next(seeds))
    conv = layers.Conv2DTranspose(1, 4, 2, "same", kernel_initializer=_normal(next(seeds)), name="image_conv")
    x = layers.Activation("tanh", dtype="float32", name="image_tanh")(conv(x))
    image = layers.Rescaling(127.5, 127.5, dtype="float32", name="pixels")(x)
    return keras.Model(latents, image, name="generator")


def build_discriminator(*, image_size: int, filters: int, spectral_norm: bool, seed: int) -> keras.Model:
    """Build the discriminator: the generator's mirror image, of strided convolutions with leaky ReLU.

    Without spectrally normalized kernels, all maps but the first are batch-normalized. The first block has `filters`.

    Returns:
        Model from `(batch, image_size, image_size, 1)` gray pixels in [0, 255] to `(batch, 1)` float32 logits, positive for
        real.
    """
    seeds = count(seed * 1000 + 500)
    kind = SpectralConv2D if spectral_norm else layers.Conv2D
    image = keras.Input((image_size, image_size, 1), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="rescale")(image)
    for block in range(int(log2(image_size // _SMALLEST))):
        has_norm = block > 0 and not spectral_norm
        x = kind(
            filters * min(_WIDEST, 2**block),
            4,
            2,
            "same",
            use_bias=not has_norm,
            kernel_initializer=_normal(next(seeds)),
            name=f"block{block}_conv",
        )(x)
        if has_norm:
            x = _batch_norm(f"block{block}_bn", next(seeds))(x)
        x = layers.LeakyReLU(0.2, name=f"block{block}_relu")(x)
    # All of the last maps at once, as a convolution: it is normalized like the others.
    x = kind(1, _SMALLEST, kernel_initializer=_normal(next(seeds)), name="logit_conv")(x)
    logit = layers.Reshape((1,), dtype="float32", name="logit")(x)
    return keras.Model(image, logit, name="discriminator")


class SpectralConv2D(layers.Conv2D):
    """A convolution whose kernel is divided by its largest singular value (Miyato 2018, arXiv:1802.05957, section 2.1).

    The value is tracked by one step of power iteration per training call; gradients flow through the division, as in the
    paper. Keras' own SpectralNormalization overwrites the kernel instead, which is another method.
    """

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Create the kernel and the direction of its largest singular value, `(filters,)`."""
        super().build(input_shape)
        self.direction = self.add_weight(
            name="direction",
            shape=(self.filters,),
            initializer=keras.initializers.RandomNormal(seed=self.filters),
            trainable=False,
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Convolve `(batch, height, width, channels)` with the normalized kernel."""
        matrix = ops.reshape(ops.cast(self.kernel, "float32"), (-1, self.filters))
        fixed = ops.stop_gradient(matrix)
        left = _unit(ops.matmul(fixed, ops.cast(self.direction, "float32")))
        right = _unit(ops.matmul(left, fixed))
        if training:
            self.direction.assign(right)
        sigma = ops.sum(left * ops.matmul(matrix, right))
        outputs = self.convolution_op(inputs, self.kernel / ops.cast(sigma, self.kernel.dtype))
        return outputs if self.bias is None else outputs + self.bias


def _unit(vector: Any) -> Any:
    return vector / (ops.norm(vector) + 1e-12)


def _normal(seed: int) -> keras.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02, seed)  # Radford 2016, section 4.


def _batch_norm(name: str, seed: int) -> keras.Layer:
    # Momentum 0.9: a run has some thousand steps, and samples are drawn with the moving statistics.
    return layers.BatchNormalization(
        momentum=0.9, gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02, seed), name=name
    )


def _normalized(x: Any, block: str, seed: int) -> Any:
    return layers.ReLU(name=f"{block}_relu")(_batch_norm(f"{block}_bn", seed)(x))
