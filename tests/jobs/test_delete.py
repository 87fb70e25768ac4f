"""What the deletion of a run says, what it removes, and whom it leaves alone."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.gan import gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data.gan_arm import follow_gan
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.errors import PneumoError, RunError, RunNotFoundError, StoreError
from pneumo_core.inference.evidence import read_report
from pneumo_core.jobs.clean import clean, leftovers
from pneumo_core.jobs.delete import Reference, delete, deletion
from pneumo_core.jobs.runs import submit
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import hold_lock, read_json, write_json
from pneumo_core.runs.status import Status, run_state, update_status, write_status
from pneumo_core.runs.store import RunDirectory, list_runs, runs_root, slot_lock
from tests.conftest import ROOT, ask_for_run
from tests.hostile import assert_one_line, public_folder, without_rights
from tests.made_runs import made_predictions, made_run
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.usefixtures("no_published")


@pytest.fixture
def index(tiny_data: Path) -> DataIndex:
    return build_index(tiny_data)


def quick(**changes: object) -> TrainConfig:
    return replace(preset_config(Architecture.BASELINE, Preset.QUICK), **changes)


def stopped(config: TrainConfig, index: DataIndex, state: RunState = RunState.CANCELLED) -> RunDirectory:
    run = ask_for_run(config, index)
    update_status(run, state=state)
    return run


def ids() -> set[str]:
    return {run.run_id for run in list_runs()}


def contents(run: RunDirectory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.path.iterdir() if path.suffix != ".lock"}


def refused(run_id: str, *words: str, error: type[PneumoError] = RunError) -> None:
    for verb in (deletion, delete):
        with pytest.raises(error) as caught:
            verb(run_id)
        assert_one_line(caught.value, run_id, *words)


def test_a_finished_run_goes_and_the_others_stay() -> None:
    run, other = made_run(made_predictions()), made_run(made_predictions(), data_id="1" * 12)
    size = sum(path.stat().st_size for path in run.path.iterdir())
    before, kept = contents(run), contents(other)
    told = deletion(run.run_id)
    assert (told.run_id, told.path, told.size_bytes, told.references) == (run.run_id, run.path, size, ())
    assert contents(run) == before
    assert delete(run.run_id) == told
    assert not list(runs_root().glob(f"*{run.run_id}*"))
    assert ids() == {other.run_id}
    assert contents(other) == kept
    refused(run.run_id, "must name an existing run", error=RunNotFoundError)


@pytest.mark.parametrize("state", [RunState.CANCELLED, RunState.FAILED, RunState.RUNNING, RunState.QUEUED])
def test_a_stopped_run_goes_whatever_stopped_it(index: DataIndex, state: RunState) -> None:
    run = stopped(quick(), index, state)
    (run.backup / "fine-tune").mkdir(parents=True)
    (run.backup / "fine-tune" / "epoch-0001.npz").write_bytes(b"x")
    delete(run.run_id)
    assert ids() == set()
    assert not run.path.exists()


@pytest.mark.parametrize("name", ["config.json", "status.json", "manifest.json"])
def test_a_damaged_run_can_be_deleted(name: str) -> None:
    run = made_run(made_predictions())
    (run.path / name).write_text("{")
    delete(run.run_id)
    assert ids() == set()


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.EXPORTING])
def test_a_live_run_cannot_be_deleted(index: DataIndex, state: RunState) -> None:
    run = stopped(quick(), index, state)
    before = contents(run)
    with hold_lock(run.run_lock):
        refused(run.run_id, "a live run cannot be deleted", f"state={state.value}", "cancel it first")
        assert contents(run) == before
    delete(run.run_id)


def test_a_run_that_is_being_started_cannot_be_deleted(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pneumo_core.jobs.delete._LOCK_TIMEOUT_S", 0.0)
    run = stopped(quick(), index)
    with hold_lock(run.submit_lock):
        with pytest.raises(RunError) as caught:
            delete(run.run_id)
        assert_one_line(caught.value, run.run_id, "has just been started")
    assert run_state(run) is RunState.CANCELLED


@pytest.mark.parametrize("run_id", ["nonsense", "../../etc", "baseline-000000000000"])
def test_a_run_that_is_not_there(run_id: str) -> None:
    for verb in (deletion, delete):
        with pytest.raises(RunNotFoundError):
            verb(run_id)


def test_a_published_run_stays(no_published: Path) -> None:
    run = made_run(made_predictions())
    published = RunDirectory(no_published / run.run_id)
    run.path.rename(published.path)
    published.model.touch()
    before = contents(published)
    refused(run.run_id, "a published run ships with the project and cannot be deleted")
    # A local run of the same id is one's own, and the published one is there afterwards.
    again = made_run(made_predictions(), data_id="2" * 12)
    again.path.rename(run.path)
    assert deletion(run.run_id).is_published_too
    delete(run.run_id)
    assert not run.path.exists()
    assert ids() == {run.run_id}
    assert contents(published) == before


# --- What refers to a run ---------------------------------------------------------------------------------------------


def test_a_dcgan_s_classifiers_and_a_classifier_s_measures_are_told(index: DataIndex) -> None:
    gan = stopped(gan_config(Preset.QUICK), index)
    arm = stopped(follow_gan(quick(balance=Balance.GAN, gan_run=gan.run_id, seed=4)), index)
    judge = stopped(quick(epochs=9), index)
    write_json(gan.measures, {"classifier": judge.run_id})
    assert deletion(gan.run_id).references == (Reference(arm.run_id, "trains on its samples"),)
    assert deletion(judge.run_id).references == (Reference(gan.run_id, "has samples that it scored"),)
    assert deletion(arm.run_id).references == ()
    # Not one word is needed to delete it: the classifier has what it learned.
    delete(gan.run_id)
    assert ids() == {arm.run_id, judge.run_id}


def test_what_a_live_run_needs_cannot_be_deleted(index: DataIndex) -> None:
    gan = stopped(gan_config(Preset.QUICK), index)
    arm = stopped(follow_gan(quick(balance=Balance.GAN, gan_run=gan.run_id)), index, RunState.QUEUED)
    with hold_lock(arm.run_lock):
        refused(gan.run_id, f"which {arm.run_id} needs", "wait for it or cancel it first")
    delete(gan.run_id)


def test_a_run_made_from_others_is_told_whatever_its_settings_are_called(index: DataIndex) -> None:
    part, whole = stopped(quick(), index), stopped(quick(epochs=9), index)
    content = read_json(whole.config)
    write_json(whole.config, {**content, "config": {"members": [{"run": part.run_id}, "x"]}})
    assert deletion(part.run_id).references == (Reference(whole.run_id, "is made from it"),)


def test_the_runs_of_a_study_are_told(index: DataIndex) -> None:
    run = stopped(quick(), index)
    seed, arm = stopped(quick(seed=1), index), stopped(quick(balance=Balance.OVERSAMPLE, gap_percent=50), index)
    stopped(quick(epochs=9), index)  # Of another procedure.
    assert set(deletion(run.run_id).references) == {
        Reference(seed.run_id, "is of the same study: seed 1, original"),
        Reference(arm.run_id, "is of the same study: seed 0, oversampled (50 % of the gap)"),
    }
    with hold_lock(seed.run_lock):
        delete(run.run_id)  # A live run of the study does not need it.


def test_files_that_cannot_be_read_name_nothing(index: DataIndex) -> None:
    run = stopped(quick(), index)
    for seed, content in ((1, b"{"), (2, b"[]"), (3, b'{"config": null}')):
        stopped(quick(seed=seed), index).config.write_bytes(content)
    gan = stopped(gan_config(Preset.QUICK), index)
    gan.measures.write_text("[1]")
    assert deletion(run.run_id).references == ()


# --- Kills, clusters, and folders of others ---------------------------------------------------------------------------

_KILLED = """
import os, sys
from pathlib import Path
from pneumo_core.jobs import delete
if sys.argv[2] == "before":
    Path.rename = lambda *_: os._exit(9)
