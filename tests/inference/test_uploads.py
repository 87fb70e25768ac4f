import io
import zipfile
from collections.abc import Iterable

import pytest

from pneumo_core.errors import ImageError
from pneumo_core.inference import uploads
from pneumo_core.inference.uploads import MAX_IMAGES, Upload, unpacked
from tests.data.dicom_files import dicom
from tests.data.image_files import encode, gray
from tests.data.test_archive import zip_of
from tests.hostile import assert_one_line

PNG = encode(gray())


def given(data: bytes) -> dict[str, bytes]:
    return {upload.name: upload.data for upload in unpacked("x.zip", data)}


def refusal(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        given(data)
    assert_one_line(caught.value, "'x.zip'")
    assert caught.value.advice
    return caught.value


def test_a_file_is_itself() -> None:
    for data in (PNG, b"", b"text"):
        assert list(unpacked("a.png", data)) == [Upload("a.png", data)]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_is_its_images(method: int) -> None:
    data = zip_of(
        [
            ("a.png", PNG),
            ("ward 3/", b""),
            ("ward 3/b.JPG", b"whatever it is"),
            ("ward 3/IM000001", dicom(gray())),
            ("ward 3/1.2.840.99", dicom(gray())),
            ("DICOMDIR", dicom(gray())),
            ("README", b"text"),
            ("notes.txt", b"text"),
            ("__MACOSX/._a.png", b"mac"),
            ("._a.png", b"mac"),
            (".hidden/c.png", PNG),
            ("inner.zip", zip_of([("deep.png", PNG)])),
        ],
        method,
    )
    names = ["a.png", "ward 3/b.JPG", "ward 3/IM000001", "ward 3/1.2.840.99", "inner.zip"]
    assert list(given(data)) == names
    assert given(data)["a.png"] == PNG


def test_images_are_unpacked_one_by_one() -> None:
    data = bytearray(zip_of([("a.png", PNG), ("b.png", PNG)], zipfile.ZIP_STORED))
    data[data.rindex(PNG) + 100] ^= 1  # In the second image.
    found = unpacked("x.zip", bytes(data))
    assert next(found).name == "a.png"
    with pytest.raises(ImageError) as caught:
        next(found)
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([("../a.png", PNG)], "unsafe"),
        ([("/etc/a.png", PNG)], "unsafe"),
        ([("b/../../a.png", PNG)], "unsafe"),
        ([("C:/a.png", PNG)], "unsafe"),
        ([("b\\..\\a.png", PNG)], "unsafe"),
        ([("notes.txt", b"text")], "empty"),
        ([], "empty"),
        ([("[Content_Types].xml", b"<x/>"), ("word/media/image1.png", PNG)], "not_an_image"),
        ([(f"{number}.png", b"") for number in range(MAX_IMAGES + 1)], "too_large"),
        ([("zeros.bmp", bytes(1 << 20))], "too_large"),
    ],
)
def test_archives_that_are_unsafe_or_useless_are_refused(entries: Iterable[tuple[str, bytes]], reason: str) -> None:
    assert refusal(zip_of(entries)).reason == reason


def test_a_link_is_refused() -> None:
    link = zipfile.ZipInfo("a.png")
    link.external_attr = 0o120777 << 16
    error = refusal(zip_of([(link, b"/etc/passwd")]))
    assert (error.reason, error.advice) == (
        "unsafe",
        "pack the images themselves, without links or paths that begin with / or have .. in them",
    )
    assert "with the entry 'a.png', whose name leads out of the archive or which is a link" in str(error)


def test_many_entries_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert refusal(b"PK\x03\x04" + uploads._ENTRY * 6_000).reason == "too_large"


def test_the_declared_size_is_what_is_unpacked_at_most() -> None:
    """A directory that understates what the entry inflates to."""
    data = zip_of([("a.png", bytes(100_000))])
    size = (100_000).to_bytes(4, "little")
    assert data.count(size) == 2
    assert refusal(data.replace(size, (1_000).to_bytes(4, "little"))).reason == "damaged"


def test_large_images_are_refused_whatever_they_pack_to(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MAX_BYTES", "MAX_IMAGE_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(uploads, limit, len(PNG) - 1)
            assert refusal(zip_of([("a.png", PNG)])).reason == "too_large"


def test_an_encrypted_archive_is_refused_as_that() -> None:
    data = bytearray(zip_of([("a.png", PNG)]))
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(start) + flags] |= 1
    error = refusal(bytes(data))
    assert (error.reason, error.advice) == ("encrypted", "pack it without")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(method: int) -> None:
    assert refusal(zip_of([("a.png", PNG)], method)).reason == "damaged"


def test_a_cut_archive_is_refused() -> None:
    whole = zip_of([("a.png", PNG)])
    for length in (4, 30, len(whole) // 2, len(whole) - 1):
        assert refusal(whole[:length]).reason == "damaged"


def test_an_archive_in_an_archive_is_no_image() -> None:
    inner = zip_of([("a.png", PNG)])
    assert given(zip_of([("inner.zip", inner)])) == {"inner.zip": inner}
    assert io.BytesIO(inner).read(2) == b"PK"
