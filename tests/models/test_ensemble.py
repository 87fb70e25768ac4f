"""An ensemble's graph against its members, each asked alone, and Pillow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from pneumo_core.inference.compression import restored, to_float16, to_integers
from pneumo_core.inference.heatmap import QUANTILE, HeatScale, heatmap
from pneumo_core.inference.session import Output, load_session, run_session
from pneumo_core.inference.shuffled import shuffled, weights
from pneumo_core.models.ensemble import Member, resizing, write_ensemble
from pneumo_core.records import Split
from tests.linear_model import linear_model

SIDES = (12, 40, 12)
FULL = (30.0, 0.05, 200.0)
# A map is the mean of shares, each computed with a few roundings; a pixel's resizing adds a hundred products of 255 at most.
ROUNDING = 1e-5


@pytest.fixture(scope="module")
def models() -> list[bytes]:
    """Three models, two of small images, whose maps have both signs and reach beyond full color."""
    rng = np.random.default_rng(0)
    return [linear_model(rng.normal(0, 0.3 / side, (side, side))) for side in SIDES]


@pytest.fixture(scope="module")
def ensemble(models: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the three."""
    path = tmp_path_factory.mktemp("ensemble") / "model.onnx"
    write_ensemble([Member(onnx.load_from_string(model), full) for model, full in zip(models, FULL, strict=True)], path)
    return path


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 40, 40)).astype(np.uint8)


def alone(models: list[bytes], images: np.ndarray) -> list[Output]:
    """The members' answers, each for images that Pillow has reduced to its size."""
    outputs = []
    for model, side in zip(models, SIDES, strict=True):
        session = load_session(model)
        name = session.runtime.get_inputs()[0].name
        small = [
            np.asarray(Image.fromarray(image.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR))
            for image in images
        ]
        logit, cam, features = session.runtime.run(["logit", "cam", "features"], {name: np.stack(small)[..., None]})
        outputs.append(Output(logit[:, 0], cam, features))
    return outputs


def test_its_answers_are_the_means_of_theirs(ensemble: Path, models: list[bytes], images: np.ndarray) -> None:
    session = load_session(ensemble)
    assert session.image_size == 40
    received, members = run_session(session, images), alone(models, images)
    np.testing.assert_allclose(received.logit, np.mean([one.logit for one in members], axis=0), atol=1e-4)
    np.testing.assert_allclose(
        received.features, np.concatenate([one.features for one in members], axis=1), rtol=1e-5, atol=1e-4
    )
    for row in range(len(images)):
        heat = [
            heatmap(one.cam[row], HeatScale(full, QUANTILE, Split.VAL, 9), 40, 40)
            for one, full in zip(members, FULL, strict=True)
        ]
        np.testing.assert_allclose(received.cam[row], np.mean(heat, axis=0), atol=ROUNDING)
    # Nothing is compared in vain: a member has both signs and is cut off at full color.
    assert any(one.cam.min() < 0 and one.cam.max() > 2 * full for one, full in zip(members, FULL, strict=True))
    assert 0 <= received.cam.min() < received.cam.max() <= 1


def test_an_image_alone_has_the_answer_it_has_among_others(ensemble: Path, images: np.ndarray) -> None:
    session = load_session(ensemble)
    together, single = run_session(session, images), run_session(session, images[2:3])
    np.testing.assert_allclose(single.logit, together.logit[2:3], atol=1e-4)
    np.testing.assert_allclose(single.cam, together.cam[2:3], atol=ROUNDING)


@pytest.mark.parametrize(("source", "target"), [(150, 96), (150, 128), (96, 32), (9, 18), (6, 9), (7, 7)])
def test_resizing_is_pillow_s(source: int, target: int) -> None:
    image = np.random.default_rng(source).uniform(0, 255, (source, source)).astype(np.float32)
    expected = np.asarray(Image.fromarray(image).resize((target, target), Image.Resampling.BILINEAR))
    rows = resizing(source, target)
    np.testing.assert_allclose(rows @ image @ rows.T, expected, atol=1e-3)


def test_a_model_of_an_earlier_operator_set_joins(models: list[bytes], images: np.ndarray, tmp_path: Path) -> None:
    older = onnx.load_from_string(models[1])
    older.opset_import[0].version = 15  # Its operators are the same there.
    members = [Member(onnx.load_from_string(models[0]), 1.0), Member(older, 1.0)]
    write_ensemble(members, tmp_path / "model.onnx")
    received = run_session(load_session(tmp_path / "model.onnx"), images)
    np.testing.assert_allclose(
        received.logit, np.mean([one.logit for one in alone(models, images)[:2]], axis=0), atol=1e-4
    )


def test_shuffling_moves_the_members_weights_alone(ensemble: Path, images: np.ndarray) -> None:
    found = weights(onnx.load(ensemble))
    assert [tensor.name for tensor in found if "kernel" not in tensor.name and "one" not in tensor.name] == []
    assert sum("kernel" in tensor.name for tensor in found) == 3
    own, other = (
        run_session(load_session(model), images)
        for model in (ensemble.read_bytes(), shuffled(ensemble.read_bytes(), 0))
    )
    assert np.abs(own.logit - other.logit).min() > 1e-3
    assert own.cam.shape == other.cam.shape


@pytest.mark.parametrize("small", [to_float16, to_integers])
def test_it_can_be_compressed_and_restored(ensemble: Path, images: np.ndarray, small: Callable[[bytes], bytes]) -> None:
    data = small(ensemble.read_bytes())
    own = run_session(load_session(ensemble), images)
    for model in (data, restored(data).SerializeToString()):
        received = run_session(load_session(model), images)
        np.testing.assert_allclose(received.logit, own.logit, atol=0.05)
        np.testing.assert_allclose(received.cam, own.cam, atol=0.01)
