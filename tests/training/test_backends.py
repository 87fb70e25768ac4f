"""JAX, Keras' other backend: the same weights give the same logits, the same steps, and trainings that are as good.

A process has one backend, so JAX works in a child, by the functions that this process runs on TensorFlow.
"""

import os
from concurrent.futures import Executor
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from pneumo_core.augmentation.stress import degraded_copy, original_id
from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import FineTuneConfig, Preset, Scaling, TrainConfig
from pneumo_core.config.gan import gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data.index import build_index
from pneumo_core.data.splits import assign
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.status import read_events, read_status, run_state
from pneumo_core.runs.store import RunDirectory, read_manifest
from pneumo_core.worker import main
from tests.conftest import ask_for_run
from tests.sheets import split_sheet
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.jax

SIZE = 64
SEEDS = range(3)
CALLBACKS = ("Backup", "KeepBestWeights", "CancelOnRequest")


# --- The same weights -------------------------------------------------------------------------------------------------


def built() -> dict[str, Any]:
    """Both networks, small and in float32, the baseline's dropout turned off."""
    import keras

    from pneumo_core.models.baseline import build_baseline
    from pneumo_core.models.vgg16 import build_vgg16

    keras.config.set_dtype_policy("float32")
    baseline = build_baseline(image_size=SIZE, seed=1, bn_momentum=0.9)
    for layer in baseline.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # Backends draw other numbers from the same seed.
    return {"baseline": baseline, "vgg16": build_vgg16(image_size=SIZE, seed=1, scaling=Scaling.IMAGENET)}


def measure(folder: Path) -> None:
    """Write what this process' backend makes of the weights and images in a folder."""
    import keras

    from pneumo_core.models.baseline import build_baseline
    from pneumo_core.models.vgg16 import build_vgg16, feature_head, feature_trunk
    from pneumo_core.training.device import adam, detect, out_of_memory

    def answer(model: keras.Model, x: Any) -> NDArray[np.float32]:
        return np.asarray(model.predict(x, verbose=0))

    models = built()
    for name, model in models.items():
        model.load_weights(folder / f"{name}.weights.h5")
    pixels, labels = np.load(folder / "pixels.npy"), np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
    baseline, vgg16 = models["baseline"], models["vgg16"]
    features = answer(feature_trunk(vgg16), pixels)
    found = {
        "baseline logits": answer(baseline, pixels),
        "vgg16 features": features,
        "vgg16 logits": answer(vgg16, pixels),
        "vgg16 logits of features": answer(feature_head(vgg16), features),
    }
    device = replace(detect(), precision="float32")
    baseline.compile(adam(device, 1e-4, baseline), keras.losses.BinaryCrossentropy(from_logits=True))
    found["losses"] = np.array([float(baseline.train_on_batch(pixels, labels)) for _ in range(4)])
    normalization = baseline.get_layer("block2_bn")
    found["moving mean"] = keras.ops.convert_to_numpy(normalization.moving_mean)
    for name, whole in (("baseline", build_baseline()), ("vgg16", build_vgg16())):
        trainable = sum(int(np.prod(variable.shape)) for variable in whole.trainable_variables)
        found[f"{name} parameters"] = np.array([whole.count_params(), trainable])
    if device.backend == "jax":
        import jax

        with pytest.raises(jax.errors.JaxRuntimeError) as caught:
            jax.numpy.zeros((2**30, 2**20)).block_until_ready()  # 4 PB
        assert out_of_memory(caught.value), caught.value
    np.savez(folder / f"{device.backend}.npz", **found)


