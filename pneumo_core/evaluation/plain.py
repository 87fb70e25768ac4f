"""Conversion of values to plain data and back; a report's dataclasses are the only description of its file."""

from dataclasses import fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from pneumo_core.errors import DataError
from pneumo_core.records import NotApplicable


def encode(value: Any) -> Any:
    """Plain data of a value: dataclass, tuple, dict by enum, enum, number, text; `NotApplicable` keeps its reason."""
    if isinstance(value, NotApplicable):
        return {"not_applicable": value.reason}
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key.value: encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def decode(hint: Any, data: Any, where: str) -> Any:
    """The value that `encode` converted.

    Args:
        hint: Type annotation of the value.
        data: Plain data.
        where: Name of the value in error messages.

    Raises:
        DataError: The data does not match the annotation.
    """
    if isinstance(hint, UnionType):
        if isinstance(data, dict) and set(data) == {"not_applicable"}:
            return NotApplicable(decode(str, data["not_applicable"], f"{where}.not_applicable"))
        (hint,) = (option for option in get_args(hint) if option is not NotApplicable)
    if isinstance(hint, type) and is_dataclass(hint):
        names = {field.name for field in fields(hint)}
        expect(isinstance(data, dict) and set(data) == names, where, f"hold exactly {sorted(names)}", data)
        hints = get_type_hints(hint)
        return hint(**{name: decode(hints[name], data[name], f"{where}.{name}") for name in data})
    if get_origin(hint) is tuple:
        expect(isinstance(data, list), where, "be a list", data)
        return tuple(decode(get_args(hint)[0], item, f"{where}[{index}]") for index, item in enumerate(data))
    if get_origin(hint) is dict:
        expect(isinstance(data, dict), where, "be an object", data)
        keys, values = get_args(hint)
        return {decode(keys, key, where): decode(values, item, f"{where}.{key}") for key, item in data.items()}
    if issubclass(hint, Enum):
        expect(data in [member.value for member in hint], where, f"be one of {[*map(str, hint)]}", data)
        return hint(data)
    if hint is float:
        # JSON has one kind of number, so a writer may drop the ".0"; bool is an int in Python.
        expect(type(data) in {int, float} and np.isfinite(data), where, "be a finite number", data)
        return float(data)
    expect(type(data) is hint, where, f"be of type {hint.__name__}", data)
    return data


def expect(holds: bool, where: str, what: str, data: Any) -> None:
    """Check that a condition on the data of a report holds.

    Raises:
        DataError: It does not hold.
    """
    if not holds:
        received = sorted(map(str, data)) if isinstance(data, dict) else data
        raise DataError(f"{where} must {what}. Received: {where}={str(received)[:200]}; evaluate the run again")
