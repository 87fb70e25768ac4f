"""The feature cache: what it holds, what it computes and when, and what it makes of kills, rivals and damage."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from pneumo_core.augmentation.transform import augment
from pneumo_core.config.augment import AUGMENTATIONS, AugmentConfig
from pneumo_core.errors import CancelledError, CorruptError, StoreError, TrainingError
from pneumo_core.training import features as features_module
from pneumo_core.training.features import FeatureCache, cached_features
from tests.hostile import assert_one_line, child, held_elsewhere, on_small_disk
from tests.waiting import PATIENCE_S

COUNT, SIZE = 40, 16
SOUND = AUGMENTATIONS["sound"]
FACTS = {"weights_sha256": "0" * 64, "scaling": "unit", "image_size": SIZE, "precision": "float32"}


class Trunk:
    """A frozen network without a framework: the mean and the largest value of each quarter of an image.

    It notes how many images it was given at a time.
    """

    def __init__(self, factor: float = 1.0) -> None:
        self.output = np.empty((0, 2, 2, 2))
        self.factor = factor
        self.batches: list[int] = []

    def predict_on_batch(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        self.batches.append(len(x))
        quarters = x[..., 0].reshape(len(x), 2, SIZE // 2, 2, SIZE // 2)
        # In float64, so that float16 comes out the same in whatever order the pixels of a batch are added.
        return self.factor * np.stack(
            [quarters.mean(axis=(2, 4), dtype=np.float64), quarters.max(axis=(2, 4))], axis=-1
        )


@pytest.fixture
def images() -> NDArray[np.uint8]:
    array = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE), dtype=np.uint8)
    array.flags.writeable = False  # As the memory-mapped array of the images is.
    return array


@pytest.fixture
def trunk() -> Trunk:
    return Trunk()


@pytest.fixture
def cache(tmp_path: Path, trunk: Trunk) -> FeatureCache:
    return FeatureCache(trunk, tmp_path / "features", FACTS, 8, lambda *_: None)


def expected(
    images: NDArray[np.uint8], rows: NDArray[np.int64], config: AugmentConfig | None = None, view: int = 0
) -> NDArray[np.float16]:
    """The same, image by image."""
    features = []
    for row in rows:
        image = images[row : row + 1].astype(np.float32)
        if config is not None:
            image = augment(images[row : row + 1], config, np.random.default_rng([view, row]))
        features.append(Trunk().predict_on_batch(image[..., None])[0].astype(np.float16))
    return np.stack(features)


def all_rows() -> NDArray[np.int64]:
    return np.arange(COUNT)


def entry(cache: FeatureCache) -> Path:
    """The one folder in the cache."""
    (folder,) = cache.folder.iterdir()
    return folder


# --- What it holds ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "view"), [(None, 0), (SOUND, 0), (SOUND, 3), (AUGMENTATIONS["report"], 1)])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_features_are_those_of_each_image_alone(
    cache: FeatureCache, images: NDArray[np.uint8], config: AugmentConfig | None, view: int, batch_size: int
) -> None:
    rows = np.array([3, 0, 17, 3, 39, 20, 21, 22, 23, 24])
    cache = replace(cache, batch_size=batch_size)
    array = cached_features(cache, images, rows, name="data", augment_config=config, view=view)
    assert (array.shape, array.dtype) == ((COUNT, 2, 2, 2), np.float16)
    np.testing.assert_array_equal(array[rows], expected(images, rows, config, view))


def test_it_is_read_only_and_on_disk(cache: FeatureCache, images: NDArray[np.uint8]) -> None:
    array = cached_features(cache, images, all_rows(), name="data")
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0
    np.testing.assert_array_equal(np.load(entry(cache) / "features.npy"), array)
    assert json.loads((entry(cache) / "facts.json").read_text()).items() >= FACTS.items()


def test_views_differ_and_depend_on_nothing_but_their_number_and_the_row(
    cache: FeatureCache, images: NDArray[np.uint8]
) -> None:
    def view(number: int, rows: NDArray[np.int64], folder: str = "a") -> NDArray[np.float16]:
        of = replace(cache, folder=cache.folder / folder)
        return cached_features(of, images, rows, name="data", augment_config=SOUND, view=number)

    first, second = view(0, all_rows()), view(1, all_rows())
    assert all(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    # Other rows first, another order, and what was drawn of other views.
    view(1, all_rows(), "b")
    for rows in (np.array([30, 7]), np.array([8, 7, 6])):
        received = view(0, rows, "b")
    np.testing.assert_array_equal(received[[6, 7, 8, 30]], first[[6, 7, 8, 30]])


@pytest.mark.parametrize(
    "change",
    [
        {"facts": {**FACTS, "weights_sha256": "1" * 64}},
        {"facts": {**FACTS, "scaling": "imagenet"}},
        {"facts": {**FACTS, "precision": "mixed_bfloat16"}},
        {"facts": {**FACTS, "image_size": 15}},
        {"name": "other data"},
        {"augment_config": None},
        {"augment_config": replace(SOUND, blur_sigma=0.5)},
        {"view": 1},
        {"schema": 2},
        {"images": 39},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_the_features_has_a_folder_of_its_own(
    cache: FeatureCache, images: NDArray[np.uint8], change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(cache: FeatureCache, count: int = COUNT, **options: Any) -> None:
        options = {"name": "data", "augment_config": SOUND, "view": 0, **options}
        cached_features(cache, images[:count], np.array([0, 1]), **options)

    compute(cache)
    compute(cache)
    (first,) = cache.folder.iterdir()
    if "schema" in change:
        monkeypatch.setattr(features_module, "SCHEMA", change["schema"])
        compute(cache)
    elif "images" in change:
        compute(cache, change["images"])
    elif "facts" in change:
        compute(replace(cache, **change))
    else:
        compute(cache, **change)
    assert len({first, *cache.folder.iterdir()}) == 2


@pytest.mark.bfloat16
def test_a_keras_model_in_bfloat16_is_kept_without_loss(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    image = keras.Input((SIZE, SIZE, 1))
    conv = keras.layers.Conv2D(3, 3, strides=4, activation="relu", dtype="mixed_bfloat16")
    model = keras.Model(image, conv(image))
    assert model.output.dtype == "bfloat16"
    cache = FeatureCache(model, tmp_path, FACTS, 16, lambda *_: None)
    array = cached_features(cache, images, all_rows(), name="data")
    received = keras.ops.convert_to_numpy(model(images[..., None].astype(np.float32))).astype(np.float32)
    # bfloat16 has 8 bits of mantissa, float16 has 11; below 2 ** -14 it has fewer.
    np.testing.assert_allclose(array.astype(np.float32), received, rtol=2**-7, atol=2**-14)


# --- What it computes -------------------------------------------------------------------------------------------------


def test_each_row_is_computed_once_and_when_it_is_needed(
    cache: FeatureCache, trunk: Trunk, images: NDArray[np.uint8]
) -> None:
    shown: list[tuple[int, int]] = []
    cache = replace(cache, progress=lambda done, total, _: shown.append((done, total)))
    cached_features(cache, images, np.array([5, 5, 1, 2]), name="data")
    assert shown == [(3, 3)]
    cached_features(cache, images, np.array([2, 5]), name="data")
    assert shown == [(3, 3)]
    cached_features(cache, images, np.arange(20), name="data")
    assert shown == [(3, 3), (8, 17), (16, 17), (17, 17)]
    # Batches of one size, whatever is left: another size would be traced again.
    assert trunk.batches == [8] * 4
    array = cached_features(cache, images, all_rows(), name="data")
    assert shown[-3:] == [(8, 20), (16, 20), (20, 20)]
    np.testing.assert_array_equal(array, expected(images, all_rows()))


def test_nothing_to_compute(cache: FeatureCache, trunk: Trunk, images: NDArray[np.uint8]) -> None:
    """A part without images, and rows of none: what a balanced data set adds may be nothing."""
    assert cached_features(cache, images[:0], np.array([], np.int64), name="none").shape == (0, 2, 2, 2)
    assert cached_features(cache, images, np.array([], np.int64), name="data").shape == (COUNT, 2, 2, 2)
    assert trunk.batches == []


def test_what_was_saved_before_a_stop_is_not_computed_again(
    cache: FeatureCache, trunk: Trunk, images: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_module, "_SAVE_EVERY_S", 0.0)

    def stop(done: int, total: int, images_per_s: float) -> None:
        assert images_per_s > 0
        if done == 24:
            raise CancelledError("enough. Received: 24")

    with pytest.raises(CancelledError):
        cached_features(replace(cache, progress=stop), images, all_rows(), name="data")
    assert len(trunk.batches) == 3
    array = cached_features(cache, images, all_rows(), name="data")
    assert len(trunk.batches) == 5
    np.testing.assert_array_equal(array, expected(images, all_rows()))


@pytest.mark.parametrize(("factor", "shown"), [(300.0, "76500"), (np.nan, "nan"), (np.inf, "inf"), (-300.0, "76500")])
def test_a_feature_that_float16_cannot_hold_ends_it(
    cache: FeatureCache, images: NDArray[np.uint8], factor: float, shown: str
) -> None:
    bright = np.where(images > 100, 255, 0).astype(np.uint8)
    with pytest.raises(TrainingError) as caught:
        cached_features(replace(cache, trunk=Trunk(factor)), bright, all_rows(), name="data")
    assert_one_line(caught.value, "below 65504", shown, "train with 0 feature views")
    # Nothing of it is taken for a feature later on.
    array = cached_features(cache, bright, all_rows(), name="data")
    np.testing.assert_array_equal(array, expected(bright, all_rows()))


# --- Kills, rivals and full disks -------------------------------------------------------------------------------------

# A child computes slowly and saves after each batch. NumPy as Keras' backend spares it seconds of importing.
CHILD = """
import signal, sys
from pathlib import Path
import numpy as np
from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.training import features
from pneumo_core.training.features import FeatureCache, cached_features
from tests.training.test_features import FACTS, Trunk

