from itertools import chain, pairwise

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.augmentation import augment
from pneumo_core.config import AUGMENTATIONS, AugmentConfig
from pneumo_core.training.batches import TrainingBatches, eval_batches

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
    images: NDArray[np.uint8], *, seed: int = 5, first_epoch: int = 0, batch_size: int = 8, change: str = "none"
) -> TrainingBatches:
    config: AugmentConfig = AUGMENTATIONS[change]
    return TrainingBatches(
        images, LABELS, ROWS, augment_config=config, batch_size=batch_size, seed=seed, first_epoch=first_epoch
    )


def epoch_of(batches: keras.utils.PyDataset) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    pairs = [batches[index] for index in range(len(batches))]
    return [x for x, _ in pairs], [y for _, y in pairs]


def rows_of(batches: keras.utils.PyDataset) -> list[int]:
    return [int(value) for x in epoch_of(batches)[0] for value in x[:, 0, 0, 0]]


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

    # A run resumed at the third epoch, its batches asked for backwards and twice.
    resumed = training(pictures, change=change, first_epoch=2)
    for index in [*reversed(range(len(resumed))), 0]:
        x, y = resumed[index]
        np.testing.assert_array_equal(x, expected[2][0][index])
        np.testing.assert_array_equal(y, expected[2][1][index])

    other = training(pictures, change=change, seed=6)
    assert any(not np.array_equal(a, b) for a, b in zip(epoch_of(other)[0], expected[0][0], strict=True))


def test_augmentation_is_drawn_anew_for_every_epoch_and_batch(images: NDArray[np.uint8]) -> None:
    same = np.broadcast_to(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8), images.shape)
    batches = training(same, change="sound", batch_size=4)
    drawn = [x.tobytes() for x in epoch_of(batches)[0]]
    batches.on_epoch_end()
    drawn += [x.tobytes() for x in epoch_of(batches)[0]]
    assert len(set(drawn)) == len(drawn)


def test_augmentation_is_the_one_that_previews_draw() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE)).astype(np.uint8)
    batches = training(pictures, change="report", seed=11)
    plain = training(pictures, change="none", seed=11)
    for index in (0, 3):
        rng = np.random.default_rng([11, 0, index])
        expected = augment(plain[index][0][..., 0].astype(np.uint8), AUGMENTATIONS["report"], rng)
        np.testing.assert_array_equal(batches[index][0][..., 0], expected)


def test_images_are_not_changed(images: NDArray[np.uint8]) -> None:
    before = images.copy()
    epoch_of(training(images, change="sound"))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("batch_size", [7, 8, 1000])
def test_validation_batches_are_the_rows_in_order_unchanged(batch_size: int) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (COUNT, SIZE, SIZE)).astype(np.uint8)
    rows = np.array([4, 9, 2, 33, 10, 11, 12, 13, 14, 15])
    batches = eval_batches(pictures, LABELS, rows, batch_size=batch_size)
    for _ in range(2):
        inputs, targets = epoch_of(batches)
        x, y = np.concatenate(inputs), np.concatenate(targets)
        assert x.dtype == y.dtype == np.float32
        np.testing.assert_array_equal(x[..., 0], pictures[rows])
        np.testing.assert_array_equal(y[:, 0], LABELS[rows])
        batches.on_epoch_end()


def test_keras_trains_a_resumed_run_on_what_an_uninterrupted_one_sees(images: NDArray[np.uint8]) -> None:
    """Keras reads ahead in a thread; what reaches the model must still be each epoch, whole and in order."""

    def trained_on(first_epoch: int) -> list[list[int]]:
        seen: list[list[int]] = []

        class Recorder(keras.Model):
            def train_step(self, data: tuple) -> dict[str, float]:
                seen.append([int(value) for value in data[0].numpy()[:, 0, 0, 0]])
                return {"loss": 0.0}

        image = keras.Input((SIZE, SIZE, 1))
        model = Recorder(image, keras.layers.GlobalAveragePooling2D()(image))
        model.compile(loss="mse", run_eagerly=True)
        batches = training(images, first_epoch=first_epoch)
        model.fit(batches, epochs=5, initial_epoch=first_epoch, shuffle=False, verbose=0)
        return seen

    whole = trained_on(0)
    a_pass = -(-len(ROWS) // 8)
    passes = [list(chain(*whole[start : start + a_pass])) for start in range(0, len(whole), a_pass)]
    assert [sorted(rows) for rows in passes] == [ROWS.tolist()] * 5
    assert len({tuple(rows) for rows in passes}) == 5
    for first_epoch in (1, 3):
        assert trained_on(first_epoch) == whole[first_epoch * a_pass :]
