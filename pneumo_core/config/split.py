"""A saved choice of validation images, as a setting of a run: its name for people, and the hash of its content."""

import re
from dataclasses import dataclass, field
from typing import Final

from pneumo_core.errors import ConfigError

MOST_LETTERS: Final = 40
_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{MOST_LETTERS - 1}}}")
_DIGEST: Final = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class NamedSplit:
    """A saved split (`data.saved_splits`). Two of one content are the same, whatever their names.

    Attributes:
        name: Name for people: small letters, digits and hyphens.
        digest: First 12 hexadecimal digits of the SHA-256 of its content.
    """

    name: str = field(compare=False)
    digest: str

    def __post_init__(self) -> None:
        require_split_name(self.name)
        if not isinstance(self.digest, str) or not _DIGEST.fullmatch(self.digest):
            raise ConfigError(f"a split's digest must be 12 hexadecimal digits. Received: digest={self.digest!r}")

    def __str__(self) -> str:
        return self.name


def require_split_name(name: str) -> None:
    """Check that a text can be the name of a split.

    Raises:
        ConfigError: It cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"the name of a split must have 1 to {MOST_LETTERS} small letters, digits and hyphens. "
            f"Received: name={name!r:.60}"
        )
