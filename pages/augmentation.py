"""Augmentation: preview of the random changes to training images."""

from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any

import streamlit as st

from pages.ui.augmentation import SLIDERS, TOGGLES, Sample, choose_sample, introduce, refused_values, show_setting
from pages.ui.components import data_badge, shown_errors
from pages.ui.pictures import plain
from pages.ui.state import current_index, needed_index, require_frame
from pages.ui.table import download
from pneumo_core.config.augment_file import read_augmentation, write_augmentation
from pneumo_core.config.classifier import AUGMENTATIONS, AugmentConfig, augmentation_name
from pneumo_core.errors import ConfigError

require_frame()

PRESETS = {"report": "As the report did", "sound": "Sound"}
_BEFORE = "setting_before"


def choose_setting() -> AugmentConfig:
    """The controls of the settings, which are in the address and survive a change of page.

    Raises:
        ConfigError: The address holds a value that no control can.
    """
    st.text("Start from")
    with st.container(horizontal=True, gap="small"):
        for name in PRESETS:
            st.button(name, on_click=_start, args=(AUGMENTATIONS[name],))
        before = st.session_state.get(_BEFORE)
        st.button("Undo", icon=":material/undo:", disabled=before is None, on_click=_start, args=(before,))
    kept: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
    values: dict[str, Any] = {}
    for name in (field.name for field in fields(AugmentConfig)):
        if name in TOGGLES:
            values[name] = st.toggle(TOGGLES[name], key=name, **kept)
        else:
            label, high, step, shape = SLIDERS[name]
            values[name] = st.slider(label, 0.0, high, step=step, format=shape, key=name, **kept)
    return AugmentConfig(**values)


def _start(config: AugmentConfig) -> None:
    """Apply other settings, and keep the current ones for `Undo`."""
    wanted = asdict(config)
    st.session_state[_BEFORE] = AugmentConfig(**{name: st.session_state[name] for name in wanted})
    for name, value in wanted.items():
        st.session_state[name] = value if isinstance(value, bool) else float(value)


def _open() -> None:
    file = st.session_state["setting_file"]
    if file is not None:
        with suppress(ConfigError):  # It is shown below the uploader.
            _start(read_augmentation(file.getvalue()))


def take_along(config: AugmentConfig) -> None:
    """The settings as a file, the command that trains with them, and the upload of a file.

    Raises:
        ConfigError: The file that was opened holds no setting.
    """
    download("Save the settings as a file", write_augmentation(config), "augmentation.json", "application/json")
    st.code("python -m pneumo_core train --preset sound --augment augmentation.json", language="bash", wrap_lines=True)
    st.caption("The address of this page holds the settings, the sample and the seed: copy it to share this view.")
    file = st.file_uploader("Open a settings file", type="json", max_upload_size=1, key="setting_file", on_change=_open)
    if file is not None:
        read_augmentation(file.getvalue())
        st.success("Opened: the controls above show the settings of this file.")


@st.fragment
def your_setting(sample: Sample, seed: int) -> None:
    """The controls and their effect; moving one redraws only this part."""
    with shown_errors():
        st.header("Your setting")
        controls, result = st.columns([1, 2], gap="large")
        with controls:
            config = choose_setting()
        with result:
            st.subheader(f"Your settings ({augmentation_name(config)})")
            show_setting("your setting", config, sample, seed)
        st.header("Save and share")
        take_along(config)


st.title("Augmentation")
with shown_errors():
    index = current_index()
    data_badge(index)
    waiting = st.container()
    introduce(PRESETS if index is None else {})
    if refused := refused_values(st.query_params.to_dict()):  # Before the controls, which remove it from the address.
        st.warning(plain(refused))
    sample, seed = choose_sample(index)
    st.header("Both presets, same images and draws")
    st.caption("Verdicts are rules of thumb on anatomy and exposure; only training runs show whether a change helps.")
    for column, (name, title) in zip(st.columns(len(PRESETS), gap="large"), PRESETS.items(), strict=True):
        with column:
            st.subheader(title)
            show_setting(name, AUGMENTATIONS[name], sample, seed)

    your_setting(sample, seed)
    if index is None:
        with waiting:
            needed_index()
