import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from pneumo_core.config.classifier import Preset, TrainConfig
from pneumo_core.config.gan import GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.errors import ConfigError, CorruptError, RunError
from pneumo_core.inference.generator import (
    MAX_NUMBER,
    MAX_SAMPLES,
    Generator,
    generate,
    interpolate,
    latents,
    load_generator,
)
from pneumo_core.records import Architecture
from pneumo_core.runs.store import RunDirectory, write_manifest
from pneumo_core.runs.submission import RunData, Submission, write_submission
from tests.hostile import assert_one_line

LATENT_DIM = 8


def finish(path: Path, model: bytes, config: GanConfig | TrainConfig) -> RunDirectory:
    """A finished run of a model."""
    run = RunDirectory(path)
    write_submission(run, Submission(config, RunData(), 0.0))
    run.model.write_bytes(model)
    write_manifest(run, {})
    return run


@pytest.fixture(scope="module")
def generator(run: RunDirectory) -> Generator:
    return load_generator(run)


@pytest.fixture
def own_run(run: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A copy of the run, to damage."""
    return RunDirectory(Path(shutil.copytree(run.path, tmp_path / run.run_id)))


# --- Loading ----------------------------------------------------------------------------------------------------------


def test_a_finished_run_s_generator(generator: Generator) -> None:
    assert (generator.latent_dim, generator.image_size) == (LATENT_DIM, 64)


def test_a_classifier_s_run_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    config = preset_config(Architecture.BASELINE, Preset.QUICK)
    classifier = finish(tmp_path / "baseline-0123456789ab", run.model.read_bytes(), config)
    with pytest.raises(RunError) as caught:
        load_generator(classifier)
    assert_one_line(caught.value, "must be a DCGAN's", "run_id='baseline-0123456789ab'")


def test_a_run_that_is_not_finished_is_refused(own_run: RunDirectory) -> None:
    own_run.manifest.unlink()
    with pytest.raises(RunError, match="must be finished") as caught:
        load_generator(own_run)
    assert_one_line(caught.value, own_run.run_id)


@pytest.mark.parametrize("damage", ["half", "one bit", "empty"])
def test_a_damaged_model_is_refused(damage: str, own_run: RunDirectory) -> None:
    data = own_run.model.read_bytes()
    middle = len(data) // 2
    damaged = {
        "half": data[:middle],
        "one bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "empty": b"",
    }
    own_run.model.write_bytes(damaged[damage])
    with pytest.raises(CorruptError, match="SHA-256") as caught:
        load_generator(own_run)
    assert_one_line(caught.value)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda _: b"not a model", "must be a model that ONNX Runtime loads"),
        (lambda data: data[: len(data) // 2], "must be a model that ONNX Runtime loads"),
        (lambda data: data.replace(b"latents", b"numbers"), "must map latents to square gray images"),
    ],
    ids=["text", "half", "another input"],
)
def test_a_manifest_that_vouches_for_something_else_is_refused(
    change: Callable[[bytes], bytes], what: str, own_run: RunDirectory
) -> None:
    finish(own_run.path, change(own_run.model.read_bytes()), gan_config(Preset.QUICK))
    with pytest.raises(CorruptError, match=what) as caught:
        load_generator(own_run)
    assert_one_line(caught.value)


# --- Images -----------------------------------------------------------------------------------------------------------


def test_images_are_keras_own_rounded(generator: Generator, network: keras.Model) -> None:
    drawn = latents(LATENT_DIM, 1, 0, 5)
    images = generate(generator, drawn)
    assert (images.shape, images.dtype) == ((5, 64, 64), np.uint8)
    exact = keras.ops.convert_to_numpy(network(drawn, training=False))[..., 0]
    assert exact.std() > 20, "gray images would agree with anything"
    assert np.abs(images - exact).max() <= 0.5 + 1e-3


def test_a_sample_does_not_depend_on_its_neighbours(generator: Generator) -> None:
    together = generate(generator, latents(LATENT_DIM, 1, 250, 12))
    for index in range(12):
        np.testing.assert_array_equal(generate(generator, latents(LATENT_DIM, 1, 250 + index, 1))[0], together[index])


def test_extreme_latents_give_black_and_white(generator: Generator) -> None:
    images = generate(generator, 1000 * latents(LATENT_DIM, 1, 0, 2))
    assert (images.min(), images.max()) == (0, 255)


def test_progress_is_reported_and_may_stop(generator: Generator) -> None:
    reported = []
    generate(generator, latents(LATENT_DIM, 0, 0, 3), lambda done, total: reported.append((done, total)))
    assert reported == [(0, 3), (1, 3), (2, 3)]

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise InterruptedError(f"{done} of {total}")

    with pytest.raises(InterruptedError, match="2 of 3"):
        generate(generator, latents(LATENT_DIM, 0, 0, 3), stop)


@pytest.mark.parametrize("shape", [(LATENT_DIM,), (2, LATENT_DIM + 1), (2, 2, LATENT_DIM)])
def test_latents_of_another_shape_are_refused(generator: Generator, shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        generate(generator, np.zeros(shape, np.float32))
    assert_one_line(caught.value, f"(n, {LATENT_DIM})", f"shape={shape}")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_latents_that_are_no_numbers_are_refused(generator: Generator, value: float) -> None:
    with pytest.raises(ConfigError, match="finite=False"):
        generate(generator, np.full((1, LATENT_DIM), value, np.float32))


def test_no_latents_are_no_images(generator: Generator) -> None:
    assert generate(generator, np.zeros((0, LATENT_DIM), np.float32)).shape == (0, 64, 64)


# --- Latents ----------------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**31 - 1),
    first=st.integers(0, 600),
    count=st.integers(1, 300),
    truncation=st.none() | st.floats(0.1, 4),
)
def test_a_number_s_latent_is_the_same_in_every_draw(
    seed: int, first: int, count: int, truncation: float | None
) -> None:
    drawn = latents(3, seed, first, count, truncation)
    assert (drawn.shape, drawn.dtype) == ((count, 3), np.float32)
    whole = latents(3, seed, 0, 900, truncation)
    np.testing.assert_array_equal(drawn, whole[first : first + count])


def test_seeds_and_numbers_differ() -> None:
    drawn = np.concatenate([latents(4, seed, 0, 600) for seed in range(5)])
    assert len(np.unique(drawn, axis=0)) == 3000


@pytest.mark.parametrize("truncation", [None, 0.1, 0.5, 2.0, 4.0])
def test_latents_are_normal_or_truncated_normal(truncation: float | None) -> None:
    values = latents(100, 7, 0, 500, truncation).ravel().astype(np.float64)
    expected = stats.norm() if truncation is None else stats.truncnorm(-truncation, truncation)
    assert stats.kstest(values, expected.cdf).pvalue > 0.01
    if truncation is not None:
        assert np.abs(values).max() <= truncation * (1 + 1e-6)
        assert np.abs(values).max() > truncation * 0.9
    # Columns and neighbors are independent of one another.
    drawn = values.reshape(500, 100)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(100)).max() < 6 / np.sqrt(500)
    assert np.abs(np.corrcoef(drawn) - np.eye(500)).max() < 6 / np.sqrt(100)


def test_a_tighter_truncation_keeps_signs_and_shrinks() -> None:
    none, wide, tight = (latents(50, 3, 0, 100, truncation) for truncation in (None, 2.0, 0.5))
    assert (np.sign(none) == np.sign(tight)).all()
    assert (np.abs(tight) <= np.abs(wide)).all()
    assert (np.abs(wide) <= np.abs(none)).all()


def test_the_last_number_can_be_drawn() -> None:
    assert np.isfinite(latents(2, 2**31 - 1, MAX_NUMBER, 1)).all()


@pytest.mark.parametrize(
    ("change", "limits"),
    [
        ({"count": 0}, f"from 1 to {MAX_SAMPLES}. Received: count=0"),
        ({"count": 10_000_000}, f"from 1 to {MAX_SAMPLES}. Received: count=10000000"),
        ({"count": 2.0}, "count=2.0"),
        ({"first": -1}, "Received: first=-1"),
        ({"first": MAX_NUMBER - 3}, f"from 0 to {MAX_NUMBER - 4}. Received"),
        ({"seed": -1}, "Received: seed=-1"),
        ({"seed": 2**31}, "Received: seed=2147483648"),
        ({"truncation": 0.0}, "from 0.1 to 4. Received: truncation=0.0"),
        ({"truncation": 4.1}, "from 0.1 to 4. Received: truncation=4.1"),
        ({"truncation": float("nan")}, "truncation=nan"),
        ({"latent_dim": 0}, "Received: latent_dim=0"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused_with_its_limits(change: dict[str, float], limits: str) -> None:
    with pytest.raises(ConfigError) as caught:
        latents(**{"latent_dim": 4, "seed": 0, "first": 0, "count": 5, **change})
    assert_one_line(caught.value, limits)


# --- The way between two latents --------------------------------------------------------------------------------------


def slow_slerp(a: NDArray[np.float64], b: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Shoemake's formula by the arc cosine."""
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    way = []
    for step in range(steps):
        t = step / (steps - 1)
        way.append((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle))
    return np.array(way)


@given(seed=st.integers(0, 1000), steps=st.integers(2, 20))
def test_way_is_shoemake_s(seed: int, steps: int) -> None:
    a, b = latents(16, seed, 0, 2)
    way = interpolate(a, b, steps)
    assert (way.shape, way.dtype) == ((steps, 16), np.float32)
    np.testing.assert_allclose(way, slow_slerp(a.astype(np.float64), b.astype(np.float64), steps), atol=1e-5)
    np.testing.assert_allclose(way[[0, -1]], [a, b], atol=1e-6)
    np.testing.assert_allclose(way, interpolate(b, a, steps)[::-1], atol=1e-5)


def test_way_between_equal_lengths_keeps_the_length_and_turns_evenly() -> None:
    a, b = (latent / np.linalg.norm(latent) for latent in latents(16, 5, 0, 2))
    way = interpolate(a, b, 9)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1, rtol=1e-6)
    turns = np.linalg.norm(np.diff(way, axis=0), axis=1)
    np.testing.assert_allclose(turns, turns[0], rtol=1e-5)


def test_way_from_a_latent_to_itself_or_further_along_is_straight() -> None:
    (a,) = latents(16, 5, 0, 1)
    np.testing.assert_allclose(interpolate(a, a, 3), [a, a, a], rtol=1e-6)
    np.testing.assert_allclose(interpolate(a, 3 * a, 3), [a, 2 * a, 3 * a], rtol=1e-6)


@pytest.mark.parametrize(
    ("b", "steps", "what"),
    [
        (-np.ones(4), 3, "must not be opposite"),
        (np.zeros(4), 3, "finite and not 0"),
        (np.full(4, np.nan), 3, "finite and not 0"),
        (np.ones(5), 3, "same length"),
        (np.ones((1, 4)), 3, "same length"),
        (np.ones(4), 1, "from 2 to 1000. Received: steps=1"),
        (np.ones(4), 1001, "from 2 to 1000. Received: steps=1001"),
    ],
)
def test_ways_that_do_not_exist_are_refused(b: NDArray[np.float64], steps: int, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        interpolate(np.ones(4, np.float32), b.astype(np.float32), steps)
    assert_one_line(caught.value, what)
