"""All environment variables that the project reads."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pneumo_core.errors import ConfigError

_BACKENDS: Final = ("tensorflow", "jax")


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of this process; paths are absolute, because workers run in another folder.

    Attributes:
        artifacts: Folder of runs and data set caches (`PNEUMO_ARTIFACTS`, default ``artifacts/`` beside the package).
        data: Default data set (`PNEUMO_DATA`); None: the downloaded Kaggle copy, else the phantoms.
        vgg16_weights: File of VGG16's ImageNet weights (`PNEUMO_VGG16_WEIGHTS`); None: Keras downloads it.
        allow_training: Whether pages may start work (`PNEUMO_ALLOW_TRAINING`; ``0`` turns it off on a public host).
        parallel_runs: Number of runs that work at the same time, 1 to 64 (`PNEUMO_PARALLEL_RUNS`, default 1); the others wait.
        ray_address: Ray's dashboard, such as ``http://127.0.0.1:8265`` (`PNEUMO_RAY_ADDRESS`), or None.
        ray_gpus: GPUs that a run on Ray requests, 0 to 64, a fraction if runs share one (`PNEUMO_RAY_GPUS`, default 0).
        ray_allow_unauthenticated: Whether runs may go to a remote Ray without a token
            (`PNEUMO_RAY_ALLOW_UNAUTHENTICATED`; ``1`` in a trusted network).
    """

    artifacts: Path
    data: Path | None
    vgg16_weights: Path | None
    allow_training: bool
    parallel_runs: int
    ray_address: str | None
    ray_gpus: float
    ray_allow_unauthenticated: bool


def settings() -> Settings:
    """Read the settings from the environment, at each call, so that tests and shells can change them.

    Raises:
        ConfigError: A number is not a number or out of its range.
    """

    def path(name: str) -> Path | None:
        value = os.environ.get(name)
        return Path(value).expanduser().absolute() if value else None

    default_artifacts = Path(__file__).resolve().parent.parent / "artifacts"
    return Settings(
        artifacts=path("PNEUMO_ARTIFACTS") or default_artifacts,
        data=path("PNEUMO_DATA"),
        vgg16_weights=path("PNEUMO_VGG16_WEIGHTS"),
        allow_training=os.environ.get("PNEUMO_ALLOW_TRAINING", "1").lower() not in {"0", "false", "no", "off"},
        parallel_runs=int(_number("PNEUMO_PARALLEL_RUNS", 1, low=1, whole=True)),
        ray_address=os.environ.get("PNEUMO_RAY_ADDRESS") or None,
        ray_gpus=_number("PNEUMO_RAY_GPUS", 0, low=0, whole=False),
        ray_allow_unauthenticated=os.environ.get("PNEUMO_RAY_ALLOW_UNAUTHENTICATED", "").lower()
        in {"1", "true", "yes", "on"},
    )


def _number(name: str, default: float, *, low: int, whole: bool) -> float:
    text = os.environ.get(name) or str(default)
    try:
        value = int(text) if whole else float(text)
        if low <= value <= 64:
            return value
    except ValueError:
        pass  # Raised below, like a number out of range.
    kind = "a whole number" if whole else "a number"
    raise ConfigError(f"{name} must be {kind} from {low} to 64. Received: {name}={text!r}; correct it or unset it")


def keras_backend() -> str:
    """Keras' backend: ``tensorflow``, or ``jax`` if `KERAS_BACKEND`, Keras' own switch, selects it.

    Raises:
        ConfigError: `KERAS_BACKEND` names another backend.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in _BACKENDS:
        raise ConfigError(f"KERAS_BACKEND must be 'tensorflow' or 'jax'. Received: KERAS_BACKEND={name!r}; correct it")
    return name


def keras_home() -> Path:
    """Folder of Keras' downloads: `KERAS_HOME`, its own setting, or ``~/.keras``."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def named_vgg16_weights() -> Path | None:
    """File of VGG16's weights that `PNEUMO_VGG16_WEIGHTS` names, or None if it is unset.

    Raises:
        ConfigError: It does not name a file.
    """
    path = settings().vgg16_weights
    if path is not None and not path.is_file():
        raise ConfigError(
            f"PNEUMO_VGG16_WEIGHTS must name a file. Received: path={str(path)!r}; correct it, or unset it to have Keras "
            "download the weights"
        )
    return path


def ray_token() -> str | None:
    """Token for Ray's dashboard, or None.

    Its sources are Ray's own: `RAY_AUTH_TOKEN`, the file that `RAY_AUTH_TOKEN_PATH` names, or
    ``~/.ray/auth_token`` (Ray's documentation, "Token authentication").

    Raises:
        ConfigError: The named file cannot be read.
    """
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token.strip()
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named or "~/.ray/auth_token").expanduser()
    if not named and not path.exists():
        return None
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"RAY_AUTH_TOKEN_PATH must name a file with Ray's token. Received: path={str(path)!r}: {type(error).__name__}"
        ) from error
