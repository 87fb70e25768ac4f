"""Decoding against plain formulas, what is refused, and the array cache through kills, full disks and damage."""

import hashlib
import io
import json
import os
import shutil
import signal
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from pneumo_core.data.images import (
    ImageFacts,
    array_path,
    content_id,
    decode,
    decode_gray,
    load_array,
    open_array,
    read_facts,
    read_indexed,
)
from pneumo_core.data.picture import MAX_PIXELS, MIN_SIDE
from pneumo_core.errors import DataError, ImageError, StoreError
from pneumo_core.runs.files import lock_is_held
from tests.data.image_files import BAD, encode, exif, gray, oriented, png_chunks
from tests.hostile import (
    assert_one_line,
    child,
    on_small_disk,
    public_folder,
    refuses,
    run_child,
    with_file_limit,
    without_rights,
)
from tests.waiting import PATIENCE_S, looked_again

# --- Decoding ---------------------------------------------------------------------------------------------------------


def colors() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (40, 52, 3), dtype=np.uint8)


def luma(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """ITU-R BT.601, section 2.5.1."""
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


def squash(image: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    """Each new pixel as the mean of the old ones under a triangle as wide as two new pixels: slow and plain."""

    def weights(length: int) -> NDArray[np.float64]:
        scale = length / size
        old, new = np.arange(length) + 0.5, (np.arange(size) + 0.5) * scale
        triangle = np.clip(1 - np.abs(new[:, None] - old) / max(scale, 1), 0, None)
        return triangle / triangle.sum(axis=1, keepdims=True)

    return weights(image.shape[0]) @ image.astype(float) @ weights(image.shape[1]).T


def assert_close(received: NDArray[np.uint8], expected: NDArray[Any], within: float) -> None:
    assert received.dtype == np.uint8
    assert received.shape == expected.shape
    assert np.abs(received.astype(float) - expected).max() <= within


def test_gray_is_kept_as_it_is() -> None:
    assert np.array_equal(decode_gray(encode(gray()), "x.png"), gray())


def test_color_is_weighted_as_by_television() -> None:
    assert_close(decode_gray(encode(colors()), "x.png"), luma(colors()), 0.51)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    pixels = np.arange(40 * 52, dtype=np.uint16).reshape(40, 52) * 31
    assert pixels.max() > 64_000
    data = encode(pixels)
    assert read_facts(data, "x.png").mode == "I;16"
    assert np.array_equal(decode_gray(data, "x.png"), (pixels * (255 / pixels.max())).round())


def test_sixteen_bit_color_keeps_its_high_byte() -> None:
    pixels = np.random.default_rng(2).integers(0, 65536, (40, 52, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", 52, 40, 16, 2, 0, 0, 0)
    data = png_chunks((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    assert_close(decode_gray(data, "x.png"), luma(pixels // 256), 0.51)


def test_one_bit_is_black_and_white() -> None:
    bits = gray() > 100
    assert 0 < bits.sum() < bits.size
    assert np.array_equal(decode_gray(encode(Image.fromarray(bits)), "x.png"), np.where(bits, 255, 0))


def test_transparency_is_laid_on_black() -> None:
    alpha = gray(seed=3)
    rgba = np.dstack([colors(), alpha])
    assert_close(decode_gray(encode(rgba), "x.png"), luma(colors() * (alpha[..., None] / 255)), 1.01)
    gray_alpha = encode(Image.merge("LA", [Image.fromarray(gray()), Image.fromarray(alpha)]))
    assert read_facts(gray_alpha, "x.png").mode == "LA"
    assert_close(decode_gray(gray_alpha, "x.png"), gray() * (alpha / 255), 1.01)


def test_transparent_palettes_and_colors_are_laid_on_black() -> None:
    indices = gray() // 16
    palette = np.random.default_rng(4).integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.fromarray(indices, "L").convert("P")
    image.putpalette(palette.tobytes())
    shown = palette[np.asarray(image)]
    assert_close(decode_gray(encode(image), "x.png"), luma(shown), 0.51)
    opacity = np.linspace(0, 255, 256).astype(np.uint8)
    several = encode(image, transparency=opacity.tobytes())
    assert_close(decode_gray(several, "x.png"), luma(shown * (opacity[np.asarray(image)][..., None] / 255)), 1.01)
    one = int(np.asarray(image)[0, 0])
    expected = np.where(np.asarray(image) == one, 0, luma(shown))
    assert_close(decode_gray(encode(image, transparency=one), "x.png"), expected, 0.51)


def test_a_color_declared_transparent_is_laid_on_black() -> None:
    picture = colors()
    hidden = (picture == picture[0, 0]).all(axis=-1)
    data = encode(picture, transparency=tuple(map(int, picture[0, 0])))
    assert_close(decode_gray(data, "x.png"), np.where(hidden, 0, luma(picture)), 0.51)
    level = int(gray()[5, 5])
    data = encode(gray(), transparency=level)
    assert np.array_equal(decode_gray(data, "x.png"), np.where(gray() == level, 0, gray()))


def test_the_tint_is_the_mean_distance_of_the_channels() -> None:
    grays = [encode(gray()), encode(gray() > 128), encode(np.repeat(gray()[..., None], 3, axis=2))]
    assert [decode(data, "x.png").tint for data in grays] == [0, 0, 0]
    red = np.stack([gray() // 2 + 40, gray() // 2, gray() // 2], axis=2).astype(np.uint8)
    for data in (encode(red), encode(Image.fromarray(red).convert("RGBA")), encode(red, kind="JPEG", quality=95)):
        for size in (None, 40):
            assert decode(data, "x", size=size).tint == pytest.approx(40, abs=2)
    hidden = np.dstack([red, np.zeros_like(gray())])  # Laid on black, nothing of it is left.
    assert decode(encode(hidden), "x.png").tint == 0


def test_decoding_gives_the_gray_pixels_too() -> None:
    data = encode(colors())
    for size in (None, 50):
        assert np.array_equal(decode(data, "x.png", size=size).gray, decode_gray(data, "x.png", size=size))


def test_printing_inks_give_back_the_gray_they_print() -> None:
    picture = Image.fromarray(gray(80, 120)).convert("RGB").convert("CMYK")
    data = encode(picture, "JPEG", quality=95)
    assert read_facts(data, "x.jpeg").mode == "CMYK"
    received = decode_gray(data, "x.jpeg").astype(float)
    assert np.abs(received - gray(80, 120)).mean() < 2
    assert np.abs(received - gray(80, 120)).max() < 25


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int) -> None:
    upright = gray()
    # EXIF 2.32, table 6: where the stored first row and the stored first column are in the upright picture.
    stored = {
        1: upright,  # top, left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: upright.T,  # left, top
        6: upright[:, ::-1].T,  # right, top
        7: upright[::-1, ::-1].T,  # right, bottom
        8: upright[::-1].T,  # left, bottom
    }[orientation]
    data = encode(np.ascontiguousarray(stored), exif=oriented(orientation))
    assert np.array_equal(decode_gray(data, "x.png"), upright)
    assert read_facts(data, "x.png") == ImageFacts(stored.shape[1], stored.shape[0], "L")
    jpeg = encode(np.ascontiguousarray(stored), "JPEG", quality=95, exif=oriented(orientation))
    assert np.abs(decode_gray(jpeg, "x.jpeg").astype(float) - upright).mean() < 3
    assert np.abs(decode_gray(jpeg, "x.jpeg", size=64) - squash(upright, 64)).mean() < 3


@pytest.mark.parametrize(
    "block",
    [
        oriented(0),
        oriented(9),
        exif((0x0112, 2, 4, b"six\0")),
        # A number stored as text: Pillow reads it, but cannot write it again.
        exif((0x0112, 3, 1, b"\0\1\0\0"), (0x0116, 2, 4, b"abc\0")),
    ],
    ids=["zero", "nine", "text", "wrong type beside it"],
)
def test_a_senseless_orientation_changes_nothing(block: bytes) -> None:
    assert np.array_equal(decode_gray(encode(gray(), exif=block), "x.png"), gray())


@pytest.mark.parametrize("shape", [(40, 52), (300, 210), (150, 150), (33, 700)])
@pytest.mark.parametrize("size", [32, 150])
def test_the_squash_is_a_mean_over_a_triangle(shape: tuple[int, int], size: int) -> None:
    assert_close(decode_gray(encode(gray(*shape)), "x.png", size=size), squash(gray(*shape), size), 1.01)


def test_large_jpegs_that_are_decoded_small_look_the_same() -> None:
    data = encode(gray(900, 1300), "JPEG", quality=90)
    whole = np.asarray(Image.open(io.BytesIO(data)))
    assert np.abs(decode_gray(data, "x.jpeg", size=150) - squash(whole, 150)).mean() < 1
    assert np.array_equal(decode_gray(data, "x.jpeg"), whole)


def test_the_smallest_picture_is_taken() -> None:
    assert decode_gray(encode(gray(MIN_SIDE, MIN_SIDE)), "x.png").shape == (MIN_SIDE, MIN_SIDE)


def test_the_largest_picture_is_taken_and_one_row_more_refused() -> None:
    width = 10_000
    assert read_facts(encode(Image.new("1", (width, MAX_PIXELS // width))), "x.png").width == width
    with pytest.raises(ImageError) as raised:
        read_facts(encode(Image.new("1", (width, MAX_PIXELS // width + 1))), "x.png")
    assert raised.value.reason == "too_large"


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_refused_with_a_reason(kind: str) -> None:
    reason, data = BAD[kind]
    for size in (None, 150):
        with pytest.raises(ImageError) as raised:
            decode_gray(data, "train/NORMAL/a\nb.jpeg", size=size)
        assert raised.value.reason == reason
        assert_one_line(raised.value, r"'train/NORMAL/a\nb.jpeg'")
    if reason != "damaged":
        with pytest.raises(ImageError):
            read_facts(data, "x.jpeg")


def test_the_header_is_read_without_the_pixels() -> None:
    assert read_facts(encode(gray(200, 260), "JPEG")[:1500], "x.jpeg") == ImageFacts(260, 200, "L")


def test_bombs_are_refused_before_they_are_decoded() -> None:
    """The largest would take 256 MB as pixels."""
    code = """
import resource, sys
from pathlib import Path
from pneumo_core.data.images import decode_gray
from pneumo_core.errors import ImageError
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
for path in Path(sys.argv[1]).iterdir():
    try:
        decode_gray(path.read_bytes(), path.name)
    except ImageError as error:
        assert error.reason == "too_large"
print(peak() - before)
"""
    with public_folder() as folder:
        for number, (reason, data) in enumerate(BAD.values()):
            if reason == "too_large":
                (folder / f"{number}.png").write_bytes(data)
        assert int(run_child(code, folder)) < 30


SEEDS = [
    encode(
        colors(), "JPEG", exif=exif((0x0112, 3, 1, b"\0\6\0\0"), (0x010F, 2, 4, b"abc\0"), (0x8825, 4, 1, bytes(4)))
    ),
    encode(Image.fromarray(colors()).convert("CMYK"), "JPEG", progressive=True),
    encode(gray(), exif=oriented(3)),
    encode(gray().astype(np.uint16) * 257),
    encode(Image.fromarray(colors()).convert("P"), transparency=bytes(range(256))),
    BAD["animated PNG"][1],
]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # It warns of damage in what it then reads all the same.
@settings(max_examples=300)
@given(
    data=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    keep=st.one_of(st.just(1.0), st.floats(0, 1)),
    mend=st.booleans(),
    size=st.sampled_from([None, 40]),
)
@example(data=SEEDS[2], changes=[(0.0, 0x89)], keep=1.0, mend=False, size=None)
def test_whatever_the_bytes_pixels_or_a_reason_come_out(
    data: bytes, changes: list[tuple[float, int]], keep: float, mend: bool, size: int | None
) -> None:
    damaged = bytearray(data)
    for where, value in changes:
        damaged[int(where * len(damaged))] = value
    received = _with_checksums(damaged) if mend else bytes(damaged)
    try:
        image = decode_gray(received[: round(keep * len(received))], "x.jpeg", size=size)
    except ImageError as error:
        refused = error
    else:
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert size is None or image.shape == (size, size)
        return
    assert refused.reason in {reason for reason, _ in BAD.values()}
    assert_one_line(refused)


def _with_checksums(data: bytearray) -> bytes:
    """A PNG file whose changed chunks pass for whole, so that damage gets past the first door."""
    start = 8
    while data.startswith(b"\x89PNG") and start + 12 <= len(data):
        length = struct.unpack(">I", data[start : start + 4])[0]
        end = start + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[start + 4 : end]))
        start = end + 4
    return bytes(data)


def test_real_originals_decode_as_without_shortcuts(real_data: Path) -> None:
    """Files as Kaggle serves them, of many sizes and modes."""
    originals = sorted((real_data.parent / "originals").rglob("*.jpeg"))
    if not originals:
        pytest.skip(f"put a folder 'originals' beside {real_data}")
    modes, differences = set(), []
    for path in originals[::2]:
        with Image.open(path) as image:
            modes.add(image.mode)
            slow = squash(np.asarray(image.convert("L")), 150)
            assert read_facts(path.read_bytes(), path.name) == ImageFacts(*image.size, image.mode)
        differences.append(np.abs(decode_gray(path.read_bytes(), path.name, size=150) - slow).mean())
    assert "L" in modes
    assert np.mean(differences) < 0.5
    assert max(differences) < 2


def test_an_indexed_file_is_read_only_while_it_is_what_was_indexed(tmp_path: Path) -> None:
    path = tmp_path / "train/NORMAL/a.jpeg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"pixels")
    sha256 = hashlib.sha256(b"pixels").hexdigest()
    assert read_indexed(tmp_path, "train/NORMAL/a.jpeg", sha256) == b"pixels"
    path.write_bytes(b"pixelz")
    with refuses(DataError, "'train/NORMAL/a.jpeg'", "changed since"):
        read_indexed(tmp_path, "train/NORMAL/a.jpeg", sha256)
    path.unlink()
    with refuses(DataError, "'train/NORMAL/a.jpeg'", "No such file"):
        read_indexed(tmp_path, "train/NORMAL/a.jpeg", sha256)


# --- The array cache --------------------------------------------------------------------------------------------------

SIZE = 40
COUNT = 150  # More than two of the chunks that are written at a time.


def make_images(root: Path, count: int = COUNT) -> tuple[list[str], str]:
    """Image ids and the data id of a folder with so many pictures."""
    (root / "train").mkdir(parents=True)
    hashes = {}
    for number in range(count):
        data = encode(gray(36 + number % 9, 50, seed=number), "JPEG")
        name = f"train/{number:04d}.jpeg"
        (root / name).write_bytes(data)
        hashes[name] = hashlib.sha256(data).hexdigest()
    return list(hashes), content_id(hashes, hashes.values())


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A folder of pictures that no test changes."""
    root = tmp_path_factory.mktemp("images")
    return root, *make_images(root)


def slowly(root: Path, image_ids: list[str]) -> NDArray[np.uint8]:
    return np.stack([decode_gray((root / name).read_bytes(), name, size=SIZE) for name in image_ids])


def load(images: tuple[Path, list[str], str], progress: Callable[[int, int], None] | None = None) -> NDArray[np.uint8]:
    root, image_ids, data_id = images
    return load_array(root, image_ids, data_id=data_id, size=SIZE, progress=progress)


def cache_files(data_id: str) -> set[str]:
    folder = array_path(data_id, SIZE).parent
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


WHOLE = {f"gray-{SIZE}.npy", f"gray-{SIZE}.json", f"gray-{SIZE}.lock"}


def test_content_ids_are_a_hash_of_names_and_contents() -> None:
    names, hashes = ["a", "b"], ["0" * 64, "1" * 64]
    text = f"a\0{'0' * 64}\nb\0{'1' * 64}\n"
    assert content_id(names, hashes) == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert content_id(names, hashes[::-1]) != content_id(names, hashes)


def test_the_array_holds_every_image_in_order(images: tuple[Path, list[str], str]) -> None:
    steps: list[tuple[int, int]] = []
    array = load(images, lambda done, total: steps.append((done, total)))
    assert array.dtype == np.uint8
    assert np.array_equal(array, slowly(images[0], images[1]))
    assert steps[-1] == (COUNT, COUNT)
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})
    assert len(steps) > 2
    assert cache_files(images[2]) == WHOLE
    # NumPy itself reads the file.
    assert np.array_equal(np.load(array_path(images[2], SIZE)), array)


def test_the_array_is_memory_mapped_and_cannot_be_written(images: tuple[Path, list[str], str]) -> None:
    array = load(images)
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0, 0] = 1


def test_the_array_is_built_once(tmp_path: Path) -> None:
    made = (tmp_path / "images", *make_images(tmp_path / "images", 3))
    array = np.array(load(made))
    shutil.rmtree(made[0])
    steps: list[tuple[int, int]] = []
    assert np.array_equal(load(made, lambda done, total: steps.append((done, total))), array)
    assert not steps


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def _facts(path: Path, **changes: object) -> None:
    facts = path.with_suffix(".json")
    facts.write_text(json.dumps(json.loads(facts.read_text()) | changes))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "array gone": lambda path: path.unlink(),
    "array cut": _cut,
    "array empty": lambda path: path.write_bytes(b""),
    "array is a zip": lambda path: _overwrite(path, 0, b"PK\x03\x04"),
    "array's head is no Python": lambda path: _overwrite(path, 12, b"(((("),
    "array of another shape": lambda path: _overwrite(path, path.read_bytes().index(b"(150"), b"(151"),
    "facts gone": lambda path: path.with_suffix(".json").unlink(),
    "facts empty": lambda path: path.with_suffix(".json").write_bytes(b""),
    "facts are no JSON": lambda path: path.with_suffix(".json").write_bytes(b"\xff{"),
    "facts are a list": lambda path: path.with_suffix(".json").write_bytes(b"[]"),
    "facts of another data set": lambda path: _facts(path, data_id="0" * 12),
    "facts of an older version": lambda path: _facts(path, schema=0),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_array_is_built_again(kind: str, images: tuple[Path, list[str], str]) -> None:
    load(images)
    path = array_path(images[2], SIZE)
    DAMAGE[kind](path)
    assert open_array(images[2], SIZE, COUNT) is None
    assert np.array_equal(load(images), slowly(images[0], images[1]))
    assert cache_files(images[2]) == WHOLE


def test_an_array_of_something_else_is_not_opened(images: tuple[Path, list[str], str]) -> None:
    assert open_array(images[2], SIZE, COUNT) is None
    assert cache_files(images[2]) == set()
    load(images)
    assert open_array(images[2], SIZE, COUNT) is not None
    assert open_array(images[2], SIZE, COUNT - 1) is None
    assert open_array(images[2], SIZE + 1, COUNT) is None
    assert open_array("0" * 12, SIZE, COUNT) is None


@pytest.mark.parametrize("kind", ["gone", "damaged", "another picture"])
def test_images_that_changed_since_they_were_indexed_are_not_taken(kind: str, tmp_path: Path) -> None:
    made = (tmp_path / "images", *make_images(tmp_path / "images", 70))
    before = {path.name: path.read_bytes() for path in made[0].rglob("*.jpeg")}
    victim = made[0] / made[1][66]
    if kind == "gone":
        victim.unlink()
    else:
        victim.write_bytes(b"no picture" if kind == "damaged" else encode(gray(seed=999), "JPEG"))
    with refuses(DataError, "index the data set again", *([] if kind == "another picture" else [made[1][66]])):
        load(made)
    assert cache_files(made[2]) == {f"gray-{SIZE}.lock"}
    victim.write_bytes(before[victim.name])
    assert np.array_equal(load(made), slowly(made[0], made[1]))


BUILD = """
import sys, hashlib
from pathlib import Path
from pneumo_core.data.images import load_array
root, data_id, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpeg"))
def progress(done, total):
    print("built", done, total, flush=True)
    sys.stdin.read()
print("begins", flush=True)
array = load_array(root, names, data_id=data_id, size=size, progress=progress)
print("array", hashlib.sha256(array.tobytes()).hexdigest(), flush=True)
"""


def test_a_build_that_is_killed_is_built_again(images: tuple[Path, list[str], str]) -> None:
    builder = child(BUILD, images[0], images[2], SIZE)
    assert builder.stdout is not None
    assert builder.stdout.readline() == "begins\n"
    assert builder.stdout.readline().split() == ["built", "64", str(COUNT)]
    path = array_path(images[2], SIZE)
    assert lock_is_held(path.with_suffix(".lock"))
    assert path.with_suffix(".partial").exists()
    os.kill(builder.pid, signal.SIGKILL)
    builder.communicate()
    assert not lock_is_held(path.with_suffix(".lock"))
    assert open_array(images[2], SIZE, COUNT) is None
    assert np.array_equal(load(images), slowly(images[0], images[1]))
    assert cache_files(images[2]) == WHOLE


def test_two_who_build_at_once_build_once(images: tuple[Path, list[str], str]) -> None:
    first = child(BUILD, images[0], images[2], SIZE)
    assert first.stdout is not None
    begun = [first.stdout.readline(), first.stdout.readline()]
    assert begun == ["begins\n", f"built 64 {COUNT}\n"]  # And goes on when its input ends.
    second = child(BUILD, images[0], images[2], SIZE)
    assert second.stdout is not None
    assert second.stdout.readline() == "begins\n"
    looked_again(psutil.Process(second.pid))
    builders = [first, second]
    outputs = [builder.communicate(timeout=PATIENCE_S) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0], outputs
    expected = hashlib.sha256(slowly(images[0], images[1]).tobytes()).hexdigest()
    assert ["built" in output for output, _ in outputs] == [True, False]
    assert all(output.splitlines()[-1] == f"array {expected}" for output, _ in outputs)


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """2,000 images are 45 MB as pixels."""
    code = """
import resource, sys
from pathlib import Path
from pneumo_core.data.images import content_id, load_array
root, sha256, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
names = [f"{number:04d}.jpeg" for number in range(count)]
array = load_array(root, names, data_id=content_id(names, [sha256] * count), size=150)
assert array.shape == (count, 150, 150)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    data = encode(gray(64, 64), "JPEG")
    (tmp_path / "0000.jpeg").write_bytes(data)
    for number in range(1, 2000):
        (tmp_path / f"{number:04d}.jpeg").hardlink_to(tmp_path / "0000.jpeg")
    few, many = (int(run_child(code, tmp_path, hashlib.sha256(data).hexdigest(), count)) for count in (200, 2000))
    assert many - few < 30


FAIL = """
import sys
from pathlib import Path
from pneumo_core.data.images import array_path, load_array
from pneumo_core.errors import StoreError
root, data_id = Path(sys.argv[-2]), sys.argv[-1]
names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpeg"))
try:
    load_array(root, names, data_id=data_id, size=40)
except StoreError as error:
    print(error)
    print(*sorted(path.name for path in array_path(data_id, 40).parent.iterdir()))
"""


def test_a_file_too_large_leaves_nothing_in_the_way(images: tuple[Path, list[str], str]) -> None:
    message, left = with_file_limit(COUNT * SIZE * SIZE // 2, FAIL, images[0], images[2]).splitlines()
    assert_one_line(message, "File too large", f"gray-{SIZE}")
    assert left == f"gray-{SIZE}.lock"
    assert np.array_equal(load(images), slowly(images[0], images[1]))


def test_a_full_disk_leaves_nothing_in_the_way(images: tuple[Path, list[str], str], tmp_path: Path) -> None:
    code = "import os, sys\nos.environ['PNEUMO_ARTIFACTS'] = sys.argv[1]\n" + FAIL
    message, left = on_small_disk("128k", code, tmp_path, images[0], images[2]).splitlines()
    assert_one_line(message, "the disk is full", str(tmp_path))
    assert left == f"gray-{SIZE}.lock"


def test_artifacts_that_cannot_be_written_are_said(
    images: tuple[Path, list[str], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(tmp_path / "file"))
    with refuses(StoreError, str(tmp_path / "file")):
        load(images)
    assert (tmp_path / "file").read_text() == "mine"
    with public_folder() as folder:
        folder.chmod(0o555)
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(folder))
        with without_rights(), pytest.raises(StoreError) as raised:
            load(images)
        assert_one_line(raised.value, str(folder), "PNEUMO_ARTIFACTS")
        assert not list(folder.iterdir())
