"""Settings of an ensemble: the finished classifiers whose answers it averages, and what reading code needs to know of it."""

import re
from dataclasses import dataclass
from typing import Final

from pneumo_core.config.classifier import OperatingRule, Preparation, Preset, TrainConfig, Validation
from pneumo_core.config.limits import require_whole, require_within
from pneumo_core.config.split import NamedSplit
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Split

FEWEST: Final = 2
MOST: Final = 20
"""Numbers of members. Twenty of VGG16 are a file of 1.9 GB, and a file can have 2 GiB."""

CAREFUL: Final = (Preset.QUICK, Preset.REPORT, Preset.SOUND, Preset.BEST)
"""The presets, the least careful first: its caveats hold for an ensemble that has a member of it."""

RULE: Final = OperatingRule.LOGISTIC
"""How every ensemble's threshold is chosen, on degraded copies of the validation images."""

_MEMBERS: Final = (Architecture.BASELINE, Architecture.COMPACT, Architecture.VGG16)
_MEMBER: Final = re.compile(rf"({'|'.join(_MEMBERS)})-[0-9a-f]{{12}}")


@dataclass(frozen=True, slots=True)
class EnsembleConfig:
    """An ensemble of finished classifiers: the mean of their logits.

    It trains nothing; its settings say which images it takes and which patients its members held out, under the names that
    these have in `TrainConfig`, so that most code takes either.

    Attributes:
        members: Ids of the runs, `FEWEST` to `MOST` different ones, kept sorted: one set of members is one ensemble.
        preset: The members' preset; of several, the least careful.
        seed: Seed of the choice of held-out patients, which the members share; 0 where a saved split chose them.
        val_fraction: Fraction of the training patients that they held out.
        image_size: Side of the square images that it takes, in pixels: that of the member with the largest.
        preparation: How an image becomes such a square; the members share it.
        max_images: Maximum number of images used per split, or None for all: that of the member with the most.
        named_split: Saved split that says which images validate, or None.
    """

    members: tuple[str, ...]
    preset: Preset
    seed: int
    val_fraction: float
    image_size: int
    preparation: Preparation = Preparation.SQUASH
    max_images: int | None = None
    named_split: NamedSplit | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(one, str) and _MEMBER.fullmatch(one) for one in self.members):
            raise ConfigError(
                f"members of an ensemble must be runs of classifiers, such as {_MEMBERS[0].value}-0123456789ab. Received: "
                f"members={list(self.members)}; 'runs list' shows the known runs"
            )
        if not FEWEST <= len(set(self.members)) == len(self.members) <= MOST:
            raise ConfigError(
                f"an ensemble has {FEWEST} to {MOST} different members. Received: members={list(self.members)}"
            )
        require_whole("seed", self.seed, 0, 2**31 - 1)
        require_within("val_fraction", self.val_fraction, 0.01, 0.5)
        require_whole("image_size", self.image_size, 32, 512)
        if self.max_images is not None:
            require_whole("max_images", self.max_images, 8, 10**7)
        object.__setattr__(self, "members", tuple(sorted(self.members)))  # One config, one id.

    @property
    def architecture(self) -> Architecture:
        """That of every ensemble."""
        return Architecture.ENSEMBLE

    @property
    def networks(self) -> tuple[Architecture, ...]:
        """Architectures of the members, in their order."""
        return tuple(Architecture(member.partition("-")[0]) for member in self.members)

    @property
    def validation(self) -> Validation:
        """Source of its validation images: patients that every member held out."""
        return Validation.PATIENTS

    @property
    def split_seed(self) -> None:
        """None: `seed` chose the held-out patients."""
        return

    @property
    def choose_on(self) -> Split:
        """Images that choose its threshold and calibration: degraded copies of the validation images."""
        return Split.STRESS

    @property
    def operating_rule(self) -> OperatingRule:
        """How its threshold is chosen on them."""
        return RULE

    @property
    def selected_on_test(self) -> bool:
        """False: no member selected anything on test."""
        return False


ClassifierConfig = TrainConfig | EnsembleConfig
"""What a finished classifier was made from."""
