"""What a run is asked to do: frozen values, their presets, their validation and their fingerprint.

Whatever changes a result in kind is in the config and so in the fingerprint; backend, precision and device are not (they
are recorded in the run's manifest).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture

__all__ = [
    "AUGMENTATIONS",
    "PRESETS",
    "SCHEMA",
    "AugmentConfig",
    "OperatingRule",
    "PlateauConfig",
    "Preset",
    "PresetNote",
    "TrainConfig",
    "Validation",
    "augmentation_name",
    "config_from_dict",
    "config_to_dict",
    "fingerprint",
    "preset_config",
    "run_id",
]

SCHEMA: Final = 1
"""Raised whenever code changes what the same config and data produce, so that old runs are not taken for new ones."""


def _require_within(name: str, value: float, low: float, high: float) -> None:
    # bool is an int in Python, and NaN fails every comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"{name} must be a number from {low:g} to {high:g}. Received: {name}={value!r}")


def _require_whole(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}. Received: {name}={value!r}")


class Preset(StrEnum):
    """Named starting point of a config; `PRESETS` says what each stands for."""

    REPORT = "report"
    SOUND = "sound"
    QUICK = "quick"


class Validation(StrEnum):
    """Where the images that choose epochs and learning rates come from."""

    TEST = "test"
    PATIENTS = "patients"


class OperatingRule(StrEnum):
    """How the decision threshold is chosen (on the validation images)."""

    HALF = "half"
    YOUDEN = "youden"


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Random changes made to each training image, each drawn anew for every image and epoch.

    Attributes:
        zoom: Zoom factors are drawn from [1 - zoom, 1 + zoom]; in [0, 0.9].
        zoom_keeps_aspect: Whether one factor serves both axes; Keras' generator draws one for each.
        rotation_deg: Angles are drawn from [-rotation_deg, rotation_deg]; in [0, 180].
        shift: Shifts are drawn from [-shift, shift] as a fraction of the side; in [0, 0.5].
        horizontal_flip: Whether half of the images are mirrored left to right.
        vertical_flip: Whether half of the images are turned upside down.
        contrast: Contrast factors about the image's mean are drawn from [1 - contrast, 1 + contrast]; in [0, 0.9].
        brightness: Offsets are drawn from [-brightness, brightness] gray levels as a fraction of 255; in [0, 0.5].
        blur_sigma: Standard deviations of a Gaussian blur are drawn from [0, blur_sigma] pixels; in [0, 5].
    """

    zoom: float = 0.0
    zoom_keeps_aspect: bool = False
    rotation_deg: float = 0.0
    shift: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    contrast: float = 0.0
    brightness: float = 0.0
    blur_sigma: float = 0.0

    def __post_init__(self) -> None:
        for name, high in _AUGMENT_LIMITS.items():
            _require_within(f"augment.{name}", getattr(self, name), 0.0, high)
        for name in ("zoom_keeps_aspect", "horizontal_flip", "vertical_flip"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"augment.{name} must be true or false. Received: {name}={getattr(self, name)!r}")


_AUGMENT_LIMITS: Final = {
    "zoom": 0.9,
    "rotation_deg": 180.0,
    "shift": 0.5,
    "contrast": 0.9,
    "brightness": 0.5,
    "blur_sigma": 5.0,
}

_REPORT_AUGMENT: Final = AugmentConfig(zoom=0.3, vertical_flip=True)

AUGMENTATIONS: Final[dict[str, AugmentConfig]] = {
    # Report section 2.3: zoom_range=0.3, vertical_flip=True, and its two trials.
    "report": _REPORT_AUGMENT,
    "report-horizontal-flip": replace(_REPORT_AUGMENT, horizontal_flip=True),
    "report-rotation-40": replace(_REPORT_AUGMENT, rotation_deg=40.0),
    # What two exposures of one child could differ by. No flips: they move the heart or the diaphragm. Blur and contrast
    # because NORMAL and PNEUMONIA files differ in size and compression, a cue that a model should not lean on.
    "sound": AugmentConfig(
        zoom=0.1,
        zoom_keeps_aspect=True,
        rotation_deg=7.0,
        shift=0.05,
        contrast=0.2,
        brightness=0.1,
        blur_sigma=1.0,
    ),
    "none": AugmentConfig(),
}


