"""Settings of a DCGAN's training, validated on creation, and its presets."""

from dataclasses import dataclass, replace
from typing import Any, Final

from pneumo_core.config.classifier import Preset, PresetNote, Validation
from pneumo_core.config.limits import require_whole, require_within
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Label

GAN_SIZES: Final = (64, 128)
"""Sides of generated images, in pixels: sizes that a DCGAN can learn from a thousand images, on a CPU and an accelerator."""

LEAST_PATIENTS: Final = 8
"""Minimum number of patients that a DCGAN's samples are measured against, and of samples: each half of four has three
neighbors, and an interval seven degrees of freedom."""

COLLAPSE_LIMIT: Final = 0.1
"""Samples whose spread is a smaller fraction of the real images' spread count as collapsed. The value is this project's: runs
that learn have more than half of the spread."""


@dataclass(frozen=True, slots=True)
class GanConfig:
    """All settings of one DCGAN's training (Radford 2016, arXiv:1511.06434; the report, section 5, gives no settings).

    Attributes:
        preset: Preset that the config started from.
        seed: Seed of weights, order, latents, augmentation and the choice of held-out patients.
        label: Class whose training images it learns.
        epochs: Number of epochs.
        image_size: Side of the images, in pixels; one of `GAN_SIZES`.
        batch_size: Real images per step, and as many generated ones.
        latent_dim: Length of a latent vector, drawn from the standard normal distribution.
        filters: Filters of the generator's last hidden block and of the discriminator's first; the others have multiples.
        generator_learning_rate: Adam's learning rate.
        discriminator_learning_rate: Adam's learning rate; unequal rates give two time scales (Heusel 2017,
            arXiv:1706.08500, section 2).
        beta_1: Adam's first momentum parameter (Radford 2016, section 4: 0.5).
        diff_augment: Whether all images that the discriminator sees, real or generated, are shifted, dimmed and cut out at
            random, so that it cannot memorize few real images (Zhao 2020, arXiv:2006.10738).
        ema_decay: Decay per step of the moving average of the generator's weights (Yazici 2019, arXiv:1806.04498);
            0 keeps the last weights.
        spectral_norm: Whether the discriminator's kernels are divided by their largest singular value (Miyato 2018,
            arXiv:1802.05957) in place of batch normalization.
        validation: ``patients`` leaves out the patients that a classifier of the same seed and fraction validates on, so that
            the samples carry no information about them; ``test`` trains on all training images, as the report did.
        val_fraction: Fraction of the training patients left out if `validation` is ``patients``.
        max_images: Maximum number of real images, or None for all.
    """

    preset: Preset
    seed: int
    label: Label
    epochs: int
    image_size: int
    batch_size: int
    latent_dim: int
    filters: int
    generator_learning_rate: float
    discriminator_learning_rate: float
    beta_1: float
    diff_augment: bool
    ema_decay: float
    spectral_norm: bool
    validation: Validation
    val_fraction: float
    max_images: int | None

    def __post_init__(self) -> None:
        if self.preset not in GAN_PRESETS:
            raise _no_preset(self.preset)
        require_whole("seed", self.seed, 0, 2**31 - 1)
        require_whole("epochs", self.epochs, 1, 100_000)
        if self.image_size not in GAN_SIZES:
            raise ConfigError(
                f"image_size of a DCGAN must be one of {GAN_SIZES}. Received: image_size={self.image_size!r}"
            )
        require_whole("batch_size", self.batch_size, 2, 1024)
        require_whole("latent_dim", self.latent_dim, 2, 1024)
        require_whole("filters", self.filters, 4, 256)
        require_within("generator_learning_rate", self.generator_learning_rate, 1e-7, 1.0)
        require_within("discriminator_learning_rate", self.discriminator_learning_rate, 1e-7, 1.0)
        require_within("beta_1", self.beta_1, 0.0, 0.999)
        require_within("ema_decay", self.ema_decay, 0.0, 0.99999)
        require_within("val_fraction", self.val_fraction, 0.01, 0.5)
        for name in ("diff_augment", "spectral_norm"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false. Received: {name}={getattr(self, name)!r}")
        if self.max_images is not None:
            require_whole("max_images", self.max_images, 8, 10**7)

    @property
    def architecture(self) -> Architecture:
        """Always ``dcgan``."""
        return Architecture.DCGAN

    @property
    def named_split(self) -> None:
        """None: `seed` chooses the held-out patients."""
        return


def usual_gan_size(device: str) -> int:
    """Default side of the images on a ``"cpu"`` or ``"gpu"``, in pixels."""
    return GAN_SIZES[1] if device == "gpu" else GAN_SIZES[0]


GAN_PRESETS: Final[dict[Preset, PresetNote]] = {
    Preset.REPORT: PresetNote(
        summary="The plain DCGAN of 2016, adapted to gray X-rays, on all training images.",
        caveats=(
            "The report gives no settings; these are those of Radford 2016.",
            "It is trained on every training patient: its samples suit only classifiers that hold none of them out.",
        ),
    ),
    Preset.SOUND: PresetNote(
        summary="A DCGAN stabilized for a thousand images; held-out patients are left out.",
        caveats=(
            "Samples are 64 or 128 pixels wide: enlarged to the classifiers' 150, they are softer than real X-rays.",
        ),
    ),
    Preset.QUICK: PresetNote(
        summary="A minute or two on two cores, to check that everything works.",
        caveats=("A small network on few images: its samples vary little and do not show what a DCGAN can do.",),
    ),
}


def gan_config(
    preset: Preset,
    *,
    seed: int = 0,
    label: Label = Label.NORMAL,
    image_size: int = GAN_SIZES[0],
    **settings: float | None,
) -> GanConfig:
    """Config of a preset with the most common settings as arguments.

    Args:
        preset: Preset to start from.
        seed: Seed of everything random.
        label: Class to learn.
        image_size: Side of the images, in pixels.
        **settings: Further fields of `GanConfig` that differ from the preset's; None keeps the preset's value.

    Raises:
        ConfigError: A DCGAN has no such preset, or a value is out of its range.
    """
    if preset not in GAN_PRESETS:
        raise _no_preset(preset)
    changed: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    return replace(_PRESET_CONFIGS[preset], seed=seed, label=label, image_size=image_size, **changed)


def _no_preset(preset: Preset) -> ConfigError:
    names = ", ".join(repr(known.value) for known in GAN_PRESETS)
    return ConfigError(
        f"preset of a DCGAN must be one of {names}. Received: preset={preset.value!r}, which classifiers alone have"
    )


_SOUND: Final = GanConfig(
    preset=Preset.SOUND,
    seed=0,
    label=Label.NORMAL,
    epochs=300,
    image_size=64,
    batch_size=32,
    latent_dim=128,
    filters=48,  # Little more than half of the operations of 64.
    generator_learning_rate=2e-4,
    discriminator_learning_rate=2e-4,
    beta_1=0.5,
    diff_augment=True,
    ema_decay=0.995,
    spectral_norm=False,
    validation=Validation.PATIENTS,
    val_fraction=0.15,
    max_images=None,
)

_PRESET_CONFIGS: Final = {
    Preset.SOUND: _SOUND,
    # Radford 2016, section 4: batch normalization in both networks, batches of 128, 100 latents, Adam with 2e-4 and 0.5 for
    # both.
    Preset.REPORT: replace(
        _SOUND,
        preset=Preset.REPORT,
        epochs=200,
        batch_size=128,
        latent_dim=100,
        filters=64,
        diff_augment=False,
        ema_decay=0.0,
        validation=Validation.TEST,
    ),
    Preset.QUICK: replace(
        _SOUND,
        preset=Preset.QUICK,
        epochs=120,
        batch_size=16,
        latent_dim=64,
        filters=24,
        ema_decay=0.99,
        max_images=256,
    ),
}
