"""The whole audit of a data set: the checks that need no pixels, and what is measured once and stored beside the index.

`python -m pneumo_core.inference.audited DATA_ID` makes it in a process of its own, which `jobs.preparing` starts.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pneumo_core.data.audit import Check, audit, worst_first
from pneumo_core.data.audit.near import near
from pneumo_core.data.audit.quality import quality
from pneumo_core.data.index import DataIndex, load_index
from pneumo_core.data.measures import MEASURES, measure
from pneumo_core.data.work import audit_name, do_work, reporter
from pneumo_core.errors import DataError, StoreError
from pneumo_core.evaluation.opponent import Opponent, opponent, opponent_check
from pneumo_core.evaluation.plain import decode, encode
from pneumo_core.evaluation.shift import ClassShift, shift, shift_checks
from pneumo_core.records import NotApplicable
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import datasets_root

_SCHEMA: Final = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured once.

    Attributes:
        checks: Checks of near duplicates, quality, shift and metadata.
        shift: Shift of each class from train to test, in the order of `Label`.
        opponent: What the files alone tell.
    """

    checks: tuple[Check, ...]
    shift: tuple[ClassShift | NotApplicable, ...]
    opponent: Opponent | NotApplicable


def measured(index: DataIndex, progress: Callable[[int, int], None] | None = None) -> Measured:
    """What is measured of a data set, stored or computed.

    Args:
        index: The data set.
        progress: Called with images done and their total while images are measured; may raise to stop.

    Raises:
        DataError: An image has changed since it was indexed.
        StoreError: The result cannot be stored.
    """
    if (stored := stored_measured(index)) is not None:
        return stored
    table, count = measure(index, progress), len(index.table)

    def go_on() -> None:
        """Report between the parts, so that a request to stop is heard."""
        if progress:
            progress(count, count)

    rows = index.table.join(table.set_index("image_id")[list(MEASURES)], on="image_id")
    go_on()
    duplicates = tuple(near(index, table))
    go_on()
    shifts = shift(rows, list(MEASURES))
    go_on()
    files = opponent(rows)
    go_on()
    checks = (*duplicates, *quality(index, table), *shift_checks(shifts), opponent_check(files))
    result = Measured(checks, shifts, files)
    write_json(_path(index), {"schema": _SCHEMA, **encode(result)})
    return result


def stored_measured(index: DataIndex) -> Measured | None:
    """What was measured of a data set and stored, or None."""
    try:
        data: dict[str, Any] = dict(read_json(_path(index)))
        if data.pop("schema", None) != _SCHEMA:
            return None
        result: Measured = decode(Measured, data, "audit")
    except (StoreError, DataError, TypeError, ValueError):  # Missing or damaged: it is measured again.
        return None
    return result


def all_checks(index: DataIndex, found: Measured | None) -> tuple[Check, ...]:
    """The checks that need no pixels and, where it is there, those of what was measured, the most severe first."""
    return worst_first((*audit(index), *(found.checks if found else ())))


def _path(index: DataIndex) -> Path:
    return datasets_root() / index.data_id / "audit.json"


def _main(data_id: str) -> int:
    name = audit_name(data_id)
    return do_work(name, lambda: measured(load_index(data_id), reporter(name, "Measuring the images")))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
