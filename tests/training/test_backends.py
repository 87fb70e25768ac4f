"""Keras on JAX against Keras on TensorFlow: the same weights give the same logits, and training ends alike.

The backend of a process is chosen when Keras is imported, so the other one works in a child process.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from benchmarks.backends import paired_difference
from pneumo_core.config import Scaling
from pneumo_core.data.phantom import write_phantoms
from pneumo_core.models.baseline import build_baseline
from pneumo_core.models.vgg16 import build_vgg16
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None or keras.backend.backend() != "tensorflow",
    reason="compares TensorFlow with JAX, which requirements-dev.txt brings",
)
SIZE = 64

LOGITS = f"""
import sys
from pathlib import Path
import numpy as np
import keras
from pneumo_core.config import Scaling
from pneumo_core.models.baseline import build_baseline
from pneumo_core.models.vgg16 import build_vgg16
folder = Path(sys.argv[1])
assert keras.backend.backend() == "jax"
images = np.load(folder / "images.npy")
models = dict(baseline=build_baseline(image_size={SIZE}), vgg16=build_vgg16(image_size={SIZE}, scaling=Scaling.IMAGENET))
for name, model in models.items():
    model.load_weights(folder / f"{{name}}.weights.h5")
    np.save(folder / f"{{name}}.npy", keras.ops.convert_to_numpy(model(images)))
assert "tensorflow" not in sys.modules
"""


def on_jax(*command: str, timeout: float = 240) -> str:
    """Standard output of a Python command whose Keras runs on JAX."""
    result = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


def test_same_weights_same_logits(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 1)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    models = {
        "baseline": build_baseline(image_size=SIZE, seed=3),
        "vgg16": build_vgg16(image_size=SIZE, seed=3, scaling=Scaling.IMAGENET),
    }
    for name, model in models.items():
        model.save_weights(tmp_path / f"{name}.weights.h5")
    on_jax("-c", LOGITS, str(tmp_path))
    for name, model in models.items():
        ours = keras.ops.convert_to_numpy(model(images))
        theirs = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5 * np.abs(ours).max())


@pytest.mark.slow
def test_a_run_is_trained_and_finished_on_jax(tmp_path: Path, tiny_data: Path, no_published: Path) -> None:
    command = ("-m", "pneumo_core", "train", "--preset", "quick", "--epochs", "1", "--data", str(tiny_data))
    shown = json.loads(on_jax(*command, "--wait", "--json"))
    assert shown["state"] == "succeeded"
    manifest = json.loads((Path(shown["path"]) / "manifest.json").read_text())
    assert manifest["device"]["backend"] == "jax"
    assert manifest["parameters"] == 5_677_329


SEEDS = """
import json, sys
from dataclasses import replace
from pathlib import Path
import keras, numpy as np
from sklearn.metrics import roc_auc_score
from pneumo_core.config import Preset
from pneumo_core.data.images import load_array
from pneumo_core.data.index import build_index
from pneumo_core.data.splits import assign
from pneumo_core.presets import preset_config
from pneumo_core.records import Architecture
from pneumo_core.training.classifier import build_classifier, train_classifier
from tests.conftest import ask_for_run
index = build_index(Path(sys.argv[1]))
labels = index.table["label"].to_numpy()
areas = []
for seed in range(5):
    config = replace(
        preset_config(Architecture.BASELINE, Preset.QUICK, seed=seed, epochs=6), image_size=48, bn_momentum=0.5
    )
    run = ask_for_run(config, index)
    train_classifier(run, config, index)
    keras.config.set_dtype_policy("float32")
    model = build_classifier(config)
    model.load_weights(run.weights)
    images = load_array(index.root, index.table["image_id"].tolist(), data_id=index.data_id, size=config.image_size)
    rows = assign(index.table, config).test
    logits = keras.ops.convert_to_numpy(model(images[rows, ..., None].astype(np.float32)))[:, 0]
    areas.append(roc_auc_score(labels[rows], logits))
print(json.dumps(areas))
"""


@pytest.mark.slow
def test_five_seeds_end_alike(tmp_path: Path) -> None:
    """Phantoms with plain findings, so that a short training comes close to its end on either backend."""
    data = tmp_path / "phantoms"
    write_phantoms(data, seed=1, count=600, difficulty=0.0)
    areas = {}
    for backend in ("tensorflow", "jax"):
        result = subprocess.run(
            [sys.executable, "-c", SEEDS, str(data)],
            cwd=ROOT,
            # Artifacts of its own: the runs' ids are the same, and a trained run is not trained again.
            env={**os.environ, "KERAS_BACKEND": backend, "PNEUMO_ARTIFACTS": str(tmp_path / backend)},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert result.returncode == 0, result.stderr[-4000:]
        areas[backend] = json.loads(result.stdout.splitlines()[-1])
    assert areas["tensorflow"] != areas["jax"]  # They start from other weights; else one of them was not trained.
    difference = paired_difference(areas["tensorflow"], areas["jax"])
    assert -0.02 < difference.low <= difference.high < 0.02, areas
    assert min(min(values) for values in areas.values()) > 0.9, areas
