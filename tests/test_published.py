"""The runs that ship with the project are whole, small, and what they say they are."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from pneumo_core.data.images import decode_gray
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import evaluate
from pneumo_core.inference.evidence import read_predictions, read_report
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.run_config import config_from_dict, run_id
from pneumo_core.store import RunDirectory, find_run, read_manifest, verified_file

PUBLISHED = sorted((Path(__file__).resolve().parent.parent / "artifacts" / "published").glob("*-*"))
RUNS = pytest.mark.parametrize("run", [RunDirectory(path) for path in PUBLISHED], ids=lambda run: run.run_id)


def test_a_fresh_clone_has_a_run_to_predict_with() -> None:
    assert PUBLISHED


@RUNS
def test_every_file_is_the_one_that_was_published(run: RunDirectory) -> None:
    assert find_run(run.run_id) == run
    files = read_manifest(run)["files"]
    assert {path.name for path in run.path.iterdir()} == {*files, "manifest.json"}
    for name in files:
        verified_file(run, run.path / name)


@RUNS
def test_the_id_is_the_hash_of_what_was_asked(run: RunDirectory) -> None:
    asked = json.loads(run.config.read_text())
    assert run_id(config_from_dict(asked["config"]), asked["data"]["data_id"]) == run.run_id


@RUNS
def test_the_report_follows_from_the_predictions_alone(run: RunDirectory) -> None:
    config = config_from_dict(json.loads(run.config.read_text())["config"])
    again = evaluate(
        read_predictions(run),
        run_id=run.run_id,
        rule=config.operating_rule,
        selected_on_test=config.selected_on_test,
    )
    assert again == read_report(run)


@RUNS
def test_it_holds_no_image_and_is_small(run: RunDirectory) -> None:
    assert not [path for path in run.path.iterdir() if path.suffix in {".png", ".jpg", ".jpeg", ".npy"}]
    assert sum(path.stat().st_size for path in run.path.iterdir()) < 16e6


@RUNS
def test_the_small_model_decides_each_real_test_image_as_the_trained_one_did(run: RunDirectory) -> None:
    data = os.environ.get("PNEUMO_REAL_DATA")
    if not data:
        pytest.skip("PNEUMO_REAL_DATA names no chest_xray folder")
    predictions = read_predictions(run)
    test = predictions[predictions["split"] == "test"]
    session = load_session(verified_file(run, run.model))
    images = [decode_gray((Path(data) / name).read_bytes(), name, size=session.image_size) for name in test["image_id"]]
    logits = np.concatenate(
        [run_session(session, np.stack(images[start : start + 32])).logit for start in range(0, len(images), 32)]
    )
    threshold = read_report(run).operating_point.threshold
    expected = probability(test["logit"].to_numpy()) >= threshold
    np.testing.assert_array_equal(probability(logits) >= threshold, expected)
    assert np.abs(logits - test["logit"].to_numpy()).max() <= read_manifest(run)["largest_logit_difference"] + 1e-3
