"""Batches: sources against plain indexing, an order that is a function of seed and epoch, and what Keras makes of both."""

from itertools import chain, pairwise
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pneumo_core.augmentation.transform import augment
from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.training.batches import EvalBatches, TrainingBatches, gather, pixels, plain, views

COUNT, SIZE = 50, 16
ROWS = np.flatnonzero(np.arange(COUNT) % 7 != 0)  # Some of the images do not train.


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Image k is all k, so a batch says which rows it holds; read-only, as the memory-mapped cache is."""
    array = np.broadcast_to(np.arange(COUNT, dtype=np.uint8)[:, None, None], (COUNT, SIZE, SIZE)).copy()
    array.flags.writeable = False
    return array


LABELS = (np.arange(COUNT) % 3 == 0).astype(np.int8)


def training(
    images: NDArray[np.uint8],
    *,
    seed: int = 5,
    first_epoch: int = 0,
    batch_size: int = 8,
    change: str = "none",
    threads: int = 1,
) -> TrainingBatches:
    return TrainingBatches(
        pixels([images], AUGMENTATIONS[change]),
        LABELS,
        ROWS,
        batch_size=batch_size,
        seed=seed,
        first_epoch=first_epoch,
        threads=threads,
    )


def test_mixup_mixes_images_labels_and_weights_alike() -> None:
    """Images whose pixels are their label and weight: what is mixed shows in them."""
    labels = np.array([0, 1] * 20, np.int8)
    weight = {0: 2.0, 1: 0.5}
    array = np.where(labels == 1, 200, 100).astype(np.uint8)[:, None, None] * np.ones((1, 3, 3), np.uint8)
    batches = TrainingBatches(
        plain(array),
        labels,
        np.arange(40),
        batch_size=10,
        seed=1,
        mixup=0.4,
        label_smoothing=0.1,
        class_weight=weight,
    )
    shares = set()
    for index in range(len(batches)):
        x, y, weights = batches[index]
        mixed_label = (x[:, 0, 0, 0] - 100) / 100
        np.testing.assert_allclose(y[:, 0], 0.9 * mixed_label + 0.05, atol=1e-6)
        np.testing.assert_allclose(weights, 2.0 + (0.5 - 2.0) * mixed_label, atol=1e-6)
        assert (x.dtype, y.dtype, weights.dtype) == (np.float32, np.float32, np.float32)
        for a, b in zip(batches[index], (x, y, weights), strict=True):
            np.testing.assert_array_equal(a, b)
        shares |= set(np.round(np.minimum(mixed_label, 1 - mixed_label), 4))
    # No share is above a half, so each label stays on its side.
    assert 0 < max(shares) <= 0.5


def test_without_them_a_batch_is_images_and_labels(images: NDArray[np.uint8]) -> None:
    _, y = training(images)[0]
    assert set(np.unique(y)) <= {0.0, 1.0}


def epoch_of(batches: keras.utils.PyDataset) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    pairs = [batches[index] for index in range(len(batches))]
    return [x for x, _ in pairs], [y for _, y in pairs]


def rows_of(batches: keras.utils.PyDataset) -> list[int]:
    return [int(value) for x in epoch_of(batches)[0] for value in x[:, 0, 0, 0]]


# --- Sources ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4).filter(any),
    shape=st.sampled_from([(3, 3), (2, 2, 5)]),
    seed=st.integers(0, 1000),
)
def test_gathering_is_indexing_the_parts_joined(lengths: list[int], shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.integers(0, 256, (length, *shape)).astype(np.uint8) for length in lengths]
    rows = rng.integers(0, sum(lengths), 9)
    received = gather(parts, rows)
    assert received.dtype == np.uint8
    np.testing.assert_array_equal(received, np.concatenate(parts)[rows])


def test_pixels_of_several_parts_are_those_of_the_whole(images: NDArray[np.uint8]) -> None:
    rows = np.array([49, 0, 30, 30, 12])
    whole, parts = (pixels(p, AUGMENTATIONS["sound"]) for p in ([images], [images[:20], images[20:]]))
    expected = augment(images[rows], AUGMENTATIONS["sound"], np.random.default_rng(3))
    np.testing.assert_array_equal(whole(rows, np.random.default_rng(3))[..., 0], expected)
    np.testing.assert_array_equal(parts(rows, np.random.default_rng(3))[..., 0], expected)


def stored_views(count: int = 3) -> list[list[NDArray[np.float16]]]:
    """Features of `COUNT` rows in two parts; each says which view and which row it is."""
    values = np.arange(COUNT)[None, :, None] + 100 * np.arange(count)[:, None, None]
    return [[view[:20].astype(np.float16), view[20:].astype(np.float16)] for view in np.repeat(values, 4, axis=2)]


def test_a_view_is_drawn_for_each_row_and_each_time() -> None:
    source = views(stored_views())
    rows = np.tile(np.array([3, 19, 20, 49]), 300)
    rng = np.random.default_rng(0)
    first, second = source(rows, rng), source(rows, rng)
    assert (first.shape, first.dtype) == ((1200, 4), np.float32)
    for drawn in (first, second):
        np.testing.assert_array_equal(drawn % 100, np.repeat(rows[:, None], 4, axis=1))
    chosen = first[:, 0] // 100
    assert set(chosen.tolist()) == {0, 1, 2}
    # Each view a third of the time, for each row; five standard deviations of a coin thrown 300 times.
    for row in (3, 19, 20, 49):
        assert np.abs(np.bincount(chosen[rows == row].astype(int)) - 100).max() < 5 * np.sqrt(300 * 2 / 9)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(source(rows, np.random.default_rng(0)), first)


def test_one_view_is_the_features_themselves() -> None:
    rows = np.array([0, 20, 49, 20])
    received = views(stored_views(1))(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(received, np.repeat(rows[:, None], 4, axis=1))


def test_plain_rows_get_a_channel_where_they_are_images(images: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    rows = np.array([2, 2, 40])
    pictures = plain(images)(rows, rng)
    assert (pictures.shape, pictures.dtype) == ((3, SIZE, SIZE, 1), np.float32)
    np.testing.assert_array_equal(pictures[..., 0], images[rows])
    features = rng.normal(size=(COUNT, 2, 2, 3)).astype(np.float16)
    received = plain(features)(rows, rng)
    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, features[rows])


# --- Order and content ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 8, len(ROWS), 1000])
def test_an_epoch_holds_each_training_row_once(images: NDArray[np.uint8], batch_size: int) -> None:
    batches = training(images, batch_size=batch_size)
    for _ in range(3):
        inputs, targets = epoch_of(batches)
        assert all(len(x) == batch_size for x in inputs[:-1])
        assert 0 < len(inputs[-1]) <= batch_size
        seen = rows_of(batches)
        assert sorted(seen) == ROWS.tolist()
        assert [int(y) for target in targets for y in target[:, 0]] == [LABELS[row] for row in seen]
        batches.on_epoch_end()


def test_shapes_types_and_range(images: NDArray[np.uint8]) -> None:
    x, y = training(images, change="sound")[0]
    assert (x.shape, x.dtype) == ((8, SIZE, SIZE, 1), np.float32)
    assert (y.shape, y.dtype) == ((8, 1), np.float32)
    assert 0 <= x.min() <= x.max() <= 255


def test_each_epoch_has_an_order_of_its_own(images: NDArray[np.uint8]) -> None:
    batches = training(images)
    orders = []
    for _ in range(4):
        orders.append(rows_of(batches))
        batches.on_epoch_end()
    assert len({tuple(order) for order in orders}) == 4
    assert sorted(orders[0]) != orders[0]
    # Not one order turned: neighbours differ too.
    assert len({pair for order in orders for pair in pairwise(order)}) > 3 * len(ROWS)


@pytest.mark.parametrize("change", ["none", "report", "sound"])
def test_content_depends_on_seed_epoch_and_number_alone(change: str) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE)).astype(np.uint8)
    whole = training(pictures, change=change)
    expected = []
    for _ in range(3):
        expected.append(epoch_of(whole))
        whole.on_epoch_end()

    # A run resumed at the third epoch, its batches requested backwards and twice.
    resumed = training(pictures, change=change, first_epoch=2)
    for index in [*reversed(range(len(resumed))), 0]:
        x, y = resumed[index]
        np.testing.assert_array_equal(x, expected[2][0][index])
        np.testing.assert_array_equal(y, expected[2][1][index])

    other = training(pictures, change=change, seed=6)
    assert any(not np.array_equal(a, b) for a, b in zip(epoch_of(other)[0], expected[0][0], strict=True))


def test_threads_make_the_same_batches_in_whatever_order_they_are_requested() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE)).astype(np.uint8)
    alone, together = (training(pictures, change="sound", batch_size=4, threads=threads) for threads in (1, 3))
    for requested in (range(len(alone)), [0, 1, 0, 5, 4, len(alone) - 1, 2], reversed(range(len(alone))), [0]):
        for index in requested:
            for a, b in zip(together[index], alone[index], strict=True):
                np.testing.assert_array_equal(a, b)
        # What was made ahead is of the epoch that is over.
        alone.on_epoch_end()
        together.on_epoch_end()


def test_an_error_in_a_thread_is_the_caller_s() -> None:
    def fail(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        raise MemoryError("no room for a batch")

    batches = TrainingBatches(fail, LABELS, ROWS, batch_size=8, seed=0, threads=2)
    with pytest.raises(MemoryError, match="no room"):
        batches[0]


def test_augmentation_is_drawn_for_every_epoch_and_batch(images: NDArray[np.uint8]) -> None:
    same = np.broadcast_to(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8), images.shape)
    batches = training(same, change="sound", batch_size=4)
    drawn = [x.tobytes() for x in epoch_of(batches)[0]]
    batches.on_epoch_end()
    drawn += [x.tobytes() for x in epoch_of(batches)[0]]
    assert len(set(drawn)) == len(drawn)


def test_augmentation_is_the_one_that_previews_draw() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE)).astype(np.uint8)
    batches = training(pictures, change="report", seed=11)
    unchanged = training(pictures, change="none", seed=11)
    for index in (0, 3):
        rng = np.random.default_rng([11, 0, index])
        expected = augment(unchanged[index][0][..., 0].astype(np.uint8), AUGMENTATIONS["report"], rng)
        np.testing.assert_array_equal(batches[index][0][..., 0], expected)


def test_images_are_not_changed(images: NDArray[np.uint8]) -> None:
    before = images.copy()
    epoch_of(training(images, change="sound"))
    np.testing.assert_array_equal(images, before)


def test_a_row_that_is_repeated_trains_as_often(images: NDArray[np.uint8]) -> None:
    rows = np.array([4, 4, 4, 9, 30])
    batches = TrainingBatches(pixels([images], AUGMENTATIONS["none"]), LABELS, rows, batch_size=2, seed=0)
    assert len(batches) == 3
    for _ in range(2):
        assert sorted(rows_of(batches)) == rows.tolist()
        batches.on_epoch_end()


@pytest.mark.parametrize("batch_size", [7, 8, 1000])
def test_validation_batches_are_the_rows_in_order_unchanged(batch_size: int) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (COUNT, SIZE, SIZE)).astype(np.uint8)
    rows = np.array([4, 9, 2, 33, 10, 11, 12, 13, 14, 15])
    batches = EvalBatches(plain(pictures), LABELS, rows, batch_size=batch_size)
    for _ in range(2):
        inputs, targets = epoch_of(batches)
        x, y = np.concatenate(inputs), np.concatenate(targets)
        assert x.dtype == y.dtype == np.float32
        np.testing.assert_array_equal(x[..., 0], pictures[rows])
        np.testing.assert_array_equal(y[:, 0], LABELS[rows])
        batches.on_epoch_end()


def test_validation_features_are_the_rows_in_order_as_float32() -> None:
    features = np.random.default_rng(1).normal(size=(COUNT, 1, 1, 6)).astype(np.float16)
    rows = np.array([4, 9, 2, 33, 10])
    inputs, targets = epoch_of(EvalBatches(plain(features), LABELS, rows, batch_size=2))
    assert {x.dtype for x in inputs} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(np.concatenate(inputs), features[rows])
    np.testing.assert_array_equal(np.concatenate(targets)[:, 0], LABELS[rows])


# --- Through Keras ----------------------------------------------------------------------------------------------------


def trained_on(batches: TrainingBatches, *, first_epoch: int, epochs: int) -> list[NDArray[np.float32]]:
    """What reaches the model in `fit`, batch by batch."""
    seen: list[NDArray[np.float32]] = []

    class Recorder(keras.Model):
        def train_step(self, *given: Any) -> Any:
            *state, data = given  # JAX gives the variables too, and wants them back.
            x, y = (keras.ops.convert_to_numpy(array) for array in data[:2])
            # Each image with its label, so that neither is taken for another's.
            seen.append(np.concatenate([x.reshape(len(x), -1), y], axis=1))
            logs = {"loss": 0.0}
            return (logs, *state) if state else logs

    image = keras.Input((SIZE, SIZE, 1))
    model = Recorder(image, keras.layers.GlobalAveragePooling2D()(image))
    model.compile(loss="mse", run_eagerly=True)
    model.fit(batches, epochs=epochs, initial_epoch=first_epoch, shuffle=False, verbose=0)
    return seen


def test_keras_trains_a_resumed_run_on_what_an_uninterrupted_one_sees(images: NDArray[np.uint8]) -> None:
    """Keras reads ahead in a thread; what reaches the model must still be each epoch, whole and in order."""

    def rows(first_epoch: int) -> list[list[int]]:
        seen = trained_on(training(images, first_epoch=first_epoch), first_epoch=first_epoch, epochs=5)
        return [batch[:, 0].astype(int).tolist() for batch in seen]

    whole = rows(0)
    a_pass = -(-len(ROWS) // 8)
    passes = [list(chain(*whole[start : start + a_pass])) for start in range(0, len(whole), a_pass)]
    assert [sorted(seen) for seen in passes] == [ROWS.tolist()] * 5
    batches = training(images)
    for seen in passes:
        batches.on_epoch_end()
        assert rows_of(batches) == seen
    assert len({tuple(seen) for seen in passes}) == 5
    for first_epoch in (1, 3):
        assert rows(first_epoch) == whole[first_epoch * a_pass :]


@pytest.mark.parametrize("first_epoch", [0, 2])
def test_threads_change_nothing_for_the_model(first_epoch: int) -> None:
    """Several threads make batches at once, ahead of the model: it must get the very same, in the same order."""
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE)).astype(np.uint8)
    alone, together = (
        trained_on(
            training(pictures, change="sound", batch_size=4, first_epoch=first_epoch, threads=threads),
            first_epoch=first_epoch,
            epochs=4,
        )
        for threads in (1, 4)
    )
    assert len(alone) == (4 - first_epoch) * -(-len(ROWS) // 4)
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)
