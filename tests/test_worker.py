"""The worker: as a process of its own in the shared run, and in this process where it is sent into trouble."""

import gc
import hashlib
import io
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from pneumo_core.augmentation.stress import degraded_copy, original_id
from pneumo_core.config.architecture import vgg16_layers
from pneumo_core.config.classifier import FineTuneConfig, Preparation, Preset, Scaling
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import config_from_dict
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import assign, case_rows
from pneumo_core.errors import RunError
from pneumo_core.evaluation.calibration import calibrate, calibration_from_dict, calibration_to_dict
from pneumo_core.evaluation.report import evaluate, report_to_dict
from pneumo_core.evaluation.trust import Trust, trust_to_dict
from pneumo_core.inference.cases import Cases, read_cases
from pneumo_core.inference.image_facts import sharpness
from pneumo_core.inference.map_tests import chosen_images
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.inference.trust import NO_PATIENTS, read_trust
from pneumo_core.records import Architecture, NotApplicable, RunState
from pneumo_core.runs.files import file_sha256, hold_lock, lock_is_held, read_json
from pneumo_core.runs.status import read_events, read_status, run_state
from pneumo_core.runs.store import RunDirectory, read_manifest, read_trained, slot_lock, verified_file
from pneumo_core.worker import _load_keras, main
from tests.conftest import ROOT, FinishedRun, ask_for_run
from tests.evaluation.test_trust import TRUST
from tests.waiting import BRIEFLY_S, wait_for

SMALL = replace(preset_config(Architecture.BASELINE, Preset.QUICK, epochs=1), image_size=32, learning_rate=1e-4)
# On stand-in weights, so the pixels' range is kept small.
TUNED = replace(
    preset_config(Architecture.VGG16, Preset.QUICK, epochs=2, fine_tune=FineTuneConfig(1)),
    image_size=32,
    learning_rate=3e-4,
    scaling=Scaling.UNIT,
)
KEPT = {
    *("config.json", "events.jsonl", "weights.weights.h5", "trained.json", "model.onnx"),
    *("predictions.parquet", "report.json", "calibration.json", "heatmap.json", "trust.json", "cases.npz"),
}


# --- The shared run, which a worker process made ----------------------------------------------------------------------


