"""Names of the files that people take away: what is in them, in lower-case words with hyphens."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from pneumo_core.config.classifier import Balance, TrainConfig
from pneumo_core.config.ensemble import ClassifierConfig, EnsembleConfig
from pneumo_core.config.naming import departures
from pneumo_core.config.run import RunConfig
from pneumo_core.data.synthetic import MARK

_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_LONGEST: Final = 150
"""Characters of a name without its ending; file systems take 255 bytes with what a browser adds."""


def file_name(*words: object, kind: str) -> str:
    """A file's name: ``pneumo-compare-vgg16-sound-none-vs-dcgan-test.pdf``.

    Args:
        words: What is in the file, the general before the particular; empty ones and None are left out.
        kind: Its ending.
    """
    return f"{file_stem(*words)}.{kind}"


def file_stem(*words: object) -> str:
    """A file's name without its ending."""
    parts = (_NO_WORD.sub("-", str(word).lower()).strip("-") for word in words if word is not None)
    return "-".join(("pneumo", *filter(None, parts)))[:_LONGEST].rstrip("-")


def synthetic_file(*words: object, kind: str) -> str:
    """The same of generated images, whose names begin with what they are, so that no data set takes them for X-rays."""
    return f"{MARK}-{file_name(*words, kind=kind)}"


def run_words(config: RunConfig | None, run_id: str = "") -> tuple[str, ...]:
    """Words for a run: ``vgg16``, ``sound``, ``none``, ``seed0``; its id if its config cannot be read."""
    if config is None:
        return (run_id,)
    return _alike(config) if isinstance(config, EnsembleConfig) else (*_alike(config), f"seed{config.seed}")


def side_words(configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """Words for one run, or for runs that differ only in their seed."""
    return run_words(configs[0]) if len(configs) == 1 else _alike(configs[0])


def pair_words(a: Sequence[ClassifierConfig], b: Sequence[ClassifierConfig]) -> tuple[str, ...]:
    """Words for two sides: what they have in common once, and what differs with ``vs`` between.

    Args:
        a: Configs of the first side's runs, which differ only in their seed.
        b: Configs of the second side's, likewise.
    """
    left, right = side_words(a), side_words(b)
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    of_a, of_b = (side[start : len(side) - end] for side in (left, right))
    if not of_a or not of_b:
        return (*left, "vs", *right)
    return (*left[:start], *of_a, "vs", *of_b, *left[len(left) - end :])


def study_words(configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """Words for several runs: what all have in common, and their number."""
    first, *others = (_alike(config) for config in configs)
    return (*first[: min((_common(first, other) for other in others), default=len(first))], f"{len(configs)}-runs")


def _alike(config: RunConfig) -> tuple[str, ...]:
    """Words for what the seeds of a run have in common."""
    if isinstance(config, EnsembleConfig):
        counts = Counter(network.value for network in config.networks)
        return "ensemble", config.preset.value, *(f"{count}-{name}" for name, count in counts.items())
    if not isinstance(config, TrainConfig):
        return "dcgan", config.preset.value, config.label.name.lower(), *departures(config)
    arm = "dcgan" if config.balance is Balance.GAN else config.balance.value
    gap = () if config.gap_percent == 100 else (f"{config.gap_percent}-percent",)
    return config.architecture.value, config.preset.value, arm, *gap, *departures(config)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many words from the first on are the same."""
    pairs = zip(left, right, strict=False)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(left), len(right)))
