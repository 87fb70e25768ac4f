"""Configs: limits, round trips and fingerprints.

The settings of `augment` are part of it, and the limits of the numbers are those of `limits`.
"""

import hashlib
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import MISSING, FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo_core.config import run as config_module
from pneumo_core.config.augment import ADDED_LATER as STRENGTHS_ADDED_LATER
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig, augmentation_name
from pneumo_core.config.classifier import (
    Balance,
    FineTuneConfig,
    OperatingRule,
    PlateauConfig,
    Preparation,
    Preset,
    Scaling,
    Schedule,
    TrainConfig,
    Validation,
    parse_balance,
)
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_from_dict, config_to_dict, fingerprint, run_id
from pneumo_core.config.split import NamedSplit
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Split

DATA_ID = "0" * 64

AUGMENT_LIMITS = {
    "zoom": (0.0, 0.9),
    "rotation_deg": (0.0, 180.0),
    "shift": (0.0, 0.5),
    "contrast": (0.0, 0.9),
    "brightness": (0.0, 0.5),
    "blur_sigma": (0.0, 5.0),
    "aspect": (0.0, 0.5),
    "resolution": (0.0, 0.9),
    "sharpness": (0.0, 1.0),
    "gamma": (0.0, 2.0),
    "noise": (0.0, 0.3),
    "jpeg": (0.0, 95.0),
    "cutout": (0.0, 0.5),
}
TRAIN_LIMITS = {
    "seed": (0, 2**31 - 1),
    "epochs": (1, 1000),
    "batch_size": (1, 4096),
    "learning_rate": (1e-7, 1.0),
    "bn_momentum": (0.0, 0.9999),
    "val_fraction": (0.01, 0.5),
    "early_stopping_patience": (0, 1000),
    "max_images": (8, 10**7),
    "image_size": (32, 512),
    "mixup": (0.0, 10.0),
    "label_smoothing": (0.0, 0.5),
    "weight_decay": (0.0, 1.0),
    "averaging": (0.0, 0.99999),
}
GAN_RUN = "dcgan-0123456789ab"
PLATEAU_LIMITS = {"patience": (0, 1000), "factor": (0.001, 0.999)}
FINE_TUNE_LIMITS = {"epochs": (1, 1000), "learning_rate": (1e-8, 1.0)}
VIEW_LIMITS = (0, 100)
BLOCK_LIMITS = (0, 5)

NOT_NUMBERS = [math.nan, math.inf, -math.inf, True, False, "1", [1]]

OTHER_VALUES: dict[str, Any] = {
    "architecture": Architecture.VGG16,
    "preset": Preset.QUICK,
    "seed": 1,
    "epochs": 21,
    "batch_size": 33,
    "learning_rate": 1.0001e-3,
    "bn_momentum": 0.91,
    "augment.zoom": 0.11,
    "augment.zoom_keeps_aspect": False,
    "augment.rotation_deg": 7.001,
    "augment.shift": 0.06,
    "augment.horizontal_flip": True,
    "augment.vertical_flip": True,
    "augment.contrast": 0.21,
    "augment.brightness": 0.11,
    "augment.blur_sigma": 1.01,
    "augment.aspect": 0.01,
    "augment.resolution": 0.01,
    "augment.sharpness": 0.01,
    "augment.gamma": 0.01,
    "augment.noise": 0.01,
    "augment.jpeg": 1,
    "augment.cutout": 0.01,
    "validation": Validation.TEST,
    "val_fraction": 0.16,
    "operating_rule": OperatingRule.HALF,
    "plateau.mode": "max",
    "plateau.patience": 3,
    "plateau.factor": 0.31,
    "early_stopping_patience": 6,
    "max_images": 600,
    "image_size": 151,
    "balance": Balance.CLASS_WEIGHT,
    "split_seed": 1,
    "choose_on": Split.STRESS,
    "mixup": 0.01,
    "label_smoothing": 0.01,
    "weight_decay": 0.01,
    "schedule": Schedule.COSINE,
    "averaging": 0.01,
    "test_time_flip": True,
    "preparation": Preparation.PAD,
    "named_split": NamedSplit("one", "0123456789ab"),
}
"""For each setting of the sound preset that any network has, down to the leaves, a slightly different value."""

