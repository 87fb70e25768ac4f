"""JAX, Keras' other backend: the same weights give the same logits, the same steps, and trainings that are as good.

A process has one backend, so JAX works in children, by the functions that this process runs on TensorFlow.
"""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from pneumo_core.config import AUGMENTATIONS, FineTuneConfig, Preset, Scaling, TrainConfig
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign
from pneumo_core.data.synthetic import split_sheet
from pneumo_core.gan_config import gan_config
from pneumo_core.presets import preset_config
from pneumo_core.records import Architecture, RunState
from pneumo_core.status import read_events, read_status, run_state
from pneumo_core.store import RunDirectory, read_manifest
from tests.conftest import ROOT, ask_for_run
from tests.waiting import PATIENCE_S

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None,
        reason="install JAX: pip install -r requirements-dev.txt -c constraints.txt",
    ),
]

SIZE = 64
SEEDS = range(3)


def on_jax(function: str, *arguments: object) -> subprocess.Popen[str]:
    """One of this module's functions in a process whose Keras is on JAX."""
    code = f"import sys; from tests.training.test_backends import {function}; {function}(*sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What a process has printed when it ended well."""
    try:
        output, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, output[-4000:]
    return output


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


def measure(folder: str) -> None:
    """Write what this process' backend makes of the weights and images in a folder."""
    import keras

    from pneumo_core.models.baseline import build_baseline
    from pneumo_core.models.vgg16 import build_vgg16, feature_head, feature_trunk
    from pneumo_core.training.device import adam, detect, out_of_memory

    def answer(model: keras.Model, x: Any) -> NDArray[np.float32]:
        return np.asarray(model.predict(x, verbose=0))

    models = built()
    for name, model in models.items():
        model.load_weights(Path(folder) / f"{name}.weights.h5")
    pixels, labels = np.load(Path(folder) / "pixels.npy"), np.array([[0.0], [1.0], [1.0], [0.0]], np.float32)
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
    np.savez(Path(folder) / f"{device.backend}.npz", **found)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, vgg16_weights: Path) -> list[dict[str, NDArray[Any]]]:
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
    child = on_jax("measure", folder)
    measure(str(folder))
    ended(child)
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


def test_batches_callbacks_and_backups_work_there_too() -> None:
    """Their own tests once more, on JAX: it keeps a model's state outside of its variables while it trains."""
    callbacks = "tests/training/test_callbacks.py::Test"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/training/test_batches.py"]
    process = subprocess.Popen(
        [*command, f"{callbacks}Backup", f"{callbacks}KeepBestWeights", f"{callbacks}CancelOnRequest"],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert " passed" in ended(process)


# --- A whole run ------------------------------------------------------------------------------------------------------


def test_a_run_through_the_worker(tiny_data: Path, vgg16_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG16 with stored features and both phases, trained and exported on JAX; TensorFlow reads its weights."""
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))
    index = build_index(tiny_data)
    config = replace(
        preset_config(Architecture.VGG16, Preset.QUICK, epochs=2, fine_tune=FineTuneConfig(1), feature_views=1),
        image_size=32,
        scaling=Scaling.UNIT,
    )
    run = ask_for_run(config, index)
    worker = subprocess.Popen(
        [sys.executable, "-m", "pneumo_core.worker", "train", str(run.path)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ended(worker)
    assert run_state(run) is RunState.SUCCEEDED, read_status(run)
    manifest = read_manifest(run)
    assert manifest["device"]["backend"] == manifest["export_device"]["backend"] == "jax"
    assert "jax" in manifest["device"]["versions"]
    assert [event["epoch"] for event in read_events(run) if event["kind"] == "epoch"] == [0, 1, 2]

    table = pd.read_parquet(run.predictions)
    rows = index.table.reset_index().set_index("image_id").loc[table["image_id"], "index"].to_numpy()
    np.testing.assert_allclose(table["logit"], logits(run, config, index, rows), rtol=1e-3, atol=1e-4)


def logits(run: RunDirectory, config: TrainConfig, index: DataIndex, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """What a run's kept weights say of some images, in this process and in float32."""
    import keras

    from pneumo_core.data.images import load_array
    from pneumo_core.training.classifier import build_classifier

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    model = build_classifier(config)
    keras.config.set_dtype_policy(policy)
    model.load_weights(run.weights)
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=config.image_size)
    return np.asarray(model.predict(images[rows][..., None].astype(np.float32), verbose=0))[:, 0]


def test_a_dcgan_through_the_worker(tiny_data: Path) -> None:
    """Trained and exported on JAX; TensorFlow makes the same samples of its weights, and onnxruntime of its model."""
    import keras

    from pneumo_core.inference.generator import generate, load_generator
    from pneumo_core.models.dcgan import build_generator

    index = build_index(tiny_data)
    config = gan_config(Preset.QUICK, epochs=2, filters=4, latent_dim=8, batch_size=8)
    run = ask_for_run(config, index)
    worker = subprocess.Popen(
        [sys.executable, "-m", "pneumo_core.worker", "train", str(run.path)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ended(worker)
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


def train_seeds(artifacts: str, data: str) -> None:
    """Train a small baseline for each seed and print the AUROC of its test images."""
    from pneumo_core.training.classifier import train_classifier

    os.environ["PNEUMO_ARTIFACTS"] = artifacts
    index = build_index(Path(data))
    for seed in SEEDS:
        config = replace(
            preset_config(Architecture.BASELINE, Preset.SOUND, seed=seed, epochs=5, augment=AUGMENTATIONS["none"]),
            image_size=32,
            batch_size=16,
        )
        run = ask_for_run(config, index)
        train_classifier(run, config, index)
        rows = assign(index.table, config).test
        area = roc_auc_score(index.table["label"].to_numpy()[rows], logits(run, config, index, rows))
        sys.stdout.write(f"AUROC of seed {seed}: {area:.6f}\n")


def test_paired_seeds_are_as_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Easy phantoms and a small network, so that a short training converges; benchmarks/backends.py has real X-rays."""
    from pneumo_core.data.phantom import write_phantoms

    data = tmp_path / "phantoms"
    write_phantoms(data, seed=7, count=600, difficulty=0.1)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "compiled"))  # Once for all seeds.
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    code = "import sys; from tests.training.test_backends import train_seeds; train_seeds(*sys.argv[1:])"
    child = on_jax("train_seeds", tmp_path / "jax", data)
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "tensorflow"), str(data)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    areas = []
    for process in (other, child):
        lines = [line for line in ended(process).splitlines() if line.startswith("AUROC of seed")]
        areas.append(np.array([float(line.rpartition(" ")[2]) for line in lines]))
    tensorflow, jax = areas
    assert len(tensorflow) == len(jax) == len(SEEDS)
    assert tensorflow.min() > 0.9
    differences = jax - tensorflow
    half = float(t.ppf(0.975, len(SEEDS) - 1)) * differences.std(ddof=1) / np.sqrt(len(SEEDS))
    low, high = differences.mean() - half, differences.mean() + half
    assert -0.02 < low <= high < 0.02, (tensorflow, jax)
