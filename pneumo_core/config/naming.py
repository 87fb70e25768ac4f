"""Names for people: of networks, balancing arms and settings, and of what a config changes in its preset."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from pneumo_core.config.augment import AugmentConfig, augmentation_name
from pneumo_core.config.classifier import Balance, FineTuneConfig, PlateauConfig, Preset, TrainConfig, Validation
from pneumo_core.config.ensemble import ClassifierConfig, EnsembleConfig
from pneumo_core.config.gan import GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.records import Architecture

NETWORKS: Final[dict[Architecture, str]] = {
    Architecture.BASELINE: "Baseline CNN",
    Architecture.COMPACT: "Compact CNN",
    Architecture.VGG16: "VGG16",
}
"""The classifiers' networks."""

ARMS: Final[dict[Balance, str]] = {
    Balance.NONE: "original",
    Balance.CLASS_WEIGHT: "class weights",
    Balance.OVERSAMPLE: "oversampled",
    Balance.CLASSICAL: "classical augmentation",
    Balance.GAN: "with DCGAN images",
}
"""The balancing arms: what a network is trained on."""

SHORT_ARMS: Final[dict[Balance, str]] = ARMS | {Balance.CLASSICAL: "classical", Balance.GAN: "DCGAN"}
"""The same where there is little room."""

SETTINGS: Final[dict[str, str]] = {
    "epochs": "epochs",
    "batch_size": "batch size",
    "learning_rate": "learning rate",
    "bn_momentum": "momentum of batch normalization",
    "augment": "augmentation",
    "validation": "validation images",
    "val_fraction": "validation share",
    "operating_rule": "threshold rule",
    "plateau": "plateau of the learning rate",
    "early_stopping_patience": "patience of early stopping",
    "max_images": "most images per split",
    "image_size": "image size",
    "scaling": "scaling of pixels",
    "feature_views": "feature views",
    "fine_tune": "fine-tuning",
    "choose_on": "images that choose",
    "mixup": "mixup",
    "label_smoothing": "label smoothing",
    "weight_decay": "weight decay",
    "schedule": "learning rate schedule",
    "averaging": "averaged weights",
    "test_time_flip": "test-time flip",
    "preparation": "preparation",
    "trained_blocks": "trained blocks",
}
"""Settings of a classifier that its preset has for its network; its other fields say who it is: network, preset, arm, seeds."""

_VALIDATION: Final = {Validation.TEST: "test images", Validation.PATIENTS: "held-out patients"}
_OF_A_GAN: Final = {"preset", "seed", "label", "image_size"}


_OTHERS: Final = {Architecture.ENSEMBLE: "Ensemble", Architecture.DCGAN: "DCGAN"}


def model_name(architecture: Architecture) -> str:
    """A network's name, or ``Ensemble``, or ``DCGAN``."""
    return (NETWORKS | _OTHERS)[architecture]


def network_name(config: ClassifierConfig | GanConfig) -> str:
    """What a run is of: ``VGG16``, ``DCGAN``, ``Ensemble of 3: 3 × Compact CNN``."""
    name = model_name(config.architecture)
    return f"{name} {members_text(config)}" if isinstance(config, EnsembleConfig) else name


def members_text(config: EnsembleConfig) -> str:
    """What an ensemble is of, in short: ``of 3: 2 × Compact CNN, 1 × VGG16``."""
    counts = Counter(NETWORKS[network] for network in config.networks)
    return f"of {len(config.members)}: " + ", ".join(f"{count} × {name}" for name, count in counts.items())


def arm_name(config: TrainConfig) -> str:
    """A config's balancing arm: ``original``, ``with DCGAN images (50 % of the gap)``."""
    gap = "" if config.gap_percent == 100 else f" ({config.gap_percent} % of the gap)"
    return ARMS[config.balance] + gap


def short_arm_name(config: TrainConfig) -> str:
    """The same where there is little room: ``original``, ``DCGAN, 50 %``."""
    return SHORT_ARMS[config.balance] + ("" if config.gap_percent == 100 else f", {config.gap_percent} %")


def departures(config: TrainConfig | GanConfig) -> tuple[str, ...]:
    """What a config changes in its preset, in short phrases: ``6 epochs``, ``224 px``."""
    is_gan = isinstance(config, GanConfig)
    preset = gan_config(config.preset) if is_gan else preset_config(config.architecture, config.preset)
    split = () if config.named_split is None else (f"split {config.named_split}",)
    return (*(_phrase(name, value) for name, value in _changed(config, preset)), *split)


def unlike_report(config: TrainConfig) -> str:
    """Why a run's network is no longer the report's, in a sentence; empty where it is, and for the compact one."""
    if config.architecture is Architecture.COMPACT:
        return ""
    usual = preset_config(config.architecture, Preset.REPORT)
    changed = []
    if config.image_size != usual.image_size:
        changed.append(f"it sees {config.image_size} pixels a side instead of {usual.image_size}")
    if config.trained_blocks:
        blocks = "block is" if config.trained_blocks == 1 else f"{config.trained_blocks} blocks are"
        changed.append(f"its last {blocks} trained, which the report keeps frozen")
    return (
        f"This is no longer the report's {NETWORKS[config.architecture]}: {', and '.join(changed)}." if changed else ""
    )


def setting_text(value: Any) -> str:
    """The value of a setting: ``20``, ``15 %`` for a share, ``sound`` for a known augmentation."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Validation():
            return _VALIDATION[value]
        case AugmentConfig():
            return augmentation_name(value)
        case PlateauConfig():
            return f"{value.mode}, patience {value.patience}, factor {value.factor:g}"
        case FineTuneConfig():
            return f"{_epochs(value.epochs)} at {value.learning_rate:g}"
        case float():
            return f"{value:g}"
    return str(value)


def named_text(name: str, value: Any) -> str:
    """The value of the setting with this name, with its unit."""
    match name:
        case "val_fraction":
            return f"{100 * value:g} %"
        case "image_size":
            return f"{value} px"
        case "max_images" if value is None:
            return "all"
        case "trained_blocks":
            return f"last {value}" if value else "none"
        case "averaging" if value == 0:
            return "no"
    return setting_text(value)


def _changed(config: TrainConfig | GanConfig, preset: TrainConfig | GanConfig) -> Iterator[tuple[str, Any]]:
    for field in fields(config):
        name, value = field.name, getattr(config, field.name)
        counts = name not in _OF_A_GAN if isinstance(config, GanConfig) else name in SETTINGS
        if counts and value != getattr(preset, name):
            yield name, value


def _phrase(name: str, value: Any) -> str:
    """A changed setting as part of a run's name."""
    text = named_text(name, value)
    match name:
        case "epochs":
            return _epochs(value)
        case "image_size":
            return text
        case "augment":
            return f"{text} augmentation"
        case "fine_tune":
            return "fine-tuned"
        case "test_time_flip":
            return "test-time flip" if value else "no test-time flip"
        case "max_images":
            return f"{text} images per split"
    return f"{SETTINGS.get(name, name.replace('_', ' '))} {text}"


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"
