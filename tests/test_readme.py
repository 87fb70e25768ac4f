"""README's commands, settings and pictures are those of the project."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pneumo_core.cli.main import app
from pneumo_core.config.classifier import Preset
from pneumo_core.evaluation.significance import SeedDifference
from pneumo_core.evaluation.wording import difference_text, estimate_text, p_cell
from pneumo_core.inference.compared import balanced_pairs, compare_runs, groups
from pneumo_core.inference.evidence import read_report
from pneumo_core.inference.gan_measures import read_measures
from pneumo_core.records import Estimate, Metric, Split
from pneumo_core.runs.store import RunDirectory
from pneumo_core.settings import Settings

PROJECT = Path(__file__).resolve().parent.parent
PUBLISHED = PROJECT / "artifacts" / "published"
README = (PROJECT / "README.md").read_text()
COMMANDS = re.findall(r"^python -m pneumo_core (.*?)(?:\s+#.*)?$", README, flags=re.MULTILINE)


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


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 10


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`(PNEUMO_[A-Z0-9_]+)` \|", README))
    assert documented == {f"PNEUMO_{field.name.upper()}" for field in fields(Settings)}


def test_every_preset_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", README, flags=re.MULTILINE)) == {
        preset.value for preset in Preset
    }


@pytest.mark.parametrize("split", [Split.VAL, Split.TEST])
def test_the_published_runs_figures_are_the_tables(split: Split) -> None:
    (row,) = re.findall(
        rf"^\| baseline `sound`, published \| {split.value} \| (\d+) \| (.*) \|$", README, flags=re.MULTILINE
    )
    part = read_report(RunDirectory(PUBLISHED / "baseline-ecf6ed585dfd")).splits[split]
    estimates = [part.accuracy, part.sensitivity, part.specificity, part.auroc]
    assert row == (str(part.n), " | ".join(f"{e.value:.1%} ({e.low:.1%} to {e.high:.1%})" for e in estimates))


def test_the_study_s_figures_are_the_tables() -> None:
    pairs = balanced_pairs(groups())
    assert len(pairs) == 3
    for original, balanced in pairs:
        found = compare_runs(original.run_ids, balanced.run_ids)
        accuracy, seeds = found.differences[Metric.ACCURACY].estimate, found.seeds[Metric.ACCURACY]
        auroc = found.differences[Metric.AUROC].estimate
        assert isinstance(accuracy, Estimate)
        assert isinstance(seeds, SeedDifference)
        assert isinstance(auroc, Estimate)
        cells = (
            original.name + (", selected on test" if found.a.selected_on_test else ""),
            *(estimate_text(Metric.ACCURACY, side.figures[Metric.ACCURACY]) for side in (found.a, found.b)),
            difference_text(Metric.ACCURACY, accuracy),
            difference_text(Metric.ACCURACY, seeds) + f", p {p_cell(seeds.p)}",
            difference_text(Metric.AUROC, auroc),
        )
        assert f"| {' | '.join(cells)} |" in README
        assert "no difference can be shown" in found.verdict.sentence


def test_the_published_dcgan_s_figures_are_the_tables() -> None:
    (run,) = PUBLISHED.glob("dcgan-*")
    measures = read_measures(RunDirectory(run))
    report, features, memory = measures.report, measures.report.features, measures.report.memorisation_features

    def told(estimate: Estimate, shape: str) -> str:
        value, low, high = (format(number, shape) for number in (estimate.value, estimate.low, estimate.high))
        text = f"{value} ({low} to {high})"
        return text.replace("0.", ".") if shape == ".3f" else text

    rows = [
        f"| KID | {told(features.kid, '.3f')} | {told(features.kid_floor, '.3f')}, so {features.kid_ratio.value:.0f} times",
        f"| FID, equal numbers | {told(features.fid_matched, '.1f')} | {told(features.fid_floor, '.1f')}, so ",
        f"so {features.fid_ratio.value:.1f} times the upper end |",
        f"| {told(features.precision_matched, '.0%')} | {told(features.precision_ceiling, '.0%')} |",
        f"| {told(features.recall_matched, '.0%')} | {told(features.recall_ceiling, '.0%')} |",
        f"| {told(report.collapse.ms_ssim, '.3f')} | {told(report.collapse.real_ms_ssim, '.3f')} |",
        f"by pixels | {told(report.memorisation_pixels.share, '.1%')} | 1% |",
        f"by features | {told(memory.share, '.1%')} | 1% |",
        f"| {told(report.called_pneumonia, '.1%')} | {told(measures.real_called_pneumonia, '.1%')} |",
        f'"{features.space}"',
        f"`{run.name}`",
    ]
    assert [row for row in rows if row not in README] == []


def test_make_targets_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("name", re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README))
def test_pictures_exist(name: str) -> None:
    assert (PROJECT / name).is_file()
