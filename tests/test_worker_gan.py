"""A DCGAN's run through real worker processes, and a classifier that trains on its samples."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pneumo_core.augmentation.stress import original_id
from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.gan import GanConfig, gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data.gan_arm import collapse_of, follow_gan
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign, gap
from pneumo_core.data.synthetic import is_synthetic
from pneumo_core.errors import RunError
from pneumo_core.inference.gan_measures import SAMPLES, read_learned
from pneumo_core.inference.gan_record import read_measures
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.inference.publish import publish
from pneumo_core.jobs.runs import logs, resume, submit, view
from pneumo_core.records import Architecture, RunState
from pneumo_core.runs.files import file_sha256, lock_is_held, read_json
from pneumo_core.runs.status import read_events, read_status, run_state
from pneumo_core.runs.store import RunDirectory, datasets_root, read_manifest, verified_file
from pneumo_core.worker import _generated
from tests.conftest import ROOT, ask_for_run
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

CONFIG = gan_config(Preset.QUICK, epochs=1, filters=4, latent_dim=8, batch_size=8)
KEPT = {
    *("config.json", "events.jsonl", "weights.weights.h5", "trained.json", "learned.parquet"),
    *("model.onnx", "measures.json", "sheet-00001.png"),
}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gan") / "artifacts"


@pytest.fixture(autouse=True)
def own_settings(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of each test's own artifacts: these share one run, since a worker takes seconds to start."""
    monkeypatch.setenv("PNEUMO_ARTIFACTS", str(artifacts))
    for name in ("PNEUMO_DATA", "PNEUMO_ALLOW_TRAINING", "PNEUMO_VGG16_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def gan(artifacts: Path, tiny_data: Path) -> Iterator[RunDirectory]:
    """A finished run of `CONFIG`; never change its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(artifacts))
        for name in ("PNEUMO_DATA", "PNEUMO_VGG16_WEIGHTS"):
            patch.delenv(name, raising=False)
        yield finished(CONFIG, build_index(tiny_data))


def ended(run: RunDirectory) -> RunState:
    wait_for("the run's end", lambda: not run_state(run).is_live, lambda: (read_status(run), logs(run.run_id)))
    return run_state(run)


def finished(config: GanConfig | TrainConfig, index: DataIndex) -> RunDirectory:
    run = submit(config, index).run
    assert ended(run) is RunState.SUCCEEDED, (read_status(run), logs(run.run_id))
    return run


# --- The DCGAN's run --------------------------------------------------------------------------------------------------


def test_the_manifest_vouches_for_everything(gan: RunDirectory) -> None:
    manifest = read_manifest(gan)
    assert set(manifest["files"]) == KEPT
    for name in KEPT:
        verified_file(gan, gan.path / name)
        assert file_sha256(gan.path / name) == manifest["files"][name]
    assert manifest["run_id"] == gan.run_id
    assert manifest["seed"] == CONFIG.seed
    assert manifest["device"]["backend"] == "tensorflow"
    assert manifest["peak_memory_bytes"] > 100e6
    assert manifest["training_duration_s"] > 0
    assert manifest["export_duration_s"] > 0
    assert not gan.backup.exists()
    assert not lock_is_held(gan.run_lock)
    log = gan.log.read_text()
    assert "Traceback" not in log
    assert "error:" not in log.lower()


def test_parameters_are_counted(gan: RunDirectory) -> None:
    """By hand: kernels of 4 x 4 between maps of 32, 16, 8, 4 and 1 channels, and normalizations of the first four."""
    manifest = read_manifest(gan)
    kernels = 8 * 16 * 32 + 16 * (32 * 16 + 16 * 8 + 8 * 4 + 4 * 1) + 1
    maps = 32 + 16 + 8 + 4
    assert manifest["trainable_parameters"] == kernels + 2 * maps
    assert manifest["parameters"] == kernels + 4 * maps
    mirrored = 16 * (1 * 4 + 4 * 8 + 8 * 16 + 16 * 32 + 32 * 1) + 4 + 1
    assert manifest["discriminator_parameters"] == mirrored + 4 * (8 + 16 + 32)


def test_it_is_exported_and_measured(gan: RunDirectory) -> None:
    learned = read_learned(gan)
    assert len(learned) == read_manifest(gan)["images"]["train"]
    measures = read_measures(gan)
    assert measures.run_id == gan.run_id
    assert measures.report.n_generated == SAMPLES[Preset.QUICK]
    assert measures.report.n_real == len(learned)
    generator = load_generator(gan)
    assert (generator.image_size, generator.latent_dim) == (64, 8)
    with Image.open(gan.sheet(1)) as picture:
        sheet = np.asarray(picture)
    fixed = np.random.default_rng([CONFIG.seed, 0, 2]).standard_normal((64, 8), dtype=np.float32)
    made = generate(generator, fixed).reshape(8, 8, 64, 64).transpose(0, 2, 1, 3).reshape(512, 512)
    assert np.abs(made.astype(int) - sheet).max() < 5  # The training may have been in bfloat16.


def test_submitting_again_returns_the_finished_run(gan: RunDirectory, index: DataIndex) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in gan.path.iterdir()}
    again = submit(CONFIG, index)
    assert (again.run.path, again.state) == (gan.path, RunState.SUCCEEDED)
    assert {path.name: path.stat().st_mtime_ns for path in gan.path.iterdir()} == before
    with pytest.raises(RunError, match="only a stopped run can be resumed"):
        resume(gan.run_id)


# --- Trouble ----------------------------------------------------------------------------------------------------------


def test_killed_and_resumed_it_still_ends(index: DataIndex) -> None:
    run = ask_for_run(replace(CONFIG, seed=1, epochs=30), index)
    command = [sys.executable, "-m", "pneumo_core.worker", "train", str(run.path)]
    with run.log.open("wb") as log:
        worker = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for("an epoch", lambda: read_events(run) or worker.poll() is not None, run.log.read_text)
    finally:
        worker.kill()  # SIGKILL: nothing is said or cleaned up any more.
        worker.wait()
    assert run_state(run) is RunState.INTERRUPTED, logs(run.run_id)
    assert not run.trained.exists()
    resume(run.run_id)
    assert ended(run) is RunState.SUCCEEDED, logs(run.run_id)
    assert {event["epoch"] for event in read_events(run) if event["kind"] == "epoch"} == set(range(30))
    status = read_status(run)
    assert (status.epoch, status.epochs, status.error) == (30, 30, "")


def test_the_run_says_that_so_short_a_training_has_collapsed(gan: RunDirectory) -> None:
    """One epoch of a tiny network leaves all samples alike: the check's verdict is reported wherever the run is."""
    verdict = read_measures(gan).report.collapse
    assert not verdict.passes
    assert collapse_of(gan) == verdict.reason
    assert read_status(gan).message == f"finished, but collapsed: {verdict.reason}"
    with pytest.raises(RunError, match="samples must vary"):
        publish(gan)


def test_a_failure_says_why(index: DataIndex) -> None:
    """An index that has gone since, which only the worker finds out."""
    run = submit(CONFIG, replace(index, data_id="0" * 12)).run
    assert ended(run) is RunState.FAILED
    assert "Received: data_id='000000000000'" in read_status(run).error
    assert view(run.run_id).status.error == read_status(run).error
    assert not run.manifest.exists()


# --- A classifier that trains on its samples --------------------------------------------------------------------------


def test_a_classifier_trains_on_the_samples(gan: RunDirectory, index: DataIndex) -> None:
    quick = preset_config(Architecture.BASELINE, Preset.QUICK, epochs=1, balance=Balance.GAN, gan_run=gan.run_id)
    config = follow_gan(replace(quick, image_size=32))
    run = finished(config, index)

    rows = assign(index.table, config)
    names = index.table["image_id"].iloc[rows.train]
    lacking = int(names.str.contains("/PNEUMONIA/").sum() - names.str.contains("/NORMAL/").sum())
    manifest = read_manifest(run)
    assert manifest["images_added"] == lacking == gap(index.table["label"].to_numpy()[rows.train]) > 0
    assert manifest["images_added_by"] == gan.run_id
    assert manifest["images"]["train"] == len(rows.train)

    # None of what the DCGAN has seen, and nothing generated, is judged by the classifier.
    predictions = pd.read_parquet(run.predictions)
    assert not predictions["image_id"].str.rsplit("/").str[-1].map(is_synthetic).any()
    assert all((index.root / original_id(image_id)).is_file() for image_id in predictions["image_id"])
    learned = read_learned(gan)
    assert not set(predictions["patient_id"]) & set(learned["patient_id"])
    assert set(learned["image_id"]) <= set(names)

    (folder,) = (datasets_root() / "synthetic").iterdir()
    made = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    images = sorted(name for name in made if name != "manifest.json")
    assert len(images) == lacking
    assert all(is_synthetic(name) and gan.run_id in name for name in images)
    expected = generate(load_generator(gan), latents(8, config.seed, 0, lacking))
    for name, image in zip(images, expected, strict=True):
        with Image.open(folder / name) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)
            assert picture.text["Synthetic"] == "yes"
    assert read_json(folder / "manifest.json")["count"] == lacking

    # Another run of the same seed shares them.
    config = replace(config, learning_rate=2e-4)
    other = ask_for_run(config, index)
    assert other.path != run.path
    assert len(_generated(other, config, index)) == lacking
    assert [path.name for path in (datasets_root() / "synthetic").iterdir()] == [folder.name]
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == made


def test_a_dcgan_that_is_not_finished_is_refused(index: DataIndex) -> None:
    unfinished = ask_for_run(replace(CONFIG, seed=2), index)
    quick = preset_config(Architecture.BASELINE, Preset.QUICK, balance=Balance.GAN, gan_run=unfinished.run_id)
    with pytest.raises(RunError, match=r"the run must be finished\. Received: .*" + unfinished.run_id):
        submit(follow_gan(quick), index)
