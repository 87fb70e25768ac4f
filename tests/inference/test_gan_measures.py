"""A DCGAN's samples measured: in which space, judged by whom, against which images, and the record of it (`gan_record`)."""

import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pneumo_core.config.classifier import Balance, Preset
from pneumo_core.config.gan import GAN_PRESETS, gan_config
from pneumo_core.data.images import decode_gray
from pneumo_core.data.index import DataIndex, build_index
from pneumo_core.data.splits import gan_rows
from pneumo_core.data.synthetic import synthetic_png
from pneumo_core.errors import ConfigError, CorruptError, DataError, PneumoError, RunError, RunNotFoundError
from pneumo_core.evaluation.generator import measures as measures_module
from pneumo_core.evaluation.intervals import clustered_wilson
from pneumo_core.evaluation.plain import encode
from pneumo_core.inference import gan_measures
from pneumo_core.inference.classify import load_classifier
from pneumo_core.inference.gan_measures import (
    MEASURE_SEED,
    SAMPLES,
    learned_images,
    measure_gan,
    read_learned,
)
from pneumo_core.inference.gan_record import SCHEMA, GanMeasures, read_measures
from pneumo_core.inference.generator import Generator, generate, latents, open_generator
from pneumo_core.inference.session import run_session
from pneumo_core.records import Estimate, Label, NotApplicable
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.store import RunDirectory, published_root, runs_root, write_manifest
from pneumo_core.runs.submission import RunData, Submission, write_submission
from tests.conftest import FinishedRun
from tests.hostile import assert_one_line
from tests.pages.conftest import linear_generator

GAN_RUN = "dcgan-0123456789ab"
COUNT = 24
SIZE = 64


