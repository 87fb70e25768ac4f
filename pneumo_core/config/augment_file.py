"""Augmentation settings as a small JSON file: written by the Augmentation page, read by ``train --augment FILE``."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from pneumo_core.config.augment import ADDED_LATER, AUGMENTATIONS, AugmentConfig
from pneumo_core.errors import ConfigError

_KIND: Final = "augmentation"
_SCHEMA: Final = 1
_FIELDS: Final = tuple(field.name for field in fields(AugmentConfig))
_MAX_BYTES: Final = 4096
"""Over ten times the size that `write_augmentation` writes; a larger file is refused."""


def write_augmentation(config: AugmentConfig) -> bytes:
    """Content of a settings file: UTF-8 JSON, one field per line; `read_augmentation` restores `config` from it."""
    content = {"kind": _KIND, "schema": _SCHEMA, **asdict(config)}
    return (json.dumps(content, indent=2) + "\n").encode()


def read_augmentation(source: bytes | Path) -> AugmentConfig:
    """Settings from a file that `write_augmentation` wrote, or a person with all of its keys.

    Args:
        source: The file's bytes, or its path.

    Raises:
        ConfigError: The file cannot be read, is not JSON, is of another kind or schema, or its keys or values are not those of
            an `AugmentConfig`.
    """
    name = "upload" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _content(source)
    if len(data) > _MAX_BYTES:
        raise _refused(f"have at most {_MAX_BYTES:,} bytes", f"file={name!r}, which has more")
    try:
        content = json.loads(data, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of open brackets.
        raise _refused("hold JSON", f"file={name!r}, which does not parse: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != _KIND:
        raise _refused(f"hold an object with kind={_KIND!r}", f"file={name!r}, which does not")
    if content.get("schema") != _SCHEMA:
        raise _refused(f"have schema={_SCHEMA}", f"schema={content.get('schema')!r}")
    # Files of earlier versions lack what was added later.
    values = dict.fromkeys(ADDED_LATER, 0.0) | {k: v for k, v in content.items() if k not in {"kind", "schema"}}
    if set(values) != set(_FIELDS):
        missing, unknown = sorted(set(_FIELDS) - set(values)), sorted(set(values) - set(_FIELDS))
        raise ConfigError(
            f"an augmentation file needs exactly kind, schema, {', '.join(_FIELDS)}. "
            f"Received: missing={missing}, unknown={unknown}; add the former and remove the latter"
        )
    return AugmentConfig(**values)


def named_augmentation(name: str) -> AugmentConfig:
    """Settings by their name in `AUGMENTATIONS`, else by the path of their file.

    Raises:
        ConfigError: There is no such name and no such file, or the file is refused by `read_augmentation`.
    """
    if name in AUGMENTATIONS:
        return AUGMENTATIONS[name]
    try:
        return read_augmentation(Path(name))
    except ConfigError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise ConfigError(
            f"augment must be one of {sorted(AUGMENTATIONS)}, or the path of a file that the Augmentation page saved. "
            f"Received: augment={name!r}; check its spelling"
        ) from error


def _content(path: Path) -> bytes:
    """First bytes of a file, one more than the largest allowed size."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte.
        raise ConfigError(
            f"an augmentation file must be readable. Received: file={str(path)!r}: "
            f"{getattr(error, 'strerror', None) or error}; name a file that the Augmentation page saved"
        ) from error


def _refused(must: str, received: str) -> ConfigError:
    return ConfigError(
        f"an augmentation file must {must}. Received: {received}; "
        "save the settings again with this version, on the Augmentation page"
    )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("an object holds a key twice")
    return content
