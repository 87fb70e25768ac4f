"""JPEG Lossless as DICOM has it: one gray component, Huffman codes, each sample predicted by the one to its left.

Pillow does not read more than 8 bits of it, and the usual decoders are under the GPL or reach strangers' files with C code of a
long history of faults. ITU-T T.81 (ISO/IEC 10918-1): markers in annex B, codes in annex C and F.2.2, the process in annex H.
"""

import re
import struct
from array import array
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAX_PIXELS: Final = 20_000_000
"""Maximum number of pixels: the largest detectors have 18 million, and each takes a fifth of a microsecond."""

_SOF3, _DHT, _SOS, _DRI = 0xC3, 0xC4, 0xDA, 0xDD
_OTHER_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {_SOF3, _DHT, 0xC8, 0xCC})
_RESTART: Final = re.compile(rb"\xff[\xd0-\xd7]")
_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def decode_lossless(frame: bytes, height: int, width: int) -> NDArray[np.uint16]:
    """Samples of a frame.

    Args:
        frame: A JPEG interchange stream.
        height: Rows that it must have.
        width: Samples a row that it must have.

    Returns:
        `(height, width)` uint16.

    Raises:
        ValueError: It is damaged, has another size, or is of a kind that is not read.
    """
    tables: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
    interval, precision, place = 0, 0, 2
    if not frame.startswith(b"\xff\xd8"):
        raise ValueError("no JPEG")
    while True:
        lead, marker, length = struct.unpack(">BBH", frame[place : place + 4])
        content = frame[place + 4 : place + 2 + length]
        if lead != 0xFF or length < 2 or len(content) != length - 2:
            raise ValueError("a damaged marker")
        place += 2 + length
        if marker == _SOF3:
            precision, rows, columns, components = struct.unpack(">BHHB", content[:6])
            if (rows, columns, components) != (height, width, 1) or not 2 <= precision <= 16:
                raise ValueError("another kind of picture than declared")
        elif marker in _OTHER_FRAMES:
            raise ValueError("another process")
        elif marker == _DHT:
            tables |= _tables(content)
        elif marker == _DRI:
            (interval,) = struct.unpack(">H", content)
        elif marker == _SOS:
            break
    count, _, table, predictor, _, transform = struct.unpack(">6B", content)
    if count != 1 or predictor != 1 or not precision or table >> 4 not in tables or transform & 15 >= precision:
        raise ValueError("another way of prediction")
    if interval % width:
        raise ValueError("restarts within a row")
    rows_each = interval // width or height
    end = _END.search(frame, place)
    parts = _RESTART.split(frame[place : end.start() if end else len(frame)])
    if len(parts) != -(-height // rows_each):
        raise ValueError("another number of restarts")
    start = 1 << (precision - (transform & 15) - 1)
    samples = np.concatenate([
        _samples(part.replace(b"\xff\x00", b"\xff"), tables[table >> 4], min(rows_each, height - row), width, start)
        for part, row in zip(parts, range(0, height, rows_each), strict=True)
    ])  # fmt: skip
    shifted: NDArray[np.uint16] = samples << (transform & 15)
    return shifted


def _tables(content: bytes) -> dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Huffman tables by their number: for each 16 bits the length of the code they begin with (0: none) and its category."""
    found = {}
    while content:
        number, counts = content[0], content[1:17]
        symbols, content = content[17 : 17 + sum(counts)], content[17 + sum(counts) :]
        if len(counts) != 16 or len(symbols) != sum(counts) or max(symbols, default=0) > 16:
            raise ValueError("a damaged Huffman table")
        lengths, categories = np.zeros(1 << 16, np.uint8), np.zeros(1 << 16, np.uint8)
        code, next_symbol = 0, iter(symbols)
        for length, of_length in enumerate(counts, start=1):
            step = 1 << (16 - length)
            for _, symbol in zip(range(of_length), next_symbol, strict=False):
                lengths[code : code + step], categories[code : code + step] = length, symbol
                code += step
        if code > 1 << 16:
            raise ValueError("a damaged Huffman table")
        found[number] = lengths, categories
    return found


def _samples(
    data: bytes, table: tuple[NDArray[np.uint8], NDArray[np.uint8]], height: int, width: int, start: int
) -> NDArray[np.uint16]:
    """Samples of the rows between two restarts, from their bytes without stuffing."""
    lengths, categories = table
    padded = np.frombuffer(data + bytes(8), np.uint8).astype(np.uint32)
    # The 32 bits from each byte on hold the 16 bits from each of its bits on.
    words: NDArray[Any] = padded[:-3] << 24 | padded[1:-2] << 16 | padded[2:-1] << 8 | padded[3:]
    places = _places(words, (lengths + np.where(categories < 16, categories, 0)).tolist(), height * width)
    if places[-1] > 8 * len(data):
        raise ValueError("too few bits")
    places = places[:-1]
    codes = _bits(words, places)
    category = categories[codes].astype(np.int32)
    if not lengths[codes].all():
        raise ValueError("a code that is none")
    more = _bits(words, places + lengths[codes]) >> (16 - category)
    differences = np.where(more < 1 << np.maximum(category - 1, 0), more - (1 << category) + 1, more)
    differences[category == 0] = 0
    differences[category == 16] = 1 << 15
    rows = differences.reshape(height, width)
    rows[0, 0] += start
    rows[:, 0] = np.cumsum(rows[:, 0], dtype=np.int32)
    return (np.cumsum(rows, axis=1, dtype=np.int32) & 0xFFFF).astype(np.uint16)


def _places(words: NDArray[Any], advances: list[int], count: int) -> NDArray[np.int64]:
    """Bit at which each code starts, and the one after the last: where one starts only the one before tells."""
    places = array("q", bytes(8 * (count + 1)))
    view, place = words.data, 0
    for number in range(1, count + 1):
        place += advances[view[place >> 3] >> (16 - (place & 7)) & 0xFFFF]
        places[number] = place
    return np.frombuffer(places, np.int64)


def _bits(words: NDArray[Any], places: NDArray[np.int64]) -> NDArray[np.int32]:
    """The 16 bits from each place on."""
    bits: NDArray[np.int32] = (words[places >> 3] >> (16 - (places & 7)).astype(np.uint32) & 0xFFFF).astype(np.int32)
    return bits