OTHER_VGG16_VALUES: dict[str, Any] = {
    "scaling": Scaling.UNIT,
    "feature_views": 5,
    "fine_tune.epochs": 4,
    "fine_tune.learning_rate": 1.1e-5,
}
"""The same for what VGG16 alone has."""

OTHER_FROZEN_VALUES: dict[str, Any] = {"trained_blocks": 1}
"""The same for what VGG16 has without a second phase."""

OTHER_GAN_VALUES: dict[str, Any] = {"gan_run": "dcgan-ba9876543210", "gap_percent": 99}
"""The same for what the arm 'gan' has."""

ALL_OTHER_VALUES: dict[str, Any] = {**OTHER_VALUES, **OTHER_VGG16_VALUES, **OTHER_FROZEN_VALUES, **OTHER_GAN_VALUES}

ADDED_LATER = [field.name for field in fields(TrainConfig) if field.default is not MISSING]


def sound() -> TrainConfig:
    return preset_config(Architecture.BASELINE, Preset.SOUND)


def vgg16() -> TrainConfig:
    """A config of VGG16 with everything that it alone has."""
    return preset_config(Architecture.VGG16, Preset.SOUND, fine_tune=FineTuneConfig(epochs=3))


def gan_arm() -> TrainConfig:
    """A config that adds a DCGAN's samples."""
    return replace(sound(), balance=Balance.GAN, gan_run=GAN_RUN)


def base_of(path: str) -> TrainConfig:
    """A config that has the setting of this path."""
    if path in OTHER_FROZEN_VALUES:
        return replace(vgg16(), fine_tune=None)
    return gan_arm() if path in OTHER_GAN_VALUES else vgg16() if path in OTHER_VGG16_VALUES else sound()


def changed(config: TrainConfig, path: str, value: Any) -> TrainConfig:
    """`config` with one setting, named by its path such as ``augment.zoom``, changed."""
    outer, _, inner = path.partition(".")
    return replace(config, **{outer: replace(getattr(config, outer), **{inner: value}) if inner else value})


def leaves(config: Any, prefix: str = "") -> list[str]:
    """Paths of all settings that hold no config of their own."""
    paths = []
    for field in fields(config):
        value = getattr(config, field.name)
        paths += leaves(value, f"{field.name}.") if is_dataclass(value) else [prefix + field.name]
    return paths


def limited_float(limits: tuple[float, float]) -> st.SearchStrategy[float]:
    return st.floats(*limits)


def limited_int(limits: tuple[float, float]) -> st.SearchStrategy[int]:
    return st.integers(int(limits[0]), int(limits[1]))


