"""The baseline's layers as data against the report's figures (tests/models holds them against the Keras model)."""

import subprocess
import sys
from pathlib import Path

import pytest

from pneumo_core.architecture import BASELINE_DENSE, BASELINE_FILTERS, baseline_layers

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


def test_drawing_it_takes_no_framework() -> None:
    code = (
        "import sys, pneumo_core.architecture as a; a.baseline_layers();"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'jax', 'numpy')))"
    )
    root = Path(__file__).resolve().parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
