"""Shortcut probes: each changes one thing, and each outcome has its sentence."""

import io
from itertools import product

import cv2
import numpy as np
from PIL import Image

from pneumo_core.inference.session import load_session
from pneumo_core.inference.shortcuts import CHANGES, NAMES, QUALITY, Probe, meaning, probed
from pneumo_core.inference.spots import central
from tests.linear_model import linear_model

SIDE = 60
WEIGHTS = np.random.default_rng(0).normal(0, 0.001, (SIDE, SIDE))


def an_image() -> np.ndarray:
    noise = np.random.default_rng(1).integers(0, 200, (SIDE, SIDE))
    return np.clip(noise + np.linspace(0, 55, SIDE), 0, 255).astype(np.uint8)


def test_masks_leave_the_other_part_and_fill_with_its_gray() -> None:
    gray, inside = an_image(), central(SIDE, SIDE)
    for probe, kept in ((Probe.BORDERS, inside), (Probe.CENTER, ~inside)):
        changed = CHANGES[probe](gray)
        np.testing.assert_array_equal(changed[kept], gray[kept])
        assert set(changed[~kept]) == {round(float(gray[kept].mean()))}


def test_blur_takes_the_fine_texture_alone() -> None:
    gray = cv2.resize(an_image(), (600, 600), interpolation=cv2.INTER_NEAREST)
    changed = CHANGES[Probe.BLUR](gray)
    expected = cv2.GaussianBlur(gray, (0, 0), 6)  # Pillow's is made of boxes.
    assert np.abs(changed[50:-50, 50:-50].astype(int) - expected[50:-50, 50:-50]).mean() < 2
    assert changed.std() < gray.std()


def test_recompression_is_a_round_trip_through_a_jpeg_file() -> None:
    buffer = io.BytesIO()
    Image.fromarray(an_image()).save(buffer, "JPEG", quality=QUALITY)
    expected = cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)
    received = CHANGES[Probe.JPEG](an_image())
    assert np.abs(received.astype(int) - expected).max() <= 1
    assert not np.array_equal(received, an_image())


def test_each_answer_is_the_model_s_for_the_image_shown() -> None:
    gray = an_image()
    before = gray.copy()
    found = probed(load_session(linear_model(WEIGHTS)), gray)
    np.testing.assert_array_equal(gray, before)
    assert [one.probe for one in found] == list(Probe)
    for one in found:
        assert one.image.shape == gray.shape
        np.testing.assert_allclose(one.logit, (one.image * WEIGHTS).sum(), atol=1e-4)


def test_every_outcome_has_a_sentence_and_a_change_never_reads_as_none() -> None:
    for probe, pneumonia in product(Probe, (True, False)):
        kept, changed = (meaning(probe, pneumonia=pneumonia, changed=changed) for changed in (False, True))
        assert kept != changed
        assert all(text.endswith(".") for text in (kept, changed))
    assert set(NAMES) == set(CHANGES) == set(Probe)
    assert "Distrust it" in meaning(Probe.CENTER, pneumonia=True, changed=False)
    assert "says little" in meaning(Probe.CENTER, pneumonia=False, changed=False)
