"""The command that combines runs: what it prints, and what it refuses."""

from pathlib import Path

from pneumo_core.cli.run_rows import runs_table
from pneumo_core.config.run import run_id
from pneumo_core.inference.ensemble import ensemble_of
from pneumo_core.jobs.runs import views
from pneumo_core.runs.store import RunDirectory, run_directory
from pneumo_core.runs.submission import RunData, Submission, write_submission
from tests.cli.conftest import Invoke, assert_refused
from tests.inference.test_ensemble import PREDICTIONS, member
from tests.made_runs import DATA_ID, made_run


def submitted() -> tuple[RunDirectory, list[str]]:
    """An ensemble as `submit` leaves it, and its members."""
    members = [member().run_id, member(seed=1, split_seed=0).run_id]
    config, _ = ensemble_of(members)
    run = run_directory(run_id(config, DATA_ID))
    write_submission(run, Submission(config, RunData(DATA_ID, "/data/chest_xray"), 1.7e9))
    return run, sorted(members)


def test_runs_that_cannot_be_combined_are_refused_in_a_line(invoke: Invoke, no_published: Path) -> None:
    run, evidence = member(), made_run(PREDICTIONS, seed=1, split_seed=0)
    beginnings = (run.run_id[:14], evidence.run_id[:14])
    assert_refused(invoke("ensemble", *beginnings), "must have their models", evidence.run_id)
    assert_refused(invoke("ensemble", run.run_id), "2 to 20", run.run_id)
    assert_refused(invoke("ensemble", run.run_id, "compact-0123456789ab"), "existing run", "compact-0123456789ab")


def test_their_images_must_be_here(invoke: Invoke, no_published: Path) -> None:
    _, members = submitted()
    assert_refused(invoke("ensemble", *members), "index must be intact", "data index FOLDER")


def test_no_run_is_wrong_usage(invoke: Invoke) -> None:
    assert invoke("ensemble").status == 2


def test_it_is_listed_and_shown_by_its_members(invoke: Invoke, no_published: Path) -> None:
    run, members = submitted()
    shown = invoke("runs", "show", run.run_id[:14], "--json").document
    assert (shown["network"], shown["arm"], shown["epochs"]) == ("Ensemble", "of 2: 2 × Baseline CNN", None)
    assert shown["members"] == members
    assert shown["data"] == "chest_xray"
    (row,) = [row for row in runs_table(views()).rows if row[0] == run.run_id]
    assert row[2:7] == ("Ensemble, sound", "of 2: 2 × Baseline CNN", "chest_xray", "0", "")


def test_a_run_can_hold_out_the_patients_of_another_seed(invoke: Invoke) -> None:
    assert "--split-seed" in invoke("train", "-h").output
    assert_refused(invoke("train", "--split-seed", "-1"), "split_seed", "-1")