features._SAVE_EVERY_S = 0.0
images = np.load(sys.argv[2])
trunk = Trunk()

def progress(done, total, images_per_s):
    print(done, total, flush=True)
    if done and sys.argv[3] == "stay":
        signal.pause()

cache = FeatureCache(trunk, Path(sys.argv[1]), FACTS, 8, progress)
cached_features(cache, images, np.arange(len(images)), name="data", augment_config=AUGMENTATIONS["sound"])
print("computed", sum(trunk.batches), flush=True)
"""


def start(folder: Path, pictures: Path, after_a_batch: str) -> subprocess.Popen[str]:
    return child(CHILD, folder, pictures, after_a_batch, env={"KERAS_BACKEND": "numpy"})


def test_two_processes_share_the_work_and_a_kill_costs_a_batch(
    tmp_path: Path, cache: FeatureCache, trunk: Trunk, images: NDArray[np.uint8]
) -> None:
    pictures = tmp_path / "images.npy"
    np.save(pictures, images)
    first = start(cache.folder, pictures, "stay")  # It computes one batch and then stands still.
    try:
        assert first.stdout.readline() == "8 40\n"
        second = start(cache.folder, pictures, "go on")
        try:
            assert second.stdout.readline() == "0 40\n"  # It waits for the lock, and says so.
            first.send_signal(signal.SIGKILL)
            output, errors = second.communicate(timeout=PATIENCE_S)
        finally:
            second.kill()
    finally:
        first.kill()
        first.communicate()
    assert second.returncode == 0, errors
    # The killed one had written its first batch, but not marked it yet or just so.
    lines = [line for line in output.splitlines() if not line.startswith("0 ")]
    assert lines in (
        ["8 40", "16 40", "24 40", "32 40", "40 40", "computed 40"],
        ["8 32", "16 32", "24 32", "32 32", "computed 32"],
    )
    array = cached_features(cache, images, all_rows(), name="data", augment_config=SOUND)
    assert trunk.batches == []
    np.testing.assert_array_equal(array, expected(images, all_rows(), SOUND))


def test_waiting_for_another_process_can_be_cancelled(cache: FeatureCache, images: NDArray[np.uint8]) -> None:
    cached_features(cache, images, np.array([0]), name="data")

    def stop(done: int, total: int, images_per_s: float) -> None:
        assert (done, total, images_per_s) == (0, COUNT, 0.0)
        raise CancelledError("enough. Received: 0")

    with held_elsewhere(entry(cache) / "lock"), pytest.raises(CancelledError):
        cached_features(replace(cache, progress=stop), images, all_rows(), name="data")
    cached_features(cache, images, all_rows(), name="data")


def test_a_full_disk_is_an_error_and_not_the_end_of_the_process(tmp_path: Path) -> None:
    """Writing to a memory map that finds no room kills the process; writing to the file does not."""
    disk = tmp_path / "disk"
    disk.mkdir()
    code = """
