"""Configs: presets, limits, round trips and fingerprints."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core import config as config_module
from pneumo_core.config import (
    AUGMENTATIONS,
    AugmentConfig,
    OperatingRule,
    PlateauConfig,
    Preset,
    TrainConfig,
    Validation,
    augmentation_name,
    config_from_dict,
    config_to_dict,
    fingerprint,
    run_id,
)
from pneumo_core.errors import ConfigError
from pneumo_core.presets import PRESETS, preset_config
from pneumo_core.records import Architecture

DATA_ID = "0" * 64

AUGMENT_LIMITS = {
    "zoom": (0.0, 0.9),
    "rotation_deg": (0.0, 180.0),
    "shift": (0.0, 0.5),
    "contrast": (0.0, 0.9),
    "brightness": (0.0, 0.5),
    "blur_sigma": (0.0, 5.0),
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
}
PLATEAU_LIMITS = {"patience": (0, 1000), "factor": (0.001, 0.999)}

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
    "validation": Validation.TEST,
    "val_fraction": 0.16,
    "operating_rule": OperatingRule.HALF,
    "plateau.mode": "max",
    "plateau.patience": 3,
    "plateau.factor": 0.31,
    "early_stopping_patience": 6,
    "max_images": 600,
    "image_size": 151,
}
"""For each setting of the sound preset, down to the leaves, a slightly different value."""


def sound() -> TrainConfig:
    return preset_config(Architecture.BASELINE, Preset.SOUND)


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
TRAIN_CONFIGS = st.builds(
    TrainConfig,
    architecture=st.sampled_from(Architecture),
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
)


class TestPresets:
    def test_report_is_the_reports_procedure(self) -> None:
        config = preset_config(Architecture.BASELINE, Preset.REPORT)
        assert config.augment == AugmentConfig(zoom=0.3, vertical_flip=True)
        assert (config.batch_size, config.epochs, config.image_size) == (32, 20, 150)
        assert config.early_stopping_patience == 5
        assert config.learning_rate == 1e-3  # Adam's default in Keras
        assert config.bn_momentum == 0.99  # BatchNormalization's default in Keras
        assert config.plateau == PlateauConfig(mode="max", patience=2, factor=0.3)
        assert config.validation is Validation.TEST
        assert config.selected_on_test
        assert config.operating_rule is OperatingRule.HALF
        assert config.max_images is None

    @pytest.mark.parametrize("preset", [Preset.SOUND, Preset.QUICK])
    def test_the_others_never_look_at_test_images(self, preset: Preset) -> None:
        config = preset_config(Architecture.BASELINE, preset)
        assert not config.selected_on_test
        assert config.validation is Validation.PATIENTS
        assert config.plateau.mode == "min"
        assert config.operating_rule is OperatingRule.YOUDEN

    def test_quick_is_the_sound_procedure_on_fewer_images_and_epochs(self) -> None:
        quick = preset_config(Architecture.BASELINE, Preset.QUICK)
        differing = {name for name, value in asdict(sound()).items() if asdict(quick)[name] != value}
        assert differing == {"preset", "epochs", "max_images", "val_fraction"}
        assert quick.epochs < sound().epochs
        assert quick.max_images is not None

    @pytest.mark.parametrize("preset", Preset)
    def test_overrides_reach_the_config_and_nothing_else(self, preset: Preset) -> None:
        plain = preset_config(Architecture.BASELINE, preset)
        custom = preset_config(Architecture.BASELINE, preset, seed=7, epochs=3, augment=AugmentConfig(shift=0.1))
        assert plain.preset is preset
        assert custom == replace(plain, seed=7, epochs=3, augment=AugmentConfig(shift=0.1))

    def test_an_augmentation_that_does_nothing_can_be_chosen(self) -> None:
        config = preset_config(Architecture.BASELINE, Preset.REPORT, augment=AUGMENTATIONS["none"])
        assert config.augment == AugmentConfig()

    def test_zero_epochs_are_refused(self) -> None:
        with pytest.raises(ConfigError, match="epochs"):
            preset_config(Architecture.BASELINE, Preset.SOUND, epochs=0)

    def test_overrides_are_validated(self) -> None:
        with pytest.raises(ConfigError, match=r"epochs must be .*Received: epochs=1001"):
            preset_config(Architecture.BASELINE, Preset.SOUND, epochs=1001)

    @pytest.mark.parametrize("architecture", [Architecture.VGG16, Architecture.DCGAN])
    def test_architectures_that_cannot_be_trained_yet_are_refused(self, architecture: Architecture) -> None:
        with pytest.raises(ConfigError, match=f"Received: architecture='{architecture.value}'"):
            preset_config(architecture, Preset.SOUND)

    def test_every_preset_has_its_note(self) -> None:
        assert set(PRESETS) == set(Preset)
        for note in PRESETS.values():
            assert note.summary
            assert note.caveats


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

    def test_every_number_has_a_limit(self) -> None:
        limited = {*TRAIN_LIMITS, *(f"augment.{name}" for name in AUGMENT_LIMITS)}
        limited |= {f"plateau.{name}" for name in PLATEAU_LIMITS}
        numbers = {path for path in leaves(sound()) if type(OTHER_VALUES[path]) in (int, float)}
        assert limited == numbers

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

    @pytest.mark.parametrize("value", [sound, AugmentConfig, lambda: PlateauConfig("min", 2, 0.3)])
    def test_configs_are_frozen(self, value: Any) -> None:
        config = value()
        field = fields(config)[0].name
        with pytest.raises(FrozenInstanceError):
            setattr(config, field, getattr(config, field))


class TestRoundTrip:
    @settings(deadline=None)
    @given(config=TRAIN_CONFIGS)
    def test_through_json(self, config: TrainConfig) -> None:
        text = json.dumps(config_to_dict(config), allow_nan=False)
        restored = config_from_dict(json.loads(text))
        assert restored == config
        assert fingerprint(restored, DATA_ID) == fingerprint(config, DATA_ID)
        for name in ("architecture", "preset", "validation", "operating_rule", "augment", "plateau"):
            assert type(getattr(restored, name)) is type(getattr(config, name))

    @pytest.mark.parametrize("field", [field.name for field in fields(TrainConfig)])
    def test_a_missing_key_is_refused(self, field: str) -> None:
        data = config_to_dict(sound())
        del data[field]
        with pytest.raises(ConfigError, match=r"exactly the keys .*Received: keys="):
            config_from_dict(data)

    def test_an_unknown_key_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"exactly the keys .*Received: keys=.*'dropout'"):
            config_from_dict({**config_to_dict(sound()), "dropout": 0.5})

    @pytest.mark.parametrize("inner", ["augment", "plateau"])
    def test_an_unknown_inner_key_is_refused(self, inner: str) -> None:
        data = config_to_dict(sound())
        data[inner]["shear"] = 0.1
        with pytest.raises(ConfigError, match="shear"):
            config_from_dict(data)

    @pytest.mark.parametrize(
        "inner",
        [
            "augment",
            "plateau",
        ],
    )
    def test_a_missing_inner_key_is_refused(self, inner: str) -> None:
        data = config_to_dict(sound())
        data[inner].popitem()
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
        ],
    )
    def test_wrong_values_are_refused(self, field: str, value: Any) -> None:
        with pytest.raises(ConfigError):
            config_from_dict({**config_to_dict(sound()), field: value})


class TestFingerprint:
    def test_every_setting_is_tried(self) -> None:
        assert list(OTHER_VALUES) == leaves(sound())

    @pytest.mark.parametrize(("path", "value"), OTHER_VALUES.items())
    def test_every_setting_changes_it(self, path: str, value: Any) -> None:
        before, after = sound(), changed(sound(), path, value)
        assert fingerprint(after, DATA_ID) != fingerprint(before, DATA_ID)
        assert run_id(after, DATA_ID) != run_id(before, DATA_ID)

    def test_no_two_of_these_changes_collide(self) -> None:
        ids = {fingerprint(changed(sound(), path, value), DATA_ID) for path, value in OTHER_VALUES.items()}
        assert len(ids) == len(OTHER_VALUES)

    def test_the_data_changes_it(self) -> None:
        assert fingerprint(sound(), "a") != fingerprint(sound(), "b")

    def test_the_schema_changes_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = fingerprint(sound(), DATA_ID)
        monkeypatch.setattr(config_module, "SCHEMA", config_module.SCHEMA + 1)
        assert fingerprint(sound(), DATA_ID) != before

    @settings(deadline=None)
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
            "import sys; from pneumo_core.config import *; from pneumo_core.records import Architecture\n"
            "sys.stdout.write(fingerprint(preset_config(Architecture.BASELINE, Preset.SOUND), sys.argv[1]))"
        )
        root = str(Path(config_module.__file__).parents[1])
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
