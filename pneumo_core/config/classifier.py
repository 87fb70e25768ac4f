"""Settings of a classifier's training, validated on creation (`presets` has the starting points)."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pneumo_core.config.augment import AugmentConfig
from pneumo_core.config.limits import require_whole, require_within
from pneumo_core.config.split import NamedSplit
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Split


class Preset(StrEnum):
    """Named starting point of a config; `presets.PRESETS` describes each."""

    REPORT = "report"
    SOUND = "sound"
    BEST = "best"
    QUICK = "quick"


@dataclass(frozen=True, slots=True)
class PresetNote:
    """Description of a preset.

    Attributes:
        summary: One line.
        caveats: Limitations of its figures; for ``report``, the mistakes that it reproduces.
        vgg16_caveats: Additional limitations for VGG16.
    """

    summary: str
    caveats: tuple[str, ...]
    vgg16_caveats: tuple[str, ...] = ()

    def caveats_of(self, architecture: Architecture) -> tuple[str, ...]:
        """Limitations of the figures of an architecture."""
        return self.caveats + (self.vgg16_caveats if architecture is Architecture.VGG16 else ())


class Validation(StrEnum):
    """Source of the validation images, which select epochs and learning rates."""

    TEST = "test"
    PATIENTS = "patients"


class Balance(StrEnum):
    """How class imbalance is handled in training (validation and test images stay as they are).

    ``class-weight`` weights each image's loss by the inverse frequency of its class; ``oversample`` repeats images of the
    smaller class until the counts match; ``classical`` adds as many images, each an augmented copy, made once.
    """

    NONE = "none"
    CLASS_WEIGHT = "class-weight"
    OVERSAMPLE = "oversample"
    CLASSICAL = "classical"
    GAN = "gan"

    @property
    def adds_images(self) -> bool:
        """Whether it adds training images."""
        return self in {Balance.OVERSAMPLE, Balance.CLASSICAL, Balance.GAN}


class Scaling(StrEnum):
    """First operation on gray pixels: scale to [0, 1] as in the report, or subtract VGG16's ImageNet means."""

    UNIT = "unit"
    IMAGENET = "imagenet"


class Schedule(StrEnum):
    """How the learning rate changes: as `PlateauConfig` says, or up for half an epoch and down to 0 along a cosine.

    The cosine is that of Loshchilov and Hutter 2017 (arXiv:1608.03983, equation 5) without restarts.
    """

    PLATEAU = "plateau"
    COSINE = "cosine"


class Preparation(StrEnum):
    """How an image becomes a square: squashed to it, or padded with black on both sides, which keeps its aspect."""

    SQUASH = "squash"
    PAD = "pad"


class OperatingRule(StrEnum):
    """How the decision threshold is chosen, on the images that `TrainConfig.choose_on` names."""

    HALF = "half"
    YOUDEN = "youden"
    LOGISTIC = "logistic"


def parse_balance(text: str) -> tuple[Balance, str | None]:
    """Parse a balancing arm of the command line: its name, or ``gan:RUN`` with a DCGAN's run.

    Returns:
        The arm, and the run id or None.

    Raises:
        ConfigError: It is not a balancing arm.
    """
    name, _, run = text.partition(":")
    arms = [arm.value for arm in Balance]
    if name not in arms or (name == Balance.GAN.value) != bool(run):
        shown = ", ".join(f"{arm}:RUN" if arm == Balance.GAN.value else arm for arm in arms)
        raise ConfigError(f"balance must be one of {shown}. Received: balance={text!r}")
    return Balance(name), run or None


@dataclass(frozen=True, slots=True)
class PlateauConfig:
    """Keras' ReduceLROnPlateau on ``val_loss``.

    Attributes:
        mode: ``"min"`` lowers the rate when the loss stops falling; ``"max"`` is the report's mistake (section 3.3).
        patience: Epochs without improvement before the rate is lowered.
        factor: Factor the rate is multiplied by; in (0, 1).
    """

    mode: str
    patience: int
    factor: float

    def __post_init__(self) -> None:
        if self.mode not in {"min", "max"}:
            raise ConfigError(f"plateau.mode must be 'min' or 'max'. Received: mode={self.mode!r}")
        require_whole("plateau.patience", self.patience, 0, 1000)
        require_within("plateau.factor", self.factor, 0.001, 0.999)


