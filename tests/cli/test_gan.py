"""The DCGAN's commands: what they print and write, and one line for what they refuse."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pneumo_core.cli.main import main
from pneumo_core.config.classifier import Preset
from pneumo_core.config.gan import gan_config
from pneumo_core.data.index import build_index
from pneumo_core.data.splits import gan_rows
from pneumo_core.data.synthetic import LICENSE, is_synthetic
from pneumo_core.errors import CorruptError
from pneumo_core.evaluation.plain import encode
from pneumo_core.inference import gan_measures
from pneumo_core.inference.gan_measures import learned_images, measure_gan
from pneumo_core.inference.gan_record import read_measures
from pneumo_core.inference.generator import generate, latents, load_generator
from pneumo_core.records import Label
from pneumo_core.reporting.gan_findings import finding_text, gan_findings
from pneumo_core.runs.files import read_json, write_json
from pneumo_core.runs.recommended import recommended
from pneumo_core.runs.store import RunDirectory, published_root, read_manifest, runs_root, write_manifest
from tests.conftest import ROOT, ask_for_run
from tests.hostile import assert_one_line
from tests.pages.conftest import linear_generator
from tests.waiting import PATIENCE_S

UNKNOWN = "dcgan-ffffffffffff"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> RunDirectory:
    """A finished, measured DCGAN of PNEUMONIA phantoms, made by hand; never change its files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMO_ARTIFACTS", str(tmp_path_factory.mktemp("gan")))
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        index = build_index(tiny_data)
        config = gan_config(Preset.QUICK, label=Label.PNEUMONIA)
        run = ask_for_run(config, index)
        learned = index.table.iloc[gan_rows(index.table, config)][["image_id", "patient_id", "sha256"]]
        learned.to_parquet(run.learned, index=False)
        real, _ = learned_images(index, learned, 64)
        run.model.write_bytes(linear_generator(real, 8))
        write_manifest(run, {})
        measures = measure_gan(run.run_id, load_generator(run), index, learned, count=20)
        write_json(run.measures, encode(measures))
        run.manifest.unlink()
        write_manifest(run, {})
    return run