@pytest.fixture(scope="module")
def both(jax: Executor, tmp_path_factory: pytest.TempPathFactory, vgg16_weights: Path) -> list[dict[str, NDArray[Any]]]:
    """What TensorFlow and JAX make of the same weights and images."""
    from pneumo_core.models.vgg16 import load_imagenet

    folder = tmp_path_factory.mktemp("same")
    rng = np.random.default_rng(0)
    np.save(folder / "pixels.npy", rng.integers(0, 256, (4, SIZE, SIZE, 1)).astype(np.float32))
    models = built()
    load_imagenet(models["vgg16"], vgg16_weights)
    for variable in models["baseline"].variables:
        if "moving" in variable.path:  # As after a training, so that normalization does something.
            variable.assign(rng.uniform(0.1, 0.5, variable.shape))
    for name, model in models.items():
        model.save_weights(folder / f"{name}.weights.h5")
    on_jax = jax.submit(measure, folder)
    measure(folder)
    on_jax.result(PATIENCE_S)
    return [dict(np.load(folder / f"{backend}.npz")) for backend in ("tensorflow", "jax")]


@pytest.mark.parametrize(
    "what", ["baseline logits", "vgg16 features", "vgg16 logits", "vgg16 logits of features", "losses", "moving mean"]
)
def test_the_same_weights_give_the_same(both: list[dict[str, NDArray[Any]]], what: str) -> None:
    expected, received = (found[what] for found in both)
    assert expected.std() > 0
    # The second to fourth loss follow from steps of Adam, which makes more of a gradient near 0 than its size.
    tolerance = 1e-3 if what in {"losses", "moving mean"} else 1e-5
    np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


def test_parameters_do_not_depend_on_the_backend(both: list[dict[str, NDArray[Any]]]) -> None:
    for found in both:
        assert found["baseline parameters"].tolist() == [5_677_329, 5_676_881]
        assert found["vgg16 parameters"].tolist() == [23_760_705, 9_046_017]


def run_own_tests() -> None:
    """Tests of batches, callbacks and backups, once more."""
    callbacks = "tests/training/test_callbacks.py::Test"
    files = ["tests/training/test_batches.py", *(f"{callbacks}{name}" for name in CALLBACKS)]
    with redirect_stdout(StringIO()) as output:
        # Hypothesis is imported by now, and its assertions are not ours.
        loaded = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
        status = pytest.main(["-q", "-p", "no:cacheprovider", "-W", loaded, *files])
    assert status == 0, output.getvalue()[-4000:]


def test_batches_callbacks_and_backups_work_there_too(jax: Executor) -> None:
    """JAX keeps a model's state outside of its variables while it trains."""
    jax.submit(run_own_tests).result(PATIENCE_S)


# --- A whole run ------------------------------------------------------------------------------------------------------


def work(path: Path, environment: dict[str, str]) -> int:
    """A run's worker with this test's settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name.startswith("PNEUMO_"):
                patch.setenv(name, value)
        return main("train", path)


def test_a_run_through_the_worker(
    jax: Executor, tiny_data: Path, vgg16_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VGG16 with stored features and both phases, trained and exported on JAX; TensorFlow reads its weights."""
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))
    index = build_index(tiny_data)
    config = replace(
        preset_config(Architecture.VGG16, Preset.QUICK, epochs=2, fine_tune=FineTuneConfig(1), feature_views=1),
        image_size=32,
        batch_size=22,  # The training images' number is a multiple, so that one shape is compiled.
        scaling=Scaling.UNIT,
    )
    run = ask_for_run(config, index)
    assert jax.submit(work, run.path, dict(os.environ)).result(PATIENCE_S) == 0, read_status(run)
    assert run_state(run) is RunState.SUCCEEDED, read_status(run)
    manifest = read_manifest(run)
    assert manifest["device"]["backend"] == manifest["export_device"]["backend"] == "jax"
    assert "jax" in manifest["device"]["versions"]
    assert [event["epoch"] for event in read_events(run) if event["kind"] == "epoch"] == [0, 1, 2]

    table = pd.read_parquet(run.predictions)
    names = table["image_id"]
    images = index.pixels(config.image_size)[index.rows_of(names.map(original_id))]
    is_copy = table["split"] == "stress"
    assert is_copy.any()
    for place in np.flatnonzero(is_copy):
        images[place] = degraded_copy(images[place], names[place])
    np.testing.assert_allclose(table["logit"], logits(run, config, images), rtol=1e-3, atol=1e-4)