import os, sys
os.environ["KERAS_BACKEND"] = "numpy"
from pathlib import Path
import numpy as np
from pneumo_core.errors import StoreError
from pneumo_core.training.features import FeatureCache, cached_features
from tests.training.test_features import FACTS, SIZE

class Wide:
    output = np.empty((0, 64, 64, 8))
    def predict_on_batch(self, x):
        return np.ones((len(x), 64, 64, 8), np.float32)

cache = FeatureCache(Wide(), Path(sys.argv[1]) / "features", FACTS, 2, lambda *_: None)
images = np.zeros((60, SIZE, SIZE), np.uint8)
try:
    cached_features(cache, images, np.arange(60), name="data")
except StoreError as error:
    print(error)
"""
    shown = on_small_disk("1m", code, disk)
    assert_one_line(shown, "the disk is full", str(disk / "features"))


# --- Damage -----------------------------------------------------------------------------------------------------------


def cut(folder: Path) -> None:
    with (folder / "features.npy").open("r+b") as file:
        file.truncate(200)


def empty(folder: Path) -> None:
    (folder / "features.npy").write_bytes(b"")


def text(folder: Path) -> None:
    (folder / "features.npy").write_text("no array at all")


def other_shape(folder: Path) -> None:
    np.save(folder / "features.npy", np.zeros((COUNT, 2, 2, 3), np.float16))


def other_type(folder: Path) -> None:
    np.save(folder / "features.npy", np.zeros((COUNT, 2, 2, 2), np.float32))


def objects(folder: Path) -> None:
    np.save(folder / "features.npy", np.full((COUNT, 2, 2, 2), {}, object), allow_pickle=True)


def short_map(folder: Path) -> None:
    (folder / "done.bin").write_bytes(b"\xff")


def a_folder(folder: Path) -> None:
    (folder / "features.npy").unlink()
    (folder / "features.npy").mkdir()


@pytest.mark.parametrize(
    "damage", [cut, empty, text, other_shape, other_type, objects, short_map, a_folder], ids=lambda it: it.__name__
)
def test_damage_is_reported_in_one_line(
    cache: FeatureCache, images: NDArray[np.uint8], damage: Callable[[Path], None]
) -> None:
    cached_features(cache, images, all_rows(), name="data")
    folder = entry(cache)
    damage(folder)
    with pytest.raises(CorruptError) as caught:
        cached_features(cache, images, all_rows(), name="data")
    assert_one_line(caught.value, str(folder), "delete that folder and resume the run")
    shutil.rmtree(folder)
    array = cached_features(cache, images, all_rows(), name="data")
    np.testing.assert_array_equal(array, expected(images, all_rows()))


@pytest.mark.parametrize("name", ["features.npy", "done.bin"])
def test_what_a_kill_left_half_made_is_made_again(cache: FeatureCache, images: NDArray[np.uint8], name: str) -> None:
    cached_features(cache, images, all_rows(), name="data")
    (entry(cache) / name).unlink()
    array = cached_features(cache, images, all_rows(), name="data")
    np.testing.assert_array_equal(array, expected(images, all_rows()))


def test_a_folder_that_cannot_be_made_is_reported(cache: FeatureCache, images: NDArray[np.uint8]) -> None:
    cache.folder.write_text("a file in its place")
    with pytest.raises(StoreError) as caught:
        cached_features(cache, images, all_rows(), name="data")
    assert_one_line(caught.value, str(cache.folder))
