"""Augmentation: preview of the random changes to training images."""

from contextlib import suppress

import streamlit as st

from pages.ui.augmentation.effect import show_gray_levels, show_preview, show_verdicts
from pages.ui.augmentation.sample import Sample, choose_sample
from pages.ui.augmentation.settings import TITLES, Setting, check_address, choose_setting, open_file, preset_setting
from pages.ui.components import data_badge, open_tab, shown_errors
from pages.ui.state import current_index, needed_index, require_frame
from pages.ui.table import download
from pneumo_core.config.augment import augmentation_name
from pneumo_core.config.augment_file import read_augmentation, write_augmentation
from pneumo_core.errors import ConfigError
from pneumo_core.reporting.file_names import file_name

require_frame()

TABS = {"My own": "", "Report": "report", "Sound": "sound", "Best": "jitter"}
"""Title of each tab, and the preset that it shows."""

_NARROWEST = 215  # Pixels of the controls and of the preview; below twice that, they stand below each other.


def _open() -> None:
    file = st.session_state["setting_file"]
    if file is not None:
        with suppress(ConfigError):  # It is shown below the uploader.
            open_file(read_augmentation(file.getvalue()))


def take_along(setting: Setting) -> None:
    """The settings as a file, the command that trains with them, and the upload of a file.

    Raises:
        ConfigError: The file that was opened holds no setting.
    """
    name = file_name("augmentation", augmentation_name(setting.augment), kind="json")
    download("Save the settings as a file", write_augmentation(setting.augment), name)
    mixup = f" --mixup {setting.mixup:g}" if setting.mixup else ""
    st.code(f"python -m pneumo_core train --preset sound --augment {name}{mixup}", language="bash", wrap_lines=True)
    st.caption("The address of this page holds the settings, the sample and the seed: copy it to share this view.")
    file = st.file_uploader("Open a settings file", type="json", max_upload_size=1, key="setting_file", on_change=_open)
    if file is not None:
        read_augmentation(file.getvalue())
        st.success("Opened: the controls above show the settings of this file.")


@st.fragment
def own_setting(sample: Sample, seed: int) -> None:
    """The controls beside their effect; moving one redraws only this part."""
    with shown_errors():
        sides = st.grid(2, min_column_width=_NARROWEST, gap="small")
        with sides.cell():
            setting = choose_setting()
        with sides.cell():
            st.header(f"Your settings ({augmentation_name(setting.augment)})", anchor=False)
            show_preview(setting, sample, seed)
        show_verdicts(setting)
        show_gray_levels("your setting", setting, sample, seed)
        with st.expander("Save and share"):
            take_along(setting)


def preset(name: str, sample: Sample, seed: int) -> None:
    """What a preset changes, beside its effect."""
    sides, setting = st.grid(2, min_column_width=_NARROWEST, gap="small"), preset_setting(name)
    with sides.cell():
        st.header(TITLES[name], anchor=False)
        show_verdicts(setting)
    with sides.cell():
        show_preview(setting, sample, seed)
    show_gray_levels(name, setting, sample, seed)


st.title("Augmentation")
with shown_errors():
    index = current_index()
    data_badge(index)
    waiting = st.container()
    st.caption(
        "In every epoch each training image is changed at random, here by the code that training uses. Verdicts are rules of "
        "thumb on anatomy and exposure; only training runs show whether a change helps."
    )
    check_address()
    sample, seed = choose_sample(index)
    shown, tab = open_tab("setting", tuple(TABS))
    with tab:
        if name := TABS[shown]:
            preset(name, sample, seed)
        else:
            own_setting(sample, seed)
    if index is None:
        with waiting:
            needed_index()
