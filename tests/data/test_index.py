"""The index against slow counts of its own, what is refused or left out, and its caches through damage."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.data.index import (
    DataIndex,
    build_index,
    index_changed_ns,
    load_index,
    require_trainable,
    unread_files,
)
from pneumo_core.data.splits import require_learnable
from pneumo_core.data.synthetic import synthetic_name, synthetic_png
from pneumo_core.errors import DataError, StoreError
from pneumo_core.records import FOLDERS, ImageRecord, Label, Split, Subtype
from pneumo_core.runs.store import datasets_root
from tests.data.image_files import BAD, NAMES, encode, gray, write_data_set
from tests.hostile import assert_one_line, on_small_disk, public_folder, refuses, with_file_limit, without_rights


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small data set in both naming schemes."""
    return write_data_set(tmp_path / "set")


def files_below(folder: Path) -> dict[str, str]:
    """Every file with its hash."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def same(left: DataIndex, right: DataIndex) -> bool:
    facts = [(index.data_id, index.root, index.unreadable, index.left_out) for index in (left, right)]
    return facts[0] == facts[1] and left.table.equals(right.table)


def stored_files(index: DataIndex) -> tuple[Path, Path]:
    folder = datasets_root() / index.data_id
    return folder / "index.json", folder / "index.parquet"


def scan_cache() -> Path:
    (path,) = (datasets_root() / "scans").glob("*.json")
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are opened from here on."""
    opened: list[str] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        if path.suffix.lower() in {".jpeg", ".jpg", ".png"}:
            opened.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    return opened


# --- What is in it ----------------------------------------------------------------------------------------------------


def test_every_image_has_its_record(root: Path) -> None:
    index = build_index(root)
    expected = [f"{folder}/{name}" for folder, names in NAMES.items() for name in names]
    assert index.table["image_id"].tolist() == sorted(expected)
    assert index.root == root.resolve()
    assert (index.unreadable, index.left_out) == ((), ())
    for row in index.table.to_dict("records"):
        record = ImageRecord(**row)
        path = root / record.image_id
        split, folder, _ = record.image_id.split("/")
        assert (record.split, record.label) == (split, Label[folder])
        with Image.open(path) as image:
            assert (record.width, record.height, record.mode) == (*image.size, image.mode)
        assert record.size_bytes == path.stat().st_size
        assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_both_naming_schemes_are_understood(root: Path) -> None:
    table = build_index(root).table.set_index("image_id")
    expected = {
        "train/NORMAL/IM-0117-0001.jpeg": ("im-117", "117", "none"),
        "train/NORMAL/NORMAL2-IM-0117-0001.jpeg": ("normal2-im-117", "117", "none"),
        "train/NORMAL/NORMAL-28501-0001.jpeg": ("normal-28501", "28501", "none"),
        "train/PNEUMONIA/person1_bacteria_2.jpeg": ("bacteria-1", "1", "bacteria"),
        "train/PNEUMONIA/person1_virus_6.jpeg": ("virus-1", "1", "virus"),
        "train/PNEUMONIA/BACTERIA-1008087-0001.jpeg": ("bacteria-1008087", "1008087", "bacteria"),
        "train/PNEUMONIA/VIRUS-1008087-0001.jpeg": ("virus-1008087", "1008087", "virus"),
        "test/PNEUMONIA/chest.jpg": ("file:test/PNEUMONIA/chest.jpg", "file:test/PNEUMONIA/chest.jpg", "unknown"),
    }
    for image_id, facts in expected.items():
        assert tuple(table.loc[image_id, ["patient_id", "pooled_id", "subtype"]]) == facts


def test_counts_are_those_of_the_folders(root: Path) -> None:
    counts = build_index(root).counts()
    slow = {(split, label): len(list((root / split / label.name).glob("*"))) for split in FOLDERS for label in Label}
    assert counts == slow
    shutil.rmtree(root / "val")
    assert build_index(root).counts() == slow | {(Split.VAL, Label.NORMAL): 0, (Split.VAL, Label.PNEUMONIA): 0}


