"""Presets, the starting points of a config: the report's procedure, a sound one, the best one, and a quick one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import (
    Balance,
    OperatingRule,
    PlateauConfig,
    Preset,
    PresetNote,
    Scaling,
    Schedule,
    TrainConfig,
    Validation,
)
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.records import Architecture, Split

COMPACT_SIZE: Final = 96
"""Side of the compact network's images in pixels; docs/recipe.md compares others."""

PRESETS: Final[dict[Preset, PresetNote]] = {
    Preset.REPORT: PresetNote(
        summary="The report's procedure of 2020, its mistakes included.",
        caveats=(
            "Validation on the test images: epoch and learning rate are selected on test (section 3.3).",
            "ReduceLROnPlateau watches val_loss with mode='max', so the rate falls while the loss improves (section 3.3).",
            "Vertical flip augmentation shows lungs upside down (section 2.3).",
            "Plateau patience 2 and factor 0.3 are not in the report; they are common in notebooks on this data set.",
        ),
        vgg16_caveats=(
            "VGG16 sees pixels in [0, 1], not prepared as for ImageNet (section 2.3).",
            "VGG16's dropout rates are not in the report; they are taken from the baseline: 0.5, 0.3, 0.2.",
            "VGG16's head trains on two stored views of each image; an exact reproduction needs 0 feature views.",
        ),
    ),
    Preset.SOUND: PresetNote(
        summary="Patients held out for validation, plausible augmentation, threshold chosen on validation.",
        caveats=("Held-out patients of train score higher than test, and a threshold chosen on them fits test badly.",),
    ),
    Preset.BEST: PresetNote(
        summary="The recipe of docs/recipe.md: what gives a file's class away is jittered, and stress chooses.",
        caveats=(
            "The degraded copies imitate how images differ between hospitals and years; no copy imitates all of it.",
        ),
        vgg16_caveats=("One run of VGG16 with this preset is published; its loss was still falling when it ended.",),
    ),
    Preset.QUICK: PresetNote(
        summary="A minute or two on two cores: a small sample and few epochs, to check that everything works.",
        caveats=("Trained on a sample for a few epochs: its figures say little about the architecture.",),
    ),
}


def members_caveats(config: EnsembleConfig) -> tuple[str, ...]:
    """Limitations of the figures of an ensemble: those of its members' networks in its preset, each once."""
    note = PRESETS[config.preset]
    return tuple(dict.fromkeys(caveat for network in config.networks for caveat in note.caveats_of(network)))


def preset_config(
    architecture: Architecture,
    preset: Preset,
    *,
    seed: int = 0,
    balance: Balance | None = None,
    gap_percent: int = 100,
    **changes: Any,
) -> TrainConfig:
    """Config of a preset, with settings that differ from it.

    Args:
        architecture: Model to train.
        preset: Preset to start from.
        seed: Seed of everything random.
        balance: How class imbalance is handled, or None for the preset's arm.
        gap_percent: Percentage of the gap between the class sizes that added images close; ignored by arms that add none.
        **changes: Further fields of `TrainConfig`; None keeps the preset's value.

    Raises:
        ConfigError: A value is out of its range or does not fit the architecture.
    """
    config = _ADAPTED[architecture](_PRESET_CONFIGS[preset])
    arm = config.balance if balance is None else balance
    changed = {name: value for name, value in changes.items() if value is not None}
    return replace(config, seed=seed, balance=arm, gap_percent=gap_percent if arm.adds_images else 100, **changed)


_SOUND: Final = TrainConfig(
    architecture=Architecture.BASELINE,
    preset=Preset.SOUND,
    seed=0,
    epochs=20,
    batch_size=32,
    learning_rate=1e-3,
    # Keras' default of 0.99 needs several hundred steps to settle, which makes early validation losses meaningless
    # and early stopping arbitrary.
    bn_momentum=0.9,
    augment=AUGMENTATIONS["sound"],
    validation=Validation.PATIENTS,
    val_fraction=0.15,
    operating_rule=OperatingRule.YOUDEN,
    plateau=PlateauConfig(mode="min", patience=2, factor=0.3),
    early_stopping_patience=5,
    max_images=None,
    image_size=150,
)

_PRESET_CONFIGS: Final = {
    Preset.SOUND: _SOUND,
    Preset.REPORT: replace(
        _SOUND,
        preset=Preset.REPORT,
        bn_momentum=0.99,
        augment=AUGMENTATIONS["report"],
        validation=Validation.TEST,
        operating_rule=OperatingRule.HALF,
        plateau=PlateauConfig(mode="max", patience=2, factor=0.3),
    ),
    Preset.BEST: replace(
        _SOUND,
        preset=Preset.BEST,
        augment=AUGMENTATIONS["jitter"],
        balance=Balance.CLASS_WEIGHT,
        # A cosine ends where it was meant to.
        early_stopping_patience=40,
        operating_rule=OperatingRule.LOGISTIC,
        choose_on=Split.STRESS,
        mixup=0.3,
        weight_decay=0.05,
        schedule=Schedule.COSINE,
        averaging=0.998,
        test_time_flip=True,
    ),
    Preset.QUICK: replace(_SOUND, preset=Preset.QUICK, epochs=6, max_images=600, val_fraction=0.2),
}


def _vgg16(config: TrainConfig) -> TrainConfig:
    """Adapt a baseline's preset to VGG16."""
    if config.preset is Preset.BEST:
        return replace(
            config,
            architecture=Architecture.VGG16,
            # One epoch for each stored view.
            epochs=6,
            learning_rate=1e-4,
            image_size=128,
            scaling=Scaling.IMAGENET,
            feature_views=6,
            trained_blocks=2,
            averaging=0.99,
        )
    if config.preset is Preset.REPORT:
        return replace(config, architecture=Architecture.VGG16, feature_views=2)
    is_quick = config.preset is Preset.QUICK
    return replace(
        config,
        architecture=Architecture.VGG16,
        # An image takes seven times as long as with the baseline.
        max_images=300 if is_quick else None,
        scaling=Scaling.IMAGENET,
        feature_views=2 if is_quick else 4,
    )


def _compact(config: TrainConfig) -> TrainConfig:
    """Adapt a baseline's preset to the compact network."""
    is_best = config.preset is Preset.BEST
    return replace(
        config,
        architecture=Architecture.COMPACT,
        image_size=COMPACT_SIZE,
        epochs=16 if is_best else config.epochs,
        learning_rate=2e-3 if is_best else config.learning_rate,
    )


_ADAPTED: Final[dict[Architecture, Callable[[TrainConfig], TrainConfig]]] = {
    Architecture.BASELINE: lambda config: config,
    Architecture.COMPACT: _compact,
    Architecture.VGG16: _vgg16,
    # Refused by the config itself, which says what to do.
    Architecture.DCGAN: lambda config: replace(config, architecture=Architecture.DCGAN),
}
