"""The report's baseline CNN (section 3.1 and figure 3), with the same number of parameters."""

from collections.abc import Iterator, Sequence
from itertools import count

import keras
from keras import layers

from pneumo_core.config.architecture import BASELINE_DENSE, BASELINE_FILTERS


def build_baseline(*, image_size: int = 150, seed: int = 0, bn_momentum: float = 0.99) -> keras.Model:
    """Build the baseline: four blocks of two convolutions, then four dense layers.

    At 150 pixels it has 5,677,329 parameters, of which 5,676,881 are trainable. Rescaling to [0, 1] and gray to three
    channels are layers of it, so it takes gray pixels as they are stored. The seed is that of the initial weights and of
    dropout; the momentum that of batch normalization's moving statistics (0.99 is Keras' default).

    Returns:
        Model from `(batch, image_size, image_size, 1)` float32 in [0, 255] to `(batch, 1)` float32 logits.
    """
    seeds = count(seed * 1000)  # One seed per layer: equal seeds would give equal kernels.

    def conv(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        kernel = keras.initializers.GlorotUniform(next(seeds))
        return layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=kernel, name=name)(x)

    image = keras.Input((image_size, image_size, 1), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = layers.Concatenate(name="gray_to_rgb")([x, x, x])
    for block, filters in enumerate(BASELINE_FILTERS, start=1):
        x = conv(x, filters, f"block{block}_conv1")
        x = conv(x, filters, f"block{block}_conv2")
        if block > 1:
            x = layers.BatchNormalization(momentum=bn_momentum, name=f"block{block}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(image, classifier_head(x, BASELINE_DENSE, seeds), name="baseline")


def classifier_head(
    x: keras.KerasTensor, dense: Sequence[tuple[int, float]], seeds: Iterator[int], dtype: str | None = None
) -> keras.KerasTensor:
    """Dense layers of so many units with dropout of a rate each, from the last block's maps to the logit `(batch, 1)`."""
    x = layers.Flatten(name="flatten")(x)
    for number, (units, rate) in enumerate(dense, start=1):
        kernel, name = keras.initializers.GlorotUniform(next(seeds)), f"dense{number}"
        x = layers.Dense(units, activation="relu", kernel_initializer=kernel, dtype=dtype, name=name)(x)
        x = layers.Dropout(rate, seed=next(seeds), dtype=dtype, name=f"{name}_dropout")(x)
    kernel = keras.initializers.GlorotUniform(next(seeds))
    # Logits stay float32 whatever the precision policy: the loss is computed on them.
    return layers.Dense(1, dtype="float32", kernel_initializer=kernel, name="logit")(x)
