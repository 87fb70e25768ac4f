"""The comparison that other tests rest on finds each difference that is no rounding, and says where it is."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.closeness import ABSOLUTE, RELATIVE, assert_close, differences, rounding, sum_rounding


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    value: float
    n: int


@dataclass(frozen=True)
class Outer:
    name: str
    color: Color
    inner: Inner
    rates: tuple[float, ...]
    splits: dict[Color, list[Inner]]
    array: Any
    frame: pd.DataFrame
    missing: Inner | None = None


def outer(step: float = 0.0) -> Outer:
    """The same value at each call; each float in it moved by `step` of its size."""
    factor = 1 + step
    return Outer(
        name="run",
        color=Color.RED,
        inner=Inner(0.25 * factor, 3),
        rates=(0.1 * factor, float("nan"), float("inf")),
        splits={Color.RED: [Inner(1e9 * factor, 1), Inner(-2.0 * factor, 2)], Color.BLUE: []},
        array=np.array([[1.0, 2.0], [3.0, 4.0]]) * factor,
        frame=pd.DataFrame({"id": ["a", "b"], "logit": np.array([0.5, -0.5]) * factor, "label": [0, 1]}),
    )


def told(received: object, expected: object, **tolerances: float) -> list[str]:
    return list(differences(received, expected, **tolerances))


@pytest.mark.parametrize("step", [0.0, 2e-16, -2e-13, 9e-13])
def test_rounding_is_no_difference(step: float) -> None:
    assert_close(outer(step), outer())


def test_what_is_more_than_rounding_is_told_of_every_float() -> None:
    assert [line.partition(": received")[0] for line in told(outer(1e-11), outer())] == [
        ".inner.value",
        ".rates[0]",
        *(f".splits[{Color.RED!r}][{place}].value" for place in (0, 1)),
        *(f".array[{row}, {column}]" for row in (0, 1) for column in (0, 1)),
        *(f".frame['logit'].values[{row}]" for row in (0, 1)),
    ]


FRAME = outer().frame


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": "ran"}, ".name"),
        ({"color": Color.BLUE}, ".color"),
        ({"color": "red"}, ".color"),  # A text is no enum, though they are equal.
        ({"inner": Inner(0.25, 4)}, ".inner.n"),
        ({"inner": Inner(0.25, 3.0)}, ".inner.n"),  # type: ignore[arg-type]
        ({"inner": Inner(0.25, True)}, ".inner.n"),
        ({"inner": None}, ".inner"),
        ({"missing": Inner(0.0, 0)}, ".missing"),
        ({"rates": (0.1, float("nan"))}, ".rates"),
        ({"rates": [0.1, float("nan"), float("inf")]}, ".rates"),
        ({"rates": (0.1, 0.0, float("inf"))}, ".rates[1]"),
        ({"rates": (0.1, float("nan"), -float("inf"))}, ".rates[2]"),
        ({"rates": (0.1, float("nan"), 1e300)}, ".rates[2]"),
        ({"rates": (float("nan"), float("nan"), float("inf"))}, ".rates[0]"),
        ({"rates": (np.float32(0.1), float("nan"), float("inf"))}, ".rates[0]"),
        ({"splits": {Color.RED: outer().splits[Color.RED]}}, ".splits"),
        ({"splits": {**outer().splits, "third": []}}, ".splits"),
        ({"array": outer().array[:1]}, ".array"),
        ({"array": outer().array.astype(np.float32)}, ".array"),
        ({"array": outer().array.astype(int)}, ".array"),
        ({"array": outer().array.T}, ".array[0, 1]"),
        ({"frame": FRAME[["logit", "id", "label"]]}, ".frame.columns[0]"),
        ({"frame": FRAME.rename(columns={"logit": "value"})}, ".frame"),
        ({"frame": FRAME.set_axis([1, 0])}, ".frame.index[0]"),
        ({"frame": FRAME.iloc[:1]}, ".frame.index"),
        ({"frame": FRAME.assign(id=["a", "c"])}, ".frame['id'].values[1]"),
        ({"frame": FRAME.assign(label=[0, 2])}, ".frame['label'].values[1]"),
        ({"frame": FRAME.assign(label=[0.0, 1.0])}, ".frame['label']"),
    ],
)
def test_what_is_counted_named_or_typed_must_be_equal(changes: dict[str, Any], path: str) -> None:
    changed = replace(outer(), **changes)
    for pair in ((changed, outer()), (outer(), changed)):
        assert told(*pair)[0].startswith(f"{path}: ")


def test_a_failure_names_the_path_and_both_values_and_not_more_than_can_be_read() -> None:
    with pytest.raises(AssertionError, match=r"^report\.inner\.value: received 0\.5, expected 0\.25$"):
        assert_close(replace(outer(), inner=Inner(0.5, 3)), outer(), path="report")
    with pytest.raises(AssertionError, match=r"^value: received 1, expected 2$"):
        assert_close(1, 2)
    with pytest.raises(AssertionError) as caught:
        assert_close(np.zeros(1000), np.ones(1000))
    assert str(caught.value).splitlines()[-2:] == [
        "[4]: received 0.0, expected 1.0",
        "and more",
    ]


def test_integers_beyond_a_float_s_precision_are_told_apart() -> None:
    assert told(2**60 + 1, 2**60)
    assert told(np.array([2**60 + 1]), np.array([2**60]))


def test_a_small_number_is_compared_by_its_own_size_where_that_is_asked_for() -> None:
    assert_close(3e-15, 1e-15)
    assert told(3e-15, 1e-15, absolute=0)
    assert_close(1e-300 * (1 + 5e-13), 1e-300, absolute=0)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e-3), st.booleans())
def test_the_tolerances_are_what_they_say(expected: float, step: float, below: bool) -> None:
    received = expected + (-step if below else step)
    apart = abs(received - expected)
    allowed = ABSOLUTE + RELATIVE * abs(expected)
    if apart < 0.999 * allowed:
        assert_close(received, expected)
        assert_close(np.array([received]), np.array([expected]))
    if apart > 1.001 * allowed:
        assert told(received, expected)
        assert told(np.array([received]), np.array([expected]))


def test_one_rounding_moves_a_number_by_no_more_than_is_said() -> None:
    values = np.random.default_rng(0).uniform(1, 2, 10_000)
    for dtype in (np.float16, np.float32):
        moved = np.abs(values.astype(dtype).astype(np.float64) - values) / values
        assert 0.5 * rounding(dtype) < moved.max() <= rounding(dtype)


@pytest.mark.parametrize("terms", [2, 10, 1000, 20_000])
def test_sums_in_any_order_lie_within_what_their_terms_allow(terms: int) -> None:
    rng = np.random.default_rng(terms)
    left, right = rng.standard_normal((2, terms)).astype(np.float32)
    size = float(np.abs(left.astype(np.float64) * right).sum())
    found = []
    for order in (np.arange(terms), np.arange(terms)[::-1], *(rng.permutation(terms) for _ in range(5))):
        products = left[order] * right[order]
        found += [float(np.dot(left[order], right[order])), float(products.sum()), float(products.cumsum()[-1])]
    apart = max(found) - min(found)
    assert apart <= sum_rounding(terms) * size
    assert rounding(np.float32) * size / terms < apart or terms == 2  # The orders do differ, so the bound is tried.
