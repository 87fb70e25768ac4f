"""The tests of heat maps (`map_tests`, `shuffled`), against models whose maps are known, plain loops and areas by hand."""

import json
from itertools import combinations

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import numpy_helper
from scipy.stats import spearmanr

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.evaluation.trust import Check, Measured, Outcome, Trust, trust_from_dict
from pneumo_core.inference import compression, map_tests
from pneumo_core.inference.compression import restored
from pneumo_core.inference.finish import FACTS, Material
from pneumo_core.inference.map_tests import (
    STEPS,
    center_check,
    chosen_images,
    noise_check,
    order_gains,
    run_tests,
    weights_check,
)
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.inference.shuffled import shuffled, weights
from pneumo_core.inference.spots import area_outside
from pneumo_core.inference.trust import FEW_PATIENTS, NO_PATIENTS
from pneumo_core.records import Architecture, NotApplicable
from pneumo_core.runs.store import RunDirectory, read_manifest
from tests.conftest import FinishedRun
from tests.linear_model import linear_model

SIDE = 8
CENTERED = np.zeros((SIDE, SIDE))
CENTERED[2:6, 2:6] = np.random.default_rng(1).uniform(0.1, 1, (4, 4))
"""Weights of a model that looks at the middle of the image alone."""


def some_images(n: int = 12) -> np.ndarray:
    """Images that are brighter where `CENTERED` has its weights."""
    low = np.where(CENTERED > 0, 100, 0)
    return np.random.default_rng(2).integers(low, low + 150, (n, SIDE, SIDE)).astype(np.uint8)


def maps(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (images * weights).astype(np.float32)


def measured(found: Measured | NotApplicable) -> Measured:
    assert isinstance(found, Measured)
    return found


# --- All of them ------------------------------------------------------------------------------------------------------


def test_maps_that_are_what_the_logit_is_made_of_pass() -> None:
    done: list[tuple[int, int]] = []
    trust = run_tests(linear_model(CENTERED), some_images(), lambda *now: done.append(now))
    assert set(trust.checks) == set(Check)
    assert set(trust.among(Outcome.PASSED)) >= {
        Check.DELETION,
        Check.INSERTION,
        Check.NOISE,
        Check.CENTER,
        Check.WEIGHTS,
    }
    assert (trust.n, trust.logit_spread > trust.logit_change > 0) == (12, True)
    assert done == sorted(done)
    assert {total for _, total in done} == {12 * (2 + map_tests.SHUFFLES + 6 * (STEPS - 1))}
    assert done[-1][0] < done[-1][1], "before each batch"


def test_maps_that_owe_nothing_to_the_weights_fail_where_they_should() -> None:
    corner = np.zeros((SIDE, SIDE))
    corner[0, 0] = 1
    trust = run_tests(linear_model(CENTERED, base=corner), some_images())
    assert {Check.WEIGHTS, Check.DELETION, Check.INSERTION, Check.CENTER} <= set(
        trust.among(Outcome.FAILED, Outcome.NOT_SHOWN)
    )


def test_one_image_gives_no_interval() -> None:
    trust = run_tests(linear_model(CENTERED), some_images(1))
    for found in trust.checks.values():
        assert isinstance(found, NotApplicable)
        assert "requires 2 images" in found.reason
    assert trust.among(*Outcome) == ()


# --- Weights ----------------------------------------------------------------------------------------------------------


def test_shuffled_weights_are_held_against_maps_of_other_patients() -> None:
    images = some_images()
    own = maps(images, CENTERED)
    others = [maps(images, np.random.default_rng(seed).permutation(CENTERED.ravel()).reshape(8, 8)) for seed in (3, 4)]
    found = measured(weights_check(own, others))
    alike = [[spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(own, other, strict=True)] for other in others]
    pairs = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in combinations(own, 2)]
    assert found.value.value == pytest.approx(np.mean(alike))
    assert found.limit == pytest.approx(np.mean(pairs))
    by_shuffle = np.mean(alike, axis=1)
    half = 12.706205 * by_shuffle.std(ddof=1) / np.sqrt(2)  # Student's t of one degree of freedom.
    assert found.value.high >= min(1, by_shuffle.mean() + half) - 1e-6
    assert found.value.low <= max(-1, by_shuffle.mean() - half) + 1e-6
    assert (found.outcome is Outcome.PASSED) is (found.value.high < found.limit)


def test_where_shuffling_changes_nothing_the_test_fails() -> None:
    own = maps(some_images(), CENTERED)
    found = measured(weights_check(own, [own, own, own]))
    assert found.value.value == pytest.approx(1)
    assert found.outcome is Outcome.FAILED


