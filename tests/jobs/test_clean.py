"""What stopped runs may lose, what no run may lose, and clocks that are wrong."""

import os
import time
from pathlib import Path

import pytest

from pneumo_core.errors import ConfigError, StoreError
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.clean import OLD_DAYS, clean, leftovers
from pneumo_core.records import RunState
from pneumo_core.runs.files import hold_lock, write_atomic, write_json
from pneumo_core.runs.status import Status, run_state, write_status
from pneumo_core.runs.store import RunDirectory, datasets_root, run_directory
from tests.hostile import assert_one_line, public_folder, without_rights
from tests.waiting import wait_for

DAY_S = 86_400


def stopped(number: int, *, age_days: float, state: RunState = RunState.CANCELLED) -> RunDirectory:
    """A stopped run with a backup, a file that a kill left, and what it keeps; last touched `age_days` ago."""
    run = run_directory(f"baseline-{number:012x}")
    write_json(run.config, {})
    write_status(run, Status(state, ticket=number))
    write_atomic(run.backup / "epoch-0001.npz", b"backup")
    write_atomic(run.backup / "fine-tune" / "epoch-0002.npz", b"second")
    (run.path / ".report.json.x7").write_bytes(b"half")
    (run.path / "partial.weights.h5").write_bytes(b"half")
    write_atomic(run.weights, b"weights")
    write_atomic(run.events, b"")
    touch(run, age_days)
    return run


def touch(run: RunDirectory, age_days: float) -> None:
    for path in (run.path, *run.path.rglob("*")):
        os.utime(path, (time.time() - age_days * DAY_S,) * 2)


def kept(run: RunDirectory) -> set[str]:
    return {path.name for path in run.path.iterdir()}


LOST = {"backup", ".report.json.x7", "partial.weights.h5"}
KEPT = {"config.json", "status.json", "weights.weights.h5", "events.jsonl"}


@pytest.mark.parametrize("state", [RunState.CANCELLED, RunState.FAILED, RunState.RUNNING])
def test_old_backups_are_listed_then_removed(no_published: Path, state: RunState) -> None:
    old, young = stopped(1, age_days=31, state=state), stopped(2, age_days=29, state=state)
    listed = leftovers()
    assert {item.path for item in listed} == {old.path / name for name in LOST}
    assert {item.run_id for item in listed} == {old.run_id}
    sizes = {item.path.name: item.size_bytes for item in listed}
    assert sizes == {"backup": len(b"backup" + b"second"), ".report.json.x7": 4, "partial.weights.h5": 4}
    assert kept(old) >= LOST
    before = run_state(old)
    assert clean() == listed
    assert kept(old) - {"run.lock", "submit.lock"} == KEPT
    assert kept(young) >= LOST
    assert run_state(old) is before
    assert clean() == []
    assert {item.run_id for item in clean(0)} == {young.run_id}


def test_what_is_in_use_or_finished_or_recent_is_left(no_published: Path) -> None:
    live, starting, saved, finished = (stopped(number, age_days=99) for number in (1, 2, 3, 4))
    write_atomic(saved.backup / "epoch-0003.npz", b"today's")
    write_json(finished.manifest, {"files": {}})
    for name in LOST - {"backup"}:
        (finished.path / name).unlink()
    with hold_lock(live.run_lock), hold_lock(starting.submit_lock):
        assert live.run_id not in {item.run_id for item in leftovers()}
        removed = clean()
        assert kept(live) >= LOST
        assert kept(starting) >= LOST
    assert kept(saved) >= LOST
    # A finished run needs no backup; its manifest does not name one.
    assert [item.path for item in removed] == [finished.backup]


def test_published_runs_are_never_touched(no_published: Path, tmp_path: Path) -> None:
    run = stopped(1, age_days=99)
    write_json(run.manifest, {"files": {}})
    run.path.rename(no_published / run.run_id)
    assert clean(0) == []


def test_a_time_in_the_future_is_just_now(no_published: Path) -> None:
    run = stopped(1, age_days=-400)
    assert leftovers() == []
    assert leftovers(0) == []
    assert kept(run) >= LOST


@pytest.mark.parametrize("days", [-1.0, float("nan")])
def test_days_that_are_none(days: float) -> None:
    for verb in (leftovers, clean):
        with pytest.raises(ConfigError) as caught:
            verb(days)
        assert_one_line(caught.value, f"older_than_days={days}")


