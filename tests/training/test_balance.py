"""Balancing arms: counts that match, copies that are copies of the right images, and nothing from outside of training."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from pneumo_core.config.augment import AugmentConfig
from pneumo_core.config.classifier import Balance
from pneumo_core.errors import TrainingError
from pneumo_core.records import Label
from pneumo_core.training import balance as balance_module
from pneumo_core.training.balance import TrainingSet, balanced
from pneumo_core.training.batches import gather
from tests.hostile import assert_one_line

SIZE = 12
ADDING = pytest.mark.parametrize("balance", [Balance.OVERSAMPLE, Balance.CLASSICAL])


def data_set(
    normal: int, pneumonia: int, others: int = 5, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int8], NDArray[np.int64]]:
    """Random pictures, labels and the rows that train: so many of each class, mixed with others that do not train."""
    rng = np.random.default_rng(seed)
    count = normal + pneumonia + others
    labels = np.concatenate([np.zeros(normal), np.ones(pneumonia), rng.integers(0, 2, others)]).astype(np.int8)
    trains = np.arange(count) < normal + pneumonia
    order = rng.permutation(count)
    images = rng.integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8)
    return images, labels[order], np.flatnonzero(trains[order])


def counts(data: TrainingSet) -> list[int]:
    return np.bincount(data.labels[data.rows], minlength=2).tolist()


@pytest.mark.parametrize("balance", [Balance.NONE, Balance.CLASS_WEIGHT])
def test_the_other_arms_train_on_the_images_as_they_are(balance: Balance) -> None:
    images, labels, rows = data_set(7, 19)
    data = balanced(balance, images, labels, rows, seed=0)
    (part,) = data.parts
    assert part is images
    np.testing.assert_array_equal(data.labels, labels)
    np.testing.assert_array_equal(data.rows, rows)
    assert data.added == 0
    assert (data.class_weight is None) == (balance is Balance.NONE)


@pytest.mark.parametrize(("normal", "pneumonia"), [(7, 19), (19, 7), (1, 30), (9, 9), (1341, 3875)])
def test_class_weights_are_those_of_scikit_learn(normal: int, pneumonia: int) -> None:
    images, labels, rows = data_set(normal, pneumonia)
    weights = balanced(Balance.CLASS_WEIGHT, images, labels, rows, seed=0).class_weight
    assert weights is not None
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels[rows])
    assert [weights[int(label)] for label in Label] == pytest.approx(expected.tolist(), rel=1e-12)
    # Each class has the same say, and the loss keeps its size.
    assert weights[0] * normal == pytest.approx(weights[1] * pneumonia)
    assert np.mean([weights[int(label)] for label in labels[rows]]) == pytest.approx(1)


@settings(max_examples=40)
@given(
    normal=st.integers(1, 40),
    pneumonia=st.integers(1, 40),
    balance=st.sampled_from([Balance.OVERSAMPLE, Balance.CLASSICAL]),
    seed=st.integers(0, 2**31 - 1),
)
def test_counts_match_exactly(normal: int, pneumonia: int, balance: Balance, seed: int) -> None:
    images, labels, rows = data_set(normal, pneumonia)
    data = balanced(balance, images, labels, rows, seed=seed)
    assert counts(data) == [max(normal, pneumonia)] * 2
    assert data.added == abs(normal - pneumonia) == len(data.rows) - len(rows)
    assert data.class_weight is None
    assert data.parts[0] is images
    assert sum(len(part) for part in data.parts) == len(data.labels)
    # Every image that trains still does, and none of those that do not.
    np.testing.assert_array_equal(data.rows[: len(rows)], rows)
    np.testing.assert_array_equal(data.labels[: len(labels)], labels)
    others = set(range(len(images))) - set(rows.tolist())
    assert not others & set(data.rows.tolist())


@pytest.mark.parametrize(("normal", "pneumonia"), [(7, 19), (23, 5), (4, 12), (1, 30)])
def test_oversampling_repeats_each_as_often_as_every_other_or_once_more(normal: int, pneumonia: int) -> None:
    images, labels, rows = data_set(normal, pneumonia)
    data = balanced(Balance.OVERSAMPLE, images, labels, rows, seed=3)
    times = Counter(data.rows.tolist())
    smaller = int(normal > pneumonia)
    of_smaller = [times[int(row)] for row in rows if labels[row] == smaller]
    assert max(of_smaller) - min(of_smaller) <= 1
    assert sum(of_smaller) == max(normal, pneumonia)
    assert {times[int(row)] for row in rows if labels[row] != smaller} == {1}


def test_copies_are_augmented_images_of_the_smaller_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a change that can be undone, each copy tells which image it comes from."""
    monkeypatch.setattr(balance_module, "AUGMENTATIONS", {"sound": AugmentConfig(horizontal_flip=True)})
    images, labels, rows = data_set(5, 300)
    data = balanced(Balance.CLASSICAL, images, labels, rows, seed=1)
    copies = data.parts[1]
    assert (copies.dtype, len(copies)) == (np.uint8, 295)
    originals = {images[row].tobytes(): int(row) for row in rows if labels[row] == Label.NORMAL}
    sources, flipped = [], 0
    for copy in copies:
        mirrored = copy[:, ::-1].tobytes() in originals
        flipped += mirrored
        sources.append(originals[(copy[:, ::-1] if mirrored else copy).tobytes()])
    times = Counter(sources)
    assert len(times) == 5
    assert max(times.values()) - min(times.values()) <= 1
    assert 100 < flipped < 195  # A coin for each copy, chunk after chunk.
    np.testing.assert_array_equal(data.labels[len(images) :], np.full(295, Label.NORMAL))