@pytest.fixture(autouse=True)
def few_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many halves give a floor without noise is tested with the measures themselves."""
    few = partial(measures_module.feature_measures, kid_splits=50, splits=10)
    monkeypatch.setattr(measures_module, "feature_measures", few)


@pytest.fixture(autouse=True)
def no_downloaded_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def learned(index: DataIndex) -> pd.DataFrame:
    """What a DCGAN of the PNEUMONIA phantoms has learned from."""
    rows = gan_rows(index.table, gan_config(Preset.QUICK, label=Label.PNEUMONIA))
    return index.table.iloc[rows][["image_id", "patient_id", "sha256"]]


@pytest.fixture
def generator(index: DataIndex, learned: pd.DataFrame, tmp_path: Path) -> Generator:
    """A generator that mixes what it has learned from."""
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_generator(learned_images(index, learned, SIZE)[0], 16))
    return open_generator(path)


def measured(generator: Generator, index: DataIndex, learned: pd.DataFrame, **changes: Any) -> GanMeasures:
    return measure_gan(GAN_RUN, generator, index, learned, **{"count": COUNT, **changes})


# --- Which space, and whose view --------------------------------------------------------------------------------------


def test_without_weights_and_classifier_the_published_baseline_is_the_space(
    generator: Generator, index: DataIndex, learned: pd.DataFrame
) -> None:
    """It has been trained on other images, so it is no judge."""
    reported: list[tuple[int, int, str]] = []
    measures = measured(generator, index, learned, progress=lambda *facts: reported.append(facts))
    shipped = min(published_root().glob("baseline-*/model.onnx")).parent.name
    assert measures.report.features.space == f"{shipped}, mean of block4_bn at 150 px from 64"
    assert (measures.run_id, measures.sample_seed, measures.classifier) == (GAN_RUN, MEASURE_SEED, "")
    reason = NotApplicable("no finished classifier has been trained on this data set")
    assert measures.real_called_pneumonia == measures.report.called_pneumonia == reason
    report = measures.report
    assert (report.image_size, report.n_real, report.n_generated) == (SIZE, len(learned), COUNT)
    assert report.n_patients == learned["patient_id"].nunique()
    assert isinstance(report.features.kid, Estimate)
    assert list(dict.fromkeys((what, total) for _, total, what in reported)) == [
        ("features of real images", len(learned)),
        ("features of samples", COUNT),
        ("distances", 1),
    ]


def test_without_any_network_the_pixels_are_measured(
    no_published: Path,
    generator: Generator,
    index: DataIndex,
    learned: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gan_measures, "published_root", lambda: no_published)
    report = measured(generator, index, learned).report
    assert report.features == report.memorisation_features
    assert report.features == NotApplicable("neither VGG16's ImageNet weights nor a finished classifier are available")
    assert isinstance(report.memorisation_pixels.share, Estimate | NotApplicable)
    assert len(report.memorisation_pixels.nearest) == COUNT


def test_vgg16_is_the_space_where_its_weights_are(
    vgg16_weights: Path,
    generator: Generator,
    index: DataIndex,
    learned: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PNEUMO_VGG16_WEIGHTS", str(vgg16_weights))
    space = measured(generator, index, learned, count=20).report.features.space
    assert space.startswith("VGG16 ImageNet ")
    assert space.endswith(" at 64 px")


def test_the_seed_and_the_number_decide(generator: Generator, index: DataIndex, learned: pd.DataFrame) -> None:
    first, again, other = (
        measured(generator, index, learned, **changes) for changes in ({}, {}, {"seed": 1, "count": COUNT + 1})
    )
    assert first == again
    assert (other.sample_seed, other.report.n_generated) == (1, COUNT + 1)
    assert other.report.memorisation_pixels.distance[:COUNT] != first.report.memorisation_pixels.distance


def called_pneumonia(run: RunDirectory, files: list[bytes]) -> list[bool]:
    """Whether a run calls each file PNEUMONIA, one by one as uploads."""
    classifier = load_classifier(run)
    pixels = (decode_gray(data, "x.png", size=150) for data in files)
    logits = [float(run_session(classifier.session, image[None]).logit[0]) for image in pixels]
    return [bool(1 / (1 + np.exp(-logit)) >= classifier.operating_point.threshold) for logit in logits]


def test_a_classifier_of_the_same_data_judges(
    with_finished_run: FinishedRun, generator: Generator, index: DataIndex, learned: pd.DataFrame
) -> None:
    measures = measured(generator, index, learned)
    assert measures.classifier == with_finished_run.run_id
    assert measures.report.features.space.startswith(f"{with_finished_run.run_id}, mean of block4_bn")
    run = RunDirectory(with_finished_run.path)
    samples = generate(generator, latents(16, MEASURE_SEED, 0, COUNT))
    real, patients = learned_images(index, learned, SIZE)
    for images, estimate in ((samples, measures.report.called_pneumonia), (real, measures.real_called_pneumonia)):
        called = called_pneumonia(run, [synthetic_png(image, {}) for image in images])
        assert isinstance(estimate, Estimate)
        assert (estimate.value, estimate.n) == (pytest.approx(np.mean(called)), len(images))
    # The last are the real images, of which a patient has several.
    assert len(set(patients)) < len(patients)
    assert measures.real_called_pneumonia == clustered_wilson(np.array(called), patients)


@pytest.fixture
def judge(with_finished_run: FinishedRun) -> RunDirectory:
    """The finished classifier, to change."""
    return RunDirectory(with_finished_run.path)


def ask(run: RunDirectory, *, data_id: str | None = None, **changes: Any) -> None:
    """Change a run's config, which no manifest vouches for a judge."""
    requested = read_json(run.config)
    requested["config"] |= changes
    requested["data"]["data_id"] = data_id or requested["data"]["data_id"]
    write_json(run.config, requested)


def copy(run: RunDirectory, name: str, *, age_s: float, **changes: Any) -> RunDirectory:
    """A run like another, older by some seconds."""
    other = RunDirectory(run.path.with_name(name))
    shutil.copytree(run.path, other.path)
    ask(other, **changes)
    then = run.config.stat().st_mtime - age_s
    os.utime(other.config, (then, then))
    return other