def logits(run: RunDirectory, config: TrainConfig, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a run's kept weights say of images `(n, size, size)`, in this process and in float32."""
    import keras

    from pneumo_core.training.classifier import build_classifier

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    model = build_classifier(config)
    keras.config.set_dtype_policy(policy)
    model.load_weights(run.weights)
    return np.asarray(model.predict(images[..., None].astype(np.float32), verbose=0))[:, 0]


def test_a_dcgan_through_the_worker(jax: Executor, tiny_data: Path) -> None:
    """Trained and exported on JAX; TensorFlow makes the same samples of its weights, and onnxruntime of its model."""
    import keras

    from pneumo_core.inference.generator import generate, load_generator
    from pneumo_core.models.dcgan import build_generator

    index = build_index(tiny_data)
    config = gan_config(Preset.QUICK, epochs=2, filters=4, latent_dim=8, batch_size=8)
    run = ask_for_run(config, index)
    assert jax.submit(work, run.path, dict(os.environ)).result(PATIENCE_S) == 0, read_status(run)
    assert run_state(run) is RunState.SUCCEEDED, read_status(run)
    manifest = read_manifest(run)
    assert manifest["device"]["backend"] == manifest["export_device"]["backend"] == "jax"
    epochs = [event for event in read_events(run) if event["kind"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [0, 1]
    assert np.isfinite([event[name] for event in epochs for name in ("loss_generator", "loss_discriminator")]).all()
    # The averaged generator's weights have moved, and are those of the last sheet.
    generator = build_generator(image_size=64, latent_dim=8, filters=4, seed=config.seed)
    untrained = [array.copy() for array in generator.get_weights()]
    generator.load_weights(run.weights)
    assert not any(np.array_equal(*pair) for pair in zip(untrained, generator.get_weights(), strict=True))
    fixed = np.random.default_rng([config.seed, 0, 2]).standard_normal((64, 8), dtype=np.float32)
    pixels = keras.ops.convert_to_numpy(generator(fixed, training=False))[..., 0]
    with Image.open(run.sheet(2)) as picture:
        sheet = split_sheet(np.asarray(picture))
    assert np.abs(pixels - sheet).max() < 0.6  # Rounded to whole grays, in float32.
    assert np.abs(generate(load_generator(run), fixed).astype(int) - sheet).max() <= 1


# --- Paired seeds -----------------------------------------------------------------------------------------------------


def train_seeds(artifacts: Path, data: Path) -> list[float]:
    """Train a small baseline for each seed, and give the AUROC of its test images."""
    from pneumo_core.training.classifier import train_classifier

    areas = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(artifacts))
        index = build_index(data)
        for seed in SEEDS:
            config = replace(
                preset_config(Architecture.BASELINE, Preset.SOUND, seed=seed, epochs=5, augment=AUGMENTATIONS["none"]),
                image_size=32,
                batch_size=16,
            )
            run = ask_for_run(config, index)
            train_classifier(run, config, index)
            rows = assign(index.table, config).test
            areas.append(
                roc_auc_score(
                    index.table["label"].to_numpy()[rows], logits(run, config, index.pixels(config.image_size)[rows])
                )
            )
    return areas


def test_paired_seeds_are_as_good(jax: Executor, tmp_path: Path) -> None:
    """Easy phantoms and a small network, so that a short training converges; benchmarks/backends.py has real X-rays."""
    from pneumo_core.data.phantom import write_phantoms

    data = tmp_path / "phantoms"
    write_phantoms(data, seed=7, count=600, difficulty=0.1)
    on_jax = jax.submit(train_seeds, tmp_path / "jax", data)
    tensorflow = np.array(train_seeds(tmp_path / "tensorflow", data))
    differences = np.array(on_jax.result(PATIENCE_S)) - tensorflow
    assert tensorflow.min() > 0.9
    half = float(t.ppf(0.975, len(SEEDS) - 1)) * differences.std(ddof=1) / np.sqrt(len(SEEDS))
    low, high = differences.mean() - half, differences.mean() + half
    assert -0.02 < low <= high < 0.02, (tensorflow, differences)
