"""Verdicts on augmentations: their limits held against the augmentation itself, and against real X-rays."""

import os
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pneumo_core.augmentation.plausibility import LIMITS, Note, Verdict, plausibility
from pneumo_core.augmentation.transform import AugmentParameters, apply
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.data.images import decode_gray

SIDE = 501
PICTURE_LIMITS = {
    "zoom": 0.9,
    "rotation_deg": 180.0,
    "shift": 0.5,
    "contrast": 0.9,
    "brightness": 0.5,
    "blur_sigma": 5.0,
    "aspect": 0.5,
    "resolution": 0.9,
    "sharpness": 1.0,
    "gamma": 2.0,
    "noise": 0.3,
    "jpeg": 95.0,
    "cutout": 0.5,
}
VERDICTS = list(Verdict)


def note_on(**setting: float | bool) -> Note:
    """The one note on a setting."""
    (note,) = plausibility(AugmentConfig(**{"zoom_keeps_aspect": True, **setting}))
    return note


def parameters(**values: float) -> AugmentParameters:
    """What is done to one image: nothing but what is named."""
    factors = ("zoom_x", "zoom_y", "contrast", "aspect", "resolution", "sharpness", "gamma")
    neutral = {field.name: 0.0 for field in fields(AugmentParameters)} | dict.fromkeys(factors, 1.0)
    arrays = {name: np.array([value]) for name, value in {**neutral, **values}.items()}
    types = {"flip_horizontal": bool, "flip_vertical": bool, "noise_seed": np.uint64}
    return AugmentParameters(**{name: array.astype(types.get(name, float)) for name, array in arrays.items()})


def test_nothing_is_said_of_what_is_off() -> None:
    assert plausibility(AugmentConfig()) == ()
    assert plausibility(AugmentConfig(zoom_keeps_aspect=True)) == ()


def test_the_sound_preset_is_plausible_throughout() -> None:
    notes = plausibility(AUGMENTATIONS["sound"])
    assert [note.operation.split()[0] for note in notes] == [
        "Zoom",
        "Rotation",
        "Shift",
        "Contrast",
        "Brightness",
        "Blur",
    ]
    assert {note.verdict for note in notes} == {Verdict.PLAUSIBLE}


def test_the_report_s_setting_is_not() -> None:
    verdicts = {note.operation: note.verdict for note in plausibility(AUGMENTATIONS["report"])}
    operations = ["Zoom ±30 %", "Stretch up to 1.86:1", "Vertical flip"]
    assert verdicts == dict.fromkeys(operations, Verdict.IMPLAUSIBLE)
    assert note_on(horizontal_flip=True).verdict is Verdict.QUESTIONABLE
    assert "heart" in note_on(horizontal_flip=True).reason
    assert "diaphragm" in note_on(vertical_flip=True).reason
    assert note_on(rotation_deg=40.0).verdict is Verdict.IMPLAUSIBLE


@pytest.mark.parametrize("name", LIMITS)
def test_verdicts_change_at_the_limit_and_at_half_of_it(name: str) -> None:
    limit = LIMITS[name]
    assert note_on(**{name: limit / 2}).verdict is Verdict.PLAUSIBLE
    assert note_on(**{name: np.nextafter(limit / 2, 1e9).item()}).verdict is Verdict.QUESTIONABLE
    assert note_on(**{name: limit}).verdict is Verdict.QUESTIONABLE
    assert note_on(**{name: np.nextafter(limit, 1e9).item()}).verdict is Verdict.IMPLAUSIBLE


@pytest.mark.parametrize("name", LIMITS)
@given(shares=st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)))
def test_more_is_never_more_plausible(name: str, shares: tuple[float, float]) -> None:
    less, more = (note_on(**{name: share * PICTURE_LIMITS[name]}).verdict for share in sorted(shares))
    assert VERDICTS.index(less) <= VERDICTS.index(more)


def test_every_strength_has_a_limit_that_a_setting_can_pass() -> None:
    numbers = {field.name for field in fields(AugmentConfig) if field.type is float}
    assert set(LIMITS) == numbers == set(PICTURE_LIMITS)
    assert all(0 < LIMITS[name] < PICTURE_LIMITS[name] for name in LIMITS)


def test_a_note_for_each_operation_in_use_in_the_order_of_the_fields() -> None:
    everything = AugmentConfig(0.1, False, 7.0, 0.05, True, True, 0.2, 0.1, 1.0, 0.1, 0.3, 0.3, 0.5, 0.01, 40.0, 0.2)
    names = [note.operation for note in plausibility(everything)]
    assert [name.split()[0] for name in names] == [
        *("Zoom", "Stretch", "Rotation", "Shift", "Horizontal", "Vertical", "Contrast", "Brightness", "Blur"),
        *("Aspect", "Resolution", "Sharpness", "Gamma", "Noise", "JPEG", "Cutout"),
    ]
    for field in fields(AugmentConfig):
        left = plausibility(replace(everything, **{field.name: type(getattr(everything, field.name))()}))
        gone = {"zoom": 2, "zoom_keeps_aspect": 0}.get(field.name, 1)
        assert len(left) == len(names) - gone
        assert set(left) <= set(plausibility(everything))