@pytest.mark.parametrize("change", [{"data_id": "0" * 12}, {"seed": -1}], ids=["other data", "damaged"])
def test_who_does_not_judge(judge: RunDirectory, index: DataIndex, change: dict[str, Any]) -> None:
    ask(judge, **change)
    assert gan_measures._judge(index, None) is None


@pytest.mark.parametrize(("balance", "takes"), [(balance, balance is not Balance.GAN) for balance in Balance])
def test_every_arm_but_the_dcgan_s_may_judge(
    judge: RunDirectory, index: DataIndex, balance: Balance, takes: bool
) -> None:
    ask(judge, balance=balance.value, gan_run=None if takes else GAN_RUN)
    chosen = gan_measures._judge(index, None)
    assert (chosen.run_id if chosen else None) == (judge.run_id if takes else None)


def test_an_unfinished_run_does_not_judge(judge: RunDirectory, index: DataIndex) -> None:
    judge.manifest.unlink()
    assert gan_measures._judge(index, None) is None


def test_baselines_then_sound_ones_then_the_newest_judge(judge: RunDirectory, index: DataIndex) -> None:
    def chosen() -> str:
        found = gan_measures._judge(index, None)
        assert found is not None
        return found.run_id

    ask(judge, architecture="vgg16", preset="sound")
    copy(judge, "baseline-000000000001", age_s=50, architecture="baseline", preset="quick")
    assert chosen() == "baseline-000000000001"
    copy(judge, "baseline-000000000002", age_s=60, architecture="baseline", preset="report")
    assert chosen() == "baseline-000000000002"
    copy(judge, "compact-000000000005", age_s=70, architecture="compact", preset="best")
    assert chosen() == "compact-000000000005"
    copy(judge, "baseline-000000000003", age_s=80, architecture="baseline", preset="sound")
    assert chosen() == "baseline-000000000003"
    copy(judge, "baseline-000000000004", age_s=70, architecture="baseline", preset="sound")
    assert chosen() == "baseline-000000000004"


def test_a_named_classifier_judges_whatever_it_was_trained_on(
    judge: RunDirectory, generator: Generator, index: DataIndex, learned: pd.DataFrame
) -> None:
    ask(judge, data_id="0" * 12, balance=Balance.GAN.value, gan_run=GAN_RUN)
    assert measured(generator, index, learned, classifier=judge.run_id).classifier == judge.run_id


def test_a_named_run_that_cannot_judge_is_reported(
    no_published: Path, generator: Generator, index: DataIndex, learned: pd.DataFrame
) -> None:
    def refused(kind: type[PneumoError], *parts: str) -> None:
        with pytest.raises(kind) as caught:
            measured(generator, index, learned, classifier=GAN_RUN)
        assert_one_line(caught.value, GAN_RUN, *parts)

    refused(RunNotFoundError)
    run = RunDirectory(runs_root() / GAN_RUN)
    write_submission(run, Submission(gan_config(Preset.QUICK), RunData(), 0.0))
    write_manifest(run, {})
    refused(RunError, "must be a classifier's")


