import io
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumo_core.data import archive as archive_module
from pneumo_core.data.archive import unpack_images
from pneumo_core.errors import CorruptError, StoreError

IMAGES = {
    f"{split}/{label}/{name}.jpeg": f"{split} {label} {name} ".encode() * 40
    for split in ("train", "val", "test")
    for label in ("NORMAL", "PNEUMONIA")
    for name in ("IM-0001-0001", "person1_bacteria_2")
}


def zip_of(entries: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as bundle:
        for name, data in entries:
            bundle.writestr(name, data)
    return buffer.getvalue()


def images_below(prefix: str) -> list[tuple[str, bytes]]:
    return [(prefix + name, data) for name, data in IMAGES.items()]


def unpack(tmp_path: Path, data: bytes) -> dict[str, bytes]:
    """What is in the target folder afterwards."""
    (tmp_path / "a.zip").write_bytes(data)
    unpack_images(tmp_path / "a.zip", tmp_path / "out", lambda done, total: None)
    return files_in(tmp_path / "out")


_WHOLE = zip_of(images_below("chest_xray/"))


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_copy_is_unpacked_and_the_rest_left(tmp_path: Path) -> None:
    data = zip_of(
        [
            *images_below("chest_xray/chest_xray/"),
            ("chest_xray/__MACOSX/chest_xray/train/NORMAL/IM-0001-0001.jpeg", b"shadow"),
            ("__MACOSX/chest_xray/train/NORMAL/._IM-0001-0001.jpeg", b"shadow"),
            ("chest_xray/train/NORMAL/.DS_Store", b"mac"),
            ("chest_xray/train/NORMAL/._IM-0001-0001.jpeg", b"mac"),
            ("chest_xray/train/NORMAL/Thumbs.db", b"windows"),
            ("chest_xray/train/OTHER/x.jpeg", b"no class"),
            ("chest_xray/train/x.jpeg", b"no class"),
            ("chest_xray/train/NORMAL/", b""),
            *[(name, data + b"outer copy") for name, data in images_below("chest_xray/")],
        ]
    )
    assert unpack(tmp_path, data) == {name: data + b"outer copy" for name, data in IMAGES.items()}


@pytest.mark.parametrize("prefix", ["", "chest_xray/", "chest_xray/chest_xray/"])
def test_a_single_copy_is_found_at_any_depth(tmp_path: Path, prefix: str) -> None:
    assert unpack(tmp_path, zip_of(images_below(prefix), zipfile.ZIP_STORED)) == IMAGES


def test_watch_hears_every_byte_and_can_stop(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of(images_below("")))
    heard: list[tuple[int, int]] = []
    unpack_images(tmp_path / "a.zip", tmp_path / "out", lambda done, total: heard.append((done, total)))
    total = sum(map(len, IMAGES.values()))
    assert heard[0] == (0, total)
    assert heard[-1] == (total, total)
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})

    def stop(done: int, total: int) -> None:
        raise ValueError("not the archive's fault")

    with pytest.raises(ValueError, match="not the archive's fault"):
        unpack_images(tmp_path / "a.zip", tmp_path / "other", stop)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../evil.jpeg",
        "chest_xray/train/NORMAL/../../../../evil.jpeg",
        "..\\evil.jpeg",
        "C:/evil.jpeg",
        "c:evil.jpeg",
        "chest_xray/train/NORMAL/a\\b.jpeg",
    ],
)
def test_unsafe_names_condemn_the_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorruptError, match="unsafe entry"):
        unpack(tmp_path, zip_of([*images_below("chest_xray/"), (name, b"evil")]))
    assert [path.name for path in tmp_path.rglob("*")] == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_condemn_the_archive(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("train/NORMAL/link.jpeg")
    entry.create_system = 3
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(CorruptError, match="unsafe entry"):
        unpack(tmp_path, zip_of([(entry, b"/etc/passwd")]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a\nb.jpeg", "café.jpeg", "-rf.jpeg", "a:b.jpeg", "a|b.jpeg"])
def test_odd_image_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorruptError, match="unusual entry"):
        unpack(tmp_path, zip_of([(f"train/NORMAL/{name}", b"x")]))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(CorruptError, match="unusual entry"):
        unpack(tmp_path, zip_of(images_below(""), method))


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="two entries of the same name"):
        unpack(tmp_path, zip_of([("train/NORMAL/a.jpeg", b"1"), ("train/NORMAL/A.jpeg", b"2")]))


def test_an_archive_without_images_is_refused(tmp_path: Path) -> None:
    for data in (zip_of([]), zip_of([("readme.txt", b"hello"), ("train/x.jpeg", b"")])):
        with pytest.raises(CorruptError, match="no images in train, val or test"):
            unpack(tmp_path, data)


@pytest.mark.parametrize("data", [b"", b"PK", b"<html>sign in</html>", b"\0" * 1000])
def test_what_is_no_zip_file_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CorruptError, match=r"a whole zip file of the data set\. Received: a\.zip with"):
        unpack(tmp_path, data)


