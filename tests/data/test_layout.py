"""Folders as people have them: each image is placed, or named with its number, a reason and what to do."""

import os
import shutil
from pathlib import Path

import pytest

from pneumo_core.data.index import build_index, load_index
from pneumo_core.data.layout import find_root, read_layout
from pneumo_core.errors import DataError
from pneumo_core.records import Label, Split, Subtype
from tests.data.image_files import NAMES, encode, gray, write_data_set
from tests.hostile import public_folder, refuses, without_rights


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_data_set(tmp_path / "set")


def add(root: Path, *names: str) -> None:
    """Write small images below a folder."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(gray(seed=100 + number)))


READ = {
    "train/normal/a.png": (Split.TRAIN, Label.NORMAL, None),
    "Training/Pneumonia/a.png": (Split.TRAIN, Label.PNEUMONIA, None),
    "TRAIN/PNEUMONIA/bacteria/a.png": (Split.TRAIN, Label.PNEUMONIA, Subtype.BACTERIA),
    "train/BACTERIA/a.png": (Split.TRAIN, Label.PNEUMONIA, Subtype.BACTERIA),
    "train/VIRUS/a.png": (Split.TRAIN, Label.PNEUMONIA, Subtype.VIRUS),
    "train/Viral Pneumonia/a.png": (Split.TRAIN, Label.PNEUMONIA, Subtype.VIRUS),
    "train/bacterial_pneumonia/images/a.png": (Split.TRAIN, Label.PNEUMONIA, Subtype.BACTERIA),
    "validation/Normal/a.png": (Split.VAL, Label.NORMAL, None),
    "valid/PNEUMONIA/a.png": (Split.VAL, Label.PNEUMONIA, None),
    "NORMAL/test/a.png": (Split.TEST, Label.NORMAL, None),
}


@pytest.mark.parametrize("name", READ)
def test_folders_are_known_by_their_meaning(root: Path, name: str) -> None:
    add(root, name)
    placed = {place.image_id: place for place in read_layout(root)[0]}
    place = placed[name]
    assert (place.split, place.label, place.subtype) == READ[name]
    assert len(placed) == sum(map(len, NAMES.values())) + 1
    assert read_layout(root)[1] == ()


def test_a_folder_s_cause_is_the_image_s(root: Path) -> None:
    add(root, "train/PNEUMONIA/virus/scan.png", "train/BACTERIA/person7_bacteria_1.png")
    table = build_index(root).table.set_index("image_id")
    assert table.loc["train/PNEUMONIA/virus/scan.png", "subtype"] == "virus"
    assert table.loc["train/BACTERIA/person7_bacteria_1.png", "patient_id"] == "bacteria-7"


LEFT_OUT = {
    "train/COVID/a.png": ("train/COVID/", "'COVID' is no split and no class"),
    "train/NORMAL/thumbs/a.png": ("train/NORMAL/thumbs/", "'thumbs' is no split and no class"),
    "holdout/NORMAL/a.png": ("holdout/NORMAL/", "'holdout' is no split and no class"),
    "test/a.png": ("test/", "in no class"),
    # Its name would give a class, but that of a scanner's export, IM-0001-0001, would give one too.
    "test/person1_virus_9.jpeg": ("test/", "in no class"),
    "NORMAL/a.png": ("NORMAL/", "in no split"),
    "a.png": ("the data set's own folder", "in no split"),
    "train/NORMAL/PNEUMONIA/a.png": ("train/NORMAL/PNEUMONIA/", "in both classes"),
    "train/NORMAL/test/a.png": ("train/NORMAL/test/", "in several splits"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_other_images_are_counted_with_a_reason_and_what_to_do(root: Path, name: str) -> None:
    before = build_index(root)
    add(root, name, name.replace("a.png", "b.png").replace("_9", "_8"))
    index = build_index(root)
    assert index.table.equals(before.table)
    assert index.data_id == before.data_id
    (row,) = index.left_out
    assert (row.place, row.reason, row.files) == (*LEFT_OUT[name], 2)
    assert "CSV" in row.advice
    assert load_index(index.data_id).left_out == index.left_out


def test_what_may_belong_to_it_comes_first(root: Path) -> None:
    add(root, "test/a.png", *(f"train/COVID/{number}.png" for number in range(3)), "__MACOSX/x.png")
    assert [row.place for row in read_layout(root)[1]] == ["train/COVID/", "test/", "__MACOSX/"]


@pytest.mark.parametrize("inside", ["chest_xray", "archive/chest_xray", "Archive"])
def test_the_folder_above_will_do(root: Path, tmp_path: Path, inside: str) -> None:
    above = tmp_path / "above"
    (above / inside).parent.mkdir(parents=True)
    moved = root.rename(above / inside)
    (above / "__MACOSX/train").mkdir(parents=True)
    assert find_root(above) == moved.resolve()


def test_one_of_several_must_be_named(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy")
    with refuses(DataError, "with 2 of them: ['copy', 'set']", "name one"):
        find_root(tmp_path)
    assert find_root(tmp_path / "copy") == (tmp_path / "copy").resolve()


def test_classes_without_splits_are_counted(tmp_path: Path) -> None:
    add(tmp_path, "NORMAL/a.png", "NORMAL/b.png", "PNEUMONIA/x/c.png")
    with refuses(DataError, "3 images in no split: 2 in 'NORMAL', 1 in 'PNEUMONIA'", "CSV file of labels"):
        build_index(tmp_path)


def test_images_without_classes_are_counted(tmp_path: Path) -> None:
    add(tmp_path, "train/a.png", "train/b.png")
    with refuses(DataError, "holds none; 2 images in 'train/': in no class; move them into NORMAL and PNEUMONIA"):
        build_index(tmp_path)


def test_an_archive_is_to_be_unpacked(root: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", root))
    count = sum(map(len, NAMES.values()))
    with refuses(DataError, f"archive.zip', a ZIP archive with {count} images; unpack it and name the folder"):
        build_index(archive)
    archive.write_bytes(archive.read_bytes()[:1000])
    with refuses(DataError, "a ZIP archive that is damaged"):
        build_index(archive)


def test_a_link_to_another_disk_is_followed(root: Path, tmp_path: Path) -> None:
    expected = build_index(root)
    elsewhere = tmp_path / "disk"
    (root / "train/NORMAL").rename(elsewhere)
    (root / "train/NORMAL").symlink_to(elsewhere)
    (elsewhere / "images").symlink_to(root)  # A circle.
    index = build_index(root)
    assert index.table.equals(expected.table)
    assert [row.place for row in index.left_out] == ["train/NORMAL/images/"]


def test_a_link_into_the_data_set_takes_nothing_from_its_place(root: Path) -> None:
    expected = build_index(root)
    (root / "all").mkdir()
    (root / "all/train").symlink_to("../train")
    index = build_index(root)
    assert index.table.equals(expected.table)
    assert [row.place for row in index.left_out] == ["all/train/"]


def test_a_split_that_is_a_link_to_another_is_named(root: Path) -> None:
    shutil.rmtree(root / "val")
    (root / "val").symlink_to("test")
    (row,) = build_index(root).left_out
    assert (row.place, row.reason, row.advice) == (
        *("val/", "a link to images that have a place already", "make it a folder of its own"),
    )


def test_a_link_that_leads_nowhere_is_named(root: Path) -> None:
    shutil.rmtree(root / "test/NORMAL")
    (root / "test/NORMAL").symlink_to("/nonexistent/NORMAL")
    (row,) = build_index(root).left_out
    assert (row.place, row.advice) == ("test/NORMAL/", "mend the link")


def test_a_data_set_in_another_is_no_copy_of_it(root: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    shutil.copytree(root, outer / "chest_xray")
    add(outer, "val/NORMAL/stray.png")
    (row,) = build_index(outer).left_out
    count = sum(map(len, NAMES.values()))
    assert (row.place, row.files, row.advice) == ("chest_xray/", count, "name chest_xray, if that is the data set")


def test_without_a_suffix_the_bytes_tell(root: Path) -> None:
    (root / "train/NORMAL/scan").write_bytes(encode(gray(seed=9), "JPEG"))
    (root / "train/NORMAL/notes").write_text("no image")
    (root / "train/COVID").mkdir()
    (root / "train/COVID/scan").write_bytes(encode(gray(seed=8), "JPEG"))
    places, left_out = read_layout(root)
    assert "train/NORMAL/scan" in {place.image_id for place in places}
    assert {row.place: row.files for row in left_out} == {"train/COVID/": 1, "train/NORMAL/": 1}


def test_an_archive_in_it_is_named(root: Path) -> None:
    (root / "test/NORMAL/more.zip").write_bytes(b"PK\5\6")
    (row,) = read_layout(root)[1]
    assert (row.place, row.reason) == ("test/NORMAL/more.zip", "an archive")


def test_a_part_of_a_data_set_leads_to_the_whole(root: Path) -> None:
    with refuses(DataError, f"a part of one; name the folder above it, {str(root)!r}"):
        find_root(root / "train")


def test_a_csv_file_that_is_not_there_is_called_a_file(tmp_path: Path) -> None:
    with refuses(DataError, "labels.csv', no such file; check its path"):
        build_index(tmp_path / "labels.csv")


@pytest.mark.parametrize(("folder", "is_part"), [("lost+found", False), ("train/NORMAL", True)])
def test_only_a_closed_folder_of_the_data_set_stops_it(
    folder: str, is_part: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with public_folder() as public:
        root = write_data_set(public / "set")
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(public / "artifacts"))
        (root / folder).mkdir(exist_ok=True)
        (root / folder).chmod(0)
        with without_rights():
            if is_part:
                with refuses(DataError, "Permission denied"):
                    read_layout(root)
            else:
                (row,) = read_layout(root)[1]
                assert (row.place, row.reason) == ("lost+found/", "a folder that may not be read")
        (root / folder).chmod(0o755)


def test_a_walk_by_another_way_counts_the_same(root: Path) -> None:
    add(root, *READ, *LEFT_OUT)
    places, left_out = read_layout(root)
    below = [Path(parent) / name for parent, _, names in os.walk(root) for name in names]
    assert len(places) + sum(row.files for row in left_out) == len(below)