def test_phantoms_are_known_by_their_names(root: Path) -> None:
    assert not build_index(root).is_phantom
    path = root / "train/NORMAL/IM-0115-0001.jpeg"
    path.rename(path.with_name("PHANTOM-NORMAL-0001-0001.jpeg"))
    assert build_index(root).is_phantom


def test_a_relative_folder_is_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = build_index(root)
    monkeypatch.chdir(root.parent)
    assert same(build_index(Path("set")), index)


def test_progress_ends_at_the_number_of_files(root: Path) -> None:
    for number in range(60):
        (root / f"train/NORMAL/more{number}.png").write_bytes(encode(gray(seed=number)))
    steps: list[tuple[int, int]] = []
    build_index(root, progress=lambda done, total: steps.append((done, total)))
    total = sum(map(len, NAMES.values())) + 60
    assert steps == [(50, total), (total, total)]


# --- What is left out -------------------------------------------------------------------------------------------------


def test_what_lies_beside_the_images_is_left_out_and_said(root: Path) -> None:
    expected = build_index(root)
    inner = root / "chest_xray"
    shutil.copytree(root, inner)
    (inner / "train/.DS_Store").write_bytes(b"mac")
    write_data_set(root / "__MACOSX" / "chest_xray")
    (root / "train/NORMAL/.DS_Store").write_bytes(b"mac")
    (root / "test/PNEUMONIA/._person1_virus_7.jpeg").write_bytes(b"mac")
    (root / "val/NORMAL/Thumbs.db").write_bytes(b"windows")
    (root / "val/NORMAL/notes").write_bytes(b"no suffix")
    (root / "README.txt").write_bytes(b"of the data set")
    total = sum(map(len, NAMES.values()))
    index = build_index(root)
    assert index.table.equals(expected.table)
    assert index.data_id == expected.data_id
    assert {row.place: row.files for row in index.left_out} == {
        "nested second copy chest_xray/": total,
        "__MACOSX/": total,
        "hidden files": 3,
        "val/NORMAL/": 2,
    }
    assert not any(row.advice for row in index.left_out)
    assert same(load_index(index.data_id), index)
    shutil.rmtree(inner)
    assert same(load_index(index.data_id), index)
    for after in (build_index(root), load_index(index.data_id)):
        assert "nested second copy chest_xray/" not in {row.place for row in after.left_out}


def test_every_bad_file_is_listed_with_its_reason_and_the_rest_indexed(root: Path) -> None:
    expected = build_index(root)
    reasons = {}
    for number, (reason, data) in enumerate(BAD.values()):
        image_id = f"train/{'NORMAL' if number % 2 else 'PNEUMONIA'}/bad{number:02d}.jpeg"
        (root / image_id).write_bytes(data)
        reasons[image_id] = reason
    (root / "train/NORMAL/gone.jpeg").symlink_to(root / "nowhere.jpeg")
    reasons["train/NORMAL/gone.jpeg"] = "not_readable"
    index = build_index(root)
    assert index.table.equals(expected.table)
    assert {file.image_id: file.reason for file in index.unreadable} == reasons
    for file in index.unreadable:
        assert_one_line(file.message, file.image_id)
    assert index.data_id == expected.data_id
    assert same(load_index(index.data_id), index)
    # Nothing is silently dropped.
    assert len(index.table) + len(index.unreadable) == sum(
        len(list((root / split / label.name).iterdir())) for split in FOLDERS for label in Label
    )


def test_odd_but_whole_files_are_indexed(root: Path) -> None:
    picture = Image.fromarray(gray())
    for number, mode in enumerate(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]):
        image = Image.fromarray(gray().astype(np.uint16) * 257) if mode == "I;16" else picture.convert(mode)
        (root / f"train/NORMAL/odd{number}.png").write_bytes(encode(image))
    (root / "train/NORMAL/odd7.jpeg").write_bytes(encode(picture.convert("CMYK"), "JPEG"))
    index = build_index(root)
    assert index.unreadable == ()
    odd = index.table[index.table["image_id"].str.contains("/odd")]
    assert odd["mode"].tolist() == ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"]


