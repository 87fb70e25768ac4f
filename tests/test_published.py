"""The runs that ship with the project are whole, small, and what they say they are."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumo_core.config.classifier import OperatingRule
from pneumo_core.config.run import config_from_dict, run_id
from pneumo_core.data.images import decode_gray
from pneumo_core.evaluation.calibration import Calibration, calibrate
from pneumo_core.evaluation.comparison import Contrast
from pneumo_core.evaluation.probability import probability
from pneumo_core.evaluation.report import evaluate
from pneumo_core.inference.compared import balanced_pairs, compare_runs, groups
from pneumo_core.inference.evidence import read_calibration, read_predictions, read_report
from pneumo_core.inference.gan_measures import read_learned
from pneumo_core.inference.gan_record import read_measures
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.inference.session import load_session, run_session
from pneumo_core.records import NotApplicable
from pneumo_core.runs.store import RunDirectory, find_run, read_manifest, verified_file
from pneumo_core.runs.submission import classifier_config, gan_run_config
from tests.closeness import RELATIVE, assert_close
from tests.sheets import split_sheet

PUBLISHED = sorted((Path(__file__).resolve().parent.parent / "artifacts" / "published").glob("*-*"))


def parametrized(pattern: str) -> pytest.MarkDecorator:
    """Once with each published run of a kind."""
    runs = [RunDirectory(path) for path in PUBLISHED if re.match(pattern, path.name)]
    return pytest.mark.parametrize("run", runs, ids=lambda run: run.run_id)


RUNS, CLASSIFIERS, GANS = parametrized(""), parametrized("baseline|compact|vgg16|ensemble"), parametrized("dcgan")
ASKABLE = pytest.mark.parametrize(
    "run",
    [RunDirectory(path) for path in PUBLISHED if (path / "model.onnx").exists() and not path.name.startswith("dcgan")],
    ids=lambda run: run.run_id,
)


def test_a_fresh_clone_has_a_run_to_predict_with() -> None:
    assert ASKABLE.args[1]


def test_a_fresh_clone_has_the_study_of_both_networks_over_three_seeds() -> None:
    pairs = balanced_pairs(groups())
    names = {
        "Baseline CNN · report": "original",
        "VGG16 · report": "original",
        "VGG16 · sound": "original",
        "Compact CNN · best": "class weights",
    }
    assert {(a.name, b.name, a.seeds, b.seeds) for a, b in pairs} == {
        (f"{name} · {original}", f"{name} · with DCGAN images", (0, 1, 2), (0, 1, 2))
        for name, original in names.items()
    }


def test_the_study_s_pairs_differ_in_what_is_compared_alone() -> None:
    """Their seeds held out the same patients on both sides."""
    for a, b in balanced_pairs(groups()):
        assert compare_runs(a.run_ids, b.run_ids).contrast == Contrast("balancing arm")


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


@CLASSIFIERS
def test_the_report_follows_from_the_predictions_alone(run: RunDirectory) -> None:
    config = config_from_dict(json.loads(run.config.read_text())["config"])
    again = evaluate(
        read_predictions(run),
        run_id=run.run_id,
        rule=config.operating_rule,
        selected_on_test=config.selected_on_test,
        choose_on=config.choose_on,
    )
    # The logistic rule's threshold is fitted step by step, so another processor may round its last digits otherwise.
    is_fitted = config.operating_rule is OperatingRule.LOGISTIC
    assert_close(again, read_report(run), relative=1e-9 if is_fitted else RELATIVE)


@CLASSIFIERS
def test_the_calibration_follows_from_the_predictions_alone(run: RunDirectory) -> None:
    again, stored = calibrate(read_predictions(run), classifier_config(run).choose_on), read_calibration(run)
    if isinstance(again, NotApplicable):  # Its validation images were the test images.
        assert again == stored
        assert read_report(run).selected_on_test
        return
    assert isinstance(stored, Calibration)
    assert again.chosen is stored.chosen
    # Fitted step by step, so another processor may round the last digits otherwise.
    lines = [(each.calibrator.slope, each.calibrator.intercept, each.after.log_loss) for each in (again, stored)]
    assert lines[0] == pytest.approx(lines[1], rel=1e-6)


@RUNS
def test_it_holds_no_patient_s_image_and_is_small(run: RunDirectory) -> None:
    images = [path for path in run.path.iterdir() if path.suffix in {".png", ".jpg", ".jpeg", ".npy"}]
    for path in images:
        assert re.fullmatch(r"sheet-\d{5}\.png", path.name)
        with Image.open(path) as sheet:
            assert (sheet.text["Synthetic"], sheet.text["Run"]) == ("yes", run.run_id)  # type: ignore[attr-defined]
    assert bool(images) == run.run_id.startswith("dcgan-")
    assert sum(path.stat().st_size for path in run.path.iterdir()) <= 34e6


def test_all_that_ships_is_small() -> None:
    root = PUBLISHED[0].parent
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) <= 80e6


@ASKABLE
def test_the_small_model_decides_real_test_images_as_the_trained_one_did(run: RunDirectory) -> None:
    data = os.environ.get("PNEUMO_REAL_DATA")
    if not data:
        pytest.skip("set PNEUMO_REAL_DATA to a chest_xray folder")
    predictions = read_predictions(run)
    # A third of them: `publish` has compared every image of val and test.
    test = predictions[predictions["split"] == "test"].iloc[::3]
    session = load_session(verified_file(run, run.model))
    images = [decode_gray((Path(data) / name).read_bytes(), name, size=session.image_size) for name in test["image_id"]]
    logits = np.concatenate(
        [run_session(session, np.stack(images[start : start + 32])).logit for start in range(0, len(images), 32)]
    )
    threshold = read_report(run).operating_point.threshold
    expected = probability(test["logit"].to_numpy()) >= threshold
    np.testing.assert_array_equal(probability(logits) >= threshold, expected)
    assert np.abs(logits - test["logit"].to_numpy()).max() <= read_manifest(run)["largest_logit_difference"] + 1e-3


@GANS
def test_the_small_generator_draws_the_last_sheet(run: RunDirectory) -> None:
    config = gan_run_config(run)
    generator = load_generator(run)
    fixed = np.random.default_rng([config.seed, 0, 2]).standard_normal((64, config.latent_dim), dtype=np.float32)
    with Image.open(run.sheet(config.epochs)) as sheet:
        drawn = split_sheet(np.asarray(sheet)).astype(int)
    # The sheet was drawn while training, which may be in bfloat16.
    assert np.abs(generate(generator, fixed).astype(int) - drawn).mean() < 2


@GANS
def test_it_has_learned_from_no_test_patient(run: RunDirectory) -> None:
    learned = read_learned(run)
    assert len(learned) == read_manifest(run)["images"]["train"]
    assert learned["image_id"].str.match(r"train/(NORMAL|PNEUMONIA)/").all()


@GANS
def test_its_measures_are_of_its_samples(run: RunDirectory) -> None:
    measures = read_measures(run)
    report = measures.report
    assert measures.run_id == run.run_id
    assert (report.n_real, report.image_size) == (len(read_learned(run)), gan_run_config(run).image_size)
    assert report.collapse.passes
    data = os.environ.get("PNEUMO_REAL_DATA")
    if not data:
        pytest.skip("set PNEUMO_REAL_DATA to a chest_xray folder")
    names = read_learned(run)["image_id"].tolist()
    real = np.stack([decode_gray((Path(data) / name).read_bytes(), name, size=report.image_size) for name in names])
    generator = load_generator(run)
    samples = generate(generator, latents(generator.latent_dim, measures.sample_seed, 0, 5))
    for number, sample in enumerate(samples):
        distances = np.sqrt((((real.astype(float) - sample) / 255) ** 2).mean(axis=(1, 2)))
        stored = report.memorisation_pixels.distance[number]
        # Half precision moves a pixel by a gray level or two.
        assert distances.min() == pytest.approx(stored, abs=0.005)
        assert distances[report.memorisation_pixels.nearest[number]] == pytest.approx(distances.min(), abs=0.005)