class TestFinishedRun:
    def test_files_are_all_there_and_nothing_else(self, finished_run: FinishedRun) -> None:
        names = {path.name for path in finished_run.path.iterdir()}
        assert names == KEPT | {"manifest.json", "status.json", "worker.log", "run.lock", "submit.lock", "tensorboard"}
        run = RunDirectory(finished_run.path)
        assert run_state(run) is RunState.SUCCEEDED
        assert not lock_is_held(run.run_lock)

    def test_manifest_has_each_file_s_hash_and_the_facts(self, finished_run: FinishedRun) -> None:
        manifest = json.loads((finished_run.path / "manifest.json").read_text())
        expected = {name: hashlib.sha256((finished_run.path / name).read_bytes()).hexdigest() for name in KEPT}
        assert manifest["files"] == expected
        assert manifest["run_id"] == finished_run.run_id
        assert (manifest["parameters"], manifest["trainable_parameters"]) == (5_677_329, 5_676_881)
        assert manifest["weights_sha256"] == expected["weights.weights.h5"]
        assert manifest["seed"] == 0
        assert manifest["device"]["backend"] == "tensorflow"
        assert manifest["device"]["precision"] in {"float32", "mixed_bfloat16"}
        assert {"keras", "numpy", "onnxruntime"} < set(manifest["device"]["versions"])
        assert 0 < manifest["training_duration_s"] < 600
        assert 0 < manifest["export_duration_s"] < 600
        assert 200e6 < manifest["peak_memory_bytes"] < 16e9
        # Written last: nothing that it vouches for is younger.
        written = (finished_run.path / "manifest.json").stat().st_mtime_ns
        assert all((finished_run.path / name).stat().st_mtime_ns <= written for name in KEPT)

    def test_history_has_each_epoch_once(self, finished_run: FinishedRun) -> None:
        run = RunDirectory(finished_run.path)
        epochs = [event for event in read_events(run) if event["kind"] == "epoch"]
        assert [event["epoch"] for event in epochs] == [0, 1]
        for event in epochs:
            assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "duration_s", "time"} <= set(event)
        status = read_status(run)
        assert (status.epoch, status.epochs, status.error) == (2, 2, "")

    def test_predictions_are_one_row_an_image_of_validation_and_test_and_a_copy(
        self, finished_run: FinishedRun
    ) -> None:
        table = pd.read_parquet(finished_run.path / "predictions.parquet")
        assert set(table) == {"image_id", "patient_id", "label", "subtype", "split", "logit", "sharpness"}
        assert table["logit"].dtype == table["sharpness"].dtype == np.float32
        assert np.isfinite(table["logit"]).all()
        assert not table["image_id"].duplicated().any()
        test = sorted(
            path.relative_to(finished_run.data).as_posix() for path in (finished_run.data / "test").rglob("*.jpeg")
        )
        assert sorted(table.loc[table["split"] == "test", "image_id"]) == test
        val = table[table["split"] == "val"]
        folders = val["image_id"].str.partition("/")[0].value_counts()
        assert folders["val"] == len(list((finished_run.data / "val").rglob("*.jpeg")))
        assert folders["train"] > 5
        # Held out by patient: none of them is among the other training images.
        names = {path.name: path.parent.parent.name for path in finished_run.data.rglob("*.jpeg")}
        patients = {name.rsplit("-", 1)[0] for name in val["image_id"].str.rsplit("/").str[-1]}
        held_out = set(val["image_id"].str.rsplit("/").str[-1])
        others = {name for name, split in names.items() if split == "train" and name not in held_out}
        assert not patients & {name.rsplit("-", 1)[0] for name in others}
        stress = table[table["split"] == "stress"]
        assert stress["image_id"].tolist() == [f"{name}#1" for name in val["image_id"]]
        assert stress["patient_id"].tolist() == val["patient_id"].tolist()
        assert stress["sharpness"].isna().all()
        assert table.loc[table["split"] != "stress", "sharpness"].notna().all()
        is_pneumonia = table["image_id"].str.contains("/PNEUMONIA/")
        np.testing.assert_array_equal(table["label"], is_pneumonia.astype(int))

    def test_logits_are_the_model_s_own(self, finished_run: FinishedRun) -> None:
        table = pd.read_parquet(finished_run.path / "predictions.parquet")
        session = load_session(finished_run.path / "model.onnx")
        assert session.image_size == 150
        for _, row in table.iloc[:: len(table) // 8].iterrows():
            data = (finished_run.data / original_id(row["image_id"])).read_bytes()
            pixels = decode_gray(data, "image", size=150)
            if row["split"] == "stress":
                pixels = degraded_copy(pixels, row["image_id"])
            else:
                assert row["sharpness"] == pytest.approx(sharpness(pixels), rel=1e-5)
            logit = run_session(session, pixels[None]).logit[0]
            assert logit == pytest.approx(row["logit"], abs=1e-5)

    def test_report_is_recomputable_from_the_predictions_alone(self, finished_run: FinishedRun) -> None:
        table = pd.read_parquet(finished_run.path / "predictions.parquet")
        config = preset_config(Architecture.BASELINE, Preset.QUICK, epochs=2)
        report = evaluate(table, run_id=finished_run.run_id, rule=config.operating_rule, selected_on_test=False)
        assert json.loads(json.dumps(report_to_dict(report))) == read_json(finished_run.path / "report.json")
        assert report.operating_point.split == "val"

    def test_calibration_is_recomputable_from_the_predictions_alone(self, finished_run: FinishedRun) -> None:
        table = pd.read_parquet(finished_run.path / "predictions.parquet")
        again = calibration_to_dict(calibrate(table))
        assert json.loads(json.dumps(again)) == read_json(finished_run.path / "calibration.json")

    def test_log_tells_no_error(self, finished_run: FinishedRun) -> None:
        log = (finished_run.path / "worker.log").read_text()
        assert "Traceback" not in log
        assert "error:" not in log.lower()


# --- In this process --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def succeeded(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    """Artifacts with a finished run of `SMALL`; never change them."""
    artifacts = tmp_path_factory.mktemp("succeeded") / "artifacts"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(artifacts))
        run = ask_for_run(SMALL, build_index(tiny_data))
        # Through its own directory, as everywhere: the verb and the path are the worker's only arguments.
        assert main("train", run.path) == 0, read_status(run)
        assert run_state(run) is RunState.SUCCEEDED
    return artifacts


@pytest.fixture(scope="module")
def vgg16_run(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path, vgg16_weights: Path) -> RunDirectory:
    """A finished run of `TUNED`; never change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(tmp_path_factory.mktemp("vgg16") / "artifacts"))
        patch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))
        run = ask_for_run(TUNED, build_index(tiny_data))
        assert main("train", run.path) == 0, read_status(run)
    return run


def keras_model(run: RunDirectory) -> Any:
    """The run's kept weights in its network, in float32."""
    import keras

    from pneumo_core.training.classifier import build_classifier

    keras.config.set_dtype_policy("float32")
    model = build_classifier(config_from_dict(read_json(run.config)["config"]))
    model.load_weights(run.weights)
    return model


