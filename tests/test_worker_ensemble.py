"""An ensemble of two runs, made by the command line and the real worker."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumo_core.augmentation.stress import degraded_copy, original_id
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.data.images import decode_gray
from pneumo_core.documents import comparison_files, run_files
from pneumo_core.evaluation.calibration import calibrate, calibration_from_dict
from pneumo_core.evaluation.report import evaluate, report_to_dict
from pneumo_core.inference import publish as publishing
from pneumo_core.inference.cases import Cases, read_cases
from pneumo_core.inference.classify import classify, load_classifier
from pneumo_core.inference.compared import compare_runs
from pneumo_core.inference.heatmap import HeatScale, heatmap, read_scale
from pneumo_core.inference.refresh import refresh
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.jobs import runs as jobs
from pneumo_core.jobs.delete import delete
from pneumo_core.records import RunState, Split
from pneumo_core.runs.files import file_sha256, read_json, write_json
from pneumo_core.runs.status import read_status, run_state
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest
from pneumo_core.runs.submission import read_config, read_data
from pneumo_core.worker import main
from tests.conftest import FinishedRun
from tests.ensembles import made_ensemble
from tests.made_runs import vouch_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory, finished_run: FinishedRun) -> Path:
    return made_ensemble(tmp_path_factory, finished_run)


@pytest.fixture(scope="module")
def run(artifacts: Path) -> RunDirectory:
    (path,) = (artifacts / "runs").glob("ensemble-*")
    return RunDirectory(path)


@pytest.fixture(scope="module")
def members(artifacts: Path) -> list[RunDirectory]:
    return [RunDirectory(path) for path in sorted((artifacts / "runs").glob("baseline-*"))]


@pytest.fixture
def own(artifacts: Path, tmp_path: Path, no_published: Path) -> Iterator[RunDirectory]:
    """A copy of the ensemble with its members, to damage."""
    shutil.copytree(artifacts, tmp_path / "artifacts")
    (path,) = (tmp_path / "artifacts" / "runs").glob("ensemble-*")
    yield RunDirectory(path)
    shutil.rmtree(tmp_path / "artifacts")


def test_the_command_prints_the_finished_run(artifacts: Path, run: RunDirectory, members: list[RunDirectory]) -> None:
    printed = json.loads((artifacts / "ensemble.json").read_text())
    assert (printed["run_id"], printed["state"]) == (run.run_id, "succeeded")
    assert (printed["network"], printed["arm"]) == ("Ensemble", "of 2: 2 × Baseline CNN")
    assert printed["members"] == [member.run_id for member in members]
    assert set(printed["report"]["splits"]) == {"val", "stress", "test"}


def test_it_is_a_finished_run_and_nothing_else(run: RunDirectory) -> None:
    assert run_state(run) is RunState.SUCCEEDED
    kept = {
        *("config.json", "model.onnx", "predictions.parquet", "report.json", "calibration.json"),
        *("heatmap.json", "trust.json", "cases.npz"),
    }
    others = {"manifest.json", "status.json", "worker.log", "run.lock", "submit.lock"}
    assert {path.name for path in run.path.iterdir()} == kept | others
    manifest = read_manifest(run)
    assert manifest["files"] == {name: file_sha256(run.path / name) for name in kept}
    # The worker wrote nothing into its log: no warning, no framework.
    assert run.log.read_text() == ""
    assert not {"keras", "tensorflow"} & set(manifest["device"]["versions"])


def test_the_manifest_names_the_members_and_their_models(run: RunDirectory, members: list[RunDirectory]) -> None:
    manifest = read_manifest(run)
    assert manifest["members"] == [
        {"run_id": member.run_id, "model_sha256": file_sha256(member.model)} for member in members
    ]
    assert manifest["parameters"] == 2 * 5_677_329
    assert manifest["images"] == read_manifest(members[0])["images"]
    assert manifest["export_duration_s"] > 0
    assert manifest["peak_memory_bytes"] > 50e6
    assert "training_duration_s" not in manifest


def test_its_config_is_what_its_members_share(run: RunDirectory, members: list[RunDirectory]) -> None:
    config = read_config(run)
    assert isinstance(config, EnsembleConfig)
    one = read_json(members[0].config)["config"]
    assert config.members == tuple(member.run_id for member in members)
    assert (config.preset.value, config.image_size, config.val_fraction, config.max_images) == (
        *("quick", 150, one["val_fraction"]),
        one["max_images"],
    )
    assert config.seed == 0
    assert read_data(run) == read_data(members[0])


def test_its_logits_are_the_means_of_its_members(
    run: RunDirectory, members: list[RunDirectory], tiny_data: Path
) -> None:
    table = pd.read_parquet(run.predictions)
    sessions = [load_session(member.model) for member in members]
    for _, row in table.iloc[:: len(table) // 8].iterrows():
        pixels = decode_gray((tiny_data / original_id(row["image_id"])).read_bytes(), "image", size=150)
        if row["split"] == "stress":
            pixels = degraded_copy(pixels, row["image_id"])
        logits = [run_session(session, pixels[None]).logit[0] for session in sessions]
        assert abs(logits[0] - logits[1]) > 1e-4  # So the mean is neither's.
        assert row["logit"] == pytest.approx(np.mean(logits), abs=1e-4)


def test_it_predicts_the_images_that_its_members_did(run: RunDirectory, members: list[RunDirectory]) -> None:
    own, other = (pd.read_parquet(one.predictions).drop(columns="logit") for one in (run, members[0]))
    pd.testing.assert_frame_equal(own, other)


def test_its_heat_map_is_the_mean_of_theirs(run: RunDirectory, members: list[RunDirectory], tiny_data: Path) -> None:
    pixels = decode_gray(next(tiny_data.glob("test/PNEUMONIA/*")).read_bytes(), "image", size=150)
    cams = [run_session(load_session(one.model), pixels[None]).cam[0] for one in (run, *members)]
    scales = [read_scale(member) for member in members]
    expected = [heatmap(cam, scale, *cam.shape) for cam, scale in zip(cams[1:], scales, strict=True)]
    np.testing.assert_allclose(cams[0], np.mean(expected, axis=0), atol=1e-5)
    assert cams[0].max() > 0
    # In units of the members' full colors; its own full color is reached as often as that of any run.
    own = read_scale(run)
    assert isinstance(own, HeatScale)
    assert 0 < own.full <= 1


def test_threshold_and_calibration_are_chosen_on_degraded_copies(run: RunDirectory) -> None:
    table = pd.read_parquet(run.predictions)
    config = read_config(run)
    assert isinstance(config, EnsembleConfig)
    report = evaluate(
        table, run_id=run.run_id, rule=config.operating_rule, selected_on_test=False, choose_on=Split.STRESS
    )
    assert read_json(run.report) == report_to_dict(report)
    assert calibration_from_dict(read_json(run.calibration)) == calibrate(table, Split.STRESS)


def test_a_refresh_makes_what_is_missing(own: RunDirectory, index: Any) -> None:
    expected = {name: (own.path / name).read_bytes() for name in ("heatmap.json", "trust.json", "report.json")}
    for name in ("heatmap.json", "trust.json"):
        (own.path / name).unlink()
    table = pd.read_parquet(own.predictions)
    own.predictions.write_bytes(table[table["split"] != "stress"].to_parquet(index=False))
    vouch_for(own)
    result = refresh(own)
    assert not result.error
    assert {"heatmap.json", "trust.json", "predictions.parquet", "report.json"} <= set(result.made)
    assert not result.not_made
    assert {name: (own.path / name).read_bytes() for name in expected} == expected


def test_published_it_needs_no_member(
    own: RunDirectory, index: Any, no_published: Path, monkeypatch: pytest.MonkeyPatch, tiny_data: Path
) -> None:
    monkeypatch.setattr(publishing, "published_root", lambda: no_published)
    # The toy's logits lie close to its threshold, where rounding would decide; here, none does.
    report = read_json(own.report)
    write_json(own.report, report | {"operating_point": report["operating_point"] | {"threshold": 0.9999}})
    vouch_for(own)
    published = publishing.publish(own)
    assert published.model.stat().st_size < 0.55 * own.model.stat().st_size
    shutil.rmtree(own.path.parent)
    data = next(tiny_data.glob("test/NORMAL/*")).read_bytes()
    classifier = load_classifier(find_run(published.run_id))
    assert classifier.run_id == published.run_id
    assert classify(classifier, data, "image").probability is not None
    assert read_manifest(published)["members"]
    assert isinstance(read_cases(published), Cases)
    card = run_files(published.run_id)
    assert any("model-card" in name for name in card)


def test_it_is_compared_with_its_member(own: RunDirectory, members: list[RunDirectory]) -> None:
    comparison = compare_runs([own.run_id], [members[0].run_id])
    assert comparison.a.name == "Ensemble of 2: 2 × Baseline CNN · quick · phantoms"
    assert comparison.contrast is not None
    assert comparison.contrast.compared == "network"
    assert {one.name for one in comparison.contrast.further} == {"images that choose", "threshold rule"}
    files = comparison_files([([own.run_id], [members[0].run_id])])
    assert any(name.startswith("pneumo-compare-ensemble-quick-2-baseline") for name in files)


def test_its_model_card_lists_its_members(own: RunDirectory, members: list[RunDirectory]) -> None:
    text = "".join(
        block.decode() for name, block in run_files(own.run_id).items() if name.endswith(".html") and "card" in name
    )
    for member in members:
        assert f"{member.run_id}, SHA-256 of its model {file_sha256(member.model)}" in text
    assert "patients that every member held out" in text
    assert "One set of members" in text


def test_a_member_of_a_finished_one_may_be_deleted(own: RunDirectory, members: list[RunDirectory]) -> None:
    (reference,) = [one for one in delete(members[0].run_id).references if one.run_id == own.run_id]
    assert (reference.words, reference.needs_it) == ("is made from it", False)
    assert run_state(own) is RunState.SUCCEEDED


def test_submitting_it_again_returns_it(own: RunDirectory, index: Any) -> None:
    before = own.manifest.stat().st_mtime_ns
    config = read_config(own)
    assert jobs.submit(config, index).state is RunState.SUCCEEDED
    assert own.manifest.stat().st_mtime_ns == before


def test_a_killed_one_is_resumed_to_the_same_run(own: RunDirectory, index: Any) -> None:
    expected = pd.read_parquet(own.predictions)
    for name in ("manifest.json", "report.json", "predictions.parquet"):
        (own.path / name).unlink()
    own.model.write_bytes(own.model.read_bytes()[:1000])  # Nothing of it is taken over.
    write_json(own.status, read_json(own.status) | {"state": "exporting"})
    assert run_state(own) is RunState.INTERRUPTED
    assert main("train", own.path) == 0
    assert run_state(own) is RunState.SUCCEEDED
    pd.testing.assert_frame_equal(pd.read_parquet(own.predictions), expected)


def test_it_stops_where_it_is_cancelled(own: RunDirectory, index: Any) -> None:
    own.manifest.unlink()
    own.cancel.touch()
    assert main("train", own.path) == 1
    assert run_state(own) is RunState.CANCELLED


def test_a_member_that_is_gone_is_said(own: RunDirectory, index: Any) -> None:
    own.manifest.unlink()
    config = read_config(own)
    assert isinstance(config, EnsembleConfig)
    shutil.rmtree(own.path.parent / config.members[0])
    assert main("train", own.path) == 1
    assert run_state(own) is RunState.FAILED
    assert f"Received: run_id='{config.members[0]}'" in read_status(own).error
