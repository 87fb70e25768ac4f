"""How far connecting Kaggle's data set has come, from what is there."""

import pytest

from pneumo_core.data.download import DownloadProgress, DownloadStage, DownloadState, DownloadStatus
from pneumo_core.data.kaggle_steps import KaggleStep, kaggle_steps


@pytest.mark.parametrize(
    ("token", "download", "downloaded", "connected", "states"),
    [
        (False, None, False, False, "now waiting waiting"),
        (True, None, False, False, "done now waiting"),
        (False, DownloadState.RUNNING, False, False, "done now waiting"),
        (False, DownloadState.FAILED, False, False, "now waiting waiting"),
        (True, DownloadState.INTERRUPTED, False, False, "done now waiting"),
        (False, DownloadState.DONE, True, False, "done done now"),
        (True, None, True, True, "done done done"),
        (True, None, False, True, "done now waiting"),
    ],
)
def test_states_of_the_steps(
    token: bool, download: DownloadState | None, downloaded: bool, connected: bool, states: str
) -> None:
    progress = DownloadProgress(DownloadStage.DOWNLOADING, 1, 2)
    status = None if download is None else DownloadStatus(download, progress, "", 0.0)
    found = kaggle_steps(status, has_token=token, is_downloaded=downloaded, is_connected=connected)
    assert list(found) == list(KaggleStep)
    assert " ".join(found.values()) == states
