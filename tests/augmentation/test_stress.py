"""The degraded copies of validation images."""

import numpy as np

from pneumo_core.augmentation.stress import copy_ids, degraded, original_id
from pneumo_core.augmentation.transform import apply, draw_parameters
from pneumo_core.config.augment import AUGMENTATIONS, STRESS
from tests.augmentation.test_transform import radiograph_like_images

IMAGES = radiograph_like_images(3, 40)
IDS = ["train/NORMAL/a.jpeg", "train/NORMAL/b#1.jpeg", "val/PNEUMONIA/c.jpeg"]


def test_a_copy_depends_on_its_image_and_number_alone() -> None:
    whole = degraded(IMAGES, IDS, 4)
    assert whole.shape == (12, 40, 40)
    assert whole.dtype == np.uint8
    np.testing.assert_array_equal(degraded(IMAGES[2:], IDS[2:], 4), whole[8:])
    np.testing.assert_array_equal(degraded(IMAGES, IDS, 2), whole.reshape(3, 4, 40, 40)[:, :2].reshape(6, 40, 40))
    assert len({copy.tobytes() for copy in whole}) == 12


def test_ids_name_the_original_even_where_it_holds_the_mark() -> None:
    copies = copy_ids(IDS, 2)
    assert copies[:2] == ["train/NORMAL/a.jpeg#1", "train/NORMAL/a.jpeg#2"]
    assert [original_id(name) for name in copies] == [name for name in IDS for _ in range(2)]
    assert original_id("train/NORMAL/a.jpeg") == "train/NORMAL/a.jpeg"


def test_degrading_hides_and_mirrors_nothing_and_varies_frame_and_sharpness() -> None:
    drawn = draw_parameters(STRESS, 50, np.random.default_rng(0))
    assert not drawn.cutout.any()
    assert not drawn.flip_horizontal.any()
    # As far as resizing to squares stretches one class more than the other: `plausibility.LIMITS`.
    assert drawn.aspect.min() < 1 / 1.21 < 1.21 < drawn.aspect.max()
    assert (drawn.zoom_x == drawn.zoom_y).all()
    assert drawn.zoom_x.min() < 0.8 < 1.2 < drawn.zoom_x.max()

    def detail(images: np.ndarray) -> np.ndarray:
        return np.abs(np.diff(images.astype(float), axis=-1)).mean(axis=(1, 2))

    before = detail(IMAGES[:1])[0]
    after = detail(degraded(IMAGES[:1], IDS[:1], 40))
    assert after.min() < 0.8 * before
    assert after.max() > 1.2 * before


def test_training_may_see_changes_as_strong() -> None:
    jitter = AUGMENTATIONS["jitter"]
    geometry = ("zoom", "aspect", "rotation_deg", "shift")
    for name in (
        *geometry,
        "contrast",
        "brightness",
        "blur_sigma",
        "resolution",
        "sharpness",
        "gamma",
        "noise",
        "jpeg",
    ):
        assert getattr(jitter, name) >= getattr(STRESS, name) > 0
    assert apply(IMAGES, draw_parameters(jitter, 3, np.random.default_rng(1))).shape == IMAGES.shape