AUGMENT_CONFIGS = st.builds(
    AugmentConfig,
    **{name: limited_float(limits) for name, limits in AUGMENT_LIMITS.items()},
    **{name: st.booleans() for name in ("zoom_keeps_aspect", "horizontal_flip", "vertical_flip")},
)
ANY_CONFIGS = st.builds(
    TrainConfig,
    architecture=st.sampled_from([Architecture.BASELINE, Architecture.COMPACT, Architecture.VGG16]),
    preset=st.sampled_from(Preset),
    seed=limited_int(TRAIN_LIMITS["seed"]),
    epochs=limited_int(TRAIN_LIMITS["epochs"]),
    batch_size=limited_int(TRAIN_LIMITS["batch_size"]),
    learning_rate=limited_float(TRAIN_LIMITS["learning_rate"]),
    bn_momentum=limited_float(TRAIN_LIMITS["bn_momentum"]),
    augment=AUGMENT_CONFIGS,
    validation=st.sampled_from(Validation),
    val_fraction=limited_float(TRAIN_LIMITS["val_fraction"]),
    operating_rule=st.sampled_from(OperatingRule),
    plateau=st.builds(
        PlateauConfig,
        mode=st.sampled_from(["min", "max"]),
        patience=limited_int(PLATEAU_LIMITS["patience"]),
        factor=limited_float(PLATEAU_LIMITS["factor"]),
    ),
    early_stopping_patience=limited_int(TRAIN_LIMITS["early_stopping_patience"]),
    max_images=st.none() | limited_int(TRAIN_LIMITS["max_images"]),
    image_size=limited_int(TRAIN_LIMITS["image_size"]),
    balance=st.sampled_from([arm for arm in Balance if arm is not Balance.GAN]),
    split_seed=st.none() | limited_int(TRAIN_LIMITS["seed"]),
    **{name: limited_float(TRAIN_LIMITS[name]) for name in ("mixup", "label_smoothing", "weight_decay", "averaging")},
    schedule=st.sampled_from(Schedule),
    test_time_flip=st.booleans(),
    preparation=st.sampled_from(Preparation),
)
VGG16_CONFIGS = st.builds(
    replace,
    ANY_CONFIGS,
    architecture=st.just(Architecture.VGG16),
    scaling=st.sampled_from(Scaling),
    feature_views=limited_int(VIEW_LIMITS),
    fine_tune=st.none()
    | st.builds(
        FineTuneConfig,
        epochs=limited_int(FINE_TUNE_LIMITS["epochs"]),
        learning_rate=limited_float(FINE_TUNE_LIMITS["learning_rate"]),
    ),
)
GAN_ARM_CONFIGS = st.builds(
    replace,
    ANY_CONFIGS,
    balance=st.just(Balance.GAN),
    gan_run=st.from_regex(r"dcgan-[0-9a-f]{12}", fullmatch=True),
    gap_percent=st.integers(1, 100),
)
STRESS_CONFIGS = st.builds(
    replace, ANY_CONFIGS, validation=st.just(Validation.PATIENTS), choose_on=st.sampled_from([Split.VAL, Split.STRESS])
)
TRAINED_BLOCKS_CONFIGS = st.builds(
    replace, ANY_CONFIGS, architecture=st.just(Architecture.VGG16), trained_blocks=limited_int(BLOCK_LIMITS)
)
TRAIN_CONFIGS = ANY_CONFIGS | VGG16_CONFIGS | GAN_ARM_CONFIGS | STRESS_CONFIGS | TRAINED_BLOCKS_CONFIGS


class TestAugmentations:
    def test_the_reports_settings_and_its_two_trials(self) -> None:
        assert AUGMENTATIONS["report"] == AugmentConfig(zoom=0.3, vertical_flip=True)
        assert AUGMENTATIONS["report-horizontal-flip"] == AugmentConfig(
            zoom=0.3, vertical_flip=True, horizontal_flip=True
        )
        assert AUGMENTATIONS["report-rotation-40"] == AugmentConfig(zoom=0.3, vertical_flip=True, rotation_deg=40.0)
        assert AUGMENTATIONS["none"] == AugmentConfig()

    def test_sound_does_nothing_that_anatomy_forbids(self) -> None:
        augment = AUGMENTATIONS["sound"]
        assert not augment.horizontal_flip
        assert not augment.vertical_flip
        assert augment.zoom_keeps_aspect

    def test_names_are_found_again(self) -> None:
        assert {name: augmentation_name(augment) for name, augment in AUGMENTATIONS.items()} == {
            name: name for name in AUGMENTATIONS
        }
        assert augmentation_name(AugmentConfig(zoom=0.31, vertical_flip=True)) == "custom"


