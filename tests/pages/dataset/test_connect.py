"""Connecting a folder or the phantoms."""

from functools import partial
from pathlib import Path

import pytest

from pneumo_core.data import phantom
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.source import connect, connected_id, kaggle_folder
from pneumo_core.runs.store import datasets_root
from tests.pages.dataset.page import button, look_at, page, said, tiles
from tests.pages.opening import texts, whole


def test_folder_is_indexed_connected_and_shown_at_once(odd: Path, tiny_data: Path) -> None:
    connect(build_index(tiny_data))
    at = page()
    look_at(at, "Images")
    whole(at.text_input[0].set_value("phantom").run())
    look_at(at, "Connect data")
    at.text_input[0].set_value(f'  "{odd}" ')
    whole(button(at, "Index and connect").click().run())
    assert connected_id() == build_index(odd).data_id
    assert "Connected: 72 images." in texts(at, "success")
    assert at.metric[0].value == "72"
    look_at(at, "Images")
    assert len(tiles(at)) == 24, "filters of the old data set must not hide the new one"
    assert "Connected" not in texts(at), "said once is enough"


@pytest.mark.parametrize("is_named", [False, True])
def test_it_says_which_data_commands_take(
    index: DataIndex, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    if is_named:
        monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    connect(index)
    at = page()
    look_at(at, "Connect data")
    assert "by commands without --data" in texts(at)
    assert ("PNEUMO_DATA is set, and commands take the data set that it names" in texts(at)) == is_named


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "A folder is required"),
        (" '' ", "A folder is required"),
        ("/no/such/folder", "no folder and no CSV file there"),
        ("relative/folder", "whole path"),
        ("../../etc", "whole path"),
        ("~nobody-of-that-name/x", "must be readable"),
        ("/" + "x" * 999, "must be readable"),
        ("/a\0b", "A folder is required"),
        ("{tmp}/file", "no folder and no CSV file there"),
        ("{tmp}/bare", "train, val and test"),
        ("{tmp}/hollow", "needs PNG, JPEG, WebP, TIFF, BMP or DICOM files"),
        ("{tmp}/broken", "at least one readable image"),
    ],
)
def test_folder_that_cannot_be_connected_is_refused_in_one_line(
    index: DataIndex, tmp_path: Path, typed: str, words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "bare").mkdir()
    (tmp_path / "hollow/train/NORMAL").mkdir(parents=True)
    (tmp_path / "broken/train/NORMAL").mkdir(parents=True)
    (tmp_path / "broken/train/NORMAL/a.jpeg").write_text("x")
    at = page("Connect data")
    at.text_input[0].set_value(typed.format(tmp=tmp_path))
    whole(button(at, "Index and connect").click().run())
    assert len(at.error) == 1
    assert words in said(at.error[0])
    assert "Received: " in said(at.error[0])
    assert "\n" not in said(at.error[0])
    assert connected_id() == index.data_id


def test_same_images_elsewhere_are_shown_from_there(index: DataIndex, odd: Path, tmp_path: Path) -> None:
    assert page().metric[0].value == "72"
    moved = tmp_path / "moved"
    odd.rename(moved)
    at = page("Connect data")
    assert "which is missing" in said(at.error[0])
    at.text_input[0].set_value(str(moved))
    whole(button(at, "Index and connect").click().run())
    assert connected_id() == index.data_id
    assert not at.error
    assert len(page("Images").get("image")) == 24


@pytest.mark.slow
def test_phantoms_are_drawn_and_connected_by_a_click(index: DataIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantom, "write_phantoms", partial(phantom.write_phantoms, count=60))
    at = page("Connect data")
    whole(button(at, "Use the phantoms").click().run())
    assert "phantoms" in texts(at, "markdown")
    assert at.metric[0].value == "60"
    assert connected_id() not in {None, index.data_id}


def test_server_that_takes_no_data_says_why_and_does_nothing(
    index: DataIndex, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMO_ALLOW_TRAINING", "0")
    at = page("Connect data")
    assert "PNEUMO_ALLOW_TRAINING" in texts(at, "info")
    labels = ("Index and connect", "Use the phantoms", "Download")
    assert [button(at, label).disabled for label in labels] == [True] * 3
    assert at.text_input[0].disabled
    # A browser that was tampered with can click all the same.
    at.text_input[0].proto.disabled = False
    at.text_input[0].set_value(str(tiny_data))
    for label in labels:
        pressed = button(at, label)
        pressed.proto.disabled = False
        whole(pressed.click().run())
    assert connected_id() == index.data_id
    assert not kaggle_folder().exists()
    assert not (datasets_root() / "phantom").exists()
