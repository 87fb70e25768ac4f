"""What a run was asked for: config.json, written once by submit and read as frozen values."""

from dataclasses import asdict, dataclass
from typing import Any

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.gan import GanConfig
from pneumo_core.config.run import RunConfig, config_from_dict, config_to_dict
from pneumo_core.errors import CorruptError, RunError
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory


@dataclass(frozen=True, slots=True)
class RunData:
    """The data set of a run; by default, one that is not recorded.

    Attributes:
        data_id: Its content-based id.
        root: Its folder; of a published run, the folder's name.
        is_phantom: Whether it is the built-in phantoms.
    """

    data_id: str = ""
    root: str = ""
    is_phantom: bool = False

    @property
    def name(self) -> str:
        """Name of the folder, without where it lies, which is nobody else's business."""
        return self.root.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Submission:
    """What a run was asked for: the content of config.json.

    Attributes:
        config: The run's config.
        data: Its data set.
        submitted_at: Unix time of the first submission, in seconds.
    """

    config: RunConfig
    data: RunData
    submitted_at: float


def write_submission(run: RunDirectory, submission: Submission) -> None:
    """Write config.json.

    Raises:
        StoreError: It cannot be written.
    """
    asked = {"run_id": run.run_id, "config": config_to_dict(submission.config), "data": asdict(submission.data)}
    write_json(run.config, {**asked, "submitted_at": submission.submitted_at})


def read_submission(run: RunDirectory) -> Submission:
    """What a run was asked for.

    Raises:
        CorruptError: config.json is not what was written.
        ConfigError: It holds no config.
        StoreError: It cannot be read.
    """
    asked = _asked(run)
    config, data, submitted_at = _config(run, asked), _data(run, asked), asked.get("submitted_at")
    if isinstance(submitted_at, bool) or not isinstance(submitted_at, int | float):
        raise CorruptError(f"config.json must say when it was submitted. Received: path={str(run.config)!r}")
    return Submission(config, data, float(submitted_at))


def read_config(run: RunDirectory) -> RunConfig:
    """What a run was asked.

    Raises:
        CorruptError, ConfigError, StoreError: See `read_submission`.
    """
    return _config(run, _asked(run))


def read_data(run: RunDirectory) -> RunData:
    """The data set of a run.

    Raises:
        CorruptError, StoreError: See `read_submission`.
    """
    return _data(run, _asked(run))


def _asked(run: RunDirectory) -> dict[str, Any]:
    asked = read_json(run.config)
    return asked if isinstance(asked, dict) else {}


def _config(run: RunDirectory, asked: dict[str, Any]) -> RunConfig:
    if not isinstance(asked.get("config"), dict):
        raise CorruptError(f"config.json must hold a submitted config. Received: path={str(run.config)!r}")
    return config_from_dict(asked["config"])


def _data(run: RunDirectory, asked: dict[str, Any]) -> RunData:
    data = asked.get("data")
    types = {"data_id": str, "root": str, "is_phantom": bool}
    if not isinstance(data, dict) or any(not isinstance(data.get(name), kind) for name, kind in types.items()):
        raise CorruptError(
            f"config.json must name the run's data set. Received: path={str(run.config)!r}, data={data!r:.80}"
        )
    return RunData(**{name: data[name] for name in types})


def classifier_config(run: RunDirectory) -> TrainConfig:
    """What a classifier's run was asked.

    Raises:
        RunError: It is a DCGAN's run.
        CorruptError, ConfigError, StoreError: See `read_config`.
    """
    config = read_config(run)
    if not isinstance(config, TrainConfig):
        raise RunError(f"the run must be a classifier's, baseline or vgg16. Received: run_id={run.run_id!r}, a DCGAN's")
    return config


def gan_run_config(run: RunDirectory) -> GanConfig:
    """What a DCGAN's run was asked.

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
