"""Submitted config and data set of a run: config.json, written once by submit and read as frozen values."""

from dataclasses import asdict, dataclass
from typing import Any

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.ensemble import ClassifierConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.run import RunConfig, config_from_dict, config_to_dict
from pneumo_core.errors import CorruptError, RunError
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory


@dataclass(frozen=True, slots=True)
class RunData:
    """The data set of a run; by default, an unrecorded one.

    Attributes:
        data_id: Its content-based id.
        root: Its folder; for a published run, only the folder's name.
        is_phantom: Whether it is the built-in phantom set.
    """

    data_id: str = ""
    root: str = ""
    is_phantom: bool = False

    @property
    def name(self) -> str:
        """Name of the folder without its path, which is private."""
        return self.root.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Submission:
    """Content of config.json, with the Unix time of the first submission in seconds."""

    config: RunConfig
    data: RunData
    submitted_at: float


def write_submission(run: RunDirectory, submission: Submission) -> None:
    """Write config.json.

    Raises:
        StoreError: It cannot be written.
    """
    content = {"run_id": run.run_id, "config": config_to_dict(submission.config), "data": asdict(submission.data)}
    write_json(run.config, {**content, "submitted_at": submission.submitted_at})


def read_submission(run: RunDirectory) -> Submission:
    """Submitted config and data set of a run.

    Raises:
        CorruptError: config.json is damaged.
        ConfigError: It holds no valid config.
        StoreError: It cannot be read.
    """
    content = _content(run)
    config, data, submitted_at = _config(run, content), _data(run, content), content.get("submitted_at")
    if isinstance(submitted_at, bool) or not isinstance(submitted_at, int | float):
        raise CorruptError(f"config.json must say when it was submitted. Received: path={str(run.config)!r}")
    return Submission(config, data, float(submitted_at))


def read_config(run: RunDirectory) -> RunConfig:
    """Submitted config of a run.

    Raises:
        CorruptError, ConfigError, StoreError: See `read_submission`.
    """
    return _config(run, _content(run))


def read_data(run: RunDirectory) -> RunData:
    """The data set of a run.

    Raises:
        CorruptError, StoreError: See `read_submission`.
    """
    return _data(run, _content(run))


def _content(run: RunDirectory) -> dict[str, Any]:
    content = read_json(run.config)
    return content if isinstance(content, dict) else {}


def _config(run: RunDirectory, content: dict[str, Any]) -> RunConfig:
    if not isinstance(content.get("config"), dict):
        raise CorruptError(f"config.json must hold a submitted config. Received: path={str(run.config)!r}")
    return config_from_dict(content["config"])


def _data(run: RunDirectory, content: dict[str, Any]) -> RunData:
    data = content.get("data")
    types = {"data_id": str, "root": str, "is_phantom": bool}
    if not isinstance(data, dict) or any(not isinstance(data.get(name), kind) for name, kind in types.items()):
        raise CorruptError(
            f"config.json must name the run's data set. Received: path={str(run.config)!r}, data={data!r:.80}"
        )
    return RunData(**{name: data[name] for name in types})


def classifier_config(run: RunDirectory) -> ClassifierConfig:
    """Submitted config of a classifier's run, trained or an ensemble.

    Raises:
        RunError: It is a DCGAN's run.
        CorruptError, ConfigError, StoreError: See `read_config`.
    """
    config = read_config(run)
    if isinstance(config, GanConfig):
        raise RunError(f"the run must be a classifier's. Received: run_id={run.run_id!r}, a DCGAN's")
    return config


def trained_config(run: RunDirectory) -> TrainConfig:
    """Submitted config of a trained classifier's run.

    Raises:
        RunError: It is an ensemble, or a DCGAN's run.
        CorruptError, ConfigError, StoreError: See `read_config`.
    """
    config = classifier_config(run)
    if not isinstance(config, TrainConfig):
        raise RunError(f"the run must be a trained classifier's. Received: run_id={run.run_id!r}, an ensemble")
    return config


def gan_run_config(run: RunDirectory) -> GanConfig:
    """Submitted config of a DCGAN's run.

    Raises:
        RunError: It is a classifier's run.
        CorruptError, ConfigError, StoreError: See `read_config`.
    """
    config = read_config(run)
    if not isinstance(config, GanConfig):
        raise RunError(
            f"the run must be a DCGAN's. Received: run_id={run.run_id!r}, a classifier's; 'runs list' shows the known runs"
        )
    return config
