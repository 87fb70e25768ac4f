"""The report's networks as data: `models` builds them and the pages draw them, without a training framework."""

from dataclasses import dataclass
from math import prod
from typing import Final

from pneumo_core.records import Architecture

BASELINE_FILTERS: Final = (16, 32, 64, 128)
"""Filters of the baseline's blocks, two convolutions each (report, section 3.1)."""

BASELINE_DENSE: Final = ((512, 0.5), (128, 0.3), (64, 0.2))
"""Units and dropout rate of the baseline's hidden dense layers (report, section 3.1)."""

VGG16_BLOCKS: Final = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""Convolutions and filters of VGG16's blocks (Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, column D)."""

VGG16_DENSE: Final = ((1024, 0.5), (512, 0.3), (256, 0.2))
"""Units and dropout rate of the hidden dense layers on VGG16. The units follow from the report's 9,046,017 trainable
parameters (section 4); it gives no rates, so they are the baseline's."""

COMPACT_FILTERS: Final = (24, 48, 96, 128, 192)
"""Filters of the compact network's blocks, two convolutions each; ours, docs/recipe.md compares others."""

COMPACT_DROPOUT: Final = 0.2
"""Dropout rate before the compact network's only dense layer."""

LAST_BLOCK: Final = {
    Architecture.BASELINE: "block4_bn",
    Architecture.COMPACT: "block5_relu2",
    Architecture.VGG16: "block5_conv3",
}
"""Last layer of the last convolution block, before its pooling: the layer of Grad-CAM."""


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One layer.

    Attributes:
        name: Name in the Keras model.
        kind: Keras class.
        output_shape: Shape of one image's output.
        trainable: Number of trainable parameters.
        fixed: Number of parameters that are not trained by gradients.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    trainable: int = 0
    fixed: int = 0


def baseline_layers(image_size: int = 150) -> tuple[LayerSpec, ...]:
    """Layers of the baseline CNN in order, with shapes and parameter counts, for an input of this side in pixels."""
    side, channels = image_size, 3
    layers = [
        LayerSpec("image", "InputLayer", (side, side, 1)),
        LayerSpec("rescale", "Rescaling", (side, side, 1)),
        LayerSpec("gray_to_rgb", "Concatenate", (side, side, 3)),
    ]
    for block, filters in enumerate(BASELINE_FILTERS, start=1):
        for number in (1, 2):
            weights = 3 * 3 * channels * filters + filters
            layers.append(LayerSpec(f"block{block}_conv{number}", "Conv2D", (side, side, filters), weights))
            channels = filters
        if block > 1:
            shape = (side, side, filters)
            layers.append(LayerSpec(f"block{block}_bn", "BatchNormalization", shape, 2 * filters, 2 * filters))
        side //= 2
        layers.append(LayerSpec(f"block{block}_pool", "MaxPooling2D", (side, side, filters)))
    return (*layers, *_head((side, side, channels), BASELINE_DENSE))


def compact_layers(image_size: int = 96) -> tuple[LayerSpec, ...]:
    """Layers of the compact network likewise."""
    side, channels = image_size, 1
    layers = [
        LayerSpec("image", "InputLayer", (side, side, 1)),
        LayerSpec("standardize", "LayerNormalization", (side, side, 1)),
    ]
    for block, filters in enumerate(COMPACT_FILTERS, start=1):
        for number in (1, 2):
            shape = (side, side, filters)
            layers.append(LayerSpec(f"block{block}_conv{number}", "Conv2D", shape, 3 * 3 * channels * filters))
            layers.append(LayerSpec(f"block{block}_bn{number}", "BatchNormalization", shape, 2 * filters, 2 * filters))
            layers.append(LayerSpec(f"block{block}_relu{number}", "ReLU", shape))
            channels = filters
        if block < len(COMPACT_FILTERS):
            side //= 2
            layers.append(LayerSpec(f"block{block}_pool", "MaxPooling2D", (side, side, filters)))
    return (
        *layers,
        LayerSpec("pool", "GlobalAveragePooling2D", (channels,)),
        LayerSpec("dropout", "Dropout", (channels,)),
        LayerSpec("logit", "Dense", (1,), channels + 1),
    )


def network_layers(architecture: Architecture, image_size: int) -> tuple[LayerSpec, ...]:
    """Layers of a classifier's network in order, for an input of this side in pixels."""
    layers = {
        Architecture.BASELINE: baseline_layers,
        Architecture.COMPACT: compact_layers,
        Architecture.VGG16: vgg16_layers,
    }
    return layers[architecture](image_size)


def vgg16_layers(image_size: int = 150) -> tuple[LayerSpec, ...]:
    """Layers of the VGG16 transfer model likewise; its convolutions are frozen."""
    side, channels = image_size, 3
    layers = [
        LayerSpec("image", "InputLayer", (side, side, 1)),
        LayerSpec("gray_to_rgb", "Concatenate", (side, side, 3)),
        LayerSpec("rescale", "Rescaling", (side, side, 3)),
    ]
    for block, (convolutions, filters) in enumerate(VGG16_BLOCKS, start=1):
        for number in range(1, convolutions + 1):
            weights = 3 * 3 * channels * filters + filters
            name = f"block{block}_conv{number}"
            layers.append(LayerSpec(name, "Conv2D", (side, side, filters), fixed=weights))
            channels = filters
        side //= 2
        layers.append(LayerSpec(f"block{block}_pool", "MaxPooling2D", (side, side, filters)))
    return (*layers, *_head((side, side, channels), VGG16_DENSE))


def _head(maps: tuple[int, int, int], dense: tuple[tuple[int, float], ...]) -> list[LayerSpec]:
    units_before = prod(maps)
    layers = [LayerSpec("flatten", "Flatten", (units_before,))]
    for number, (units, _) in enumerate(dense, start=1):
        layers.append(LayerSpec(f"dense{number}", "Dense", (units,), units_before * units + units))
        layers.append(LayerSpec(f"dense{number}_dropout", "Dropout", (units,)))
        units_before = units
    return [*layers, LayerSpec("logit", "Dense", (1,), units_before + 1)]