def test_a_name_that_is_no_text_is_listed(root: Path) -> None:
    expected = build_index(root)
    (root / "train/NORMAL" / os.fsdecode(b"caf\xe9.jpeg")).write_bytes(encode(gray(), "JPEG"))
    index = build_index(root)
    assert index.table.equals(expected.table)
    (listed,) = index.unreadable
    assert listed.image_id == r"train/NORMAL/caf\udce9.jpeg"
    assert_one_line(listed.message, "rename the file")
    assert same(load_index(index.data_id), index)


def test_a_file_that_may_not_be_read_is_listed_until_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        root = write_data_set(folder / "set")
        secret = root / "train/NORMAL/IM-0115-0001.jpeg"
        secret.chmod(0)
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder / "artifacts"))
        with without_rights():
            index = build_index(root)
            again = build_index(root)
        assert same(index, again)
        (listed,) = index.unreadable
        assert (listed.image_id, listed.reason) == ("train/NORMAL/IM-0115-0001.jpeg", "not_readable")
        assert_one_line(listed.message, "Permission denied")
        secret.chmod(0o644)
        with without_rights():
            assert build_index(root).unreadable == ()


# --- What is no data set ----------------------------------------------------------------------------------------------


def test_a_folder_without_splits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/holiday.jpeg").write_bytes(encode(gray(), "JPEG"))
    (tmp_path / "file").write_bytes(b"")
    cases = {
        "empty": "which is empty",
        "other": "1 in 'the folder itself'",
        "file": "a file; name a folder",
        "missing": "no such folder",
        "file/below": "no such folder",
        "line\nbreak": r"line\nbreak",
        "n\0ul": "no such folder",
        "x" * 300: "File name too long",
    }
    for name, received in cases.items():
        with refuses(DataError, received):
            build_index(tmp_path / name)


@pytest.mark.parametrize("folders", [["train"], ["train/NORMAL", "test/PNEUMONIA"]])
def test_splits_without_images_are_refused(tmp_path: Path, folders: list[str]) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "readme.txt").write_bytes(b"soon")
    with refuses(DataError, "NORMAL and PNEUMONIA", str(tmp_path)):
        build_index(tmp_path)


def test_a_data_set_of_bad_files_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train/NORMAL").mkdir(parents=True)
    (tmp_path / "train/NORMAL/a.jpeg").write_bytes(b"")
    (tmp_path / "train/NORMAL/b.jpeg").write_bytes(b"text")
    with refuses(DataError, "2 unreadable", "train/NORMAL/a.jpeg"):
        build_index(tmp_path)


@pytest.mark.parametrize("closed", [".", "train", "train/NORMAL"])
def test_a_folder_that_may_not_be_read_is_said(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with public_folder() as folder:
        root = write_data_set(folder / "set")
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder / "artifacts"))
        (root / closed).chmod(0)
        with without_rights(), pytest.raises(DataError) as raised:
            build_index(root)
        (root / closed).chmod(0o755)
        assert_one_line(raised.value, "Permission denied", str(root))


@pytest.mark.parametrize(
    "missing", ["train/NORMAL", "train/PNEUMONIA", "test/NORMAL", "test/PNEUMONIA", "train", "test"]
)
def test_training_needs_both_classes_in_train_and_test(root: Path, missing: str) -> None:
    require_trainable(build_index(root))
    shutil.rmtree(root / missing)
    index = build_index(root)
    split = missing.partition("/")[0]
    assert sum(index.counts().values()) == len(index.table) > 0
    with pytest.raises(DataError) as raised:
        require_trainable(index)
    assert_one_line(raised.value, split, "'NORMAL'", "'PNEUMONIA'")
    assert f"add images to {missing}" in str(raised.value)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_training_takes_no_generated_image_for_a_real_one(root: Path, split: str) -> None:
    name = synthetic_name("dcgan-0123456789ab", 0, 7)
    (root / split / "NORMAL" / name).write_bytes(synthetic_png(gray(32, 32), {}))
    with refuses(DataError, "1 generated images", f"{split}/NORMAL/{name}", "--balance gan:RUN"):
        require_trainable(build_index(root))
    with pytest.raises(DataError, match="1 generated images"):  # Nor does a DCGAN learn from them.
        require_learnable(build_index(root), gan_config(Preset.REPORT))