def augmentation_name(augment: AugmentConfig) -> str:
    """Name of a setting in `AUGMENTATIONS`, or ``"custom"``."""
    return next((name for name, known in AUGMENTATIONS.items() if known == augment), "custom")


@dataclass(frozen=True, slots=True)
class PlateauConfig:
    """Keras' ReduceLROnPlateau on ``val_loss``.

    Attributes:
        mode: ``"min"`` lowers the rate when the loss stops falling; ``"max"`` is the report's slip (section 3.3).
        patience: Epochs without improvement before the rate is lowered.
        factor: Factor the rate is multiplied by; in (0, 1).
    """

    mode: str
    patience: int
    factor: float

    def __post_init__(self) -> None:
        if self.mode not in {"min", "max"}:
            raise ConfigError(f"plateau.mode must be 'min' or 'max'. Received: mode={self.mode!r}")
        _require_whole("plateau.patience", self.patience, 0, 1000)
        _require_within("plateau.factor", self.factor, 0.001, 0.999)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One classifier's training, whole.

    Attributes:
        architecture: Model that is trained.
        preset: Preset the config started from; it is part of what the result means.
        seed: Seed of weights, order, augmentation, dropout and validation split.
        epochs: Most epochs that are run.
        batch_size: Images a step.
        learning_rate: Adam's initial rate (its other parameters are Keras' defaults).
        bn_momentum: Momentum of batch normalization's moving statistics.
        augment: Changes made to training images.
        validation: Where validation images come from.
        val_fraction: Fraction of the training patients held out where `validation` is ``patients``.
        operating_rule: How the decision threshold is chosen.
        plateau: When the learning rate is lowered.
        early_stopping_patience: Epochs without a lower ``val_loss`` before training stops.
        max_images: Most images of each split that are used (the same share of each class), or None for all.
        image_size: Side of the square the images are squashed to, in pixels.
    """

    architecture: Architecture
    preset: Preset
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    bn_momentum: float
    augment: AugmentConfig
    validation: Validation
    val_fraction: float
    operating_rule: OperatingRule
    plateau: PlateauConfig
    early_stopping_patience: int
    max_images: int | None
    image_size: int

    def __post_init__(self) -> None:
        _require_whole("seed", self.seed, 0, 2**31 - 1)
        _require_whole("epochs", self.epochs, 1, 1000)
        _require_whole("batch_size", self.batch_size, 1, 4096)
        _require_within("learning_rate", self.learning_rate, 1e-7, 1.0)
        _require_within("bn_momentum", self.bn_momentum, 0.0, 0.9999)
        _require_within("val_fraction", self.val_fraction, 0.01, 0.5)
        _require_whole("early_stopping_patience", self.early_stopping_patience, 0, 1000)
        _require_whole("image_size", self.image_size, 32, 512)
        if self.max_images is not None:
            _require_whole("max_images", self.max_images, 8, 10**7)

    @property
    def selected_on_test(self) -> bool:
        """Whether test images chose this run's epoch and rates, so that its test figures flatter it."""
        return self.validation is Validation.TEST


@dataclass(frozen=True, slots=True)
class PresetNote:
    """What a preset stands for, in words for people.

    Attributes:
        summary: One line.
        caveats: What its figures must be read with; for ``report`` these are the slips it keeps.
    """

    summary: str
    caveats: tuple[str, ...]


