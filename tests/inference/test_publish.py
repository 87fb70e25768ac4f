"""Publishing a run: the same decisions from half the bytes, and nothing of this machine in it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import DataIndex
from pneumo_core.errors import DataError, RunError
from pneumo_core.evaluation.calibration import calibrate
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import evaluate, report_to_dict
from pneumo_core.inference import publish as room
from pneumo_core.inference.classify import load_classifier
from pneumo_core.inference.compression import Compressed, to_float16
from pneumo_core.inference.evidence import read_calibration, read_predictions, read_report
from pneumo_core.inference.heatmap import read_scale
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.inference.trust import read_trust
from pneumo_core.records import RunState
from pneumo_core.runs.files import write_json
from pneumo_core.runs.status import run_state
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest, verified_file, write_manifest
from tests.made_runs import change_output, vouch_for


@pytest.fixture
def trained(with_finished_run) -> RunDirectory:
    """The finished run at a threshold of one half: after two epochs all its logits lie close together, away from 0, and the
    threshold between them would be decided by rounding.
    """
    run = RunDirectory(with_finished_run.path)
    report = evaluate(read_predictions(run), run_id=run.run_id, rule=OperatingRule.HALF, selected_on_test=False)
    write_json(run.report, report_to_dict(report))
    vouch_for(run)
    return run


@pytest.fixture
def published(trained: RunDirectory, no_published: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.setattr(room, "published_root", lambda: no_published)
    return room.publish(trained)


def test_the_copy_is_a_finished_run_of_its_own(published: RunDirectory, with_finished_run) -> None:
    assert run_state(published) is RunState.SUCCEEDED
    assert published.is_published
    assert {path.name for path in published.path.iterdir()} == {
        *("calibration.json", "config.json", "events.jsonl", "heatmap.json", "manifest.json"),
        *("model.onnx", "predictions.parquet", "report.json", "trust.json", "cases.npz"),
    }
    for name in json.loads(published.manifest.read_text())["files"]:
        verified_file(published, published.path / name)
    original = RunDirectory(with_finished_run.path)
    assert read_report(published) == read_report(original)
    assert read_calibration(published) == read_calibration(original)
    assert read_scale(published) == read_scale(original)
    assert read_trust(published) == read_trust(original)
    assert published.model.stat().st_size < 0.55 * original.model.stat().st_size


def test_evidence_is_a_finished_run_that_cannot_predict(
    trained: RunDirectory, no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "published_root", lambda: no_published)
    expected = read_report(trained)
    evidence = room.publish(trained, evidence_only=True)
    assert run_state(evidence) is RunState.SUCCEEDED
    assert {path.name for path in evidence.path.iterdir()} == {
        *("calibration.json", "config.json", "events.jsonl", "manifest.json", "predictions.parquet", "report.json")
    }
    assert read_report(evidence) == expected
    assert str(trained.path) not in "".join(path.read_text(errors="ignore") for path in evidence.path.iterdir())
    with pytest.raises(RunError, match="only the evidence ships"):
        load_classifier(evidence)


def test_it_decides_every_image_as_the_original(published: RunDirectory, with_finished_run) -> None:
    predictions = read_predictions(published)
    predictions = predictions[predictions["split"] != "stress"]
    session = load_session(verified_file(published, published.model))
    images = [
        decode_gray((with_finished_run.data / name).read_bytes(), name, size=150) for name in predictions["image_id"]
    ]
    logits = run_session(session, np.stack(images)).logit
    threshold = read_report(published).operating_point.threshold
    expected = probability(predictions["logit"].to_numpy()) >= threshold
    np.testing.assert_array_equal(probability(logits) >= threshold, expected)
    recorded = json.loads(published.manifest.read_text())["largest_logit_difference"]
    assert np.abs(logits - predictions["logit"].to_numpy()).max() == pytest.approx(recorded, abs=1e-5)


def test_nothing_of_this_machine_is_in_it(published: RunDirectory, with_finished_run) -> None:
    for name in ("config.json", "manifest.json", "events.jsonl", "report.json"):
        assert str(with_finished_run.data.parent) not in (published.path / name).read_text()


def test_a_run_from_before_calibrations_gets_one(
    trained: RunDirectory, no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained.calibration.unlink()
    write_manifest(trained, {name: value for name, value in read_manifest(trained).items() if name != "files"})
    monkeypatch.setattr(room, "published_root", lambda: no_published)
    published = room.publish(trained)
    assert "calibration.json" in read_manifest(published)["files"]
    assert read_calibration(published) == calibrate(read_predictions(trained))


def test_a_local_run_is_found_before_the_published_copy(published: RunDirectory, with_finished_run) -> None:
    assert find_run(published.run_id).path == with_finished_run.path
    (with_finished_run.path / "manifest.json").unlink()
    assert find_run(published.run_id) == published


def test_a_published_run_is_not_published_again(published: RunDirectory) -> None:
    with pytest.raises(RunError, match="only a local run can be published"):
        room.publish(published)


def test_a_data_set_that_lacks_an_image_is_refused(
    trained: RunDirectory, no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = room.load_index

    def without_one(data_id: str) -> DataIndex:
        index = whole(data_id)
        return replace(index, table=index.table[index.table["image_id"] != read_predictions(trained)["image_id"][3]])

    monkeypatch.setattr(room, "published_root", lambda: no_published)
    monkeypatch.setattr(room, "load_index", without_one)
    missing = read_predictions(trained)["image_id"][3]
    with pytest.raises(DataError, match=rf"must have the run's images\. Received: missing=1, the first '{missing}'"):
        room.publish(trained)
    assert not list(no_published.iterdir())


def test_a_model_that_decides_otherwise_is_refused(
    trained: RunDirectory, no_published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flipped(model: bytes) -> Compressed:
        small = onnx.load_from_string(to_float16(model))
        change_output(small, "logit", "Neg")
        return Compressed(small.SerializeToString(), "float16")

    monkeypatch.setattr(room, "published_root", lambda: no_published)
    monkeypatch.setattr(room, "compressed", flipped)
    with pytest.raises(RunError, match="must decide as the original"):
        room.publish(trained)
    assert list(no_published.iterdir()) == []