def test_a_shuffled_model_has_its_layers_own_weights_in_another_order() -> None:
    base = np.arange(64.0).reshape(8, 8)
    images = some_images(3)
    for before in (linear_model(CENTERED), linear_model(CENTERED, base=base)):
        after = shuffled(before, 0)
        assert after == shuffled(before, 0)
        assert after != shuffled(before, 1)
        plain, other = (run_session(load_session(model), images) for model in (before, after))
        assert not np.allclose(plain.logit, other.logit)
    # With a constant map, the last two differ in their logit alone.
    np.testing.assert_array_equal(plain.cam, other.cam)
    white = np.full((1, 8, 8), 1, np.uint8)
    (cam,) = run_session(load_session(shuffled(linear_model(CENTERED), 0)), white).cam
    np.testing.assert_allclose(np.sort(cam.ravel()), np.sort(CENTERED.ravel()), rtol=1e-6)
    assert not np.allclose(cam, CENTERED)


def test_every_weight_of_a_network_is_shuffled_and_nothing_else(finished_run: FinishedRun) -> None:
    run = RunDirectory(finished_run.path)
    found = weights(onnx.load(run.model))
    assert sum(int(np.prod(tensor.dims)) for tensor in found) == read_manifest(run)["parameters"] + 1, (
        "and the gradient that the last layer begins with, a 1"
    )


def test_weights_stored_in_a_smaller_type_are_shuffled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_SMALL", 2)
    small = compression.to_float16(linear_model(CENTERED))
    white = np.full((1, 8, 8), 1, np.uint8)
    before, after = (run_session(load_session(model), white).cam[0] for model in (small, shuffled(small, 0)))
    np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(after.ravel()))
    assert not np.allclose(before, after)


def test_every_weight_of_a_published_model_is_shuffled(
    monkeypatch: pytest.MonkeyPatch, finished_run: FinishedRun
) -> None:
    """In the form of the largest, whose kernels are made of several constants."""
    monkeypatch.setattr(compression, "_MATRIX", 1024)
    model = RunDirectory(finished_run.path).model.read_bytes()
    small = compression.to_float16(compression.to_integers(model))
    before, after = (
        {one.name: tuple(one.dims) for one in weights(restored(each))} for each in (model, shuffled(small, 0))
    )
    assert before == after
    kernel = next(name for name, dims in before.items() if len(dims) == 4 and dims[1] > 3)
    ours, theirs = (
        next(numpy_helper.to_array(one) for one in weights(restored(each)) if one.name == kernel)
        for each in (small, shuffled(small, 0))
    )
    assert not np.allclose(ours, theirs)
    np.testing.assert_array_equal(np.sort(ours.ravel()), np.sort(theirs.ravel()))


# --- Deletion and insertion -------------------------------------------------------------------------------------------


def by_hand(image: np.ndarray, weights: np.ndarray, order: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """Area under the logit while pixels are exchanged in an order, one cell a pixel, with both ends."""
    logits = []
    for step in range(STEPS + 1):
        now = start.astype(float).copy()
        for number in range(order.size * step // STEPS):
            place = np.unravel_index(int(np.argwhere(order.ravel() == number)[0, 0]), order.shape)
            now[place] = end[place]
        logits.append(float((now * weights).sum()))
    return float(np.trapezoid(logits, dx=1 / STEPS))


def test_areas_are_those_of_a_plain_loop() -> None:
    from PIL import Image, ImageFilter

    image = some_images(1)[0]
    cam = maps(image[None], CENTERED)[0] + np.random.default_rng(9).uniform(0, 1e-3, (8, 8)).astype(np.float32)
    received = order_gains(load_session(linear_model(CENTERED)), image, cam, np.random.default_rng(5))
    rng = np.random.default_rng(5)  # Draws as the function does: ties, shift, mirror, random cells.
    rng.random(64)
    order = np.argsort(np.argsort(-cam.ravel())).reshape(8, 8)
    shift = rng.integers(0, (8, 8))
    moved = np.array([[order[(r - shift[0]) % 8, (c - shift[1]) % 8] for c in range(8)] for r in range(8)])
    if rng.random() < 0.5:
        moved = np.fliplr(moved)
    cells = rng.permutation(64).reshape(8, 8)
    gray = np.full((8, 8), round(float(image.mean())))
    blurred = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(0.05 * 8)))
    areas = [
        (by_hand(image, CENTERED, one, image, gray), by_hand(image, CENTERED, one, blurred, image))
        for one in (order, moved, cells)
    ]
    expected = [own - other for control in areas[1:] for own, other in zip(areas[0], control, strict=True)]
    np.testing.assert_allclose(received, expected, rtol=1e-4)


