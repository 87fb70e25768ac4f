"""Picture files as people have them: each decoded to the pixels that it was made of (`levels`), or refused by its name.

Hostile ones, which `bounded` gives up, are among them.
"""

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.bounded import MAX_READS
from pneumo_core.data.images import decode, decode_gray, read_facts
from pneumo_core.data.picture import _MAX_PACKED_BYTES
from pneumo_core.errors import ImageError
from tests.data.dicom_files import dicom
from tests.data.image_files import encode, gray, oriented, png_chunks
from tests.hostile import assert_one_line


def refusal(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode_gray(data, "x")
    assert_one_line(caught.value, "'x'")
    assert caught.value.advice
    return caught.value


@pytest.mark.parametrize(
    ("kind", "options"),
    [("WEBP", {"lossless": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {})],
)
def test_lossless_formats_keep_every_pixel(kind: str, options: dict[str, object]) -> None:
    data = encode(gray(), kind, **options)
    assert np.array_equal(decode_gray(data, "x"), gray())
    assert (read_facts(data, "x").width, read_facts(data, "x").height) == (52, 40)


def test_of_a_phone_s_pictures_the_first_is_taken() -> None:
    first, second = (Image.fromarray(gray(seed=seed)).convert("RGB") for seed in (1, 2))
    data = encode(first, "MPO", save_all=True, append_images=[second.rotate(90)], quality=95)
    assert np.abs(decode_gray(data, "x.jpg").astype(float) - gray(seed=1)).mean() < 2


def full() -> NDArray[np.uint8]:
    """A picture that uses all gray levels."""
    picture = gray().astype(float) - gray().min()
    return (picture * (255 / picture.max())).round().astype(np.uint8)


@pytest.mark.parametrize("highest", [255, 300, 1_100, 2_047, 2_100, 4_095, 33_000, 65_535])
def test_deep_files_are_scaled_by_the_range_that_is_used(highest: int) -> None:
    deep = (full() * (highest / 255)).round().astype(np.uint16)
    for values in (deep, deep + min(500, 65_535 - highest)):
        if values.max() > 255:
            for data in (
                encode(values),
                encode(values, "TIFF"),
                encode(Image.fromarray(values.astype(np.int32)), "TIFF"),
            ):
                assert np.abs(decode_gray(data, "x").astype(int) - full()).max() <= 1


def test_values_that_8_bits_hold_stay_as_they_are() -> None:
    assert 0 < gray().min() < gray().max() < 255
    assert np.array_equal(decode_gray(encode(gray().astype(np.uint16)), "x"), gray())


def test_deep_files_are_scaled_as_dicom_without_a_window_is() -> None:
    deep = gray().astype(np.uint16) * 9
    shown = decode_gray(dicom(deep, BitsStored=12, HighBit=11), "x.dcm")
    assert np.array_equal(decode_gray(encode(deep), "x.png"), shown)


def test_values_of_more_than_sixteen_bits_are_scaled_too() -> None:
    deep = full().astype(np.int32) * 1_000_000
    assert np.array_equal(decode_gray(encode(Image.fromarray(deep), "TIFF"), "x"), full())
    below = full().astype(np.int32) - 3_000
    assert np.array_equal(decode_gray(encode(Image.fromarray(below), "TIFF"), "x"), full())


def test_fractions_are_scaled_by_their_range() -> None:
    fractions = (gray() - float(gray().min())) / (float(gray().max()) - float(gray().min()))
    shown = decode_gray(encode(Image.fromarray(fractions.astype(np.float32)), "TIFF"), "x")
    assert np.array_equal(shown, (fractions * 255).round())


def test_numbers_that_are_none_are_black() -> None:
    numbers = gray().astype(np.float32)
    numbers[0, :3] = np.nan, np.inf, -np.inf
    shown = decode_gray(encode(Image.fromarray(numbers), "TIFF"), "x")
    assert shown[0, :3].tolist() == [0, 0, 0]
    assert shown.max() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_is_turned_upright_once(orientation: int) -> None:
    expected = decode_gray(encode(gray(), exif=oriented(orientation)), "x.png")
    data = encode(gray(), "TIFF", tiffinfo={274: orientation})
    assert np.array_equal(decode_gray(data, "x.tif"), expected)
    assert decode_gray(data, "x.tif", size=32).shape == (32, 32)


def test_tiff_of_several_pages_is_refused_as_that() -> None:
    page = Image.fromarray(gray())
    error = refusal(encode(page, "TIFF", save_all=True, append_images=[page, page]))
    assert (error.reason, error.advice) == ("several_pages", "save the one with the X-ray")


def test_long_chains_of_pages_are_not_followed() -> None:
    """Each of 200,000 empty pages points to the next: looking each up among those before would take minutes."""
    count = 200_000
    page = encode(gray(), "TIFF")
    assert page.startswith(b"II")
    entries = struct.unpack("<H", page[(start := struct.unpack("<I", page[4:8])[0]) : start + 2])[0]
    link = start + 2 + 12 * entries
    chain = b"".join(struct.pack("<HI", 0, len(page) + 6 * (number + 1)) for number in range(count))
    assert refusal(page[:link] + struct.pack("<I", len(page)) + page[link + 4 :] + chain).reason == "several_pages"


def png(*extra: tuple[bytes, bytes]) -> bytes:
    """A picture with chunks between its header and its pixels."""
    rows = b"".join(b"\0" + row.tobytes() for row in gray())
    header = struct.pack(">IIBBBBB", 52, 40, 8, 0, 0, 0, 0)
    return png_chunks((b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))


LONG = np.random.default_rng(0).integers(32, 127, 2 << 20).astype(np.uint8).tobytes()


@pytest.mark.parametrize(
    "extra",
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(LONG)),
        (b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(LONG)),
        (b"tEXt", b"Comment\0" + LONG * 40),
        (b"iCCP", b"profile\0\0" + zlib.compress(LONG)),
    ],
    ids=lambda chunk: chunk[0].decode(),
)
def test_png_with_large_metadata_is_read(extra: tuple[bytes, bytes]) -> None:
    assert np.array_equal(decode_gray(png(extra), "x.png"), gray())