@pytest.fixture
def run(succeeded: Path, tmp_path: Path) -> Iterator[RunDirectory]:
    """A copy of the finished run of `SMALL`, to take steps back from."""
    shutil.copytree(succeeded, tmp_path / "artifacts")
    (found,) = (tmp_path / "artifacts" / "runs").glob("baseline-*")
    yield RunDirectory(found)
    shutil.rmtree(tmp_path / "artifacts")


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of each file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_failed(run: RunDirectory, *parts: str) -> None:
    """The run says why it failed, on one line, and can be distinguished from one that was killed."""
    assert run_state(run) is RunState.FAILED
    error = read_status(run).error
    assert "\n" not in error
    for part in parts:
        assert part in error
    assert not run.manifest.exists()
    assert not lock_is_held(run.run_lock)
    assert not lock_is_held(slot_lock())


class TestSteps:
    def test_a_trained_run_is_finished_without_training(
        self, run: RunDirectory, index: DataIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is left after training elsewhere, or after a kill while exporting; its heat maps are tested here."""
        received: list[Any] = []

        def run_tests(*arguments: Any) -> Trust:
            received.extend(arguments[:2])
            return TRUST

        monkeypatch.setattr("pneumo_core.inference.map_tests.PATIENTS", 2)
        monkeypatch.setattr("pneumo_core.inference.map_tests.run_tests", run_tests)
        before = {name: (run.path / name).read_bytes() for name in KEPT}
        trained = {"weights.weights.h5", "trained.json", "events.jsonl", "config.json"}
        for name in {"manifest.json", *KEPT} - trained:
            (run.path / name).unlink()
        assert run_state(run) is RunState.TRAINED
        assert main("export", run.path) == 0
        assert run_state(run) is RunState.SUCCEEDED
        for name in trained:
            assert (run.path / name).read_bytes() == before[name]
        predictions = pd.read_parquet(io.BytesIO(before["predictions.parquet"]))
        pd.testing.assert_frame_equal(pd.read_parquet(run.predictions), predictions)
        assert run.report.read_bytes() == before["report.json"]
        assert run.calibration.read_bytes() == before["calibration.json"]
        for name in read_manifest(run)["files"]:
            verified_file(run, run.path / name)
        assert read_trust(run) == TRUST
        model, images = received
        assert model == run.model.read_bytes()
        chosen = chosen_images(predictions, is_quick=True)
        assert not isinstance(chosen, NotApplicable)
        ids = chosen["image_id"]
        np.testing.assert_array_equal(images, index.pixels(32)[index.rows_of(ids)])

    def test_a_run_that_pads_sees_padded_images_to_its_end(
        self, run: RunDirectory, index: DataIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The weights do not matter: predictions, cases and tested heat maps are of the squares that it trained on."""
        tested: list[Any] = []
        monkeypatch.setattr("pneumo_core.inference.map_tests.PATIENTS", 2)
        monkeypatch.setattr(
            "pneumo_core.inference.map_tests.run_tests", lambda *arguments: (tested.extend(arguments[:2]), TRUST)[1]
        )
        padding = ask_for_run(replace(SMALL, preparation=Preparation.PAD), index)
        for path in (run.weights, run.trained):
            shutil.copy(path, padding.path)
        assert main("export", padding.path) == 0, read_status(padding)

        squares = index.pixels(SMALL.image_size, preparation=Preparation.PAD)
        assert not np.array_equal(squares, index.pixels(SMALL.image_size))  # Phantoms are not all squares.
        session = load_session(padding.model)
        predictions = pd.read_parquet(padding.predictions)
        for row in predictions.groupby("split").head(4).to_dict("records"):
            original = squares[index.rows_of(pd.Series([original_id(row["image_id"])]))[0]]
            seen = original if row["split"] != "stress" else degraded_copy(original, row["image_id"])
            assert row["logit"] == pytest.approx(run_session(session, seen[None]).logit[0], abs=1e-4), row["image_id"]
        _, images = tested
        ids = chosen_images(predictions, is_quick=True)["image_id"]
        np.testing.assert_array_equal(images, squares[index.rows_of(ids)])
        kept = read_cases(padding)
        assert isinstance(kept, Cases)
        trained_on = run_session(session, squares[case_rows(index.table, SMALL)]).features
        np.testing.assert_allclose(kept.center, trained_on.mean(axis=0), rtol=1e-3, atol=1e-5)

    def test_a_finished_run_is_not_trained_again(self, run: RunDirectory) -> None:
        weights = file_sha256(run.weights)
        events = run.events.read_bytes()
        run.manifest.unlink()
        assert main("train", run.path) == 0
        assert (file_sha256(run.weights), run.events.read_bytes()) == (weights, events)

    def test_export_of_a_run_without_weights_fails(self, run: RunDirectory) -> None:
        for name in ("manifest.json", "trained.json", "weights.weights.h5"):
            (run.path / name).unlink()
        assert main("export", run.path) == 1
        assert_failed(run, "trained.json")

    def test_selected_on_test_is_in_everything_that_is_said(self, index: DataIndex) -> None:
        config = replace(preset_config(Architecture.BASELINE, Preset.REPORT, epochs=1), image_size=32)
        run = ask_for_run(config, index)
        assert main("train", run.path) == 0, read_status(run)
        table = pd.read_parquet(run.predictions)
        assert set(table["split"]) == {"test"}
        assert len(table) == len(assign(index.table, config).test)
        report = read_json(run.report)
        assert report["selected_on_test"] is True
        assert read_json(run.heatmap_scale) == {
            "schema": 1,
            "not_applicable": "the run has no validation images of its own, and test images must not set its scale",
        }
        assert read_json(run.trust) == trust_to_dict(NO_PATIENTS)
        # Test images chose it; they must not calibrate it too.
        calibration = calibration_from_dict(read_json(run.calibration))
        assert isinstance(calibration, NotApplicable)
        assert "validation images" in calibration.reason
        assert list(report["splits"]) == ["test"]
        assert report["operating_point"]["threshold"] == 0.5
        images = read_manifest(run)["images"]
        assert images["val"] == images["test"] == len(table)


class TestVgg16:
    def test_a_fine_tuned_run_is_finished_like_any_other(
        self, vgg16_run: RunDirectory, index: DataIndex, vgg16_weights: Path
    ) -> None:
        run = vgg16_run
        manifest = read_manifest(run)
        assert set(manifest["files"]) == KEPT
        layers = vgg16_layers(TUNED.image_size)
        assert manifest["trainable_parameters"] == sum(layer.trainable for layer in layers)
        assert manifest["parameters"] == sum(layer.trainable + layer.fixed for layer in layers)
        # The second phase was the better one: its weights are kept and exported, the last block's among them.
        losses = [event["val_loss"] for event in read_events(run) if event["kind"] == "epoch"]
        assert min(losses) == losses[-1]
        model = keras_model(run)
        with h5py.File(vgg16_weights) as file:
            for name, changed in (("block4_conv3", False), ("block5_conv3", True)):
                stored = file[name][f"{name}_W_1:0"][()]
                assert np.array_equal(model.get_layer(name).get_weights()[0], stored) != changed

        table = pd.read_parquet(run.predictions)
        table = table[table["split"] != "stress"]
        for _, row in table.iloc[:: len(table) // 5].iterrows():
            image = decode_gray((index.root / row["image_id"]).read_bytes(), "image", size=TUNED.image_size)
            logit = model(image[None, ..., None].astype(np.float32)).numpy()[0, 0]
            assert logit == pytest.approx(row["logit"], rel=1e-4, abs=1e-5)

    @pytest.mark.slow
    def test_killed_and_resumed_is_uninterrupted(
        self, vgg16_run: RunDirectory, index: DataIndex, vgg16_weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))
        run = ask_for_run(TUNED, index)
        command = [sys.executable, "-m", "pneumo_core.worker", "train", str(run.path)]
        with run.log.open("wb") as log:
            worker = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:

            def has_backup() -> bool:
                assert worker.poll() is None, run.log.read_text()
                return any(run.backup.glob("epoch-*.npz"))

            wait_for("a backup", has_backup, run.log.read_text)
        finally:
            worker.kill()  # SIGKILL: nothing is said or cleaned up any more.
            worker.wait()
        assert run_state(run) is RunState.INTERRUPTED
        done = max(int(path.stem.partition("-")[2]) for path in run.backup.rglob("epoch-*.npz"))
        assert done < TUNED.epochs + 1

        assert main("train", run.path) == 0, read_status(run)
        facts = read_manifest(run)
        assert facts["first_epoch_of_last_session"] == done
        assert facts["resume"].startswith("resumed: ")
        expected, received = (pd.read_parquet(r.predictions) for r in (vgg16_run, run))
        pd.testing.assert_frame_equal(received.drop(columns="logit"), expected.drop(columns="logit"))
        np.testing.assert_allclose(received["logit"], expected["logit"], rtol=0, atol=1e-6)


def test_garbage_is_looked_for_again_once_keras_is_loaded() -> None:
    _load_keras()
    assert gc.isenabled()


class TestTrouble:
    def test_cancelled_before_its_turn(self, index: DataIndex) -> None:
        run = ask_for_run(SMALL, index)
        run.cancel.touch()
        assert main("train", run.path) == 1
        assert run_state(run) is RunState.CANCELLED
        assert not run.weights.exists()
        assert not lock_is_held(slot_lock())

    def test_cancelled_while_it_is_finished_keeps_the_training(
        self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run.manifest.unlink()
        run.predictions.unlink()
        monkeypatch.setattr("pneumo_core.worker.read_trained", lambda run: (run.cancel.touch(), read_trained(run))[1])
        assert main("export", run.path) == 1
        assert run_state(run) is RunState.CANCELLED
        assert not run.predictions.exists()
        run.cancel.unlink()
        weights = file_sha256(run.weights)
        monkeypatch.undo()
        monkeypatch.setenv("PNEUMO_ARTIFACTS", str(run.path.parent.parent))
        assert main("train", run.path) == 0
        assert run_state(run) is RunState.SUCCEEDED
        assert file_sha256(run.weights) == weights

    def test_a_second_worker_does_not_touch_the_run(self, run: RunDirectory) -> None:
        before = contents(run.path)
        with hold_lock(run.run_lock), pytest.MonkeyPatch.context() as patch:
            patch.setattr("pneumo_core.worker.hold_lock", lambda path: hold_lock(path, timeout_s=BRIEFLY_S))
            with pytest.raises(RunError, match="only one process at a time"):
                main("train", run.path)
        assert contents(run.path) == before

    @pytest.mark.parametrize(
        ("content", "reported"),
        [
            ("{", "config.json must hold JSON"),
            ("[]", "config.json must hold a submitted config"),
            ("{}", "config.json must hold a submitted config"),
            ('{"config": {}, "data": {"data_id": "0123456789ab"}}', "needs exactly the keys"),
        ],
    )
    def test_damaged_config(self, index: DataIndex, content: str, reported: str) -> None:
        run = ask_for_run(SMALL, index)
        run.config.write_text(content)
        assert main("train", run.path) == 1
        assert_failed(run, reported, "Received: ")

    def test_index_that_is_gone(self, index: DataIndex, capsys: pytest.CaptureFixture[str]) -> None:
        run = ask_for_run(SMALL, index)
        shutil.rmtree(run.path.parent.parent / "datasets")
        assert main("train", run.path) == 1
        assert_failed(run, "the index must be intact", index.data_id, "run 'data index FOLDER'")
        # The log keeps the traceback for those who need it.
        assert "Traceback" in capsys.readouterr().err

    def test_images_that_are_gone(self, index: DataIndex, tmp_path: Path) -> None:
        moved = tmp_path / "moved"
        shutil.copytree(index.root, moved)
        run = ask_for_run(SMALL, build_index(moved))
        shutil.rmtree(moved)
        assert main("train", run.path) == 1
        assert_failed(run, "an indexed image must not change", "Received: 'test/NORMAL/")

    def test_weights_that_are_not_those_that_were_trained(self, run: RunDirectory) -> None:
        run.manifest.unlink()
        with run.weights.open("r+b") as file:
            file.seek(100_000)
            file.write(b"damage")
        assert main("train", run.path) == 1
        assert_failed(run, "trained.json must match the weights", run.run_id, "delete trained.json and resume")

    def test_full_disk_fails_in_one_line_and_resumes_when_there_is_room(self, index: DataIndex) -> None:
        run = ask_for_run(SMALL, index)
        with largest_file(1_000_000):
            assert main("train", run.path) == 1
        assert_failed(run, "artifacts must be readable and writable", "weights.weights.h5")
        # No half of a file is taken for a whole one.
        assert not run.weights.exists()
        assert not run.trained.exists()
        assert main("train", run.path) == 0, read_status(run)
        assert run_state(run) is RunState.SUCCEEDED
        assert {path.name for path in run.path.iterdir()} >= KEPT
        assert "partial.weights.h5" not in read_manifest(run)["files"]

    def test_full_disk_while_exporting_keeps_the_training(self, run: RunDirectory) -> None:
        for name in ("manifest.json", "model.onnx", "report.json"):
            (run.path / name).unlink()
        weights = file_sha256(run.weights)
        with largest_file(500_000):
            assert main("train", run.path) == 1
        assert_failed(run, "artifacts must be readable and writable", "model.onnx")
        assert file_sha256(run.weights) == weights
        assert main("train", run.path) == 0, read_status(run)
        assert file_sha256(run.weights) == weights


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writing past `size_bytes` fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
