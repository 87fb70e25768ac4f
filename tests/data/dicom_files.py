"""DICOM files made on the fly, good and bad; no real patient's."""

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
    generate_uid,
)

__all__ = ["IDENTITY", "dicom", "lookup_table", "lossless"]

IDENTITY = {
    "PatientName": "Doe^Jane",
    "PatientID": "PID-4711",
    "PatientBirthDate": "19710203",
    "StudyDate": "20250102",
    "StudyTime": "111213",
    "InstitutionName": "Saint Elsewhere",
    "InstitutionAddress": "Hidden Lane 5",
    "ReferringPhysicianName": "Who^Doctor",
    "AccessionNumber": "ACC-0815",
    "StationName": "STATION-9",
    "StudyDescription": "Thorax of Jane Doe",
}
"""Tags that say who, when and where; none of their values may ever come out."""


def dicom(pixels: NDArray[Any], *, syntax: str = ExplicitVRLittleEndian, **tags: Any) -> bytes:
    """Bytes of a DICOM file of gray `(height, width)` or color `(height, width, 3)` pixels.

    Args:
        pixels: uint8, uint16 or int16.
        syntax: Transfer syntax: uncompressed, JPEG (8 bits, or lossless), JPEG 2000 or RLE; of others the frame is zeros.
        tags: More elements by keyword, or other values for the ones below; None leaves one out.
    """
    color = pixels.ndim == 3
    bits = 8 * pixels.dtype.itemsize
    values = {
        **IDENTITY,
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "SOPInstanceUID": generate_uid(entropy_srcs=["pneumo"]),
        "Modality": "DX",
        "ViewPosition": "AP",
        "PatientAge": "004Y",
        "BodyPartExamined": "CHEST",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 3 if color else 1,
        "PhotometricInterpretation": "RGB" if color else "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({"PlanarConfiguration": 0} if color else {}),
        **tags,
    }
    dataset = Dataset()
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "BitsStored" in dataset and "HighBit" not in dataset:
        dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelData = _encoded(pixels, syntax)
    dataset["PixelData"].VR = "OW" if bits == 16 else "OB"
    dataset["PixelData"].is_undefined_length = syntax not in _NATIVE
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    private = {"implicit_vr": False, "little_endian": True} if UID(syntax).is_private else {}
    dataset.save_as(file, enforce_file_format=True, **private)
    return file.getvalue()


_NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian})


def _encoded(pixels: NDArray[Any], syntax: str) -> bytes:
    file = io.BytesIO()
    if syntax in _NATIVE:
        return pixels.tobytes()
    if syntax == JPEGBaseline8Bit:
        Image.fromarray(pixels).save(file, "JPEG", quality=95)
    elif syntax == JPEG2000Lossless:
        Image.fromarray(pixels).save(file, "JPEG2000", no_jp2=True)
    elif syntax == JPEGLosslessSV1:
        file.write(lossless(pixels.view(f"u{pixels.dtype.itemsize}")))
    elif syntax == RLELossless:
        file.write(_run_lengths(pixels))
    return encapsulate([file.getvalue() or bytes(10)])


def _run_lengths(pixels: NDArray[Any]) -> bytes:
    """PS3.5, annex G: a segment a byte of the pixels, the highest first, here of literal runs alone."""
    segments = []
    for byte in reversed(range(pixels.dtype.itemsize)):
        plane = (pixels >> (8 * byte)).astype(np.uint8).ravel()
        runs = [plane[start : start + 128].tobytes() for start in range(0, plane.size, 128)]
        segment = b"".join(bytes([len(run) - 1]) + run for run in runs)
        segments.append(segment + b"\x80"[: len(segment) % 2])
    starts = np.cumsum([64, *map(len, segments[:-1])]).tolist()
    return struct.pack("<16I", len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)


def lookup_table(levels: NDArray[np.uint16], first: int) -> list[Dataset]:
    """A modality or VOI LUT that gives these levels to the values from `first` on."""
    item = Dataset()
    item.LUTDescriptor = [len(levels), first, 16]
    item.LUTData = levels.tobytes()
    return [item]


def lossless(pixels: NDArray[Any], *, bits: int = 16, restart_rows: int = 0, predictor: int = 1) -> bytes:
    """A JPEG Lossless stream (ITU-T T.81, annex H), sample by sample: each category has a code of five bits, its own number."""
    height, width = pixels.shape
    rows_each = restart_rows or height
    parts = []
    for first in range(0, height, rows_each):
        rows, text = pixels[first : first + rows_each].astype(int).tolist(), ""
        for y, row in enumerate(rows):
            for x, value in enumerate(row):
                before = row[x - 1] if x else rows[y - 1][0] if y else 1 << (bits - 1)
                difference = (value - before + (1 << 15)) % (1 << 16) - (1 << 15)
                category = abs(difference).bit_length()
                text += f"{category:05b}"
                if 0 < category < 16:
                    text += f"{difference if difference > 0 else difference + (1 << category) - 1:0{category}b}"
        text += "1" * (-len(text) % 8)
        parts.append(int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00"))
    scan = b"".join(part + bytes([0xFF, 0xD0 + number % 8]) for number, part in enumerate(parts))[:-2]

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    return b"".join([
        b"\xff\xd8",
        segment(0xC3, struct.pack(">BHHB3B", bits, height, width, 1, 1, 0x11, 0)),
        segment(0xC4, bytes([0, *(17 if length == 5 else 0 for length in range(1, 17)), *range(17)])),
        segment(0xDD, struct.pack(">H", restart_rows * width)) if restart_rows else b"",
        segment(0xDA, bytes([1, 1, 0, predictor, 0, 0])),
        scan,
        b"\xff\xd9",
    ])  # fmt: skip
