"""Commands, settings, figures, links and pictures of README and docs/ are those of the project."""

import functools
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from pneumo_core.cli.main import app
from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.ensemble import ClassifierConfig, EnsembleConfig
from pneumo_core.config.naming import model_name
from pneumo_core.data import download
from pneumo_core.data.index import DataIndex
from pneumo_core.data.source import kaggle_folder
from pneumo_core.evaluation.calibration import Calibration, CalibrationKind
from pneumo_core.evaluation.significance import SeedDifference, holm
from pneumo_core.evaluation.wording import difference_parts, difference_text, estimate_text, p_cell
from pneumo_core.inference.compared import balanced_pairs, compare_runs, groups
from pneumo_core.inference.evidence import read_calibration, read_report
from pneumo_core.inference.external import read_external
from pneumo_core.inference.gan_record import read_measures
from pneumo_core.jobs import runs as jobs
from pneumo_core.records import Architecture, Estimate, Metric, NotApplicable, Split
from pneumo_core.runs.store import RunDirectory, read_manifest
from pneumo_core.runs.submission import classifier_config
from pneumo_core.settings import Settings
from tests.data.kaggle_server import KaggleServer
from tests.data.test_download import COUNTS, make_archive
from tests.made_runs import made_predictions, made_run, with_stress