def test_training_does_without_a_val_folder(root: Path) -> None:
    shutil.rmtree(root / "val")
    require_trainable(build_index(root))


# --- Identity ---------------------------------------------------------------------------------------------------------


def test_the_id_is_one_of_names_and_contents(root: Path) -> None:
    text = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(files_below(root).items()))
    assert build_index(root).data_id == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_place_and_time_do_not_change_the_id(root: Path, tmp_path: Path) -> None:
    index = build_index(root)
    other = shutil.copytree(root, tmp_path / "elsewhere")
    for path in other.rglob("*.jpeg"):
        os.utime(path, (1, 1))
    moved = build_index(other)
    assert moved.data_id == index.data_id
    assert moved.table.equals(index.table)
    assert moved.root == other.resolve()
    assert load_index(index.data_id).root == other.resolve()


def _swap_names(folder: Path) -> None:
    first, second = folder / "IM-0115-0001.jpeg", folder / "IM-0117-0001.jpeg"
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)


def _append(path: Path, data: bytes) -> None:
    path.write_bytes(path.read_bytes() + data)


CHANGES: dict[str, Callable[[Path], object]] = {
    "one more": lambda folder: (folder / "new.png").write_bytes(encode(gray(seed=99))),
    "one less": lambda folder: (folder / "IM-0115-0001.jpeg").unlink(),
    "another name": lambda folder: (folder / "IM-0115-0001.jpeg").rename(folder / "IM-0116-0001.jpeg"),
    "one byte": lambda folder: _append(folder / "IM-0115-0001.jpeg", b"\0"),
    "two names swapped": _swap_names,
    "another class": lambda folder: (folder / "IM-0115-0001.jpeg").rename(
        folder.parent / "PNEUMONIA/IM-0115-0001.jpeg"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_content_changes_the_id(root: Path, change: str) -> None:
    index = build_index(root)
    CHANGES[change](root / "train/NORMAL")
    changed = build_index(root)
    assert changed.data_id != index.data_id
    # The old index is kept: runs refer to it.
    assert same(load_index(index.data_id), index)
    assert same(load_index(changed.data_id), changed)


# --- The scan cache ---------------------------------------------------------------------------------------------------


def test_unchanged_files_are_not_read_again_but_bad_ones_are(root: Path, reads: list[str]) -> None:
    (root / "train/NORMAL/bad.jpeg").write_bytes(b"text")
    index = build_index(root)
    assert Counter(reads) == Counter(path.name for path in root.rglob("*.*"))
    reads.clear()
    assert same(build_index(root), index)
    assert reads == ["bad.jpeg"]


def test_a_mended_file_of_the_same_size_and_time_is_read(root: Path, reads: list[str]) -> None:
    path = root / "train/NORMAL/IM-0115-0001.jpeg"
    whole, times = path.read_bytes(), path.stat()
    # Of the same length, so that only what nobody can set back tells.
    path.write_bytes(whole[:-2] + b"xx")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    build_index(root)
    path.write_bytes(whole)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    reads.clear()
    index = build_index(root)
    assert reads == [path.name]
    assert (
        index.table.set_index("image_id").loc["train/NORMAL/IM-0115-0001.jpeg", "sha256"]
        == hashlib.sha256(whole).hexdigest()
    )


def test_byte_identical_files_have_one_patient(root: Path) -> None:
    known = root / "train/PNEUMONIA/person1_bacteria_1.jpeg"
    shutil.copy(known, root / "train/PNEUMONIA/person1_bacteria_1 (1).jpeg")
    shutil.copy(known, root / "test/PNEUMONIA/person900_virus_1.jpeg")
    table = build_index(root).table.set_index("image_id")
    copies = table[table["sha256"] == table.loc["train/PNEUMONIA/person1_bacteria_1.jpeg", "sha256"]]
    assert len(copies) == 3
    assert set(copies["patient_id"]) == {"bacteria-1"}
    # Their other images go with them.
    assert table.loc["train/PNEUMONIA/person1_bacteria_2.jpeg", "patient_id"] == "bacteria-1"


def test_changed_files_are_read_again_and_only_they(root: Path, reads: list[str]) -> None:
    build_index(root)
    reads.clear()
    changed = root / "train/NORMAL/IM-0115-0001.jpeg"
    changed.write_bytes(encode(gray(64, 64, seed=50), "JPEG"))
    touched = root / "train/NORMAL/IM-0117-0001.jpeg"
    os.utime(touched, ns=(1, 1))
    (root / "test/NORMAL/new.png").write_bytes(encode(gray(seed=51)))
    (root / "test/PNEUMONIA/chest.jpg").unlink()
    index = build_index(root)
    assert sorted(reads) == sorted([changed.name, touched.name, "new.png"])
    record = index.table.set_index("image_id").loc["train/NORMAL/IM-0115-0001.jpeg"]
    assert (record["width"], record["height"]) == (64, 64)
    assert record["sha256"] == hashlib.sha256(changed.read_bytes()).hexdigest()
    assert "test/PNEUMONIA/chest.jpg" not in set(index.table["image_id"])


def test_a_file_that_was_mended_is_read_again(root: Path) -> None:
    path = root / "train/NORMAL/late.jpeg"
    whole = encode(gray(200, 200), "JPEG")
    path.write_bytes(whole[:1000])
    assert [file.reason for file in build_index(root).unreadable] == ["damaged"]
    path.write_bytes(whole)
    assert build_index(root).unreadable == ()


def _flip(text: str) -> str:
    scan = json.loads(text)
    scan["files"]["train/NORMAL/IM-0115-0001.jpeg"]["facts"]["width"] += 1
    return json.dumps(scan)


SCANS: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "no JSON": lambda text: "\0" + text,
    "brackets": lambda text: "[" * 100_000,
    "a list": lambda text: "[]",
    "null": lambda text: "null",
    "older version": lambda text: text.replace('"schema": 4', '"schema": 3'),
    "files are a list": lambda text: json.dumps(json.loads(text) | {"files": [1]}),
    "a record is null": lambda text: json.dumps(json.loads(text) | {"files": {"train/NORMAL/IM-0115-0001.jpeg": None}}),
    "one number": _flip,
}


@pytest.mark.parametrize("kind", SCANS)
def test_a_damaged_scan_cache_is_made_again(root: Path, reads: list[str], kind: str) -> None:
    index = build_index(root)
    text = scan_cache().read_text()
    damaged = SCANS[kind](text)
    assert damaged != text
    scan_cache().write_text(damaged)
    reads.clear()
    assert same(build_index(root), index)
    assert len(reads) == len(index.table)
    assert scan_cache().read_text() == text


# --- The stored index -------------------------------------------------------------------------------------------------


def test_the_stored_index_is_the_one_that_was_built(root: Path) -> None:
    (root / "val/NORMAL/bad.jpeg").write_bytes(b"")
    (root / "val/NORMAL/.DS_Store").write_bytes(b"")
    index = build_index(root)
    stored = load_index(index.data_id)
    assert same(stored, index)
    assert stored.counts() == index.counts()
    # Other tools read it too.
    assert pd.read_parquet(stored_files(index)[1]).equals(index.table)


def test_an_unchanged_index_is_not_written_again(root: Path) -> None:
    before = [path.stat().st_mtime_ns for path in stored_files(build_index(root))]
    assert [path.stat().st_mtime_ns for path in stored_files(build_index(root))] == before


def test_an_index_says_when_it_changed(root: Path, tmp_path: Path) -> None:
    for data_id in ("0" * 12, "", "../x", "x" * 5000, "x\0y"):
        assert index_changed_ns(data_id) == 0
    data_id = build_index(root).data_id
    first = index_changed_ns(data_id)
    assert first == stored_files(build_index(root))[0].stat().st_mtime_ns > 0
    build_index(root)
    assert index_changed_ns(data_id) == first
    build_index(shutil.copytree(root, tmp_path / "elsewhere"))
    assert index_changed_ns(data_id) > first


def _flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


INDEX_DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "facts gone": lambda facts, table: facts.unlink(),
    "facts empty": lambda facts, table: facts.write_bytes(b""),
    "facts no JSON": lambda facts, table: facts.write_bytes(b"{\xff"),
    "facts a list": lambda facts, table: facts.write_bytes(b"[1]"),
    "facts lack the root": lambda facts, table: facts.write_text(facts.read_text().replace('"root"', '"boot"')),
    "facts lack the hash": lambda facts, table: facts.write_text(facts.read_text().replace("table_sha256", "sha256")),
    "facts of another": lambda facts, table: facts.write_text(
        facts.read_text().replace('"data_id": "', '"data_id": "0')
    ),
    "unreadable odd": lambda facts, table: facts.write_text(
        facts.read_text().replace('"unreadable": []', '"unreadable": [1]')
    ),
    "table gone": lambda facts, table: table.unlink(),
    "table empty": lambda facts, table: table.write_bytes(b""),
    "table cut": lambda facts, table: table.write_bytes(table.read_bytes()[:-100]),
    "table text": lambda facts, table: table.write_bytes(b"image_id,split\n"),
    "table a bit flipped": lambda facts, table: _flip_byte(table),
    "table of another": lambda facts, table: pd.DataFrame({"image_id": ["a"]}).to_parquet(table),
}


