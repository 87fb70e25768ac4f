"""The augmentation against Keras' own generator, SciPy, and properties."""

import copy
import io
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from scipy import ndimage, stats

from pneumo_core.augmentation.transform import AugmentParameters, apply, augment, draw_parameters
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.errors import DataError

EVERYTHING = AugmentConfig(
    zoom=0.3,
    rotation_deg=40.0,
    shift=0.2,
    horizontal_flip=True,
    vertical_flip=True,
    contrast=0.4,
    brightness=0.2,
    blur_sigma=2.0,
    aspect=0.2,
    resolution=0.6,
    sharpness=0.8,
    gamma=0.5,
    noise=0.05,
    jpeg=80.0,
    cutout=0.3,
)
GEOMETRY = replace(
    AugmentConfig(), zoom=0.3, rotation_deg=40.0, shift=0.2, horizontal_flip=True, vertical_flip=True, aspect=0.0
)
SETTINGS = {**AUGMENTATIONS, "everything": EVERYTHING}


def unchanged(count: int, **changes: float | bool) -> AugmentParameters:
    """Parameters that change nothing but what is named."""
    values: dict[str, Any] = {field.name: np.zeros(count) for field in fields(AugmentParameters)}
    factors = ("zoom_x", "zoom_y", "contrast", "aspect", "resolution", "sharpness", "gamma")
    values |= {name: np.ones(count) for name in factors}
    values |= {name: np.zeros(count, dtype=bool) for name in ("flip_horizontal", "flip_vertical")}
    values["noise_seed"] = np.zeros(count, dtype=np.uint64)
    values |= {name: np.full(count, value) for name, value in changes.items()}
    return AugmentParameters(**values)


def values_of(parameters: AugmentParameters, name: str) -> np.ndarray:
    values: np.ndarray = getattr(parameters, name)
    return values


def same(left: AugmentParameters, right: AugmentParameters) -> bool:
    return all(np.array_equal(getattr(left, f.name), getattr(right, f.name)) for f in fields(AugmentParameters))


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth_images(count: int, size: int) -> np.ndarray:
    """Blurred noise stretched to the whole range: gentle gradients everywhere."""
    rng = np.random.default_rng(1)
    blurred = ndimage.gaussian_filter(rng.normal(size=(count, size, size)), (0, 5, 5))
    low, high = blurred.min((1, 2), keepdims=True), blurred.max((1, 2), keepdims=True)
    return np.round(255 * (blurred - low) / (high - low)).astype(np.uint8)


def radiograph_like_images(count: int, size: int) -> np.ndarray:
    """A body with hard edges on black, ribs as stripes, grain on top: the spectrum of a radiograph, not its anatomy."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    images = np.empty((count, size, size))
    for image in images:
        tilt, pitch = rng.uniform(-0.3, 0.3), rng.uniform(12, 20)
        body = 150.0 * ((x / 0.85) ** 2 + (y / 0.95) ** 2 < 1)
        ribs = 25.0 * np.sin(pitch * (y + tilt * np.abs(x)))
        image[:] = np.where(body > 0, body + ribs, 5.0) + rng.normal(0, 4, (size, size))
        image[5:15, 5:25] = 250.0  # the marker that stands in a corner of the real ones
    return np.clip(np.round(images), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def keras_generator() -> Any:
    """Keras' generator class; importing it takes seconds, so once."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    return ImageDataGenerator


@pytest.fixture
def global_rng_restored() -> Iterator[None]:
    """Keras' generator draws from, and seeds, NumPy's global state."""
    state = np.random.get_state()
    yield
    np.random.set_state(state)