class TestValidation:
    def check(self, make: Any, field: str, name: str, limits: tuple[float, float]) -> None:
        """Both limits are taken, and what lies just outside or is no number is refused in words that name it."""
        low, high = limits
        for value in limits:
            make(**{field: value})
        below = low - 1 if isinstance(low, int) else math.nextafter(low, -math.inf)
        above = high + 1 if isinstance(high, int) else math.nextafter(high, math.inf)
        for value in [below, above, *NOT_NUMBERS]:
            received = re.escape(f"Received: {name}={value!r}")
            with pytest.raises(
                ConfigError, match=f"^{re.escape(name)} must be a (whole )?number from .* to .*{received}$"
            ):
                make(**{field: value})

    @pytest.mark.parametrize(("field", "limits"), AUGMENT_LIMITS.items())
    def test_augment_limits(self, field: str, limits: tuple[float, float]) -> None:
        self.check(AugmentConfig, field, f"augment.{field}", limits)

    @pytest.mark.parametrize(("field", "limits"), TRAIN_LIMITS.items())
    def test_train_limits(self, field: str, limits: tuple[float, float]) -> None:
        self.check(lambda **change: replace(sound(), **change), field, field, limits)

    @pytest.mark.parametrize(("field", "limits"), PLATEAU_LIMITS.items())
    def test_plateau_limits(self, field: str, limits: tuple[float, float]) -> None:
        self.check(lambda **change: replace(sound().plateau, **change), field, f"plateau.{field}", limits)

    @pytest.mark.parametrize(("field", "limits"), FINE_TUNE_LIMITS.items())
    def test_fine_tune_limits(self, field: str, limits: tuple[float, float]) -> None:
        self.check(lambda **change: replace(FineTuneConfig(1), **change), field, f"fine_tune.{field}", limits)

    def test_feature_view_limits(self) -> None:
        self.check(lambda **change: replace(vgg16(), **change), "feature_views", "feature_views", VIEW_LIMITS)

    def test_trained_block_limits(self) -> None:
        make = lambda **change: replace(vgg16(), fine_tune=None, **change)  # noqa: E731
        self.check(make, "trained_blocks", "trained_blocks", BLOCK_LIMITS)

    def test_every_number_has_a_limit(self) -> None:
        limited = {
            *TRAIN_LIMITS,
            "feature_views",
            "gap_percent",
            "split_seed",
            "trained_blocks",
            *(f"augment.{name}" for name in AUGMENT_LIMITS),
        }
        limited |= {f"plateau.{name}" for name in PLATEAU_LIMITS} | {f"fine_tune.{name}" for name in FINE_TUNE_LIMITS}
        assert limited == {path for path in leaves(vgg16()) if type(ALL_OTHER_VALUES[path]) in (int, float)}

    @pytest.mark.parametrize("architecture", [Architecture.BASELINE, Architecture.COMPACT])
    @pytest.mark.parametrize(
        ("field", "value"),
        [("feature_views", 1), ("fine_tune", FineTuneConfig(3)), ("scaling", Scaling.IMAGENET), ("trained_blocks", 1)],
    )
    def test_what_needs_pretrained_weights_needs_vgg16(
        self, architecture: Architecture, field: str, value: Any
    ) -> None:
        message = rf"^{field} needs .* vgg16\. Received: architecture='{architecture}', {field}=.*; leave {field} out$"
        with pytest.raises(ConfigError, match=message):
            replace(sound(), architecture=architecture, **{field: value})
        assert getattr(replace(sound(), architecture=Architecture.VGG16, **{field: value}), field) == value

    def test_blocks_are_trained_from_the_start_or_in_a_second_phase(self) -> None:
        with pytest.raises(ConfigError, match=r"^fine_tune adds .*Received: both; leave one out$"):
            replace(vgg16(), trained_blocks=1)

    @pytest.mark.parametrize(
        "change",
        [{"validation": Validation.TEST}, {"split_seed": 3}, {"balance": Balance.GAN, "gan_run": GAN_RUN}],
        ids=str,
    )
    def test_a_saved_split_excludes_other_choices_of_patients(self, change: dict[str, Any]) -> None:
        split = NamedSplit("one", "0123456789ab")
        with pytest.raises(
            ConfigError, match=r"^a saved split alone says .*Received: the split 'one' and .*; leave one out$"
        ):
            replace(sound(), named_split=split, **change)
        assert replace(sound(), named_split=split).named_split == split

    @pytest.mark.parametrize("split", [Split.TRAIN, Split.TEST])
    def test_only_val_and_stress_choose(self, split: Split) -> None:
        with pytest.raises(ConfigError, match=f"^choose_on must be .*Received: choose_on='{split}'"):
            replace(sound(), choose_on=split)

    def test_degraded_copies_choose_only_where_patients_are_held_out(self) -> None:
        report = preset_config(Architecture.BASELINE, Preset.REPORT)
        with pytest.raises(ConfigError, match=r"^choose_on must be .*choose_on='stress', validation='test'$"):
            replace(report, choose_on=Split.STRESS)

    def test_gap_percent_limits(self) -> None:
        self.check(lambda **change: replace(gan_arm(), **change), "gap_percent", "gap_percent", (1, 100))

    def test_split_seed_limits(self) -> None:
        make = lambda **change: replace(sound(), seed=7, **change)  # noqa: E731  Equal seeds are one config.
        self.check(make, "split_seed", "split_seed", TRAIN_LIMITS["seed"])

    def test_a_split_seed_that_is_the_seed_is_none(self) -> None:
        assert replace(sound(), seed=3, split_seed=3) == replace(sound(), seed=3)

    def test_a_dcgan_is_no_classifier(self) -> None:
        with pytest.raises(
            ConfigError, match=r"must be 'baseline', 'compact' or 'vgg16'\. Received: architecture='dcgan'"
        ):
            replace(sound(), architecture=Architecture.DCGAN)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"balance": Balance.GAN}, "gan_run=None; write gan:RUN"),
            ({"gan_run": GAN_RUN}, f"balance='none', gan_run='{GAN_RUN}'"),
            ({"balance": Balance.GAN, "gan_run": "baseline-0123456789ab"}, "must be a DCGAN's run"),
            ({"balance": Balance.GAN, "gan_run": "dcgan-../../x"}, "must be a DCGAN's run"),
            ({"gap_percent": 50}, "needs an arm that adds images"),
            ({"balance": Balance.CLASS_WEIGHT, "gap_percent": 50}, "needs an arm that adds images"),
        ],
    )
    def test_what_the_arms_need(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=re.escape(message)):
            replace(sound(), **change)

    @pytest.mark.parametrize("arm", [arm for arm in Balance if arm is not Balance.GAN])
    def test_arms_are_written_by_their_names(self, arm: Balance) -> None:
        assert parse_balance(arm.value) == (arm, None)
        with pytest.raises(ConfigError, match="balance must be one of"):
            parse_balance(f"{arm.value}:{GAN_RUN}")

    def test_the_arm_of_a_dcgan_is_written_with_its_run(self) -> None:
        assert parse_balance(f"gan:{GAN_RUN}") == (Balance.GAN, GAN_RUN)
        for text in ("gan", "gan:", "GAN:x", ""):
            with pytest.raises(ConfigError, match=r"gan:RUN.*Received: balance="):
                parse_balance(text)

    @pytest.mark.parametrize("field", [name for name in TRAIN_LIMITS if name != "max_images"])
    def test_none_is_no_number(self, field: str) -> None:
        with pytest.raises(ConfigError, match=f"Received: {field}=None"):
            replace(sound(), **{field: None})

    def test_no_limit_on_images_is_none(self) -> None:
        assert replace(sound(), max_images=None).max_images is None

    @pytest.mark.parametrize("mode", ["auto", "MIN", "", None, 1])
    def test_plateau_modes(self, mode: Any) -> None:
        with pytest.raises(ConfigError, match=re.escape(f"mode={mode!r}")):
            PlateauConfig(mode=mode, patience=2, factor=0.3)

    @pytest.mark.parametrize("field", ["seed", "epochs", "batch_size", "early_stopping_patience", "image_size"])
    def test_whole_numbers_are_required(self, field: str) -> None:
        with pytest.raises(ConfigError, match=field):
            replace(sound(), **{field: 100.5})

    @pytest.mark.parametrize("field", ["zoom_keeps_aspect", "horizontal_flip", "vertical_flip"])
    def test_switches_are_required_to_be_booleans(self, field: str) -> None:
        with pytest.raises(ConfigError, match=field):
            AugmentConfig(**{field: "no"})

    @pytest.mark.parametrize(
        "value", [sound, AugmentConfig, lambda: PlateauConfig("min", 2, 0.3), lambda: FineTuneConfig(3)]
    )
    def test_configs_are_frozen(self, value: Any) -> None:
        config = value()
        field = fields(config)[0].name
        with pytest.raises(FrozenInstanceError):
            setattr(config, field, getattr(config, field))


