"""Pages keep what they read, so most tests start without; and a finished DCGAN whose generator is a matrix."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from streamlit.components.v2 import manifest_scanner

from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.data.index import build_index
from pneumo_core.data.splits import gan_rows
from pneumo_core.data.synthetic import sheet, synthetic_png
from pneumo_core.evaluation.generator.measures import Features, measure
from pneumo_core.evaluation.plain import encode
from pneumo_core.inference.gan_measures import (
    MEASURE_SEED,
    learned_images,
    read_learned,
)
from pneumo_core.inference.gan_record import GanMeasures
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.records import Label, NotApplicable, RunState
from pneumo_core.runs.files import write_json
from pneumo_core.runs.status import append_event, update_status
from pneumo_core.runs.store import RunDirectory, datasets_root, runs_root, write_manifest
from tests.conftest import FinishedRun, ask_for_run

SHEET_EPOCHS = (1, 10, 40)


@pytest.fixture(autouse=True, scope="session")
def components_looked_for_once() -> Iterator[None]:
    """Each AppTest reads the metadata of all installed packages to find Streamlit components: half of a test's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="module")
def kept_caches() -> None:
    """For files whose tests read the same runs and images: what pages keep is forgotten before the first test only."""
    forget()


@pytest.fixture(autouse=True)
def empty_caches(request: pytest.FixtureRequest) -> None:
    if "kept_caches" not in request.fixturenames:
        forget()


def forget() -> None:
    """Empty the caches of all pages."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True)
def nothing_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that waits for the phantoms draws 600 of them in a process that outlives the test: only where that is tested."""

    def refuse() -> None:
        raise AssertionError("this test must name its data: PNEUMO_DATA, a connected index, or `drawn_phantoms`")

    monkeypatch.setattr("pages.ui.state.start_preparing", refuse)


@pytest.fixture
def drawn_phantoms(tiny_data: Path) -> None:
    """The built-in data set as if it had been drawn, with few images."""
    datasets_root().mkdir(parents=True)
    (datasets_root() / "phantom").symlink_to(tiny_data)


def linear_generator(images: NDArray[np.uint8], latent_dim: int) -> bytes:
    """ONNX of a generator that adds multiples of the images' principal components to their mean."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    mean = flat.mean(axis=0)
    _, scales, axes = np.linalg.svd(flat - mean, full_matrices=False)
    weights = np.zeros((latent_dim, flat.shape[1]), np.float32)
    kept = min(latent_dim, len(images) - 1)
    weights[:kept] = axes[:kept] * scales[:kept, None] / np.sqrt(len(images))
    constants = {
        "axes": weights,
        "mean": mean,
        "low": np.float32(0),
        "high": np.float32(255),
        "shape": np.array([-1, *images.shape[1:]]),
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["latents", "axes"], ["turned"]),
            helper.make_node("Add", ["turned", "mean"], ["flat"]),
            helper.make_node("Clip", ["flat", "low", "high"], ["clipped"]),
            helper.make_node("Reshape", ["clipped", "shape"], ["image"]),
        ],
        "linear",
        [helper.make_tensor_value_info("latents", TensorProto.FLOAT, ("batch", latent_dim))],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ("batch", *images.shape[1:]))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def shared_gan(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> FinishedRun:
    """A finished DCGAN of PNEUMONIA phantoms, made by hand; never change its files, they are everyone's."""
    artifacts = tmp_path_factory.mktemp("gan") / "artifacts"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(artifacts))
        index = build_index(tiny_data)
        config = gan_config(Preset.QUICK, label=Label.PNEUMONIA)
        run = ask_for_run(config, index)
        learned = index.table.iloc[gan_rows(index.table, config)][["image_id", "patient_id", "sha256"]]
        learned.to_parquet(run.learned, index=False)
        real, patients = learned_images(index, learned, config.image_size)
        run.model.write_bytes(linear_generator(real, config.latent_dim))
        write_manifest(run, {})
        generator = load_generator(run)
        for epoch in SHEET_EPOCHS:
            drawn = generate(generator, latents(config.latent_dim, seed=epoch, first=0, count=64))
            run.sheet(epoch).write_bytes(synthetic_png(sheet(drawn), {"Run": run.run_id, "Epoch": epoch}))
        for epoch in range(config.epochs):
            losses = {"loss_generator": 2.0 - epoch / 40, "loss_discriminator": 1.0 + epoch / 80}
            scores = {"score_real": 0.7, "score_generated": 0.3, "spread": min(0.6, epoch / 40)}
            append_event(run, {"kind": "epoch", "epoch": epoch, **losses, **scores, "duration_s": 1.0})

        samples = generate(generator, latents(config.latent_dim, MEASURE_SEED, 0, 128))
        projection = np.random.default_rng(0).normal(size=(real[0].size, 8)) / real[0].size
        features = (images.reshape(len(images), -1) @ projection for images in (real, samples))
        report = measure(
            real, patients, samples, features=Features("a projection", *features), logits=NotApplicable("no classifier")
        )
        measures = GanMeasures(run.run_id, MEASURE_SEED, "", NotApplicable("no classifier"), report)
        write_json(run.measures, encode(measures))
        update_status(run, state=RunState.EXPORTING, epoch=config.epochs, epochs=config.epochs)
        run.manifest.unlink()
        write_manifest(run, {"parameters": 0, "device": {"name": "by hand", "precision": "float32"}})
        assert len(read_learned(run)) == len(real)
    return FinishedRun(artifacts, run.run_id, tiny_data)


@pytest.fixture
def finished_gan(
    shared_gan: FinishedRun, tmp_path: Path, no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunDirectory]:
    """A copy of the finished DCGAN as this test's own artifacts, its data set connected, to read or to damage."""
    artifacts = tmp_path / "artifacts"
    shutil.copytree(shared_gan.artifacts, artifacts)
    monkeypatch.setenv("PNEUMO_DATA", str(shared_gan.data))
    yield RunDirectory(runs_root() / shared_gan.run_id)
    shutil.rmtree(artifacts)  # Megabytes a test, which pytest would keep for three sessions.