def keras_apply(generator: Any, images: np.ndarray, parameters: AugmentParameters) -> np.ndarray:
    """Keras' own result for the same parameters, in float32."""
    _, height, width = images.shape
    results = []
    with warnings.catch_warnings():
        # Keras 3.15 reaches SciPy's affine_transform through a namespace that goes away with SciPy 2.
        warnings.filterwarnings("ignore", message=r"Please import `affine_transform`", category=DeprecationWarning)
        for i, image in enumerate(images):
            transform = {
                "theta": parameters.rotation_deg[i],
                "tx": parameters.shift_x[i] * width,
                "ty": parameters.shift_y[i] * height,
                "zx": parameters.zoom_x[i],
                "zy": parameters.zoom_y[i],
                "flip_horizontal": parameters.flip_horizontal[i],
                "flip_vertical": parameters.flip_vertical[i],
            }
            results.append(generator().apply_transform(image[..., np.newaxis].astype(np.float32), transform)[..., 0])
    return np.stack(results)


def assert_same_pictures(actual: np.ndarray, expected: np.ndarray) -> None:
    """Equal but for interpolation: OpenCV 4 rounds source positions to 1/32 pixel, OpenCV 5 does not.

    A wrong axis, sign, center or order moves content by whole pixels: several levels on average in these images.
    """
    difference = np.abs(actual.astype(np.float64) - expected)
    assert difference.mean() < 0.2
    assert np.quantile(difference, 0.999) < 4.0


class TestAgainstKeras:
    @pytest.mark.parametrize("make_images", [smooth_images, radiograph_like_images])
    @pytest.mark.parametrize("name", ["report", "report-horizontal-flip", "report-rotation-40", "everything"])
    def test_same_parameters_give_the_same_picture(self, keras_generator: Any, make_images: Any, name: str) -> None:
        config = GEOMETRY if name == "everything" else AUGMENTATIONS[name]
        images = make_images(24, 96)
        parameters = draw_parameters(config, len(images), np.random.default_rng(3))

        expected = keras_apply(keras_generator, images, parameters)

        assert_same_pictures(apply(images, parameters), expected)
        # The images must be able to tell: another parameter set gives another picture.
        assert np.abs(apply(images[::-1], parameters) - expected).mean() > 5.0

    @pytest.mark.parametrize(
        "change",
        [
            {"zoom_x": 0.7},
            {"zoom_y": 0.7},
            {"zoom_x": 1.3},
            {"rotation_deg": 25.0},
            {"rotation_deg": -25.0, "zoom_x": 0.7, "shift_y": 0.1},
            {"shift_x": 0.13},
            {"shift_y": 0.13},
            {"flip_horizontal": True},
            {"flip_vertical": True},
            {"flip_vertical": True, "shift_y": 0.2},
        ],
        ids=str,
    )
    def test_each_parameter_alone(self, keras_generator: Any, change: dict[str, float]) -> None:
        images = smooth_images(2, 61)
        parameters = unchanged(2, **change)
        assert_same_pictures(apply(images, parameters), keras_apply(keras_generator, images, parameters))

    def test_real_radiographs(self, keras_generator: Any) -> None:
        folder = os.environ.get("PNEUMO_REAL_DATA")
        if not folder:
            pytest.skip("set PNEUMO_REAL_DATA to a chest_xray folder")
        paths = sorted(Path(folder).glob("train/*/*.jpeg"))[:: 5216 // 24][:24]
        images = np.stack([np.asarray(Image.open(path).convert("L").resize((150, 150))) for path in paths])
        for config in (AUGMENTATIONS["report"], AUGMENTATIONS["report-rotation-40"], GEOMETRY):
            parameters = draw_parameters(config, len(images), np.random.default_rng(4))
            assert_same_pictures(apply(images, parameters), keras_apply(keras_generator, images, parameters))

    @pytest.mark.usefixtures("global_rng_restored")
    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("report", {"zoom_range": 0.3, "vertical_flip": True}),
            ("report-horizontal-flip", {"zoom_range": 0.3, "vertical_flip": True, "horizontal_flip": True}),
            ("report-rotation-40", {"zoom_range": 0.3, "vertical_flip": True, "rotation_range": 40}),
        ],
    )
    def test_the_reports_settings_have_keras_distributions(
        self, keras_generator: Any, name: str, arguments: dict[str, Any]
    ) -> None:
        count = 4000
        generator = keras_generator(**arguments)
        theirs = [generator.get_random_transform((150, 150, 1), seed=5)]
        theirs += [generator.get_random_transform((150, 150, 1)) for _ in range(count - 1)]
        ours = draw_parameters(AUGMENTATIONS[name], count, np.random.default_rng(6))

        for keras_name, drawn in (("zx", ours.zoom_x), ("zy", ours.zoom_y), ("theta", ours.rotation_deg)):
            reference = np.array([transform[keras_name] for transform in theirs])
            assert stats.ks_2samp(reference, drawn).pvalue > 0.01, keras_name
            assert np.ptp(drawn) == pytest.approx(np.ptp(reference), rel=0.01)
        for flip in ("flip_horizontal", "flip_vertical"):
            table = [
                [np.sum(values), count - np.sum(values)]
                for values in ([t[flip] for t in theirs], values_of(ours, flip))
            ]
            if name != "report-horizontal-flip" and flip == "flip_horizontal":
                assert table == [[0, count], [0, count]]
            else:
                assert stats.chi2_contingency(table).pvalue > 0.01
                assert 0.47 < values_of(ours, flip).mean() < 0.53
        for idle in ("tx", "ty", "shear"):
            assert {transform[idle] for transform in theirs} == {0}