def test_deletion_of_the_one_pixel_that_counts() -> None:
    weights = np.zeros((8, 8))
    weights[3, 4] = 0.01
    image = np.full((8, 8), 10, np.uint8)
    image[3, 4] = 202  # Of a mean gray of 13.
    cam = maps(image[None], weights)[0]

    class Last:
        """A generator whose other orders come to the pixel last."""

        def random(self, size: int | None = None) -> object:
            return 0.9 if size is None else np.zeros(size)

        def integers(self, *_: object) -> np.ndarray:
            return np.array([0, 0])

        def permutation(self, size: int) -> np.ndarray:
            order = np.arange(size)
            order[[3 * 8 + 4, size - 1]] = size - 1, 3 * 8 + 4
            return order

    gains = order_gains(load_session(linear_model(weights)), image, cam, Last())  # type: ignore[arg-type]
    # The map's order has the pixel gray at each of the seven steps between the ends, the other one at none.
    assert gains[2] == pytest.approx(7 / 8 * 0.01 * (13 - 202), rel=1e-5)
    assert gains[0] == pytest.approx(0, abs=1e-6), "a map that was moved by nothing is the map"
    assert gains[3] > 0


# --- Noise and center -------------------------------------------------------------------------------------------------


def test_noise_must_leave_a_map_nearer_than_other_patients_maps() -> None:
    own = maps(some_images(), np.ones((8, 8)))
    found = measured(noise_check(own, own * 2 + 1))
    assert found.value.value == pytest.approx(1)
    assert found.outcome is Outcome.PASSED
    pairs = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in combinations(own, 2)]
    assert found.limit == pytest.approx(np.quantile(pairs, 0.95))
    assert measured(noise_check(own, np.roll(own, 1, axis=0))).outcome is not Outcome.PASSED


def test_the_center_is_held_against_its_area() -> None:
    even = measured(center_check(np.ones((4, 8, 8), np.float32)))
    assert even.value.value == pytest.approx(even.limit)
    assert even.limit == pytest.approx(1 - np.pi / 4 * 0.81, abs=0.002)
    assert even.outcome is not Outcome.PASSED
    middle = np.zeros((4, 8, 8), np.float32)
    middle[:, 3:5, 3:5] = 1
    middle[0] = -1  # An empty map has no share.
    found = measured(center_check(middle))
    assert (found.value.value, found.value.n, found.outcome) == (0, 3, Outcome.PASSED)
    assert found.limit == area_outside()
    assert isinstance(center_check(-middle[1:]), NotApplicable)


# --- As a fact of a run -----------------------------------------------------------------------------------------------


def rows(chosen: pd.DataFrame | NotApplicable) -> pd.DataFrame:
    assert isinstance(chosen, pd.DataFrame)
    return chosen


def test_images_are_of_the_validation_patients_one_each() -> None:
    table = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(300)],
            "patient_id": [f"{number // 2}" for number in range(300)],
            "split": ["val"] * 200 + ["test"] * 100,
        }
    )
    chosen = rows(chosen_images(table, is_quick=False))
    assert len(chosen) == chosen["patient_id"].nunique() == 64
    assert set(chosen["split"]) == {"val"}
    pd.testing.assert_frame_equal(chosen, rows(chosen_images(table, is_quick=False)))
    pd.testing.assert_frame_equal(chosen.head(16), rows(chosen_images(table, is_quick=True)))
    own = table[table["split"] == "val"]
    assert len(rows(chosen_images(own.head(60), is_quick=False))) == 30
    assert chosen_images(own.head(58), is_quick=True) == FEW_PATIENTS


@pytest.mark.parametrize(
    ("preset", "count", "expected"),
    [
        (Preset.QUICK, 40, 16),
        (Preset.QUICK, 29, FEW_PATIENTS),
        (Preset.REPORT, 40, NO_PATIENTS),
        (Preset.SOUND, 40, 40),
        (Preset.SOUND, 29, FEW_PATIENTS),
    ],
    ids=str,
)
def test_a_finished_run_stores_them_or_the_reason_why_not(
    preset: Preset, count: int, expected: NotApplicable | int
) -> None:
    ids = [f"{number}.png" for number in range(count)]
    table = pd.DataFrame({"image_id": ids, "patient_id": ids, "split": "val"})
    images = dict(zip(ids, some_images(count), strict=True))
    stages: set[str] = set()
    material = Material(
        "baseline-0123456789ab",
        preset_config(Architecture.BASELINE, preset),
        predictions=lambda: table,
        own=lambda: pytest.fail("not needed"),
        model=lambda: linear_model(CENTERED),
        pixels=lambda ids: np.stack([images[name] for name in ids]),
        trained=lambda: pytest.fail("not needed"),
        progress=lambda _done, _total, what: stages.add(what),
    )
    (fact,) = (fact for fact in FACTS if fact.name == "trust.json")
    stored = trust_from_dict(json.loads(fact.make(material)))
    if isinstance(expected, int):
        assert isinstance(stored, Trust)
        assert stored.n == expected
        assert stages == {"testing heat maps"}
    else:
        assert stored == expected
        assert not stages
