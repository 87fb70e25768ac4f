"""In what two sides of a comparison were made differently, and how much of that is compared.

The rule. What is compared is the network, the preset or the balancing arm, whichever is the only one of them to differ: a
network with all that the preset sets for it or an ensemble with its members, an arm with its DCGAN and the share of the gap
that it closes. Every other difference is a further one: each setting that two presets set differently or that departs from
its preset, the patients held out for validation, the data set. Where several of the three differ, none explains the result
alone, and all are further. The seeds of the trainings never count; what they do is in the spread over runs. A split of the
patients that each run draws with its own seed belongs to the seed between runs of the same settings, and counts elsewhere.
That the runs of one side alone were selected on test images is always said: it is part of a preset, but makes the figures of
that side optimistic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from pneumo_core.config.classifier import Balance, Validation
from pneumo_core.config.ensemble import ClassifierConfig, EnsembleConfig
from pneumo_core.config.naming import SETTINGS, arm_name, named_text, network_name, setting_text
from pneumo_core.config.presets import preset_config
from pneumo_core.config.split import NamedSplit
from pneumo_core.evaluation.comparison import Contrast, SettingDifference
from pneumo_core.runs.submission import RunData

ARM: Final = "balancing arm"
PRESET: Final = "preset"


@dataclass(frozen=True, slots=True)
class Made:
    """How the runs of one side were made: configs that differ only in their seeds, and the data set."""

    configs: tuple[ClassifierConfig, ...]
    data: RunData

    @property
    def config(self) -> ClassifierConfig:
        """The config of one of them, for what they have in common."""
        return self.configs[0]


HeldOut = int | NamedSplit
"""What says which patients are held out: the seed of the choice, or a saved split."""


def held_out_by(config: ClassifierConfig) -> HeldOut | None:
    """What says which patients are held out; None if none are."""
    if config.validation is not Validation.PATIENTS:
        return None
    if config.named_split is not None:
        return config.named_split
    return config.seed if config.split_seed is None else config.split_seed


def draws_own_split(config: ClassifierConfig) -> bool:
    """Whether its own seed chooses the patients that it holds out, if it holds any out."""
    return config.split_seed is None and config.named_split is None


def held_out_words(found: HeldOut, *, with_hash: bool = False) -> str:
    """Which patients are held out, in words: ``by seed 0``, ``by the split blocks-0``, which its hash can follow."""
    if isinstance(found, NamedSplit):
        return f"by the split {found}{f' ({found.digest})' if with_hash else ''}"
    return f"by seed {found}"


def contrast(a: Made, b: Made) -> Contrast:
    """In what the runs of A and B differ, and a warning if that is more than what is compared."""
    main = list(_main(a.config, b.config))
    settings = [*_data(a, b), *_settings(a.config, b.config)]
    splits = () if not main and not settings and _own(a) and _own(b) else _splits(a, b)
    further = (*(main if len(main) > 1 else ()), *settings, *splits)
    compared = main[0].name if len(main) == 1 else ""
    warnings = (_warning(compared, further, several=len(main) > 1), _selected(a.config, b.config))
    return Contrast(compared, further, " ".join(filter(None, warnings)))


def nearness(a: Made, b: Made) -> tuple[bool, int]:
    """How near B is to A: the lower, the better it can be compared with A.

    Returns:
        Whether they differ in anything but the balancing arm, which is the question of the report of 2020, and the number of
        things that they differ in.
    """
    found = contrast(a, b)
    arm_alone = found.compared == ARM and not found.further
    return not arm_alone, len(found.further) + bool(found.compared)


def _main(a: ClassifierConfig, b: ClassifierConfig) -> Iterator[SettingDifference]:
    if (of_a := network_name(a)) != (of_b := network_name(b)):
        yield SettingDifference("network", of_a, of_b)
    elif isinstance(a, EnsembleConfig) and isinstance(b, EnsembleConfig) and a.members != b.members:
        yield SettingDifference("members", *(", ".join(one.members) for one in (a, b)))
    if a.preset is not b.preset:
        yield SettingDifference(PRESET, a.preset.value, b.preset.value)
    if isinstance(a, EnsembleConfig) or isinstance(b, EnsembleConfig):
        return  # An ensemble has no arm of its own.
    if (a.balance, a.gap_percent, a.gan_run) != (b.balance, b.gap_percent, b.gan_run):
        both_gan = a.balance is b.balance is Balance.GAN and a.gan_run != b.gan_run
        of_a, of_b = (f"{arm_name(one)}{f' of {one.gan_run}' if both_gan else ''}" for one in (a, b))
        yield SettingDifference(ARM, of_a, of_b)


def _data(a: Made, b: Made) -> Iterator[SettingDifference]:
    of_a, of_b = (f"{'phantoms' if one.data.is_phantom else 'X-rays'}, id {one.data.data_id}" for one in (a, b))
    if of_a != of_b:
        yield SettingDifference("data", of_a, of_b)


def _settings(a: ClassifierConfig, b: ClassifierConfig) -> Iterator[SettingDifference]:
    """Settings that differ, but for those that both have from one preset, for other networks."""
    if isinstance(a, EnsembleConfig) or isinstance(b, EnsembleConfig):
        yield from _of_ensemble(a, b)
        return
    usual_a, usual_b = (preset_config(one.architecture, one.preset) for one in (a, b))
    for name, label in SETTINGS.items():
        of_a, of_b = getattr(a, name), getattr(b, name)
        from_preset = a.preset is b.preset and of_a == getattr(usual_a, name) and of_b == getattr(usual_b, name)
        unused = name == "val_fraction" and not all(map(_draws_share, (a, b)))
        if of_a == of_b or from_preset or unused:
            continue
        texts = named_text(name, of_a), named_text(name, of_b)
        if texts[0] != texts[1]:
            yield SettingDifference(label, *texts)
        elif is_dataclass(of_a):
            yield from _parts(label, of_a, of_b)


def _draws_share(config: ClassifierConfig) -> bool:
    """Whether a share of its patients is drawn for validation."""
    return config.validation is Validation.PATIENTS and config.named_split is None


_OF_ENSEMBLE: Final = ("validation", "val_fraction", "operating_rule", "max_images", "choose_on", "preparation")
"""Settings that an ensemble has too, but for its image size, which follows from its members."""


def _of_ensemble(a: ClassifierConfig, b: ClassifierConfig) -> Iterator[SettingDifference]:
    for name in _OF_ENSEMBLE:
        if name == "val_fraction" and not all(map(_draws_share, (a, b))):
            continue
        texts = [named_text(name, getattr(one, name)) for one in (a, b)]
        if texts[0] != texts[1]:
            yield SettingDifference(SETTINGS[name], *texts)


def _parts(label: str, a: Any, b: Any) -> Iterator[SettingDifference]:
    """Fields that differ in two values of one name, as of two augmentations that are both custom."""
    for field in fields(a):
        of_a, of_b = getattr(a, field.name), getattr(b, field.name)
        if of_a != of_b:
            name = field.name.replace("_", " ")
            yield SettingDifference(f"{label}, {name}", setting_text(of_a), setting_text(of_b))


def _own(made: Made) -> bool:
    """Whether each run draws its split, if it has one, with its own seed."""
    return all(map(draws_own_split, made.configs))


def _splits(a: Made, b: Made) -> Iterator[SettingDifference]:
    of_a, of_b = ({held_out_by(config) for config in made.configs} for made in (a, b))
    # Where one side holds no patients out, its preset or its validation images say so.
    if of_a != of_b and None not in of_a | of_b:
        words = [_held_out(of_a), _held_out(of_b)]
        if words[0] == words[1]:  # Two splits of one name.
            words = [_held_out(splits, with_hash=True) for splits in (of_a, of_b)]
        yield SettingDifference("patients held out", *words)


def _selected(a: ClassifierConfig, b: ClassifierConfig) -> str:
    if a.selected_on_test is b.selected_on_test:
        return ""
    letter = "A" if a.selected_on_test else "B"
    return (
        f"Only {letter} was selected on the test images: its figures on them are optimistic, the other side's are not."
    )


def _held_out(splits: set[HeldOut | None], *, with_hash: bool = False) -> str:
    seeds = sorted(split for split in splits if isinstance(split, int))
    named = sorted(held_out_words(split, with_hash=with_hash) for split in splits if isinstance(split, NamedSplit))
    by_seed = [f"by seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"] if seeds else []
    return ", ".join((*by_seed, *named))


def _warning(compared: str, further: Sequence[SettingDifference], *, several: bool) -> str:
    if not further:
        return ""
    listed = "; ".join(f"{one.name} (A {one.a}, B {one.b})" for one in further)
    if compared == PRESET:
        return (
            f"The presets of A and B differ in several settings: {listed}. The difference may come from any of these."
        )
    if compared:
        return f"A and B differ in more than the {compared}: {listed}. The difference may come from any of these."
    if several:
        return f"A and B differ in several things at once: {listed}. None of them explains the difference alone."
    return f"A and B have the same network, preset and balancing arm and differ in: {listed}."