def test_mixup_is_never_plausible_and_comes_last() -> None:
    assert plausibility(AugmentConfig(), 0.0) == ()
    for parameter in (0.05, 1.0):
        *others, last = plausibility(AUGMENTATIONS["sound"], parameter)
        assert tuple(others) == plausibility(AUGMENTATIONS["sound"])
        assert (last.operation, last.verdict) == (f"Mixup {parameter:g}", Verdict.IMPLAUSIBLE)


def test_each_axis_with_its_own_zoom_is_never_plausible() -> None:
    by_ratio = {
        ratio: plausibility(AugmentConfig(zoom=(ratio - 1) / (ratio + 1)))[1] for ratio in (1.01, 1.20, 1.22, 1.86)
    }
    assert [note.verdict for note in by_ratio.values()] == [Verdict.QUESTIONABLE] * 2 + [Verdict.IMPLAUSIBLE] * 2
    assert [note.operation for note in by_ratio.values()] == [f"Stretch up to {ratio:.2f}:1" for ratio in by_ratio]


# --- Where the limits come from ---------------------------------------------------------------------------------------


def lungs_leave(**change: float) -> bool:
    """Whether some of a bright box with a tenth of the side around it reaches the border of the changed picture."""
    picture = np.zeros((1, SIDE, SIDE), np.uint8)
    margin = SIDE // 10
    picture[:, margin : SIDE - margin, margin : SIDE - margin] = 255
    out = apply(picture, parameters(**change))[0]
    return max(out[0].max(), out[-1].max(), out[:, 0].max(), out[:, -1].max()) > 128


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("zoom", lambda value: {"zoom_x": 1 - value, "zoom_y": 1 - value}),
        ("rotation_deg", lambda value: {"rotation_deg": value}),
        ("rotation_deg", lambda value: {"rotation_deg": -value}),
        ("shift", lambda value: {"shift_x": value}),
        ("shift", lambda value: {"shift_y": -value}),
    ],
)
def test_the_lungs_begin_to_leave_the_picture_at_the_limit(name: str, change) -> None:
    assert not lungs_leave(**change(0.95 * LIMITS[name]))
    assert lungs_leave(**change(1.05 * LIMITS[name]))


def test_what_is_cut_off_and_smeared_is_what_the_augmentation_does() -> None:
    frame = np.zeros((1, SIDE, SIDE), np.uint8)
    frame[:, [0, -1]] = frame[:, :, [0, -1]] = 255
    smeared = (apply(frame, parameters(zoom_x=1.3, zoom_y=1.3))[0] > 128).mean()
    ramp = np.tile(np.linspace(0, 255, SIDE).astype(np.uint8), (1, SIDE, 1))
    seen = np.ptp(apply(ramp, parameters(zoom_x=0.7, zoom_y=0.7))) / 255
    named = [int(number) for number in re.findall(r"(\d+) % is", note_on(zoom=0.3).reason)]
    np.testing.assert_allclose(named, [100 * (1 - seen**2), 100 * smeared], atol=1.5)


def contrast_left(distance: float, sigma: float) -> float:
    """What a Gaussian blur leaves of the contrast of stripes, far from the border."""
    stripes = np.sin(2 * np.pi * np.arange(1000) / distance)
    return float(np.ptp(ndimage.gaussian_filter1d(stripes, sigma)[300:700]) / np.ptp(stripes))


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0, 5.0])
def test_stripes_at_the_named_distance_fade_by_half(sigma: float) -> None:
    (distance,) = map(float, re.findall(r"Stripes (\d+) pixels", note_on(blur_sigma=sigma).reason))
    assert contrast_left(distance - 0.5, sigma) < 0.5 < contrast_left(distance + 0.5, sigma)


def test_ribs_fade_by_half_at_the_limit_of_blur() -> None:
    assert contrast_left(11, LIMITS["blur_sigma"]) == pytest.approx(0.5, abs=0.03)


def test_ribs_fade_by_half_at_the_limit_of_resolution() -> None:
    stripes = np.tile(127.5 + 100 * np.sin(2 * np.pi * np.arange(150) / 11), (1, 150, 1)).round().astype(np.uint8)
    left = apply(stripes, parameters(resolution=1 - LIMITS["resolution"]))
    inside = np.s_[:, 60:90, 20:130]
    phase = np.exp(2j * np.pi * np.arange(20, 130) / 11)
    strength = [abs((pixels[inside].astype(float) * phase).mean()) for pixels in (left, stripes)]
    assert strength[0] / strength[1] == pytest.approx(0.5, abs=0.05)


