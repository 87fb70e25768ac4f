"""Deletion of a run of one's own, after what refers to it is known."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pneumo_core.config.classifier import TrainConfig
from pneumo_core.config.naming import arm_name
from pneumo_core.errors import RunError, StoreError
from pneumo_core.jobs.clean import REMOVED_PREFIX, remove_folder, size_of
from pneumo_core.jobs.views import RunView, study_of, view_of, views
from pneumo_core.records import RunState
from pneumo_core.runs.files import is_there, read_json, store_errors, takes_lock
from pneumo_core.runs.store import RunDirectory, find_run, published_run, runs_root

_LOCK_TIMEOUT_S: Final = 5.0
"""Seconds to wait for a lock, which somebody who only looks may hold for a moment."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A run that refers to another.

    Attributes:
        run_id: The run that refers.
        words: How it refers, for people.
        needs_it: Whether it is running or waiting, and cannot go on without the other.
    """

    run_id: str
    words: str
    needs_it: bool = False


@dataclass(frozen=True, slots=True)
class Deletion:
    """What the deletion of a run removes, and what refers to it.

    Attributes:
        run_id: The run.
        path: Its directory.
        size_bytes: Disk space that it takes.
        references: Runs that refer to it.
        is_published_too: Whether a published run of the same id stays.
    """

    run_id: str
    path: Path
    size_bytes: int
    references: tuple[Reference, ...]
    is_published_too: bool


def deletion(run_id: str) -> Deletion:
    """What the deletion of a run would remove; nothing is removed.

    Raises:
        RunNotFoundError: There is no such run.
        RunError: It ships with the project, is live, or a live run needs it.
        StoreError: Its files cannot be read.
    """
    run = _own(run_id)
    found = view_of(run)
    _require_stopped(found)
    references = tuple(_references(found, views()))
    if live := [each.run_id for each in references if each.needs_it]:
        raise RunError(
            f"a run that a live run needs cannot be deleted. Received: run_id={run_id!r}, which {', '.join(live)} needs; "
            "wait for it or cancel it first"
        )
    with store_errors(run.path):
        size_bytes = size_of(run.path)
    shipped = is_there(published_run(run_id).manifest)
    return Deletion(run_id, run.path, size_bytes, references, shipped)


def delete(run_id: str) -> Deletion:
    """Delete a run of one's own, and return what was removed and what refers to it.

    The run's directory is renamed, in one step, to a name that is no run's, and then removed. A kill before that step leaves
    the run as it was; one after it leaves no run, and a folder that `clean` removes. Both locks of the run are held, so that
    nobody starts or resumes it meanwhile.

    Raises:
        RunNotFoundError, RunError, StoreError: See `deletion`; or somebody is starting the run, or it cannot be removed.
    """
    with ExitStack() as held:
        found = deletion(run_id)
        run = RunDirectory(found.path)
        for lock in (run.submit_lock, run.run_lock):
            if not takes_lock(held, lock, _LOCK_TIMEOUT_S):
                raise RunError(
                    f"a live run cannot be deleted. Received: run_id={run_id!r}, which has just been started; cancel it first"
                )
        aside = run.path.with_name(f"{REMOVED_PREFIX}{run_id}-{os.urandom(4).hex()}")
        with store_errors(run.path):
            run.path.rename(aside)
            remove_folder(aside)
    return found


def _own(run_id: str) -> RunDirectory:
    """The local run, also where a published one of the same id takes precedence."""
    find_run(run_id)
    run = RunDirectory(runs_root() / run_id)
    if not is_there(run.config):
        raise RunError(f"a published run ships with the project and cannot be deleted. Received: run_id={run_id!r}")
    return run


def _require_stopped(found: RunView) -> None:
    if found.state.is_live:
        raise RunError(
            f"a live run cannot be deleted. Received: run_id={found.run_id!r}, state={found.state.value}; cancel it first"
        )
    is_unknown = found.state in {RunState.INTERRUPTED, RunState.TRAINED} and is_there(found.run.executor)
    if is_unknown and found.problem:
        raise RunError(
            f"a run on a cluster can be deleted once the cluster says that it has stopped. Received: run_id={found.run_id!r}: "
            f"{found.problem}"
        )


def _references(found: RunView, known: Iterable[RunView]) -> Iterator[Reference]:
    """A DCGAN's classifiers, whatever is made from the run or measured with it, and its study."""
    settings = study_of(found)
    for other in known:
        if other.run_id == found.run_id:
            continue
        if _names(_content(other.run.config).get("config"), found.run_id):
            words = "trains on its samples" if found.is_gan else "is made from it"
            yield Reference(other.run_id, words, needs_it=other.state.is_live)
        elif other.is_gan and _names(_content(other.run.measures).get("classifier"), found.run_id):
            yield Reference(other.run_id, "has samples that it scored")
        elif settings and settings == study_of(other) and isinstance(other.config, TrainConfig):
            yield Reference(other.run_id, f"is of the same study: seed {other.config.seed}, {arm_name(other.config)}")


def _content(path: Path) -> dict[str, Any]:
    """A JSON object; empty if it is missing or damaged, since a file that cannot be read names nothing."""
    try:
        content = read_json(path) if is_there(path) else {}
    except StoreError:
        return {}
    return content if isinstance(content, dict) else {}


def _names(value: Any, run_id: str) -> bool:
    """Whether plain data holds a run's id anywhere."""
    if isinstance(value, dict):
        value = list(value.values())
    return any(_names(each, run_id) for each in value) if isinstance(value, list) else bool(value == run_id)
