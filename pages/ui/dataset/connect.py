"""Connection of data in the browser: Kaggle's copy, a folder, or the phantoms."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.cached import forget_indexes
from pages.ui.components import show_error
from pages.ui.dataset.download import download_panel, take_finished_download
from pages.ui.state import may_train
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.listing import is_listing
from pneumo_core.data.source import connect, phantom_data
from pneumo_core.errors import DataError, PneumoError
from pneumo_core.settings import settings

_NOTE = "just_connected"
_UNLESS = "; but here PNEUMO_DATA is set, and commands take the data set that it names"


def connected_note() -> str | None:
    """Message that is shown once after a data set was connected."""
    note: str | None = st.session_state.pop(_NOTE, None)
    return note


def connect_panel(current: DataIndex | None) -> None:
    """The three ways to connect a data set; `current` is the one shown, if any."""
    allowed = may_train()
    if (downloaded := take_finished_download()) and allowed:
        _shown(lambda: _connect_folder(downloaded))
    if not allowed:
        st.info(
            "This server does not accept other data: PNEUMO_ALLOW_TRAINING is 0. Clone the project and run it on your own "
            "machine to work on your own X-rays."
        )
    st.header("Kaggle's data set", anchor=False)
    st.caption(
        "The report's data: 5,856 chest X-rays of children (Kermany et al. 2018, CC BY 4.0). What is connected here is used on "
        f"all pages, by all users of this server, and by commands without --data{_UNLESS if settings().data else ''}."
    )
    download_panel(current)
    cards = st.grid(2, min_column_width=260, border=True)
    with cards.cell():
        st.markdown("**A folder**")
        st.caption(
            "On the machine this app runs on, with train, val and test in it, each with NORMAL and PNEUMONIA; or a CSV file "
            "with the columns path, label, split and, if known, patient. Images are read in place and never changed."
        )
        with st.form("folder_form", border=False):
            typed = st.text_input(
                "Folder or CSV file", max_chars=1000, placeholder="/home/me/chest_xray", disabled=not allowed
            )
            requested = st.form_submit_button("Index and connect", disabled=not allowed)
        if requested and allowed:
            _shown(lambda: _connect_folder(_folder_of(typed)))
    with cards.cell():
        st.markdown("**Built-in phantoms**")
        st.caption(
            "Synthetic chest radiographs, drawn on this machine in seconds. They show how everything works; figures from "
            "them do not apply to patients."
        )
        # Streamlit drops forged clicks on disabled buttons, but writing must not depend on that alone.
        if st.button("Use the phantoms", disabled=not allowed) and allowed:
            _shown(_connect_phantoms)


def _shown(action: Callable[[], None]) -> None:
    """Execute an action; an expected error is shown here, and the rest of the panel stays."""
    try:
        action()
    except PneumoError as error:
        show_error(error)


def _folder_of(typed: str) -> Path:
    """The folder of an input, which may have been pasted with quotes.

    Raises:
        DataError: It is not a whole path of a folder that can be read.
    """
    text = typed.strip().strip("\"'").strip()
    if not text or "\0" in text:
        raise DataError(
            "a folder is required. Received: no path; type the path of a folder with train, val and test in it, or of a CSV "
            "file of labels"
        )
    try:
        folder = Path(text).expanduser()
        is_there = folder.is_dir() or is_listing(folder)
    except (OSError, RuntimeError) as error:  # A name that is too long, a user that is unknown.
        raise DataError(f"the folder must be readable. Received: folder={text!r}: {error}; name another one") from error
    if not folder.is_absolute():
        raise DataError(
            f"the folder's whole path is required. Received: folder={text!r}; begin it with {Path.cwd().anchor!r}"
        )
    if not is_there:
        raise DataError(
            f"the folder must be on the machine this app runs on. Received: folder={text!r}, which is no folder and no CSV "
            "file there; check its spelling"
        )
    return folder


def _counted(bar: DeltaGenerator, action: str) -> Callable[[int, int], None]:
    """Function that shows the number of finished images on a progress bar."""

    def show(done: int, total: int) -> None:
        bar.progress(done / total, f"{action}: {done:,} of {total:,}")

    return show


def _connect_phantoms() -> None:
    bar = st.progress(0.0, "Drawing phantoms")
    folder = phantom_data(_counted(bar, "Drawing phantoms"))
    bar.empty()
    _connect_folder(folder)


def _connect_folder(folder: Path) -> None:
    """Index a folder, with progress, make it the data set of this server, and redraw the page.

    Raises:
        DataError: The folder is no data set, or may not be read.
        StoreError: The index cannot be stored.
    """
    bar = st.progress(0.0, "Reading the images")
    try:
        index = build_index(folder, progress=_counted(bar, "Reading the images"))
    except OSError as error:
        raise DataError(
            f"the folder must be readable. Received: folder={str(folder)!r}: {error.strerror}; check its permissions"
        ) from error
    finally:
        bar.empty()
    connect(index)
    forget_indexes()
    st.session_state[_NOTE] = f"Connected: {len(index.table):,} images."
    st.rerun()