@pytest.mark.parametrize("size", [1 << 20, 2_000_000, 20_000_000])
@pytest.mark.parametrize("start", [b"zTXtComment\0\0", b"iTXtComment\0\1\0\0\0", b"iCCPprofile\0\0"])
def test_metadata_that_inflates_a_thousandfold_is_skipped(start: bytes, size: int) -> None:
    data = png((start[:4], start[4:] + zlib.compress(bytes(size), 9)))
    assert np.array_equal(decode_gray(data, "x.png"), gray())


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_the_longest_compressed_metadata_that_is_kept_is_read(kind: bytes) -> None:
    packed = zlib.compress(bytes(975_000), 9)
    extra = (kind, b"profile\0\0" + packed)
    assert _MAX_PACKED_BYTES - 50 < len(extra[1]) <= _MAX_PACKED_BYTES
    assert np.array_equal(decode_gray(png(extra), "x.png"), gray())


def tinted(gains: tuple[float, float, float]) -> NDArray[np.uint8]:
    return (gray(120, 150)[..., None] * np.array(gains)).round().astype(np.uint8)


def test_a_tint_has_one_hue_and_a_photograph_many() -> None:
    film = decode(encode(tinted((0.6, 0.8, 1)), "JPEG"), "x")
    assert film.tint > 40
    assert film.hue_spread < 4
    y, x = np.mgrid[0:120, 0:150]
    photo = decode(encode(np.stack([x, 150 - x, y], axis=2).astype(np.uint8), "JPEG"), "x")
    assert photo.hue_spread > 20
    assert decode(encode(gray()), "x").hue_spread == 0


def test_files_of_millions_of_empty_parts_are_given_up() -> None:
    """Twenty megabytes of these would take five seconds and half a gigabyte."""
    part, jpeg = (b"prVt", b""), encode(gray(), "JPEG")
    assert refusal(png(*[part] * MAX_READS)).reason == "too_large"
    assert refusal(jpeg[:2] + b"\xff\xe5\x00\x02" * MAX_READS + jpeg[2:]).reason == "too_large"
    assert refusal(jpeg[:2] + b"\xff" * 2 * MAX_READS + jpeg[2:]).reason == "too_large"


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    """A thousand scans of 25 million pixels, in 140 kB, would take ten seconds."""
    data = encode(gray(200, 200), "JPEG", progressive=True)
    assert decode_gray(data, "x").shape == (200, 200)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert refusal(data[:-2] + scan * 200 + b"\xff\xd9").reason == "too_large"
