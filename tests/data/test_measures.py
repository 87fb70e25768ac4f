"""Measures of images against plain NumPy, and their store through damage and change."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import convolve

from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.measures import MEASURES, SIZE, THUMBNAIL, measure, measures_of, stored_measures, value_of
from pneumo_core.errors import DataError
from pneumo_core.runs.store import datasets_root
from tests.data.image_files import write_data_set
from tests.hostile import refuses


@pytest.fixture
def index(tmp_path: Path) -> DataIndex:
    return build_index(write_data_set(tmp_path / "set"))


def test_each_measure_by_hand(index: DataIndex) -> None:
    table = measure(index)
    assert table["image_id"].tolist() == index.table["image_id"].tolist()
    for row in table.to_dict("records"):
        gray = decode_gray((index.root / row["image_id"]).read_bytes(), row["image_id"], size=SIZE)
        values = gray.astype(np.float64)
        kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
        ring = np.ones_like(gray, bool)
        ring[SIZE // 20 : -(SIZE // 20), SIZE // 20 : -(SIZE // 20)] = False
        assert row["brightness"] == pytest.approx(values.mean())
        assert row["contrast"] == pytest.approx(values.std())
        # OpenCV's default border repeats all but the outermost pixel.
        assert row["sharpness"] == pytest.approx(np.log(convolve(values, kernel, mode="mirror").var()), abs=1e-6)
        assert row["black"] == pytest.approx((gray < 6).mean())
        assert row["white"] == pytest.approx((gray > 249).mean())
        assert row["border"] == pytest.approx((gray[ring] < 6).mean())
        thumbnail = values.reshape(THUMBNAIL, SIZE // THUMBNAIL, THUMBNAIL, SIZE // THUMBNAIL).mean(axis=(1, 3))
        assert np.frombuffer(row["thumbnail"], np.uint8) == pytest.approx(thumbnail.ravel(), abs=0.51)


def test_a_blank_image_has_finite_measures() -> None:
    values = measures_of(np.full((SIZE, SIZE), 7, np.uint8))[: len(MEASURES)]
    assert np.isfinite(values).all()


def test_the_hash_hardly_changes_with_gray_levels() -> None:
    # Smooth noise has every low frequency; a plain wave has most of them zero, where rounding decides the bits.
    coarse = np.random.default_rng(0).normal(120, 40, (16, 16)).clip(0, 255)
    gray, other = (
        cv2.resize(values, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
        for values in (coarse, coarse[::-1])
    )
    brighter = (gray * 0.9 + 20).astype(np.uint8)
    plain, near, far = (measures_of(np.ascontiguousarray(image))[len(MEASURES)] for image in (gray, brighter, other))
    assert (plain ^ near).bit_count() <= 2
    assert (plain ^ far).bit_count() > 10


def test_they_are_computed_once(index: DataIndex) -> None:
    steps: list[tuple[int, int]] = []
    first = measure(index, lambda done, total: steps.append((done, total)))
    assert steps == [(len(index.table), len(index.table))]
    again = measure(index, lambda done, total: pytest.fail("they are stored"))
    assert again.equals(first)


@pytest.mark.parametrize("damage", [b"", b"PAR1 and nothing else"])
def test_a_damaged_store_is_computed_again(index: DataIndex, damage: bytes) -> None:
    first = measure(index)
    (path,) = (datasets_root() / index.data_id).glob("measures-*.parquet")
    path.write_bytes(damage)
    assert stored_measures(index) is None
    assert measure(index).equals(first)


def test_a_changed_image_is_said(index: DataIndex) -> None:
    (index.root / index.table["image_id"][0]).write_bytes(b"")
    with refuses(DataError, "an indexed file must not change", index.table["image_id"][0]):
        measure(index)


def test_a_request_to_stop_stores_nothing(index: DataIndex) -> None:
    def stop(_done: int, _total: int) -> None:
        raise DataError("stop")

    with pytest.raises(DataError, match="stop"):
        measure(index, stop)
    assert stored_measures(index) is None


def test_values_are_read_as_people_read_them() -> None:
    assert (value_of("sharpness", 4.8812), value_of("border", 0.2605)) == ("4.88", "26.1 %")


def test_the_known_shift_of_the_real_data_set(measured_real_index: DataIndex) -> None:
    """Means that were computed by hand before this code was written (facts of the study, section 2)."""
    rows = measured_real_index.table.assign(sharpness=measure(measured_real_index)["sharpness"])
    normal = rows[rows["label"] == 0]
    series = np.where(normal["image_id"].str.contains("NORMAL2"), "NORMAL2-IM", "IM")
    means = normal.groupby([normal["split"], series])["sharpness"].mean()
    known = {("train", "IM"): 5.06, ("train", "NORMAL2-IM"): 5.10}
    for key, value in known.items():
        assert means[key] == pytest.approx(value, abs=0.02)
    assert means["test"].max() < 5.0
