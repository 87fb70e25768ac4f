"""The stored tests of a finished run's heat maps, read without what runs them."""

from typing import Final

from pneumo_core.errors import CorruptError, DataError
from pneumo_core.evaluation.trust import Trust, trust_from_dict
from pneumo_core.records import NotApplicable
from pneumo_core.runs.files import is_there
from pneumo_core.runs.store import RunDirectory, read_manifest, verified_json

NO_PATIENTS: Final = NotApplicable(
    "the run has no validation images of its own, and its heat maps are not tested on the test images that chose it"
)
"""Tests of a run that selected on test."""

FEW_PATIENTS: Final = NotApplicable("its heat maps are tested on 30 validation patients or more, and it has fewer")
"""Tests of a run on a small data set, of which they would show nothing."""


def read_trust(run: RunDirectory) -> Trust | NotApplicable:
    """Tests of a finished run's heat maps; not applicable for older runs, which have none stored.

    Raises:
        RunError: The run is not finished.
        CorruptError: The file does not match its hash.
    """
    if run.trust.name not in read_manifest(run)["files"]:
        if not is_there(run.model):
            return NotApplicable("the run has no model here, so it draws no heat maps")
        return NotApplicable(f"the run is older than these tests; the command 'runs refresh {run.run_id}' adds them")
    try:
        return trust_from_dict(verified_json(run, run.trust))
    except DataError as error:
        raise CorruptError(str(error)) from error