class TestRoundTrip:
    @given(config=TRAIN_CONFIGS)
    def test_through_json(self, config: TrainConfig) -> None:
        text = json.dumps(config_to_dict(config), allow_nan=False)
        restored = config_from_dict(json.loads(text))
        assert restored == config
        assert fingerprint(restored, DATA_ID) == fingerprint(config, DATA_ID)
        for name in (field.name for field in fields(TrainConfig)):
            assert type(getattr(restored, name)) is type(getattr(config, name))

    @pytest.mark.parametrize("config", [sound(), vgg16()], ids=["baseline", "vgg16"])
    @pytest.mark.parametrize("field", ADDED_LATER)
    def test_a_config_from_before_a_field_has_its_default(self, config: TrainConfig, field: str) -> None:
        data = config_to_dict(config)
        del data[field]
        default = next(known.default for known in fields(TrainConfig) if known.name == field)
        assert config_from_dict(data) == replace(config, **{field: default})

    @pytest.mark.parametrize("strength", STRENGTHS_ADDED_LATER)
    def test_a_config_from_before_a_strength_has_none_of_it(self, strength: str) -> None:
        config = changed(sound(), f"augment.{strength}", 0.25)
        data = config_to_dict(config)
        del data["augment"][strength]
        assert config_from_dict(data) == changed(config, f"augment.{strength}", 0.0)

    @pytest.mark.parametrize("field", [field.name for field in fields(TrainConfig) if field.name not in ADDED_LATER])
    def test_a_missing_key_is_refused(self, field: str) -> None:
        data = config_to_dict(sound())
        del data[field]
        with pytest.raises(ConfigError, match=r"exactly the keys .*Received: keys="):
            config_from_dict(data)

    def test_an_unknown_key_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"exactly the keys .*Received: keys=.*'dropout'"):
            config_from_dict({**config_to_dict(sound()), "dropout": 0.5})

    @pytest.mark.parametrize("inner", ["augment", "plateau", "fine_tune"])
    def test_an_unknown_inner_key_is_refused(self, inner: str) -> None:
        data = config_to_dict(vgg16())
        data[inner]["shear"] = 0.1
        with pytest.raises(ConfigError, match="shear"):
            config_from_dict(data)

    @pytest.mark.parametrize("inner", ["augment", "plateau", "fine_tune"])
    def test_a_missing_inner_key_is_refused(self, inner: str) -> None:
        data = config_to_dict(vgg16())
        del data[inner][next(iter(data[inner]))]
        with pytest.raises(ConfigError):
            config_from_dict(data)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("architecture", "resnet"),
            ("preset", "REPORT"),
            ("validation", None),
            ("operating_rule", 0.5),
            ("augment", None),
            ("plateau", [1, 2, 3]),
            ("seed", "1"),
            ("epochs", None),
            ("learning_rate", math.nan),
            ("max_images", True),
            ("balance", "gan"),
            ("balance", None),
            ("scaling", "zscore"),
            ("feature_views", -1),
            ("feature_views", 1.5),
            ("fine_tune", {}),
            ("fine_tune", 3),
            ("fine_tune", {"epochs": 0, "learning_rate": 1e-5}),
            ("choose_on", "train"),
            ("named_split", "one"),
            ("named_split", {"name": "one"}),
            ("named_split", {"name": "One", "digest": "0" * 12}),
            ("schedule", "step"),
            ("preparation", "crop"),
            ("test_time_flip", "yes"),
        ],
    )
    def test_wrong_values_are_refused(self, field: str, value: Any) -> None:
        with pytest.raises(ConfigError) as caught:
            config_from_dict({**config_to_dict(vgg16()), field: value})
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("data", [None, [], "config", 3])
    def test_what_is_no_object_is_refused(self, data: Any) -> None:
        with pytest.raises(ConfigError, match="Received: "):
            config_from_dict(data)


