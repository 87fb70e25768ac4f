"""JPEG Lossless against an encoder that writes one sample after the other."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumo_core.data.jpeg_lossless import decode_lossless
from tests.data.dicom_files import lossless
from tests.data.image_files import gray

NOISE = np.random.default_rng(0).integers(0, 1 << 16, (12, 9)).astype(np.uint16)


@pytest.mark.parametrize(
    "pixels", [gray().astype(np.uint16), gray().astype(np.uint16) * 257, NOISE, NOISE[:1], NOISE[:, :1]]
)
def test_every_sample_comes_back(pixels: NDArray[np.uint16]) -> None:
    received = decode_lossless(lossless(pixels), *pixels.shape)
    assert received.dtype == np.uint16
    assert np.array_equal(received, pixels)


@pytest.mark.parametrize("rows", [1, 5, 12])
def test_restarts_begin_afresh(rows: int) -> None:
    assert np.array_equal(decode_lossless(lossless(NOISE, restart_rows=rows), 12, 9), NOISE)


@pytest.mark.parametrize("bits", [2, 8, 12])
def test_the_first_sample_is_predicted_by_the_middle_of_the_range(bits: int) -> None:
    pixels = NOISE >> (16 - bits)
    assert np.array_equal(decode_lossless(lossless(pixels, bits=bits), 12, 9), pixels)


def test_the_largest_difference_has_no_bits_of_its_own() -> None:
    pixels = np.array([[0, 1 << 15, 0]], np.uint16)
    assert np.array_equal(decode_lossless(lossless(pixels), 1, 3), pixels)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\xff\xd8",
        lossless(NOISE, predictor=4),
        lossless(NOISE[:11]),
        lossless(NOISE)[:-40],
        lossless(NOISE).replace(b"\xff\xc3", b"\xff\xc0"),
        lossless(NOISE).replace(b"\xff\xc4", b"\xff\xe4"),
        lossless(NOISE, restart_rows=5).replace(b"\xff\xd0", b"\xff\x00"),
        lossless(NOISE, restart_rows=5).replace(b"\xff\xdd\x00\x04\x00\x2d", b"\xff\xdd\x00\x04\x00\x2c"),
    ],
)
def test_what_is_not_read_is_refused(stream: bytes) -> None:
    with pytest.raises((ValueError, LookupError, struct.error)):
        decode_lossless(stream, 12, 9)


@settings(max_examples=200)
@given(place=st.integers(2, 400), value=st.integers(0, 255), length=st.integers(0, 500))
def test_whatever_the_bytes_samples_or_an_error_come_out(place: int, value: int, length: int) -> None:
    data = bytearray(lossless(NOISE, restart_rows=5))
    data[place % len(data)] = value
    try:
        received = decode_lossless(bytes(data[:length]), 12, 9)
    except (ValueError, LookupError, struct.error):
        return
    assert received.shape == (12, 9)
