"""The controls of an augmentation and of mixup: a slider or a toggle for each field, presets, undo and redo."""

from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from pages.ui.address import check_number, check_words
from pages.ui.augmentation.history import History
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.records import Architecture
from pneumo_core.reporting.glossary import TERMS

PRESETS = {"report": Preset.REPORT, "sound": Preset.SOUND, "jitter": Preset.BEST}
"""Name of each augmentation that a setting can start from, and the training preset that has it."""

TITLES = {"report": "As the report did", "sound": "Sound", "jitter": "Best"}
"""Title of each of them."""

_START = {"report": "Use the report's", "sound": "Use sound ones", "jitter": "Use the best"}
"""Label of the button that puts all controls on each of them."""

SLIDERS: dict[str, tuple[str, float, float, str]] = {
    "zoom": ("Zoom ±", 0.9, 0.01, "percent"),
    "rotation_deg": ("Rotation ±", 180.0, 1.0, "%g°"),
    "shift": ("Shift ±", 0.5, 0.01, "percent"),
    "aspect": ("Aspect ±", 0.5, 0.01, "percent"),
    "contrast": ("Contrast ±", 0.9, 0.01, "percent"),
    "brightness": ("Brightness ±", 0.5, 0.01, "percent"),
    "gamma": ("Gamma ±", 2.0, 0.05, "percent"),
    "blur_sigma": ("Blur up to", 5.0, 0.1, "%.1f px"),
    "resolution": ("Resolution down by", 0.9, 0.01, "percent"),
    "sharpness": ("Sharpness ±", 1.0, 0.05, "percent"),
    "noise": ("Noise up to", 0.3, 0.01, "percent"),
    "jpeg": ("JPEG quality down by", 95.0, 1.0, "%g"),
    "cutout": ("Cutout up to", 0.5, 0.01, "percent"),
}
"""Label, largest value, step and format of each number of an `AugmentConfig`; the smallest is 0, which is off."""
_OF = {
    "shift": "Of the image's side.",
    "aspect": "Of the ratio of width to height; at 10 %, factors from 1 / 1.1 to 1.1.",
    "brightness": "Of the gray scale.",
    "contrast": "Of each image's own contrast.",
    "gamma": "Of the exponent of the gray levels; at 50 %, from 1 / 1.5 to 1.5.",
    "resolution": "Of the pixels a side: the image is reduced and enlarged again.",
    "sharpness": "Of the detail that a blur of one pixel takes away.",
    "noise": "Of the gray scale: standard deviation of Gaussian noise.",
    "jpeg": "From 100, the best quality; 0 compresses nothing.",
    "cutout": "Of the image's side: a square of the image's mean.",
}
TOGGLES = {
    "zoom_keeps_aspect": "Zoom keeps the aspect",
    "horizontal_flip": "Flip half the images horizontally",
    "vertical_flip": "Flip half the images vertically",
}
GROUPS = {
    "Geometry": ("zoom", "rotation_deg", "shift", "aspect", *TOGGLES),
    "Exposure": ("contrast", "brightness", "gamma"),
    "File": ("blur_sigma", "resolution", "sharpness", "noise", "jpeg"),
    "Other": ("cutout", "mixup"),
}
"""The controls in their groups, of which the first is unfolded."""
_MIXUP = ("Mixup", 1.0, 0.05, "%.2f")
"""The same of mixup, which is no change of one image and not in a settings file."""
LARGEST = 999_999
"""Of the numbers that choose a sample and its draws."""
_HISTORY = "setting_history"


@dataclass(frozen=True, slots=True)
class Setting:
    """What the controls stand on: an augmentation, and mixup's parameter (`TrainConfig.mixup`)."""

    augment: AugmentConfig
    mixup: float = 0.0


def preset_setting(name: str) -> Setting:
    """The setting of a preset, by its name in `PRESETS`."""
    return Setting(AUGMENTATIONS[name], preset_config(Architecture.BASELINE, PRESETS[name]).mixup)


def choose_setting() -> Setting:
    """The controls of the settings, which are in the address and survive a change of page.

    Raises:
        ConfigError: The address holds a value that no control can.
    """
    buttons = st.container(horizontal=True, gap="small")
    values: dict[str, Any] = {}
    for group, names in GROUPS.items():
        with st.expander(group, expanded=group == next(iter(GROUPS)), key=f"group {group}"):
            # Two by two, so that they are no taller than the preview beside them.
            grid = st.grid(2, min_column_width=80, gap=("xxsmall", "small"))
            for name in names:
                values[name] = _control(name, st if name in TOGGLES else grid)
    mixup = values.pop("mixup")
    setting = Setting(AugmentConfig(**values), mixup)
    with buttons:
        _steps(_noted(setting))
    return setting


def _control(name: str, place: Any) -> Any:
    kept: dict[str, Any] = {"key": name, "bind": "query-params", "persist_state": "session"}
    if name in TOGGLES:
        return place.toggle(TOGGLES[name], **kept)
    label, high, step, shape = _MIXUP if name == "mixup" else SLIDERS[name]
    words = TERMS["mixup"] if name == "mixup" else _OF.get(name)
    return place.slider(label, 0.0, high, step=step, format=shape, help=words, **kept)


def _steps(history: History[Setting]) -> None:
    """Buttons that change all controls at once; below the controls in the code, because they need their values."""
    for name, label in _START.items():
        st.button(
            label,
            on_click=start_from,
            args=(preset_setting(name),),
            help=f"Put all controls on the preset '{PRESETS[name]}'",
        )
    st.button(
        "Undo", icon=":material/undo:", shortcut="Mod+Z", disabled=not history.can_undo, on_click=_move, args=(-1,)
    )
    st.button(
        "Redo", icon=":material/redo:", shortcut="Mod+Shift+Z", disabled=not history.can_redo, on_click=_move, args=(1,)
    )


def _noted(setting: Setting) -> History[Setting]:
    """The history with the current settings, however they came about: a control, a preset, a file, the address."""
    known: History[Setting] | None = st.session_state.get(_HISTORY)
    history = History((setting,)) if known is None else known.noted(setting)
    st.session_state[_HISTORY] = history
    return history


def _move(by: int) -> None:
    history = st.session_state[_HISTORY] = st.session_state[_HISTORY].moved(by)
    start_from(history.current)


def start_from(setting: Setting) -> None:
    """Put all controls on other settings; to be called before they are drawn."""
    for name, value in {**asdict(setting.augment), "mixup": setting.mixup}.items():
        st.session_state[name] = value if isinstance(value, bool) else float(value)


def open_file(config: AugmentConfig) -> None:
    """The same of a settings file, which holds no mixup and leaves it."""
    start_from(Setting(config, st.session_state.get("mixup", 0.0)))


def check_address() -> None:
    """Answer values in the address that no control can hold; to be called before the controls, which remove them."""
    for name, (label, high, _, _) in {**SLIDERS, "mixup": _MIXUP}.items():
        check_number(name, 0, high, label.removesuffix(" ±").lower())
    for name, label in TOGGLES.items():
        check_words(name, ("true", "false"), f"state of '{label}'")