class TestDrawParameters:
    @pytest.mark.parametrize(
        ("name", "low", "high"),
        [
            ("zoom_x", 0.7, 1.3),
            ("zoom_y", 0.7, 1.3),
            ("rotation_deg", -40, 40),
            ("shift_x", -0.2, 0.2),
            ("shift_y", -0.2, 0.2),
            ("contrast", 0.6, 1.4),
            ("brightness", -51, 51),
            ("blur_sigma", 0, 2),
            ("sharpness", 0.2, 1.8),
            ("noise", 0, 0.05 * 255),
            ("jpeg_quality", 20, 100),
            ("cutout", 0, 0.3),
            ("cutout_x", 0, 1),
            ("cutout_y", 0, 1),
        ],
    )
    def test_uniform_over_the_documented_range(self, name: str, low: float, high: float) -> None:
        drawn = values_of(draw_parameters(EVERYTHING, 4000, np.random.default_rng(7)), name)
        assert low <= drawn.min() < drawn.max() <= high
        assert stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue > 0.01

    @pytest.mark.parametrize(
        ("name", "low", "high"), [("aspect", 1 / 1.2, 1.2), ("resolution", 0.4, 1), ("gamma", 1 / 1.5, 1.5)]
    )
    def test_factors_are_uniform_in_their_logarithm(self, name: str, low: float, high: float) -> None:
        drawn = values_of(draw_parameters(EVERYTHING, 4000, np.random.default_rng(7)), name)
        assert low <= drawn.min() < drawn.max() <= high
        scale = np.log(high) - np.log(low)
        assert stats.kstest(np.log(drawn), stats.uniform(np.log(low), scale).cdf).pvalue > 0.01

    def test_what_was_added_later_leaves_earlier_settings_as_they_were(self) -> None:
        """A run's images must stay those of the version that trained it: these are its first draws."""
        rng = np.random.default_rng(3)
        drawn = draw_parameters(AUGMENTATIONS["sound"], 2, rng)
        uniform = np.random.default_rng(3).random((2, 10))
        np.testing.assert_array_equal(drawn.rotation_deg, 7.0 * (2 * uniform[:, 2] - 1))
        np.testing.assert_array_equal(drawn.blur_sigma, uniform[:, 9])
        assert rng.random() == np.random.default_rng(3).random(21)[20]

    def test_draws_are_independent_of_each_other(self) -> None:
        drawn = draw_parameters(EVERYTHING, 4000, np.random.default_rng(8))
        correlations = np.corrcoef([values_of(drawn, field.name) for field in fields(drawn)])
        # 0.06 is 3.8 standard errors at 4,000 draws.
        assert np.abs(correlations - np.eye(len(correlations))).max() < 0.06

    @pytest.mark.parametrize("left_on", [field.name for field in fields(AugmentConfig)])
    def test_turning_other_changes_off_leaves_a_change_as_it_was(self, left_on: str) -> None:
        reached = {
            "zoom": ("zoom_x", "zoom_y"),
            "zoom_keeps_aspect": (),
            "shift": ("shift_x", "shift_y"),
            "horizontal_flip": ("flip_horizontal",),
            "vertical_flip": ("flip_vertical",),
            "noise": ("noise", "noise_seed"),
            "jpeg": ("jpeg_quality",),
            "cutout": ("cutout", "cutout_x", "cutout_y"),
        }.get(left_on, (left_on,))
        alone = replace(AugmentConfig(), **{left_on: getattr(EVERYTHING, left_on)})
        rng, rng_alone = np.random.default_rng(9), np.random.default_rng(9)

        drawn, drawn_alone = draw_parameters(EVERYTHING, 5, rng), draw_parameters(alone, 5, rng_alone)

        for field in fields(AugmentParameters):
            expected = drawn if field.name in reached else unchanged(5)
            np.testing.assert_array_equal(
                values_of(drawn_alone, field.name), values_of(expected, field.name), field.name
            )
        assert rng.random() == rng_alone.random()

    def test_keeping_the_aspect_takes_one_factor_for_both_axes(self) -> None:
        free = draw_parameters(EVERYTHING, 50, np.random.default_rng(10))
        kept = draw_parameters(replace(EVERYTHING, zoom_keeps_aspect=True), 50, np.random.default_rng(10))
        np.testing.assert_array_equal(kept.zoom_y, kept.zoom_x)
        assert same(replace(kept, zoom_y=free.zoom_y), free)

    @given(first=st.integers(0, 20), second=st.integers(0, 20))
    def test_batches_do_not_matter(self, first: int, second: int) -> None:
        rng, rng_whole = np.random.default_rng(11), np.random.default_rng(11)
        parts = draw_parameters(EVERYTHING, first, rng), draw_parameters(EVERYTHING, second, rng)
        whole = draw_parameters(EVERYTHING, first + second, rng_whole)
        for field in fields(AugmentParameters):
            joined = np.concatenate([values_of(part, field.name) for part in parts])
            np.testing.assert_array_equal(joined, values_of(whole, field.name))