PROJECT = Path(__file__).resolve().parent.parent
PUBLISHED = PROJECT / "artifacts" / "published"
README = (PROJECT / "README.md").read_text(encoding="utf-8")
RESULTS = (PROJECT / "docs" / "results.md").read_text(encoding="utf-8")
MANUAL = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
LINKED = [*MANUAL, *(PROJECT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "pneumo_core/README.md"))]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in MANUAL)
WITHOUT_BREAKS = " ".join(TEXT.split())
COMMANDS = list(
    dict.fromkeys(re.findall(r"^python -m pneumo_core (.*?)(?:\s+#.*)?$", TEXT, flags=re.MULTILINE))  # each once
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_exists_with_its_options(command: str) -> None:
    words = shlex.split(command)
    names = []
    for word in words:
        if word.startswith("-") or not re.fullmatch("[a-z]+", word):
            break
        names.append(word)
        if word not in {"data", "runs", "gan"}:
            break
    result = CliRunner().invoke(app, [*names, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert result.exit_code == 0, result.output
    for option in (word for word in words if word.startswith("--")):
        assert option in result.output


_CHEAP = re.compile(r"(evaluate|compare|predict|gan (evaluate|sample)|runs (list|show|clean)|data (index|phantom))\b")
_TRAINS = re.compile(r"train\b(?!.*gan:)")  # A DCGAN must have learned from the same data.


@pytest.mark.parametrize("command", [command for command in COMMANDS if _CHEAP.match(command)])
def test_each_example_that_trains_nothing_runs(
    command: str, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # Where an example writes what it writes.
    folders = {"path/to/xrays": tiny_data / "test", "path/to/chest_xray": tiny_data}
    result = CliRunner().invoke(app, [str(folders.get(word, word)) for word in shlex.split(command)])
    assert result.exit_code == 0, result.output
    assert result.stdout or command.startswith("runs clean")


@pytest.mark.parametrize("command", [command for command in COMMANDS if _TRAINS.match(command)])
def test_each_example_that_trains_returns_its_run_once_that_is_finished(
    command: str, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, made = jobs.submit, []

    def submit_again(config: TrainConfig, index: DataIndex, **options: Any) -> jobs.RunView:
        settings = {field.name: getattr(config, field.name) for field in fields(config)}
        made.append(made_run(with_stress(made_predictions()), data_id=index.data_id, **settings))
        return submit(config, index, **options)

    monkeypatch.setattr(jobs, "submit", submit_again)
    monkeypatch.setenv("PNEUMO_DATA", str(tiny_data))
    result = CliRunner().invoke(
        app, [word.replace("path/to/chest_xray", str(tiny_data)) for word in shlex.split(command)]
    )
    assert result.exit_code == 0, result.output
    (run,) = made
    assert re.search(rf"{run.run_id}.*succeeded", result.stdout, flags=re.DOTALL)
    assert not run.log.exists()
    assert [path.name for path in (tmp_path / "artifacts" / "runs").iterdir()] == [run.run_id]


@pytest.mark.skipif("PNEUMO_REAL_DATA" not in os.environ, reason="set PNEUMO_REAL_DATA to a chest_xray folder")
def test_readme_s_training_is_the_published_run_on_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = (command for command in COMMANDS if command == "train --preset sound --wait")
    monkeypatch.setenv("PNEUMO_DATA", os.environ["PNEUMO_REAL_DATA"])
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.output
    assert "baseline-ecf6ed585dfd" in result.stdout


def test_the_example_of_a_download_gets_the_data_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (command,) = (command for command in COMMANDS if command.startswith("data download"))
    for name in list(os.environ):
        if name.startswith("KAGGLE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    # The archive is a small one.
    small = functools.partial(download.download_kaggle, expected_counts=COUNTS)
    monkeypatch.setattr(download, "download_kaggle", small)
    with KaggleServer(archive=make_archive()) as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.output
    root = kaggle_folder() / "chest_xray"
    assert str(root) in result.stdout
    assert download.count_images(root) == COUNTS


def test_runs_that_are_named_exist() -> None:
    named = set(re.findall(r"\b(?:baseline|compact|vgg16|dcgan|ensemble)-[0-9a-f]{3,12}\b", "\n".join(COMMANDS)))
    assert len(named) >= 6
    assert {run for run in named if len(list(PUBLISHED.glob(f"{run}*"))) != 1} == set()


def command_names(group: TyperGroup, *above: str) -> Iterator[str]:
    """Names of all commands of the command line, those of groups with the group's name before them."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from command_names(command, *above, name)
        else:
            yield " ".join([*above, name])


def test_every_command_is_documented() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    names = set(command_names(group))
    assert len(names) >= 10
    assert {name for name in names if not any(f"{command} ".startswith(f"{name} ") for command in COMMANDS)} == set()


def test_benchmarks_exist() -> None:
    names = set(re.findall(r"python -m benchmarks\.(\w+)", TEXT))
    assert len(names) >= 5
    assert {name for name in names if not (PROJECT / "benchmarks" / f"{name}.py").is_file()} == set()


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`(PNEUMO_[A-Z0-9_]+)` \|", TEXT))
    assert documented == {f"PNEUMO_{field.name.upper()}" for field in fields(Settings)}


def test_every_preset_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", TEXT, flags=re.MULTILINE)) == {
        preset.value for preset in Preset
    }


def published_row(name: str, split: Split) -> str:
    """The figures of a published run of seed 0, as the rest of its row; `name` is the row's first cell."""
    (preset,) = re.findall(r"`(report|sound|quick)`", name)
    architecture = Architecture.VGG16 if name.startswith("VGG16") else Architecture.BASELINE
    for run in map(RunDirectory, PUBLISHED.glob(f"{architecture}-*")):
        config = classifier_config(run)
        if (config.preset, config.seed, config.balance is Balance.GAN) == (preset, 0, "gan:" in name):
            part = read_report(run).splits[split]
            shown = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)
            return " | ".join((str(part.n), *(estimate_text(metric, part.figures[metric]) for metric in shown)))
    pytest.fail(f"no published run is {name!r}")


@pytest.mark.parametrize(
    "row",
    re.findall(r"^\| ((?:baseline|VGG16) (?!`best`).* \| (?:val|test) \| .*) \|$", RESULTS, flags=re.MULTILINE),
)
def test_each_row_of_the_results_follows_from_published_evidence(row: str) -> None:
    name, split, figures = row.split(" | ", 2)
    assert figures == published_row(name, Split(split))
    assert ("selected on test" in name) == ("`report`" in name)


_OF_A_SPLIT = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)


def recipe_name(config: ClassifierConfig) -> str:
    """First cell of a run's rows among the results of the recipe."""
    if isinstance(config, EnsembleConfig):
        return f"ensemble of {len(config.members)}"
    generated = ", with generated images" if config.balance is Balance.GAN else ""
    return f"{model_name(config.architecture)} `best`{generated}, seed {config.seed}"


def of_the_recipe() -> dict[str, RunDirectory]:
    """Published runs of the preset `best` and ensembles, by the name that the results have."""
    runs = [RunDirectory(path) for path in sorted(PUBLISHED.glob("*-*")) if not path.name.startswith("dcgan")]
    return {recipe_name(config): run for run in runs if (config := classifier_config(run)).preset is Preset.BEST}


def test_each_run_of_the_recipe_has_its_rows() -> None:
    runs = of_the_recipe()
    assert runs
    for name, run in runs.items():
        for split, part in read_report(run).splits.items():
            cells = (name, split, f"{part.n:,}", *(estimate_text(one, part.figures[one]) for one in _OF_A_SPLIT))
            assert f"| {' | '.join(cells)} |" in RESULTS.splitlines()


def test_the_seeds_of_the_recipe_have_their_mean_and_range() -> None:
    seeds: dict[str, list[RunDirectory]] = {}
    for name, run in of_the_recipe().items():
        if isinstance(classifier_config(run), TrainConfig):
            seeds.setdefault(name.rpartition(", seed ")[0], []).append(run)
    for name, runs in ((name, runs) for name, runs in seeds.items() if len(runs) > 1):
        for split in (Split.VAL, Split.STRESS, Split.TEST):
            cells = [f"{name}, {len(runs)} seeds", split.value]
            for metric in _OF_A_SPLIT:
                values = [read_report(run).splits[split].figures[metric] for run in runs]
                found = [value.value for value in values if isinstance(value, Estimate)]
                scale, digits = (1, 3) if metric is Metric.AUROC else (100, 1)
                mean, low, high = (f"{scale * one:.{digits}f}" for one in (np.mean(found), min(found), max(found)))
                cells.append(f"{mean} ({low} to {high})")
            assert f"| {' | '.join(cells)} |" in RESULTS.splitlines()


def test_each_row_of_the_other_hospital_follows_from_what_is_stored() -> None:
    stored = read_external()
    assert not isinstance(stored, NotApplicable)
    sound = {Architecture.BASELINE: "baseline `sound`, published", Architecture.VGG16: "VGG16 `sound`"}
    for one in stored.results:
        config = classifier_config(RunDirectory(PUBLISHED / one.run_id))
        name = sound[config.architecture] if config.preset is Preset.SOUND else recipe_name(config)
        counts = (one.n_normal, one.n_pneumonia, one.refused, one.warned)
        shown = (Metric.ACCURACY, Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)
        cells = (*(f"{count:,}" for count in counts), *(estimate_text(metric, one.figures[metric]) for metric in shown))
        assert f"| {name} | {' | '.join(cells)} |" in RESULTS.splitlines()
        assert f"{one.copies} images that are copies" in WITHOUT_BREAKS


def test_readme_s_results_are_rows_of_the_detailed_results() -> None:
    rows = re.findall(r"^\| (?:run|baseline|Baseline CNN|VGG16|ensemble) .*$", README, flags=re.MULTILINE)
    assert len(rows) >= 4
    assert [row for row in rows if row not in RESULTS.splitlines()] == []


def test_the_study_s_figures_are_the_tables() -> None:
    pairs = balanced_pairs(groups())
    assert len(pairs) == 4
    for original, balanced in pairs:
        found = compare_runs(original.run_ids, balanced.run_ids)
        accuracy, seeds = found.differences[Metric.ACCURACY].estimate, found.seeds[Metric.ACCURACY]
        auroc = found.differences[Metric.AUROC].estimate
        assert isinstance(accuracy, Estimate)
        assert isinstance(seeds, SeedDifference)
        assert isinstance(auroc, Estimate)
        cells = (
            original.name.removesuffix(" · original").removesuffix(" · class weights")
            + (", selected on test" if found.a.selected_on_test else ""),
            *(estimate_text(Metric.ACCURACY, side.figures[Metric.ACCURACY]) for side in (found.a, found.b)),
            difference_text(Metric.ACCURACY, accuracy),
            difference_text(Metric.ACCURACY, seeds) + f", p {p_cell(seeds.p)}",
            difference_text(Metric.AUROC, auroc),
        )
        assert f"| {' | '.join(cells)} |" in RESULTS.splitlines()
        assert "No difference in accuracy is shown" in found.verdict.sentence


def test_the_pair_whose_kinds_of_error_move_is_described() -> None:
    (pair,) = (pair for pair in balanced_pairs(groups()) if pair[0].name.startswith("VGG16 · report"))
    found = compare_runs(*(side.run_ids for side in pair))
    for metric in (Metric.SENSITIVITY, Metric.SPECIFICITY):
        patients, seeds = found.differences[metric].estimate, found.seeds[metric]
        assert isinstance(patients, Estimate)
        assert isinstance(seeds, SeedDifference)
        value, ends = difference_parts(metric, patients)
        assert value[1:] in WITHOUT_BREAKS
        assert f"({ends} over patients, {difference_parts(metric, seeds)[1]} over seeds)" in WITHOUT_BREAKS
    three = (Metric.SENSITIVITY, Metric.SPECIFICITY, Metric.AUROC)
    welch = [difference.p for metric in three if isinstance(difference := found.seeds[metric], SeedDifference)]
    assert f"(Welch p {p_cell(welch[2])}, {p_cell(holm(welch)[2])} by Holm's method)" in WITHOUT_BREAKS


def test_peak_memory_is_what_the_published_runs_recorded() -> None:
    runs = (RunDirectory(PUBLISHED / name) for name in ("baseline-ecf6ed585dfd", "vgg16-97d3cb5e2e15"))
    baseline, vgg16 = (f"{read_manifest(run)['peak_memory_bytes'] / 1e9:.1f} GB" for run in runs)
    assert f"as the published runs recorded it: {baseline} for the baseline, {vgg16} for VGG16" in WITHOUT_BREAKS


def test_the_dcgan_s_duration_is_what_it_recorded() -> None:
    (run,) = map(RunDirectory, PUBLISHED.glob("dcgan-*"))
    minutes = read_manifest(run)["training_duration_s"] / 60
    assert f"{minutes:.0f} minutes on two busy cores, as the run recorded" in WITHOUT_BREAKS


def test_calibrations_are_described() -> None:
    calibrations = {
        path.name: found
        for path in PUBLISHED.glob("*-*")
        if not path.name.startswith("dcgan") and isinstance(found := read_calibration(RunDirectory(path)), Calibration)
    }
    helped = [name for name, found in calibrations.items() if found.chosen is not CalibrationKind.IDENTITY]
    assert (
        f"of the {len(calibrations)} published runs that have some, {len(helped)} are, both `quick` ones"
        in WITHOUT_BREAKS
    )
    configs = [classifier_config(RunDirectory(PUBLISHED / name)) for name in helped]
    assert sorted(config.preset for config in configs) == ["best"] * 11 + ["quick"] * 2 + ["sound"]
    generated = [one for one in configs if isinstance(one, TrainConfig) and one.balance is Balance.GAN]
    assert sorted(config.preset for config in generated) == ["best"] * 3 + ["sound"]
    splits = read_report(RunDirectory(PUBLISHED / "baseline-ecf6ed585dfd")).splits
    losses = [f"{loss.value:.2f}".lstrip("0") for split in (Split.VAL, Split.TEST) if (loss := splits[split].log_loss)]  # type: ignore[union-attr]
    assert f"log loss is {losses[0]} on validation and {losses[1]} on test" in WITHOUT_BREAKS


def test_the_published_dcgan_s_figures_are_the_tables() -> None:
    (run,) = PUBLISHED.glob("dcgan-*")
    measures = read_measures(RunDirectory(run))
    report, features, memory = measures.report, measures.report.features, measures.report.memorisation_features

    def told(estimate: Estimate, shape: str) -> str:
        value, low, high = (format(number, shape) for number in (estimate.value, estimate.low, estimate.high))
        if shape.endswith("%"):
            return f"{value[:-1]} % ({low[:-1]} to {high[:-1]})"
        text = f"{value} ({low} to {high})"
        return text.replace("0.", ".") if shape == ".3f" else text

    rows = [
        f"| KID | {told(features.kid, '.3f')} | {told(features.kid_floor, '.3f')}, so {features.kid_ratio.value:.0f} times",
        f"| FID, equal numbers | {told(features.fid_matched, '.1f')} | {told(features.fid_floor, '.1f')}, so ",
        f"so {features.fid_ratio.value:.1f} times the upper end |",
        f"| {told(features.precision_matched, '.0%')} | {told(features.precision_ceiling, '.0%')} |",
        f"| {told(features.recall_matched, '.0%')} | {told(features.recall_ceiling, '.0%')} |",
        f"| {told(report.collapse.ms_ssim, '.3f')} | {told(report.collapse.real_ms_ssim, '.3f')} |",
        f"by pixels | {told(report.memorisation_pixels.share, '.1%')} | 1 % |",
        f"by features | {told(memory.share, '.1%')} | 1 % |",
        f"| {told(report.called_pneumonia, '.1%')} | {told(measures.real_called_pneumonia, '.1%')} |",
        f"By features, {100 * memory.share.value:.1f} % of samples are nearer",
        f"by pixels {100 * report.memorisation_pixels.share.value:.1f} %: no more",
        f"KID is {features.kid_ratio.value:.0f} times the upper end of",
        f'"{features.space}"',
        f"`{run.name}`",
    ]
    assert [row for row in rows if row not in WITHOUT_BREAKS] == []


def test_make_targets_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    text = TEXT + (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^ *make ([\w-]+)", text, flags=re.MULTILINE))
    assert targets >= {"run", "test", "check"}
    assert {name for name in targets if not re.search(rf"^{name}:", makefile, flags=re.MULTILINE)} == set()


def test_readme_fits_on_two_screens_and_opens_with_the_overview_and_a_walk() -> None:
    assert len(README.splitlines()) <= 100
    assert pictures(README) == ["docs/screenshots/overview-light.png", "docs/screenshots/walk.webp"]
    assert README.index("walk.webp") < README.index("## Start")


def test_the_walk_moves_and_is_small() -> None:
    path = PROJECT / "docs" / "screenshots" / "walk.webp"
    assert path.stat().st_size < 2e6
    with Image.open(path) as walk:
        assert walk.n_frames >= 5


def links(text: str) -> list[str]:
    """Targets of all Markdown links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", text)


def pictures(text: str) -> list[str]:
    """Targets of all Markdown pictures."""
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)


def anchors(text: str) -> set[str]:
    """What a link may name of a file: its headings, as code hosts write them."""
    return {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    }


def broken_links(path: Path, text: str) -> list[str]:
    """Relative links of a file that lead to no file of the project, or to no heading of it."""
    broken = []
    for link in links(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        inside = target.is_file() and target.is_relative_to(PROJECT)
        if not inside or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", LINKED, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_and_pictures_exist(path: Path) -> None:
    assert broken_links(path, path.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_found() -> None:
    text = "[a](LICENSE) [b](docs/nowhere.md) ![c](none.png) [d](CONTRIBUTING.md#nowhere) [e](https://x.org) [f](docs/../..)"
    broken = ["docs/nowhere.md", "none.png", "CONTRIBUTING.md#nowhere", "docs/../.."]
    assert broken_links(PROJECT / "README.md", text) == broken


def test_modules_that_the_architecture_page_names_exist() -> None:
    text = (PROJECT / "pneumo_core" / "README.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`([\w/]+\.py)`", text)) - {"app.py"}
    assert len(names) >= 40
    assert {name for name in names if not (PROJECT / "pneumo_core" / name).is_file()} == set()


def test_each_file_of_docs_is_linked_from_readme() -> None:
    assert {f"docs/{path.name}" for path in MANUAL[1:]} <= set(links(README))


def test_each_picture_of_a_light_page_is_shown() -> None:
    """A page whose picture nobody links to is a picture that goes stale unseen."""
    shown = {Path(name).stem.rpartition("-")[0] for name in pictures(TEXT)}
    assert {path.stem.rpartition("-")[0] for path in (PROJECT / "docs" / "screenshots").iterdir()} == shown
