"""The compact network: five blocks of two convolutions with batch normalization, about a million parameters, ours.

It is a VGG-like chain (Simonyan and Zisserman 2015, arXiv:1409.1556) with batch normalization (Ioffe and Szegedy 2015,
arXiv:1502.03167) and global average pooling in place of large dense layers (Lin et al. 2014, arXiv:1312.4400, section 3.2),
which is where the report's baseline has nine tenths of its parameters. Each image is standardized first, so that its exposure
does not matter.
"""

from itertools import count

import keras
from keras import layers

from pneumo_core.config.architecture import COMPACT_DROPOUT, COMPACT_FILTERS


def build_compact(*, image_size: int = 96, seed: int = 0, bn_momentum: float = 0.9) -> keras.Model:
    """Build the compact network; at any image size it has the same number of parameters.

    The seed is that of the initial weights and of dropout; the momentum that of batch normalization's moving statistics.

    Returns:
        Model from `(batch, image_size, image_size, 1)` float32 in [0, 255] to `(batch, 1)` float32 logits.
    """
    seeds = count(seed * 1000)  # One seed per layer: equal seeds would give equal kernels.
    image = keras.Input((image_size, image_size, 1), name="image")
    # In float32 whatever the precision policy: bfloat16 has too few digits for gray levels.
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, dtype="float32", name="standardize")(image)
    for block, filters in enumerate(COMPACT_FILTERS, start=1):
        for number in (1, 2):
            kernel = keras.initializers.HeNormal(next(seeds))
            x = layers.Conv2D(
                filters, 3, padding="same", use_bias=False, kernel_initializer=kernel, name=f"block{block}_conv{number}"
            )(x)
            x = layers.BatchNormalization(momentum=bn_momentum, name=f"block{block}_bn{number}")(x)
            x = layers.ReLU(name=f"block{block}_relu{number}")(x)
        if block < len(COMPACT_FILTERS):
            x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(COMPACT_DROPOUT, seed=next(seeds), name="dropout")(x)
    kernel = keras.initializers.GlorotUniform(next(seeds))
    logit = layers.Dense(1, dtype="float32", kernel_initializer=kernel, name="logit")(x)
    return keras.Model(image, logit, name="compact")
