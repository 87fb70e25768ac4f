"""Neighbors against all pairs, one by one; precision and recall against their definition."""

import numpy as np
import pytest

from pneumo_core.errors import DataError
from pneumo_core.evaluation.generator import neighbours
from pneumo_core.evaluation.generator.neighbours import nearest, nearest_apart, precision_recall
from pneumo_core.records import Estimate


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_CHUNK", 7)


def value(estimate: object) -> float:
    assert isinstance(estimate, Estimate)
    return estimate.value


def test_nearest_image(small_chunks: None) -> None:
    rng = np.random.default_rng(0)
    samples, real = (rng.integers(0, 256, (count, 6, 6), dtype=np.uint8) for count in (15, 30))
    indices, distances = nearest(samples, real)
    for sample, index, distance in zip(samples, indices, distances, strict=True):
        every = [np.sqrt(np.mean((sample / 255 - image / 255) ** 2)) for image in real]
        assert index == np.argmin(every)
        assert distance == pytest.approx(min(every), rel=1e-12)


def test_nearest_feature(small_chunks: None) -> None:
    rng = np.random.default_rng(1)
    samples, real = (1000 + rng.standard_normal((count, 4)).astype(np.float32) for count in (15, 30))
    indices, distances = nearest(samples, real)
    every = np.linalg.norm(samples[:, None].astype(float) - real[None], axis=2)
    np.testing.assert_array_equal(indices, every.argmin(axis=1))
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-9)


def test_two_groups_are_enough() -> None:
    indices, distances = nearest_apart(np.array([[0.0], [1.0], [5.0]]), np.array(["a", "a", "b"]))
    assert (indices.tolist(), distances.tolist()) == ([2, 2, 1], [5.0, 4.0, 4.0])


def test_nearest_apart_is_of_another_group(small_chunks: None) -> None:
    rng = np.random.default_rng(2)
    images = rng.standard_normal((40, 3))
    groups = rng.choice(["a", "b", "c", "d"], 40)
    indices, distances = nearest_apart(images, groups)
    every = np.linalg.norm(images[:, None] - images[None], axis=2)
    every[groups[:, None] == groups] = np.inf
    np.testing.assert_array_equal(indices, every.argmin(axis=1))
    np.testing.assert_allclose(distances, every.min(axis=1), rtol=1e-9)


def test_a_copy_is_at_distance_0() -> None:
    real = np.random.default_rng(3).integers(0, 256, (50, 16, 16), dtype=np.uint8)
    indices, distances = nearest(real[[4, 40]], real)
    assert indices.tolist() == [4, 40]
    assert distances.tolist() == [0, 0]
    black, white = np.zeros((1, 16, 16), np.uint8), np.full((1, 16, 16), 255, np.uint8)
    assert nearest(black, white)[1] == pytest.approx(1)


def slow_share(points: np.ndarray, centers: np.ndarray, k: int) -> float:
    """Share of points within the k-th neighbor's distance of some center."""
    count = 0
    for point in points:
        for i, center in enumerate(centers):
            others = sorted(np.linalg.norm(center - other) for j, other in enumerate(centers) if j != i)
            if np.linalg.norm(point - center) <= others[k - 1]:
                count += 1
                break
    return count / len(points)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_are_the_definition(k: int, small_chunks: None) -> None:
    rng = np.random.default_rng(4)
    real, generated = rng.standard_normal((40, 3)), 0.6 + 0.7 * rng.standard_normal((50, 3))
    found = precision_recall(real, generated, k=k)
    assert value(found.precision) == pytest.approx(slow_share(generated, real, k))
    assert value(found.recall) == pytest.approx(slow_share(real, generated, k))
    swapped = precision_recall(generated, real, k=k)
    assert (value(swapped.precision), value(swapped.recall)) == (value(found.recall), value(found.precision))


def test_precision_and_recall_tell_what_is_wrong() -> None:
    rng = np.random.default_rng(5)
    real = rng.standard_normal((300, 4))
    same, far = precision_recall(real, real), precision_recall(real, real + 100)
    assert value(same.precision) == value(same.recall) == 1
    assert value(far.precision) == value(far.recall) == 0
    narrow = precision_recall(real, 0.2 * rng.standard_normal((300, 4)))
    wide = precision_recall(real, 3 * rng.standard_normal((300, 4)))
    assert value(narrow.precision) > 0.95 > 0.4 > value(narrow.recall)
    assert value(wide.recall) > 0.9 > 0.6 > value(wide.precision)


def test_patients_widen_recall() -> None:
    rng = np.random.default_rng(6)
    patients = np.repeat(np.arange(30), 5)
    real = rng.standard_normal((30, 3))[patients] + 0.05 * rng.standard_normal((150, 3))
    generated = 0.5 * rng.standard_normal((150, 3))
    single, clustered = precision_recall(real, generated).recall, precision_recall(real, generated, patients).recall
    assert isinstance(single, Estimate)
    assert isinstance(clustered, Estimate)
    assert single.value == clustered.value
    assert clustered.high - clustered.low > 1.3 * (single.high - single.low)


def test_bad_input_is_refused() -> None:
    features, images = np.zeros((5, 3)), np.zeros((5, 8, 8), np.uint8)
    with pytest.raises(DataError, match="requires a real image"):
        nearest(features, features[:0])
    with pytest.raises(DataError, match="of one size"):
        nearest(images, np.zeros((5, 9, 9), np.uint8))
    with pytest.raises(DataError, match="must be finite"):
        nearest(features, features + np.inf)
    with pytest.raises(DataError, match="different=1"):
        nearest_apart(images, np.zeros(5))
    with pytest.raises(DataError, match="more than k=3"):
        precision_recall(features, features[:3])
