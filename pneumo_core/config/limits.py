"""Limits of the numbers in a config."""

from pneumo_core.errors import ConfigError


def require_within(name: str, value: float, low: float, high: float) -> None:
    """Check that a value is a number from `low` to `high`.

    Raises:
        ConfigError: It is not.
    """
    # bool is an int in Python, and NaN fails every comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"{name} must be a number from {low:g} to {high:g}. Received: {name}={value!r}")


def require_whole(name: str, value: int, low: int, high: int) -> None:
    """Check that a value is a whole number from `low` to `high`.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}. Received: {name}={value!r}")
