"""The controls of an augmentation: a slider or a toggle for each field, presets, undo and redo."""

from dataclasses import asdict, fields
from typing import Any

import streamlit as st

from pages.ui.address import check_number, check_words
from pages.ui.augmentation.history import History
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig

PRESETS = {"report": "As the report did", "sound": "Sound"}
"""Name of each preset that a setting can start from, and its title."""

_START = {"report": "Use the report's", "sound": "Use sound ones"}
"""Label of the button that puts all controls on each of them."""

SLIDERS: dict[str, tuple[str, float, float, str]] = {
    "zoom": ("Zoom ±", 0.9, 0.01, "percent"),
    "rotation_deg": ("Rotation ±", 180.0, 1.0, "%g°"),
    "shift": ("Shift ±", 0.5, 0.01, "percent"),
    "contrast": ("Contrast ±", 0.9, 0.01, "percent"),
    "brightness": ("Brightness ±", 0.5, 0.01, "percent"),
    "blur_sigma": ("Blur up to", 5.0, 0.1, "%.1f px"),
}
"""Label, largest value, step and format of each number of an `AugmentConfig`; the smallest is 0, which is off."""
_OF = {"shift": "Of the image's side.", "brightness": "Of the gray scale.", "contrast": "Of each image's own contrast."}
TOGGLES = {
    "zoom_keeps_aspect": "Zoom keeps the aspect",
    "horizontal_flip": "Flip half the images horizontally",
    "vertical_flip": "Flip half the images vertically",
}
LARGEST = 999_999
"""Of the numbers that choose a sample and its draws."""
_HISTORY = "setting_history"


def choose_setting() -> AugmentConfig:
    """The controls of the settings, which are in the address and survive a change of page.

    Raises:
        ConfigError: The address holds a value that no control can.
    """
    buttons = st.container(horizontal=True, gap="small")
    kept: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
    values: dict[str, Any] = {}
    # Two by two, so that they are no taller than the preview beside them.
    grid = st.grid(2, min_column_width=130, gap=("xxsmall", "small"))
    for name, (label, high, step, shape) in SLIDERS.items():
        values[name] = grid.slider(label, 0.0, high, step=step, format=shape, key=name, help=_OF.get(name), **kept)
    with st.container(gap="xxsmall"):
        for name, label in TOGGLES.items():
            values[name] = st.toggle(label, key=name, **kept)
    config = AugmentConfig(**{field.name: values[field.name] for field in fields(AugmentConfig)})
    with buttons:
        _steps(_noted(config))
    return config


def _steps(history: History) -> None:
    """Buttons that change all controls at once; below the controls in the code, because they need their values."""
    for name, label in _START.items():
        st.button(
            label, on_click=start_from, args=(AUGMENTATIONS[name],), help=f"Put all controls on the preset '{name}'"
        )
    st.button(
        "Undo", icon=":material/undo:", shortcut="Mod+Z", disabled=not history.can_undo, on_click=_move, args=(-1,)
    )
    st.button(
        "Redo", icon=":material/redo:", shortcut="Mod+Shift+Z", disabled=not history.can_redo, on_click=_move, args=(1,)
    )


def _noted(config: AugmentConfig) -> History:
    """The history with the current settings, however they came about: a control, a preset, a file, the address."""
    known: History | None = st.session_state.get(_HISTORY)
    history = History((config,)) if known is None else known.noted(config)
    st.session_state[_HISTORY] = history
    return history


def _move(by: int) -> None:
    history = st.session_state[_HISTORY] = st.session_state[_HISTORY].moved(by)
    start_from(history.current)


def start_from(config: AugmentConfig) -> None:
    """Put all controls on other settings; to be called before they are drawn."""
    for name, value in asdict(config).items():
        st.session_state[name] = value if isinstance(value, bool) else float(value)


def check_address() -> None:
    """Answer values in the address that no control can hold; to be called before the controls, which remove them."""
    for name, (label, high, _, _) in SLIDERS.items():
        check_number(name, 0, high, label.removesuffix(" ±").lower())
    for name, label in TOGGLES.items():
        check_words(name, ("true", "false"), f"state of '{label}'")
