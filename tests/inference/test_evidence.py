from pathlib import Path

import pandas as pd
import pytest

from pneumo_core.config.classifier import Preset
from pneumo_core.config.presets import preset_config
from pneumo_core.errors import CorruptError, RunError, StoreError
from pneumo_core.evaluation.calibration import calibrate, calibration_to_dict
from pneumo_core.evaluation.report import SCHEMA, report_to_dict
from pneumo_core.inference.evidence import calibrated, evaluated, read_calibration, read_predictions, read_report
from pneumo_core.records import Architecture, NotApplicable, Split
from pneumo_core.runs.files import file_sha256, read_json, write_json
from pneumo_core.runs.store import RunDirectory
from tests.conftest import FinishedRun
from tests.hostile import assert_one_line
from tests.made_runs import made_predictions, with_stress


def vouch_for(run: RunDirectory, path: Path) -> None:
    """Put a file's present hash into the manifest."""
    manifest = read_json(run.manifest)
    manifest["files"][path.name] = file_sha256(path)
    write_json(run.manifest, manifest)


def test_what_the_worker_wrote(finished_run: FinishedRun) -> None:
    run = RunDirectory(finished_run.path)
    table = read_predictions(run)
    pd.testing.assert_frame_equal(table, pd.read_parquet(run.predictions))
    report = read_report(run)
    assert report_to_dict(report) == read_json(run.report)
    assert report.run_id == finished_run.run_id
    for split in (Split.VAL, Split.TEST):
        assert report.splits[split].n == (table["split"] == split.value).sum()


def test_calibration_of_a_run_from_before_is_made_from_its_predictions(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    stored = read_calibration(run)
    assert calibration_to_dict(stored) == read_json(run.calibration)
    manifest = read_json(run.manifest)
    del manifest["files"]["calibration.json"]
    write_json(run.manifest, manifest)
    run.calibration.write_text("not vouched for, so not read")
    assert read_calibration(run) == stored == calibrate(read_predictions(run))


@pytest.mark.parametrize(
    ("read", "name"),
    [(read_predictions, "predictions.parquet"), (read_report, "report.json"), (read_calibration, "calibration.json")],
)
class TestDamage:
    def test_another_file_than_was_written(self, with_finished_run: FinishedRun, read, name: str) -> None:
        path = with_finished_run.path / name
        path.write_bytes(path.read_bytes() + b" ")
        with pytest.raises(CorruptError, match="must have the SHA-256 of the manifest") as caught:
            read(RunDirectory(with_finished_run.path))
        assert_one_line(caught.value, name, with_finished_run.run_id)

    def test_a_file_that_is_gone(self, with_finished_run: FinishedRun, read, name: str) -> None:
        (with_finished_run.path / name).unlink()
        with pytest.raises(RunError if read is read_predictions else StoreError) as caught:
            read(RunDirectory(with_finished_run.path))
        assert_one_line(caught.value, name)

    @pytest.mark.parametrize("content", [b"", b"garbage", b"{}", b"[1]", b"PAR1garbagePAR1"])
    def test_vouched_for_but_no_evidence(self, with_finished_run: FinishedRun, read, name: str, content: bytes) -> None:
        run = RunDirectory(with_finished_run.path)
        (run.path / name).write_bytes(content)
        vouch_for(run, run.path / name)
        with pytest.raises(CorruptError) as caught:
            read(run)
        assert_one_line(caught.value)

    def test_a_run_that_is_not_finished(self, with_finished_run: FinishedRun, read, name: str) -> None:
        (with_finished_run.path / "manifest.json").unlink()
        with pytest.raises(RunError, match="must be finished") as caught:
            read(RunDirectory(with_finished_run.path))
        assert_one_line(caught.value, with_finished_run.run_id)


@pytest.mark.parametrize("is_listed", [True, False])
def test_missing_predictions_are_reported_with_what_to_do(with_finished_run: FinishedRun, is_listed: bool) -> None:
    run = RunDirectory(with_finished_run.path)
    run.predictions.unlink()
    if not is_listed:
        manifest = read_json(run.manifest)
        del manifest["files"]["predictions.parquet"]
        write_json(run.manifest, manifest)
    with pytest.raises(RunError) as caught:
        read_predictions(run)
    assert str(caught.value) == (
        f"the run must have its predictions. Received: run_id={run.run_id!r}, whose predictions.parquet is missing; "
        "export it again or restore it"
    )


def test_a_report_of_an_older_schema_is_made_again(with_finished_run: FinishedRun) -> None:
    run = RunDirectory(with_finished_run.path)
    report = read_report(run)
    write_json(run.report, {"schema": 1, "splits": {}, "fields": "of another time"})
    with pytest.raises(CorruptError, match="must have the SHA-256 of the manifest"):
        read_report(run)
    vouch_for(run, run.report)
    assert read_report(run) == report
    run.predictions.write_bytes(run.predictions.read_bytes() + b" ")
    with pytest.raises(CorruptError, match="must have the SHA-256 of the manifest"):
        read_report(run)


@pytest.mark.parametrize("schema", [0, SCHEMA + 1, "1", None, [1]])
def test_a_report_of_another_schema_is_refused(with_finished_run: FinishedRun, schema: object) -> None:
    run = RunDirectory(with_finished_run.path)
    write_json(run.report, {**read_json(run.report), "schema": schema})
    vouch_for(run, run.report)
    with pytest.raises(CorruptError, match=f"a report must be of schema {SCHEMA}") as caught:
        read_report(run)
    assert_one_line(caught.value)


@pytest.mark.parametrize(("preset", "split"), [(Preset.SOUND, Split.VAL), (Preset.BEST, Split.STRESS)])
def test_a_run_s_own_config_says_what_its_threshold_and_calibration_are_chosen_on(preset: Preset, split: Split) -> None:
    predictions = with_stress(made_predictions())
    config = preset_config(Architecture.BASELINE, preset)
    report, calibration = evaluated("baseline-0123456789ab", config, predictions), calibrated(config, predictions)
    assert not isinstance(calibration, NotApplicable)
    assert report.operating_point.split is calibration.calibrator.split is split
    # Chosen there and nowhere else: without the other images it is the same.
    own = predictions[predictions["split"] == split]
    assert report.operating_point.threshold == pytest.approx(
        evaluated("baseline-0123456789ab", config, own).operating_point.threshold
    )
    other = preset_config(Architecture.BASELINE, Preset.BEST if preset is Preset.SOUND else Preset.SOUND)
    assert (
        report.operating_point.threshold
        != evaluated("baseline-0123456789ab", other, predictions).operating_point.threshold
    )
