"""The report's VGG16 transfer model (section 4), with the same number of parameters, and its ImageNet weights."""

from itertools import count
from pathlib import Path

import keras
from keras import layers

from pneumo_core.config.architecture import VGG16_BLOCKS, VGG16_DENSE
from pneumo_core.config.classifier import Scaling
from pneumo_core.errors import TrainingError
from pneumo_core.models.baseline import classifier_head
from pneumo_core.models.vgg16_weights import FILE, MD5, MEANS, URL, read_weights
from pneumo_core.settings import named_vgg16_weights


def build_vgg16(*, image_size: int = 150, seed: int = 0, scaling: Scaling = Scaling.UNIT) -> keras.Model:
    """Build the transfer model: VGG16's frozen convolutions and a new head of four dense layers.

    At 150 pixels it has 23,760,705 parameters, of which 9,046,017 are trainable. It is one flat graph: a nested VGG16 would
    hide its last block from Grad-CAM. The convolutions start at random; `load_imagenet` fills them. The seed is that of the
    head's initial weights and of dropout.

    Returns:
        Model from `(batch, image_size, image_size, 1)` float32 in [0, 255] to `(batch, 1)` float32 logits.
    """
    image = keras.Input((image_size, image_size, 1), name="image")
    x = layers.Concatenate(name="gray_to_rgb")([image, image, image])
    if scaling is Scaling.IMAGENET:
        x = layers.Rescaling(1.0, offset=[-mean for mean in MEANS], name="rescale")(x)
    else:
        x = layers.Rescaling(1 / 255, name="rescale")(x)
    for block, (convolutions, filters) in enumerate(VGG16_BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", trainable=False, name=name)(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    # The head stays float32 whatever the precision policy: it is small, and casting its kernels costs more than it gains.
    logit = classifier_head(x, VGG16_DENSE, count(seed * 1000), dtype="float32")
    return keras.Model(image, logit, name="vgg16")


def features_of(trained_blocks: int) -> str:
    """Layer whose output is the input of the trained part: the pooling of the last block that is not trained, or the image."""
    return f"block{len(VGG16_BLOCKS) - trained_blocks}_pool" if trained_blocks < len(VGG16_BLOCKS) else "rescale"


def feature_trunk(model: keras.Model, layer: str = "block5_pool") -> keras.Model:
    """The frozen part, up to a layer: `(batch, size, size, 1)` in [0, 255] to the features `(batch, h, w, channels)`.

    It shares the weights.
    """
    return keras.Model(model.input, model.get_layer(layer).output, name="vgg16_trunk")


def feature_head(model: keras.Model, layer: str = "block5_pool") -> keras.Model:
    """The trained part behind a layer: its features `(batch, h, w, channels)` to logits `(batch, 1)`; it shares the weights."""
    start = [one.name for one in model.layers].index(layer)
    x = features = keras.Input(model.layers[start].output.shape[1:], name="features")
    for one in model.layers[start + 1 :]:
        x = one(x)
    return keras.Model(features, x, name="vgg16_head")


def unfreeze(model: keras.Model, blocks: int) -> None:
    """Make the last convolution blocks trainable too, so many of them; the model must be compiled again afterwards."""
    names = tuple(f"block{len(VGG16_BLOCKS) - number}_conv" for number in range(blocks))
    for layer in model.layers:
        if layer.name.startswith(names):
            layer.trainable = True


def imagenet_weights() -> Path:
    """The file of VGG16's ImageNet weights: `$PNEUMO_VGG16_WEIGHTS`, else Keras' own download, checked by its checksum.

    Raises:
        ConfigError: The setting does not name a file.
        TrainingError: The download failed.
    """
    if (named := named_vgg16_weights()) is not None:
        return named
    try:
        # Keras stores it under KERAS_HOME, and checks the checksum of an existing file as well.
        path = keras.utils.get_file(FILE, URL, cache_subdir="models", file_hash=MD5)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise TrainingError(
            f"VGG16 needs its ImageNet weights. Received: {reason}; download {FILE} (59 MB) from {URL} and set "
            "PNEUMO_VGG16_WEIGHTS to its path"
        ) from error
    return Path(path)


def load_imagenet(model: keras.Model, path: Path) -> None:
    """Fill the convolutions of `build_vgg16`'s model with the weights of `imagenet_weights`' file.

    Raises:
        CorruptError: See `read_weights`.
    """
    for name, arrays in read_weights(path).items():
        model.get_layer(name).set_weights(arrays)
