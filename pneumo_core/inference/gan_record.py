"""The stored record of a DCGAN's measures; reading it loads no model and no library that runs one."""

from dataclasses import dataclass
from typing import Any, Final

from pneumo_core.errors import CorruptError, DataError
from pneumo_core.evaluation.generator.measures import GenerativeReport
from pneumo_core.evaluation.plain import decode
from pneumo_core.records import Estimate, NotApplicable
from pneumo_core.runs.store import RunDirectory, verified_json

SCHEMA: Final = 3
"""Version of the record: 1, which is not stored, took every floor from ten halves of the real patients; 2 had no distances of
the real images, only their quantiles."""


@dataclass(frozen=True, slots=True)
class GanMeasures:
    """Record of a measurement.

    Attributes:
        run_id: The DCGAN's run.
        sample_seed: Seed of the samples, which are its first `report.n_generated`.
        classifier: Id of the classifier that scored them, or "" if there was none.
        real_called_pneumonia: Fraction of the real images, at the samples' size, that it classifies as PNEUMONIA.
        report: All measures.
        schema: Version of the record.
    """

    run_id: str
    sample_seed: int
    classifier: str
    real_called_pneumonia: Estimate | NotApplicable
    report: GenerativeReport
    schema: int = SCHEMA


def read_measures(run: RunDirectory) -> GanMeasures:
    """A finished DCGAN's measures, of this schema or of an older one with the same fields.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file does not match its hash, or is of another schema with other fields.
    """
    stored = verified_json(run, run.measures)
    if isinstance(stored, dict):
        stored = {"schema": 1, **stored}
        if stored["schema"] in (1, 2):
            stored = _without_distances(stored)
    try:
        measures: GanMeasures = decode(GanMeasures, stored, "measures")
    except DataError as error:
        raise CorruptError(f"{error}; `runs refresh {run.run_id}` measures its samples again") from error
    if measures.schema not in range(1, SCHEMA + 1):
        raise CorruptError(
            f"measures must be of schema {SCHEMA} or older. Received: run_id={run.run_id!r}, schema={measures.schema}; "
            f"`runs refresh {run.run_id}` measures its samples again"
        )
    return measures


def _without_distances(stored: dict[str, Any]) -> dict[str, Any]:
    """A record of an older schema with the distances that it lacks, empty."""
    report = stored.get("report")
    if isinstance(report, dict):
        parts = {name: part for name, part in report.items() if name.startswith("memorisation_")}
        known = {
            name: {"real_distance": [], **part}
            for name, part in parts.items()
            if isinstance(part, dict) and "distance" in part
        }
        return {**stored, "report": {**report, **known}}
    return stored
