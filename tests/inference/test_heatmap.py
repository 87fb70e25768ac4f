"""Heat maps and their scale, against OpenCV and quantiles by hand."""

import io
import math

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pneumo_core.data.images import decode_gray
from pneumo_core.errors import CorruptError, DataError
from pneumo_core.inference.heatmap import (
    NO_PATIENTS,
    QUANTILE,
    HeatScale,
    described,
    fit_scale,
    heatmap,
    read_scale,
    scale_from_dict,
    scale_to_dict,
    share_of_full,
)
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.records import NotApplicable, Split
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory, published_root
from tests.conftest import FinishedRun
from tests.hostile import assert_one_line
from tests.made_runs import vouch_for

NONE = NotApplicable("it is old")
SCALE = HeatScale(full=4.0, quantile=0.95, split=Split.VAL, n=30)


def by_hand(peaks: list[float]) -> float:
    """The quantile between the two ranks around it (Hyndman and Fan 1996, type 7)."""
    ordered, place = sorted(peaks), QUANTILE * (len(peaks) - 1)
    low = math.floor(place)
    high = min(low + 1, len(peaks) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


# --- The scale --------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.125, 100, width=32), min_size=1, max_size=50))
def test_full_color_is_a_quantile_of_the_peaks(peaks: list[float]) -> None:
    scale = fit_scale(np.array(peaks, np.float32))
    assert isinstance(scale, HeatScale)
    assert scale.full == pytest.approx(by_hand(peaks), rel=1e-6)
    assert (scale.quantile, scale.split, scale.n) == (QUANTILE, Split.VAL, len(peaks))


def test_a_model_that_never_lights_up_has_no_scale() -> None:
    assert isinstance(fit_scale(np.full(30, -1.0, np.float32)), NotApplicable)


def test_the_worker_fits_it_to_the_validation_images(finished_run: FinishedRun) -> None:
    run = RunDirectory(finished_run.path)
    table = pd.read_parquet(io.BytesIO(run.predictions.read_bytes()))
    session = load_session(run.model)
    peaks = []
    for name in table.loc[table["split"] == "val", "image_id"]:
        image = decode_gray((finished_run.data / name).read_bytes(), name, size=session.image_size)
        peaks.append(float(run_session(session, image[None]).cam.max()))
    scale = read_scale(run)
    if by_hand(peaks) <= 0:  # What a toy run learned differs between processors.
        assert scale == fit_scale(np.array(peaks, np.float32))
        return
    assert isinstance(scale, HeatScale)
    assert scale.full == pytest.approx(by_hand(peaks), rel=1e-3)
    assert scale.n == len(peaks)
    assert read_json(run.heatmap_scale) == {
        "schema": 1,
        "full": scale.full,
        "quantile": 0.95,
        "split": "val",
        "n": scale.n,
    }


@pytest.mark.parametrize("scale", [SCALE, NO_PATIENTS], ids=["scale", "reason"])
def test_a_scale_is_plain_data_and_back(scale: HeatScale | NotApplicable) -> None:
    assert scale_from_dict(scale_to_dict(scale)) == scale


@pytest.mark.parametrize(
    "change",
    [{"schema": 2}, {"schema": None}, {"full": 0.0}, {"full": "1"}, {"quantile": 1.0}, {"n": 0}, {"more": 1}],
    ids=str,
)
def test_another_content_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataError) as caught:
        scale_from_dict({**scale_to_dict(SCALE), **change})
    assert_one_line(caught.value, "heatmap")