class TestFingerprint:
    def test_every_setting_is_tried(self) -> None:
        assert set(leaves(vgg16())) == set(ALL_OTHER_VALUES)
        apart = {*OTHER_VGG16_VALUES, *OTHER_FROZEN_VALUES, *OTHER_GAN_VALUES}
        assert [path for path in leaves(vgg16()) if path not in apart] == list(OTHER_VALUES)

    @pytest.mark.parametrize(("path", "value"), ALL_OTHER_VALUES.items())
    def test_every_setting_changes_it(self, path: str, value: Any) -> None:
        before, after = base_of(path), changed(base_of(path), path, value)
        assert fingerprint(after, DATA_ID) != fingerprint(before, DATA_ID)
        assert run_id(after, DATA_ID) != run_id(before, DATA_ID)

    def test_no_two_of_these_changes_collide(self) -> None:
        ids = {fingerprint(changed(base_of(path), path, value), DATA_ID) for path, value in ALL_OTHER_VALUES.items()}
        assert len(ids) == len(ALL_OTHER_VALUES)

    @pytest.mark.parametrize("field", ADDED_LATER)
    def test_a_field_that_came_later_counts_where_it_is_not_its_default(self, field: str) -> None:
        plain = replace(sound(), architecture=Architecture.VGG16)
        if field in OTHER_GAN_VALUES:
            plain = replace(plain, balance=Balance.GAN, gan_run=GAN_RUN)
        later = replace(vgg16(), balance=Balance.OVERSAMPLE, gap_percent=50, split_seed=5)
        value = ALL_OTHER_VALUES.get(field, getattr(later, field))
        value = getattr(later, field) if value == getattr(plain, field) else value
        assert fingerprint(replace(plain, **{field: value}), DATA_ID) != fingerprint(plain, DATA_ID)

    @pytest.mark.parametrize("config", [sound(), preset_config(Architecture.BASELINE, Preset.REPORT)])
    def test_ids_from_before_a_field_was_added_stay(self, config: TrainConfig) -> None:
        """The id as it was computed when runs had none of the later fields, written out once more."""

        def floats(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: floats(item) for key, item in value.items() if key not in later}
            return float(value) if type(value) is int else value

        later = {*ADDED_LATER, *STRENGTHS_ADDED_LATER}
        payload = {"config": floats(json.loads(json.dumps(config_to_dict(config)))), "data_id": DATA_ID, "schema": 1}
        expected = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
        assert fingerprint(config, DATA_ID) == expected

    def test_a_saved_split_counts_by_its_content_not_its_name(self) -> None:
        one, renamed, other = (
            replace(sound(), named_split=NamedSplit(name, digest))
            for name, digest in (("one", "0" * 12), ("two", "0" * 12), ("one", "1" * 12))
        )
        assert one == renamed
        assert fingerprint(one, DATA_ID) == fingerprint(renamed, DATA_ID) != fingerprint(other, DATA_ID)
        # Nothing is drawn, so the share to draw is no part of it.
        assert fingerprint(replace(one, val_fraction=0.3), DATA_ID) == fingerprint(one, DATA_ID)

    def test_the_data_changes_it(self) -> None:
        assert fingerprint(sound(), "a") != fingerprint(sound(), "b")

    def test_the_schema_changes_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = fingerprint(sound(), DATA_ID)
        monkeypatch.setattr(config_module, "SCHEMA", config_module.SCHEMA + 1)
        assert fingerprint(sound(), DATA_ID) != before

    @given(left=TRAIN_CONFIGS, right=TRAIN_CONFIGS)
    def test_equal_exactly_where_configs_are(self, left: TrainConfig, right: TrainConfig) -> None:
        assert (fingerprint(left, DATA_ID) == fingerprint(right, DATA_ID)) == (left == right)

    def test_equal_numbers_of_another_type_change_nothing(self) -> None:
        whole = changed(sound(), "augment.rotation_deg", 40)
        floating = changed(sound(), "augment.rotation_deg", 40.0)
        assert whole == floating
        assert fingerprint(whole, DATA_ID) == fingerprint(floating, DATA_ID)

    def test_key_order_does_not_matter(self) -> None:
        backwards = dict(reversed(config_to_dict(sound()).items()))
        assert fingerprint(config_from_dict(backwards), DATA_ID) == fingerprint(sound(), DATA_ID)

    @pytest.mark.parametrize("hash_seed", ["1", "2"])
    def test_another_process_finds_the_same(self, hash_seed: str) -> None:
        code = (
            "import sys; from pneumo_core.config.classifier import *; from pneumo_core.config.run import *\n"
            "from pneumo_core.records import Architecture\n"
            "from pneumo_core.config.presets import preset_config\n"
            "sys.stdout.write(fingerprint(preset_config(Architecture.BASELINE, Preset.SOUND), sys.argv[1]))"
        )
        root = str(Path(config_module.__file__).parents[2])
        child = subprocess.run(
            [sys.executable, "-c", code, DATA_ID],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": root},
            capture_output=True,
            text=True,
            check=True,
        )
        assert child.stdout == fingerprint(sound(), DATA_ID)

    def test_run_id_is_architecture_and_twelve_digits(self) -> None:
        config = sound()
        assert re.fullmatch(r"baseline-[0-9a-f]{12}", run_id(config, DATA_ID))
        assert run_id(config, DATA_ID) == f"baseline-{fingerprint(config, DATA_ID)[:12]}"
        assert re.fullmatch(r"[0-9a-f]{64}", fingerprint(config, DATA_ID))
