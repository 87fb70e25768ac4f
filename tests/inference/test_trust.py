"""Stored tests of heat maps, as a finished run has them."""

import pytest

from pneumo_core.errors import CorruptError
from pneumo_core.evaluation.trust import trust_to_dict
from pneumo_core.inference.trust import FEW_PATIENTS, read_trust
from pneumo_core.records import NotApplicable
from pneumo_core.runs.files import write_json
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.evaluation.test_trust import TRUST
from tests.hostile import assert_one_line
from tests.made_runs import vouch_for


def test_a_quick_run_says_that_it_is_not_tested(finished_run: FinishedRun) -> None:
    assert read_trust(RunDirectory(finished_run.path)) == FEW_PATIENTS


def test_stored_tests_are_read_checked_and_missed(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    write_json(run.trust, trust_to_dict(TRUST))
    with pytest.raises(CorruptError, match="must have the SHA-256"):
        read_trust(run)
    vouch_for(run)
    assert read_trust(run) == TRUST
    run.trust.write_text("[]")
    vouch_for(run)
    with pytest.raises(CorruptError) as caught:
        read_trust(run)
    assert_one_line(caught.value)
    run.trust.unlink()
    vouch_for(run)
    older = read_trust(run)
    assert isinstance(older, NotApplicable)
    assert f"'runs refresh {run.run_id}'" in older.reason
    run.model.unlink()
    vouch_for(run)
    without = read_trust(run)
    assert isinstance(without, NotApplicable)
    assert "no model" in without.reason
