"""Names of files that people take away, and that nothing else makes any."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pneumo_core.config.classifier import Balance, Preset, TrainConfig
from pneumo_core.config.ensemble import EnsembleConfig
from pneumo_core.config.gan import gan_config
from pneumo_core.config.presets import preset_config
from pneumo_core.data.synthetic import is_synthetic
from pneumo_core.records import Architecture, Label
from pneumo_core.reporting.file_names import file_name, pair_words, run_words, study_words, synthetic_file

ROOT = Path(__file__).resolve().parents[2]
MAKERS = {"file_name", "synthetic_file", "synthetic_name"}


def config(
    architecture: Architecture = Architecture.VGG16,
    preset: Preset = Preset.SOUND,
    balance: Balance = Balance.NONE,
    seed: int = 0,
) -> TrainConfig:
    made = preset_config(architecture, preset, seed=seed)
    return replace(made, balance=balance, gan_run="dcgan-0123456789ab" if balance is Balance.GAN else None)


NONE, DCGAN = config(), config(balance=Balance.GAN)
BASELINE = config(Architecture.BASELINE, Preset.REPORT, Balance.OVERSAMPLE)


def seeds(one: TrainConfig, *numbers: int) -> list[TrainConfig]:
    return [replace(one, seed=seed) for seed in numbers]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (seeds(NONE, 0, 1, 2), seeds(DCGAN, 0, 1, 2), "vgg16-sound-none-vs-dcgan"),
        ([NONE], [DCGAN], "vgg16-sound-none-vs-dcgan-seed0"),
        ([NONE], seeds(NONE, 1), "vgg16-sound-none-seed0-vs-seed1"),
        ([NONE], seeds(BASELINE, 1), "vgg16-sound-none-seed0-vs-baseline-report-oversample-seed1"),
        ([NONE], [BASELINE], "vgg16-sound-none-vs-baseline-report-oversample-seed0"),
        ([NONE], [replace(NONE, epochs=3)], "vgg16-sound-none-seed0-vs-vgg16-sound-none-3-epochs-seed0"),
        ([NONE], seeds(NONE, 1, 2), "vgg16-sound-none-seed0-vs-vgg16-sound-none"),
        ([NONE], [replace(DCGAN, gap_percent=50)], "vgg16-sound-none-vs-dcgan-50-percent-seed0"),
    ],
)
def test_two_sides_are_named_by_what_differs(a: list[TrainConfig], b: list[TrainConfig], expected: str) -> None:
    assert file_name("compare", *pair_words(a, b), "test", kind="pdf") == f"pneumo-compare-{expected}-test.pdf"


def test_a_run_is_named_by_its_settings_or_else_by_its_id() -> None:
    assert run_words(replace(NONE, epochs=6, seed=4)) == ("vgg16", "sound", "none", "6 epochs", "seed4")
    assert run_words(gan_config(Preset.SOUND, label=Label.NORMAL, seed=2)) == ("dcgan", "sound", "normal", "seed2")
    assert run_words(None, "vgg16-0123456789ab") == ("vgg16-0123456789ab",)


def test_a_study_is_named_by_what_all_its_runs_have_in_common() -> None:
    assert study_words([NONE, DCGAN, *seeds(NONE, 1)]) == ("vgg16", "sound", "3-runs")
    assert study_words([NONE, BASELINE]) == ("2-runs",)


def test_names_are_short_lower_case_words_whatever_they_are_made_of() -> None:
    assert file_name("a/../B", None, "", "Ü \x00 c", 3, kind="csv") == "pneumo-a-b-c-3.csv"
    assert len(file_name(*["word"] * 100, kind="csv")) <= 160


def test_generated_images_keep_the_mark_that_no_data_set_takes() -> None:
    assert is_synthetic(synthetic_file("gan", "x", kind="png"))
    assert synthetic_file("gan", "x", kind="png") == "synthetic-pneumo-gan-x.png"


def calls(name: str) -> Iterator[tuple[Path, ast.Module, ast.Call]]:
    """Calls of a function in the pages, with their files and modules."""
    for path in [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == name:
                yield path, tree, node


def test_every_download_of_a_page_has_a_name_made_here() -> None:
    (button,) = calls("download_button")
    assert button[0].name == "table.py"
    found = list(calls("download"))
    assert len(found) > 12
    for path, tree, call in found:
        name = call.args[2]
        if isinstance(name, ast.Name):
            assigned = (node for node in ast.walk(tree) if isinstance(node, ast.Assign) and node.lineno < call.lineno)
            here = [node for node in assigned if ast.unparse(node.targets[0]) == name.id]
            name = max(here, key=lambda node: node.lineno).value
        if ast.unparse(name) == "name.rpartition('/')[2]":  # One of the documents' own files.
            continue
        assert isinstance(name, ast.Call), (path, ast.unparse(name))
        assert getattr(name.func, "id", "") in MAKERS, (path, ast.unparse(name))


def test_every_chart_of_a_page_that_can_be_saved_has_a_name_made_here() -> None:
    found = list(calls("plotly_chart"))
    assert len(found) > 8
    for path, tree, call in found:
        config = next((word.value for word in call.keywords if word.arg == "config"), None)
        if isinstance(config, ast.Name):
            targets = {
                ast.unparse(target): value
                for node in ast.walk(tree)
                if isinstance(node, ast.Assign) and node.lineno < call.lineno
                for target, value in assigned(node)
            }
            config = targets[config.id]
        assert config is not None, (path, call.lineno)
        words = ast.unparse(config)
        assert words == "{'displayModeBar': False}" or words.startswith("picture_name("), (path, call.lineno, words)


def assigned(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Names and values of an assignment, of each of a tuple's too."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=True)
        else:
            yield target, node.value


def test_an_ensemble_is_named_by_its_members() -> None:
    config = EnsembleConfig(
        ("compact-0123456789ab", "vgg16-0123456789ab"), Preset.SOUND, seed=0, val_fraction=0.15, image_size=150
    )
    assert run_words(config) == ("ensemble", "sound", "1-compact", "1-vgg16")
