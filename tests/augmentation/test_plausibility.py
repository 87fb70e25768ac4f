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
}
VERDICTS = list(Verdict)


def note_on(**setting: float | bool) -> Note:
    """The one note on a setting."""
    (note,) = plausibility(AugmentConfig(**{"zoom_keeps_aspect": True, **setting}))
    return note


def parameters(**values: float) -> AugmentParameters:
    """What is done to one image: nothing but what is named."""
    neutral = {field.name: 0.0 for field in fields(AugmentParameters)} | {"zoom_x": 1.0, "zoom_y": 1.0, "contrast": 1.0}
    arrays = {name: np.array([value]) for name, value in {**neutral, **values}.items()}
    return AugmentParameters(**{k: v.astype(bool) if k.startswith("flip") else v for k, v in arrays.items()})


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
    everything = AugmentConfig(0.1, False, 7.0, 0.05, True, True, 0.2, 0.1, 1.0)
    names = [note.operation for note in plausibility(everything)]
    assert [name.split()[0] for name in names] == [
        *("Zoom", "Stretch", "Rotation", "Shift", "Horizontal", "Vertical", "Contrast", "Brightness", "Blur")
    ]
    for field in fields(AugmentConfig):
        left = plausibility(replace(everything, **{field.name: type(getattr(everything, field.name))()}))
        gone = {"zoom": 2, "zoom_keeps_aspect": 0}.get(field.name, 1)
        assert len(left) == len(names) - gone
        assert set(left) <= set(plausibility(everything))


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


@pytest.mark.slow
def test_limits_of_contrast_and_brightness_are_twice_the_training_images_spread() -> None:
    folder = os.environ.get("PNEUMO_REAL_DATA")
    if not folder:
        pytest.skip("set PNEUMO_REAL_DATA to a chest_xray folder")
    paths = sorted(Path(folder).glob("train/*/*.jpeg"))
    chosen = np.random.default_rng(0).choice(len(paths), 1500, replace=False)
    images = np.stack([decode_gray(paths[i].read_bytes(), paths[i].name, size=150) for i in chosen])
    means, spreads = images.mean((1, 2)), images.std((1, 2))
    low, high = np.quantile(means, [0.05, 0.95])
    assert LIMITS["brightness"] == pytest.approx(2 * (high - low) / 2 / 255, rel=0.1)
    low, high = np.quantile(spreads, [0.05, 0.95])
    assert LIMITS["contrast"] == pytest.approx(2 * (high - low) / 2 / spreads.mean(), rel=0.1)