def test_middle_gray_becomes_what_is_named() -> None:
    gray = np.full((1, 9, 9), 127, np.uint8)
    named = [int(level) for level in re.findall(r"becomes (\d+) to (\d+)", note_on(gamma=0.5).reason)[0]]
    found = [float(apply(gray, parameters(gamma=exponent))[0, 4, 4]) for exponent in (1.5, 1 / 1.5)]
    np.testing.assert_allclose(named, found, atol=1)


def test_the_covered_square_is_as_large_as_named() -> None:
    bright = np.zeros((1, SIDE, SIDE), np.uint8)
    bright[:, ::2] = 255
    covered = np.isin(apply(bright, parameters(cutout=0.3, cutout_x=0.5, cutout_y=0.5)), [0, 255], invert=True).mean()
    (named,) = re.findall(r"up to (\d+) % of the image", note_on(cutout=0.3).reason)
    assert 100 * covered == pytest.approx(int(named), abs=0.5)


def detail(images: np.ndarray) -> np.ndarray:
    """What a Gaussian of one pixel takes away."""
    return np.stack(
        [image - ndimage.gaussian_filter(image, 1.0, mode="nearest") for image in images.astype(np.float32)]
    )


@pytest.fixture(scope="module")
def xrays() -> dict[str, np.ndarray]:
    """1,500 training images of 150 pixels, all and those that are NORMAL."""
    folder = os.environ.get("PNEUMO_REAL_DATA")
    if not folder:
        pytest.skip("set PNEUMO_REAL_DATA to a chest_xray folder")
    paths = sorted(Path(folder).glob("train/*/*.jpeg"))
    chosen = [paths[i] for i in np.random.default_rng(0).choice(len(paths), 1500, replace=False)]
    images = np.stack([decode_gray(path.read_bytes(), path.name, size=150) for path in chosen])
    return {"all": images, "NORMAL": images[[path.parent.name == "NORMAL" for path in chosen]]}


def half_spread(values: np.ndarray) -> float:
    """Half of the range of nine in ten."""
    low, high = np.quantile(values, [0.05, 0.95])
    return float((high - low) / 2)


@pytest.mark.slow
def test_limits_of_contrast_brightness_sharpness_and_gamma_are_twice_the_training_images_spread(
    xrays: dict[str, np.ndarray],
) -> None:
    means, spreads = xrays["all"].mean((1, 2)), xrays["all"].std((1, 2))
    assert LIMITS["brightness"] == pytest.approx(2 * half_spread(means) / 255, rel=0.1)
    assert LIMITS["contrast"] == pytest.approx(2 * half_spread(spreads) / spreads.mean(), rel=0.1)
    fine = detail(xrays["all"]).std((1, 2))
    assert LIMITS["sharpness"] == pytest.approx(2 * half_spread(fine) / fine.mean(), rel=0.1)
    exponents = half_spread(np.log(-np.log(means / 255)))
    assert LIMITS["gamma"] == pytest.approx(np.exp(2 * exponents) - 1, rel=0.1)


@pytest.mark.slow
def test_noise_at_the_limit_is_as_strong_as_the_images_detail(xrays: dict[str, np.ndarray]) -> None:
    noise = np.random.default_rng(0).normal(0, 255 * LIMITS["noise"], (1, 500, 500))
    assert detail(noise).std() == pytest.approx(detail(xrays["all"]).std((1, 2)).mean(), rel=0.05)


@pytest.mark.slow
def test_jpeg_at_the_limit_leaves_half_of_the_images_detail(xrays: dict[str, np.ndarray]) -> None:
    images = xrays["all"][:200]
    compressed = [apply(image[None], parameters(jpeg_quality=100 - LIMITS["jpeg"]))[0] for image in images]
    before, after = detail(images), detail(np.stack(compressed))
    left = (before * after).sum((1, 2)) / (before**2).sum((1, 2))
    assert np.median(left) == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("columns", [slice(38, 54), slice(100, 116)], ids=["right lung", "left lung"])
def test_a_square_at_the_limit_covers_half_of_a_lung(xrays: dict[str, np.ndarray], columns: slice) -> None:
    """The lung's height is that of the dark part of its columns, at half of the depth to either side."""
    gray = xrays["NORMAL"].mean(0)[:, columns].mean(1)
    bottom = 40 + int(gray[40:110].argmin())
    above, below = gray[:bottom].max(), gray[bottom:].max()
    top = bottom - int((gray[:bottom][::-1] > (above + gray[bottom]) / 2).argmax())
    end = bottom + int((gray[bottom:] > (below + gray[bottom]) / 2).argmax())
    assert LIMITS["cutout"] == pytest.approx((end - top) / 2 / 150, abs=0.03)
