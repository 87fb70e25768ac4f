"""Files of a finished run replaced: whole for every reader at every instant, whatever is killed."""

import hashlib
import signal
from pathlib import Path

import pytest

from pneumo_core.errors import CorruptError, RunError
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.replacement import complete_replacement, replace_files
from pneumo_core.runs.store import (
    RunDirectory,
    finished_runs,
    read_manifest,
    run_directory,
    verified_file,
    write_manifest,
)
from tests.hostile import assert_one_line, child, held_elsewhere

RUN_ID = "baseline-0123456789ab"
OLD = {"report.json": b"old report", "model.onnx": b"model"}
NEW = {"report.json": b"new report", "heatmap.json": b"scale"}


def finished(run: RunDirectory) -> RunDirectory:
    """A finished run with the old files."""
    write_json(run.config, {"run_id": run.run_id})
    for name, data in OLD.items():
        (run.path / name).write_bytes(data)
    write_manifest(run, {"seed": 3, "collapse": "old"})
    return run


@pytest.fixture
def run(no_published: Path) -> RunDirectory:
    return finished(run_directory(RUN_ID))


def names(run: RunDirectory) -> set[str]:
    return {path.name for path in run.path.iterdir()}


def assert_whole(run: RunDirectory) -> bool:
    """Whether the run, in which every listed file is as listed, is the new one."""
    manifest = read_manifest(run)
    assert (manifest["run_id"], manifest["seed"]) == (run.run_id, 3)
    found = {name: verified_file(run, run.path / name) for name in manifest["files"]}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == manifest["files"]
    is_new = manifest["collapse"] == "new"
    config = {"config.json": run.config.read_bytes()}
    assert found == config | (OLD | NEW if is_new else OLD)
    return is_new


def test_new_files_and_facts_replace_the_old_ones(run: RunDirectory) -> None:
    before = read_json(run.manifest)
    replace_files(run, NEW, {"collapse": "new"})
    assert assert_whole(run)
    assert {name: (run.path / name).read_bytes() for name in NEW} == NEW
    assert names(run) == {"config.json", *OLD, *NEW, "manifest.json", "run.lock"}
    after = read_json(run.manifest)
    assert list(after["files"]) == sorted(after["files"])
    assert {name: after["files"][name] for name in before["files"] if name != "report.json"} == {
        name: sha256 for name, sha256 in before["files"].items() if name != "report.json"
    }


_KILLED = """
import os, signal, sys
from pathlib import Path
from pneumo_core.runs.replacement import replace_files
from pneumo_core.runs.store import RunDirectory

folder, survived = sys.argv[1], int(sys.argv[2])
changes = 0


def before_a_change(event, arguments):
    # What changes a file or folder of the run; a file that is opened to be read changes none.
    global changes
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
        return
    if event in {"open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir"} and folder in str(arguments[0]):
        changes += 1
        if changes > survived:
            os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(before_a_change)
replace_files(RunDirectory(Path(folder)), {"report.json": b"new report", "heatmap.json": b"scale"}, {"collapse": "new"})
"""


@pytest.mark.slow
def test_killed_before_any_change_the_run_is_whole_and_the_next_replacement_ends_it(run: RunDirectory) -> None:
    ended, kills = [], 0
    while True:
        process = child(_KILLED, run.path, kills)
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
        ended.append(assert_whole(run))
        again = RunDirectory(run.path)
        complete_replacement(again)
        assert assert_whole(again) == ended[-1], "completing decides nothing more"
        assert not again.refreshed.exists()
        replace_files(again, NEW, {"collapse": "new"})
        assert assert_whole(again)
        finished(run)
        (run.path / "heatmap.json").unlink()
        write_manifest(run, {"seed": 3, "collapse": "old"})
        kills += 1
    assert assert_whole(run)
    assert kills > 10
    assert set(ended) == {False, True}
    assert ended == sorted(ended), "old until the manifest, new from there on"


_REPLACING = """
import sys
from pathlib import Path
from pneumo_core.runs.replacement import replace_files
from pneumo_core.runs.store import RunDirectory

for number in range(int(sys.argv[2])):
    files = {"report.json": b"report %d" % number, "heatmap.json": b"scale %d" % number}
    replace_files(RunDirectory(Path(sys.argv[1])), files)
"""


def test_a_reader_beside_it_finds_every_file_whole(run: RunDirectory) -> None:
    process = child(_REPLACING, run.path, 150)
    seen = []
    while process.poll() is None:
        data = verified_file(run, run.report)
        seen.append(-1 if data == OLD["report.json"] else int(data.decode().removeprefix("report ")))
        assert verified_file(run, run.model) == OLD["model.onnx"]
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert seen == sorted(seen)
    assert verified_file(run, run.report) == b"report 149"


def test_what_is_damaged_stays_damaged(run: RunDirectory) -> None:
    run.model.write_bytes(b"another model")
    replace_files(run, NEW)
    with pytest.raises(CorruptError, match=r"model\.onnx must have the SHA-256") as caught:
        verified_file(run, run.model)
    assert_one_line(caught.value, RUN_ID)


def test_files_that_no_manifest_lists_are_dropped(run: RunDirectory) -> None:
    run.refreshed.mkdir()
    (run.refreshed / "report.json").write_bytes(b"never listed")
    (run.refreshed / ".report.json.tmp").write_bytes(b"half")
    assert verified_file(run, run.report) == OLD["report.json"]
    complete_replacement(run)
    assert not run.refreshed.exists()
    assert run.report.read_bytes() == OLD["report.json"]


def test_two_at_once_take_turns(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pneumo_core.runs.replacement.hold_lock", _short)
    with held_elsewhere(run.run_lock), pytest.raises(RunError, match="only one process") as caught:
        replace_files(run, NEW)
    assert_one_line(caught.value, "run.lock")
    assert not assert_whole(run)


def _short(path: Path):
    from pneumo_core.runs.files import hold_lock

    return hold_lock(path, timeout_s=0)


def test_a_published_run_keeps_no_lock(no_published: Path) -> None:
    run = finished(RunDirectory(no_published / RUN_ID))
    replace_files(run, NEW, {"collapse": "new"})
    assert assert_whole(run)
    assert names(run) == {"config.json", *OLD, *NEW, "manifest.json"}
    assert {path.name for path in no_published.parent.iterdir()} >= {"published", "published.lock"}


class TestFinishedRuns:
    def test_are_all_with_a_manifest_local_and_published(self, run: RunDirectory, no_published: Path) -> None:
        published = finished(RunDirectory(no_published / RUN_ID))
        other = finished(run_directory("vgg16-0123456789ab"))
        unfinished = run_directory("vgg16-ba9876543210")
        write_json(unfinished.config, {})
        finished(RunDirectory(no_published / ".vgg16-0123456789ab.partial"))
        assert finished_runs() == [run, other, published]
        assert finished_runs([RUN_ID]) == [run, published]
        for missing in (unfinished.run_id, "vgg16-000000000000", "../x"):
            with pytest.raises(RunError) as caught:
                finished_runs([RUN_ID, missing])
            assert_one_line(caught.value, missing)