class TestAugmentParameters:
    def test_length_is_the_number_of_images(self) -> None:
        assert len(unchanged(7)) == 7

    def test_no_images_is_fine(self) -> None:
        empty = apply(noise((0, 4, 5)), unchanged(0))
        assert empty.shape == (0, 4, 5)


class TestApply:
    @given(
        images=hnp.arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(1, 12), st.integers(1, 12))),
        name=st.sampled_from(sorted(SETTINGS)),
        seed=st.integers(0, 2**32 - 1),
    )
    def test_range_shape_type_and_input_untouched(self, images: np.ndarray, name: str, seed: int) -> None:
        before = images.copy()
        images.flags.writeable = False
        parameters = draw_parameters(SETTINGS[name], len(images), np.random.default_rng(seed))
        parameters_before = copy.deepcopy(parameters)

        out = apply(images, parameters)

        assert out.shape == images.shape
        assert out.dtype == np.float32
        assert np.all((out >= 0) & (out <= 255))  # false for NaN too
        np.testing.assert_array_equal(images, before)
        assert same(parameters, parameters_before)
        assert not np.shares_memory(out, images)

    def test_extreme_settings_stay_in_range(self) -> None:
        extreme = AugmentConfig(0.9, False, 180.0, 0.5, True, True, 0.9, 0.5, 5.0)
        out = augment(noise((64, 20, 30)), extreme, np.random.default_rng(12))
        assert out.min() == 0.0
        assert out.max() == 255.0

    @given(images=hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))))
    def test_identity_is_exact(self, images: np.ndarray) -> None:
        np.testing.assert_array_equal(apply(images, unchanged(len(images))), images)
        np.testing.assert_array_equal(augment(images, AugmentConfig(), np.random.default_rng(13)), images)

    def test_each_image_has_its_own_parameters(self) -> None:
        images = noise((40, 16, 21))
        parameters = draw_parameters(EVERYTHING, 40, np.random.default_rng(14))
        batch = apply(images, parameters)
        for i in range(40):
            single = AugmentParameters(**{f.name: values_of(parameters, f.name)[i : i + 1] for f in fields(parameters)})
            np.testing.assert_array_equal(batch[i], apply(images[i : i + 1], single)[0])

    @given(images=hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))))
    def test_flips_are_exact_and_undo_themselves(self, images: np.ndarray) -> None:
        count = len(images)
        left_right = apply(images, unchanged(count, flip_horizontal=True))
        upside_down = apply(images, unchanged(count, flip_vertical=True))
        np.testing.assert_array_equal(left_right, np.flip(images, 2))
        np.testing.assert_array_equal(upside_down, np.flip(images, 1))
        for once, flip in ((left_right, "flip_horizontal"), (upside_down, "flip_vertical")):
            np.testing.assert_array_equal(apply(once.astype(np.uint8), unchanged(count, **{flip: True})), images)

    @pytest.mark.parametrize("shape", [(40, 64), (64, 40), (33, 90), (1, 30), (30, 1)])
    def test_non_square_images_turn_about_their_own_centre(self, shape: tuple[int, int]) -> None:
        height, width = shape
        images = radiograph_like_images(12, 90)[:, :height, :width]
        parameters = draw_parameters(GEOMETRY, 12, np.random.default_rng(15))
        expected = np.empty(images.shape)
        rows, columns = np.mgrid[:height, :width]
        for i, image in enumerate(images):
            # The docstring's formula one coordinate at a time, and SciPy's interpolation.
            angle = np.deg2rad(parameters.rotation_deg[i])
            x = parameters.zoom_x[i] * (columns - (width - 1) / 2) + parameters.shift_x[i] * width
            y = parameters.zoom_y[i] * (rows - (height - 1) / 2) + parameters.shift_y[i] * height
            x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
            source = (y + (height - 1) / 2, x + (width - 1) / 2)
            expected[i] = ndimage.map_coordinates(image.astype(np.float64), source, order=1, mode="nearest")
            if parameters.flip_horizontal[i]:
                expected[i] = expected[i, :, ::-1]
            if parameters.flip_vertical[i]:
                expected[i] = expected[i, ::-1]
        assert_same_pictures(apply(images, parameters), expected)

    def test_directions_are_as_documented(self) -> None:
        image = np.zeros((1, 11, 11), dtype=np.uint8)
        image[0, 5, 8] = 255  # 3 pixels to the right of the center

        def brightest(**changes: float) -> tuple[int, ...]:
            out = apply(image, unchanged(1, **changes))[0]
            return tuple(int(index) for index in np.unravel_index(out.argmax(), out.shape))

        assert brightest(shift_x=2 / 11) == (5, 6)
        assert brightest(shift_y=2 / 11) == (3, 8)
        assert brightest(rotation_deg=90.0) == (2, 5)
        assert brightest(zoom_x=1.5) == (5, 7)
        assert brightest(zoom_y=1.5) == (5, 8)

    def test_intensity_is_multiply_add_about_the_mean_then_clip(self) -> None:
        images = noise((2, 30, 40))
        parameters = replace(unchanged(2), contrast=np.array([1.7, 0.5]), brightness=np.array([-20.0, 60.0]))
        mean = images.mean((1, 2), keepdims=True)
        factors, offsets = np.array([1.7, 0.5])[:, None, None], np.array([-20.0, 60.0])[:, None, None]
        expected = np.clip((images - mean) * factors + mean + offsets, 0, 255)
        np.testing.assert_allclose(apply(images, parameters), expected, atol=1e-3)

    @pytest.mark.parametrize(("offset", "level"), [(300.0, 255.0), (-300.0, 0.0)])
    def test_brightness_clips(self, offset: float, level: float) -> None:
        assert np.all(apply(noise((1, 8, 8)), unchanged(1, brightness=offset)) == level)

    def test_contrast_takes_the_mean_of_the_warped_image(self) -> None:
        images = np.zeros((1, 20, 20), dtype=np.uint8)
        images[:, :10] = 100
        parameters = unchanged(1, shift_y=0.5, contrast=0.5)  # the bright half leaves the picture, upwards
        np.testing.assert_array_equal(apply(images, parameters), np.zeros((1, 20, 20)))

    @pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5, 5.0])
    def test_blur_is_gaussian_with_edges_repeated(self, sigma: float) -> None:
        images = noise((2, 50, 70))
        expected = ndimage.gaussian_filter(images.astype(np.float64), (0, sigma, sigma), mode="nearest", truncate=6)
        # OpenCV's kernel ends at about 4 sigma, SciPy's here at 6.
        np.testing.assert_allclose(apply(images, unchanged(2, blur_sigma=sigma)), expected, atol=0.1)

    def test_blur_comes_before_the_clip(self) -> None:
        images = noise((1, 20, 20))
        out = apply(images, unchanged(1, blur_sigma=1.0, brightness=100.0))
        blurred = ndimage.gaussian_filter(images[0].astype(np.float64), 1.0, mode="nearest")
        np.testing.assert_allclose(out[0], np.clip(blurred + 100.0, 0, 255), atol=0.1)

    @pytest.mark.parametrize("fraction", [0.2, 0.25, 0.5])  # Whole factors: OpenCV and Pillow average alike.
    def test_resolution_reduces_and_enlarges(self, fraction: float) -> None:
        images = smooth_images(2, 60)
        side = round(60 * fraction)
        expected = [
            np.asarray(
                Image.fromarray(image.astype(np.float32))
                .resize((side, side), Image.Resampling.BOX)
                .resize((60, 60), Image.Resampling.BILINEAR)
            )
            for image in images
        ]
        np.testing.assert_allclose(apply(images, unchanged(2, resolution=fraction)), expected, atol=2.0)

    @pytest.mark.parametrize("factor", [0.0, 0.5, 1.8])
    def test_sharpness_scales_what_a_blur_takes_away(self, factor: float) -> None:
        images = (100 + 0.2 * noise((2, 40, 40))).astype(np.uint8)
        soft = ndimage.gaussian_filter(images.astype(np.float64), (0, 1, 1), mode="nearest", truncate=6)
        expected = np.clip(soft + factor * (images - soft), 0, 255)
        np.testing.assert_allclose(apply(images, unchanged(2, sharpness=factor)), expected, atol=0.1)

    def test_gamma_is_a_power_of_the_gray_level(self) -> None:
        images = noise((2, 20, 20))
        expected = 255 * (images / 255) ** 1.4
        np.testing.assert_allclose(apply(images, unchanged(2, gamma=1.4)), expected, atol=1e-3)

    def test_noise_is_gaussian_and_of_its_seed(self) -> None:
        images = np.full((2, 100, 100), 128, np.uint8)
        seeds = {"noise_seed": np.uint64(5)}
        added = apply(images, unchanged(2, noise=10.0, **seeds)) - 128
        np.testing.assert_array_equal(added[0], added[1])
        assert stats.kstest(added[0].ravel(), stats.norm(0, 10).cdf).pvalue > 0.01
        other = apply(images, unchanged(2, noise=10.0, noise_seed=np.uint64(6))) - 128
        assert abs(np.corrcoef(added[0].ravel(), other[0].ravel())[0, 1]) < 0.06

    @pytest.mark.parametrize("quality", [20, 60, 95])
    def test_jpeg_is_a_jpeg_of_that_quality(self, quality: int) -> None:
        images = radiograph_like_images(1, 64)
        file = io.BytesIO()
        Image.fromarray(images[0]).save(file, "JPEG", quality=quality)
        expected = np.asarray(Image.open(file), np.float64)
        # Two libraries: their decoders may round apart.
        np.testing.assert_allclose(apply(images, unchanged(1, jpeg_quality=float(quality)))[0], expected, atol=3)

    @pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.25)])
    def test_cutout_fills_a_square_inside_with_the_mean(self, x: float, y: float) -> None:
        images = noise((1, 40, 60))
        out = apply(images, unchanged(1, cutout=0.25, cutout_x=x, cutout_y=y))[0]
        top, left = round(y * 30), round(x * 50)
        expected = images[0].astype(np.float32)
        expected[top : top + 10, left : left + 10] = images.mean()
        np.testing.assert_allclose(out, expected, atol=1e-3)

    @pytest.mark.parametrize("aspect", [0.8, 1.25])
    def test_aspect_stretches_at_an_equal_area(self, aspect: float) -> None:
        images = smooth_images(1, 50)
        root = np.sqrt(aspect)
        expected = apply(images, unchanged(1, zoom_x=root, zoom_y=1 / root))
        np.testing.assert_allclose(apply(images, unchanged(1, aspect=aspect)), expected, atol=1e-3)

    def test_any_memory_layout_is_taken(self, tmp_path: Path) -> None:
        images = noise((3, 14, 18))
        parameters = draw_parameters(EVERYTHING, 3, np.random.default_rng(16))
        expected = apply(images, parameters)
        padded = np.pad(images, ((0, 0), (0, 0), (2, 3)))[:, :, 2:-3]
        np.save(tmp_path / "cache.npy", images)
        mapped = np.load(tmp_path / "cache.npy", mmap_mode="r")
        for view in (np.asfortranarray(images), images[:, ::-1, ::-1].copy()[:, ::-1, ::-1], padded, mapped):
            out = apply(view, parameters)
            np.testing.assert_array_equal(out, expected)
            assert type(out) is np.ndarray
            assert out.flags.c_contiguous

    @pytest.mark.parametrize(
        "images",
        [
            noise((2, 4, 4)).astype(np.float32),
            noise((2, 4, 4)).astype(np.int64),
            noise((4, 4)),
            noise((2, 4, 4, 1)),
            noise((2, 0, 4)),
            noise((2, 4, 0)),
        ],
        ids=lambda images: f"{images.dtype}-{images.shape}",
    )
    def test_other_types_and_shapes_are_refused(self, images: np.ndarray) -> None:
        with pytest.raises(DataError, match=r"images must be uint8 gray.*Received: dtype="):
            apply(images, unchanged(len(images)))

    def test_another_number_of_parameters_is_refused(self) -> None:
        with pytest.raises(DataError, match=r"Received: images=2, parameters=3"):
            apply(noise((2, 4, 4)), unchanged(3))


