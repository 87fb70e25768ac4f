"""Presets: what each stands for, what may be changed about it, and what it becomes for VGG16."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.config.classifier import (
    Balance,
    FineTuneConfig,
    OperatingRule,
    PlateauConfig,
    Preset,
    Scaling,
    Schedule,
    Validation,
)
from pneumo_core.config.presets import COMPACT_SIZE, PRESETS, preset_config
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Split
from tests.hostile import refuses

BOTH = pytest.mark.parametrize("architecture", [Architecture.BASELINE, Architecture.VGG16])
ALL = pytest.mark.parametrize("architecture", [Architecture.BASELINE, Architecture.COMPACT, Architecture.VGG16])

VGG16_TABLE = {
    Preset.REPORT: {"feature_views": 2},
    Preset.SOUND: {"feature_views": 4, "scaling": Scaling.IMAGENET},
    Preset.BEST: {
        "epochs": 6,
        "learning_rate": 1e-4,
        "image_size": 128,
        "scaling": Scaling.IMAGENET,
        "feature_views": 6,
        "trained_blocks": 2,
        "averaging": 0.99,
    },
    Preset.QUICK: {"feature_views": 2, "scaling": Scaling.IMAGENET, "max_images": 300},
}
"""All that VGG16's presets have other than the baseline's."""


def differing(a: Any, b: Any) -> dict[str, Any]:
    """Values of `b` by name where `a` has others."""
    return {name: getattr(b, name) for name, value in asdict(a).items() if asdict(b)[name] != value}


@BOTH
def test_report_is_the_reports_procedure(architecture: Architecture) -> None:
    config = preset_config(architecture, Preset.REPORT)
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
    assert config.scaling is Scaling.UNIT  # section 2.3
    assert config.balance is Balance.NONE


@ALL
@pytest.mark.parametrize("preset", [Preset.SOUND, Preset.BEST, Preset.QUICK])
def test_the_others_never_look_at_test_images(architecture: Architecture, preset: Preset) -> None:
    config = preset_config(architecture, preset)
    assert not config.selected_on_test
    assert config.validation is Validation.PATIENTS
    assert config.plateau.mode == "min"
    by_model = preset is Preset.BEST
    assert config.operating_rule is (OperatingRule.LOGISTIC if by_model else OperatingRule.YOUDEN)


@ALL
def test_best_chooses_on_degraded_copies_of_what_sound_holds_out(architecture: Architecture) -> None:
    sound, best = (preset_config(architecture, preset) for preset in (Preset.SOUND, Preset.BEST))
    assert (best.choose_on, sound.choose_on) == (Split.STRESS, Split.VAL)
    assert best.val_fraction == sound.val_fraction
    assert best.augment == AUGMENTATIONS["jitter"]
    assert best.schedule is Schedule.COSINE
    assert best.early_stopping_patience >= best.epochs  # A cosine is followed to its end.
    assert min(best.mixup, best.weight_decay, best.averaging) > 0
    assert best.test_time_flip


@pytest.mark.parametrize("preset", Preset)
def test_the_compact_network_s_presets_are_the_baseline_s_but_for_size_rate_and_epochs(preset: Preset) -> None:
    baseline, compact = (preset_config(kind, preset) for kind in (Architecture.BASELINE, Architecture.COMPACT))
    own = {"architecture": Architecture.COMPACT, "image_size": COMPACT_SIZE}
    assert differing(baseline, compact) == own | (
        {"epochs": 16, "learning_rate": 2e-3} if preset is Preset.BEST else {}
    )


@BOTH
def test_quick_is_the_sound_procedure_on_fewer_images_and_epochs(architecture: Architecture) -> None:
    sound, quick = (preset_config(architecture, preset) for preset in (Preset.SOUND, Preset.QUICK))
    assert set(differing(sound, quick)) - {"feature_views"} == {"preset", "epochs", "max_images", "val_fraction"}
    assert quick.epochs < sound.epochs
    assert quick.max_images is not None
    assert quick.max_images <= 600
    assert quick.feature_views <= sound.feature_views


@pytest.mark.parametrize("preset", Preset)
def test_vgg16_s_presets_are_the_baseline_s_but_for_its_own(preset: Preset) -> None:
    baseline, vgg16 = (preset_config(kind, preset) for kind in (Architecture.BASELINE, Architecture.VGG16))
    assert differing(baseline, vgg16) == {"architecture": Architecture.VGG16, **VGG16_TABLE[preset]}
    assert vgg16.fine_tune is None


@pytest.mark.parametrize("preset", Preset)
def test_overrides_reach_the_config_and_nothing_else(preset: Preset) -> None:
    plain = preset_config(Architecture.BASELINE, preset)
    augment = AugmentConfig(shift=0.1)
    custom = preset_config(Architecture.BASELINE, preset, seed=7, epochs=3, augment=augment, balance=Balance.OVERSAMPLE)
    assert plain.preset is preset
    assert custom == replace(plain, seed=7, epochs=3, augment=augment, balance=Balance.OVERSAMPLE)

    plain = preset_config(Architecture.VGG16, preset)
    own: dict[str, Any] = {"feature_views": 0, "fine_tune": FineTuneConfig(2), "trained_blocks": 0}
    assert preset_config(Architecture.VGG16, preset, **own) == replace(plain, **own)


def test_a_setting_that_is_not_given_is_the_preset_s() -> None:
    plain = preset_config(Architecture.BASELINE, Preset.BEST)
    changes: dict[str, Any] = {"mixup": 0.5, "image_size": 64, "schedule": Schedule.PLATEAU, "test_time_flip": False}
    assert preset_config(Architecture.BASELINE, Preset.BEST, **changes) == replace(plain, **changes)
    assert preset_config(Architecture.BASELINE, Preset.BEST, **dict.fromkeys(changes)) == plain
    assert preset_config(Architecture.BASELINE, Preset.SOUND, balance=None) == preset_config(
        Architecture.BASELINE, Preset.SOUND
    )
    assert preset_config(Architecture.BASELINE, Preset.BEST, balance=Balance.NONE).balance is Balance.NONE


def test_an_augmentation_that_does_nothing_can_be_chosen() -> None:
    config = preset_config(Architecture.BASELINE, Preset.REPORT, augment=AUGMENTATIONS["none"])
    assert config.augment == AugmentConfig()


@pytest.mark.parametrize("epochs", [0, 1001])
def test_overrides_are_validated(epochs: int) -> None:
    with pytest.raises(ConfigError, match=rf"epochs must be .*Received: epochs={epochs}"):
        preset_config(Architecture.BASELINE, Preset.SOUND, epochs=epochs)


@pytest.mark.parametrize("change", [{"feature_views": 2}, {"fine_tune": FineTuneConfig(3)}])
def test_what_only_vgg16_has_is_refused_for_the_baseline(change: dict[str, Any]) -> None:
    (name,) = change
    with refuses(ConfigError, "vgg16", "architecture='baseline'", f"leave {name} out"):
        preset_config(Architecture.BASELINE, Preset.SOUND, **change)
    assert preset_config(Architecture.BASELINE, Preset.SOUND, feature_views=0).feature_views == 0


def test_a_generator_is_no_classifier() -> None:
    with refuses(ConfigError, "'baseline', 'compact' or 'vgg16'", "architecture='dcgan'"):
        preset_config(Architecture.DCGAN, Preset.SOUND)


def test_every_preset_has_its_note() -> None:
    assert set(PRESETS) == set(Preset)
    for note in PRESETS.values():
        assert note.summary
        assert note.caveats