@pytest.mark.parametrize("kind", INDEX_DAMAGE)
def test_a_damaged_index_is_reported_and_made_again(root: Path, kind: str) -> None:
    index = build_index(root)
    INDEX_DAMAGE[kind](*stored_files(index))
    with refuses(DataError, index.data_id, "data index"):
        load_index(index.data_id)
    assert same(build_index(root), index)
    assert same(load_index(index.data_id), index)


@pytest.mark.parametrize(
    "data_id", ["", ".", "..", "../x", "../../runs", "a" * 11, "A" * 12, "0" * 12, "0" * 12 + "\n", "x\0y"]
)
def test_ids_of_no_index_are_refused(root: Path, tmp_path: Path, data_id: str) -> None:
    index = build_index(root)
    # What a crafted id could reach, were it taken for a path.
    shutil.copytree(datasets_root() / index.data_id, datasets_root().parent / "x")
    with refuses(DataError, repr(data_id)):
        load_index(data_id)


# --- Disks that refuse ------------------------------------------------------------------------------------------------

INDEX = """
import sys
from pathlib import Path
from pneumo_core.data.index import build_index
from pneumo_core.errors import StoreError
try:
    build_index(Path(sys.argv[-1]))
except StoreError as error:
    print(error)
"""


def test_a_full_disk_is_said_and_loses_nothing(root: Path, tmp_path: Path) -> None:
    images = files_below(root)
    (tmp_path / "disk").mkdir()
    code = "import os, sys\nos.environ['PNEUMO_ARTIFACTS'] = sys.argv[1]\n" + INDEX
    assert_one_line(on_small_disk("8k", code, tmp_path / "disk", root), "the disk is full", "disk")
    assert files_below(root) == images


