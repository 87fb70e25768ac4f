"""The recipe's settings as options of `train` and `study`: each reaches the config, and none is the preset's value."""

from dataclasses import fields
from typing import Any

import pytest

from pneumo_core.cli.recipe import _RECIPE, changes
from pneumo_core.config.augment import AUGMENTATIONS
from pneumo_core.config.classifier import Balance, FineTuneConfig, Preparation, Preset, Schedule, TrainConfig
from pneumo_core.config.naming import SETTINGS
from pneumo_core.config.presets import preset_config
from pneumo_core.config.run import run_id
from pneumo_core.data.index import build_index
from pneumo_core.records import Architecture, Split
from tests.cli.conftest import Invoke, assert_refused
from tests.conftest import FinishedRun

GIVEN: dict[str, tuple[list[str], Any]] = {
    "epochs": (["--epochs", "7"], 7),
    "learning_rate": (["--learning-rate", "0.0005"], 5e-4),
    "image_size": (["--image-size", "64"], 64),
    "preparation": (["--preparation", "pad"], Preparation.PAD),
    "augment": (["--augment", "sound"], AUGMENTATIONS["sound"]),
    "mixup": (["--mixup", "0.5"], 0.5),
    "label_smoothing": (["--label-smoothing", "0.1"], 0.1),
    "weight_decay": (["--weight-decay", "0"], 0.0),
    "schedule": (["--schedule", "plateau"], Schedule.PLATEAU),
    "averaging": (["--averaging", "0.9"], 0.9),
    "choose_on": (["--choose-on", "val"], Split.VAL),
    "test_time_flip": (["--no-test-time-flip"], False),
    "feature_views": (["--feature-views", "3"], 3),
    "trained_blocks": (["--trained-blocks", "1"], 1),
    "fine_tune": (["--trained-blocks", "0", "--fine-tune", "2"], FineTuneConfig(2)),
}
"""Options beside the preset `best` of VGG16, and the value that each sets."""


def test_each_setting_of_the_recipe_is_an_option() -> None:
    assert set(GIVEN) == set(_RECIPE)
    assert set(_RECIPE) <= set(SETTINGS)
    names = [field.name for field in fields(TrainConfig)]
    # A saved split is an option of its own, since it is of a data set.
    assert set(names[names.index("choose_on") :]) - {"named_split"} <= set(_RECIPE)


@pytest.mark.parametrize("command", ["train", "study"])
def test_every_option_reaches_the_config(
    invoke: Invoke, with_finished_run: FinishedRun, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`study --status` names the runs and starts none; `train` is stopped where it would."""
    asked: list[TrainConfig] = []

    def stop(config: TrainConfig, *_: object, **__: object) -> None:
        asked.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr("pneumo_core.cli.train.jobs.submit", stop)
    data_id = build_index(with_finished_run.data).data_id
    plain = preset_config(Architecture.VGG16, Preset.BEST)
    for name, (options, value) in GIVEN.items():
        changed = {name: value, **({"trained_blocks": 0} if name == "fine_tune" else {})}
        expected = preset_config(Architecture.VGG16, Preset.BEST, **changed)
        assert expected != plain
        words = ["--architecture", "vgg16", "--preset", "best", "--data", str(with_finished_run.data), *options]
        if command == "train":
            invoke("train", *words)
            assert asked.pop() == expected
        else:
            (found,) = invoke("study", *words, "--status", "--json").document["runs"]
            assert found["run_id"] == run_id(expected, data_id)
    assert not asked


def test_without_an_option_all_is_the_preset_s(invoke: Invoke, with_finished_run: FinishedRun) -> None:
    data_id = build_index(with_finished_run.data).data_id
    for architecture in ("baseline", "compact", "vgg16"):
        words = ("--architecture", architecture, "--preset", "best", "--data", with_finished_run.data)
        (found,) = invoke("study", *words, "--status", "--json").document["runs"]
        expected = preset_config(Architecture(architecture), Preset.BEST)
        assert found["run_id"] == run_id(expected, data_id)
        assert expected.balance is Balance.CLASS_WEIGHT


def test_no_second_phase_is_the_preset_s() -> None:
    assert changes({"fine_tune": 0, "epochs": None}) == {"fine_tune": None}


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--mixup", "11"], ["mixup must be a number from 0 to 10", "mixup=11"]),
        (["--trained-blocks", "2"], ["trained_blocks needs the pretrained network", "'baseline'"]),
        (["--preset", "report", "--choose-on", "stress"], ["choose_on must be", "validation='test'"]),
    ],
)
def test_what_does_not_fit_is_refused(
    invoke: Invoke, with_finished_run: FinishedRun, options: list[str], reported: list[str]
) -> None:
    for command in (["train"], ["study", "--architecture", "baseline"]):
        assert_refused(invoke(*command, *options, "--data", with_finished_run.data), *reported)


@pytest.mark.parametrize(
    "options", [["--choose-on", "test"], ["--schedule", "step"], ["--preparation", "crop"], ["--mixup", "much"]]
)
def test_what_no_setting_has_is_wrong_usage(invoke: Invoke, options: list[str]) -> None:
    for command in (["train"], ["study", "--architecture", "baseline"]):
        result = invoke(*command, *options)
        assert (result.status, result.output) == (2, "")
        assert options[0] in result.errors
