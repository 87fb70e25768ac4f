"""The environment variables the project reads, all of them, in one place."""

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings", "settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of this process; paths are absolute, because workers run in another folder.

    Attributes:
        artifacts: Folder of runs and data set caches (`PNEUMO_ARTIFACTS`, default ``artifacts/`` beside the package).
        data: Data set to use where none is named (`PNEUMO_DATA`); None: the downloaded Kaggle copy, else the phantoms.
        allow_training: Whether pages may start work (`PNEUMO_ALLOW_TRAINING`; ``0`` turns it off on a public host).
    """

    artifacts: Path
    data: Path | None
    allow_training: bool


def settings() -> Settings:
    """Read the settings from the environment, each time anew so that tests and shells can change them."""

    def path(name: str) -> Path | None:
        value = os.environ.get(name)
        return Path(value).expanduser().absolute() if value else None

    default_artifacts = Path(__file__).resolve().parent.parent / "artifacts"
    return Settings(
        artifacts=path("PNEUMO_ARTIFACTS") or default_artifacts,
        data=path("PNEUMO_DATA"),
        allow_training=os.environ.get("PNEUMO_ALLOW_TRAINING", "1").lower() not in {"0", "false", "no", "off"},
    )
