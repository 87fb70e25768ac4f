"""Where runs lie, which ids are none, and what vouches for a run's files."""

import hashlib
import os
from pathlib import Path

import pytest

from pneumo_core.errors import CorruptError, RunError, RunNotFoundError, StoreError
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import write_atomic, write_json
from pneumo_core.runs.status import Status, append_event, run_state, write_status
from pneumo_core.runs.store import (
    RunDirectory,
    datasets_root,
    directory_to_train,
    find_run,
    list_runs,
    read_manifest,
    read_trained,
    run_directory,
    runs_root,
    slot_lock,
    verified_file,
    verified_json,
    write_manifest,
)
from tests.hostile import assert_one_line

RUN_ID = "baseline-0123456789ab"
OTHER_ID = "vgg16-ba9876543210"


@pytest.fixture
def run(no_published: Path) -> RunDirectory:
    """A run that was submitted."""
    run = run_directory(RUN_ID)
    write_json(run.config, {"run_id": RUN_ID})
    return run


# --- Layout -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run_id", [RUN_ID, OTHER_ID, "dcgan-0123456789ab"])
def test_an_id_begins_with_what_is_trained(run_id: str) -> None:
    assert RunDirectory(Path(run_id)).architecture is Architecture(run_id[:-13])


NO_IDS = [
    "",
    ".",
    "..",
    "../x",
    "../../etc/passwd",
    f"../runs/{RUN_ID}",
    f"{RUN_ID}/..",
    f"{RUN_ID}/",
    f"{RUN_ID}\n",
    f" {RUN_ID}",
    f"{RUN_ID}\0",
    RUN_ID[:-1],
    f"{RUN_ID}0",
    RUN_ID.upper(),
    "baseline-0123456789aG",
    "baseline-\N{ARABIC-INDIC DIGIT ZERO}123456789ab",
    "resnet-0123456789ab",
    "baseline_0123456789ab",
    "/tmp",
    "C:\\x",
    "%2e%2e%2fx",
    "x" * 5000,
]


@pytest.mark.parametrize("run_id", NO_IDS)
def test_what_is_no_run_id_never_becomes_a_path(run: RunDirectory, run_id: str) -> None:
    before = sorted(run.path.parent.parent.rglob("*"))
    for find in (run_directory, find_run):
        with pytest.raises(RunNotFoundError) as raised:
            find(run_id)
        assert_one_line(raised.value, "baseline-0123456789ab", repr(run_id), "runs list")
    assert sorted(run.path.parent.parent.rglob("*")) == before


def test_a_run_that_was_never_submitted_is_not_found(run: RunDirectory) -> None:
    assert find_run(RUN_ID) == run
    with pytest.raises(RunNotFoundError) as raised:
        find_run(OTHER_ID)
    assert_one_line(raised.value, repr(OTHER_ID), "runs list")
    run_directory(OTHER_ID).path.mkdir()
    with pytest.raises(RunNotFoundError):
        find_run(OTHER_ID)


def test_artifacts_lie_where_the_setting_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "elsewhere"))
    assert run_directory(RUN_ID).path == tmp_path / "elsewhere/runs" / RUN_ID
    assert datasets_root() == tmp_path / "elsewhere/datasets"


def test_each_place_to_work_in_has_a_lock_of_its_own() -> None:
    locks = [slot_lock(number) for number in range(64)]
    assert len(set(locks)) == 64
    assert {path.parent for path in locks} == {run_directory(RUN_ID).path.parent}
    assert slot_lock() == locks[0]


def test_runs_are_listed_newest_first(run: RunDirectory, no_published: Path) -> None:
    other = run_directory(OTHER_ID)
    write_json(other.config, {})
    published = RunDirectory(no_published / "dcgan-000000000000")
    write_json(published.config, {})
    write_json(published.manifest, {"files": {}})
    for age, listed in enumerate((other, published, run)):
        os.utime(listed.config, (1000 - age, 1000 - age))
    assert list_runs() == [other, published, run]
    assert [listed.is_published for listed in list_runs()] == [False, True, False]


def test_what_is_no_run_is_not_listed(run: RunDirectory, no_published: Path) -> None:
    runs = run.path.parent
    (runs / OTHER_ID).mkdir()  # No config: nothing was submitted.
    for name in ("notes", ".hidden", f"{RUN_ID}.bak"):
        write_json(runs / name / "config.json", {})
    write_json(runs / "config.json", {})
    write_json(no_published / OTHER_ID / "config.json", {})  # Not whole: its manifest is missing.
    assert list_runs() == [run]


def test_no_artifacts_are_no_runs(no_published: Path) -> None:
    assert list_runs() == []


def test_a_finished_run_comes_before_an_unfinished_one_of_the_same_id(run: RunDirectory, no_published: Path) -> None:
    published = RunDirectory(no_published / RUN_ID)
    write_json(published.config, {})
    assert run_directory(RUN_ID) == run
    write_json(published.manifest, {"files": {}})
    published.model.touch()
    assert run_directory(RUN_ID) == directory_to_train(RUN_ID) == published
    write_json(run.manifest, {"files": {}})
    assert run_directory(RUN_ID) == run
    assert list_runs() == [run]