@dataclass(frozen=True, slots=True)
class FineTuneConfig:
    """A second phase that trains VGG16's last convolution block too, from the first phase's best weights.

    Attributes:
        epochs: Maximum number of epochs of the second phase.
        learning_rate: Adam's initial learning rate in it; small, because the weights are already good.
    """

    epochs: int
    learning_rate: float = 1e-5

    def __post_init__(self) -> None:
        require_whole("fine_tune.epochs", self.epochs, 1, 1000)
        require_within("fine_tune.learning_rate", self.learning_rate, 1e-8, 1.0)


_GAN_RUN: Final = re.compile(r"dcgan-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """All settings of one classifier's training.

    Fields with a default were added after the first runs: earlier configs lack them, and a field with its default value is
    left out of the fingerprint, so that those runs keep their ids.

    Attributes:
        architecture: Model that is trained.
        preset: Preset that the config started from; part of the run's identity.
        seed: Seed of weights, order, augmentation, dropout and validation split.
        epochs: Maximum number of epochs.
        batch_size: Images per step.
        learning_rate: Adam's initial learning rate (its other parameters are Keras' defaults).
        bn_momentum: Momentum of batch normalization's moving statistics.
        augment: Random changes to training images.
        validation: Source of the validation images.
        val_fraction: Fraction of the training patients held out if `validation` is ``patients``.
        operating_rule: How the decision threshold is chosen.
        plateau: When the learning rate is lowered.
        early_stopping_patience: Epochs without a lower ``val_loss`` before training stops.
        max_images: Maximum number of images used per split (the same fraction of each class), or None for all.
        image_size: Side of the square that images are resized to, in pixels.
        balance: How class imbalance is handled.
        scaling: First operation on the pixels.
        feature_views: Augmented views of each training image whose VGG16 features are computed once and trained on; 0 runs
            the network on newly augmented pixels in every epoch instead.
        fine_tune: Second phase, or None for none.
        gan_run: Id of the DCGAN run whose samples `balance` ``gan`` adds, or None.
        gap_percent: Percentage of the gap between the class sizes that added images close; for arms that add images.
        split_seed: Seed of the choice of held-out patients, or None for `seed`. A DCGAN's samples carry information about
            every patient in its training, so classifiers of any seed that train on them hold out the DCGAN's patients; so do
            the members of an ensemble.
        choose_on: Images that choose epoch, threshold and calibration: the validation images, or ``stress``, degraded copies
            of them (see `augment.STRESS`).
        mixup: Both parameters of the beta distribution of the share of a second image that is mixed into each (Zhang et al.
            2018, arXiv:1710.09412, section 2); 0 mixes none.
        label_smoothing: Share of each label that is spread over both classes (Szegedy et al. 2016,
            doi:10.1109/CVPR.2016.308, section 7).
        weight_decay: Share of each kernel that a step at a learning rate of 1 would take away (AdamW; Loshchilov and Hutter
            2019, arXiv:1711.05101, algorithm 2).
        schedule: How the learning rate changes.
        averaging: Share that the average of the weights keeps in each step; the averages are the run's weights (Polyak and
            Juditsky 1992, doi:10.1137/0330046, with exponential weights). 0 averages none.
        test_time_flip: Whether the exported model answers for an image and its mirror image, and returns their means.
        preparation: How an image becomes a square.
        trained_blocks: Convolution blocks of VGG16, counted from the last, that are trained from the start; the stored
            features are those of the blocks before.
        named_split: Saved split that says which images validate, instead of `split_seed` and `val_fraction`; or None.
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
    balance: Balance = Balance.NONE
    scaling: Scaling = Scaling.UNIT
    feature_views: int = 0
    fine_tune: FineTuneConfig | None = None
    gan_run: str | None = None
    gap_percent: int = 100
    split_seed: int | None = None
    choose_on: Split = Split.VAL
    mixup: float = 0.0
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedule = Schedule.PLATEAU
    averaging: float = 0.0
    test_time_flip: bool = False
    preparation: Preparation = Preparation.SQUASH
    trained_blocks: int = 0
    named_split: NamedSplit | None = None

    def __post_init__(self) -> None:
        if self.architecture in {Architecture.DCGAN, Architecture.ENSEMBLE}:
            raise ConfigError(
                "architecture of a classifier must be 'baseline', 'compact' or 'vgg16'. Received: "
                f"architecture={self.architecture.value!r}; a DCGAN is trained by 'gan train', and 'ensemble' combines "
                "trained classifiers"
            )
        require_whole("seed", self.seed, 0, 2**31 - 1)
        require_whole("epochs", self.epochs, 1, 1000)
        require_whole("batch_size", self.batch_size, 1, 4096)
        require_within("learning_rate", self.learning_rate, 1e-7, 1.0)
        require_within("bn_momentum", self.bn_momentum, 0.0, 0.9999)
        require_within("val_fraction", self.val_fraction, 0.01, 0.5)
        require_whole("early_stopping_patience", self.early_stopping_patience, 0, 1000)
        require_whole("image_size", self.image_size, 32, 512)
        if self.max_images is not None:
            require_whole("max_images", self.max_images, 8, 10**7)
        require_whole("feature_views", self.feature_views, 0, 100)
        require_within("mixup", self.mixup, 0.0, 10.0)
        require_within("label_smoothing", self.label_smoothing, 0.0, 0.5)
        require_within("weight_decay", self.weight_decay, 0.0, 1.0)
        require_within("averaging", self.averaging, 0.0, 0.99999)
        require_whole("trained_blocks", self.trained_blocks, 0, 5)
        if not isinstance(self.test_time_flip, bool):
            raise ConfigError(f"test_time_flip must be true or false. Received: test_time_flip={self.test_time_flip!r}")
        pretrained = {
            "feature_views": self.feature_views > 0,
            "fine_tune": self.fine_tune is not None,
            "trained_blocks": self.trained_blocks > 0,
        }
        for name, is_set in {**pretrained, "scaling": self.scaling is Scaling.IMAGENET}.items():
            if is_set and self.architecture is not Architecture.VGG16:
                raise ConfigError(
                    f"{name} needs the pretrained network, vgg16. Received: architecture={self.architecture.value!r}, "
                    f"{name}={getattr(self, name)!r}; leave {name} out"
                )

        if self.fine_tune is not None and self.trained_blocks:
            raise ConfigError(
                "fine_tune adds the last block after the head, and trained_blocks trains blocks from the start. Received: "
                "both; leave one out"
            )
        if self.choose_on not in {Split.VAL, Split.STRESS} or (
            self.selected_on_test and self.choose_on is Split.STRESS
        ):
            raise ConfigError(
                "choose_on must be 'val', or with held-out patients 'stress'. Received: "
                f"choose_on={self.choose_on.value!r}, validation={self.validation.value!r}"
            )
        self._require_balance()
        self._require_split()

    def _require_balance(self) -> None:
        require_whole("gap_percent", self.gap_percent, 1, 100)
        if self.gap_percent != 100 and not self.balance.adds_images:
            raise ConfigError(
                f"gap_percent needs an arm that adds images. Received: balance={self.balance.value!r}, "
                f"gap_percent={self.gap_percent}; leave gap_percent out"
            )
        if (self.balance is Balance.GAN) != (self.gan_run is not None):
            raise ConfigError(
                f"the arm 'gan' needs a DCGAN's run, and no other arm does. Received: balance={self.balance.value!r}, "
                f"gan_run={self.gan_run!r}; write gan:RUN"
            )
        if self.gan_run is not None and not _GAN_RUN.fullmatch(self.gan_run):
            raise ConfigError(
                f"gan_run must be a DCGAN's run, such as dcgan-0123456789ab. Received: gan_run={self.gan_run!r}; "
                "'runs list' shows the known ones"
            )

    def _require_split(self) -> None:
        if self.split_seed is not None:
            require_whole("split_seed", self.split_seed, 0, 2**31 - 1)
        if self.named_split is None:
            if self.split_seed == self.seed or self.selected_on_test:  # One config, one id.
                object.__setattr__(self, "split_seed", None)
            return
        others = {
            f"the preset {self.preset.value!r}, which validates on test": self.selected_on_test,
            f"split_seed={self.split_seed}": self.split_seed is not None,
            f"the DCGAN {self.gan_run}, which holds out patients of its own": self.gan_run is not None,
        }
        if received := " and ".join(words for words, is_set in others.items() if is_set):
            raise ConfigError(
                "a saved split alone says which images validate. Received: "
                f"the split {self.named_split.name!r} and {received}; leave one out"
            )

    @property
    def selected_on_test(self) -> bool:
        """Whether epoch and learning rate were selected on test images, so that the test figures are optimistic."""
        return self.validation is Validation.TEST
