"""A run's id is made of file names, the bytes in the files and settings: nothing that a processor may compute otherwise."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.gan import GAN_PRESETS, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import run_id
from pneumo_core.data import index as index_room
from pneumo_core.data.index import build_index
from pneumo_core.records import Architecture

# As they were when this was written; runs made since then are found by them. They change with `SCHEMA` and never otherwise.
IDS = (
    "b30ab272ad9e",
    "baseline-e0f3bad3950a",
    "vgg16-00e9668c9e4b",
    "dcgan-b50dd003884e",
    "baseline-298aaeab744a",
    "vgg16-f510a9cf8c68",
    "dcgan-225e9f79eef4",
    "baseline-5605ee778f10",
    "vgg16-a8e7f0fe6aa6",
    "dcgan-195b5ab31458",
    "baseline-70ddfde0dd72",
)

CLASSIFIERS = (Architecture.BASELINE, Architecture.VGG16)


def png(level: int) -> bytes:
    """A gray image of 32 by 32 pixels whose bytes no library has a say in: its pixels are stored, not compressed."""
    rows = (b"\0" + bytes([level, 255 - level] * 16)) * 32
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    pixels = stored + struct.pack(">I", zlib.adler32(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "chest_xray"
    for place, split in enumerate(("train", "val", "test")):
        for number, (label, name) in enumerate((("NORMAL", "IM-0001-0001"), ("PNEUMONIA", "person1_virus_1"))):
            path = root / split / label / f"{name}.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(png(50 * place + 10 * number))
    return root


def ids(folder: Path) -> Iterator[str]:
    """Ids of the data set, of the runs on it of each preset that all networks have, and of one that adds a DCGAN's samples."""
    data_id = build_index(folder).data_id
    yield data_id
    gan = run_id(gan_config(Preset.SOUND), data_id)
    for preset in GAN_PRESETS:
        yield from (run_id(preset_config(architecture, preset), data_id) for architecture in CLASSIFIERS)
        yield run_id(gan_config(preset), data_id)
    yield run_id(preset_config(Architecture.BASELINE, Preset.SOUND, balance=Balance.GAN, gan_run=gan), data_id)


def test_the_same_files_and_settings_have_the_same_ids_on_every_machine(folder: Path) -> None:
    assert tuple(ids(folder)) == IDS


def test_how_pixels_are_decoded_has_no_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def otherwise(data: bytes, name: str, *, size: int | None = None) -> NDArray[np.uint8]:
        decoded.append(name)
        return decode(data, name, size=size) ^ 1

    decode, decoded = index_room.decode_gray, []
    monkeypatch.setattr(index_room, "decode_gray", otherwise)
    assert tuple(ids(folder)) == IDS
    assert len(set(decoded)) == 6


def test_a_changed_byte_is_another_data_set(folder: Path) -> None:
    path = folder / "test" / "NORMAL" / "IM-0001-0001.png"
    path.write_bytes(png(101))
    assert not set(ids(folder)) & set(IDS)
