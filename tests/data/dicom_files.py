"""DICOM files made on the fly, good and bad; no real patient's."""

import io
from typing import Any

from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    generate_uid,
)

__all__ = ["IDENTITY", "dicom"]

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
        syntax: Transfer syntax: uncompressed, JPEG (8 bits) or JPEG 2000.
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
    dataset["PixelData"].is_undefined_length = syntax in _COMPRESSED
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


_COMPRESSED = {JPEGBaseline8Bit: "JPEG", JPEG2000Lossless: "JPEG2000"}


def _encoded(pixels: NDArray[Any], syntax: str) -> bytes:
    kind = _COMPRESSED.get(syntax)
    if kind is None:
        return pixels.tobytes()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **({"quality": 95} if kind == "JPEG" else {"no_jp2": True}))
    return encapsulate([file.getvalue()])
