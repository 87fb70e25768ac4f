"""Which data set is used where none is named, and how the app remembers the one that was chosen."""

from pathlib import Path

import pytest

from pneumo_core.data.index import build_index
from pneumo_core.data.source import (
    Source,
    chosen_data,
    connect,
    connected_id,
    default_data,
    kaggle_folder,
    phantom_data,
)
from pneumo_core.errors import DataError, StoreError
from pneumo_core.runs.store import datasets_root
from tests.data.image_files import write_data_set
from tests.hostile import assert_one_line, child, public_folder, refuses, without_rights
from tests.waiting import PATIENCE_S


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data_set(kaggle_folder() / "chest_xray")
    (tmp_path / "named").mkdir()
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "named"))
    assert default_data() == tmp_path / "named"
    assert not (datasets_root() / "phantom").exists()


def test_the_download_comes_second() -> None:
    write_data_set(kaggle_folder() / "chest_xray")
    assert default_data() == kaggle_folder() / "chest_xray"
    assert not (datasets_root() / "phantom").exists()


def test_a_command_takes_what_the_app_is_connected_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_data_set(kaggle_folder() / "chest_xray")
    assert chosen_data(None) == Source(kaggle_folder() / "chest_xray", "the downloaded Kaggle copy")
    index = build_index(write_data_set(tmp_path / "mine"))
    connect(index)
    assert chosen_data(None) == Source(index.root, "connected in the app")
    assert chosen_data(tmp_path) == Source(tmp_path, "named by --data")
    (tmp_path / "named").mkdir()
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "named"))
    why = f"named by PNEUMO_DATA; the app shows the data set {index.data_id}"
    assert chosen_data(None) == Source(tmp_path / "named", why)
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "mine"))
    assert chosen_data(None) == Source(tmp_path / "mine", "named by PNEUMO_DATA")


def test_a_named_data_set_that_is_gone_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(build_index(write_data_set(tmp_path / "mine")))
    monkeypatch.setenv("PNEUMO_DATA", str(tmp_path / "gone"))
    for take in (default_data, lambda: chosen_data(None)):
        with refuses(DataError, f"PNEUMO_DATA={str(tmp_path / 'gone')!r}, which is not there"):
            take()


def test_a_connected_data_set_that_is_gone_is_not_replaced_by_another(tmp_path: Path) -> None:
    folder = write_data_set(tmp_path / "mine")
    connect(build_index(folder))
    folder.rename(tmp_path / "moved")
    with refuses(DataError, str(folder), "--data"):
        chosen_data(None)
    (datasets_root() / "connected.json").write_text('{"data_id": "0123456789ab"}')
    with refuses(DataError, "0123456789ab", "--data"):
        chosen_data(None)
    (datasets_root() / "connected.json").write_text("{")
    with refuses(DataError, "connected.json", "--data"):
        chosen_data(None)


DRAW = """
from functools import partial
from pneumo_core.data import phantom
from pneumo_core.data.source import default_data
phantom.write_phantoms = partial(phantom.write_phantoms, count=60)
steps = []
print(default_data(lambda done, total: steps.append(done)))
print(len(steps) > 0)
"""


@pytest.mark.slow
def test_phantoms_come_last_and_are_drawn_once() -> None:
    (kaggle_folder()).mkdir(parents=True)  # A download that is not done yet.
    processes = [child(DRAW) for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    folder = datasets_root() / "phantom"
    assert {output.splitlines()[0] for output, _ in outputs} == {str(folder)}
    assert sorted(output.splitlines()[1] for output, _ in outputs) == ["False", "True"]
    before = contents(folder)
    assert default_data() == phantom_data() == folder
    assert contents(folder) == before
    index = build_index(folder)
    assert index.is_phantom
    assert index.unreadable == ()
    assert len(index.table) == len(before)


def test_drawn_phantoms_are_found_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder))
        write_data_set(datasets_root() / "phantom")
        for path in (folder, datasets_root()):
            path.chmod(0o555)
        with without_rights():
            assert default_data() == datasets_root() / "phantom"
        assert [path.name for path in datasets_root().iterdir()] == ["phantom"]


def test_phantoms_that_cannot_be_written_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "file"))
    with refuses(StoreError, str(tmp_path / "file")):
        phantom_data()
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_the_chosen_data_set_is_remembered(tmp_path: Path) -> None:
    assert connected_id() is None
    first = build_index(write_data_set(tmp_path / "first"))
    second = build_index(write_data_set(tmp_path / "second", {"train/NORMAL": ("IM-0001-0001.jpeg",)}))
    for index in (first, second, first):
        connect(index)
        assert connected_id() == index.data_id


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '"0123456789ab"', "\0\0"])
def test_a_damaged_choice_is_none(tmp_path: Path, content: str) -> None:
    index = build_index(write_data_set(tmp_path / "set"))
    connect(index)
    (datasets_root() / "connected.json").write_text(content)
    assert connected_id() is None
    connect(index)
    assert connected_id() == index.data_id


def test_a_choice_that_cannot_be_written_is_said_and_the_old_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build_index(write_data_set(tmp_path / "set"))
    with public_folder() as folder:
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder))
        connect(index)
        datasets_root().chmod(0o555)
        with without_rights(), pytest.raises(StoreError) as raised:
            connect(index)
        assert_one_line(raised.value, "connected.json")
        assert connected_id() == index.data_id
