"""The config of any run as plain data, and the run id that follows from it.

Settings that determine the result are in the config and therefore in the fingerprint; backend, precision and device are not
(they are recorded in the run's manifest).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields
from typing import Any, Final

from pneumo_core.config.augment import ADDED_LATER, AugmentConfig
from pneumo_core.config.classifier import (
    Balance,
    FineTuneConfig,
    OperatingRule,
    PlateauConfig,
    Preparation,
    Preset,
    Scaling,
    Schedule,
    TrainConfig,
    Validation,
)
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import GAN_SIZES, GanConfig
from pneumo_core.config.naming import arm_name, departures, network_name
from pneumo_core.config.split import NamedSplit
from pneumo_core.errors import ConfigError
from pneumo_core.records import Architecture, Label, Split

SCHEMA: Final = 1
"""Increased whenever code changes the result of the same config and data, so that old runs are not reused."""

TrainedConfig = TrainConfig | GanConfig
"""What a run is trained from."""

RunConfig = TrainedConfig | EnsembleConfig


def config_to_dict(config: RunConfig) -> dict[str, Any]:
    """Plain data of a config, for JSON; its architecture distinguishes the kinds."""
    return {"architecture": config.architecture.value, **asdict(config)}


def config_from_dict(data: dict[str, Any]) -> RunConfig:
    """Config from `config_to_dict`'s plain data.

    Raises:
        ConfigError: A key is missing, unknown or holds a wrong value.
    """
    try:
        if isinstance(data, dict) and (kind := _OTHERS.get(str(data.get("architecture")))):
            added: dict[str, Any] = {"named_split": None} if kind is EnsembleConfig else {}
            part = {name: value for name, value in data.items() if name != "architecture"}
            return kind(**_values(kind, "config", {**added, **part}))
        # Older configs lack later fields; the defaults are their values.
        later = {field.name: field.default for field in _ADDED_LATER}
        return TrainConfig(**_values(TrainConfig, "config", {**later, **data}))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a config must hold values of the documented types. Received: {error}") from error


_OTHERS: Final[dict[str, type[GanConfig | EnsembleConfig]]] = {
    Architecture.DCGAN.value: GanConfig,
    Architecture.ENSEMBLE.value: EnsembleConfig,
}
"""Kinds of config that have no field `architecture`."""


def _values(kind: type, name: str, part: Any) -> dict[str, Any]:
    """The fields of a config, or of a part of it, from plain data that has exactly their names."""
    expected = {field.name for field in fields(kind)}
    if not isinstance(part, dict) or set(part) != expected:
        received = sorted(part) if isinstance(part, dict) else part
        raise ConfigError(f"{name} needs exactly the keys {sorted(expected)}. Received: keys={received}")
    return {key: _READ[key](value) if key in _READ else value for key, value in part.items()}


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "architecture": Architecture,
    "preset": Preset,
    "label": Label,
    "members": tuple,
    "validation": Validation,
    "operating_rule": OperatingRule,
    "balance": Balance,
    "scaling": Scaling,
    "choose_on": Split,
    "schedule": Schedule,
    "preparation": Preparation,
    "augment": lambda part: AugmentConfig(**_values(AugmentConfig, "augment", dict.fromkeys(ADDED_LATER, 0.0) | part)),
    "plateau": lambda part: PlateauConfig(**_values(PlateauConfig, "plateau", part)),
    "fine_tune": lambda part: None if part is None else FineTuneConfig(**_values(FineTuneConfig, "fine_tune", part)),
    "named_split": lambda part: None if part is None else NamedSplit(**_values(NamedSplit, "named_split", part)),
}
"""How the fields that are no plain data are read."""

_ADDED_LATER: Final = tuple(field for field in fields(TrainConfig) if field.default is not MISSING)


def fingerprint(config: RunConfig, data_id: str) -> str:
    """SHA-256 of config, data and `SCHEMA`, hexadecimal.

    Args:
        config: The run's config.
        data_id: Content-based id of the data set (see `data.index`).
    """
    settings = config_to_dict(config)
    for field in _ADDED_LATER:
        if field.name in settings and settings[field.name] == field.default:
            del settings[field.name]
    if config.named_split is not None:
        # Its name changes nothing, and no share of the patients is chosen.
        settings |= {"named_split": config.named_split.digest, "val_fraction": None}
    if isinstance(config, TrainConfig):
        augment = settings["augment"]
        settings["augment"] = {name: value for name, value in augment.items() if value or name not in ADDED_LATER}
    payload = {"config": _canonical(settings), "data_id": data_id, "schema": SCHEMA}
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """Integers as floats: 40 and 40.0 are the same setting but not the same JSON."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def run_id(config: RunConfig, data_id: str) -> str:
    """Id of the run and name of its directory: ``<architecture>-<12 hexadecimal digits>``."""
    return f"{config.architecture.value}-{fingerprint(config, data_id)[:12]}"


def full_name(config: RunConfig) -> str:
    """Network and settings: ``VGG16 · sound · original``, ``Ensemble of 3: 3 × Compact CNN · sound``."""
    return f"{network_name(config)} · {setting_name(config)}"


def setting_name(config: RunConfig) -> str:
    """Short name: preset, balancing arm, and what departs from the preset; of an ensemble, the preset."""
    if isinstance(config, EnsembleConfig):
        return config.preset.value
    parts = [config.preset.value]
    if isinstance(config, TrainConfig):
        parts.append(arm_name(config))
    else:
        if config.label is not Label.NORMAL:
            parts.append(config.label.name)
        if config.image_size != GAN_SIZES[0]:
            parts.append(f"{config.image_size} px")
    return " · ".join((*parts, *departures(config)))
