"""DICOM: pixels as a viewer shows them, facts without identity (`dicom_facts`), and what is refused by its name."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, RLELossless

from pneumo_core.data.bounded import MAX_READS
from pneumo_core.data.images import ImageFacts, decode, decode_gray, read_facts
from pneumo_core.errors import ImageError
from tests.data.dicom_files import IDENTITY, dicom, lookup_table
from tests.data.image_files import encode, gray
from tests.hostile import ROOT, assert_one_line
from tests.waiting import PATIENCE_S

DEEP = gray().astype(np.uint16) * 16  # 12 bits.


def shown(data: bytes) -> NDArray[np.float64]:
    return decode_gray(data, "x.dcm").astype(float)


def refusal(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode_gray(data, "x.dcm")
    with pytest.raises(ImageError) as header:
        decode(data, "x.dcm")
    assert str(header.value) == str(caught.value)
    assert_one_line(caught.value, "'x.dcm'")
    assert caught.value.advice
    assert_no_identity(str(caught.value))
    return caught.value


def assert_no_identity(text: str) -> None:
    for value in IDENTITY.values():
        for part in value.replace("^", " ").split():
            assert len(part) < 4 or part not in text, text


# --- Pixels -----------------------------------------------------------------------------------------------------------


def test_gray_levels_of_eight_bits_are_kept() -> None:
    assert np.array_equal(shown(dicom(gray())), gray())
    assert read_facts(dicom(gray()), "x.dcm") == ImageFacts(52, 40, "MONOCHROME2")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_implicit_and_explicit_elements_are_read(syntax: str) -> None:
    assert np.array_equal(shown(dicom(gray(), syntax=syntax)), gray())


def test_monochrome1_is_inverted() -> None:
    assert np.array_equal(shown(dicom(255 - gray(), PhotometricInterpretation="MONOCHROME1")), gray())


def test_jpeg_and_jpeg_2000_are_decoded() -> None:
    assert np.abs(shown(dicom(gray(), syntax=JPEGBaseline8Bit)) - gray()).mean() < 2
    window = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    plain = shown(dicom(DEEP, **window))
    assert np.array_equal(shown(dicom(DEEP, syntax=JPEG2000Lossless, **window)), plain)
    assert np.abs(plain - gray()).max() <= 1


@pytest.mark.parametrize("values", [gray(), DEEP, gray().astype(np.uint16) * 257, gray().astype(np.int16) - 100])
def test_lossless_jpeg_is_decoded(values: NDArray[Any]) -> None:
    assert np.array_equal(shown(dicom(values, syntax=JPEGLosslessSV1)), shown(dicom(values)))


def test_signed_values_of_few_bits_keep_their_sign_in_lossless_jpeg() -> None:
    values = gray().astype(np.int16) - 100
    packed = values.astype(np.uint16) & 0xFFF
    data = dicom(packed, syntax=JPEGLosslessSV1, BitsStored=12, PixelRepresentation=1)
    assert np.array_equal(shown(data), shown(dicom(values)))


def window(values: NDArray[Any], center: float, width: float) -> NDArray[np.float64]:
    """PS3.3, section C.11.2.1.2.1, one value at a time, in [0, 255]."""

    def one(value: float) -> float:
        if value <= center - 0.5 - (width - 1) / 2:
            return 0
        if value > center - 0.5 + (width - 1) / 2:
            return 255
        return ((value - (center - 0.5)) / (width - 1) + 0.5) * 255

    return np.vectorize(one, otypes=[float])(values)


@pytest.mark.parametrize(("center", "width"), [(2048, 4096), (1500, 800), (100, 1)])
def test_the_window_is_the_standard_s(center: float, width: float) -> None:
    received = shown(dicom(DEEP, BitsStored=12, WindowCenter=[center, 9], WindowWidth=[width, 9]))
    expected = window(DEEP, center, width) if width > 1 else np.where(center - 0.5 < DEEP, 255, 0)
    assert np.abs(received - expected).max() <= 0.51


def test_other_windows() -> None:
    tags = {"BitsStored": 12, "WindowCenter": 2000, "WindowWidth": 1000}
    exact = shown(dicom(DEEP, **tags, VOILUTFunction="LINEAR_EXACT"))
    assert np.abs(exact - ((DEEP - 2000.0) / 1000 + 0.5).clip(0, 1) * 255).max() <= 0.51
    sigmoid = shown(dicom(DEEP, **tags, VOILUTFunction="SIGMOID"))
    assert np.abs(sigmoid - 255 / (1 + np.exp(-4 * (DEEP - 2000.0) / 1000))).max() <= 0.51


@pytest.mark.parametrize("width", [0, -5, None])
def test_a_window_of_no_width_is_left_out(width: int | None) -> None:
    plain = shown(dicom(DEEP, BitsStored=12))
    assert np.array_equal(shown(dicom(DEEP, BitsStored=12, WindowCenter=40, WindowWidth=width)), plain)


def test_without_a_window_the_used_range_is_shown() -> None:
    spread = (gray() - float(gray().min())) / (float(gray().max()) - float(gray().min())) * 255
    assert np.abs(shown(dicom(DEEP, BitsStored=12)) - spread).max() <= 0.51
    signed = (gray().astype(np.int16) - 1000) * 3
    assert np.abs(shown(dicom(signed)) - spread).max() <= 0.51
    padded = DEEP.copy()
    padded[0] = 60_000
    received = shown(dicom(padded, PixelPaddingValue=60_000))
    assert np.abs(received - ((padded - float(DEEP[1:].min())) / (float(DEEP[1:].max()) - float(DEEP[1:].min()))).clip(0, 1) * 255).max() <= 0.51  # fmt: skip  # noqa: E501


def test_rescaling_comes_before_the_window() -> None:
    stored = (gray().astype(np.int16) + 500) * 2
    data = dicom(stored, RescaleSlope="0.5", RescaleIntercept="-500", WindowCenter=100, WindowWidth=150)
    assert np.abs(shown(data) - window(gray(), 100, 150)).max() <= 0.51


def test_lookup_tables_are_applied_one_after_the_other() -> None:
    shift = np.arange(256, dtype=np.uint16) + 1000
    square = ((np.arange(256) / 255.0) ** 2 * 65535).round().astype(np.uint16)
    data = dicom(
        gray(),
        ModalityLUTSequence=lookup_table(shift, 0),
        VOILUTSequence=lookup_table(square, 1000),
        WindowCenter=5,
        WindowWidth=2,
    )
    assert np.abs(shown(data) - square[gray()] / 257).max() <= 0.51


def test_color_is_read_as_color() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    assert np.array_equal(shown(dicom(rgb)), decode_gray(encode(rgb), "x.png"))
    assert decode(dicom(rgb), "x.dcm").tint == decode(encode(rgb), "x.png").tint > 16


def test_images_are_resized_like_others() -> None:
    assert np.array_equal(decode_gray(dicom(gray()), "x", size=40), decode_gray(encode(gray()), "x", size=40))


# --- Facts ------------------------------------------------------------------------------------------------------------


def test_facts_are_shown_and_identity_is_not() -> None:
    image = decode(dicom(gray()), "x.dcm")
    assert image.facts == (
        ("Modality", "digital radiography (DX)"),
        ("View", "AP"),
        ("Age", "4 years"),
        ("Body part", "chest"),
    )
    assert image.notes == ()
    assert_no_identity(str((image.facts, image.notes)))
    assert decode(encode(gray()), "x.png").facts == ()


@pytest.mark.parametrize(
    ("age", "words", "adult"),
    [
        ("017Y", "17 years", False),
        ("018Y", "18 years", True),
        ("089Y", "89 years", True),
        ("090Y", "90 years or more", True),
        ("011M", "11 months", False),
        ("300M", "300 months", True),
        ("001W", "1 week", False),
        ("003D", "3 days", False),
    ],
)
def test_ages(age: str, words: str, adult: bool) -> None:
    image = decode(dicom(gray(), PatientAge=age), "x.dcm")
    assert dict(image.facts)["Age"] == words
    assert [note.code for note in image.notes] == (["adult"] if adult else [])


@pytest.mark.parametrize(
    ("tags", "code", "word"),
    [
        ({"ViewPosition": "LL"}, "lateral", "a lateral view"),
        ({"ViewPosition": "LATERAL"}, "lateral", "a lateral view"),
        ({"Modality": "CT"}, "modality", "computed tomography (CT)"),
        ({"Modality": "SC"}, "modality", "a secondary capture (SC)"),
        ({"BodyPartExamined": "HAND"}, "body_part", "(hand)"),
    ],
)
def test_tags_that_do_not_fit_are_warned_of(tags: dict[str, str], code: str, word: str) -> None:
    (note,) = decode(dicom(gray(), **tags), "x.dcm").notes
    assert note.code == code
    assert word in note.reason
    assert note.advice


def test_what_people_write_into_tags_is_left_out() -> None:
    tags = dict.fromkeys(("Modality", "ViewPosition", "PatientAge", "BodyPartExamined"), "JANE DOE")
    image = decode(dicom(gray(), **tags), "x.dcm")
    assert (image.facts, image.notes) == ((), ())
    missing = dict.fromkeys(tags)
    assert decode(dicom(gray(), **missing), "x.dcm").facts == ()


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000"),
        ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
        ("1.2.840.10008.1.2.4.100", "MPEG2"),
        ("1.2.840.10008.1.2.1.99", "Deflated"),
        ("1.2.3.4", "an unknown transfer syntax"),
    ],
)
def test_transfer_syntaxes_that_are_not_read_are_named(syntax: str, name: str) -> None:
    error = refusal(dicom(gray(), syntax=syntax))
    assert error.reason == "unsupported"
    assert name in error.problem
    assert "Explicit VR Little Endian" in error.advice


def test_deflated_files_are_refused_before_they_are_inflated() -> None:
    assert "Deflated" in refusal(dicom(gray()) + b"1.2.840.10008.1.2.1.99").problem


def test_jpeg_of_twelve_bits_is_refused() -> None:
    error = refusal(dicom(DEEP, syntax="1.2.840.10008.1.2.4.51", BitsStored=12))
    assert (error.reason, "JPEG with 12 bits" in error.problem) == ("unsupported", True)


def test_run_lengths_are_decoded() -> None:
    assert np.array_equal(shown(dicom(gray(), syntax=RLELossless)), gray())
    assert np.array_equal(shown(dicom(DEEP, BitsStored=12, syntax=RLELossless)), shown(dicom(DEEP, BitsStored=12)))


@pytest.mark.parametrize(
    ("tags", "reason", "word"),
    [
        ({"NumberOfFrames": 3}, "animated", "with 3 frames"),
        ({"Rows": 40_000, "Columns": 40_000}, "too_large", "40000 x 40000"),
        ({"Rows": 20}, "too_small", "52 x 20"),
        ({"Rows": None}, "unsupported", "no picture"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "unsupported", "32 bits"),
        ({"BitsStored": 9}, "unsupported", "8 bits"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "unsupported", "PALETTE COLOR"),
        ({"PhotometricInterpretation": "DOE"}, "unsupported", "an unknown kind"),
        ({"SamplesPerPixel": 3}, "unsupported", "an unknown kind"),
        ({"Rows": 41}, "damaged", "cannot be read"),
        ({"BitsAllocated": None}, "damaged", "cannot be read"),
    ],
)
def test_what_is_no_single_picture_is_refused_with_its_reason(tags: dict[str, Any], reason: str, word: str) -> None:
    error = refusal(dicom(gray(), **tags))
    assert error.reason == reason
    assert word in error.problem


def test_pixels_of_refused_files_are_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels import utils

    monkeypatch.setattr(utils, "pixel_array", None)
    for tags in ({"NumberOfFrames": 3}, {"Rows": 40_000, "Columns": 40_000}):
        assert refusal(dicom(gray(), **tags)).reason in {"animated", "too_large"}


def test_a_frame_of_another_size_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels import utils

    large = dicom(gray(80, 104), syntax=JPEG2000Lossless)
    monkeypatch.setattr(utils, "pixel_array", None)
    declared = large.replace(b"US\x02\x00\x50\x00", b"US\x02\x00\x28\x00", 1)  # Rows: 80 becomes 40.
    assert declared != large
    assert refusal(declared).reason == "damaged"


def test_large_lossless_jpeg_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from pneumo_core.data import dicom as module

    monkeypatch.setattr(module, "decode_lossless", None)
    assert refusal(dicom(gray(), syntax=JPEGLosslessSV1, Rows=6_000, Columns=6_000)).reason == "too_large"


def inserted(what: bytes) -> bytes:
    """A file with more before its first element."""
    data = dicom(gray())
    start = data.index(b"\x08\x00\x16\x00UI")
    return data[:start] + what + data[start:]


_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)


@pytest.mark.parametrize(
    "what",
    [
        struct.pack("<HH2sH", 8, 0x60, b"CS", 0) * MAX_READS,
        struct.pack("<HH2sHL", 0x28, 0x3000, b"SQ", 0, 0xFFFFFFFF) + _ITEM * 20_000,
        struct.pack("<HH2sHL", 0x28, 0x3000, b"SQ", 0, 2**21) + bytes(2**21),
        struct.pack("<HH2sHL", 0x28, 0x1050, b"UN", 0, 2_000_000) + b"1\\" * 1_000_000,
    ],
    ids=["elements", "items", "tables", "windows"],
)
def test_what_takes_pydicom_minutes_is_refused_first(what: bytes) -> None:
    """Twenty megabytes of each would take a minute or more, and some of them 3 GB."""
    assert refusal(inserted(what)).reason == "too_large"


def test_many_fragments_are_refused_first() -> None:
    data = dicom(gray(), syntax=JPEG2000Lossless)
    start = data.index(_ITEM[:4])
    assert refusal(data[:start] + _ITEM * 12_000 + data[start:]).reason == "too_large"


def test_deep_nesting_is_refused() -> None:
    level = struct.pack("<HH2sHL", 0x28, 0x3000, b"SQ", 0, 0xFFFFFFFF) + _ITEM[:4] + b"\xff" * 4
    assert refusal(inserted(level * 5_000)).reason == "damaged"


def test_run_lengths_are_bounded() -> None:
    from pneumo_core.data import dicom as module

    data = dicom(gray(), syntax=RLELossless)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MAX_RLE_BYTES", 10)
        assert refusal(data).reason == "too_large"


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.95, 0.999])
def test_cut_files_are_damaged(share: float) -> None:
    data = dicom(gray())
    error = refusal(data[: round(share * len(data))])
    assert error.reason in {"damaged", "unsupported"}


def test_errors_and_logs_quote_no_value(tmp_path: Path) -> None:
    """A name where a number belongs: pydicom's own error, warning and log line repeat it."""
    data = dicom(gray(), NumberOfFrames="1111", RescaleSlope="2222", RescaleIntercept="2222")
    (tmp_path / "frames").write_bytes(data.replace(b"1111", b"Jane"))
    (tmp_path / "slope").write_bytes(data.replace(b"1111", b"1   ").replace(b"2222", b"Jane"))
    code = (
        "import sys; from pathlib import Path; from pneumo_core.data.images import decode\n"
        "from pneumo_core.errors import ImageError\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    try: decode(path.read_bytes(), 'x.dcm')\n"
        "    except ImageError as error: print(error, error.__cause__, error.__suppress_context__)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert [line.endswith("None True") for line in result.stdout.splitlines()] == [True, True]
    assert "Jane" not in result.stdout
    assert result.stderr == ""


def test_pydicom_is_loaded_by_the_first_dicom_file_only() -> None:
    code = (
        "import sys; from pneumo_core.data.images import decode; from tests.data.image_files import encode, gray; "
        "decode(encode(gray()), 'x.png'); assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=PATIENCE_S)