def test_what_may_not_be_removed_is_told(monkeypatch: pytest.MonkeyPatch, no_published: Path) -> None:
    with public_folder() as folder:
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder))
        run = stopped(1, age_days=99)
        for lock in (run.submit_lock, run.run_lock):
            lock.touch()
            lock.chmod(0o666)
        no_published.parent.chmod(0o755)
        with without_rights(), monkeypatch.context() as patch:
            # pytest's own folder is closed to others.
            patch.setattr("pneumo_core.runs.store.published_root", lambda: Path("/nowhere"))
            with pytest.raises(StoreError) as caught:
                clean()
        assert_one_line(caught.value, str(run.path))


def test_starting_a_run_cleans_the_others_and_keeps_its_own(tiny_data: Path, no_published: Path) -> None:
    from pneumo_core.config.classifier import Preset
    from pneumo_core.config.presets import preset_config
    from pneumo_core.data.index import build_index
    from pneumo_core.records import Architecture
    from pneumo_core.runs.store import slot_lock
    from tests.conftest import ask_for_run

    own = ask_for_run(preset_config(Architecture.BASELINE, Preset.QUICK), build_index(tiny_data))
    write_atomic(own.backup / "epoch-0001.npz", b"backup")
    write_status(own, Status(RunState.CANCELLED, ticket=1))
    touch(own, OLD_DAYS + 1)
    other = stopped(2, age_days=OLD_DAYS + 1)
    with hold_lock(slot_lock()):
        assert jobs.resume(own.run_id).state is RunState.QUEUED
        assert kept(own) >= {"backup"}
        assert not kept(other) & LOST
        jobs.cancel(own.run_id)
        wait_for("cancelling", lambda: not run_state(own).is_live)
        assert run_state(own) is RunState.CANCELLED


# --- Stored features --------------------------------------------------------------------------------------------------


def features(key: str, *, age_days: float, used_days: float | None = None) -> Path:
    """A cache as `training.features` leaves it, written `age_days` ago and used again `used_days` ago."""
    folder = datasets_root() / "0123456789abcdef" / "features" / key
    write_json(folder / "facts.json", {})
    with (folder / "features.npy").open("wb") as file:
        file.write(b"f" * 10_000)
        file.truncate(10_000_000)
    write_atomic(folder / "done.bin", b"map")
    (folder / "lock").touch()
    for path in folder.iterdir():
        os.utime(path, (time.time() - age_days * DAY_S,) * 2)
    if used_days is not None:
        os.utime(folder / "done.bin", (time.time() - used_days * DAY_S,) * 2)
    return folder


def test_features_that_nobody_used_go_and_their_lock_stays(no_published: Path) -> None:
    old, used, young = features("a", age_days=31), features("b", age_days=99, used_days=3), features("c", age_days=29)
    index = old.parent.parent / "index.parquet"
    write_atomic(index, b"index")
    (listed,) = leftovers()
    assert (listed.run_id, listed.path) == ("", old)
    assert 10_000 <= listed.size_bytes < 1_000_000, "an array's holes take no disk"
    assert (old / "features.npy").exists()
    assert clean() == [listed]
    assert {path.name for path in old.iterdir()} == {"lock"}
    assert all((folder / "features.npy").exists() for folder in (used, young))
    assert index.exists()
    assert clean() == []
    assert {item.path for item in clean(0)} == {used, young}


def test_features_in_use_or_of_the_future_are_left(no_published: Path) -> None:
    locked, future = features("a", age_days=99), features("b", age_days=-5)
    with hold_lock(locked / "lock"):
        assert leftovers(0) == []
        assert clean(0) == []
    assert [item.path for item in leftovers(0)] == [locked]
    assert (future / "done.bin").exists()


def test_a_cleaned_cache_begins_anew(no_published: Path) -> None:
    """The real cache, its rows computed again after it was cleaned, and touched by each use."""
    import numpy as np

    from pneumo_core.training.features import FeatureCache, cached_features
    from tests.training.test_features import FACTS, SIZE, Trunk

    images = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), dtype=np.uint8)
    cache = FeatureCache(Trunk(), datasets_root() / "0123456789abcdef" / "features", FACTS, 4, lambda *_: None)
    first = np.array(cached_features(cache, images, np.arange(6), name="data"))
    (folder,) = cache.folder.iterdir()
    for path in folder.iterdir():
        os.utime(path, (time.time() - 99 * DAY_S,) * 2)
    cached_features(cache, images, np.arange(6), name="data")
    assert leftovers() == []
    assert [item.path for item in clean(0)] == [folder]
    np.testing.assert_array_equal(cached_features(cache, images, np.arange(6), name="data"), first)