def test_bombs_end_before_they_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_MAX_BYTES", 10**6)
    with pytest.raises(CorruptError, match="images of 1000001 bytes, where 1000000 are the most"):
        unpack(tmp_path, zip_of([("train/NORMAL/a.jpeg", bytes(10**6 + 1))]))
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(archive_module, "_MAX_MEMBERS", 5)
    with pytest.raises(CorruptError, match="12 entries, where 5 are the most"):
        unpack(tmp_path, zip_of(images_below("")))


def test_a_lie_about_the_size_is_found(tmp_path: Path) -> None:
    data = bytearray(zip_of([("train/NORMAL/a.jpeg", bytes(1000))]))
    directory = data.rindex(b"PK\x01\x02")
    for declared in (10, 2000):  # The member's real size is 1000.
        data[directory + 24 : directory + 28] = declared.to_bytes(4, "little")
        with pytest.raises(CorruptError, match="a whole zip file"):
            unpack(tmp_path, bytes(data))
        (tmp_path / "out/train/NORMAL/a.jpeg").unlink()


def test_offsets_before_the_start_are_refused(tmp_path: Path) -> None:
    data = bytearray(_WHOLE)
    start = (
        data.rindex(b"PK\x05\x06") + 16
    )  # Of the directory: zipfile takes a larger one for a prefix that was cut off.
    declared = int.from_bytes(data[start : start + 4], "little") + 1
    data[start : start + 4] = declared.to_bytes(4, "little")
    with pytest.raises(CorruptError, match="before its start"):
        unpack(tmp_path, bytes(data))


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of([("train/NORMAL/a.jpeg", b"secret")]))
    for record, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(record) + offset] |= 1
    with pytest.raises(CorruptError, match="encrypted"):
        unpack(tmp_path, bytes(data))


@given(at=st.integers(0, len(_WHOLE) - 1), value=st.integers(0, 255))
@settings(max_examples=300)
def test_no_changed_byte_goes_unnoticed_or_crashes(at: int, value: int) -> None:
    damaged = _WHOLE[:at] + bytes([value]) + _WHOLE[at + 1 :]
    with TemporaryDirectory() as folder:
        try:
            files = unpack(Path(folder), damaged)
        except CorruptError:
            return
        # Names and time stamps have no checksum in a zip file: the counts find what a changed name leaves out.
        assert set(files.values()) <= set(IMAGES.values())


@given(length=st.integers(0, len(_WHOLE) - 1))
@settings(max_examples=100)
def test_a_cut_archive_is_always_refused(length: int) -> None:
    with TemporaryDirectory() as folder, pytest.raises(CorruptError):
        unpack(Path(folder), _WHOLE[:length])


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(_WHOLE)
    victim = tmp_path / "out/train/NORMAL/IM-0001-0001.jpeg"
    victim.parent.mkdir(parents=True)
    victim.write_bytes(b"mine")
    with pytest.raises(StoreError, match="IM-0001-0001"):
        unpack_images(tmp_path / "a.zip", tmp_path / "out", lambda done, total: None)
    assert victim.read_bytes() == b"mine"


def test_a_missing_archive_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.zip"):
        unpack_images(tmp_path / "none.zip", tmp_path / "out", lambda done, total: None)


_MEASURE = """
import resource, sys
from pathlib import Path
from pneumo_core.data.archive import unpack_images
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unpack_images(Path(sys.argv[1]), Path(sys.argv[2]), lambda done, total: None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read in Linux' unit")
def test_memory_does_not_follow_the_size(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of([("train/NORMAL/a.jpeg", bytes(64 * 2**20))]))
    command = [sys.executable, "-c", _MEASURE, str(tmp_path / "a.zip"), str(tmp_path / "out")]
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(command, cwd=root, env=dict(os.environ), check=True, capture_output=True, text=True)
    assert (tmp_path / "out/train/NORMAL/a.jpeg").stat().st_size == 64 * 2**20
    assert int(result.stdout) < 16 * 1024  # KiB