def test_an_older_run_says_which_command_adds_it(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    run.heatmap_scale.unlink()
    vouch_for(run)
    scale = read_scale(run)
    assert isinstance(scale, NotApplicable)
    assert f"'runs refresh {run.run_id}'" in scale.reason


def test_damage_is_reported(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    write_json(run.heatmap_scale, scale_to_dict(SCALE))
    with pytest.raises(CorruptError, match="must have the SHA-256"):
        read_scale(run)
    run.heatmap_scale.write_text("[]")
    vouch_for(run)
    with pytest.raises(CorruptError) as caught:
        read_scale(run)
    assert_one_line(caught.value)


def test_words_say_what_full_color_is() -> None:
    assert described(SCALE) == "the 95th percentile of the strongest spot over 30 validation images of this run"
    assert described(NONE) == "each image's own strongest spot, since it is old"


# --- The map ----------------------------------------------------------------------------------------------------------


def enlarged(cam: np.ndarray, width: int, height: int) -> np.ndarray:
    # OpenCV's linear interpolation has the same definition as Pillow's when it enlarges.
    return cv2.resize(np.maximum(cam, 0), (width, height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize(("width", "height"), [(150, 150), (300, 200), (97, 413), (36, 36), (18, 18)])
def test_heat_map_is_relu_upsampling_and_scaling(width: int, height: int) -> None:
    cam = np.random.default_rng(3).normal(0, 2, (18, 18)).astype(np.float32)
    expected = enlarged(cam, width, height)
    for scale, full in ((SCALE, 4.0), (NONE, float(expected.max()))):
        received = heatmap(cam, scale, width, height)
        assert received.shape == (height, width)
        assert received.dtype == np.float32
        np.testing.assert_allclose(received, np.minimum(expected / full, 1), atol=1e-4)


def test_a_weak_map_looks_weak_on_the_scale_of_its_run() -> None:
    cam = np.random.default_rng(4).uniform(0, 4, (18, 18)).astype(np.float32)
    strong, weak = (heatmap(part, SCALE, 50, 40) for part in (cam, cam / 20))
    np.testing.assert_allclose(strong, 20 * weak, atol=1e-4)
    assert share_of_full(cam, SCALE) == pytest.approx(float(cam.max()) / 4)
    assert share_of_full(-cam, SCALE) == 0
    without = [heatmap(part, NONE, 50, 40) for part in (cam, cam / 20)]
    np.testing.assert_allclose(*without, atol=1e-4)


@pytest.mark.parametrize("scale", [SCALE, NONE], ids=["scale", "none"])
def test_nothing_that_speaks_for_pneumonia_is_an_empty_map(scale: HeatScale | NotApplicable) -> None:
    for cam in (np.full((18, 18), -3, np.float32), np.zeros((18, 18), np.float32)):
        received = heatmap(cam, scale, 20, 30)
        assert received.shape == (30, 20)
        assert not received.any()


def test_one_hot_position_lights_its_own_corner() -> None:
    cam = np.full((18, 18), -1, np.float32)
    cam[0, 17] = 5
    received = heatmap(cam, SCALE, 180, 90)
    assert np.unravel_index(received.argmax(), received.shape)[0] < 5
    assert np.unravel_index(received.argmax(), received.shape)[1] >= 170
    assert not received[45:].any()
    assert not received[:, :150].any()


@given(
    cam=npst.arrays(np.float32, (6, 6), elements=st.floats(-1e6, 1e6, width=32)),
    full=st.none() | st.floats(1e-6, 1e6),
    width=st.integers(1, 64),
    height=st.integers(1, 64),
)
def test_heat_map_is_always_within_0_and_1(cam: np.ndarray, full: float | None, width: int, height: int) -> None:
    received = heatmap(cam, NONE if full is None else HeatScale(full, 0.95, Split.VAL, 9), width, height)
    assert received.shape == (height, width)
    assert np.isfinite(received).all()
    assert 0 <= received.min() <= received.max() <= 1
    if full is None and (cam > 1e-3).any():
        assert received.max() == pytest.approx(1, abs=1e-5)


def test_published_classifiers_have_their_scale_or_say_what_adds_it() -> None:
    for model in published_root().glob("*-*/model.onnx"):
        if not model.parent.name.startswith("dcgan"):
            scale = read_scale(RunDirectory(model.parent))
            assert scale.n > 100 if isinstance(scale, HeatScale) else "runs refresh" in scale.reason