# --- Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [-1, 0, 19, 20_001, 10_000_000, True])
def test_numbers_out_of_range_are_refused_before_any_work(
    generator: Generator, index: DataIndex, learned: pd.DataFrame, count: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        measured(generator, index, learned, count=count, progress=lambda *_: pytest.fail("it went to work"))
    assert_one_line(caught.value, "20 to 20,000 samples can be measured. Received: count=")


def test_as_many_as_are_measured_after_a_training_may_be_requested() -> None:
    assert set(SAMPLES) == set(GAN_PRESETS)
    assert all(20 <= count <= 20_000 for count in SAMPLES.values())


# --- What it has learned from -----------------------------------------------------------------------------------------


def test_images_are_found_by_their_content(
    tiny_data: Path, tmp_path: Path, index: DataIndex, learned: pd.DataFrame
) -> None:
    """The same images under other names, in another order, some of them twice, beside others."""
    expected = [decode_gray((tiny_data / name).read_bytes(), name, size=SIZE) for name in learned["image_id"]]
    images, patients = learned_images(index, learned, SIZE)
    np.testing.assert_array_equal(images, expected)
    assert patients.tolist() == learned["patient_id"].tolist()

    for number, name in enumerate(reversed(index.table["image_id"].tolist())):
        split, label, _ = name.split("/")
        for copies in range(1 + number % 2):
            target = tmp_path / "renamed" / split / label / f"{number:03}-{copies}.jpeg"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tiny_data / name, target)
    other = build_index(tmp_path / "renamed")
    assert other.data_id != index.data_id
    again, patients = learned_images(other, learned, SIZE)
    np.testing.assert_array_equal(again, expected)
    assert patients.tolist() == learned["patient_id"].tolist()  # As they were called then.


def test_data_without_the_images_is_refused_with_counts(
    generator: Generator, index: DataIndex, learned: pd.DataFrame
) -> None:
    gone = set(learned["sha256"].iloc[:3])
    smaller = replace(index, table=index.table[~index.table["sha256"].isin(gone)].reset_index(drop=True))
    with pytest.raises(DataError) as caught:
        measured(generator, smaller, learned)
    assert_one_line(caught.value, repr(str(index.root)), f"lacks 3 of {len(learned)}", "that it was trained on")


# --- The record -------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(generator: Generator, index: DataIndex, learned: pd.DataFrame) -> tuple[RunDirectory, GanMeasures]:
    """A finished run with its measures and what they are of."""
    measures = measured(generator, index, learned)
    run = RunDirectory(runs_root() / GAN_RUN)
    write_submission(run, Submission(gan_config(Preset.QUICK), RunData(), 0.0))
    learned.to_parquet(run.learned, index=False)
    write_json(run.measures, encode(measures))
    write_manifest(run, {})
    return run, measures


def test_what_is_kept_is_what_was_measured(kept: tuple[RunDirectory, GanMeasures], learned: pd.DataFrame) -> None:
    run, measures = kept
    assert read_measures(run) == measures
    pd.testing.assert_frame_equal(read_learned(run), learned.reset_index(drop=True))


def test_damaged_and_missing_records_are_reported(kept: tuple[RunDirectory, GanMeasures]) -> None:
    run, measures = kept
    whole = json.loads(run.measures.read_text())

    def refused(kind: type[PneumoError], *parts: str) -> None:
        with pytest.raises(kind) as caught:
            read_measures(run)
        assert_one_line(caught.value, *parts)

    run.measures.write_bytes(run.measures.read_bytes()[:-3])
    refused(CorruptError, "measures.json", GAN_RUN)
    # What a manifest vouches for may still be another version's.
    old = {key: value for key, value in whole.items() if key != "schema"}
    write_json(run.measures, old)
    write_manifest(run, {})
    assert read_measures(run) == replace(measures, schema=1)
    wrong = (
        {},
        [],
        {**whole, "report": {}},
        {**whole, "sample_seed": "first"},
        {**whole, "real_called_pneumonia": None},
        {**whole, "more": 1},
        {**old, "report": {}},
        *({**whole, "schema": other} for other in (0, SCHEMA + 1, True, "2")),
    )
    for content in wrong:
        write_json(run.measures, content)
        write_manifest(run, {})
        refused(CorruptError, "measures", f"runs refresh {GAN_RUN}")
    run.measures.unlink()
    write_manifest(run, {})
    refused(RunError, "must list measures.json", GAN_RUN)
    run.manifest.unlink()
    refused(RunError, "must be finished", GAN_RUN)
    with pytest.raises(RunError, match="must be finished"):
        read_learned(run)
