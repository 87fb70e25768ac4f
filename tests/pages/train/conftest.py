"""What the tests of Train work on: a connected data set, a finished run, locks of runs that look alive."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun


@pytest.fixture
def index(no_published: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> DataIndex:
    """The small data set, connected, and no run."""
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    monkeypatch.delenv("PNEUMO_VGG16_WEIGHTS", raising=False)
    return build_index(tiny_data)


@pytest.fixture
def trained(with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """The shared run, whose data are connected."""
    monkeypatch.setenv("PNEUMO_DATA", str(with_finished_run.data))
    return RunDirectory(with_finished_run.path)


@pytest.fixture
def alive() -> Iterator[ExitStack]:
    """Holds the locks of the runs that are to look alive."""
    with ExitStack() as held:
        yield held
