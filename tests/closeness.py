"""How near two results must be: what is counted, named or typed exactly; what is computed in floats within rounding.

Every processor rounds one addition or product alike, but NumPy, BLAS, oneDNN, OpenCV and the C library choose their code by
the processor: they add in another order, round a product and its sum once instead of twice, and approximate `exp` and `log`
with other last bits.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike

__all__ = ["ABSOLUTE", "RELATIVE", "assert_close", "differences", "rounding", "sum_rounding"]

# A figure of ours is a few thousand float64 operations deep at most, each off by up to 1.1e-16 of its size; a mistake in a
# formula is off by far more.
RELATIVE = 1e-12
# A difference of numbers near 1 keeps their errors, however small it is itself: fifty roundings. What is that small in
# earnest, such as a tiny p, is compared with `absolute=0`.
ABSOLUTE = 50 * 2.0**-53

_SHOWN = 5


def rounding(dtype: DTypeLike) -> float:
    """Most that one rounding to `dtype` moves a number, relative to its size: 1.1e-16 for float64, 6.0e-8 for float32."""
    return float(np.finfo(dtype).eps) / 2


def sum_rounding(terms: int, dtype: DTypeLike = np.float32) -> float:
    """How far two orders of adding `terms` products may lie apart, relative to the sum of the products' sizes.

    In either order a product meets at most as many roundings as there are terms, its own and those of the additions (Higham
    2002, Accuracy and Stability of Numerical Algorithms, 2nd edition, equation 3.5), and the two orders may err in opposite
    directions. Roundings that err at random come to about the square root of that.
    """
    return 2 * terms * rounding(dtype)


def assert_close(
    received: object, expected: object, *, relative: float = RELATIVE, absolute: float = ABSOLUTE, path: str = ""
) -> None:
    """Fail with the path to each value that differs and both values, unless all are the same up to rounding.

    Dataclasses, mappings, lists, tuples, arrays, series and data frames are compared part by part. Types, dtypes, shapes,
    lengths, keys, columns and everything that is no float must be equal; a float must lie within
    ``absolute + relative * abs(expected)``, and NaN and infinity must stand at the same places.
    """
    found = list(islice(differences(received, expected, relative=relative, absolute=absolute, path=path), _SHOWN + 1))
    assert not found, "\n".join([*found[:_SHOWN], *(["and more"] if len(found) > _SHOWN else [])])


def differences(
    received: Any, expected: Any, *, relative: float = RELATIVE, absolute: float = ABSOLUTE, path: str = ""
) -> Iterator[str]:
    """What `assert_close` tells: one line for each value that differs."""
    name = path or "value"
    if _kind(received) != _kind(expected):
        yield f"{name}: received {_kind(received)} {received!r}, expected {_kind(expected)} {expected!r}"
    elif isinstance(expected, np.ndarray | np.generic | float):
        left, right = np.asarray(received), np.asarray(expected)
        if right.dtype.kind == "f":
            wide = left.astype(np.float64), right.astype(np.float64)
            same = np.isclose(*wide, rtol=relative, atol=absolute, equal_nan=True)
        else:
            same = left == right
        for place in np.argwhere(~same):
            where = f"{path}{place.tolist()}" if right.ndim else name
            yield f"{where}: received {left[tuple(place)]}, expected {right[tuple(place)]}"
    elif (parts := _parts(expected)) is None:
        if received != expected:
            yield f"{name}: received {received!r}, expected {expected!r}"
    elif odd := sorted(_parts(received).keys() ^ parts.keys()):
        yield f"{name}: only one of the two has {', '.join(odd)}"
    else:
        for where, part in parts.items():
            yield from differences(
                _parts(received)[where], part, relative=relative, absolute=absolute, path=path + where
            )


def _kind(value: Any) -> str:
    """Type, dtype and shape; a float of Python's is one of NumPy's float64."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array of shape {value.shape}"
    if isinstance(value, pd.Series):
        return f"{value.dtype} series"
    return "float64" if type(value) is float else type(value).__name__


def _parts(value: Any) -> dict[str, Any] | None:
    """What a value is made of, by the ends of their paths; None of what is compared whole."""
    match value:
        case pd.DataFrame():
            heads = {".index": value.index.tolist(), ".columns": value.columns.tolist()}
            return heads | {f"[{name!r}]": value[name] for name in value.columns}
        case pd.Series():
            return {".values": value.to_numpy() if value.dtype.kind == "f" else value.tolist()}
        case Mapping():
            return {f"[{key!r}]": part for key, part in value.items()}
        case list() | tuple():
            return {f"[{place}]": part for place, part in enumerate(value)}
        case _ if dataclasses.is_dataclass(value):
            return {f".{field.name}": getattr(value, field.name) for field in dataclasses.fields(value)}
    return None