def test_a_cut_write_loses_nothing(root: Path) -> None:
    index = build_index(root)
    cached = files_below(datasets_root())
    (root / "val/NORMAL/new.png").write_bytes(encode(gray(seed=99)))
    images = files_below(root)
    assert_one_line(with_file_limit(1000, INDEX, root), "File too large")
    assert files_below(root) == images
    assert files_below(datasets_root()) == cached
    assert same(load_index(index.data_id), index)
    assert len(build_index(root).table) == len(index.table) + 1


def test_artifacts_that_cannot_be_written_are_said(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = files_below(root)
    (tmp_path / "file").write_bytes(b"mine")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "file"))
    with refuses(StoreError, str(tmp_path / "file")):
        build_index(root)
    assert (tmp_path / "file").read_bytes() == b"mine"
    with public_folder() as folder:
        public = shutil.copytree(root, folder / "set")
        (folder / "artifacts").mkdir(mode=0o555)
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder / "artifacts"))
        with without_rights(), pytest.raises(StoreError) as raised:
            build_index(public)
        assert_one_line(raised.value, "set PNEUMO_ARTIFACTS to a folder that is")
        assert files_below(public) == images


# --- Real X-rays ------------------------------------------------------------------------------------------------------


def test_real_counts(real_index: DataIndex, real_data: Path) -> None:
    counts = real_index.counts()
    assert [counts[Split.TRAIN, label] for label in Label] == [1341, 3875]
    assert [counts[Split.VAL, label] for label in Label] == [8, 8]
    for label in Label:
        assert counts[Split.TEST, label] == len(list((real_data / "test" / label.name).glob("*.jpeg")))
    assert real_index.unreadable == ()
    train = real_index.table[real_index.table["split"] == Split.TRAIN]
    assert Counter(train["subtype"]) == {Subtype.NONE: 1341, Subtype.BACTERIA: 2530, Subtype.VIRUS: 1345}
    assert train["patient_id"].nunique() == 3654