PRESETS: Final[dict[Preset, PresetNote]] = {
    Preset.REPORT: PresetNote(
        summary="The report's own procedure of 2020, its slips included.",
        caveats=(
            "Validation on the test images: epoch and learning rate are selected on test (section 3.3).",
            "ReduceLROnPlateau watches val_loss with mode='max', so the rate falls while the loss improves (section 3.3).",
            "Vertical flip turns lungs upside down (section 2.3).",
            "Plateau patience 2 and factor 0.3 are not in the report; they are usual in notebooks on this data set.",
        ),
    ),
    Preset.SOUND: PresetNote(
        summary="Patients held out for validation, plausible augmentation, threshold chosen on validation.",
        caveats=(
            "The test split differs from train in sharpness and compression, so held-out patients look easier than test.",
        ),
    ),
    Preset.QUICK: PresetNote(
        summary="A minute on two cores: a small sample and few epochs, to see that everything works.",
        caveats=("Trained on a sample for a few epochs: its figures say little about the architecture.",),
    ),
}


def preset_config(
    architecture: Architecture,
    preset: Preset,
    *,
    seed: int = 0,
    epochs: int | None = None,
    augment: AugmentConfig | None = None,
) -> TrainConfig:
    """Config of a preset, with the settings people change most.

    Args:
        architecture: Model to train; only ``baseline`` so far.
        preset: Preset to start from.
        seed: Seed of everything random.
        epochs: Most epochs, or None for the preset's own number.
        augment: Augmentation, or None for the preset's own.

    Raises:
        ConfigError: A value is out of its range or the architecture is not trainable yet.
    """
    if architecture is not Architecture.BASELINE:
        raise ConfigError(f"architecture must be 'baseline'. Received: architecture={architecture.value!r}")
    sound = TrainConfig(
        architecture=architecture,
        preset=Preset.SOUND,
        seed=seed,
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
    if preset is Preset.REPORT:
        config = replace(
            sound,
            preset=preset,
            bn_momentum=0.99,
            augment=AUGMENTATIONS["report"],
            validation=Validation.TEST,
            operating_rule=OperatingRule.HALF,
            plateau=PlateauConfig(mode="max", patience=2, factor=0.3),
        )
    elif preset is Preset.QUICK:
        config = replace(sound, preset=preset, epochs=6, max_images=600, val_fraction=0.2)
    else:
        config = sound
    return replace(
        config,
        epochs=config.epochs if epochs is None else epochs,
        augment=config.augment if augment is None else augment,
    )


def config_to_dict(config: TrainConfig) -> dict[str, Any]:
    """Plain data of a config, for JSON."""
    return asdict(config)


def config_from_dict(data: dict[str, Any]) -> TrainConfig:
    """Config from `config_to_dict`'s plain data.

    Raises:
        ConfigError: A key is missing, unknown or holds a wrong value.
    """
    try:
        for name, kind, part in (("config", TrainConfig, data), ("augment", AugmentConfig, data.get("augment"))):
            expected = {field.name for field in fields(kind)}
            if not isinstance(part, dict) or set(part) != expected:
                received = sorted(part) if isinstance(part, dict) else part
                raise ConfigError(f"{name} needs exactly the keys {sorted(expected)}. Received: keys={received}")
        return TrainConfig(
            **{
                **data,
                "architecture": Architecture(data["architecture"]),
                "preset": Preset(data["preset"]),
                "validation": Validation(data["validation"]),
                "operating_rule": OperatingRule(data["operating_rule"]),
                "augment": AugmentConfig(**data["augment"]),
                "plateau": PlateauConfig(**data["plateau"]),
            }
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a config must hold values of the documented types. Received: {error}") from error


def fingerprint(config: TrainConfig, data_id: str) -> str:
    """SHA-256 of config, data and `SCHEMA`, hexadecimal.

    Args:
        config: Training config.
        data_id: Content-based id of the data set (see `data.index`).
    """
    payload = {"config": _canonical(config_to_dict(config)), "data_id": data_id, "schema": SCHEMA}
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Equal numbers alike: 40 and 40.0 are the same setting but not the same JSON."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def run_id(config: TrainConfig, data_id: str) -> str:
    """Id of the run, which is its directory's name: ``<architecture>-<12 hexadecimal digits>``."""
    return f"{config.architecture.value}-{fingerprint(config, data_id)[:12]}"
