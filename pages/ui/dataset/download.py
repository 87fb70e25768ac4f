"""Kaggle's data set on a page, in three steps: a token, the download with its live progress, and its connection."""

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
from pneumo_core.data.fetch import ARCHIVE_NAME, DATASET_PAGE, SETTINGS_PAGE, credentials_hint
from pneumo_core.data.index import DataIndex
from pneumo_core.data.kaggle_steps import KaggleStep, StepState, kaggle_steps
from pneumo_core.data.source import kaggle_folder
from pneumo_core.errors import PneumoError, StoreError
from pneumo_core.evaluation.wording import file_size, percent
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
_TITLES = {
    KaggleStep.TOKEN: "1 · Create a token",
    KaggleStep.DOWNLOAD: "2 · Download",
    KaggleStep.CONNECT: "3 · Read and connect",
}
_BADGES = {
    StepState.DONE: (":material/check:", "green"),
    StepState.NOW: (":material/arrow_forward:", "blue"),
    StepState.WAITING: (":material/hourglass_empty:", "gray"),
}
_OTHER_WAYS = f"""\
- A legacy key: save it as `~/.kaggle/kaggle.json`, or set `KAGGLE_USERNAME` and `KAGGLE_KEY`.
- No account on this machine: download [the data set]({DATASET_PAGE}) in a browser, save the file as `{ARCHIVE_NAME}` in
  `datasets/kaggle` in this app's artifacts folder (`PNEUMO_ARTIFACTS`), and press *Download*: it is unpacked from there.
"""


def take_finished_download() -> Path | None:
    """The downloaded data set, once, after this session saw its download end or requested to connect it."""
    return _root() if st.session_state.pop(_FINISHED, False) else None


def download_panel(current: DataIndex | None) -> None:
    """The steps, live while the download runs; when it ends, the whole page is redrawn once and connects it."""
    status, _ = _status()
    live = _is_running(status)

    def panel() -> None:
        status, problem = _status()
        if live and not _is_running(status):
            st.session_state[_FINISHED] = status is not None and status.state is DownloadState.DONE
            st.session_state[_CANCELLING] = False
            st.rerun()
        _draw_steps(current, status, problem)

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


def _draw_steps(current: DataIndex | None, status: DownloadStatus | None, problem: str) -> None:
    states = kaggle_steps(
        status,
        has_token=credentials_hint() is None,
        is_downloaded=_root().is_dir(),
        is_connected=current is not None and current.root == _root().resolve(),
    )
    grid = st.grid(3, min_column_width=220, border=True)
    for step, state in states.items():
        with grid.cell():
            icon, color = _BADGES[state]
            st.markdown(f"**{_TITLES[step]}** :{color}-badge[{icon} {state.value}]")
            match step:
                case KaggleStep.TOKEN:
                    _draw_token(state)
                case KaggleStep.DOWNLOAD:
                    _draw_download(state, status, problem)
                case KaggleStep.CONNECT:
                    _draw_connect(state)


def _draw_token(state: StepState) -> None:
    if state is StepState.DONE:
        st.caption("Kaggle's credentials are there, or no longer needed.")
        return
    if not may_train():
        st.caption("On a machine of your own: Kaggle gives the data to account holders.")
        return
    st.caption(
        f"Create a token at [kaggle.com/settings]({SETTINGS_PAGE}), section API. Save it as `~/.kaggle/access_token` on the "
        "machine this app runs on, or start the app with `KAGGLE_API_TOKEN` set to it."
    )
    with st.expander("Other ways"):
        st.markdown(_OTHER_WAYS)


def _draw_download(state: StepState, status: DownloadStatus | None, problem: str) -> None:
    if _is_running(status):
        _draw_running(status)
    elif state is StepState.DONE:
        st.caption("The images are on this machine.")
    else:
        _draw_start(state, status, problem)


def _draw_running(status: DownloadStatus) -> None:
    st.progress(*progress_text(status.progress))
    st.caption("It continues when you leave this page.")
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


def _draw_start(state: StepState, status: DownloadStatus | None, problem: str) -> None:
    label = "Download"
    if problem:
        show_error(problem)
    elif status is not None and status.state is DownloadState.FAILED:
        label = "Try again"
        show_error(
            "The last try ended without a token: see step 1." if status.error == credentials_hint() else status.error
        )
    elif status is not None:
        st.warning(f"The download was stopped. {progress_text(status.progress)[1]}; the received part is kept.")
        label = "Resume the download"
    else:
        st.caption("About 2.3 GB. It continues when you leave this page; if it stops, the received part is kept.")
    # Also without a token: the archive may have been saved by hand.
    is_now = state is StepState.NOW
    if (
        st.button(label, type="primary" if is_now else "secondary", key="start_download", disabled=not may_train())
        and may_train()
    ):
        try:
            with st.spinner("Starting the download…"):
                start_download()
        except PneumoError as error:
            show_error(error)
        else:
            st.rerun()


def _draw_connect(state: StepState) -> None:
    if state is StepState.DONE:
        st.success("Downloaded, and connected.")
        return
    st.caption("Every image is read once, which takes about a minute; then all pages work on it.")
    if state is StepState.WAITING:
        return
    if st.button("Connect the downloaded copy", type="primary", disabled=not may_train()) and may_train():
        st.session_state[_FINISHED] = True
        st.rerun()


def progress_text(progress: DownloadProgress) -> tuple[float, str]:
    """Progress of a download: the fraction, from 0 to 1, and a sentence without its full stop."""
    words = _STAGES[progress.stage]
    if not progress.total:
        return 0.0, f"{words}: {file_size(progress.done)} so far" if progress.done else words
    fraction = min(1.0, progress.done / progress.total)
    if progress.stage in {DownloadStage.VERIFYING, DownloadStage.DONE}:
        return fraction, f"{words}: {progress.done:,} of {progress.total:,}"
    return fraction, f"{words}: {file_size(progress.done)} of {file_size(progress.total)} ({percent(fraction, 0)})"