def test_real_patients_by_a_slow_reading(real_index: DataIndex) -> None:
    """Names split by hand, without the patterns of `patients`."""
    for image_id, patient_id, pooled_id in real_index.table[["image_id", "patient_id", "pooled_id"]].itertuples(
        index=False
    ):
        stem = image_id.rpartition("/")[2].removesuffix(".jpeg")
        if stem.startswith("person"):
            number, cause = stem.removeprefix("person").split("_")[:2]
        else:
            head, _, tail = stem.rpartition("IM-")
            number, cause = tail.split("-")[0], f"{head}IM".lower()
        assert patient_id == f"{cause}-{int(number)}"
        assert pooled_id == str(int(number))


def test_a_pipe_is_listed_and_not_waited_for(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "test" / "NORMAL" / "pipe.jpeg")
    (root / "test" / "NORMAL" / "dangling.jpeg").symlink_to(tmp_path / "nowhere")
    unreadable = {file.image_id: file for file in build_index(root).unreadable}
    assert set(unreadable) == {"test/NORMAL/pipe.jpeg", "test/NORMAL/dangling.jpeg"}
    assert "not a regular file" in unreadable["test/NORMAL/pipe.jpeg"].message


# --- What is left to read ---------------------------------------------------------------------------------------------


def test_only_what_no_scan_has_read_as_it_is_is_left_to_read(tmp_path: Path) -> None:
    root = write_data_set(tmp_path / "set")
    files = sorted(root.glob("train/NORMAL/*.jpeg"))
    total = unread_files(root)
    index = build_index(root)
    assert total == len(index.table) + len(index.unreadable)
    assert unread_files(root) == 0
    os.utime(files[0], (1, 1))
    assert unread_files(root) == 1
    (root / "train" / "NORMAL" / "IM-9999-0001.jpeg").write_bytes(files[1].read_bytes())
    assert unread_files(root) == 2


def test_what_cannot_be_opened_is_not_left_to_read_for_ever_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with public_folder() as folder:
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder / "artifacts"))
        root = write_data_set(folder / "set")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        closed = next(root.glob("train/NORMAL/*"))
        closed.chmod(0)
        with without_rights():
            index = build_index(root)
            assert [file.image_id for file in index.unreadable] == [closed.relative_to(root).as_posix()]
            assert unread_files(root) == 0
        closed.chmod(0o666)
        with without_rights():
            assert build_index(root).unreadable == ()
