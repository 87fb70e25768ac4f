"""Values survive the way to plain data and back; other data are refused by name."""

from dataclasses import dataclass
from typing import Any

import pytest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.records import Estimate, NotApplicable, Split


@dataclass(frozen=True)
class Sheet:
    name: str
    sizes: tuple[int, ...]
    parts: dict[Split, Estimate | NotApplicable]


SHEET = Sheet("a", (1, 2), {Split.VAL: Estimate(0.5, 0.25, 1.0, 3), Split.TEST: NotApplicable("no images")})
PLAIN = {
    "name": "a",
    "sizes": [1, 2],
    "parts": {
        "val": {"value": 0.5, "low": 0.25, "high": 1.0, "n": 3},
        "test": {"not_applicable": "no images"},
    },
}


def test_there_and_back() -> None:
    assert encode(SHEET) == PLAIN
    assert decode(Sheet, PLAIN, "sheet") == SHEET


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, r"sheet\.name must be of type str"),
        ({"sizes": 1}, r"sheet\.sizes must be a list"),
        ({"sizes": [1, True]}, r"sheet\.sizes\[1\] must be of type int"),
        ({"parts": []}, r"sheet\.parts must be an object"),
        ({"parts": {"all": {}}}, r"sheet\.parts must be one of"),
        ({"parts": {"val": {"value": float("nan"), "low": 0, "high": 1, "n": 1}}}, r"value must be a finite number"),
        ({"other": 1}, r"sheet must hold exactly .* Received: sheet=\['name', 'other', 'parts', 'sizes'\];"),
    ],
)
def test_other_data_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(Sheet, {**PLAIN, **change}, "sheet")
