"""The networks' layers as data against the report's figures (tests/models holds them against the Keras models)."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pneumo_core.config.architecture import (
    BASELINE_DENSE,
    BASELINE_FILTERS,
    LAST_BLOCK,
    VGG16_BLOCKS,
    VGG16_DENSE,
    LayerSpec,
    baseline_layers,
    vgg16_layers,
)
from pneumo_core.records import Architecture

# Report, figure 3: blocks of two convolutions of 3 x 3 and a pooling of 2 x 2; batch normalization from the second on.
CONVOLUTIONS = [
    ("block1_conv1", 3, 16, 150),
    ("block1_conv2", 16, 16, 150),
    ("block2_conv1", 16, 32, 75),
    ("block2_conv2", 32, 32, 75),
    ("block3_conv1", 32, 64, 37),
    ("block3_conv2", 64, 64, 37),
    ("block4_conv1", 64, 128, 18),
    ("block4_conv2", 128, 128, 18),
]
NORMALIZATIONS = [("block2_bn", 32, 75), ("block3_bn", 64, 37), ("block4_bn", 128, 18)]
DENSE = [("dense1", 9 * 9 * 128, 512), ("dense2", 512, 128), ("dense3", 128, 64), ("logit", 64, 1)]

# Simonyan and Zisserman 2015 (arXiv:1409.1556), table 1, column D, on 150 pixels; behind it the report's head (section 4).
VGG16_CONVOLUTIONS = [
    ("block1_conv1", 3, 64, 150),
    ("block1_conv2", 64, 64, 150),
    ("block2_conv1", 64, 128, 75),
    ("block2_conv2", 128, 128, 75),
    ("block3_conv1", 128, 256, 37),
    ("block3_conv2", 256, 256, 37),
    ("block3_conv3", 256, 256, 37),
    ("block4_conv1", 256, 512, 18),
    ("block4_conv2", 512, 512, 18),
    ("block4_conv3", 512, 512, 18),
    ("block5_conv1", 512, 512, 9),
    ("block5_conv2", 512, 512, 9),
    ("block5_conv3", 512, 512, 9),
]
VGG16_HEAD = [("dense1", 4 * 4 * 512, 1024), ("dense2", 1024, 512), ("dense3", 512, 256), ("logit", 256, 1)]


def test_the_totals_are_the_reports() -> None:
    layers = baseline_layers()
    assert sum(layer.trainable for layer in layers) == 5_676_881
    assert sum(layer.fixed for layer in layers) == 448
    assert sum(layer.trainable + layer.fixed for layer in layers) == 5_677_329


def test_each_layer_has_its_shape_and_parameters() -> None:
    layers = {layer.name: layer for layer in baseline_layers()}
    for name, before, filters, side in CONVOLUTIONS:
        assert (layers[name].kind, layers[name].output_shape) == ("Conv2D", (side, side, filters))
        assert (layers[name].trainable, layers[name].fixed) == ((9 * before + 1) * filters, 0)
    for name, filters, side in NORMALIZATIONS:
        assert (layers[name].kind, layers[name].output_shape) == ("BatchNormalization", (side, side, filters))
        assert (layers[name].trainable, layers[name].fixed) == (2 * filters, 2 * filters)
    for name, before, units in DENSE:
        assert (layers[name].kind, layers[name].output_shape) == ("Dense", (units,))
        assert (layers[name].trainable, layers[name].fixed) == ((before + 1) * units, 0)
    assert [layers[f"block{block}_pool"].output_shape for block in range(1, 5)] == [
        (75, 75, 16),
        (37, 37, 32),
        (18, 18, 64),
        (9, 9, 128),
    ]
    counted = {name for name, *_ in (*CONVOLUTIONS, *NORMALIZATIONS, *DENSE)}
    for name, layer in layers.items():
        assert name in counted or (layer.trainable, layer.fixed) == (0, 0)


def test_the_order_is_that_of_the_figure() -> None:
    kinds = [layer.kind for layer in baseline_layers()]
    block = ["Conv2D", "Conv2D", "BatchNormalization", "MaxPooling2D"]
    assert kinds == [
        *["InputLayer", "Rescaling", "Concatenate"],
        *[kind for kind in block if kind != "BatchNormalization"],
        *block * 3,
        "Flatten",
        *["Dense", "Dropout"] * 3,
        "Dense",
    ]
    names = [layer.name for layer in baseline_layers()]
    assert len(set(names)) == len(names)
    assert (len(BASELINE_FILTERS), [units for units, _ in BASELINE_DENSE]) == (4, [512, 128, 64])


@pytest.mark.parametrize(("image_size", "last_side"), [(32, 2), (47, 2), (64, 4), (150, 9), (224, 14)])
def test_shapes_follow_the_size_of_the_image(image_size: int, last_side: int) -> None:
    layers = {layer.name: layer for layer in baseline_layers(image_size)}
    assert layers["image"].output_shape == (image_size, image_size, 1)
    assert layers["gray_to_rgb"].output_shape == (image_size, image_size, 3)
    assert layers["block4_pool"].output_shape == (last_side, last_side, 128)
    assert layers["flatten"].output_shape == (last_side * last_side * 128,)
    assert layers["dense1"].trainable == (last_side * last_side * 128 + 1) * 512


def test_vgg16_s_totals_are_the_reports() -> None:
    layers = vgg16_layers()
    assert sum(layer.trainable for layer in layers) == 9_046_017
    assert sum(layer.fixed for layer in layers) == 14_714_688
    assert sum(layer.trainable + layer.fixed for layer in layers) == 23_760_705


def test_each_layer_of_vgg16_has_its_shape_and_parameters() -> None:
    layers = {layer.name: layer for layer in vgg16_layers()}
    for name, before, filters, side in VGG16_CONVOLUTIONS:
        assert (layers[name].kind, layers[name].output_shape) == ("Conv2D", (side, side, filters))
        assert (layers[name].trainable, layers[name].fixed) == (0, (9 * before + 1) * filters)
    for name, before, units in VGG16_HEAD:
        assert (layers[name].kind, layers[name].output_shape) == ("Dense", (units,))
        assert (layers[name].trainable, layers[name].fixed) == ((before + 1) * units, 0)
    assert [layers[f"block{block}_pool"].output_shape for block in range(1, 6)] == [
        (75, 75, 64),
        (37, 37, 128),
        (18, 18, 256),
        (9, 9, 512),
        (4, 4, 512),
    ]
    counted = {name for name, *_ in (*VGG16_CONVOLUTIONS, *VGG16_HEAD)}
    for name, layer in layers.items():
        assert name in counted or (layer.trainable, layer.fixed) == (0, 0)


def test_the_order_of_vgg16_is_that_of_its_table() -> None:
    kinds = [layer.kind for layer in vgg16_layers()]
    assert kinds == [
        *["InputLayer", "Concatenate", "Rescaling"],
        *[kind for count in (2, 2, 3, 3, 3) for kind in [*["Conv2D"] * count, "MaxPooling2D"]],
        "Flatten",
        *["Dense", "Dropout"] * 3,
        "Dense",
    ]
    names = [layer.name for layer in vgg16_layers()]
    assert len(set(names)) == len(names)
    assert (sum(count for count, _ in VGG16_BLOCKS), [units for units, _ in VGG16_DENSE]) == (13, [1024, 512, 256])


@pytest.mark.parametrize(("image_size", "last_side"), [(32, 1), (63, 1), (64, 2), (150, 4), (224, 7)])
def test_vgg16_s_shapes_follow_the_size_of_the_image(image_size: int, last_side: int) -> None:
    layers = {layer.name: layer for layer in vgg16_layers(image_size)}
    assert layers["image"].output_shape == (image_size, image_size, 1)
    assert layers["rescale"].output_shape == (image_size, image_size, 3)
    assert layers["block5_pool"].output_shape == (last_side, last_side, 512)
    assert layers["dense1"].trainable == (last_side * last_side * 512 + 1) * 1024


@pytest.mark.parametrize(
    ("architecture", "layers"), [(Architecture.BASELINE, baseline_layers), (Architecture.VGG16, vgg16_layers)]
)
def test_the_last_block_ends_right_before_the_last_pooling(
    architecture: Architecture, layers: Callable[[], tuple[LayerSpec, ...]]
) -> None:
    names = [layer.name for layer in layers()]
    poolings = [number for number, layer in enumerate(layers()) if layer.kind == "MaxPooling2D"]
    assert names.index(LAST_BLOCK[architecture]) == poolings[-1] - 1


def test_drawing_it_takes_no_framework() -> None:
    code = (
        "import sys, pneumo_core.config.architecture as a; a.baseline_layers(); a.vgg16_layers();"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'jax', 'numpy')))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