def test_evidence_without_a_model_is_read_until_the_run_is_submitted(tmp_path: Path, no_published: Path) -> None:
    local, published = RunDirectory(runs_root() / RUN_ID), RunDirectory(no_published / RUN_ID)
    write_json(published.config, {})
    write_json(published.manifest, {"files": {}})
    assert run_directory(RUN_ID) == published
    assert directory_to_train(RUN_ID) == local
    write_json(local.config, {})
    assert run_directory(RUN_ID) == local


# --- Manifest ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def finished(run: RunDirectory) -> RunDirectory:
    """A run with a manifest."""
    for path, data in ((run.model, b"model"), (run.report, b"{}"), (run.predictions, b"rows")):
        write_atomic(path, data)
    for path in (run.run_lock, run.submit_lock, run.cancel, run.log, run.executor, run.path / ".report.json.x7"):
        path.write_bytes(b"passing")
    (run.backup).mkdir()
    write_status(run, Status(RunState.EXPORTING, ticket=1))
    append_event(run, {"epoch": 1})
    write_manifest(run, {"seed": 3})
    return run


def test_the_manifest_vouches_for_what_stays(finished: RunDirectory) -> None:
    manifest = read_manifest(finished)
    kept = [finished.config, finished.events, finished.model, finished.predictions, finished.report]
    assert manifest == {
        "run_id": RUN_ID,
        "seed": 3,
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in kept},
    }
    for path in kept:
        assert verified_file(finished, path) == path.read_bytes()
    assert run_state(finished) is RunState.SUCCEEDED


@pytest.mark.parametrize("data", [b"modem", b"", b"model\0"])
def test_a_changed_file_is_not_used(finished: RunDirectory, data: bytes) -> None:
    finished.model.write_bytes(data)
    with pytest.raises(CorruptError) as raised:
        verified_file(finished, finished.model)
    assert_one_line(raised.value, "model.onnx", RUN_ID, "resume")
    assert verified_file(finished, finished.report) == b"{}"


def test_a_missing_or_unlisted_file_is_said(finished: RunDirectory) -> None:
    finished.model.unlink()
    with pytest.raises(StoreError) as missing:
        verified_file(finished, finished.model)
    assert_one_line(missing.value, str(finished.model))
    finished.weights.write_bytes(b"later")
    with pytest.raises(RunError) as unlisted:
        verified_file(finished, finished.weights)
    assert_one_line(unlisted.value, finished.weights.name, RUN_ID)


def test_json_is_read_from_the_bytes_that_were_checked(finished: RunDirectory) -> None:
    assert verified_json(finished, finished.report) == {}
    with pytest.raises(CorruptError) as no_json:
        verified_json(finished, finished.model)
    assert_one_line(no_json.value, "model.onnx must hold JSON")
    finished.report.write_text("[]")
    with pytest.raises(CorruptError) as changed:
        verified_json(finished, finished.report)
    assert_one_line(changed.value, "report.json must have the SHA-256")


def test_an_unfinished_run_has_no_manifest(run: RunDirectory) -> None:
    for read in (read_manifest, lambda run: verified_file(run, run.model)):
        with pytest.raises(RunError) as raised:
            read(run)
        assert_one_line(raised.value, RUN_ID, "must be finished")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        '{"files": []}',
        '{"files": null}',
        '{"files": {"model.onnx": 5}}',
        "\0",
        "[" * 100_000,
    ],
)
def test_a_damaged_manifest_is_said(finished: RunDirectory, content: str) -> None:
    before = {path.name: path.read_bytes() for path in finished.path.iterdir() if path.is_file()}
    finished.manifest.write_text(content)
    for read in (read_manifest, lambda run: verified_file(run, run.model)):
        with pytest.raises(CorruptError) as raised:
            read(finished)
        assert_one_line(raised.value, "manifest.json", str(finished.manifest))
    finished.manifest.write_bytes(before["manifest.json"])
    assert {path.name: path.read_bytes() for path in finished.path.iterdir() if path.is_file()} == before


def test_a_run_without_a_folder_gets_no_manifest(no_published: Path) -> None:
    with pytest.raises(StoreError) as raised:
        write_manifest(run_directory(RUN_ID), {})
    assert_one_line(raised.value, RUN_ID)


# --- Trained ----------------------------------------------------------------------------------------------------------


def test_trained_vouches_for_the_weights(run: RunDirectory) -> None:
    write_atomic(run.weights, b"weights")
    facts = {"epochs": 2, "weights_sha256": hashlib.sha256(b"weights").hexdigest()}
    write_json(run.trained, facts)
    assert read_trained(run) == facts
    run.weights.write_bytes(b"weightz")
    with pytest.raises(CorruptError) as raised:
        read_trained(run)
    assert_one_line(raised.value, RUN_ID, "delete trained.json and resume")
    run.weights.unlink()
    with pytest.raises(StoreError) as missing:
        read_trained(run)
    assert_one_line(missing.value, str(run.weights))


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"weights_sha256": null}', '{"weights_sha256": 5}'])
def test_damaged_facts_of_a_training_are_said(run: RunDirectory, content: str) -> None:
    write_atomic(run.weights, b"weights")
    run.trained.write_text(content)
    with pytest.raises(CorruptError) as raised:
        read_trained(run)
    assert_one_line(raised.value, "trained.json")
    assert run.weights.read_bytes() == b"weights"