def test_copies_differ_from_their_originals_and_from_each_other() -> None:
    images, labels, rows = data_set(4, 40)
    data = balanced(Balance.CLASSICAL, images, labels, rows, seed=0)
    copies = {copy.tobytes() for copy in data.parts[1]}
    assert len(copies) == 36
    assert not copies & {image.tobytes() for image in images}


@ADDING
def test_equal_classes_get_nothing(balance: Balance) -> None:
    images, labels, rows = data_set(8, 8)
    data = balanced(balance, images, labels, rows, seed=0)
    assert data.added == 0
    np.testing.assert_array_equal(data.rows, rows)
    np.testing.assert_array_equal(gather(data.parts, data.rows), images[rows])


@ADDING
def test_the_seed_decides(balance: Balance) -> None:
    def pictures(seed: int) -> bytes:
        data = balanced(balance, images, labels, rows, seed=seed)
        return gather(data.parts, data.rows).tobytes()

    images, labels, rows = data_set(7, 19)
    assert pictures(1) == pictures(1) != pictures(2)


@ADDING
def test_images_are_not_changed(balance: Balance) -> None:
    images, labels, rows = data_set(7, 19)
    before = images.copy()
    images.flags.writeable = False  # As the memory-mapped cache is.
    balanced(balance, images, labels, rows, seed=0)
    np.testing.assert_array_equal(images, before)


# --- Shares of the gap, and a DCGAN's samples -------------------------------------------------------------------------

SHARES = pytest.mark.parametrize(
    ("normal", "pneumonia", "percent", "added"),
    [
        (1341, 3875, 100, 2534),  # The full data set.
        (1341, 3875, 50, 1267),
        (1341, 3875, 25, 634),  # 633.5
        (19, 7, 100, 12),
        (19, 7, 50, 6),
        (19, 7, 25, 3),
        (7, 8, 25, 1),  # A quarter of an image is one.
        (8, 8, 100, 0),
    ],
)


def drawn(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(99).integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8)


@SHARES
def test_a_dcgan_s_samples_close_the_stated_share_of_the_gap(
    normal: int, pneumonia: int, percent: int, added: int
) -> None:
    images, labels, rows = data_set(normal, pneumonia)
    samples = drawn(added)
    data = balanced(Balance.GAN, images, labels, rows, seed=0, percent=percent, generated=samples)
    smaller = int(normal > pneumonia)
    before = [normal, pneumonia]
    before[smaller] += added
    assert counts(data) == before
    assert (data.added, data.class_weight) == (added, None)
    # What was there is untouched, and nothing that does not train has joined.
    assert data.parts[0] is images
    np.testing.assert_array_equal(data.labels[: len(images)], labels)
    np.testing.assert_array_equal(data.rows[: len(rows)], rows)
    # All samples train, once each, as the smaller class.
    new = data.rows[len(rows) :]
    np.testing.assert_array_equal(gather(data.parts, new), samples)
    np.testing.assert_array_equal(data.labels[new], np.full(added, smaller))
    assert len(data.labels) == len(images) + added


@SHARES
@ADDING
def test_the_controls_add_as_many_as_the_dcgan(
    balance: Balance, normal: int, pneumonia: int, percent: int, added: int
) -> None:
    images, labels, rows = data_set(normal, pneumonia)
    data = balanced(balance, images, labels, rows, seed=0, percent=percent)
    assert data.added == added == len(data.rows) - len(rows)
    np.testing.assert_array_equal(data.rows[: len(rows)], rows)
    np.testing.assert_array_equal(data.labels[data.rows[len(rows) :]], np.full(added, int(normal > pneumonia)))
    if balance is Balance.OVERSAMPLE:
        assert set(data.rows) == set(rows)


@pytest.mark.parametrize("balance", [Balance.NONE, Balance.CLASS_WEIGHT])
def test_arms_that_add_nothing_know_no_share(balance: Balance) -> None:
    images, labels, rows = data_set(7, 19)
    whole, half = (balanced(balance, images, labels, rows, seed=0, percent=percent) for percent in (100, 50))
    assert half.class_weight == whole.class_weight
    assert half.added == whole.added == 0


@pytest.mark.parametrize(("percent", "needed"), [(100, 12), (50, 6)])
def test_another_number_of_samples_is_refused(percent: int, needed: int) -> None:
    images, labels, rows = data_set(7, 19)
    # None, too few, too many, and what the other share would need.
    for received in (None, 0, needed - 1, needed + 1, 18 - needed):
        samples = None if received is None else drawn(received)
        with pytest.raises(TrainingError) as caught:
            balanced(Balance.GAN, images, labels, rows, seed=0, percent=percent, generated=samples)
        assert_one_line(caught.value, f"add the {needed} images", f"Received: {received or 0} images")


def test_samples_are_not_changed() -> None:
    images, labels, rows = data_set(7, 19)
    samples = drawn(12)
    samples.flags.writeable = images.flags.writeable = False  # As the memory-mapped files are.
    data = balanced(Balance.GAN, images, labels, rows, seed=0, generated=samples)
    assert data.parts[1] is samples
    other = balanced(Balance.GAN, images, labels, rows, seed=1, generated=samples)
    np.testing.assert_array_equal(data.rows, other.rows)  # Nothing here is drawn.
