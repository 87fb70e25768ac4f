"""The three steps from a Kaggle token to a connected data set, and how far they have come."""

from enum import StrEnum

from pneumo_core.data.download import DownloadState, DownloadStatus


class KaggleStep(StrEnum):
    """What has to be done, in this order."""

    TOKEN = "token"
    DOWNLOAD = "download"
    CONNECT = "connect"


class StepState(StrEnum):
    """State of a step: one at most is to be done now."""

    DONE = "done"
    NOW = "now"
    WAITING = "waiting"


def kaggle_steps(
    status: DownloadStatus | None, *, has_token: bool, is_downloaded: bool, is_connected: bool
) -> dict[KaggleStep, StepState]:
    """State of each step.

    Args:
        status: Status of the latest download, or None without one.
        has_token: Whether there are credentials (`fetch.credentials_hint`); what has been downloaded needs none.
        is_downloaded: Whether the data set's folder is in place.
        is_connected: Whether it is the connected data set.
    """
    is_running = status is not None and status.state is DownloadState.RUNNING
    finished = {
        KaggleStep.TOKEN: has_token or is_running or is_downloaded,
        KaggleStep.DOWNLOAD: is_downloaded,
        KaggleStep.CONNECT: is_downloaded and is_connected,
    }
    now = next((step for step, is_done in finished.items() if not is_done), None)
    return {
        step: StepState.DONE if is_done else StepState.NOW if step is now else StepState.WAITING
        for step, is_done in finished.items()
    }