else:
    def some(path):
        (path / "config.json").unlink()
        os._exit(9)
    delete.remove_folder = some if sys.argv[2] == "half" else lambda path: os._exit(9)
delete.delete(sys.argv[1])
"""


def killed(run_id: str, when: str) -> None:
    command = [sys.executable, "-c", _KILLED, run_id, when]
    result = subprocess.run(command, cwd=ROOT, env=dict(os.environ), check=False, timeout=PATIENCE_S)
    assert result.returncode == 9


def test_a_kill_before_the_deletion_leaves_the_whole_run() -> None:
    run = made_run(made_predictions())
    before = contents(run)
    killed(run.run_id, "before")
    assert contents(run) == before
    assert run_state(run) is RunState.SUCCEEDED
    assert read_report(run).run_id == run.run_id


@pytest.mark.parametrize("when", ["renamed", "half"])
def test_a_kill_in_the_deletion_leaves_no_run_and_nothing_for_long(when: str) -> None:
    run = made_run(made_predictions())
    killed(run.run_id, when)
    assert ids() == set()
    assert not run.path.exists()
    (left,) = leftovers()
    assert left.path.parent == runs_root()
    assert run.run_id in left.path.name
    assert left.size_bytes > 1000
    # The same run can be made again beside what is left of it.
    assert made_run(made_predictions()).run_id == run.run_id
    assert clean() == [left]
    assert not left.path.exists()
    assert ids() == {run.run_id}
    assert leftovers() == []


def test_what_was_deleted_can_be_trained_again(index: DataIndex, no_worker_left: None) -> None:
    run = stopped(quick(), index)
    delete(run.run_id)
    with hold_lock(slot_lock()):  # It waits, and its worker is ended with the test.
        assert submit(quick(), index).state is RunState.QUEUED


def test_a_run_on_a_cluster_that_does_not_answer_stays(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped(quick(), index, RunState.RUNNING)
    monkeypatch.setenv("PNEUMO_RAY_ADDRESS", "http://127.0.0.1:9")
    write_json(run.executor, {"address": "http://127.0.0.1:9", "job_id": "raysubmit_1"})
    refused(run.run_id, "once the cluster says that it has stopped")
    write_status(run, Status(RunState.CANCELLED, ticket=1))
    delete(run.run_id)


def test_what_may_not_be_removed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder))
        run = made_run(made_predictions())
        for lock in (run.submit_lock, run.run_lock):
            lock.touch()
            lock.chmod(0o666)
        before = contents(run)
        with without_rights(), monkeypatch.context() as patch:
            # pytest's own folder is closed to others.
            patch.setattr("pneumo_core.runs.store.published_root", lambda: Path("/nowhere"))
            with pytest.raises(StoreError) as caught:
                delete(run.run_id)
        assert_one_line(caught.value, str(run.path), "not writable")
        assert contents(run) == before
