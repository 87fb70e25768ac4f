"""Finished runs brought up to this version's facts, with `finish`: made, current, not makeable, and left by a kill."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumo_core.config.classifier import Preset
from pneumo_core.data.images import decode_gray
from pneumo_core.evaluation import calibration, report
from pneumo_core.evaluation.trust import Trust
from pneumo_core.inference.cases import Cases, read_cases
from pneumo_core.inference.classify import load_classifier
from pneumo_core.inference.evidence import read_calibration, read_predictions, read_report
from pneumo_core.inference.heatmap import NO_PATIENTS, read_scale
from pneumo_core.inference.map_tests import chosen_images
from pneumo_core.inference.refresh import line, refresh
from pneumo_core.inference.stress import has_stress
from pneumo_core.inference.trust import NO_PATIENTS as UNTESTED
from pneumo_core.inference.trust import read_trust
from pneumo_core.records import NotApplicable, Split
from pneumo_core.runs.files import write_atomic, write_json
from pneumo_core.runs.store import RunDirectory, datasets_root, read_manifest, verified_file
from tests.conftest import FinishedRun
from tests.evaluation.test_trust import TRUST
from tests.hostile import assert_one_line
from tests.made_runs import made_predictions, made_run, vouch_for

FACTS = ("predictions.parquet", "report.json", "calibration.json", "heatmap.json", "trust.json", "cases.npz")


@pytest.fixture
def run(with_finished_run: FinishedRun) -> RunDirectory:
    return RunDirectory(with_finished_run.path)


def made_older(run: RunDirectory) -> dict[str, bytes]:
    """A run of a first version: an older report, no calibration or scale. Returns what they were."""
    before = {name: (run.path / name).read_bytes() for name in FACTS}
    table = read_predictions(run)
    write_atomic(run.predictions, table[table["split"] != "stress"].drop(columns="sharpness").to_parquet(index=False))
    write_json(run.report, {"schema": report.SCHEMA - 1, "splits": {}, "fields": "of another time"})
    for name in FACTS[2:]:
        (run.path / name).unlink()
    vouch_for(run)
    return before


def files_of(run: RunDirectory) -> dict[str, tuple[bytes, int]]:
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in run.path.iterdir()
        if path.is_file() and path.name != "run.lock"
    }


def test_a_current_run_is_left_alone(run: RunDirectory) -> None:
    before = files_of(run)
    result = refresh(run)
    assert (result.made, result.current, result.not_made, result.error) == ((), FACTS, {}, "")
    assert line(result) == f"{run.run_id}: current {', '.join(FACTS)}"
    assert files_of(run) == before


def test_an_older_run_gets_what_a_worker_writes_today(run: RunDirectory) -> None:
    of_worker = read_cases(run)
    assert isinstance(of_worker, Cases)
    expected, manifest = made_older(run), read_manifest(run)
    reported: list[tuple[int, int, str]] = []
    result = refresh(run, lambda *facts: reported.append(facts))
    assert (result.made, result.current, result.not_made, result.error) == (FACTS, (), {}, "")
    assert line(result) == f"{run.run_id}: made {', '.join(FACTS)}"
    for name in FACTS[:4]:
        assert (run.path / name).read_bytes() == expected[name]
    found = read_cases(run)
    assert isinstance(found, Cases)
    assert found.image_id.tolist() == of_worker.image_id.tolist()
    np.testing.assert_allclose(found.usual, of_worker.usual, rtol=1e-3, atol=1e-6)
    after = read_manifest(run)
    assert {**after, "files": None} == {**manifest, "files": None}
    for name in after["files"]:
        verified_file(run, run.path / name)
    assert {name for _, _, name in reported} >= {f"{run.run_id}, val images"}
    assert refresh(run).made == ()
    load_classifier(run)


def test_a_calibration_of_an_older_schema_is_read_and_made_again(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = read_calibration(run)
    write_json(run.calibration, {"schema": calibration.SCHEMA, "fields": "of another time"})
    vouch_for(run)
    monkeypatch.setattr(calibration, "SCHEMA", calibration.SCHEMA + 1)
    monkeypatch.setattr("pneumo_core.inference.refresh._SCHEMAS", {"calibration.json": calibration.SCHEMA})
    assert read_calibration(run) == stored
    assert refresh(run).made == ("calibration.json",)
    assert read_calibration(run) == stored


def test_without_its_images_the_rest_is_made_and_the_reason_given(run: RunDirectory) -> None:
    made_older(run)
    shutil.rmtree(datasets_root())
    result = refresh(run)
    made = ("report.json", "calibration.json", "trust.json")  # Of too few patients to test heat maps on.
    assert (result.made, result.error) == (made, "")
    assert set(result.not_made) == {"predictions.parquet", "heatmap.json", "cases.npz"}
    (reason,) = set(result.not_made.values())
    assert_one_line(reason, "data_id=", "data index FOLDER")
    assert line(result).endswith(f"; not made predictions.parquet, heatmap.json, cases.npz: {reason}")
    assert isinstance(read_scale(run), NotApplicable)
    assert read_report(run).run_id == run.run_id


def test_heat_maps_are_tested_on_the_run_s_own_validation_images(
    run: RunDirectory, with_finished_run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[Any] = []

    def run_tests(model: bytes, images: Any, _progress: object) -> Trust:
        received.extend([model, images])
        return TRUST

    monkeypatch.setattr("pneumo_core.inference.map_tests.PATIENTS", 2)
    monkeypatch.setattr("pneumo_core.inference.map_tests.run_tests", run_tests)
    run.trust.unlink()
    vouch_for(run)
    assert refresh(run).made == ("trust.json",)
    assert read_trust(run) == TRUST
    model, images = received
    assert model == run.model.read_bytes()
    chosen = chosen_images(read_predictions(run), is_quick=True)
    assert not isinstance(chosen, NotApplicable)
    ids = chosen["image_id"]
    expected = [decode_gray((with_finished_run.data / name).read_bytes(), name, size=150) for name in ids]
    np.testing.assert_array_equal(images, expected)


def test_a_run_that_selected_on_test_has_no_scale_and_needs_no_image_for_that(no_published: Path) -> None:
    run = made_run(made_predictions(splits=("test",)), preset=Preset.REPORT)
    run.model.write_bytes(b"not opened")
    vouch_for(run)
    result = refresh(run)
    assert (result.made, result.current) == (("calibration.json", "heatmap.json", "trust.json"), ("report.json",))
    assert read_scale(run) == NO_PATIENTS
    assert read_trust(run) == UNTESTED


class TestPublished:
    @pytest.fixture
    def published(self, run: RunDirectory, no_published: Path) -> RunDirectory:
        """An older run as evidence."""
        made_older(run)
        target = RunDirectory(no_published / run.run_id)
        shutil.move(run.path, target.path)
        for name in ("model.onnx", "weights.weights.h5", "trained.json", "run.lock", "submit.lock", "status.json"):
            (target.path / name).unlink()
        vouch_for(target)
        return target

    def test_evidence_gets_its_figures(self, published: RunDirectory) -> None:
        result = refresh(published)
        assert (result.made, result.is_published, result.error) == (FACTS[:3], True, "")
        assert line(result) == (
            f"{published.run_id} (published): made predictions.parquet, report.json, calibration.json; not made heatmap.json, "
            "trust.json, cases.npz: the run ships as evidence, without its model"
        )
        assert {path.name for path in published.path.iterdir() if path.is_file()} == {
            *read_manifest(published)["files"],
            "manifest.json",
            "worker.log",
        }

    def test_a_checkout_that_is_read_only_is_reported(
        self, published: RunDirectory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("os.access", lambda *_: False)
            result = refresh(published)
        assert result.made == ()
        assert_one_line(result.error, "the checkout", str(published.path))
        refresh(published)
        monkeypatch.setattr("os.access", lambda *_: False)
        assert refresh(published).error == "", "nothing is to be written"


def test_damaged_evidence_is_reported_and_nothing_is_written(run: RunDirectory) -> None:
    made_older(run)
    run.predictions.write_bytes(run.predictions.read_bytes() + b" ")
    before = files_of(run)
    result = refresh(run)
    assert_one_line(result.error, "predictions.parquet", run.run_id)
    assert line(result) == f"{run.run_id}: not refreshed: {result.error}"
    assert files_of(run) == before


@pytest.mark.parametrize("is_there", [True, False], ids=["damaged", "missing"])
def test_what_follows_from_the_evidence_is_made_again(run: RunDirectory, is_there: bool) -> None:
    expected = read_report(run)
    if is_there:
        run.report.write_bytes(run.report.read_bytes()[:-9])
    else:
        run.report.unlink()
    assert refresh(run).made == ("report.json",)
    assert read_report(run) == expected


def test_a_half_written_manifest_of_a_kill_is_removed(run: RunDirectory) -> None:
    (run.path / ".manifest.json.abc").write_text("{")
    assert refresh(run).made == ()
    assert not list(run.path.glob(".*"))


class _KilledError(BaseException):
    """Ends the process as far as the code can tell: nothing catches it."""


@pytest.mark.slow
def test_killed_before_any_rename_the_run_reads_as_whole_and_the_next_refresh_ends_it(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_report(run), read_calibration(run)
    scale = read_scale(run)
    made_older(run)
    before = read_report(run)
    older = run.path.with_name("older")
    shutil.copytree(run.path, older)
    real = Path.replace
    for survived in range(20):
        left = [survived]

        def replace(path: Path, target: Any, left: list[int] = left) -> Path:
            if not left[0]:
                raise _KilledError
            left[0] -= 1
            return real(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            try:
                ended = refresh(run)
            except _KilledError:
                ended = None
        has_scale = run.heatmap_scale.name in read_manifest(run)["files"]
        assert (read_report(run), read_calibration(run)) == (expected if has_scale else (before, expected[1]))
        assert has_stress(read_predictions(run)) is has_scale
        assert not has_scale or read_scale(run) == scale
        if ended is not None:
            break
        again = refresh(run)
        assert again.error == ""
        assert again.made == (() if has_scale else FACTS), "once the manifest is replaced, nothing is left to make"
        load_classifier(run)
        assert not run.refreshed.exists()
        shutil.rmtree(run.path)
        shutil.copytree(older, run.path)
    assert survived == 2 * len(FACTS) + 1, "each file is written and moved, and the manifest written"


def test_an_older_run_has_no_stress_figures_until_it_is_refreshed(run: RunDirectory) -> None:
    """Its other predictions stay as they are."""
    of_worker = read_predictions(run)
    made_older(run)
    assert set(read_report(run).splits) == {Split.VAL, Split.TEST}
    softer = read_report(run).softer
    assert isinstance(softer, NotApplicable)
    assert "sharpness" in softer.reason
    refresh(run)
    assert set(read_report(run).splits) == {Split.VAL, Split.STRESS, Split.TEST}
    by = ["split", "image_id"]
    left, right = (table.sort_values(by, ignore_index=True) for table in (read_predictions(run), of_worker))
    pd.testing.assert_frame_equal(left, right[left.columns], rtol=1e-4)


def test_evidence_without_images_says_why_its_predictions_stay_as_they_are(no_published: Path) -> None:
    run = made_run(made_predictions())
    result = refresh(run)
    assert "predictions.parquet" in result.not_made
    assert not result.error