class TestAugment:
    @pytest.mark.parametrize("name", sorted(SETTINGS))
    def test_is_drawing_and_applying(self, name: str) -> None:
        images = noise((6, 17, 23))
        drawn = draw_parameters(SETTINGS[name], 6, np.random.default_rng(17))
        np.testing.assert_array_equal(augment(images, SETTINGS[name], np.random.default_rng(17)), apply(images, drawn))

    def test_same_seed_same_result_and_other_seed_another(self) -> None:
        images = noise((6, 17, 23))
        first, again, other = (augment(images, EVERYTHING, np.random.default_rng(seed)) for seed in (18, 18, 19))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    @pytest.mark.usefixtures("global_rng_restored")
    def test_global_random_state_is_neither_read_nor_moved(self) -> None:
        images = noise((6, 17, 23))
        np.random.seed(1)
        first = augment(images, EVERYTHING, np.random.default_rng(20))
        after_one = np.random.random()
        np.random.seed(1)
        assert np.random.random() == after_one
        np.testing.assert_array_equal(augment(images, EVERYTHING, np.random.default_rng(20)), first)

    def test_threads_do_not_disturb_each_other(self) -> None:
        images = noise((16, 40, 40))

        def work(seed: int) -> np.ndarray:
            return augment(images, EVERYTHING, np.random.default_rng(seed))

        with ThreadPoolExecutor(4) as pool:
            threaded = list(pool.map(work, range(24)))
        for seed, result in enumerate(threaded):
            np.testing.assert_array_equal(result, work(seed))
