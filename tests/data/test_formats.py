from pathlib import Path, PurePosixPath

import pytest

from pneumo_core.data.formats import (
    Format,
    format_of,
    is_image_file,
    is_image_name,
    is_zip,
    other_format,
)
from tests.data.dicom_files import dicom
from tests.data.image_files import encode, gray


@pytest.mark.parametrize(
    "name", ["a.png", "a.JPG", "a.jpeg", "a.jpe", "a.JFIF", "a.webp", "a.tif", "a.TIFF", "a.bmp", "a.dcm", "b/c/a.png"]
)
def test_images_are_known_by_their_names(name: str) -> None:
    assert is_image_name(PurePosixPath(name))


@pytest.mark.parametrize(
    "name",
    ["a.gif", "a", "png", "a.txt", ".a.png", "._a.png", ".hidden/a.png", "b/.git/a.png", "__MACOSX/a.png", "b/__MACOSX/a.png"],
)  # fmt: skip
def test_hidden_files_and_others_are_no_images(name: str) -> None:
    assert not is_image_name(PurePosixPath(name))


def test_dicom_without_a_suffix_is_known_by_its_bytes(tmp_path: Path) -> None:
    data = dicom(gray())
    (tmp_path / ".cache").mkdir()
    for name in ("IM000001", "1.2.840.113619", "DICOMDIR", ".IM000001", ".cache/IM000001", "IM.txt"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "README").write_bytes(b"x" * 200)
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    found = {path.name for path in tmp_path.rglob("*") if is_image_file(path, tmp_path)}
    assert found == {"IM000001", "1.2.840.113619"}


def test_a_hidden_folder_above_the_root_hides_nothing(tmp_path: Path) -> None:
    root = tmp_path / ".data"
    root.mkdir()
    (root / "a.png").touch()
    assert is_image_file(root / "a.png", root)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_formats_are_known_by_their_bytes(kind: str) -> None:
    assert format_of(encode(gray(), kind)) is Format(kind)
    assert format_of(encode(gray(), kind)[:2]) is None


def test_dicom_is_known_by_its_bytes() -> None:
    assert format_of(dicom(gray())) is Format.DICOM


_NII = bytes([92, 1, 0, 0]) + bytes(340) + b"n+1\0"


@pytest.mark.parametrize(
    ("data", "what", "advice"),
    [
        (encode(gray(), "GIF"), "a GIF picture", "save it as PNG or JPEG"),
        (encode(gray(), "AVIF"), "an AVIF picture", "save it as PNG or JPEG"),
        (encode(gray(), "JPEG2000"), "a JPEG 2000 picture", "save it as PNG or JPEG"),
        (encode(gray(), "ICO"), "an icon", "save it as PNG or JPEG"),
        (encode(gray(), "PDF"), "a PDF document", "export its image as PNG or JPEG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture", "save it as PNG or JPEG"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video", "save it as PNG or JPEG"),
        (b"PK\x03\x04" + bytes(30), "a ZIP archive", "unpack it and choose an image in it"),
        (b"\x1f\x8b\x08" + bytes(30), "a gzip archive", "unpack it and choose an image in it"),
        (b"8BPS" + bytes(30), "a Photoshop file", "save it as PNG or JPEG"),
        (_NII, "a NIfTI volume", "export it as DICOM, PNG or JPEG"),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", "a DICOM file without its preamble", "export it as DICOM, PNG or JPEG"),
        (b"Dear radiologist", "text", "choose an image file"),
        ("Liebe Ärztin, ".encode() * 200, "text", "choose an image file"),
        (b'<?xml version="1.0"?><svg xmlns="x">', "an SVG drawing", "choose an image file"),
        (b"<!DOCTYPE html><html>", "a web page", "choose an image file"),
        (b"BMW is a maker of cars", "text", "choose an image file"),
        (b"\x80\x81\x82" * 100, "of an unknown format", "choose a PNG, JPEG, WebP, TIFF, BMP or DICOM file"),
    ],
)  # fmt: skip
def test_other_formats_are_called_by_their_names(data: bytes, what: str, advice: str) -> None:
    assert format_of(data) is None
    assert other_format(data) == (what, advice)


def test_archives_are_known_by_their_bytes() -> None:
    assert is_zip(b"PK\x03\x04")
    assert is_zip(b"PK\x05\x06" + bytes(18))
    assert not is_zip(b"PK\x01\x02")