@pytest.fixture
def gan(shared: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A copy of the DCGAN as this test's own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    run = RunDirectory(runs_root() / shared.run_id)
    shutil.copytree(shared.path, run.path)
    return run


@pytest.fixture(scope="module")
def classifier() -> str:
    """The baseline that ships with the project."""
    return min(published_root().glob("baseline-*")).name


def as_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pneumo_core", *map(str, arguments)]
    env = {**os.environ, "COLUMNS": "250"}  # Help is cut to the terminal's width.
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


Refused = Callable[..., None]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refused:
    """Run a command here that must end with 1, and one line on standard error that holds some parts."""

    def refused(*arguments: object, reported: tuple[str, ...]) -> None:
        monkeypatch.setattr(sys, "argv", ["python -m pneumo_core", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        output, errors = capfd.readouterr()
        assert (end.value.code, output) == (1, "")
        assert errors.startswith("error: ")
        assert_one_line(errors.removeprefix("error: ").removesuffix("\n"), *reported)

    return refused


def answer(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Any:
    """The JSON document of a command that is run here."""
    monkeypatch.setattr(sys, "argv", ["python -m pneumo_core", *map(str, arguments), "--json"])
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    return json.loads(capfd.readouterr().out)


# --- gan train --------------------------------------------------------------------------------------------------------


def test_help_names_every_setting() -> None:
    result = as_process("gan", "train", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    options = ("preset", "label", "image-size", "seed", "epochs", "batch-size", "filters", "latent-dim", "max-images")
    more = ("generator-learning-rate", "discriminator-learning-rate", "diff-augment", "spectral-norm", "ema-decay")
    for option in (*options, *more, "executor", "wait", "json", "data"):
        assert f"--{option} " in result.stdout


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--filters", 3], "Received: filters=3"),
        (["--image-size", 0], "Received: image_size=0"),
        (["--image-size", 150], "Received: image_size=150"),
        (["--epochs", 0], "Received: epochs=0"),
        (["--ema-decay", 1], "Received: ema_decay=1.0"),
        (["--seed", -1], "Received: seed=-1"),
        (["--batch-size", 22], "training images of NORMAL"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_leaves_no_run(
    refused: Refused, tiny_data: Path, options: list[object], reported: str
) -> None:
    refused("gan", "train", "--preset", "quick", "--data", tiny_data, *options, reported=(reported,))
    assert not runs_root().exists()


# --- gan sample -------------------------------------------------------------------------------------------------------


def test_samples_are_files_that_say_what_they_are(gan: RunDirectory, tmp_path: Path) -> None:
    out = tmp_path / "samples"
    result = as_process("gan", "sample", gan.run_id, "--count", 3, "--seed", 5, "--first", 2, "--out", out, "--json")
    assert result.returncode == 0, result.stderr
    shown = {"run_id": gan.run_id, "out": str(out), "count": 3, "seed": 5, "first": 2}
    assert json.loads(result.stdout) == shown
    names = [f"synthetic-{gan.run_id}-seed5-{number:07d}.png" for number in (2, 3, 4)]
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", *names]
    manifest = read_json(out / "manifest.json")
    assert (manifest["run_id"], manifest["seed"], manifest["first"], manifest["count"]) == (gan.run_id, 5, 2, 3)
    assert [file["name"] for file in manifest["files"]] == names
    images = generate(load_generator(gan), latents(8, 5, 2, 3))
    for name, image in zip(names, images, strict=True):
        assert is_synthetic(name)
        with Image.open(out / name) as read:
            np.testing.assert_array_equal(np.asarray(read), image)
            assert (read.text["Synthetic"], read.text["License"], read.text["Run"]) == ("yes", LICENSE, gan.run_id)


@pytest.mark.parametrize("count", [0, -1, 10_000_000])
def test_numbers_out_of_range_leave_no_folder(gan: RunDirectory, refused: Refused, tmp_path: Path, count: int) -> None:
    reported = (f"a whole number from 1 to 100000. Received: count={count}",)
    refused("gan", "sample", gan.run_id, "--count", count, "--out", tmp_path / "out", reported=reported)
    assert not (tmp_path / "out").exists()


def test_ten_million_end_a_process_with_1_and_a_line(gan: RunDirectory, tmp_path: Path) -> None:
    result = as_process("gan", "sample", gan.run_id, "--count", 10_000_000, "--out", tmp_path / "out")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert_one_line(result.stderr.removeprefix("error: ").strip(), "Received: count=10000000")


# --- gan evaluate -----------------------------------------------------------------------------------------------------


def test_evaluate_prints_the_measures_of_the_run(
    gan: RunDirectory, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = answer(capfd, monkeypatch, "gan", "evaluate", gan.run_id)
    assert shown.pop("findings") == [*map(finding_text, gan_findings(read_measures(gan).report))]
    assert shown == read_json(gan.measures)


def test_evaluate_with_an_option_measures_again(
    gan: RunDirectory, tiny_data: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gan.measures.read_bytes()
    shown = answer(capfd, monkeypatch, "gan", "evaluate", gan.run_id, "--data", tiny_data, "--count", 21, "--seed", 4)
    assert isinstance(shown, dict)
    assert (shown["sample_seed"], shown["report"]["n_generated"]) == (4, 21)
    assert gan.measures.read_bytes() == before


def test_a_refresh_measures_again_what_is_older(
    gan: RunDirectory,
    tiny_data: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    no_published: Path,
) -> None:
    build_index(tiny_data)
    before = read_json(gan.measures)
    write_json(gan.measures, {**{name: value for name, value in before.items() if name != "schema"}, "report": {}})
    write_manifest(gan, {"seed": 0, "collapse": "as it was"})
    with pytest.raises(CorruptError, match=f"`runs refresh {gan.run_id}` measures its samples again"):
        read_measures(gan)
    monkeypatch.setattr(gan_measures, "SAMPLES", {Preset.QUICK: 20})
    (reported,) = answer(capfd, monkeypatch, "runs", "refresh", gan.run_id)
    assert (reported["made"], reported["not_made"], reported["error"]) == (["measures.json"], {}, "")
    measures = read_measures(gan)
    collapse = measures.report.collapse
    assert read_manifest(gan)["collapse"] == ("" if collapse.passes else collapse.reason)
    assert read_manifest(gan)["seed"] == 0
    assert read_json(gan.measures)["report"]["memorisation_pixels"] == before["report"]["memorisation_pixels"]
    (reported,) = answer(capfd, monkeypatch, "runs", "refresh", gan.run_id)
    assert (reported["made"], reported["current"]) == ([], ["measures.json"])


def test_measures_in_a_space_that_is_not_here_are_kept(
    gan: RunDirectory, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = read_json(gan.measures)
    space = "VGG16 ImageNet 01234567, mean of block5_conv3 / 8 at 64 px"
    write_json(
        gan.measures, {"schema": 1, "classifier": "", "report": {**stored["report"], "features": {"space": space}}}
    )
    write_manifest(gan, {})
    before = gan.measures.read_bytes()
    (reported,) = answer(capfd, monkeypatch, "runs", "refresh", gan.run_id)
    assert (reported["made"], reported["error"]) == ([], "")
    assert_one_line(reported["not_made"]["measures.json"], space, "PNEUMO_VGG16_WEIGHTS")
    assert gan.measures.read_bytes() == before


@pytest.mark.parametrize("count", [0, 19, 10_000_000])
def test_numbers_that_are_not_measured(gan: RunDirectory, refused: Refused, tiny_data: Path, count: int) -> None:
    reported = (f"Received: count={count:,}",)
    refused("gan", "evaluate", gan.run_id, "--data", tiny_data, "--count", count, reported=reported)


def test_a_damaged_record_is_reported(gan: RunDirectory, refused: Refused) -> None:
    gan.measures.write_text("{}")
    refused("gan", "evaluate", gan.run_id, reported=("measures.json", gan.run_id))


# --- The wrong run ----------------------------------------------------------------------------------------------------


def test_runs_that_are_unknown_unfinished_or_classifiers(
    gan: RunDirectory, classifier: str, refused: Refused, tmp_path: Path
) -> None:
    for verb, more in (("sample", ("--out", tmp_path / "out")), ("evaluate", ())):
        refused("gan", verb, UNKNOWN, *more, reported=(f"run_id='{UNKNOWN}'", "runs list"))
        refused("gan", verb, "../runs", *more, reported=("run_id='../runs'",))
        refused("gan", verb, classifier, *more, reported=(f"run_id='{classifier}', a classifier's",))
    gan.manifest.unlink()
    for verb, more in (("sample", ("--out", tmp_path / "out")), ("evaluate", ())):
        refused("gan", verb, gan.run_id, *more, reported=("must be finished", gan.run_id))
    assert not (tmp_path / "out").exists()


def test_a_dcgan_answers_no_classifier_s_question(gan: RunDirectory, refused: Refused, tiny_data: Path) -> None:
    reported = ("must be a classifier's", f"run_id='{gan.run_id}', a DCGAN's")
    refused("predict", "--run", gan.run_id, tiny_data / "test", reported=reported)
    refused("evaluate", gan.run_id, reported=reported)


# --- train --balance gan:RUN ------------------------------------------------------------------------------------------


def test_the_arm_needs_a_finished_dcgan_of_the_smaller_class(
    gan: RunDirectory, classifier: str, refused: Refused, tiny_data: Path
) -> None:
    def train(balance: str, *reported: str) -> None:
        refused("train", "--preset", "quick", "--data", tiny_data, "--balance", balance, reported=reported)

    train("gan", str(recommended().dcgan))
    train("gan:", "gan:RUN", "Received: balance='gan:'")
    train("none:" + gan.run_id, "gan:RUN")
    train(f"gan:{classifier}", "must be a DCGAN's run", f"gan_run='{classifier}'")
    train("gan:../../x", "must be a DCGAN's run")
    train(f"gan:{UNKNOWN}", f"run_id='{UNKNOWN}'")
    train(f"gan:{gan.run_id}", "smaller class, NORMAL", "of class PNEUMONIA")
    gan.manifest.unlink()
    train(f"gan:{gan.run_id}", "must be finished", gan.run_id)
    assert not list(runs_root().glob("baseline-*"))
