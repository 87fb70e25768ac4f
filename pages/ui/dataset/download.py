"""Kaggle's download on a page: start, live progress, cancel, and connection of the result."""

from pathlib import Path
from typing import TypeGuard

import streamlit as st

from pages.ui.components import show_error
from pages.ui.state import may_train
from pneumo_core.data.download import (
    DownloadProgress,
    DownloadStage,
    DownloadState,
    DownloadStatus,
    cancel_download,
    download_status,
)
from pneumo_core.data.fetch import credentials_hint
from pneumo_core.data.index import DataIndex
from pneumo_core.data.source import kaggle_folder
from pneumo_core.errors import PneumoError, StoreError
from pneumo_core.evaluation.wording import percent
from pneumo_core.jobs.downloads import start_download

_FINISHED = "download_to_connect"
_CANCELLING = "download_stop_requested"
_STAGES = {
    DownloadStage.CREDENTIALS: "Asking Kaggle",
    DownloadStage.DOWNLOADING: "Downloading",
    DownloadStage.UNPACKING: "Unpacking",
    DownloadStage.VERIFYING: "Counting the images",
    DownloadStage.DONE: "Done",
}


def take_finished_download() -> Path | None:
    """The downloaded data set, once, after this session saw its download end or requested to connect it."""
    return _root() if st.session_state.pop(_FINISHED, False) else None


def download_panel(current: DataIndex | None) -> None:
    """The download, live while it runs; when it ends, the whole page is redrawn once and connects it."""
    status, _ = _status()
    live = _is_running(status)

    def panel() -> None:
        status, problem = _status()
        if live and not _is_running(status):
            st.session_state[_FINISHED] = status is not None and status.state is DownloadState.DONE
            st.session_state[_CANCELLING] = False
            st.rerun()
        if _is_running(status):
            _draw_running(status)
        elif _root().is_dir():
            _draw_finished(current)
        else:
            _draw_start(status, problem)

    st.fragment(panel, run_every="1s" if live else None)()


def _root() -> Path:
    return kaggle_folder() / "chest_xray"


def _status() -> tuple[DownloadStatus | None, str]:
    """Status of the download, or the reason why it is unknown."""
    try:
        return download_status(kaggle_folder()), ""
    except StoreError as error:
        return None, str(error)


def _is_running(status: DownloadStatus | None) -> TypeGuard[DownloadStatus]:
    return status is not None and status.state is DownloadState.RUNNING


def _draw_running(status: DownloadStatus) -> None:
    st.progress(*progress_text(status.progress))
    requested = st.session_state.get(_CANCELLING, False)
    label = "Cancelling…" if requested else "Cancel the download"
    if st.button(label, key="cancel_download", disabled=requested or not may_train()) and may_train():
        try:
            cancel_download(kaggle_folder())
        except StoreError as error:
            show_error(error)
        else:
            st.session_state[_CANCELLING] = True
            st.rerun()


def _draw_finished(current: DataIndex | None) -> None:
    if current is not None and current.root == _root().resolve():
        st.success("Downloaded, and connected.")
    elif st.button("Connect the downloaded copy", type="primary", disabled=not may_train()) and may_train():
        st.session_state[_FINISHED] = True
        st.rerun()


def _draw_start(status: DownloadStatus | None, problem: str) -> None:
    label, said = "Download", ""
    if problem:
        show_error(problem)
    elif status is not None and status.state is DownloadState.FAILED:
        said, label = status.error, "Try again"
        show_error(said)
    elif status is not None:
        st.warning(f"The download was stopped. {progress_text(status.progress)[1]}; the received part is kept.")
        label = "Resume the download"
    hint = credentials_hint() if may_train() else None
    if hint is not None:
        if hint != said:
            st.info(hint)
        st.caption("The download folder:")
        st.code(str(kaggle_folder().resolve()), language=None, wrap_lines=True)
    requested = st.button(
        label, type="secondary" if hint else "primary", key="start_download", disabled=not may_train()
    )
    if requested and may_train():
        try:
            with st.spinner("Starting the download…"):
                start_download()
        except PneumoError as error:
            show_error(error)
        else:
            st.rerun()


def progress_text(progress: DownloadProgress) -> tuple[float, str]:
    """Progress of a download: the fraction, from 0 to 1, and a sentence without its full stop."""
    words = _STAGES[progress.stage]
    if not progress.total:
        return 0.0, f"{words}: {progress.done / 1e6:,.0f} MB so far" if progress.done else words
    fraction = min(1.0, progress.done / progress.total)
    if progress.stage in {DownloadStage.VERIFYING, DownloadStage.DONE}:
        return fraction, f"{words}: {progress.done:,} of {progress.total:,}"
    return fraction, f"{words}: {progress.done / 1e9:.2f} of {progress.total / 1e9:.2f} GB ({percent(fraction, 0)})"
