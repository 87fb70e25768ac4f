"""The form's recipe: the settings of a training that its preset has, each with its help and the preset's value."""

from dataclasses import replace
from typing import Any

import streamlit as st

from pages.ui.components import KEPT, choice, whole_number
from pages.ui.places import beside
from pneumo_core.config.classifier import Preparation, Schedule, TrainConfig
from pneumo_core.records import Architecture, Split
from pneumo_core.reporting.glossary import TERMS


def choose_recipe(config: TrainConfig, usual: TrainConfig) -> TrainConfig:
    """Draw the settings and put them into a config; each preset of each network keeps its own values.

    Raises:
        ConfigError: Two settings exclude each other.
    """
    own = f"{usual.architecture.value} {usual.preset.value}"
    left, right = beside(2, 300, gap=("small", "medium"))
    changes: dict[str, Any] = {}
    with left:
        changes["image_size"] = whole_number("Image size", 32, 512, usual.image_size, key=f"size {own}")
        changes["preparation"] = choice(
            "Preparation",
            Preparation,
            default=usual.preparation,
            help=TERMS["preparation"],
            key=f"preparation {own}",
            **KEPT,
        )
        changes["mixup"] = _number("Mixup", 10.0, usual.mixup, 0.1, TERMS["mixup"], f"mixup {own}")
        smoothing = TERMS["label smoothing"]
        changes["label_smoothing"] = _number(
            "Label smoothing", 0.5, usual.label_smoothing, 0.01, smoothing, f"smoothing {own}"
        )
        changes["test_time_flip"] = st.toggle(
            "Test-time flip", usual.test_time_flip, help=TERMS["test-time flip"], key=f"flip {own}", **KEPT
        )
    with right:
        changes["learning_rate"] = _number(
            "Learning rate", 1.0, usual.learning_rate, 1e-4, None, f"rate {own}", low=1e-7
        )
        changes["schedule"] = choice(
            "Schedule", Schedule, default=usual.schedule, help=TERMS["schedule"], key=f"schedule {own}", **KEPT
        )
        decay = TERMS["weight decay"]
        changes["weight_decay"] = _number("Weight decay", 1.0, usual.weight_decay, 0.01, decay, f"decay {own}")
        averages = TERMS["averaged weights"]
        changes["averaging"] = _number(
            "Averaged weights", 0.99999, usual.averaging, 0.001, averages, f"averaging {own}"
        )
        if not usual.selected_on_test:
            changes["choose_on"] = choice(
                "Chosen on",
                (Split.VAL, Split.STRESS),
                default=usual.choose_on,
                help=TERMS["images that choose"],
                key=f"choose {own}",
                **KEPT,
            )
        if usual.architecture is Architecture.VGG16:
            blocks = TERMS["trained blocks"]
            changes["trained_blocks"] = whole_number(
                "Trained blocks", 0, 5, usual.trained_blocks, key=f"blocks {own}", words=blocks
            )
    return replace(config, **changes)


def _number(
    label: str, high: float, usual: float, step: float, words: str | None, key: str, *, low: float = 0.0
) -> float:
    return float(st.number_input(label, low, high, usual, step, format="%g", help=words, key=key, **KEPT))
