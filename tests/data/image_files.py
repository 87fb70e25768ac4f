"""Image files of every kind that people may have, good and bad, and small data sets made of them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["BAD", "NAMES", "encode", "exif", "gray", "oriented", "png_chunks", "write_data_set"]


def gray(height: int = 40, width: int = 52, seed: int = 0) -> NDArray[np.uint8]:
    """A picture without symmetries: a slope, a bright corner and grain."""
    y, x = np.mgrid[0:height, 0:width]
    picture = 40 + 100 * x / width + 50 * y / height + 60 * ((x < width / 3) & (y < height / 4))
    return np.clip(picture + np.random.default_rng(seed).normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def encode(image: Image.Image | NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """Bytes of an image file."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF block of hand-made entries: tag, type, count and the four bytes of the value."""
    rows = b"".join(struct.pack(">HHI4s", *entry) for entry in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + rows + bytes(4)


def oriented(orientation: int) -> bytes:
    """EXIF block that holds an orientation."""
    return exif((0x0112, 3, 1, struct.pack(">HH", orientation, 0)))


def png_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of hand-made chunks, each with its right checksum."""
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _declares(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return png_chunks((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))


def _animated(kind: str) -> bytes:
    frame = Image.fromarray(gray()).convert("RGB")
    return encode(frame, kind, save_all=True, append_images=[frame.rotate(90)])


_JPEG = encode(gray(200, 260), "JPEG")
_PNG = encode(gray())

BAD: dict[str, tuple[str, bytes]] = {
    "zero bytes": ("empty", b""),
    "text": ("not_an_image", b"Dear radiologist, the picture is attached.\n" * 50),
    "GIF": ("not_an_image", encode(gray(), "GIF")),
    "JPEG, two bytes": ("not_an_image", _JPEG[:2]),
    "JPEG, header only": ("damaged", _JPEG[: _JPEG.index(b"\xff\xda")]),
    "JPEG, half": ("damaged", _JPEG[: len(_JPEG) // 2]),
    "PNG, signature only": ("damaged", _PNG[:8]),
    "PNG, half": ("damaged", _PNG[: len(_PNG) // 2]),
    "PNG, header's checksum wrong": ("damaged", _PNG[:29] + bytes(4) + _PNG[33:]),
    "PNG, pixels overwritten": ("damaged", _PNG[:200] + bytes(100) + _PNG[300:]),
    "one pixel": ("too_small", encode(gray(1, 1))),
    "too narrow": ("too_small", encode(gray(200, 31))),
    "declares 60,000 x 60,000": ("too_large", _declares(60_000, 60_000)),
    "declares 2^31 - 1 squared": ("too_large", _declares(2**31 - 1, 2**31 - 1)),
    # Real pictures that compress to a few kilobytes: one between our limit and Pillow's warning, one above its error.
    "9,000 x 9,000": ("too_large", encode(Image.new("1", (9_000, 9_000)))),
    "16,000 x 16,000": ("too_large", encode(Image.new("1", (16_000, 16_000)))),
    "animated PNG": ("animated", _animated("PNG")),
    "animated WebP": ("animated", _animated("WEBP")),
    "TIFF as of a fax": ("unsupported", encode(Image.fromarray(gray() > 128), "TIFF", compression="group4")),
    "TIFF of two pages": ("several_pages", _animated("TIFF")),
}
"""Files that are refused: reason and bytes."""

NAMES: dict[str, tuple[str, ...]] = {
    "train/NORMAL": ("IM-0115-0001.jpeg", "IM-0117-0001.jpeg", "NORMAL2-IM-0117-0001.jpeg", "NORMAL-28501-0001.jpeg"),
    "train/PNEUMONIA": (
        "person1_bacteria_1.jpeg",
        "person1_bacteria_2.jpeg",
        "person1_virus_6.jpeg",
        "BACTERIA-1008087-0001.jpeg",
        "VIRUS-1008087-0001.jpeg",
    ),
    "val/NORMAL": ("NORMAL2-IM-1427-0001.jpeg",),
    "val/PNEUMONIA": ("person1946_bacteria_4874.jpeg", "person1947_virus_4876.jpeg"),
    "test/NORMAL": ("IM-0001-0001.jpeg", "IM-0003-0001.png"),
    "test/PNEUMONIA": ("person1_virus_7.jpeg", "person100_bacteria_475.JPG", "chest.jpg"),
}
"""A small data set in both naming schemes, and a name of neither."""


def write_data_set(root: Path, names: dict[str, tuple[str, ...]] | None = None) -> Path:
    """Write a data set of small pictures, each different, and return its folder."""
    number = 0
    for folder, files in (names or NAMES).items():
        (root / folder).mkdir(parents=True)
        for name in files:
            number += 1
            picture = gray(40 + number % 7, 50 + number % 5, seed=number)
            data = encode(picture) if name.endswith(".png") else encode(picture, "JPEG", quality=90)
            (root / folder / name).write_bytes(data)
    return root
