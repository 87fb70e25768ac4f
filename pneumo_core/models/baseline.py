"""The report's baseline CNN (section 3.1 and figure 3), with the same number of parameters."""

import keras
from keras import layers

from pneumo_core.config.architecture import BASELINE_DENSE, BASELINE_FILTERS


def build_baseline(*, image_size: int = 150, seed: int = 0, bn_momentum: float = 0.99) -> keras.Model:
    """Build the baseline: four blocks of two convolutions, then four dense layers.

    At 150 pixels it has 5,677,329 parameters, of which 5,676,881 are trainable. Rescaling to [0, 1] and gray to three
    channels are layers of it, so it takes gray pixels as they are stored.

    Args:
        image_size: Side of the input, in pixels.
        seed: Seed of the initial weights and of dropout.
        bn_momentum: Momentum of batch normalization's moving statistics (Keras' default is 0.99).

    Returns:
        Model from `(batch, image_size, image_size, 1)` float32 in [0, 255] to `(batch, 1)` float32 logits.
    """
    seeds = iter(range(seed * 1000, seed * 1000 + 1000))  # One seed per layer: equal seeds would give equal kernels.

    def glorot() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(next(seeds))

    def conv(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
        return layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer=glorot(), name=name)(x)

    def dense(x: keras.KerasTensor, units: int, rate: float, name: str) -> keras.KerasTensor:
        x = layers.Dense(units, activation="relu", kernel_initializer=glorot(), name=name)(x)
        return layers.Dropout(rate, seed=next(seeds), name=f"{name}_dropout")(x)

    image = keras.Input((image_size, image_size, 1), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = layers.Concatenate(name="gray_to_rgb")([x, x, x])
    for block, filters in enumerate(BASELINE_FILTERS, start=1):
        x = conv(x, filters, f"block{block}_conv1")
        x = conv(x, filters, f"block{block}_conv2")
        if block > 1:
            x = layers.BatchNormalization(momentum=bn_momentum, name=f"block{block}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, (units, rate) in enumerate(BASELINE_DENSE, start=1):
        x = dense(x, units, rate, f"dense{number}")
    # Logits stay float32 whatever the precision policy: the loss is computed on them.
    logit = layers.Dense(1, dtype="float32", kernel_initializer=glorot(), name="logit")(x)
    return keras.Model(image, logit, name="baseline")
