"""The recommended runs: those that ship, and what a missing or damaged file means."""

from pathlib import Path

import pytest

from pneumo_core.errors import CorruptError
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import is_there
from pneumo_core.runs.recommended import Recommended, recommended
from pneumo_core.runs.status import run_state
from pneumo_core.runs.store import find_run


def test_the_recommended_runs_are_published_finished_and_have_their_models() -> None:
    named = recommended()
    classifier, dcgan = find_run(named.classifier or ""), find_run(named.dcgan or "")
    assert dcgan.architecture is Architecture.DCGAN is not classifier.architecture
    for run in (classifier, dcgan):
        assert run_state(run) is RunState.SUCCEEDED
        assert is_there(run.model)


def test_nothing_is_recommended_without_the_file_or_without_the_runs(no_published: Path) -> None:
    assert recommended() == Recommended()
    (no_published / "recommended.json").write_text(
        '{"classifier": "baseline-000000000000", "dcgan": "dcgan-000000000000"}'
    )
    assert recommended() == Recommended()
    made = no_published / "dcgan-000000000000"
    made.mkdir()
    (made / "manifest.json").touch()
    assert recommended() == Recommended(dcgan="dcgan-000000000000")


@pytest.mark.parametrize("content", ["{}", "[]", '{"classifier": 1, "dcgan": "d"}', '{"classifier": "c"}', "{"])
def test_a_damaged_file_is_an_error_that_says_how_to_restore_it(no_published: Path, content: str) -> None:
    (no_published / "recommended.json").write_text(content)
    with pytest.raises(CorruptError, match=r"recommended\.json"):
        recommended()
