"""The spread of an answer over small changes, against each change made by other means."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pneumo_core.config.classifier import Preset
from pneumo_core.inference.compared import groups
from pneumo_core.inference.uncertainty import Changed, Spread, changed_images, described, seed_runs, spread
from pneumo_core.runs.store import RunDirectory
from tests.inference.small_models import linear_classifier, linear_weights
from tests.made_runs import made_predictions, made_run

SIDE = 64


def picture() -> np.ndarray:
    """A smooth picture within [60, 190], so that no change is clipped."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(SIDE, SIDE)), 2)
    return np.round(60 + 130 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)


def rotated(gray: np.ndarray, degrees: float) -> np.ndarray:
    """Turned counterclockwise by scipy, about the center."""
    return ndimage.rotate(gray.astype(float), degrees, reshape=False, order=1, mode="nearest")


def as_jpeg(gray: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file)).astype(float)


def by_other_means(gray: np.ndarray) -> dict[str, np.ndarray]:
    exact = gray.astype(float)
    mean = exact.mean()
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    center = (SIDE - 1) / 2
    moved = ndimage.map_coordinates(exact, [y, x + 0.03 * SIDE], order=1, mode="nearest")
    larger = ndimage.map_coordinates(
        exact, [center + (y - center) / 1.05, center + (x - center) / 1.05], order=1, mode="nearest"
    )
    return {
        "turned by 3 degrees to the left": rotated(gray, 3),
        "turned by 3 degrees to the right": rotated(gray, -3),
        "moved by 3 % of its width": moved,
        "enlarged by 5 %": larger,
        "brighter by 12 gray levels": exact + 12,
        "darker by 12 gray levels": exact - 12,
        "with 15 % more contrast": mean + 1.15 * (exact - mean),
        "with 15 % less contrast": mean + 0.85 * (exact - mean),
        "blurred by 0.7 pixels": ndimage.gaussian_filter(exact, 0.7, mode="nearest"),
        "saved as JPEG of quality 60": as_jpeg(gray),
    }


def test_each_change_is_what_its_words_say() -> None:
    gray = picture()
    expected = by_other_means(gray)
    received = changed_images(gray)
    assert list(received) == list(expected)
    for change, image in received.items():
        assert (image.dtype, image.shape) == (np.uint8, gray.shape)
        # Rounding to gray levels, and OpenCV interpolates in steps of 1/32 pixel.
        np.testing.assert_allclose(image, expected[change], atol=2, err_msg=change)
        assert np.abs(image.astype(float) - gray).max() > 2 or change.startswith("saved"), change


def test_the_spread_is_the_model_s_answer_for_each_change() -> None:
    gray = picture()
    model = linear_classifier(SIDE, threshold=0.6)
    found = spread(model, gray)

    def probability(image: np.ndarray) -> float:
        return float(1 / (1 + np.exp(-image.ravel().astype(np.float64) @ linear_weights(SIDE))))

    assert found.threshold == 0.6
    assert found.probability == pytest.approx(probability(gray), abs=1e-5)
    assert [one.change for one in found.changed] == list(changed_images(gray))
    for one, image in zip(found.changed, changed_images(gray).values(), strict=True):
        assert one.probability == pytest.approx(probability(image), abs=1e-5)
    assert len({round(one.probability, 7) for one in found.changed}) == len(found.changed)
    assert found == spread(model, gray), "the same every time"


def test_ends_and_changed_answers() -> None:
    found = Spread(0.55, 0.5, (Changed("a", 0.5), Changed("b", 0.49), Changed("c", 0.9), Changed("d", 0.1)))
    assert (found.low, found.high, found.crossing) == (0.1, 0.9, ("b", "d"))
    below = replace(found, probability=0.05, threshold=0.5)
    assert (below.low, below.crossing) == (0.05, ("a", "c"))
    assert described(found) == (
        "Over 4 small changes of the image, the probability is 10.0 % to 90.0 %. 2 of 4 change the answer: b, d."
    )
    assert described(replace(found, threshold=0.01)).endswith("to 90.0 %. None changes the answer.")


def test_seeds_are_the_runs_that_differ_in_nothing_else_and_can_predict(no_published: object) -> None:
    runs = [made_run(made_predictions(seed=seed), seed=seed) for seed in range(4)]
    other = made_run(made_predictions(), preset=Preset.REPORT)
    for run in (*runs[:3], other):
        run.model.write_bytes(b"a model")
    known = groups()
    assert seed_runs(runs[0].run_id, known) == (runs[1].run_id, runs[2].run_id)
    assert seed_runs(runs[3].run_id, known) == tuple(run.run_id for run in runs[:3])
    assert seed_runs(other.run_id, known) == ()
    assert seed_runs(RunDirectory(other.path.with_name("baseline-ffffffffffff")).run_id, known) == ()


def test_changes_are_small_by_the_project_s_own_measure() -> None:
    """Half of what is implausible at most, and the mean difference in pixels is small beside the picture's range."""
    gray = cv2.GaussianBlur(picture(), (0, 0), 2)
    for change, image in changed_images(gray).items():
        assert np.abs(image.astype(float) - gray).mean() < 0.2 * np.ptp(gray), change
